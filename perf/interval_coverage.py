"""How often each 95 % interval holds, and each list of names is right, where the truth is known.

    python perf/interval_coverage.py --studies 300 [--part NAME]

Or `--setting "80 % near 0, 5 % lost, 5 % gained" --problems 40` alone.
Synthetic studies; prints the tables of docs/analysis.md. An interval holds if it contains the value
of the population that problems, responses and seeds are drawn from. `bootstrap` is the paired
percentile bootstrap that passk used before its score interval. Stars: below 0.93 without a flag.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from passk.stats import (
    MIN_PROBLEMS,
    Counts,
    Floats,
    change_p_values,
    compare,
    contrast,
    estimate_curve,
    extrapolate,
    extrapolate_difference,
    holm,
    k_grid,
    method_band,
    paired_units,
    percentiles,
    solved_by_one_p_values,
    unseen_size,
)
from passk.stats.bayes import beta_binomial_interval
from passk.stats.resampling import add_unseen_changes

REPLICATES = 1000
POPULATION = 100_000
LEAST = 0.93
N = 128

Pair = tuple[Floats, Floats]


@dataclass(frozen=True)
class Setting:
    """One kind of study: shares of problems that no model solves, that are lost, and gained."""

    name: str
    zero: float = 0.6
    near: bool = False
    lost: float = 0.05
    gained: float = 0.0
    n: int = N
    cluster: int = 1
    mixed: bool = False
    same: bool = False
    constant: float | None = None


SETTINGS = (
    Setting("60 % at 0, 5 % lost"),
    Setting("60 % at 0, 5 % lost, n = 1024", n=1024),
    Setting("80 % at 0, 5 % lost", zero=0.8),
    Setting("60 % at 0, 5 % lost, 5 % gained", gained=0.05),
    Setting("80 % at 0, 5 % lost, 5 % gained", zero=0.8, gained=0.05),
    Setting("60 % near 0, 5 % lost", near=True),
    Setting("80 % near 0, 5 % lost, 5 % gained", zero=0.8, near=True, gained=0.05),
    Setting("n = 8, 5 % lost", n=8),
    Setting("n of 32 or 128, 5 % lost", mixed=True),
    Setting("clusters of 3 equal questions", cluster=3),
    Setting("identical models", same=True, lost=0.0),
    Setting("all right", constant=1.0, same=True, lost=0.0),
    Setting("all wrong", constant=0.0, same=True, lost=0.0),
)


def population(setting: Setting, rng: np.random.Generator) -> Pair:
    """Success rates of base and tuned over a great many problems."""
    size = POPULATION
    if setting.constant is not None:
        return (np.full(size, setting.constant),) * 2
    hard = rng.random(size) < setting.zero
    low = rng.beta(0.5, 300, size) if setting.near else np.zeros(size)
    base = np.where(hard, low, rng.beta(0.6, 1.0, size))
    if setting.same:
        return base, base
    power = rng.uniform(1.2, 2.2, size)
    tuned = base**power / (base**power + (0.45 * (1 - base)) ** power + 1e-300)
    draw = rng.random(size)
    tuned = np.where(~hard & (draw < setting.lost / (1 - setting.zero)), 0.0, tuned)
    gains = hard & (draw > 1 - setting.gained / setting.zero)
    return base, np.where(gains, rng.uniform(0.02, 0.3, size), tuned)


def curve(rates: Floats, ks: np.ndarray) -> Floats:
    """The true pass@k of a set of problems."""
    return np.array([1 - ((1 - rates) ** k).mean() for k in ks])


def draw(
    setting: Setting, people: Pair, problems: int, rng: np.random.Generator
) -> tuple[Counts, Counts, np.ndarray | None]:
    """Return (n, c) of base and tuned in one study, and the clusters of its problems."""
    chosen = np.repeat(rng.integers(POPULATION, size=problems), setting.cluster)
    n = np.full(len(chosen), setting.n)
    if setting.mixed:
        n = np.where(rng.random(len(chosen)) < 0.5, setting.n, setting.n // 4)
        n[0] = setting.n // 4
    clusters = np.repeat(np.arange(problems), setting.cluster) if setting.cluster > 1 else None
    base, tuned = ((n, rng.binomial(n, side[chosen])) for side in people)
    return base, tuned, clusters


def bootstrap(tuned: Counts, base: Counts, ks: np.ndarray, clusters: np.ndarray | None) -> Floats:
    """Return the paired percentile bootstrap's interval."""
    units = paired_units(tuned, base, ks, clusters)
    possible = add_unseen_changes(units, unseen_size([base], ks), unseen_size([tuned], ks))
    return percentiles(possible.resampled(REPLICATES, 1), 0.95, units.number)


