"""How often each 95 % interval holds, over synthetic studies whose truth is known.

    python benchmarks/interval_coverage.py --studies 1000

Problems are drawn from a population of which one fifth cannot be solved; the tuned model sharpens
the base's success rates and loses some problems. Targets: 0.92 to 0.98 wherever the page shows no
flag (k > n/2 is flagged for sampling noise).
"""

from __future__ import annotations

import argparse

import numpy as np

from passk.estimate import compare, crossover, estimate_curve, tries

REPLICATES = 2000


def population(size: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Success rates of base and tuned over a great many problems."""
    base = np.where(rng.random(size) < 0.2, 0.0, rng.beta(0.6, 1.4, size))
    power = rng.uniform(1.2, 2.2, size)
    tuned = base**power / (base**power + (0.45 * (1 - base)) ** power)
    return base, np.where(rng.random(size) < 0.06, 0.0, tuned)


def curve(rates: np.ndarray, ks: np.ndarray) -> np.ndarray:
    """The true pass@k of a set of problems."""
    return np.array([1 - ((1 - rates) ** k).mean() for k in ks])


def inside(low: np.ndarray, truth: np.ndarray, high: np.ndarray) -> np.ndarray:
    return (np.asarray(low) <= truth + 1e-12) & (truth <= np.asarray(high) + 1e-12)


def simulate(problems: int, n: int, studies: int, seed: int) -> None:
    """Print one table."""
    rng = np.random.default_rng(seed)
    people = population(400_000, rng)
    ks = np.array([1, 4, 16, n // 2, n])
    grid = tries(n)
    true = [curve(rates, grid) for rates in people]
    at = np.searchsorted(grid, ks)
    crossing = crossover(grid, (true[1] - true[0])[None])[0]
    held: dict[str, list[np.ndarray]] = {"problems": [], "noise": [], "delta": []}
    band, overtakes = [], []
    for study in range(studies):
        chosen = rng.integers(len(people[0]), size=problems)
        rates = [side[chosen] for side in people]
        base, tuned = (rng.binomial(n, side) for side in rates)
        found = estimate_curve(n, base, ks, replicates=REPLICATES, seed=study)
        held["problems"].append(inside(found.low, true[0][at], found.high))
        held["noise"].append(inside(found.noise_low, curve(rates[0], ks), found.noise_high))
        delta = compare((n, tuned), (n, base), grid, replicates=REPLICATES, seed=study)
        held["delta"].append(inside(delta.low, true[1] - true[0], delta.high)[at])
        band.append(inside(delta.band_low, true[1] - true[0], delta.band_high).all())
        overtakes.append(delta.crossover[1] <= crossing <= delta.crossover[2])
    print(f"\n{problems} problems, n = {n}, {studies} studies, true crossover at k = {crossing:g}")
    print(f"{'k':>10}" + "".join(f"{k:>8}" for k in ks))
    for name, rows in held.items():
        flags = [" " if name != "noise" or k <= n / 2 else "*" for k in ks]
        shares = np.mean(rows, axis=0)
        print(f"{name:>10}" + "".join(f"{s:>7.3f}{f}" for s, f in zip(shares, flags, strict=True)))
    print(f"simultaneous band {np.mean(band):.3f}   crossover {np.mean(overtakes):.3f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--studies", type=int, default=300)
    parser.add_argument("--problems", type=int, nargs="+", default=[30, 500])
    parser.add_argument("--n", type=int, nargs="+", default=[64, 256])
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    for problems in options.problems:
        for n in options.n:
            simulate(problems, n, options.studies, seed=options.seed + problems + n)
    print("\n* flagged: undefined above k = n/2")


if __name__ == "__main__":
    main()
