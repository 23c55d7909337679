"""How often the composition of a batch changes a token: rounding, with the transformers engine.

    python perf/engine_composition.py WEIGHTS [--dtype float32]

The same responses are sampled twice, in batches of another size and order. The rate is responses
that part, per token up to there. Kernels for AVX2 are chosen by ATEN_CPU_CAPABILITY=avx2
ONEDNN_MAX_CPU_ISA=AVX2 MKL_ENABLE_INSTRUCTIONS=AVX2.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

import torch

from passk.core.schemas import Sample
from passk.engines.base import ModelSource, Prompt, Request, Sampling
from passk.engines.transformers import TransformersEngine


def sampled(
    engine: TransformersEngine, requests: Sequence[Request], sampling: Sampling, batch_size: int
) -> dict[tuple[str, int], Sample]:
    """Return all responses, in batches of a size."""
    engine.execution["batch_size"] = batch_size
    return {(row.problem_id, row.sample): row for row in engine.sample(requests, sampling)}


def parted(one: Sequence[int], other: Sequence[int]) -> tuple[int, bool]:
    """Return how many tokens were compared, and whether the last of them differ."""
    for at, (a, b) in enumerate(zip(one, other, strict=False)):
        if a != b:
            return at + 1, True
    return min(len(one), len(other)), len(one) != len(other)


def main() -> None:
    """Print the rate."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("weights", help="folder or hub id")
    parser.add_argument("--dtype", default="float32")
    parser.add_argument("--responses", type=int, default=64, help="per problem, of 4")
    parser.add_argument("--tokens", type=int, default=64)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    execution = {"threads": options.threads}
    engine = TransformersEngine.load(
        ModelSource(options.weights, dtype=options.dtype, execution=execution)
    )
    numbers = tuple(range(options.responses))
    requests = [
        Request(str(i), Prompt(text="Once upon a time, " * i), numbers, numbers)
        for i in range(1, 5)
    ]
    sampling = Sampling(max_tokens=options.tokens)
    one = sampled(engine, requests, sampling, 256)
    other = sampled(engine, requests[::-1], sampling, 24)
    found = [parted(one[key].token_ids, other[key].token_ids) for key in one]
    tokens, changed = sum(count for count, _ in found), sum(differ for _, differ in found)
    print(f"{torch.backends.cpu.get_cpu_capability()}, {options.dtype}: ", end="")
    print(f"{changed} of {len(found)} responses part within {tokens} tokens", end="")
    print(f" ({changed / tokens:.1e} per token)")


if __name__ == "__main__":
    main()