def inside(low: Floats, truth: Floats, high: Floats) -> np.ndarray:
    """Whether an interval contains the truth."""
    return (np.asarray(low) <= truth + 1e-12) & (truth <= np.asarray(high) + 1e-12)


def check_setting(setting: Setting, problems: int, studies: int) -> Iterator[str]:
    """Yield the rows of a table: share of studies in which each interval held."""
    rng = np.random.default_rng(abs(hash((problems, setting.n))) % 2**32)
    people = population(setting, rng)
    n = setting.n // 4 if setting.mixed else setting.n
    ks = np.array([1, max(2, n // 8), n // 2, n])
    base, tuned = (curve(side, ks) for side in people)
    grid = k_grid(n)
    delta = curve(people[1], grid) - curve(people[0], grid) if setting.n <= N else None
    held: dict[str, list[np.ndarray]] = {}
    width = []
    for study in range(studies):
        first, second, clusters = draw(setting, people, problems, rng)
        found = estimate_curve(*first, ks, clusters=clusters, replicates=REPLICATES, seed=study)
        held.setdefault("problems", []).append(inside(found.low, base, found.high))
        ends = contrast([second], [first], ks, clusters)[1]
        held.setdefault("paired", []).append(inside(ends[0], tuned - base, ends[1]))
        old = bootstrap(second, first, ks, clusters)
        held.setdefault("bootstrap", []).append(inside(old[0], tuned - base, old[1]))
        width.append((ends[1] - ends[0]) / np.maximum(old[1] - old[0], 1e-12))
        if delta is not None:
            pair = compare(second, first, grid, clusters=clusters, replicates=REPLICATES)
            all_k = inside(pair.band_low, delta, pair.band_high).all()
            held.setdefault("band", []).append(np.array([all_k]))
    mark = "" if problems >= MIN_PROBLEMS else " (flagged)"
    for name, rows in held.items():
        shares = np.mean(rows, axis=0)
        star = "*" if name != "bootstrap" and not mark and (shares < LEAST).any() else ""
        cells = " | ".join(f"{share:.3f}" for share in shares)
        yield f"| {problems}{mark} | {setting.name} | {name}{star} | {cells} |"
    ratio = " | ".join(f"{share:.2f}" for share in np.median(width, axis=0))
    yield f"| | | width, paired / bootstrap | {ratio} |"


def intervals(studies: int, only: str = "", sizes: Sequence[int] = (12, 30, 40, 100)) -> None:
    """Print how often intervals over problems hold."""
    print("| problems | study | interval | k = 1 | n/8 | n/2 | n |\n|---|---|---|---|---|---|---|")
    for setting in SETTINGS:
        if only not in ("", setting.name):
            continue
        for problems in sizes:
            for row in check_setting(setting, problems, studies):
                print(row, flush=True)


def families(studies: int) -> None:
    """Print how often a hard problem that did not change is named, and how many lost ones are."""
    print("| problems | hard | moved by | any wrong name | BH (before) | Holm | lost found |")
    print("|---|---|---|---|---|---|---|")
    rng = np.random.default_rng(5)
    settings = (
        (500, 0.3, (0.02, 0.03), 0.3),
        (1319, 0.3, (0.02, 0.03), 0.3),
        (500, 0.3, (0.0, 0.05), 0.3),
        (500, 0.6, (0.01, 0.04), 0.3),
        (100, 0.3, (0.02, 0.03), 0.3),
        (30, 0.5, (0.02, 0.1), 0.3),
        (500, 1.0, (0.0, 0.05), 0.0),
    )
    for problems, share, span, move in settings:
        hard = np.arange(problems) < share * problems
        lost = (np.arange(problems) < 5) & hard
        wrong, found = np.zeros(3), np.zeros(3)
        for _ in range(studies):
            rates = np.where(hard, rng.uniform(*span, problems), rng.uniform(0.2, 0.6, problems))
            base = rng.binomial(N, rates)
            tuned = rng.binomial(N, np.where(hard, rates, rates + move))
            wrong += [(p[hard] <= 0.05).any() for p in _corrections(base, tuned)]
            base, tuned = (
                np.where(lost, rng.binomial(N, 0.08, problems), base),
                np.where(lost, 0, tuned),
            )
            found += [(p[lost] <= 0.05).mean() for p in _corrections(base, tuned)]
        w, f = wrong / studies, found / studies
        print(
            f"| {problems} | {share:.0%} at {span[0]} to {span[1]} | {move:+.0%} | {w[0]:.3f} | "
            f"{w[1]:.2f} | {w[2]:.3f} | {f[0]:.2f} (BH {f[1]:.2f}, Holm {f[2]:.2f}) |",
            flush=True,
        )


def _corrections(base: np.ndarray, tuned: np.ndarray) -> tuple[Floats, Floats, Floats]:
    """Return corrected p-values of lost and gained problems: ours, by BH and by Holm over all."""
    p = change_p_values((N, base), (N, tuned))
    order = np.argsort(p)[::-1]
    q = np.empty_like(p)
    q[order] = np.minimum.accumulate(p[order] * len(p) / np.arange(len(p), 0, -1))
    alone = (base == 0) ^ (tuned == 0)
    others = (np.where(alone, values, 1.0) for values in (q, holm(p)))
    return solved_by_one_p_values((N, base), (N, tuned)), *others


def seeds(studies: int) -> None:
    """Print how often intervals hold for a method's effect, which other seeds would have too."""
    print("| problems | seeds | spread | against | over problems | problems and seeds | margin |")
    print("|---|---|---|---|---|---|---|")
    rng = np.random.default_rng(9)
    for problems in (60, 500):
        for number in (3, 5):
            for spread in (0.0, 0.01, 0.024, 0.05):
                for rival in (False, True):
                    held, margin = np.zeros(2), 0.0
                    for _ in range(studies):
                        rates = rng.uniform(0.15, 0.6, problems)
                        own = _trained(rates + 0.1, spread, number, rng)
                        other = _trained(rates, spread, number if rival else 0, rng)
                        ends = contrast(own, other, [1])[1:]
                        held += [bool(low[0] <= 0.1 <= high[0]) for low, high in ends]
                        margin += (ends[1][1] - ends[1][0])[0] / 2
                    share = held / studies
                    print(
                        f"| {problems} | {number} | {100 * spread:.1f} points | "
                        f"{'method' if rival else 'base'} | {share[0]:.3f} | {share[1]:.3f} | "
                        f"± {100 * margin / studies:.1f} |",
                        flush=True,
                    )


def _trained(rates: Floats, spread: float, number: int, rng: np.random.Generator) -> list[Counts]:
    """Return counts of each seed; of an untrained base with none."""
    moves = rng.normal(0, spread, number) if number else np.zeros(1)
    return [(N, rng.binomial(N, np.clip(rates + move, 0, 1))) for move in moves]


def seed_bands(studies: int) -> None:
    """Print how often a method's band holds at all k, where seeds move both ends of the curve."""
    print(
        "| problems | seeds | one k, worst | band, all k | margin at k = 1 |\n|---|---|---|---|---|"
    )
    rng = np.random.default_rng(11)
    ks = k_grid(32)
    for problems in (60, 500):
        for number in (3, 5):
            people = rng.beta(0.4, 1.0, 20_000)
            truth = curve(people**0.8, ks) - curve(people, ks)
            inner, outer, margin = np.zeros(len(ks)), 0.0, 0.0
            for _ in range(studies):
                rates = people[rng.integers(len(people), size=problems)]
                easy, hard = rng.normal(0, 0.06, (2, number, 1))
                power = 0.8 * np.exp(np.where(rates > 0.2, easy, 3 * hard))
                own = [(32, rng.binomial(32, row)) for row in rates**power]
                base = [(32, rng.binomial(32, rates))]
                ends = contrast(own, base, ks)[2]
                band = method_band(own, base, ks, replicates=500)
                inner += inside(ends[0], truth, ends[1])
                outer += inside(band[0], truth, band[1]).all()
                margin += (band[1] - band[0])[0] / 2
            print(
                f"| {problems} | {number} | {inner.min() / studies:.3f} | {outer / studies:.3f} | "
                f"± {100 * margin / studies:.1f} |",
                flush=True,
            )


def extrapolation(studies: int) -> None:
    """Print how often the interval at 4n holds, of one model and of a difference, and its width."""
    print("| problems | success rates | pass@4n holds | width | difference holds | width |")
    print("|---|---|---|---|---|---|")
    tails: dict[str, Callable[[np.random.Generator, int], Floats]] = {
        "20 % at 0, others beta(0.6, 1.4)": lambda rng, size: np.where(
            rng.random(size) < 0.2, 0.0, rng.beta(0.6, 1.4, size)
        ),
        "log-uniform from 0.0001 to 1": lambda rng, size: np.exp(
            rng.uniform(np.log(1e-4), 0, size)
        ),
        "30 % at 0.003, others beta(5, 1)": lambda rng, size: np.where(
            rng.random(size) < 0.3, 0.003, rng.beta(5, 1, size)
        ),
        "3 % at 0, others beta(0.8, 0.4)": lambda rng, size: np.where(
            rng.random(size) < 0.03, 0.0, rng.beta(0.8, 0.4, size)
        ),
    }
    for problems in (30, 100, 500):
        for row, (name, rates_of) in enumerate(tails.items()):
            rng = np.random.default_rng((7, problems, row))
            people = rates_of(rng, POPULATION)
            after = np.where(rng.random(POPULATION) < 0.8, people**0.7, 0.3 * people)
            base, tuned = (curve(side, np.array([4 * N]))[0] for side in (people, after))
            held, width = np.zeros(2), np.zeros(2)
            for _ in range(studies):
                chosen = rng.integers(POPULATION, size=problems)
                first, second = ((N, rng.binomial(N, side[chosen])) for side in (people, after))
                one = extrapolate(first, [4 * N])
                both = extrapolate_difference(second, first, [4 * N])
                for i, (found, truth) in enumerate(((one, base), (both, tuned - base))):
                    held[i] += bool(found.low[0] <= truth <= found.high[0])
                    width[i] += (found.high - found.low)[0]
            h, w = held / studies, 100 * width / studies
            print(
                f"| {problems} | {name} | {h[0]:.3f} | {w[0]:.0f} | {h[1]:.3f} | {w[1]:.0f} |",
                flush=True,
            )


def bayes(studies: int) -> None:
    """Print how often Bayesian intervals of pass@k hold, and how narrow they are."""
    print("| study | problems | bayes | problems (bootstrap) | width of bayes / bootstrap |")
    print("|---|---|---|---|---|")
    for setting in SETTINGS:
        if setting.cluster > 1 or setting.mixed or setting.constant is not None:
            continue
        for problems in (12, 30, 100):
            rng = np.random.default_rng(problems + setting.n)
            people = population(setting, rng)
            ks = np.array([1, max(2, setting.n // 8), setting.n // 2, setting.n])
            true = curve(people[0], ks)
            held, width = np.zeros((2, len(ks))), np.zeros((2, len(ks)))
            for study in range(studies):
                first, _, _ = draw(setting, people, problems, rng)
                plain = estimate_curve(*first, ks, replicates=REPLICATES, seed=study)
                own = beta_binomial_interval(*first, ks)[1:]
                for row, (low, high) in enumerate((own, (plain.low, plain.high))):
                    held[row] += inside(low, true, high)
                    width[row] += high - low
            shares = " | ".join(f"{r.min():.3f}-{r.max():.3f}" for r in held / studies)
            ratio = width[0] / width[1]
            print(
                f"| {setting.name} | {problems} | {shares} | {ratio.min():.2f}-{ratio.max():.2f} |",
                flush=True,
            )


PARTS = {
    "bayes": bayes,
    "intervals": intervals,
    "families": families,
    "seeds": seeds,
    "seed_bands": seed_bands,
    "extrapolation": extrapolation,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--studies", type=int, default=300)
    parser.add_argument("--part", choices=PARTS, action="append")
    parser.add_argument("--setting", choices=[setting.name for setting in SETTINGS])
    parser.add_argument("--problems", type=int, nargs="+", default=[12, 30, 40, 100])
    options = parser.parse_args()
    if options.setting:
        intervals(options.studies, options.setting, options.problems)
    for name in options.part or (() if options.setting else PARTS):
        print(f"\n{name}\n")
        PARTS[name](options.studies)
    error = np.sqrt(0.95 * 0.05 / options.studies)
    print(f"\nMonte Carlo error of a share of 0.95: {error:.4f}")


if __name__ == "__main__":
    main()
