"""How many responses decide single problems: lost for good, or only missed so far.

A problem that one model solves and the other never does is decided if either answer would show: if
it is lost, it is named as such (`solved_by_one_p_values`), and if nothing changed, the other model
solves it, too.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from passk.stats.arrays import Floats, Ints
from passk.stats.extrapolation import RATES, likeliest_mixture
from passk.stats.intervals import SEED
from passk.stats.power import POWER
from passk.stats.resampling import Counts
from passk.stats.significance import FAMILYWISE_ERROR, solved_by_one_p_values

DOUBLINGS = 8
"""n is doubled that often in search of an answer."""

REPEATS = 200
"""Simulated continuations of a study at each n: the error of a chance of 0.8 is 0.03."""


@dataclass(frozen=True, slots=True)
class Decisions:
    """For each problem that one model alone solves, D of them.

    Attributes:
        problem: index of the problem, shape (D,).
        lost: whether the base solves it, else the tuned model, shape (D,).
        n_if_changed: n at which it is named with some power if the other model never solves it;
            inf beyond the largest n that was tried, shape (D,).
        n_if_same: n at which the other model solves it with that chance if both have one rate,
            shape (D,).
    """

    problem: Ints
    lost: npt.NDArray[np.bool_]
    n_if_changed: Floats
    n_if_same: Floats

    @property
    def n_decides(self) -> Floats:
        """The n that answers either way, shape (D,)."""
        return np.maximum(self.n_if_changed, self.n_if_same)


def responses_to_decide(
    tuned: Counts, base: Counts, power: float = POWER, repeats: int = REPEATS, seed: int = SEED
) -> Decisions:
    """Return how many responses decide each problem that one model alone has solved.

    The study is continued: the counts stay, and further responses are drawn at rates that a
    problem's own counts leave plausible (the posterior under the likeliest mixture of rates).

    Args:
        tuned: (n, c) of the tuned model, each of shape (P,).
        base: (n, c) of the base, in the same order of problems.
        power: chance of an answer.
        repeats: simulated continuations at each n.
        seed: their seed.
    """
    n, c, n_base, c_base = np.broadcast_arrays(
        *(np.asarray(x, dtype=np.int64) for x in (*tuned, *base))
    )
    problem = np.flatnonzero((c == 0) != (c_base == 0))
    lost = c[problem] == 0
    rng = np.random.default_rng(seed)
    chances = [_posterior(*counts) for counts in ((n, c), (n_base, c_base))]
    chances[0][problem[lost]] = chances[1][problem[~lost]] = np.eye(len(RATES))[0]
    changed = np.full(len(problem), np.inf)
    start = int(max(n.max(), n_base.max()))
    for total in start * 2 ** np.arange(DOUBLINGS + 1):
        named = np.zeros(len(problem))
        for _ in range(repeats):
            grown = [
                have + rng.binomial(total - size, _draw(chance, rng))
                for chance, size, have in zip(chances, (n, n_base), (c, c_base), strict=True)
            ]
            p = solved_by_one_p_values((total, grown[1]), (total, grown[0]))
            named += p[problem] <= FAMILYWISE_ERROR
        changed[(named >= power * repeats) & np.isinf(changed)] = total
        if not np.isinf(changed).any():
            break
    pooled = _posterior(n + n_base, c + c_base)[problem]
    return Decisions(problem, lost, changed, _until_solved(pooled, start, power))


def _posterior(n: Ints, c: Ints) -> Floats:
    """Return the chances of each of `RATES` for each problem, given its counts, shape (P, G)."""
    weights = likeliest_mixture(n, c)
    with np.errstate(divide="ignore", invalid="ignore"):
        solved = np.where(c[:, None] > 0, c[:, None] * np.log(RATES), 0.0)
        failed = np.where((n > c)[:, None], (n - c)[:, None] * np.log1p(-RATES), 0.0)
    logs = solved + failed
    chances = weights * np.exp(logs - logs.max(axis=1, keepdims=True))
    posterior: Floats = chances / chances.sum(axis=1, keepdims=True)
    return posterior


def _draw(chances: Floats, rng: np.random.Generator) -> Floats:
    """Return one of `RATES` per problem."""
    place = rng.random((len(chances), 1))
    rates: Floats = RATES[np.minimum((chances.cumsum(axis=1) < place).sum(axis=1), len(RATES) - 1)]
    return rates


def _until_solved(chances: Floats, n: int, power: float) -> Floats:
    """Return the n at which a model without a correct one of n has one with a chance of `power`."""
    further = np.unique(np.rint(np.geomspace(1, n * 2**DOUBLINGS, 400)).astype(np.int64))
    solved = 1 - chances @ (1 - RATES[:, None]) ** further
    enough = solved >= power
    found = np.where(enough.any(axis=1), n + further[enough.argmax(axis=1)], np.inf)
    return found.astype(np.float64)
