"""Intervals over problems: whole problems (or clusters of them) are drawn again, never responses.

Resampling responses within a problem covers 2 % where 95 % is claimed at k = n, since a problem
that was never solved can then never be solved. Problems that share all their counts are drawn
together through a multinomial, so that thousands of replicates are one matrix product.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from passk.estimate.curves import (
    LEVEL,
    Floats,
    Ints,
    IntsLike,
    Tries,
    mean_pass_at_k,
    noise_interval,
    pass_at_k,
    tries,
)

REPLICATES = 10_000
SEED = 20260101
UNSEEN = 1 / 3
"""Weight, in problems, of a loss and of a gain that no problem of the study happened to show."""

TIE = 1e-9
"""Differences of rates up to this size are rounding, not a lead."""

BLOCK = 512
"""Numbers of tries handled at a time: bounds memory at REPLICATES x BLOCK floats."""


@dataclass(frozen=True, slots=True)
class Curve:
    """The mean pass@k of one model; every array has shape (K,).

    Attributes:
        k: numbers of tries.
        value: mean over problems, nan above the smallest n.
        low: lower end of the interval over problems (what if other problems had been asked).
        high: its upper end.
        noise_low: lower end of the sampling-noise interval (the same problems sampled again).
        noise_high: its upper end; nan where k > n/2.
        problems: number of problems.
    """

    k: Ints
    value: Floats
    low: Floats
    high: Floats
    noise_low: Floats
    noise_high: Floats
    problems: int


@dataclass(frozen=True, slots=True)
class Units:
    """What is drawn with replacement: U kinds of problems, or U clusters.

    Attributes:
        sums: sum of the values of a unit's problems, shape (U, K).
        sizes: problems per unit, shape (U,).
        times: how often the unit occurs, shape (U,); a fraction for what was never seen.
    """

    sums: Floats
    sizes: Floats
    times: Floats

    def weights(self, replicates: int, seed: int) -> Ints:
        """Return how often each unit was drawn in each replicate, shape (B, U)."""
        total = self.times.sum()
        rng = np.random.default_rng(seed)
        return rng.multinomial(int(total), self.times / total, size=replicates)

    def means(self, weights: Ints, columns: slice = slice(None)) -> Floats:
        """Return the mean over problems of each replicate, shape (B, K)."""
        means: Floats = (weights @ self.sums[:, columns]) / (weights @ self.sizes)[:, None]
        return means

    def mean(self) -> Floats:
        """Return the mean over problems of the units as they are, shape (K,)."""
        mean: Floats = (self.times @ self.sums) / (self.times @ self.sizes)
        return mean


def cluster_units(values: Floats, clusters: npt.ArrayLike) -> Units:
    """Return one unit per cluster: its problems (rows of `values`) are drawn together."""
    names, index = np.unique(np.asarray(clusters), return_inverse=True)
    sums = np.zeros((len(names), values.shape[1]))
    np.add.at(sums, index, values)
    sizes = np.bincount(index, minlength=len(names)).astype(np.float64)
    return Units(sums, sizes, np.ones(len(names)))


def curve_units(
    n: IntsLike, c: IntsLike, ks: Tries, clusters: npt.ArrayLike | None = None
) -> Units:
    """Return the units of one model's pass@k: kinds (n, c), or the given clusters, shape (P,)."""
    correct = np.asarray(c, dtype=np.int64)
    responses = np.broadcast_to(np.asarray(n, dtype=np.int64), correct.shape)
    if clusters is not None:
        return cluster_units(pass_at_k(responses, correct, ks), clusters)
    kinds, times = np.unique(np.stack([responses, correct]), axis=1, return_counts=True)
    return Units(pass_at_k(kinds[0], kinds[1], ks), np.ones(len(times)), times.astype(np.float64))


def percentiles(means: Floats, level: float = LEVEL) -> Floats:
    """Return the two ends of the percentile interval of replicates (B, K), shape (2, K)."""
    tail = 50 * (1 - level)
    return np.percentile(means, [tail, 100 - tail], axis=0)


def problem_interval(
    units: Units, level: float = LEVEL, replicates: int = REPLICATES, seed: int = SEED
) -> Floats:
    """Return the percentile interval over problems for every k at once, shape (2, K).

    Where every problem has the same value 0 or 1 a bootstrap sees no spread; the exact binomial
    bound for that many problems (Clopper and Pearson 1934) is given there instead.
    """
    weights = units.weights(replicates, seed)
    ends = np.empty((2, units.sums.shape[1]))
    for block in _blocks(units.sums.shape[1]):
        ends[:, block] = percentiles(units.means(weights, block), level)
    bound = ((1 - level) / 2) ** (1 / units.times.sum())
    ends[0, ends[0] >= 1.0] = bound
    ends[1, ends[1] <= 0.0] = 1.0 - bound
    return ends


def mean_interval(
    values: Floats,
    *,
    clusters: npt.ArrayLike | None = None,
    level: float = LEVEL,
    replicates: int = REPLICATES,
    seed: int = SEED,
) -> tuple[Floats, Floats, Floats]:
    """Return mean over problems and its percentile interval for any per-problem values.

    Args:
        values: shape (P, K), whatever they measure.
        clusters: names of clusters of problems that are drawn together, shape (P,).
        level: probability with which an interval is meant to hold.
        replicates: bootstrap replicates.
        seed: seed of the bootstrap.

    Returns:
        (mean, low, high), each of shape (K,); nan where any problem's value is.
    """
    units = cluster_units(values, np.arange(len(values)) if clusters is None else clusters)
    low, high = percentiles(units.means(units.weights(replicates, seed)), level)
    return values.mean(axis=0), low, high


