"""Curves by difficulty, without regression to the mean.

Problems that look hard in some responses are partly unlucky there, and look easier in others. So
strata are formed on one half of the base's responses and measured on the other half. Values are the
exact mean over all ways to split the responses (hypergeometric chances, from counts alone): nothing
depends on a random split.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from passk.stats.arrays import Floats, Ints, IntsLike, KValues
from passk.stats.curves import LEVEL, pass_at_k
from passk.stats.hypergeometric import hit_chances
from passk.stats.intervals import problem_interval, z_quantile
from passk.stats.resampling import Counts, ResamplingUnits
from passk.stats.score_intervals import (
    difference_interval,
    effective_number,
    moments,
    possible_size,
)

STRATA = ("never", "hard", "medium", "easy")
"""By the base's accuracy in one half: 0; up to 1/4; up to 3/4; above."""

EDGES = (0.0, 0.25, 0.75)

REPLICATES = 1000
"""Bootstrap replicates of the interval of either model."""


@dataclass(frozen=True, slots=True)
class Stratum:
    """One stratum; arrays have shape (K,).

    Attributes:
        problems: expected number of problems in it.
        base: (value, low, high) of the base's pass@k in the other half.
        tuned: the same of the tuned model.
        delta: the paired difference with its interval.
    """

    problems: float
    base: tuple[Floats, Floats, Floats]
    tuned: tuple[Floats, Floats, Floats]
    delta: tuple[Floats, Floats, Floats]


def stratify(
    tuned: Counts,
    base: Counts,
    ks: KValues,
    *,
    clusters: npt.ArrayLike | None = None,
    level: float = LEVEL,
) -> dict[str, Stratum]:
    """Return base and tuned model by stratum of `STRATA`; strata without a problem are left out.

    Args:
        tuned: (n, c) of the tuned model, each of shape (P,).
        base: (n, c) of the base in the same order of problems; every n is at least 2.
        ks: values of k up to half the base's n, and up to the tuned model's n, shape (K,).
        clusters: names of clusters of problems that are drawn together, shape (P,).
        level: confidence level of the intervals over problems.
    """
    weights, base_values = _split(*base, ks)
    tuned_values = pass_at_k(*tuned, ks)
    found = {}
    for place, name in enumerate(STRATA):
        weight, value = weights[:, place], base_values[:, place]
        if weight.sum() < 1e-9:  # noqa: PLR2004 - no problem
            continue
        sides = value, tuned_values, tuned_values - value
        units = [_units(side, weight, clusters) for side in sides]
        number = max(2, round(effective_number(units[0])))
        base_size, tuned_size = (possible_size(moments(one), number) for one in units[:2])
        ends = [problem_interval(one, level, REPLICATES) for one in units[:2]]
        ends.append(difference_interval(units[2], base_size, tuned_size, z_quantile(level, number)))
        first, second, third = (
            (one.mean(), low, high) for one, (low, high) in zip(units, ends, strict=True)
        )
        found[name] = Stratum(float(weight.sum()), first, second, third)
    return found


def _units(values: Floats, weight: Floats, clusters: npt.ArrayLike | None) -> ResamplingUnits:
    """Return one unit per problem or cluster that has a part in a stratum."""
    index = np.arange(len(weight))
    if clusters is not None:
        index = np.unique(np.asarray(clusters), return_inverse=True)[1]
    sizes = np.bincount(index, weight).astype(np.float64)
    sums = np.zeros((len(sizes), values.shape[1]))
    np.add.at(sums, index, weight[:, None] * values)
    kept = sizes > 1e-9  # noqa: PLR2004 - no part
    return ResamplingUnits(sums[kept], sizes[kept], np.ones(int(kept.sum())))


def _split(n: IntsLike, c: IntsLike, ks: KValues) -> tuple[Floats, Floats]:
    """Return each problem's chances of the strata, shape (P, 4), and its pass@k there, (P, 4, K).

    pass@k is that of the other half, given that the first half puts the problem into the stratum.
    """
    counts = np.stack(np.broadcast_arrays(np.asarray(n, np.int64), np.asarray(c, np.int64)))
    kinds, index = np.unique(counts, axis=1, return_inverse=True)
    weights = np.zeros((kinds.shape[1], len(STRATA)))
    values = np.zeros((kinds.shape[1], len(STRATA), len(ks)))
    for row, (total, correct) in enumerate(kinds.T):
        half = int(total) // 2
        hits = np.arange(max(0, correct - (total - half)), min(half, correct) + 1)
        chance = hit_chances(total, correct, np.array(half), hits)
        stratum = np.searchsorted(EDGES, hits / half)
        other = pass_at_k(int(total) - half, correct - hits, ks)
        np.add.at(weights[row], stratum, chance)
        np.add.at(values[row], stratum, chance[:, None] * other)
        values[row] /= np.where(weights[row] > 0, weights[row], 1.0)[:, None]
    flat: Ints = np.ravel(index)
    return weights[flat], values[flat]
