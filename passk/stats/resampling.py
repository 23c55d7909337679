"""What a bootstrap draws: whole problems, or clusters of them, never responses.

Resampling responses within a problem covers 2 % where 95 % is claimed at k = n, since a problem
that was never solved can then never be solved. Problems that share all their counts are one kind,
so that thousands of replicates are one matrix product, and where kinds are few they are drawn
together through a multinomial.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from passk.stats.arrays import Floats, IntsLike, KValues
from passk.stats.curves import pass_at_k

UNSEEN = 1 / 5
"""Weight, in problems, of a loss and of a gain that no problem of the study happened to show."""

PROBLEMS_PER_KIND = 8
"""Problems per kind from which on kinds are drawn, not problems."""

HELD = 1 << 18
"""Weights held at a time (2 MB, what a processor's cache holds), however many there are."""

Counts = tuple[IntsLike, IntsLike]
"""(n, c) of one model, each of shape (P,) or one number."""


@dataclass(frozen=True, slots=True)
class ResamplingUnits:
    """What is drawn with replacement: U kinds of problems, or U clusters.

    Attributes:
        sums: sum of the values of a unit's problems, shape (U, K).
        sizes: problems per unit, shape (U,).
        times: how often the unit occurs, shape (U,); a fraction for what was never seen.
    """

    sums: Floats
    sizes: Floats
    times: Floats

    @property
    def number(self) -> int:
        """How many problems or clusters are drawn in a replicate."""
        return int(self.times.sum())

    def draws(self, replicates: int, seed: int) -> Iterator[Floats]:
        """Yield how often each unit was drawn in each replicate, in blocks of shape (b, U)."""
        rng = np.random.default_rng(seed)
        many = self.number > PROBLEMS_PER_KIND * len(self.times)
        draw = self._draw_kinds if many else self._draw_problems
        block = max(1, HELD // max(len(self.times), self.number))
        for start in range(0, replicates, block):
            yield draw(rng, min(block, replicates - start))

    def _draw_kinds(self, rng: np.random.Generator, size: int) -> Floats:
        """Draw how often each unit occurs: quick where many problems are of few kinds."""
        shares = self.times / self.times.sum()
        return rng.multinomial(self.number, shares, size=size).astype(np.float64)

    def _draw_problems(self, rng: np.random.Generator, size: int) -> Floats:
        """Draw problem by problem and count units, the fractions of times behind the whole ones."""
        whole = np.floor(self.times)
        unit = np.repeat(np.arange(len(whole)), whole.astype(np.int64))
        place = rng.random((size, self.number))
        place *= self.times.sum()
        chosen = unit.take(place.astype(np.int64), mode="clip")
        rest = np.cumsum(self.times - whole)
        if rest[-1] > 0:
            beyond = place >= len(unit)
            last = len(rest) - 1
            chosen[beyond] = np.minimum(np.searchsorted(rest, place[beyond] - len(unit)), last)
        chosen += np.arange(0, size * len(whole), len(whole))[:, None]
        counts = np.bincount(chosen.ravel(), minlength=size * len(whole))
        return counts.reshape(size, -1).astype(np.float64)

    def means(self, weights: Floats, columns: slice = slice(None)) -> Floats:
        """Return the mean over problems of each replicate, shape (b, K)."""
        means: Floats = (weights @ self.sums[:, columns]) / (weights @ self.sizes)[:, None]
        return means

    def resampled(self, replicates: int, seed: int, columns: slice = slice(None)) -> Floats:
        """Return the means of all replicates, shape (B, K)."""
        return np.concatenate([self.means(w, columns) for w in self.draws(replicates, seed)])

    def columns(self, kept: npt.NDArray[np.bool_]) -> ResamplingUnits:
        """Return the same units with some of the columns, shape (K,)."""
        return ResamplingUnits(self.sums[:, kept], self.sizes, self.times)

    def mean(self) -> Floats:
        """Return the mean over problems of the units as they are, shape (K,)."""
        mean: Floats = (self.times @ self.sums) / (self.times @ self.sizes)
        return mean


def cluster_units(values: Floats, clusters: npt.ArrayLike) -> ResamplingUnits:
    """Return one unit per cluster: its problems (rows of `values`) are drawn together."""
    names, index = np.unique(np.asarray(clusters), return_inverse=True)
    sums = np.zeros((len(names), values.shape[1]))
    np.add.at(sums, index, values)
    sizes = np.bincount(index, minlength=len(names)).astype(np.float64)
    return ResamplingUnits(sums, sizes, np.ones(len(names)))


def value_units(values: Floats, clusters: npt.ArrayLike | None = None) -> ResamplingUnits:
    """Return one unit per problem of any values (P, K), or the given clusters, shape (P,)."""
    if clusters is not None:
        return cluster_units(values, clusters)
    return ResamplingUnits(values, np.ones(len(values)), np.ones(len(values)))


def curve_units(
    n: IntsLike, c: IntsLike, ks: KValues, clusters: npt.ArrayLike | None = None
) -> ResamplingUnits:
    """Return the units of one model's pass@k: kinds (n, c), or the given clusters, shape (P,)."""
    correct = np.asarray(c, dtype=np.int64)
    responses = np.broadcast_to(np.asarray(n, dtype=np.int64), correct.shape)
    if clusters is not None:
        return cluster_units(pass_at_k(responses, correct, ks), clusters)
    kinds, times = np.unique(np.stack([responses, correct]), axis=1, return_counts=True)
    return ResamplingUnits(
        pass_at_k(kinds[0], kinds[1], ks), np.ones(len(times)), times.astype(np.float64)
    )


def paired_units(
    tuned: Counts, base: Counts, ks: KValues, clusters: npt.ArrayLike | None = None
) -> ResamplingUnits:
    """Return the units of the difference of two models: kinds (n, c, n', c'), or clusters."""
    four = np.stack(np.broadcast_arrays(*(np.asarray(x, dtype=np.int64) for x in (*tuned, *base))))
    times = np.ones(four.shape[1], dtype=np.int64)
    if clusters is None:
        four, times = np.unique(four, axis=1, return_counts=True)
    values = pass_at_k(four[0], four[1], ks) - pass_at_k(four[2], four[3], ks)
    if clusters is not None:
        return cluster_units(values, clusters)
    return ResamplingUnits(values, np.ones(len(times)), times.astype(np.float64))


def mean_units(
    tuned: Sequence[Counts], base: Sequence[Counts], ks: KValues, clusters: npt.ArrayLike | None
) -> ResamplingUnits:
    """Return the units of the mean of several models minus that of others, problem by problem.

    The models of either side are repeats of one training with other seeds.
    """
    first, second = (mean_over_models(side, ks) for side in (tuned, base))
    return value_units(first - second, clusters)


def mean_over_models(models: Sequence[Counts], ks: KValues) -> Floats:
    """Return each problem's pass@k averaged over models, shape (P, K)."""
    mean: Floats = np.mean([pass_at_k(n, c, ks) for n, c in models], axis=0)
    return mean


def unseen_size(models: Sequence[Counts], ks: KValues) -> Floats:
    """Return how much a lost or gained problem counts where none was seen, shape (K,).

    The size-weighted mean pass@k of the models that solve it, with one problem more at 1.
    """
    values = mean_over_models(models, ks)
    size: Floats = ((values**2).sum(axis=0) + 1) / (values.sum(axis=0) + 1)
    return size


def add_unseen_changes(
    units: ResamplingUnits, loss_size: Floats, gain_size: Floats
) -> ResamplingUnits:
    """Return paired units with a fifth of a lost problem, and of a gained one, added.

    What no problem of the study shows cannot be drawn again by a bootstrap.
    In the manner of Jeffreys' prior for proportions.

    Args:
        units: paired differences.
        loss_size: how much a lost problem counts, shape (K,).
        gain_size: how much a gained problem counts, shape (K,).
    """
    size = units.times @ units.sizes / units.times.sum()
    return ResamplingUnits(
        np.vstack([units.sums, -size * loss_size, size * gain_size]),
        np.append(units.sizes, [size, size]),
        np.append(units.times, [UNSEEN, UNSEEN]),
    )
