"""pass@k beyond n: what every mixture of success rates allows that the counts allow.

Problems have success rates p of an unknown distribution, of which nothing is assumed. It decides
pass@k = E 1 - (1 - p)^k at every k. Its pass@k at k = n, n/2, n/4, ..., 1 and the rises between
them lie in simultaneous intervals from the counts; the smallest and the largest pass@k beyond n of
any distribution on a grid of rates that obeys them are two linear programs (the F-localization of
Ignatiadis and Wager 2022, JASA 117: 1149). Where the intervals hold, these bounds do. The value is
that of the likeliest mixture of binomials (Kiefer and Wolfowitz 1956; for pass@k: Kazdan et al.
2025, arXiv 2510.05197, with a beta distribution), by expectation maximisation.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from passk.stats.arrays import Floats, Ints, KValues
from passk.stats.curves import LEVEL
from passk.stats.intervals import SEED, expanded_z, sup_t_quantile, z_quantile
from passk.stats.resampling import (
    Counts,
    ResamplingUnits,
    add_unseen_changes,
    curve_units,
    paired_units,
    unseen_size,
)
from passk.stats.score_intervals import difference_interval, rate_interval

RATES = np.concatenate([[0.0], np.geomspace(1e-5, 1.0, 100)])
"""Success rates that a mixture may have; twice as many change no bound by more than 0.0002."""

SUP_T_DRAWS = 2000
"""Normal draws that find the simultaneous level."""

STEPS = 300
"""Steps of expectation maximisation."""

MAX_EXTRAPOLATION = 4
"""Multiple of n up to which pass@k is extrapolated."""


@dataclass(frozen=True, slots=True)
class Extrapolation:
    """pass@k beyond n, or a difference of two; arrays have shape (K,).

    Attributes:
        k: values of k.
        value: pass@k of the likeliest mixture.
        low: smallest value that the counts allow; nan where no mixture obeys them.
        high: largest such value.
    """

    k: Ints
    value: Floats
    low: Floats
    high: Floats

    @property
    def fits(self) -> bool:
        """Whether any mixture of success rates obeys the counts."""
        return not np.isnan(self.low).any()


@dataclass(frozen=True, slots=True)
class Bounds:
    """Linear bounds on weights of `RATES`: low <= rows @ weights <= high.

    Attributes:
        rows: shape (F, W).
        low: shape (F,).
        high: shape (F,).
    """

    rows: Floats
    low: Floats
    high: Floats


def extrapolate(
    counts: Counts,
    ks: KValues,
    *,
    clusters: npt.ArrayLike | None = None,
    level: float = LEVEL,
    replicates: int = SUP_T_DRAWS,
    seed: int = SEED,
) -> Extrapolation:
    """Return one model's pass@k beyond n.

    Args:
        counts: (n, c), each of shape (P,); n may be one number.
        ks: values of k, usually above n; shape (K,).
        clusters: names of clusters of problems that are resampled together, shape (P,).
        level: probability with which the interval is meant to hold.
        replicates: normal replicates of the simultaneous level.
        seed: their seed.
    """
    halvings = _halvings(counts)
    units = _with_rises(curve_units(*counts, halvings, clusters))
    reach = max(sup_t_quantile(units, level, replicates, seed), expanded_z(level, units.number))
    bounds = Bounds(_rises(_solved(halvings)).T, *rate_interval(units, reach))
    return _extremes(ks, [counts], [bounds])


def extrapolate_difference(
    tuned: Counts,
    base: Counts,
    ks: KValues,
    *,
    clusters: npt.ArrayLike | None = None,
    level: float = LEVEL,
    replicates: int = SUP_T_DRAWS,
    seed: int = SEED,
) -> Extrapolation:
    """Return the difference of two models' pass@k beyond n, over the same problems.

    Arguments as for `extrapolate`. Both curves and their paired difference are each bounded at a
    third of the error (Bonferroni).
    """
    level = 1 - (1 - level) / 3
    halvings = np.intersect1d(_halvings(tuned), _halvings(base))
    curves = _rises(_solved(halvings)).T
    nothing = np.zeros_like(curves)
    bounds = []
    for counts, place in ((tuned, [curves, nothing]), (base, [nothing, curves])):
        units = _with_rises(curve_units(*counts, halvings, clusters))
        reach = max(sup_t_quantile(units, level, replicates, seed), expanded_z(level, units.number))
        bounds.append(Bounds(np.hstack(place), *rate_interval(units, reach)))
    units = _with_rises(paired_units(tuned, base, halvings, clusters))
    loss_size, gain_size = (
        np.append(size, size[1:])
        for size in (unseen_size([base], halvings), unseen_size([tuned], halvings))
    )
    possible = add_unseen_changes(units, loss_size, gain_size)
    reach = sup_t_quantile(possible, level, replicates, seed)
    reach = max(reach, z_quantile(level, units.number))
    ends = difference_interval(units, loss_size, gain_size, reach)
    bounds.append(Bounds(np.hstack([curves, -curves]), *ends))
    return _extremes(ks, [tuned, base], bounds)


def _halvings(counts: Counts) -> Ints:
    """Return 1, ..., n/4, n/2, n of the smallest n."""
    n = int(np.min(counts[0]))
    return np.unique(n >> np.arange(n.bit_length()))


def _rises(values: Floats) -> Floats:
    """Return values (..., K) and the rises between neighbours, shape (..., 2K - 1)."""
    return np.concatenate([values, np.diff(values, axis=-1)], axis=-1)


def _with_rises(units: ResamplingUnits) -> ResamplingUnits:
    """Return units of pass@k with the rises between neighbouring k as further columns."""
    return ResamplingUnits(_rises(units.sums), units.sizes, units.times)


def _solved(ks: KValues) -> Floats:
    """Return pass@k of a problem of each of `RATES`, shape (G, K)."""
    solved: Floats = 1.0 - (1.0 - RATES[:, None]) ** np.asarray(ks)
    return solved


def _extremes(ks: KValues, models: Sequence[Counts], bounds: Sequence[Bounds]) -> Extrapolation:
    """Return the likeliest value, and the smallest and largest within bounds.

    Args:
        ks: values of k.
        models: counts of one model; or of two, of which the second is subtracted.
        bounds: on the weights of the models' mixtures, one after the other.
    """
    from scipy.optimize import linprog

    signs = (1.0, -1.0)[: len(models)]
    rows = np.concatenate([part.rows for part in bounds])
    limits = [np.concatenate([getattr(part, end) for part in bounds]) for end in ("high", "low")]
    sums = np.kron(np.eye(len(models)), np.ones(len(RATES)))
    solved = _solved(ks).T
    targets = np.hstack([sign * solved for sign in signs])
    ends = np.full((2, len(ks)), np.nan)
    for i, target in enumerate(targets):
        for end, side in enumerate((1.0, -1.0)):
            found = linprog(
                side * target,
                A_ub=np.vstack([rows, -rows]),
                b_ub=np.concatenate([limits[0], -limits[1]]),
                A_eq=sums,
                b_eq=np.ones(len(models)),
                bounds=(0.0, 1.0),
            )
            if found.success:
                ends[end, i] = side * found.fun
    value = targets @ np.concatenate([likeliest_mixture(*counts) for counts in models])
    return Extrapolation(np.asarray(ks), np.clip(value, *ends), *ends)


def likeliest_mixture(n: npt.ArrayLike, c: npt.ArrayLike) -> Floats:
    """Return weights of `RATES` under which counts are likeliest, by expectation maximisation.

    Args:
        n: responses per problem, shape (P,) or one number.
        c: correct ones, shape (P,).
    """
    correct = np.asarray(c, dtype=np.int64)
    responses = np.broadcast_to(np.asarray(n, dtype=np.int64), correct.shape)
    kinds, times = np.unique(np.stack([responses, correct]), axis=1, return_counts=True)
    wrong = (kinds[0] - kinds[1])[:, None]
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = kinds[1][:, None] * np.log(RATES) + wrong * np.log1p(-RATES)
    logs[:, 0] = np.where(kinds[1] == 0, 0.0, -np.inf)
    logs[:, -1] = np.where(wrong[:, 0] == 0, 0.0, -np.inf)
    chances = np.exp(logs - logs.max(axis=1, keepdims=True))
    weights = np.full(len(RATES), 1 / len(RATES))
    for _ in range(STEPS):
        weights *= (times / (chances @ weights)) @ chances / times.sum()
    return weights