def estimate_curve(
    n: IntsLike,
    c: IntsLike,
    ks: Tries,
    *,
    clusters: npt.ArrayLike | None = None,
    level: float = LEVEL,
    replicates: int = REPLICATES,
    seed: int = SEED,
) -> Curve:
    """Return one model's pass@k curve with both intervals, each named as what it is.

    Args:
        n: responses per problem, shape (P,) or one number.
        c: correct ones, shape (P,).
        ks: numbers of tries, shape (K,).
        clusters: names of clusters of problems that are drawn together, shape (P,).
        level: probability with which an interval is meant to hold.
        replicates: bootstrap replicates.
        seed: seed of the bootstrap; the same seed gives the same interval.
    """
    low, high = problem_interval(curve_units(n, c, ks, clusters), level, replicates, seed)
    noise_low, noise_high = noise_interval(n, c, ks, level)
    value = mean_pass_at_k(n, c, ks)
    return Curve(np.asarray(ks), value, low, high, noise_low, noise_high, int(np.size(c)))


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


def crossover(ks: Tries, deltas: Floats) -> Floats:
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
    tuned: tuple[IntsLike, IntsLike],
    base: tuple[IntsLike, IntsLike],
    ks: Tries,
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
        The delta curve with pointwise percentile intervals and a simultaneous band
        (studentised maximum over every k up to n), and the crossover with its interval. All of
        them allow for losses and gains that no problem happened to show (`with_unseen`).
    """
    most = int(min(np.min(tuned[0]), np.min(base[0])))
    grid = np.union1d(tries(most), np.asarray(ks))
    units = paired_units(tuned, base, grid, clusters)
    delta = units.mean()
    possible = with_unseen(units, tuned, base, grid)
    means = possible.means(possible.weights(replicates, seed))
    low, high = percentiles(means, level)
    reach = band_reach(means, delta, level)
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
        crossover=(float(crossings[0]), *_order_statistics(crossings[1:], level)),
        problems=round(float(units.times @ units.sizes)),
    )


def paired_units(
    tuned: tuple[IntsLike, IntsLike],
    base: tuple[IntsLike, IntsLike],
    ks: Tries,
    clusters: npt.ArrayLike | None = None,
) -> Units:
    """Return the units of the difference of two models: kinds (n, c, n', c'), or clusters."""
    four = np.stack(np.broadcast_arrays(*(np.asarray(x, dtype=np.int64) for x in (*tuned, *base))))
    times = np.ones(four.shape[1], dtype=np.int64)
    if clusters is None:
        four, times = np.unique(four, axis=1, return_counts=True)
    values = pass_at_k(four[0], four[1], ks) - pass_at_k(four[2], four[3], ks)
    if clusters is not None:
        return cluster_units(values, clusters)
    return Units(values, np.ones(len(times)), times.astype(np.float64))


def with_unseen(
    units: Units, tuned: tuple[IntsLike, IntsLike], base: tuple[IntsLike, IntsLike], ks: Tries
) -> Units:
    """Return paired units with a third of a problem lost, and a third of one gained, added.

    Among 30 problems a loss that befalls one problem in 20 is not seen at all in a fifth of all
    studies, and what was not seen cannot be drawn again: the plain paired bootstrap then covers
    0.82 to 0.92 instead of 0.95 (`benchmarks/interval_coverage.py`). The lost one counts
    the root mean square of the base's pass@k, the gained one that of the tuned model. With hundreds
    of problems it makes no visible difference. In the manner of Jeffreys' prior for proportions.
    """
    lost, gained = (np.sqrt((pass_at_k(n, c, ks) ** 2).mean(axis=0)) for n, c in (base, tuned))
    size = units.times @ units.sizes / units.times.sum()
    return Units(
        np.vstack([units.sums, -size * lost, size * gained]),
        np.append(units.sizes, [size, size]),
        np.append(units.times, [UNSEEN, UNSEEN]),
    )


def band_reach(means: Floats, centre: Floats, level: float = LEVEL) -> Floats:
    """Return how far the simultaneous band reaches to either side of `centre`, shape (K,).

    The critical value is the `level` quantile of max_k |mean*_k - centre_k| / sd_k.
    """
    deviation = means.std(axis=0)
    spread = np.where(deviation > 0, deviation, np.inf)
    largest = np.nanmax(np.abs(means - centre) / spread, axis=1)
    reach: Floats = np.quantile(largest, level) * deviation
    return reach


def _order_statistics(values: Floats, level: float) -> tuple[float, float]:
    """Return the ends of a percentile interval that may be infinite, without interpolation."""
    tail = (1 - level) / 2
    ordered = np.sort(values)
    last = len(ordered) - 1
    return float(ordered[int(tail * last)]), float(ordered[int(np.ceil((1 - tail) * last))])


def _blocks(size: int) -> Iterator[slice]:
    """Yield slices that cover `size` columns, BLOCK at a time."""
    for start in range(0, size, BLOCK):
        yield slice(start, start + BLOCK)
