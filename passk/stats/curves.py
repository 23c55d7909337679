"""pass@k of one model: the unbiased estimate, its mean over problems, and its noise.

Notation throughout: n responses to a problem, c of them correct, k tries. Arrays over
problems have shape (P,), arrays over tries shape (K,), and rates lie in [0, 1].
"""

from __future__ import annotations

from statistics import NormalDist

import numpy as np

from passk.stats.arrays import Floats, Ints, IntsLike, KValues
from passk.stats.hypergeometric import log_choose

MAX_TABLE_N = 4096
"""n up to which all c are tabulated by exact products; above it log-factorials are used."""

LEVEL = 0.95
"""Probability with which every interval is meant to hold."""


def k_grid(n: int, *, fine: int = 256, per_octave: int = 128) -> Ints:
    """Return every k up to `fine`, and from there up to n about `per_octave` per doubling."""
    if n <= fine:
        return np.arange(1, n + 1)
    count = int(np.ceil(np.log2(n / fine) * per_octave)) + 1
    coarse = np.rint(np.geomspace(fine, n, count)).astype(np.int64)
    return np.unique(np.concatenate([np.arange(1, fine + 1), coarse]))


def fail_table(n: int, ks: KValues) -> Floats:
    """Return the chance that k of n responses drawn without replacement are all wrong.

    A_k(c) = C(n - c, k) / C(n, k) = prod_{i<c} (n - k - i) / (n - i), for c = 0..n: the product
    form of Chen et al. 2021 (arXiv 2107.03374, section 2.1), which never forms a large number.

    Returns:
        Shape (K, n + 1); nan where k > n, because n responses do not say what more would do.
    """
    k = np.asarray(ks, dtype=np.int64)[:, None]
    left = np.arange(n, 0, -1)
    table = np.ones((len(k), n + 1))
    np.cumprod(np.clip((left - k) / left, 0.0, None), axis=1, out=table[:, 1:])
    table[k[:, 0] > n] = np.nan
    return table


def miss(n: IntsLike, c: IntsLike, ks: KValues) -> Floats:
    """Return `fail_table` looked up for each problem, shape (P, K); n may differ or be one."""
    responses, correct = _problems(n, c)
    values = np.empty((len(correct), len(ks)))
    for total in np.unique(responses):
        rows = responses == total
        if total > MAX_TABLE_N:
            k, c_rows = np.asarray(ks, dtype=np.int64)[None, :], correct[rows][:, None]
            ways = log_choose(total - c_rows, k) - log_choose(total, np.minimum(k, total))
            values[rows] = np.where(k > total, np.nan, np.exp(ways))
            continue
        values[rows] = fail_table(int(total), ks)[:, correct[rows]].T
    return values


def pass_at_k(n: IntsLike, c: IntsLike, ks: KValues) -> Floats:
    """Return the unbiased pass@k of each problem, 1 - C(n - c, k) / C(n, k).

    Args:
        n: responses per problem, shape (P,) or one number.
        c: correct ones among them, shape (P,).
        ks: values of k, shape (K,).

    Returns:
        Shape (P, K); nan where n < k (undefined, never 1).
    """
    return 1.0 - miss(n, c, ks)


def mean_pass_at_k(n: IntsLike, c: IntsLike, ks: KValues) -> Floats:
    """Return pass@k averaged over problems, shape (K,), in one pass over the histogram of c.

    A k above the smallest n is undefined (nan): leaving out the problems with fewer responses
    would compare different sets of problems along one curve.
    """
    responses, correct = _problems(n, c)
    pairs, times = np.unique(np.stack([responses, correct]), axis=1, return_counts=True)
    mean: Floats = 1.0 - times @ miss(pairs[0], pairs[1], ks) / len(correct)
    return mean


def sampling_variance(n: IntsLike, c: IntsLike, ks: KValues) -> Floats:
    """Return the variance of the mean pass@k from the draw of responses alone, shape (K,).

    With A_k unbiased for q^k, A_k^2 - A_2k is unbiased for Var(A_k); it needs n >= 2k and is nan
    otherwise. Problems are held fixed and drawn independently: (1/P^2) sum_i (A_k^2 - A_2k)_i.
    """
    responses, correct = _problems(n, c)
    pairs, times = np.unique(np.stack([responses, correct]), axis=1, return_counts=True)
    doubled = 2 * np.asarray(ks, dtype=np.int64)
    spread = miss(pairs[0], pairs[1], ks) ** 2 - miss(pairs[0], pairs[1], doubled)
    variance: Floats = times @ np.maximum(spread, 0.0) / len(correct) ** 2
    return variance


def noise_interval(n: IntsLike, c: IntsLike, ks: KValues, level: float = LEVEL) -> Floats:
    """Return the interval of sampling noise on this very benchmark, shape (2, K).

    It answers "what if the same problems were sampled again", not "what of other problems".
    nan where k > n/2. With no correct response at all, or no wrong one, the exact bound for that
    many responses takes the place of an interval without width (the rule of three).
    """
    mean = mean_pass_at_k(n, c, ks)
    margin = NormalDist().inv_cdf(0.5 + level / 2) * np.sqrt(sampling_variance(n, c, ks))
    low, high = np.clip(np.stack([mean - margin, mean + margin]), 0.0, 1.0)
    k, total = np.asarray(ks, dtype=np.float64), float(np.sum(_problems(n, c)[0]))
    unseen = 1 - ((1 - level) / 2) ** (1 / total)
    known = ~np.isnan(margin)
    if not np.any(c):
        high = np.where(known, 1 - (1 - unseen) ** k, np.nan)
    if np.array_equal(*_problems(n, c)):
        low = np.where(known, 1 - unseen, np.nan)
    return np.stack([low, high])


def guess_pass_at_k(guess_n: IntsLike, guess_correct: IntsLike, ks: KValues) -> Floats:
    """Return the pass@k that the model's own answers to other problems would reach, shape (K,).

    Args:
        guess_n: answers to other problems of the group, per problem.
        guess_correct: those of them that equal this problem's gold answer.
        ks: values of k.

    Returns:
        The mean over the problems that have answers to compare with and at least k of them;
        nan where there is none.
    """
    values = pass_at_k(guess_n, guess_correct, ks)
    known = ~np.isnan(values)
    with np.errstate(invalid="ignore"):
        mean: Floats = np.where(known, values, 0.0).sum(axis=0) / known.sum(axis=0)
    return mean


def _problems(n: IntsLike, c: IntsLike) -> tuple[Ints, Ints]:
    """Return n and c as integer arrays of one shape, or refuse what cannot be counts."""
    correct = np.atleast_1d(np.asarray(c, dtype=np.int64))
    responses = np.broadcast_to(np.asarray(n, dtype=np.int64), correct.shape)
    if (correct < 0).any() or (correct > responses).any():
        raise ValueError("counts must satisfy 0 <= c <= n")
    return responses, correct
