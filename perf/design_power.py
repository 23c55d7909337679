"""Does a design keep its promise? Power that is promised against that of simulated studies.

    python perf/design_power.py --studies 2000

Studies are drawn from known success rates and compared by `passk.stats.compare`, the code behind
`passk compare` and the report. `promised` is what a design says that knows the rates; `pilots` are
what designs say that know only the counts of one study of that size each (mean, and the middle 80 %
of pilots). Prints the table of docs/analysis.md.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass

import numpy as np

from passk.stats import Counts, compare
from passk.stats.power import band_reach, detectable_difference, simulate_problems
from passk.stats.rate_mixtures import RateMixture, assume_mixture, fit_mixture, tilt

PROMISE_STUDIES = 4000
PILOTS = 20


@dataclass(frozen=True)
class Setting:
    """Success rates, size of the study, k, and the sign of the difference that is looked for."""

    name: str
    mixture: RateMixture
    problems: int
    n: int
    k: int
    sign: int


def moved(never: float, lost: float, gained: float, size: int = 800) -> RateMixture:
    """Return rates of which tuning moves all upward but some that it loses or gains."""
    rng = np.random.default_rng(7)
    base = np.where(rng.random(size) < never, 0.0, rng.beta(0.6, 1.0, size))
    tuned = base**1.5 / (base**1.5 + 0.4 * (1 - base) ** 1.5)
    draw = rng.random(size)
    tuned = np.where((base > 0) & (draw < lost), 0.0, tuned)
    tuned = np.where((base == 0) & (draw < gained), rng.uniform(0.02, 0.3, size), tuned)
    return RateMixture(base, tuned, np.full(size, 1 / size))


ASSUMED, EASY = assume_mixture(), assume_mixture((1.5, 0.6), 0.05, 0.4)
MOVED = moved(0.2, 0.05, 0.05)
SETTINGS = (
    Setting("assumed, moved 20 %", ASSUMED, 100, 128, 128, -1),
    Setting("assumed, moved 20 %", ASSUMED, 500, 64, 8, 1),
    Setting("assumed, moved 20 %", ASSUMED, 30, 256, 64, -1),
    Setting("mostly solved, moved 40 %", EASY, 100, 32, 1, 1),
    Setting("mostly solved, moved 40 %", EASY, 500, 128, 128, -1),
    Setting("tuning moves all, 5 % lost, 5 % gained", MOVED, 100, 64, 64, -1),
    Setting("tuning moves all, 5 % lost, 5 % gained", MOVED, 500, 128, 1, 1),
    Setting("tuning moves all, 5 % lost, 5 % gained", MOVED, 500, 32, 16, -1),
    Setting("60 % never solved, 5 % lost", moved(0.6, 0.05, 0.0), 100, 128, 128, -1),
    Setting("60 % never solved, 5 % lost", moved(0.6, 0.05, 0.0), 300, 16, 4, 1),
)


def draw(mixture: RateMixture, problems: int, n: int, rng: np.random.Generator) -> list[Counts]:
    """Return (n, c) of tuned and base in one study."""
    kind = rng.choice(len(mixture.weights), problems, p=mixture.weights)
    return [(n, rng.binomial(n, rates[kind])) for rates in (mixture.tuned, mixture.base)]


def simulated_power(setting: Setting, difference: float, studies: int) -> tuple[float, float]:
    """Return the shares of studies whose interval, and whose band, show the difference."""
    truth = tilt(setting.mixture, setting.k, difference)
    assert truth is not None
    rng = np.random.default_rng(11)
    shown = np.zeros(2)
    for study in range(studies):
        found = compare(
            *draw(truth, setting.problems, setting.n, rng), [setting.k], replicates=500, seed=study
        )
        near = (found.low, found.band_low) if difference > 0 else (found.high, found.band_high)
        shown += [setting.sign * end[0] > 0 for end in near]
    single, band = shown / studies
    return float(single), float(band)


def promises(setting: Setting, difference: float) -> tuple[float, float, list[float]]:
    """Return the power that is promised of interval and band, and what pilots would promise."""
    k, problems, n = setting.k, setting.problems, setting.n
    drawn = simulate_problems(setting.mixture, n, [k])
    truth = tilt(setting.mixture, k, difference)
    assert truth is not None
    reach = band_reach(truth, n, problems)
    single, band = (
        drawn.power(k, difference, problems, reach=r, studies=PROMISE_STUDIES)
        for r in (None, reach)
    )
    rng = np.random.default_rng(5)
    pilots = []
    for _ in range(PILOTS):
        fitted = fit_mixture(*draw(setting.mixture, problems, n, rng))
        pilots.append(simulate_problems(fitted, n, [k]).power(k, difference, problems))
    return single, band, pilots


def check(setting: Setting, studies: int) -> tuple[str, float]:
    """Return the row of a setting, and how far promise and simulation of the interval differ."""
    drawn = simulate_problems(setting.mixture, setting.n, [setting.k])
    difference = round(
        detectable_difference(drawn, setting.k, setting.problems, sign=setting.sign), 3
    )
    single, band, pilots = promises(setting, difference)
    found, found_band = simulated_power(setting, difference, studies)
    low, high = np.nanquantile(pilots, [0.1, 0.9])
    row = (
        f"| {setting.name} | {setting.problems} | {setting.n} | {setting.k} "
        f"| {100 * difference:+.1f} | {single:.3f} | {found:.3f} | {band:.3f} | {found_band:.3f} "
        f"| {np.nanmean(pilots):.2f} [{low:.2f}, {high:.2f}] |"
    )
    return row, abs(single - found)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--studies", type=int, default=2000)
    studies = parser.parse_args().studies
    names = "success rates, problems, n, k, points, promised, simulated, band promised"
    heads = [*names.split(", "), "band simulated", "pilots promise"]
    print(f"| {' | '.join(heads)} |\n|{'---|' * len(heads)}")
    worst = 0.0
    for setting in SETTINGS:
        row, apart = check(setting, studies)
        print(row, flush=True)
        worst = max(worst, apart)
    print(f"\nfurthest apart: {worst:.3f}; error of a simulated power of 0.8: "
          f"{np.sqrt(0.16 / studies):.3f}")  # fmt: skip


if __name__ == "__main__":
    main()
