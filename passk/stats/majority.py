"""maj@k: the chance that the most frequent answer among k tries is correct."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from passk.stats.arrays import Floats, Ints, IntsLike, KValues

DRAWS = 100
"""Draws of k responses per problem and k; the error of their mean is at most 0.05 a problem."""


def majority_at_k(
    classes: Sequence[tuple[Ints, Ints]], n: IntsLike, ks: KValues, seed: int, draws: int = DRAWS
) -> Floats:
    """Return maj@k of each problem, shape (P, K); nan where k > n.

    Args:
        classes: per problem (responses per answer class, those of them that are correct), each of
            shape (classes of the problem,); responses without an answer are in no class.
        n: responses per problem, shape (P,) or one number.
        ks: values of k.
        seed: seed of the draws.
        draws: draws per problem and k.

    k responses are drawn without replacement and vote with their answer class; one without an
    answer does not vote. Classes that tie share the win; a class wins what its correct share is.
    Source: Wang et al. 2022 (arXiv 2203.11171), estimated from n >= k responses.
    """
    rng, totals = np.random.default_rng(seed), np.broadcast_to(np.asarray(n), len(classes))
    values = np.full((len(classes), len(ks)), np.nan)
    for row, (times, correct) in enumerate(classes):
        for column, k in enumerate(ks):
            if k <= totals[row]:
                values[row, column] = _wins(times, correct, int(totals[row]), int(k), rng, draws)
    return values


def _wins(
    times: Ints, correct: Ints, n: int, k: int, rng: np.random.Generator, draws: int
) -> float:
    """Return how often the winning class of k responses is correct."""
    if not correct.any():
        return 0.0
    if k == 1:
        return float(correct.sum() / n)
    urn = np.append(times, n - times.sum())
    votes = rng.multivariate_hypergeometric(urn, k, size=draws if k < n else 1)[:, :-1]
    most = votes.max(axis=1, keepdims=True)
    winners = (votes == most) & (most > 0)
    share = winners @ (correct / times) / np.maximum(winners.sum(axis=1), 1)
    return float(share.mean())
