"""One model's curve, and any mean over problems, with intervals over problems."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from passk.stats.arrays import Floats, Ints, IntsLike, KValues
from passk.stats.bayes import beta_binomial_interval
from passk.stats.curves import LEVEL, mean_pass_at_k, noise_interval
from passk.stats.intervals import (
    REPLICATES,
    SEED,
    Method,
    expanded_z,
    percentiles,
    problem_interval,
    t_quantile,
    z_quantile,
)
from passk.stats.resampling import curve_units, value_units
from passk.stats.score_intervals import difference_interval, rate_interval


@dataclass(frozen=True, slots=True)
class Curve:
    """The mean pass@k of one model; every array has shape (K,).

    Attributes:
        k: values of k.
        value: mean over problems, nan above the smallest n.
        low: lower end of the interval over problems (the same study with other problems).
        high: its upper end.
        noise_low: lower end of the sampling-noise interval (the same problems sampled again).
        noise_high: its upper end; nan where k > n/2.
        problems: number of problems.
        units: number of problems, or of clusters, that the interval over problems draws.
    """

    k: Ints
    value: Floats
    low: Floats
    high: Floats
    noise_low: Floats
    noise_high: Floats
    problems: int
    units: int


def curve_interval(
    n: IntsLike,
    c: IntsLike,
    ks: KValues,
    clusters: npt.ArrayLike | None = None,
    *,
    level: float = LEVEL,
    replicates: int = REPLICATES,
    seed: int = SEED,
    method: Method = "percentile",
) -> Floats:
    """Return the interval over problems of one model's pass@k, shape (2, K).

    Arguments as for `estimate_curve`. `bayes` knows nothing of clusters: with clusters the
    percentile interval takes its place.
    """
    if method == "bayes" and clusters is None:
        return np.stack(beta_binomial_interval(n, c, ks, level)[1:])
    return problem_interval(curve_units(n, c, ks, clusters), level, replicates, seed, method)


def estimate_curve(
    n: IntsLike,
    c: IntsLike,
    ks: KValues,
    *,
    clusters: npt.ArrayLike | None = None,
    level: float = LEVEL,
    replicates: int = REPLICATES,
    seed: int = SEED,
    method: Method = "percentile",
) -> Curve:
    """Return one model's pass@k curve with both intervals, each under its own name.

    Args:
        n: responses per problem, shape (P,) or one number.
        c: correct ones, shape (P,).
        ks: values of k, shape (K,).
        clusters: names of clusters of problems that are resampled together, shape (P,).
        level: confidence level.
        replicates: bootstrap replicates.
        seed: seed of the bootstrap; the same seed gives the same interval.
        method: how the interval over problems is computed from its replicates.
    """
    units = curve_units(n, c, ks, clusters)
    low, high = curve_interval(
        n, c, ks, clusters, level=level, replicates=replicates, seed=seed, method=method
    )
    noise_low, noise_high = noise_interval(n, c, ks, level)
    value = mean_pass_at_k(n, c, ks)
    size = int(np.size(c))
    return Curve(np.asarray(ks), value, low, high, noise_low, noise_high, size, units.number)


def mean_interval(
    values: Floats,
    *,
    clusters: npt.ArrayLike | None = None,
    level: float = LEVEL,
    replicates: int = REPLICATES,
    seed: int = SEED,
) -> tuple[Floats, Floats, Floats]:
    """Return the mean over problems of any per-problem values in [-1, 1], and its interval.

    The union of the percentile interval and the score interval, as for curves.

    Args:
        values: shape (P, K), whatever they measure.
        clusters: names of clusters of problems that are resampled together, shape (P,).
        level: confidence level.
        replicates: bootstrap replicates.
        seed: seed of the bootstrap.

    Returns:
        (mean, low, high), each of shape (K,); nan where any problem's value is.
    """
    units = value_units(values, clusters)
    means = units.resampled(replicates, seed)
    low, high = percentiles(means, level, units.number)
    if np.nanmin(values, initial=0.0) < 0:
        whole = np.ones(values.shape[1])
        score = difference_interval(units, whole, whole, z_quantile(level, units.number))
    else:
        score = rate_interval(units, expanded_z(level, units.number))
    return values.mean(axis=0), np.minimum(low, score[0]), np.maximum(high, score[1])


def unbounded_mean(
    values: Floats,
    clusters: npt.ArrayLike | None = None,
    level: float = LEVEL,
    replicates: int = REPLICATES,
    seed: int = SEED,
) -> tuple[Floats, Floats, Floats]:
    """Return the mean over problems of values that may be of any size, and its interval.

    The expanded percentile interval; with one problem it has no end.

    Args:
        values: shape (P, K).
        clusters: names of clusters of problems that are resampled together, shape (P,).
        level: confidence level.
        replicates: bootstrap replicates.
        seed: seed of the bootstrap.
    """
    units = value_units(values, clusters)
    if units.number == 1:
        endless = np.full(values.shape[1], np.inf)
        return values.mean(axis=0), -endless, endless
    low, high = percentiles(units.resampled(replicates, seed), level, units.number)
    return values.mean(axis=0), low, high


def student_interval(
    values: Floats, clusters: npt.ArrayLike | None = None, level: float = LEVEL
) -> tuple[Floats, Floats, Floats]:
    """Return the mean over problems of values of any size, with Student's interval, (K,) each.

    Args:
        values: shape (P, K).
        clusters: names of clusters of problems that are drawn together, shape (P,).
        level: confidence level.

    With clusters the standard error is that of a ratio of sums over clusters. One problem has no
    interval: its ends are infinite.
    """
    units = value_units(values, clusters)
    mean, number = units.mean(), units.number
    if number == 1:
        return mean, np.full_like(mean, -np.inf), np.full_like(mean, np.inf)
    apart = units.sums - np.outer(units.sizes, mean)
    error = np.sqrt((apart**2).sum(axis=0) * number / (number - 1)) / units.sizes.sum()
    margin = t_quantile(0.5 + level / 2, number - 1) * error
    return mean, mean - margin, mean + margin
