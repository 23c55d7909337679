"""How often each 95 % interval holds, over synthetic studies whose truth is known.

    python perf/interval_coverage.py --studies 1000

Problems are drawn from a population of which one fifth cannot be solved; the tuned model sharpens
the base's success rates and loses some problems. Targets: 0.92 to 0.98 wherever no flag is shown
(`passk.stats.reliability_flags`), and at least 0.85 for the extrapolation to 4n. The last lines
say the Monte Carlo error and what, if anything, is outside its target.
"""

from __future__ import annotations

import argparse

import numpy as np

from passk.stats import compare, crossover, estimate_curve, extrapolate, flag, k_grid

REPLICATES = 2000
TARGET = (0.92, 0.98)
EXTRAPOLATED = 0.85


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


class Held:
    """Whether each interval held in each study, by name."""

    def __init__(self) -> None:
        self.rows: dict[str, list[np.ndarray]] = {}

    def add(self, name: str, held: object) -> None:
        self.rows.setdefault(name, []).append(np.atleast_1d(np.asarray(held, dtype=float)))

    def share(self, name: str) -> np.ndarray:
        return np.nanmean(self.rows[name], axis=0)


def simulate(problems: int, n: int, studies: int, seed: int) -> list[str]:
    """Print one table and return what is outside its target."""
    rng = np.random.default_rng(seed)
    people = population(400_000, rng)
    ks = np.array([1, 4, 16, n // 2, n])
    grid = k_grid(n)
    true = [curve(rates, grid) for rates in people]
    delta = true[1] - true[0]
    beyond = [curve(rates, np.array([4 * n]))[0] for rates in people]
    at = np.searchsorted(grid, ks)
    crossing = crossover(grid, delta[None])[0]
    held, refused, drawn = Held(), 0, 0
    for study in range(studies):
        chosen = rng.integers(len(people[0]), size=problems)
        rates = [side[chosen] for side in people]
        base, tuned = (rng.binomial(n, side) for side in rates)
        for method in ("percentile", "bca"):
            found = estimate_curve(n, base, ks, replicates=REPLICATES, seed=study, method=method)
            held.add(f"problems, {method}", inside(found.low, true[0][at], found.high))
        held.add("noise", inside(found.noise_low, curve(rates[0], ks), found.noise_high))
        pair = compare((n, tuned), (n, base), grid, replicates=REPLICATES, seed=study)
        held.add("paired delta", inside(pair.low, delta, pair.high)[at])
        held.add("simultaneous band", inside(pair.band_low, delta, pair.band_high).all())
        held.add("crossover", pair.crossover[1] <= crossing <= pair.crossover[2])
        for name, counts, truth in zip(("base", "tuned"), (base, tuned), beyond, strict=True):
            far = extrapolate(n, counts, [4 * n], replicates=300, seed=study)
            drawn, refused = drawn + 1, refused + (not far.fits)
            if far.fits:
                held.add(f"4n, {name}", inside(far.low, truth, far.high))
    print(f"\n{problems} problems, n = {n}, {studies} studies, true crossover at k = {crossing:g}")
    print(f"{'k':>22}" + "".join(f"{k:>8}" for k in ks))
    outside = []
    for name in ("problems, percentile", "problems, bca", "paired delta", "noise"):
        kind = "noise" if name == "noise" else "problems"
        flags = [flag(kind, k, n, problems) for k in ks]
        shares = np.where(np.array(flags) == "k > n/2", np.nan, held.share(name))
        cells = zip(shares, flags, strict=True)
        print(f"{name:>22}" + "".join(f"{s:>7.3f}{'*' if mark else ' '}" for s, mark in cells))
        outside += [
            f"{name} at k = {k}: {s:.3f}"
            for k, s, mark in zip(ks, shares, flags, strict=True)
            if not mark and not TARGET[0] <= s <= TARGET[1]
        ]
    for name in ("simultaneous band", "crossover", "4n, base", "4n, tuned"):
        share = float(held.share(name)[0])
        low, high = (EXTRAPOLATED, 1.0) if name.startswith("4n") else TARGET
        print(f"{name:>22}{share:>7.3f}")
        outside += [] if low <= share <= high else [f"{name}: {share:.3f}"]
    print(f"{'fit refused':>22}{refused / drawn:>7.3f}")
    return [f"{problems} problems, n = {n}: {words}" for words in outside]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--studies", type=int, default=300)
    parser.add_argument("--problems", type=int, nargs="+", default=[30, 500])
    parser.add_argument("--n", type=int, nargs="+", default=[64, 256])
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    outside: list[str] = []
    for problems in options.problems:
        for n in options.n:
            outside += simulate(problems, n, options.studies, options.seed + problems + n)
    error = np.sqrt(0.95 * 0.05 / options.studies)
    print(f"\nMonte Carlo error of a share of 0.95: {error:.4f}")
    print("* flagged: k > n/2 (noise undefined), n < 4k with few problems, or few problems")
    print("\n".join(outside) if outside else "every interval without a flag is within its target")


if __name__ == "__main__":
    main()
