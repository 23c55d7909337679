"""A tuned model against its base over the same problems: delta curve, band and crossover."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from passk.stats.arrays import Floats, Ints, KValues
from passk.stats.curves import LEVEL, k_grid, mean_pass_at_k
from passk.stats.intervals import (
    REPLICATES,
    SEED,
    infinite_percentiles,
    sup_t_quantile,
    t_quantile,
    tail,
    z_quantile,
)
from passk.stats.resampling import (
    Counts,
    add_unseen_changes,
    mean_units,
    paired_units,
    unseen_size,
)
from passk.stats.score_intervals import difference_interval

TIE = 1e-9
"""Differences of rates up to this size are rounding, not a lead."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """How a tuned model differs from its base over the same problems; arrays have shape (K,).

    Attributes:
        k: values of k.
        delta: mean over problems of tuned pass@k minus base pass@k.
        low: lower end of the paired interval at each k alone.
        high: its upper end.
        band_low: lower end of the band that holds at all k up to n at once.
        band_high: its upper end.
        crossover: (estimate, low, high) of the k at which the base overtakes; inf is none <= n.
        problems: number of problems that both have.
    """

    k: Ints
    delta: Floats
    low: Floats
    high: Floats
    band_low: Floats
    band_high: Floats
    crossover: tuple[float, float, float]
    problems: int


def crossover(ks: KValues, deltas: Floats) -> Floats:
    """Return the k at which the base overtakes for good, for each curve of `deltas` (B, K).

    It is the first k with a negative delta (base ahead) after the last k with a positive one:
    1 where the base is ahead all along, inf where it never is, or not at the end.
    """
    k = np.asarray(ks, dtype=np.float64)
    ahead, behind = deltas > TIE, deltas < -TIE
    last = np.where(ahead.any(axis=1), deltas.shape[1] - 1 - ahead[:, ::-1].argmax(axis=1), -1)
    after = behind & (np.arange(deltas.shape[1]) > last[:, None])
    return np.where(after.any(axis=1), k[after.argmax(axis=1)], np.inf)


def compare(
    tuned: Counts,
    base: Counts,
    ks: KValues,
    *,
    clusters: npt.ArrayLike | None = None,
    level: float = LEVEL,
    replicates: int = REPLICATES,
    seed: int = SEED,
) -> Comparison:
    """Compare two models over the same problems, problem by problem.

    Args:
        tuned: (n, c) of the tuned model, each of shape (P,).
        base: (n, c) of the base in the same order of problems.
        ks: values of k of the result, shape (K,).
        clusters: names of clusters of problems that are resampled together, shape (P,).
        level: confidence level.
        replicates: bootstrap replicates.
        seed: seed of the bootstrap.

    Returns:
        The delta curve with pointwise score intervals, a simultaneous band (the same interval at
        the level that a sup-t statistic over every k up to n asks for, so that it is never inside
        the pointwise one), and the crossover with its bootstrap interval.
    """
    k_max = int(min(np.min(tuned[0]), np.min(base[0])))
    grid = np.union1d(k_grid(k_max), np.asarray(ks))
    units = paired_units(tuned, base, grid, clusters)
    loss_size, gain_size = unseen_size([base], grid), unseen_size([tuned], grid)
    low, high = difference_interval(units, loss_size, gain_size, z_quantile(level, units.number))
    known = grid <= k_max
    possible = add_unseen_changes(units, loss_size, gain_size).columns(known)
    reach = sup_t_quantile(possible, level, replicates, seed)
    band = difference_interval(
        units, loss_size, gain_size, max(reach, z_quantile(level, units.number))
    )
    delta = units.mean()
    crossings = crossover(
        grid[known], np.vstack([delta[known], possible.resampled(replicates, seed)])
    )
    at = np.searchsorted(grid, ks)
    return Comparison(
        k=np.asarray(ks),
        delta=delta[at],
        low=low[at],
        high=high[at],
        band_low=band[0][at],
        band_high=band[1][at],
        crossover=(
            float(crossings[0]),
            *infinite_percentiles(crossings[1:], tail(level, units.number)),
        ),
        problems=round(float(units.times @ units.sizes)),
    )


def contrast(
    tuned: Sequence[Counts],
    base: Sequence[Counts],
    ks: KValues,
    clusters: npt.ArrayLike | None = None,
    level: float = LEVEL,
) -> tuple[Floats, Floats, Floats]:
    """Compare the mean of several seeds with a base, or with the seeds of another method.

    Args:
        tuned: (n, c) of each seed of one method, each of shape (P,).
        base: the same of the other method; one entry for a base that is not trained.
        ks: values of k, shape (K,).
        clusters: names of clusters of problems that are resampled together, shape (P,).
        level: confidence level.

    Returns:
        (delta, interval over problems of shape (2, K), interval over problems and seeds of shape
        (2, K)). The first is about these checkpoints, the second about the method: trained with
        other seeds, on other problems.
    """
    units = mean_units(tuned, base, ks, clusters)
    sizes = unseen_size(base, ks), unseen_size(tuned, ks)
    delta = units.mean()
    over_problems = difference_interval(units, *sizes, z_quantile(level, units.number))
    sides = _seed_means(tuned, base, ks)
    return delta, over_problems, add_seed_spread(delta, over_problems, sides, level)


def method_band(
    tuned: Sequence[Counts],
    base: Sequence[Counts],
    ks: KValues,
    clusters: npt.ArrayLike | None = None,
    level: float = LEVEL,
    replicates: int = REPLICATES,
    seed: int = SEED,
) -> Floats:
    """Return the band over problems and seeds that holds at all k at once, shape (2, K).

    Arguments as for `contrast` and `compare`. The margin over problems is that of the sup-t band.
    The margin over seeds is Student's at half the error: seeds are too few to estimate how their
    effects at several k hang together, and a curve has two ends that can move apart (Bonferroni).
    """
    units = mean_units(tuned, base, ks, clusters)
    sizes = unseen_size(base, ks), unseen_size(tuned, ks)
    reach = sup_t_quantile(add_unseen_changes(units, *sizes), level, replicates, seed)
    reach = max(reach, z_quantile(level, units.number))
    over_problems = difference_interval(units, *sizes, reach)
    ends = min(2, len(ks))
    return add_seed_spread(
        units.mean(), over_problems, _seed_means(tuned, base, ks), 1 - (1 - level) / ends
    )


def _seed_means(tuned: Sequence[Counts], base: Sequence[Counts], ks: KValues) -> list[Floats]:
    """Return the mean pass@k of each seed of either side, each of shape (S, K)."""
    return [np.stack([mean_pass_at_k(n, c, ks) for n, c in models]) for models in (tuned, base)]


def add_seed_spread(
    value: Floats, over_problems: Floats, sides: Sequence[Floats], level: float = LEVEL
) -> Floats:
    """Return the interval over problems and seeds of a mean over seeds, shape (2, K).

    Args:
        value: the mean, shape (K,).
        over_problems: its interval over problems, shape (2, K).
        sides: the value of each seed of a method, shape (S, K); of both where two are compared.
        level: confidence level.

    Margins over problems and over seeds are combined by square-and-add; nan where no side has a
    second seed, since one checkpoint says nothing of a method.
    """
    margin = seed_margin(sides, level)
    below = np.hypot(value - over_problems[0], margin)
    above = np.hypot(over_problems[1] - value, margin)
    ends: Floats = np.clip(np.stack([value - below, value + above]), -1.0, 1.0)
    return ends


def seed_margin(sides: Sequence[Floats], level: float = LEVEL) -> Floats:
    """Return the margin that the draw of seeds alone gives a difference of means, shape (K,).

    Args:
        sides: mean pass@k of each seed of a method, (S, K); a side with one row has no part in it.
        level: confidence level.

    t * sqrt(sum of the variances of means over seeds), with the degrees of freedom of Welch and
    Satterthwaite.
    """
    trained = [side for side in sides if len(side) > 1]
    if not trained:
        return np.full(sides[0].shape[1], np.nan)
    parts = np.stack([side.var(axis=0, ddof=1) / len(side) for side in trained])
    freedom = np.array([[len(side) - 1] for side in trained])
    total, squares = parts.sum(axis=0), (parts**2 / freedom).sum(axis=0)
    df = np.where(squares > 0, total**2 / np.where(squares > 0, squares, 1.0), freedom.min())
    t = np.array([t_quantile(0.5 + level / 2, max(1, int(value + 1e-9))) for value in df])
    margin: Floats = t * np.sqrt(total)
    return margin


Verdict = Literal["gain", "undecided", "loss"]


def regions(ks: KValues, low: Floats, high: Floats) -> list[tuple[Verdict, int, int]]:
    """Return runs of k at which a band supports a gain, a loss or neither: (verdict, first, last).

    >>> regions([1, 2, 3], np.array([0.1, -0.1, -0.3]), np.array([0.3, 0.1, -0.1]))
    [('gain', 1, 1), ('undecided', 2, 2), ('loss', 3, 3)]
    """
    found: list[tuple[Verdict, int, int]] = []
    for k, below, above in zip(ks, low, high, strict=True):
        verdict: Verdict = "gain" if below > 0 else "loss" if above < 0 else "undecided"
        if found and found[-1][0] == verdict:
            found[-1] = (verdict, found[-1][1], int(k))
        else:
            found.append((verdict, int(k), int(k)))
    return found


def first_loss(ks: KValues, low: Floats, high: Floats) -> tuple[float, float]:
    """Return the confidence set of the first k with a loss: (earliest, latest); inf for none.

    It starts at the first k where the band allows a loss, and ends at the first where it shows one.

    >>> first_loss([1, 2, 3], np.array([0.1, -0.1, -0.3]), np.array([0.3, 0.1, -0.1]))
    (2.0, 3.0)
    """
    k = np.append(np.asarray(ks, dtype=np.float64), np.inf)
    allowed, shown = np.append(low < 0, True), np.append(high < 0, True)
    return float(k[allowed.argmax()]), float(k[shown.argmax()])
