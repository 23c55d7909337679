"""Tests: did a problem's success rate change, and do two models differ once all is corrected for.

Nothing here is needed to read a curve; it keeps a table of hundreds of problems, or of many
benchmarks, from being read as hundreds of findings.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from passk.stats.arrays import Floats
from passk.stats.hypergeometric import hit_chances, log_choose
from passk.stats.intervals import REPLICATES, SEED
from passk.stats.resampling import Counts, ResamplingUnits

FAMILYWISE_ERROR = 0.05
"""Share of studies whose list of significantly lost or gained problems may hold a wrong name."""


def change_p_values(base: Counts, tuned: Counts) -> Floats:
    """Return a two-sided exact p-value per problem that its success rate is the same, shape (P,).

    Fisher's exact test on the (n, c) of base and tuned, with the smaller tail doubled.
    """
    four = np.broadcast_arrays(*(np.asarray(x, dtype=np.int64) for x in (*base, *tuned)))
    n_base, c_base, n_tuned, c_tuned = four
    hits = np.arange(int(np.max(n_tuned)) + 1)
    correct, responses = (c_base + c_tuned)[:, None], (n_base + n_tuned)[:, None]
    chances = hit_chances(responses, correct, n_tuned[:, None], hits[None, :])
    fewer = np.where(hits <= c_tuned[:, None], chances, 0).sum(axis=1)
    more = np.where(hits >= c_tuned[:, None], chances, 0).sum(axis=1)
    p: Floats = np.minimum(1.0, 2 * np.minimum(fewer, more))
    return p


def solved_by_one_p_values(base: Counts, tuned: Counts) -> Floats:
    """Return familywise p-values of lost and gained problems, shape (P,).

    Lost: the base solves it and the tuned model never does; gained: the reverse. Naming those with
    a value of at most a names a problem whose rate did not change in a share a of studies at most
    (familywise). 1 where a problem is neither.

    Given the c + c' correct responses to a problem, and no change of its rate, the chance that all
    are of one model is known: C(n, c + c') / C(n + n', c + c'). These chances depend on pooled
    counts alone, so problems that could not be named at a threshold may be left out of its
    correction (Tarone 1990, Biometrics 46: 515; Bourgon et al. 2010, PNAS 107: 9546), and the
    corrected value is the sum of all chances up to a problem's own. Problems that both models
    solve often cost nothing, however many of them tuning moves.
    """
    n, c, n_tuned, c_tuned = np.broadcast_arrays(
        *(np.asarray(x, dtype=np.int64) for x in (*base, *tuned))
    )
    pooled, total = c + c_tuned, n + n_tuned
    all_ways = log_choose(total, pooled)
    lost = np.exp(log_choose(n, pooled) - all_ways)
    gained = np.exp(log_choose(n_tuned, pooled) - all_ways)
    solved = pooled > 0
    chances = np.sort(np.concatenate([lost[solved], gained[solved]]))
    sums = np.append(0.0, np.cumsum(chances))
    own = np.where(c_tuned == 0, lost, np.where(c == 0, gained, 1.0))
    up_to = sums[np.searchsorted(chances, own * (1 + 1e-9), side="right")]
    alone = solved & ((c == 0) | (c_tuned == 0))
    p: Floats = np.where(alone, np.minimum(up_to, 1.0), 1.0)
    return p


def holm(p: npt.ArrayLike) -> Floats:
    """Return Holm's (1979) adjusted p-values for a family of tests."""
    values = np.asarray(p, dtype=np.float64)
    order = np.argsort(values)
    steps = values[order] * np.arange(len(values), 0, -1)
    adjusted = np.empty_like(values)
    adjusted[order] = np.minimum(np.maximum.accumulate(steps), 1.0)
    return adjusted


def sign_flip_p_values(
    units: ResamplingUnits, replicates: int = REPLICATES, seed: int = SEED
) -> Floats:
    """Return a p-value per k that paired differences centre on zero, shape (K,).

    Each problem's (or cluster's) difference changes sign at random: exact where base and tuned
    are exchangeable. Never below 1 / (replicates + 1).
    """
    rng = np.random.default_rng(seed)
    times = np.rint(units.times).astype(np.int64)
    signs = 2 * rng.binomial(times, 0.5, size=(replicates, len(times))) - times
    chance = np.abs(signs @ units.sums)
    seen = np.abs(units.times @ units.sums)
    p: Floats = (1 + (chance >= seen - 1e-12).sum(axis=0)) / (replicates + 1)
    return np.where(np.isnan(seen), np.nan, p)
