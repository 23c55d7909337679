"""How many different answers a model gives: distinct answers, differing pairs, answer entropy.

A problem's n responses fall into classes of equal answers; those without an answer are one class,
so that every response counts. Plain numbers of few responses are too small; each estimator here
says what it does about it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from passk.stats.arrays import Floats, Ints
from passk.stats.hypergeometric import log_choose


def distinct_answers(times: Ints, m: int) -> float:
    """Return the expected number of different answers among m of a problem's responses.

    Rarefaction (Hurlbert 1971, Ecology 52: 577), unbiased for m <= n: models with different n are
    compared at the same m.

    Args:
        times: responses per class, shape (C,).
        m: responses, at most n.
    """
    n = int(times.sum())
    missed = np.exp(log_choose(n - times, np.array(m)) - log_choose(np.array(n), np.array(m)))
    return float((1 - missed).sum())


def differing_pairs(times: Ints) -> float:
    """Return the chance that two responses give different answers; nan for one response.

    1 - sum t (t - 1) / (n (n - 1)): unbiased (Simpson 1949, Nature 163: 688).
    """
    n = int(times.sum())
    return 1 - float((times * (times - 1)).sum()) / (n * (n - 1)) if n > 1 else np.nan


def answer_entropy(times: Ints) -> float:
    """Return the entropy of a problem's answers in nats.

    Chao, Wang and Jost 2013 (Methods in Ecology and Evolution 4: 1091): what n responses say
    without bias, and the rest of the series from the answers that were given once and twice. The
    plain entropy of shares of n responses is too small by about (answers - 1) / 2n.
    """
    n = int(times.sum())
    harmonic = np.concatenate([[0.0], np.cumsum(1 / np.arange(1, n))])
    seen = float((times / n * (harmonic[n - 1] - harmonic[times - 1])).sum())
    once, twice = int((times == 1).sum()), int((times == 2).sum())  # noqa: PLR2004 - given twice
    if not once:
        return seen
    share: float
    share = 2 * twice / ((n - 1) * once + 2 * twice) if twice else 2 / ((n - 1) * (once - 1) + 2)
    if share >= 1:
        return seen
    powers = np.arange(1, n)
    rest = -np.log(share) - float(((1 - share) ** powers / powers).sum())
    return seen + float(once / n * (1 - share) ** (1 - n) * rest)


def diversity(classes: Sequence[Ints], m: int) -> Floats:
    """Return distinct answers among m responses, differing pairs and entropy, shape (P, 3).

    Args:
        classes: per problem the responses in each class of equal answers, shape (C,) each.
        m: responses that distinct answers are counted among, at most the smallest n.
    """
    return np.array(
        [[distinct_answers(t, m), differing_pairs(t), answer_entropy(t)] for t in classes]
    ).reshape(-1, 3)
