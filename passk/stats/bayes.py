"""Bayesian intervals of pass@k, and the chances of ranks among many models.

Curve: problems of a kind have success rates of which a share z is 0 and the others are Beta(a, b);
given these, counts are binomial. The posterior of (mean of the beta, a + b, z) is found by
quadrature under a flat prior on the mean, on log(a + b) and on z; pass@k of such problems is
(1 - z) (1 - B(a, b + k) / B(a, b)).

Ranks: the Bayesian bootstrap (Rubin 1981, Annals of Statistics 9: 130) gives the problems of each
benchmark random weights, the same for all models, so that models are compared problem by problem.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from passk.stats.arrays import Floats, Ints, IntsLike, KValues
from passk.stats.curves import LEVEL
from passk.stats.intervals import SEED

POINTS = 21
"""Points per parameter of the quadrature, in each pass."""

PASSES = 4
"""Passes, each around where the one before has its mass."""

REACH = 4.5
"""Standard deviations either way that a further pass covers."""

START = np.array([[-6.0, 6.0], [math.log(0.05), math.log(2000.0)], [-7.0, 4.0]])
"""First ranges of logit mean, log(a + b) and logit z."""

DRAWS, BLOCK = 4000, 256
"""Draws of the Bayesian bootstrap, and how many are held at a time."""

_lgamma = np.frompyfunc(math.lgamma, 1, 1)


def _log_beta(a: Floats, b: Floats) -> Floats:
    """Return log B(a, b) elementwise."""
    value = _lgamma(a) + _lgamma(b) - _lgamma(a + b)
    return np.asarray(value, dtype=np.float64)


def beta_binomial_interval(
    n: IntsLike, c: IntsLike, ks: KValues, level: float = LEVEL
) -> tuple[Floats, Floats, Floats]:
    """Return the posterior mean of pass@k over problems, and its equal-tailed interval, (K,) each.

    Args:
        n: responses per problem, shape (P,) or one number.
        c: correct ones, shape (P,).
        ks: values of k, which may be above n; shape (K,).
        level: posterior probability of the interval.
    """
    correct = np.asarray(c, dtype=np.int64)
    counts = np.stack([np.broadcast_to(np.asarray(n, dtype=np.int64), correct.shape), correct])
    kinds, times = np.unique(counts, axis=1, return_counts=True)
    ranges = START
    for _ in range(PASSES):
        mean, size, zero = (np.linspace(low, high, POINTS) for low, high in ranges)
        a = np.exp(size) / (1 + np.exp(-mean[:, None]))
        b = np.exp(size) - a
        chance = _posterior(kinds, times, (a, b), zero, mean)
        sides = [chance.sum(axis=tuple({0, 1, 2} - {axis})) for axis in range(3)]
        ranges = np.array(
            [_around(*one) for one in zip((mean, size, zero), sides, START, strict=True)]
        )
    found = np.empty((3, len(ks)))
    for place, k in enumerate(ks):
        some = -np.expm1(_log_beta(a, b + k) - _log_beta(a, b))
        solved = (some[:, :, None] / (1 + np.exp(zero))).ravel()
        order = np.argsort(solved)
        mass = np.cumsum(chance.ravel()[order])
        ends = np.interp([(1 - level) / 2, (1 + level) / 2], mass, solved[order])
        found[:, place] = chance.ravel() @ solved, *ends
    return found[0], found[1], found[2]


def _posterior(
    kinds: Ints, times: Ints, shape: tuple[Floats, Floats], zero: Floats, mean: Floats
) -> Floats:
    """Return the posterior chances of the points of a grid, shape (M, S, Z).

    Args:
        kinds: the different (n, c), shape (2, U).
        times: how often each occurs, shape (U,).
        shape: a and b of the beta distribution, shape (M, S) each.
        zero: logit z, shape (Z,).
        mean: logit mean, shape (M,).
    """
    a, b = shape
    never = 1 / (1 + np.exp(-zero))
    base = _log_beta(a, b)
    logs = np.log(never * (1 - never)) + _log_flat(mean)[:, None, None] + 0 * base[:, :, None]
    for (n, c), number in zip(kinds.T, times, strict=True):
        likely = _log_beta(a + c, b + (n - c)) - base
        some = np.log1p(-never) + likely[:, :, None]
        logs += number * (some if c else np.logaddexp(np.log(never), some))
    chance = np.exp(logs - logs.max())
    posterior: Floats = chance / chance.sum()
    return posterior


def _log_flat(logit: Floats) -> Floats:
    """Return the log density of a logit whose share is uniform."""
    density: Floats = -np.logaddexp(0, -logit) - np.logaddexp(0, logit)
    return density


def _around(values: Floats, chance: Floats, limits: Floats) -> tuple[float, float]:
    """Return the range around a parameter's mass, within limits and never narrower than a step."""
    center = float(chance @ values)
    step = float(values[1] - values[0])
    spread = max(math.sqrt(float(chance @ (values - center) ** 2)), step / 2)
    low, high = center - REACH * spread, center + REACH * spread
    return max(low, float(limits[0])), min(high, float(limits[1]))


def rank_chances(
    values: Sequence[Floats], draws: int = DRAWS, seed: int = SEED
) -> tuple[Floats, Floats]:
    """Return the chance of each rank for each model, shape (M, M), and the mean values, (M,).

    Args:
        values: per benchmark each model's value of each problem, shape (P, M); problems are the
            same for all models.
        draws: draws of the Bayesian bootstrap.
        seed: their seed.

    A model's value is the mean over benchmarks, each counting alike; models that tie share their
    ranks. Rank 1 is the highest value.
    """
    rng = np.random.default_rng(seed)
    models = values[0].shape[1]
    chances, done = np.zeros((models, models)), 0
    while done < draws:
        size = min(BLOCK, draws - done)
        means = np.zeros((size, models))
        for table in values:
            weights = rng.standard_exponential((size, len(table)))
            means += weights @ table / weights.sum(axis=1, keepdims=True) / len(values)
        chances += _rank_shares(means.round(12))
        done += size
    return chances / draws, np.mean([table.mean(axis=0) for table in values], axis=0)


def _rank_shares(means: Floats) -> Floats:
    """Return how often each model has each rank in draws (B, M), ties sharing ranks; (M, M)."""
    models = means.shape[1]
    above = (means[:, None, :] > means[:, :, None]).sum(axis=2)
    ties = (means[:, None, :] == means[:, :, None]).sum(axis=2)
    shares = np.zeros((models, models))
    for rank in range(models):
        has = (above <= rank) & (rank < above + ties)
        shares[:, rank] = (has / ties).sum(axis=0)
    return shares
