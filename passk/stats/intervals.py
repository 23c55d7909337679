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

from passk.stats.curves import LEVEL, Floats
from passk.stats.resampling import ResamplingUnits

Method = Literal["percentile", "bca"]
"""How an interval over problems is taken from its replicates."""

METHODS: tuple[Method, ...] = ("percentile", "bca")

REPLICATES = 10_000
SEED = 20260101

MIN_PROBLEMS = 20
"""Below this number of problems (or clusters) intervals over problems carry a flag."""

MIN_ERROR = 0.3
"""Least standard error of a replicate, as a share of the study's: among few problems, a replicate
may hold only such as do not differ, and would seem infinitely sure."""

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

    Where every problem has the same value 0 or 1 a bootstrap sees no spread; the exact binomial
    bound for that many problems (Clopper and Pearson 1934) is given there instead.
    """
    ends = np.empty((2, units.sums.shape[1]))
    for block in _blocks(units.sums.shape[1]):
        means = units.resampled(replicates, seed, block)
        if method == "bca" and units.number > 1:
            ends[:, block] = bca(means, units, block, level)
        else:
            ends[:, block] = percentiles(means, level, units.number)
    bound = ((1 - level) / 2) ** (1 / units.number)
    ends[0, ends[0] >= 1.0] = bound
    ends[1, ends[1] <= 0.0] = 1.0 - bound
    return ends


def band_margin(
    units: ResamplingUnits, means: Floats, errors: Floats, level: float = LEVEL
) -> Floats:
    """Return how far a simultaneous band reaches to either side of a curve, shape (K,).

    Args:
        units: what was drawn.
        means: of each replicate, shape (B, K).
        errors: their standard errors, shape (B, K).
        level: probability with which the band is meant to hold.

    It is the studentised bootstrap's: the `level` quantile of max_k |mean*_k - mean_k| / se*_k,
    times se_k (Davison and Hinkley 1997, section 4.2.4), each replicate with an error of its own.
    """
    value = units.mean()
    error = units.errors(units.times[None], value[None])[0]
    floor = np.where(error > 0, MIN_ERROR * error, np.inf)
    own = np.maximum(errors, floor)
    largest = np.nanmax(np.abs(means - value) / own, axis=1)
    reach: Floats = np.quantile(largest, level) * error
    return reach


def infinite_percentiles(values: Floats, out: float) -> tuple[float, float]:
    """Return the ends of a percentile interval that may be infinite, without interpolation."""
    ordered = np.sort(values)
    last = len(ordered) - 1
    return float(ordered[int(out * last)]), float(ordered[int(np.ceil((1 - out) * last))])


def _blocks(size: int) -> Iterator[slice]:
    """Yield slices that cover `size` columns, BLOCK at a time."""
    for start in range(0, size, BLOCK):
        yield slice(start, start + BLOCK)
