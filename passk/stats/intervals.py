"""From bootstrap replicates to intervals that hold with few problems, too.

A plain percentile interval is too narrow by about the factor sqrt(m/(m-1)) t/z for m problems:
0.94 of what it should be at 30. Its tails are therefore moved outward by that much (Hesterberg
2015, "What teachers should know about the bootstrap", section 4.2: the expanded percentile
interval); with 500 problems nothing changes. BCa (Efron 1987) moves the tails by bias and skewness
besides.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import pi, sqrt, tan
from statistics import NormalDist
from typing import Literal

import numpy as np

from passk.stats.arrays import Floats
from passk.stats.curves import LEVEL
from passk.stats.resampling import ResamplingUnits
from passk.stats.score_intervals import rate_interval

Method = Literal["percentile", "bca", "bayes"]
"""How an interval over problems is computed from its replicates."""

METHODS: tuple[Method, ...] = ("percentile", "bca", "bayes")

REPLICATES = 10_000
SEED = 20260101

MIN_PROBLEMS = 20
"""Below this number of problems (or clusters) intervals over problems carry a flag."""

BLOCK = 512
"""Numbers of tries handled at a time: bounds memory at REPLICATES x BLOCK floats."""

NORMAL = NormalDist()


def t_quantile(p: float, freedom: int) -> float:
    """Return the quantile of Student's t: exact for 1 and 2 degrees of freedom, else a series.

    The series is Abramowitz and Stegun 26.7.5; its error is below 0.005 for p = 0.975.
    """
    if freedom == 1:
        return tan(pi * (p - 0.5))
    if freedom == 2:  # noqa: PLR2004 - the other closed form
        centred = 2 * p - 1
        return centred * sqrt(2 / (1 - centred**2))
    z = NORMAL.inv_cdf(p)
    terms = (
        z,
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
        (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92160,
    )
    return float(sum(term / freedom**power for power, term in enumerate(terms)))


def expanded_z(level: float, number: int) -> float:
    """Return how many standard errors an interval over `number` problems reaches either way."""
    if number < 2:  # noqa: PLR2004 - one problem says nothing of others
        return np.inf
    return sqrt(number / (number - 1)) * t_quantile(0.5 + level / 2, number - 1)


def z_quantile(level: float, number: int) -> float:
    """Return how many standard errors a score interval over `number` problems reaches either way.

    A score interval needs no expansion, but one problem says nothing of others.
    """
    return NORMAL.inv_cdf(0.5 + level / 2) if number > 1 else np.inf


def tail(level: float, number: int) -> float:
    """Return the share of replicates that an expanded percentile interval leaves out per side."""
    return NORMAL.cdf(-expanded_z(level, number))


def percentiles(means: Floats, level: float, number: int) -> Floats:
    """Return the ends of the expanded percentile interval of replicates (B, K), shape (2, K)."""
    out = tail(level, number)
    return np.quantile(means, [out, 1 - out], axis=0)


def bca(means: Floats, units: ResamplingUnits, columns: slice, level: float) -> Floats:
    """Return the bias-corrected and accelerated interval of replicates (B, K), shape (2, K).

    Efron 1987, eq. 2.3, with the acceleration of the jackknife over units; tails are expanded as
    for `percentiles`.
    """
    value = units.mean()[columns]
    known = ~np.isnan(value)
    below = (means < value).mean(axis=0) + (means == value).mean(axis=0) / 2
    edge = 0.5 / len(means)
    bias = np.array([NORMAL.inv_cdf(share) for share in np.clip(below, edge, 1 - edge)])
    pull = units.sums[:, columns] - np.outer(units.sizes, value)
    square, cube = units.times @ pull**2, units.times @ pull**3
    spread = known & (square > np.finfo(float).eps)
    skew = np.where(spread, cube / np.where(spread, 6 * square**1.5, 1.0), 0.0)
    ordered = np.sort(means, axis=0)
    reach = expanded_z(level, units.number)
    ends = []
    for side in (-reach, reach):
        room = np.maximum(1 - skew * (bias + side), np.finfo(float).eps)
        shares = np.array([NORMAL.cdf(z) for z in bias + (bias + side) / room])
        places = np.rint(shares * (len(means) - 1)).astype(np.int64)
        end = np.take_along_axis(ordered, places[None], axis=0)[0]
        ends.append(np.where(known, end, np.nan))
    return np.stack(ends)


def problem_interval(
    units: ResamplingUnits,
    level: float = LEVEL,
    replicates: int = REPLICATES,
    seed: int = SEED,
    method: Method = "percentile",
) -> Floats:
    """Return the interval over problems of rates in [0, 1], for every k at once, shape (2, K).

    The union of a bootstrap's interval and of the score interval, which knows that events are few
    (`passk.stats.score_intervals`).
    """
    ends = np.empty((2, units.sums.shape[1]))
    for block in _blocks(units.sums.shape[1]):
        means = units.resampled(replicates, seed, block)
        if method == "bca" and units.number > 1:
            ends[:, block] = bca(means, units, block, level)
        else:
            ends[:, block] = percentiles(means, level, units.number)
    score = rate_interval(units, expanded_z(level, units.number))
    union = np.stack([np.minimum(ends[0], score[0]), np.maximum(ends[1], score[1])])
    rates: Floats = np.clip(union, 0.0, 1.0)
    return rates


def sup_t_quantile(
    units: ResamplingUnits,
    level: float = LEVEL,
    replicates: int = REPLICATES,
    seed: int = SEED,
) -> float:
    """Return how many standard errors a simultaneous band over all columns reaches either way.

    The `level` quantile of max_k |z_k|, z being normal with the correlations that the units show
    between columns (sup-t: Montiel Olea and Plagborg-Moller 2019, Journal of Applied Econometrics
    34: 1). Never less than an interval at one column reaches.
    """
    value = units.mean()
    rows = np.sqrt(units.times)[:, None] * (units.sums - np.outer(units.sizes, value))
    errors = np.sqrt((rows**2).sum(axis=0))
    rows = rows[:, errors > 0] / errors[errors > 0]
    single = NORMAL.inv_cdf(0.5 + level / 2)
    if not rows.size:
        return single
    rng = np.random.default_rng(seed)
    largest = [
        np.abs(rng.standard_normal((size, len(rows))) @ rows).max(axis=1)
        for size in _parts(replicates, BLOCK)
    ]
    return max(single, float(np.quantile(np.concatenate(largest), level)))


def infinite_percentiles(values: Floats, out: float) -> tuple[float, float]:
    """Return the ends of a percentile interval that may be infinite, without interpolation."""
    ordered = np.sort(values)
    last = len(ordered) - 1
    return float(ordered[int(out * last)]), float(ordered[int(np.ceil((1 - out) * last))])


def _blocks(size: int) -> Iterator[slice]:
    """Yield slices that cover `size` columns, BLOCK at a time."""
    for start in range(0, size, BLOCK):
        yield slice(start, start + BLOCK)


def _parts(total: int, size: int) -> Iterator[int]:
    """Yield sizes of at most `size` that sum to `total`."""
    yield from (min(size, total - start) for start in range(0, total, size))
