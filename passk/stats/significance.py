"""Tests: did a problem's success rate change, and do two models differ once all is corrected for.

Nothing here is needed to read a curve; it keeps a table of hundreds of problems, or of many
benchmarks, from being read as hundreds of findings.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from passk.stats.curves import Floats, IntsLike
from passk.stats.hypergeometric import hit_chances
from passk.stats.intervals import REPLICATES, SEED
from passk.stats.resampling import ResamplingUnits


def change_p_values(base: tuple[IntsLike, IntsLike], tuned: tuple[IntsLike, IntsLike]) -> Floats:
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


def false_discovery(p: npt.ArrayLike) -> Floats:
    """Return Benjamini and Hochberg's (1995) q-values: reject q <= a to be wrong in a share a."""
    values = np.asarray(p, dtype=np.float64)
    order = np.argsort(values)[::-1]
    ranks = np.arange(len(values), 0, -1)
    q = np.empty_like(values)
    q[order] = np.minimum.accumulate(values[order] * len(values) / ranks)
    return np.minimum(q, 1.0)


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
