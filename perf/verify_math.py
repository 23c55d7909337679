"""Grading mathematical answers: passk against Math-Verify in a process pool of the same size.

    python perf/verify_math.py [--workers 2] [--rounds 5]

Inputs are real responses from the shared data ($PASSK_DATA or ../shared/data): 100 MATH problems
x 8 responses, once and repeated to n = 128, and the distinct pairs of GSM8K (1319 problems x 4
models). The two graders take turns, each in a fresh process that has imported both; a turn
includes the start of its workers.
Printed: median seconds of each, their ratio, and how many verdicts agree with the stored ones.
"""

from __future__ import annotations

import argparse
import functools
import json
import logging
import multiprocessing
import os
import statistics
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from math_verify import parse, verify

from passk.stages.verify import grade
from passk.verifiers.grading.worker_pool import PoolConfig

DATA = Path(os.environ.get("PASSK_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))

Pairs = list[tuple[str, str]]


def math_pairs(repeats: int = 16) -> tuple[Pairs, list[bool]]:
    """Return (gold, response) of the MATH outputs `repeats` times over, and the stored scores."""
    path = DATA / "outputs" / "qwen2.5-math_math_cot_100" / "math_cot_100.jsonl"
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    pairs = [(row["gt"], text) for row in rows for text in row["code"]]
    return pairs * repeats, [score for row in rows for score in row["score"]] * repeats


def gsm8k_pairs() -> tuple[Pairs, list[bool]]:
    """Return the distinct (gold, response) of the GSM8K outputs, and the stored labels."""
    path = DATA / "outputs" / "gsm8k_openai_model_solutions" / "example_model_solutions.jsonl"
    labels = {}
    for row in map(json.loads, path.read_text().splitlines()):
        gold = row["ground_truth"].rpartition("A:")[2].strip()
        for model in row:
            if model not in ("question", "ground_truth"):
                labels[gold, row[model]["solution"]] = row[model]["is_correct"]
    return list(labels), list(labels.values())


def by_passk(pairs: Pairs, workers: int, rules: list[str]) -> list[bool]:
    """Grade with passk."""
    setup = PoolConfig("math", {"extract": rules}, workers=workers)
    found = grade([(json.dumps(gold), text) for gold, text in pairs], setup)
    return [graded.verdict == "correct" for graded in found]


@functools.lru_cache(maxsize=4096)
def parsed_gold(gold: str) -> list[object]:
    """Parse a gold answer once per process."""
    return parse(f"${gold}$")


def verified(pair: tuple[str, str]) -> bool:
    """Grade one pair as Math-Verify's manual says."""
    return verify(parsed_gold(pair[0]), parse(pair[1]))


def by_math_verify(pairs: Pairs, workers: int) -> list[bool]:
    """Grade with Math-Verify in a process pool."""
    with multiprocessing.Pool(workers) as pool:
        return pool.map(verified, pairs, chunksize=64)


def timed(grader: str, pairs: Pairs, workers: int, rules: list[str]) -> tuple[float, list[bool]]:
    """Return the seconds that a grader took, and its verdicts."""
    logging.disable(logging.WARNING)
    began = time.perf_counter()
    if grader == "passk":
        verdicts = by_passk(pairs, workers, rules)
    else:
        verdicts = by_math_verify(pairs, workers)
    return time.perf_counter() - began, verdicts


def turn(*args: object) -> tuple[float, list[bool]]:
    """Let a grader take its turn in a process of its own, so that no cache is warm."""
    with ProcessPoolExecutor(max_workers=1) as one:
        return one.submit(timed, *args).result()


def compare(name: str, data: tuple[Pairs, list[bool]], rules: list[str], args: object) -> None:
    """Let the two take turns on one input, and print what came out."""
    pairs, stored = data
    seconds: dict[str, list[float]] = {"passk": [], "math-verify": []}
    agreement = {}
    for _ in range(args.rounds):
        for grader, times in seconds.items():
            took, verdicts = turn(grader, pairs, args.workers, rules)
            times.append(took)
            agreement[grader] = sum(a == b for a, b in zip(verdicts, stored, strict=True))
    medians = {grader: statistics.median(times) for grader, times in seconds.items()}
    print(f"{name}: {len(pairs)} responses, {args.workers} workers, {args.rounds} rounds")
    for grader, median in medians.items():
        spread = f"{min(seconds[grader]):.2f}..{max(seconds[grader]):.2f}"
        print(f"  {grader:12} {median:8.2f} s ({spread}), agrees with {agreement[grader]}")
    print(f"  ratio        {medians['math-verify'] / medians['passk']:8.1f}")


def main() -> None:
    """Run both comparisons."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    compare("MATH, distinct", math_pairs(1), ["boxed"], args)
    compare("MATH, n = 128", math_pairs(), ["boxed"], args)
    compare("GSM8K, distinct", gsm8k_pairs(), ["last_number"], args)


if __name__ == "__main__":
    main()
