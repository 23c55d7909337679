"""The full pass@k curve in one pass, against a plain loop over problems and k.

    python perf/estimate.py [--problems 10000 --rounds 1]

Prints the median time of each over alternating rounds, their ratio and the largest difference.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from statistics import median

import numpy as np

from passk.stats import compare, k_grid, mean_pass_at_k


def loop(n: int, correct: list[int], ks: range) -> list[float]:
    """The usual estimator, one problem and one k at a time."""
    curve = []
    for k in ks:
        rates = [
            1.0 if n - c < k else 1.0 - float(np.prod(1.0 - k / np.arange(n - c + 1, n + 1)))
            for c in correct
        ]
        curve.append(float(np.mean(rates)))
    return curve


def timed(work: Callable[[], object]) -> tuple[float, object]:
    start = time.perf_counter()
    result = work()
    return time.perf_counter() - start, result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--problems", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    n, ks = 1024, range(1, 1025)
    rng = np.random.default_rng(0)
    correct = rng.binomial(n, rng.beta(0.5, 1, options.problems))
    ours, plain = [], []
    for _ in range(options.rounds):
        seconds, fast = timed(lambda: mean_pass_at_k(n, correct, ks))
        ours.append(seconds)
        seconds, slow = timed(lambda: loop(n, correct.tolist(), ks))
        plain.append(seconds)
    difference = np.abs(np.asarray(fast) - np.asarray(slow)).max()
    times = f"passk {median(ours):.3f} s, loop {median(plain):.3f} s"
    print(f"curve k = 1..1024, {options.problems} problems: {times}")
    print(f"ratio {median(plain) / median(ours):.0f}, largest difference {difference:.1e}")
    sets = [(128, rng.binomial(128, rng.beta(0.5, 1, 500))) for _ in range(2)]
    seconds, _ = timed(lambda: compare(*sets, k_grid(128)))
    print(f"10,000 paired bootstraps, 500 problems, 128 k, band and crossover: {seconds:.2f} s")


if __name__ == "__main__":
    main()
