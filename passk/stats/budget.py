"""Success against what it costs (response tokens, say) in place of tries.

k tries cost k times what a response costs on average over problems. Curves over cost compare models
whose responses differ in length: at one budget each model has the tries that it can pay for.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from passk.stats.arrays import Floats, KValues
from passk.stats.curves import LEVEL, pass_at_k
from passk.stats.intervals import z_quantile
from passk.stats.resampling import Counts, value_units
from passk.stats.score_intervals import difference_interval


def first_k(ks: KValues, values: Floats, share: float) -> float:
    """Return the k at which a rising curve reaches a share; inf if it does not.

    Args:
        ks: values of k, rising, shape (K,).
        values: of the curve, shape (K,).
        share: of problems.

    1 where the first value does; between two k in proportion.

    >>> first_k([1, 2, 4], np.array([0.2, 0.4, 0.8]), 0.5)
    2.5
    """
    grid = np.asarray(ks, dtype=np.float64)
    place = int(np.argmax(values >= share))
    if values[place] < share:
        return np.inf
    if place == 0:
        return float(grid[0])
    rise = values[place] - values[place - 1]
    part = (share - values[place - 1]) / rise
    return float(grid[place - 1] + part * (grid[place] - grid[place - 1]))


def pass_within(counts: Counts, each: float, budgets: Floats) -> Floats:
    """Return each problem's pass@k for the tries that a budget pays for, shape (P, B).

    The whole tries that a budget has; of a fraction more, the chance in proportion. nan beyond n
    responses, and where a budget does not pay for one.
    """
    tries = budgets / each
    whole = np.floor(tries + 1e-9).astype(np.int64)
    known = (whole >= 1) & (np.ceil(tries - 1e-9) <= np.min(counts[0]))
    low = pass_at_k(*counts, np.maximum(whole, 1))
    high = pass_at_k(*counts, np.maximum(np.ceil(tries - 1e-9).astype(np.int64), 1))
    values: Floats = low + (tries - whole).clip(0, 1) * (high - low)
    return np.where(known, values, np.nan)


@dataclass(frozen=True, slots=True)
class BudgetDifference:
    """A tuned model minus its base at the same budgets; every array has shape (B,)."""

    base: Floats
    tuned: Floats
    delta: Floats
    low: Floats
    high: Floats


def compare_within(
    tuned: Counts,
    base: Counts,
    each: tuple[float, float],
    budgets: Floats,
    *,
    clusters: npt.ArrayLike | None = None,
    level: float = LEVEL,
) -> BudgetDifference:
    """Return success within budgets, and the paired difference with its score interval.

    Args:
        tuned: (n, c) of the tuned model, each of shape (P,).
        base: (n, c) of the base in the same order of problems.
        each: cost of a response of the tuned model, and of the base; taken as known.
        budgets: cost per problem, shape (B,).
        clusters: names of clusters of problems that are drawn together, shape (P,).
        level: confidence level.
    """
    first, second = pass_within(tuned, each[0], budgets), pass_within(base, each[1], budgets)
    units = value_units(first - second, clusters)
    sizes = [_size(values) for values in (second, first)]
    low, high = difference_interval(units, sizes[0], sizes[1], z_quantile(level, units.number))
    return BudgetDifference(second.mean(axis=0), first.mean(axis=0), units.mean(), low, high)


def _size(values: Floats) -> Floats:
    """Return how much a problem counts that no problem resembles, as `unseen_size`; (B,)."""
    size: Floats = ((values**2).sum(axis=0) + 1) / (values.sum(axis=0) + 1)
    return size
