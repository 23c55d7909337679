"""Success rates of a base and a tuned model over problems: what a design is computed for.

A mixture is a list of kinds of problems, each with the base's and the tuned model's success rate,
and a weight. It is fitted to pilot counts (the likeliest mixture of pairs of binomials: Kiefer and
Wolfowitz 1956, by expectation maximisation), or assumed.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from passk.stats.arrays import Floats, Ints
from passk.stats.resampling import UNSEEN, Counts

STEPS = 200
"""Steps of expectation maximisation."""

MAX_KINDS = 500
"""Most kinds of problems of a fitted mixture: more are thinned."""

MAX_FITTED = 1500
"""Most different counts that a mixture is fitted to: of more, every second, third, ... is taken."""

LEAST_WEIGHT = 1e-6
"""Kinds with less weight are left out."""

UNSEEN_KINDS = 8
"""Kinds of lost problems, and of gained ones, that stand for what no problem of a pilot shows."""

MAX_TILT = 1e4
"""Largest tilt: beyond it only the kinds with the largest difference are left."""

TILT_STEPS, TILT_ERROR = 100, 1e-9
"""Steps that find a tilt (Newton's, halving where they leave the bracket), and its error."""


@dataclass(frozen=True, slots=True)
class RateMixture:
    """Kinds of problems; arrays have shape (A,).

    Attributes:
        base: success rate of the base.
        tuned: success rate of the tuned model.
        weights: share of problems of each kind; they sum to 1.
    """

    base: Floats
    tuned: Floats
    weights: Floats

    def changes(self, k: int) -> Floats:
        """Return each kind's pass@k minus the base's, shape (A,)."""
        change: Floats = (1 - self.base) ** k - (1 - self.tuned) ** k
        return change

    def difference(self, k: int) -> float:
        """Return the difference of pass@k over all problems."""
        return float(self.weights @ self.changes(k))


def fit_mixture(tuned: Counts, base: Counts) -> RateMixture:
    """Return the mixture under which pilot counts are likeliest.

    The kinds are the pairs of rates that problems show, and smaller rates where a model never, or
    always, solves a problem. A fifth of a lost and of a gained problem is added, as in the paired
    bootstrap: what no problem of a pilot shows can still happen.

    Args:
        tuned: (n, c) of the tuned model, each of shape (P,).
        base: (n, c) of the base, in the same order of problems.
    """
    four = np.stack(np.broadcast_arrays(*(np.asarray(x, dtype=np.int64) for x in (*tuned, *base))))
    problems = four.shape[1]
    kinds, times = np.unique(four, axis=1, return_counts=True)
    step = -(-kinds.shape[1] // MAX_FITTED)
    kinds, times = kinds[:, ::step], times[::step]  # in order of counts: evenly thinned
    support = _support(kinds)
    chances = _likelihoods(kinds[:2], support[0]) * _likelihoods(kinds[2:], support[1])
    weights = np.full(support.shape[1], 1 / support.shape[1])
    for _ in range(STEPS):
        weights *= (times / np.maximum(chances @ weights, 1e-300)) @ chances / times.sum()
    kept = weights > LEAST_WEIGHT
    fitted = RateMixture(support[1, kept], support[0, kept], weights[kept] / weights[kept].sum())
    return add_unseen_kinds(fitted, problems)


def _support(kinds: Ints) -> Floats:
    """Return the rates (tuned, base) that a mixture may have, shape (2, A)."""
    step = max(1, -(-kinds.shape[1] // MAX_KINDS))
    columns = []
    for n, c, n_base, c_base in kinds[:, ::step].T:
        columns += [(a, b) for a in _rates_near(n, c) for b in _rates_near(n_base, c_base)]
    return np.unique(np.array(columns), axis=0).T


def _rates_near(n: int, c: int) -> list[float]:
    """Return c/n; for a problem never or always solved also rates that n responses may not show."""
    if c == 0:
        return [0.0, 0.3 / n, 1.0 / n]
    return [1.0, 1 - 0.3 / n] if c == n else [c / n]


def _likelihoods(counts: Ints, rates: Floats) -> Floats:
    """Return the likelihood of each rate for each (n, c), the largest being 1, shape (U, A)."""
    n, c = counts[:, :, None]
    with np.errstate(divide="ignore", invalid="ignore"):
        solved = np.where(c > 0, c * np.log(rates), 0.0)
        failed = np.where(n > c, (n - c) * np.log1p(-rates), 0.0)
    logs = solved + failed
    chances: Floats = np.exp(logs - logs.max(axis=1, keepdims=True))
    return chances


def add_unseen_kinds(mixture: RateMixture, problems: int) -> RateMixture:
    """Return a mixture with a fifth of a lost problem and of a gained one among `problems`.

    What is lost is a problem that the base solves, and the other way round.
    """
    share = UNSEEN / (problems + 2 * UNSEEN)
    lost, gained = (
        _typical_rates(rates, mixture.weights) for rates in (mixture.base, mixture.tuned)
    )
    nothing = np.zeros(UNSEEN_KINDS)
    each = np.full(UNSEEN_KINDS, share / UNSEEN_KINDS)
    return RateMixture(
        np.concatenate([mixture.base, lost, nothing]),
        np.concatenate([mixture.tuned, nothing, gained]),
        np.concatenate([mixture.weights * (1 - 2 * share), each, each]),
    )


def _typical_rates(rates: Floats, weights: Floats) -> Floats:
    """Return evenly spaced quantiles of the rates above 0; 1 where there is none."""
    solved = rates > 0
    if not solved.any():
        return np.ones(UNSEEN_KINDS)
    order = np.argsort(rates[solved])
    shares = np.cumsum(weights[solved][order])
    places = (np.arange(UNSEEN_KINDS) + 0.5) / UNSEEN_KINDS * shares[-1]
    typical: Floats = rates[solved][order][np.searchsorted(shares, places)]
    return typical


def assume_mixture(
    shape: tuple[float, float] = (0.6, 1.4), never: float = 0.2, moved: float = 0.2
) -> RateMixture:
    """Return a mixture where there is no pilot.

    Args:
        shape: a and b of the beta distribution of success rates.
        never: share of problems that neither model solves.
        moved: share of the others whose rate under the tuned model is independent of the base's.
    """
    grid = (np.arange(16) + 0.5) / 16
    rates = _beta_quantiles(shape, grid)
    first, second = (side.ravel() for side in np.meshgrid(rates, rates))
    same, apart = (1 - never) * (1 - moved) / len(rates), (1 - never) * moved / len(first)
    mixture = RateMixture(
        np.concatenate([[0.0], rates, first]),
        np.concatenate([[0.0], rates, second]),
        np.concatenate([[never], np.full(len(rates), same), np.full(len(first), apart)]),
    )
    return add_unseen_kinds(mixture, 100)


def _beta_quantiles(shape: tuple[float, float], places: Floats) -> Floats:
    """Return quantiles of a beta distribution, from its density summed over a fine grid."""
    a, b = shape
    edges = 1 / (1 + np.exp(-np.linspace(-16, 16, 4001)))
    middle = (edges[1:] + edges[:-1]) / 2
    mass = np.cumsum(middle ** (a - 1) * (1 - middle) ** (b - 1) * np.diff(edges))
    quantiles: Floats = np.interp(places * mass[-1], mass, middle)
    return quantiles


def tilt(mixture: RateMixture, k: int, difference: float) -> RateMixture | None:
    """Return the mixture closest to this one whose pass@k differs by `difference` from the base's.

    Closest in relative entropy: weights are multiplied by exp(t * change), with the t that gives
    the difference. None where no such mixture of these kinds exists.
    """
    weights = tilt_weights(mixture.weights, mixture.changes(k), difference)
    return None if weights is None else replace(mixture, weights=weights)


def tilt_weights(weights: Floats, change: Floats, difference: float) -> Floats | None:
    """Return the weights closest to these whose mean change is `difference`; as for `tilt`."""
    if not change.min() < difference < change.max():
        return None
    tilted, slope = weights, 0.0
    low, high = -MAX_TILT, MAX_TILT
    for _ in range(TILT_STEPS):
        exponent = slope * change
        tilted = weights * np.exp(exponent - exponent.max())
        tilted /= tilted.sum()
        mean = tilted @ change
        if abs(mean - difference) < TILT_ERROR:
            break
        low, high = (slope, high) if mean < difference else (low, slope)
        spread = tilted @ change**2 - mean**2
        newton = slope + (difference - mean) / spread if spread > 0 else low
        slope = newton if low < newton < high else (low + high) / 2
    return tilted
