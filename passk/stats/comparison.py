"""A tuned model against its base over the same problems: delta curve, band and crossover."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from passk.stats.curves import LEVEL, Floats, Ints, KValues, k_grid
from passk.stats.intervals import (
    REPLICATES,
    SEED,
    band_margin,
    infinite_percentiles,
    percentiles,
    tail,
)
from passk.stats.resampling import Counts, add_unseen_changes, paired_units

TIE = 1e-9
"""Differences of rates up to this size are rounding, not a lead."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """How a tuned model differs from its base over the same problems; arrays have shape (K,).

    Attributes:
        k: numbers of tries.
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
        ks: numbers of tries that the result is wanted at, shape (K,).
        clusters: names of clusters of problems that are drawn together, shape (P,).
        level: probability with which an interval is meant to hold.
        replicates: bootstrap replicates.
        seed: seed of the bootstrap.

    Returns:
        The delta curve with pointwise intervals (expanded percentile), a simultaneous band
        (studentised maximum over every k up to n), and the crossover with its interval. All of
        them allow for losses and gains that no problem happened to show (`add_unseen_changes`).
    """
    most = int(min(np.min(tuned[0]), np.min(base[0])))
    grid = np.union1d(k_grid(most), np.asarray(ks))
    units = paired_units(tuned, base, grid, clusters)
    delta = units.mean()
    possible = add_unseen_changes(units, tuned, base, grid)
    means, errors = possible.resampled_with_errors(replicates, seed)
    low, high = percentiles(means, level, units.number)
    reach = band_margin(possible, means, errors, level)
    known = grid <= most
    crossings = crossover(grid[known], np.vstack([delta, means])[:, known])
    at = np.searchsorted(grid, ks)
    return Comparison(
        k=np.asarray(ks),
        delta=delta[at],
        low=low[at],
        high=high[at],
        band_low=np.maximum(delta - reach, -1)[at],
        band_high=np.minimum(delta + reach, 1)[at],
        crossover=(
            float(crossings[0]),
            *infinite_percentiles(crossings[1:], tail(level, units.number)),
        ),
        problems=round(float(units.times @ units.sizes)),
    )
