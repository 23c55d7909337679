"""Power of the paired interval, and of the band: the chance that a study shows a difference.

The test is the very one of the report: a difference at k is shown if its paired interval
(`passk.stats.score_intervals`), or the band over all k, leaves out 0. Its power is found by
simulation. Problems of a mixture are drawn once with their responses and sorted by how much they
change; a study is then one multinomial draw of how many of its problems are of each size, whatever
their number.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from passk.stats.arrays import Floats, Ints, KValues
from passk.stats.curves import LEVEL, k_grid, pass_at_k
from passk.stats.intervals import SEED, sup_t_quantile, z_quantile
from passk.stats.rate_mixtures import RateMixture, tilt_weights
from passk.stats.resampling import ResamplingUnits, add_unseen_changes
from passk.stats.score_intervals import Moments, difference_ends

POWER = 0.8
"""Power that a design is made for."""

STUDIES = 1000
"""Simulated studies: the error of a power of 0.8 is 0.013."""

PROBLEMS_DRAWN = 20_000
"""Problems of a mixture that are drawn with their responses."""

SIZES = 8
"""Sizes of losses, and of gains, that a study's problems are sorted into."""

MAX_PROBLEMS = 1_000_000
"""Beyond it nothing is looked for."""

MAX_MULTIPLE = 64
"""Multiple of k up to which more responses are looked for."""

BAND_PROBLEMS, BAND_DRAWS = 1000, 2000
"""Problems and normal draws that find how far the band reaches."""


@dataclass(frozen=True, slots=True)
class Draws:
    """Problems of a mixture with n responses by each model, D of them.

    Attributes:
        kind: index into the mixture's kinds, shape (D,).
        share: share of its kind that each stands for, shape (D,).
        base: pass@k of the base, shape (D, K).
        change: tuned pass@k minus the base's, shape (D, K).
    """

    kind: Ints
    share: Floats
    base: Floats
    change: Floats


@dataclass(frozen=True, slots=True)
class SimulatedProblems:
    """How much the problems of each kind of a mixture change at n responses.

    Changes are sorted by size: S = 1 + 2 `SIZES` of them, first those without a change, then
    losses, then gains.

    Attributes:
        mixture: what the problems are drawn from, with A kinds.
        n: responses per problem and model.
        k: values of k, shape (K,).
        changes: per k and kind the share of problems with a change of each size, the sum of their
            changes and of the squares of these, shape (K, 3, A, S).
        solved: per k, the base's pass@k of each kind, its mean and its mean square, then the same
            of the tuned model, shape (K, 4, A).
    """

    mixture: RateMixture
    n: int
    k: Ints
    changes: Floats
    solved: Floats

    def power(
        self,
        k: int,
        difference: float,
        problems: int,
        *,
        reach: float | None = None,
        studies: int = STUDIES,
        level: float = LEVEL,
    ) -> float:
        """Return the chance that a study shows a difference of pass@k, with its sign.

        Args:
            k: number of tries, one of `self.k`.
            difference: the true one, in (-1, 1); the mixture is tilted to it.
            problems: problems of the study, or clusters of them.
            reach: standard errors that the interval reaches either way; default: one k's.
            studies: simulated studies.
            level: confidence level of the interval.

        Returns:
            A share of studies; nan where no mixture of these kinds has that difference.
        """
        column = int(np.searchsorted(self.k, k))
        simulated = self.changes[column, 1].sum(axis=1)
        weights = tilt_weights(self.mixture.weights, simulated, difference)
        if weights is None:
            return np.nan
        mass, sums, squares = weights @ self.changes[column]
        mean, square = (part / np.where(mass > 0, mass, 1.0) for part in (sums, squares))
        chances = mass / mass.sum()
        counts = np.random.default_rng(SEED).multinomial(problems, chances, studies) / problems
        losses, gains = slice(1, SIZES + 1), slice(SIZES + 1, None)
        loss = Moments(-counts[:, losses] @ mean[losses], counts[:, losses] @ square[losses])
        gain = Moments(counts[:, gains] @ mean[gains], counts[:, gains] @ square[gains])
        solved = self.solved[column] @ weights
        ends = difference_ends(
            gain,
            loss,
            _possible_size(solved[0], solved[1], problems),
            _possible_size(solved[2], solved[3], problems),
            problems,
            z_quantile(level, problems) if reach is None else reach,
        )
        return float((ends[0] > 0).mean() if difference > 0 else (ends[1] < 0).mean())

    def typical_change(self, k: int) -> float:
        """Return the root mean square of the changes at k."""
        squares = self.mixture.weights @ self.changes[int(np.searchsorted(self.k, k)), 2]
        return float(np.sqrt(squares.sum()))


def _possible_size(mean: npt.ArrayLike, square: npt.ArrayLike, problems: int) -> Floats:
    """Return the expected `unseen_size` of a study from the moments of pass@k, elementwise."""
    size: Floats = (problems * np.asarray(square) + 1) / (problems * np.asarray(mean) + 1)
    return size


def draw_problems(
    mixture: RateMixture, n: int, ks: KValues, drawn: int = PROBLEMS_DRAWN, seed: int = SEED
) -> Draws:
    """Draw problems of a mixture with n responses by each model.

    Half of them are drawn by weight, half equally of every kind: kinds that are rare may be what a
    tilted mixture consists of.
    """
    rng = np.random.default_rng(seed)
    kinds = len(mixture.weights)
    times = np.ceil(drawn / 2 * (mixture.weights + 1 / kinds)).astype(np.int64)
    kind = np.repeat(np.arange(kinds), times)
    table = pass_at_k(n, np.arange(n + 1), ks)
    tuned, base = (table[rng.binomial(n, side[kind])] for side in (mixture.tuned, mixture.base))
    return Draws(kind, 1 / times[kind], base, tuned - base)


