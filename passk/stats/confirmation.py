"""Confirmation: fresh draws decide single problems that one model alone seemed to solve.

A problem was selected since one model (the solver) solved it and the other never did. Both draw it
again with fresh seeds, in rounds of equally many responses. Only these draws are tested, so the
selection does not bias the test.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from passk.stats.arrays import Floats, Ints, IntsLike
from passk.stats.significance import holm

FAMILYWISE_ERROR = 0.05
"""Share of comparisons in which any problem may be confirmed whose solver has no higher rate."""


def fresh_p_values(solver: IntsLike, other: IntsLike) -> Floats:
    """Return a p-value per problem that holds after any number of rounds: 2^-(solver's correct).

    Null hypothesis: the solver's rate is at most the other model's. Pair the i-th responses of both
    and keep the pairs with exactly one correct response: under the null the solver has it with
    probability 1/2 at most (Wald 1947, Sequential Analysis, chapter 6: double dichotomies). A stake
    that doubles each time the solver has it, and is lost the first time the other model has, is
    then a supermartingale: it ever reaches 1/p with probability p at most (Ville 1939). So looking
    after each round costs no error.

    Args:
        solver: correct responses of the model that solved the problem first, per round and problem,
            shape (R, P); 0 in rounds without draws.
        other: those of the other model, likewise.

    Returns:
        Shape (P,): counted up to the first round in which the other model solves the problem.
    """
    won, lost = (np.atleast_2d(np.asarray(x, dtype=np.int64)) for x in (solver, other))
    before = np.cumsum(lost, axis=0) == 0
    p: Floats = 0.5 ** np.where(before, won, 0).sum(axis=0).astype(np.float64)
    return p


def decide(
    solver: IntsLike, other: IntsLike, alpha: float = FAMILYWISE_ERROR
) -> tuple[npt.NDArray[np.str_], Floats, Floats]:
    """Return each problem's decision, p-value and familywise p-value (Holm 1979), shape (P,) each.

    - `refuted`: the other model solves it in the fresh draws after all.
    - `confirmed`: it never does, and the solver's rate is higher at the familywise level `alpha`.
    - `open`: neither, so far.

    With further rounds p-values only fall, and Holm's with them: what is confirmed stays confirmed.
    Arguments as for `fresh_p_values`.
    """
    p = fresh_p_values(solver, other)
    adjusted = holm(p)
    refuted = np.atleast_2d(np.asarray(other)).sum(axis=0) > 0
    decisions: npt.NDArray[np.str_] = np.where(
        refuted, "refuted", np.where(adjusted <= alpha, "confirmed", "open")
    )
    return decisions, p, adjusted


def is_solved_again(rare: npt.ArrayLike, fresh: IntsLike) -> npt.NDArray[np.bool_]:
    """Return whether every model that solved a problem rarely solves it again, shape (P,).

    Args:
        rare: which models solved it rarely, shape (2, P).
        fresh: correct responses in the fresh draws, shape (2, P).
    """
    each = ~np.asarray(rare) | (np.asarray(fresh) > 0)
    again: npt.NDArray[np.bool_] = np.asarray(each.all(axis=0))
    return again


def select_kinds(
    tuned: tuple[Ints, Ints],
    base: tuple[Ints, Ints],
    *,
    lost: bool = True,
    gained: bool = True,
    rare: float = 0.0,
) -> npt.NDArray[np.str_]:
    """Return why each problem is drawn again, shape (P,): lost, gained, rare, or "" for not at all.

    Lost: the base solves it and the tuned model never does; gained: the reverse; rare: neither, and
    a model's accuracy lies in (0, rare]. `tuned` and `base` are (n, c).
    """
    (n, c), (base_n, base_c) = tuned, base
    is_lost, is_gained = (base_c > 0) & (c == 0), (c > 0) & (base_c == 0)
    is_rare = is_rarely_solved(n, c, rare) | is_rarely_solved(base_n, base_c, rare)
    kinds: npt.NDArray[np.str_] = np.select(
        [is_lost & lost, is_gained & gained, is_rare], ["lost", "gained", "rare"], ""
    )
    return kinds


def is_rarely_solved(n: Ints, c: Ints, rare: float) -> npt.NDArray[np.bool_]:
    """Return whether an accuracy c/n lies in (0, rare], shape (P,)."""
    found: npt.NDArray[np.bool_] = (c > 0) & (c <= rare * n)
    return found
