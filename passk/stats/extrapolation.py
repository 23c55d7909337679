"""pass@k beyond n from a model of the success rates; never the data's own word.

Model: a share of the problems can never be solved; the success rates of the others follow a beta
distribution (a zero-inflated beta-binomial for the counts). Without the first part an interval at
4n covers 0.30 when 15 % are unsolvable. Given the shape, the share has a closed form, so the
likelihood is maximised over a grid of shapes: one matrix product for thousands of replicates.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass

import numpy as np

from passk.stats.arrays import Floats, Ints, IntsLike, KValues
from passk.stats.curves import LEVEL
from passk.stats.intervals import SEED, percentiles

SHAPES = np.exp(np.linspace(np.log(0.03), np.log(100.0), 56))
"""Values that each of the two parameters of the beta distribution is tried at."""

REFITS = 1000
"""Bootstrap replicates, each fitted anew."""

FIT_LIMIT = 0.05
"""p-value of the fit below which nothing is extrapolated."""

MIN_EXPECTED = 5.0
"""Problems expected in a cell of the fit check at the least (Cochran 1954)."""

MAX_EXTRAPOLATION = 4
"""Multiple of n up to which the interval has been seen to hold."""


@dataclass(frozen=True, slots=True)
class Extrapolation:
    """pass@k beyond n of one model; arrays have shape (K,).

    Attributes:
        k: values of k.
        value: the fitted model's pass@k over the population of problems.
        low: lower end of the interval over problems; nan where the model does not fit.
        high: its upper end.
        unsolvable: fitted share of problems that no k solves.
        shape: fitted parameters of the beta distribution of the other problems' success rates.
        fit: p-value of the counts under the fitted model (chi-squared).
    """

    k: Ints
    value: Floats
    low: Floats
    high: Floats
    unsolvable: float
    shape: tuple[float, float]
    fit: float

    @property
    def fits(self) -> bool:
        """Whether the counts could have come from the model."""
        return self.fit >= FIT_LIMIT


def extrapolate(
    n: int,
    c: IntsLike,
    ks: KValues,
    *,
    level: float = LEVEL,
    replicates: int = REFITS,
    seed: int = SEED,
) -> Extrapolation:
    """Fit the model to one model's counts and read pass@k off it.

    Args:
        n: responses to every problem.
        c: correct ones of each problem, shape (P,).
        ks: values of k, usually above n; shape (K,).
        level: probability with which the interval is meant to hold.
        replicates: bootstrap replicates of whole problems, each fitted anew.
        seed: seed of the bootstrap.

    Where the model does not fit, its values are nan: they would be an invention.
    """
    found = np.bincount(np.asarray(c, dtype=np.int64), minlength=n + 1)
    problems = int(found.sum())
    drawn = np.random.default_rng(seed).multinomial(problems, found / problems, size=replicates)
    best, unsolvable = _fit(n, np.vstack([found, drawn]).astype(np.float64))
    solved = 1.0 - _miss(best, np.asarray(ks, dtype=np.int64))
    values = (1.0 - unsolvable)[:, None] * solved
    low, high = percentiles(values[1:], level, problems)
    fit = _fit_p_value(found, _chances(n, best[0], unsolvable[0]))
    known = np.where(fit >= FIT_LIMIT, 1.0, np.nan)
    a, b = _pairs()
    return Extrapolation(
        k=np.asarray(ks),
        value=values[0] * known,
        low=low * known,
        high=high * known,
        unsolvable=float(unsolvable[0]),
        shape=(float(a[best[0]]), float(b[best[0]])),
        fit=fit,
    )


def _pairs() -> tuple[Floats, Floats]:
    """Return both parameters at every point of the grid, each of shape (G,)."""
    a, b = np.meshgrid(SHAPES, SHAPES, indexing="ij")
    return a.ravel(), b.ravel()


@functools.lru_cache(maxsize=4)
def _log_chances(n: int) -> Floats:
    """Return the log-probability of c of n under each beta-binomial of the grid, (G, n + 1).

    C(n, c) B(a + c, b + n - c) / B(a, b), in rising factorials.
    """
    rising = np.zeros((len(SHAPES), n + 1))
    rising[:, 1:] = np.cumsum(np.log(SHAPES[:, None] + np.arange(n)), axis=1)
    both = np.log(np.add.outer(SHAPES, SHAPES).ravel()[:, None] + np.arange(n)).sum(axis=1)
    ways = np.concatenate([[0.0], np.cumsum(np.log(np.arange(n, 0, -1) / np.arange(1, n + 1)))])
    each = rising[:, None, :] + rising[None, :, ::-1]
    table: Floats = ways + each.reshape(-1, n + 1) - both[:, None]
    return table


def _fit(n: int, histograms: Floats) -> tuple[Ints, Floats]:
    """Return the likeliest grid point and share of unsolvable problems per histogram (R, n + 1).

    Given a shape whose chance of 0 of n is f, and a share z of problems never solved, the
    likeliest share of unsolvable ones is (z - f) / (1 - f), or 0 where z < f.
    """
    table = _log_chances(n)
    never, zero = histograms[:, [0]], np.exp(table[:, 0])
    solved = histograms[:, 1:].sum(axis=1, keepdims=True)
    share = np.clip((never / (never + solved) - zero) / np.maximum(1 - zero, 1e-12), 0.0, 1.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        likelihood = (
            histograms[:, 1:] @ table[:, 1:].T
            + np.where(solved > 0, solved * np.log1p(-share), 0.0)
            + np.where(never > 0, never * np.log(share + (1 - share) * zero), 0.0)
        )
    best = np.nanargmax(likelihood, axis=1)
    return best, share[np.arange(len(best)), best]


def _miss(points: Ints, ks: Ints) -> Floats:
    """Return the chance that k tries all fail, averaged over each beta distribution, (R, K).

    E (1 - p)^k = prod_{i<k} (b + i) / (a + b + i).
    """
    places, back = np.unique(points, return_inverse=True)
    a, b = (values[places] for values in _pairs())
    steps = np.arange(int(ks.max(initial=0)))
    logs = [
        np.cumsum(np.log((y + steps) / (x + y + steps)))[ks - 1] for x, y in zip(a, b, strict=True)
    ]
    miss: Floats = np.exp(logs)[back]
    return miss


def _chances(n: int, point: int, unsolvable: float) -> Floats:
    """Return the fitted probability of each c, shape (n + 1,)."""
    chances: Floats = (1 - unsolvable) * np.exp(_log_chances(n)[point])
    chances[0] += unsolvable
    return chances


def _fit_p_value(found: Ints, chances: Floats) -> float:
    """Return the chi-squared p-value of a histogram under a model with three fitted parameters.

    Neighbouring counts are pooled until each cell expects `MIN_EXPECTED` problems; 1 where too
    few cells are left to tell.
    """
    expected = chances * found.sum()
    cells, start = [], 0
    for end in range(1, len(found) + 1):
        if expected[start:end].sum() >= MIN_EXPECTED:
            cells.append((start, end))
            start = end
    if not cells:
        return 1.0
    cells[-1] = (cells[-1][0], len(found))
    statistic = sum(
        (found[a:b].sum() - expected[a:b].sum()) ** 2 / expected[a:b].sum() for a, b in cells
    )
    freedom = len(cells) - 1 - 3
    return chi_squared_tail(float(statistic), freedom) if freedom > 0 else 1.0


def chi_squared_tail(x: float, freedom: int) -> float:
    """Return the chance that chi-squared with whole degrees of freedom exceeds x.

    A finite sum (Abramowitz and Stegun 26.4.4 and 26.4.5).
    """
    half = x / 2
    odd = freedom % 2 == 1
    tail = math.erfc(math.sqrt(half)) if odd else math.exp(-half)
    shapes = [0.5 + step for step in range(freedom // 2)] if odd else range(1, freedom // 2)
    for shape in shapes:
        tail += math.exp(shape * math.log(half) - half - math.lgamma(shape + 1)) if half else 0.0
    return min(tail, 1.0)