def simulate_problems(mixture: RateMixture, n: int, ks: KValues) -> SimulatedProblems:
    """Return how much problems of a mixture change at each of `ks`, with n responses."""
    k = np.unique(np.asarray(ks, dtype=np.int64))
    draws = draw_problems(mixture, n, k)
    weights = mixture.weights[draws.kind] * draws.share
    kinds = len(mixture.weights)
    changes, solved = [], []
    for base, change in zip(draws.base.T, draws.change.T, strict=True):
        cell = draws.kind * (2 * SIZES + 1) + _sizes(change, weights)
        size = kinds * (2 * SIZES + 1)
        sums = [np.bincount(cell, draws.share * change**i, size) for i in range(3)]
        changes.append(np.stack(sums).reshape(3, kinds, -1))
        values = (base, base**2, base + change, (base + change) ** 2)
        solved.append([np.bincount(draws.kind, draws.share * value) for value in values])
    return SimulatedProblems(mixture, n, k, np.stack(changes), np.array(solved))


def _sizes(change: Floats, weights: Floats) -> Ints:
    """Return 0 where nothing changes, 1..SIZES for losses, SIZES + 1.. for gains, shape (D,)."""
    found = np.zeros(len(change), dtype=np.int64)
    for first, rows in ((1, change < 0), (SIZES + 1, change > 0)):
        at = np.flatnonzero(rows)
        at = at[np.argsort(change[at])]
        shares = np.cumsum(weights[at])
        if len(at):
            found[at] = first + np.minimum(SIZES * shares / shares[-1], SIZES - 1).astype(np.int64)
    return found


def band_reach(mixture: RateMixture, n: int, problems: int, level: float = LEVEL) -> float:
    """Return how many standard errors the band over all k up to n reaches in the expected study.

    From study to study it hardly differs.
    """
    drawn = draw_problems(mixture, n, k_grid(n, per_octave=16), BAND_PROBLEMS)
    weights = mixture.weights[drawn.kind] * drawn.share
    sizes = [
        _possible_size(weights @ values, weights @ values**2, problems)
        for values in (drawn.base, drawn.base + drawn.change)
    ]
    units = ResamplingUnits(drawn.change, np.ones(len(weights)), weights * problems)
    reach = sup_t_quantile(add_unseen_changes(units, *sizes), level, BAND_DRAWS)
    return max(reach, z_quantile(level, problems))


def detectable_difference(
    drawn: SimulatedProblems,
    k: int,
    problems: int,
    *,
    sign: int = -1,
    power: float = POWER,
    studies: int = STUDIES,
) -> float:
    """Return the smallest difference of pass@k that a study shows with some power.

    Args:
        drawn: problems of its mixture with its n.
        k: number of tries.
        problems: problems of the study.
        sign: -1 for a loss, 1 for a gain.
        power: chance of showing it.
        studies: simulated studies.

    Returns:
        The difference, with its sign; nan where no difference that the mixture can have is shown.
    """
    column = int(np.searchsorted(drawn.k, k))
    largest = float(np.max(sign * drawn.changes[column, 1].sum(axis=1)))
    found = _smallest(
        lambda size: drawn.power(k, sign * size, problems, studies=studies) >= power,
        2.8 * drawn.typical_change(k) / np.sqrt(problems),
        (1e-5, largest * (1 - 1e-6)),
        precision=1.01,
    )
    return sign * found if np.isfinite(found) else np.nan


def problems_needed(
    drawn: SimulatedProblems,
    k: int,
    difference: float,
    *,
    power: float = POWER,
    studies: int = STUDIES,
) -> float:
    """Return the fewest problems that show a difference of pass@k; inf beyond `MAX_PROBLEMS`."""
    if not difference:
        return np.inf
    found = _smallest(
        lambda size: drawn.power(k, difference, round(size), studies=studies) >= power,
        (2.8 * drawn.typical_change(k) / difference) ** 2,
        (2, MAX_PROBLEMS),
        precision=1.02,
    )
    return float(np.ceil(found))


def responses_needed(
    mixture: RateMixture, k: int, difference: float, problems: int, power: float = POWER
) -> float:
    """Return the smallest n at which `problems` problems show a difference of pass@k.

    inf where `MAX_MULTIPLE` times k responses do not: then only more problems help.
    """

    def shown(n: float) -> bool:
        drawn = simulate_problems(mixture, round(n), [k])
        return drawn.power(k, difference, problems) >= power

    if not difference:
        return np.inf
    return float(np.ceil(_smallest(shown, 2 * k, (k, MAX_MULTIPLE * k), precision=1.05)))


def _smallest(
    passes: Callable[[float], bool], start: float, limits: tuple[float, float], precision: float
) -> float:
    """Return the smallest value within limits that passes, to a factor; inf where none does.

    >>> 9 <= _smallest(lambda size: size >= 9, 2, (1, 100), 1.01) < 9.1
    True
    """
    low, high = limits
    middle = min(max(start, low), high)
    if passes(middle):
        while middle > low:
            high, middle = middle, max(low, middle / 2)
            if not passes(middle):
                low = middle
                break
        else:
            return low
    else:
        while middle < high:
            low, middle = middle, min(high, 2 * middle)
            if passes(middle):
                high = middle
                break
        else:
            return np.inf
    while high > low * precision:
        middle = float(np.sqrt(low * high))
        low, high = (low, middle) if passes(middle) else (middle, high)
    return high
