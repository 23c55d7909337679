"""What else the counts say: how reliably, not only whether, problems are solved.

All functions return one value per problem and k, shape (P, K), nan where k > n; the mean over
problems and its interval come from `bootstrap.mean_interval`.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from passk.stats.arrays import Floats, Ints, IntsLike, KValues
from passk.stats.curves import miss
from passk.stats.hypergeometric import at_least

THRESHOLDS = (0.25, 0.5, 0.75, 1.0)
"""Shares of the k tries that G-Pass@k and Cover@tau are reported for."""


def pass_hat_k(n: IntsLike, c: IntsLike, ks: KValues) -> Floats:
    """Return pass^k, the chance that all of k tries are correct: C(c, k) / C(n, k).

    Source: Yao et al. 2024 (arXiv 2406.12045, section 3).
    """
    correct = np.asarray(c, dtype=np.int64)
    return miss(n, np.asarray(n, dtype=np.int64) - correct, ks)


def g_pass_at_k(n: IntsLike, c: IntsLike, ks: KValues, tau: float) -> Floats:
    """Return G-Pass@k_tau, the chance that at least ceil(tau k) of k tries are correct.

    Source: Liu et al. 2024 (arXiv 2412.13147, eq. 3). At tau -> 0 it is pass@k, at 1 pass^k.
    """
    return _looked_up(n, c, ks, lambda chances, k: chances[:, _needed(tau, k)])


def mg_pass_at_k(n: IntsLike, c: IntsLike, ks: KValues) -> Floats:
    """Return mG-Pass@k = (2/k) sum_{i = ceil(k/2) + 1}^{k} G-Pass@k_{i/k}; nan for k = 1.

    Source: Liu et al. 2024 (arXiv 2412.13147, eq. 4): twice the area under tau in (0.5, 1].
    """
    return _looked_up(n, c, ks, _upper_half)


def cover_at(n: IntsLike, c: IntsLike, taus: tuple[float, ...] = THRESHOLDS) -> Floats:
    """Return for each problem and tau whether a share of at least tau of its tries is correct.

    Its mean is Cover@tau of Dragoi et al. 2025 (arXiv 2510.08325). Shape (P, len(taus)).
    """
    correct = np.atleast_1d(np.asarray(c, dtype=np.int64))
    share = correct / np.asarray(n, dtype=np.int64)
    reached: Floats = (share[:, None] >= np.asarray(taus) - 1e-12).astype(np.float64)
    return reached


def _needed(tau: float, k: int) -> int:
    """Return ceil(tau k), at least 1, without the rounding error of a product."""
    return max(int(np.ceil(tau * k - 1e-9)), 1)


def _upper_half(chances: Floats, k: int) -> Floats:
    """Return mG-Pass@k for every c, from the chances of at least h correct."""
    if k == 1:
        return np.full(len(chances), np.nan)
    total: Floats = 2 / k * chances[:, -(-k // 2) + 1 :].sum(axis=1)
    return total


def _looked_up(
    n: IntsLike, c: IntsLike, ks: KValues, take: Callable[[Floats, int], Floats]
) -> Floats:
    """Return what `take` makes of `at_least(n, k)` for every c, looked up for each problem."""
    correct: Ints = np.atleast_1d(np.asarray(c, dtype=np.int64))
    responses = np.broadcast_to(np.asarray(n, dtype=np.int64), correct.shape)
    values = np.full((len(correct), len(ks)), np.nan)
    for total in np.unique(responses):
        rows = responses == total
        for column, k in enumerate(ks):
            if k <= total:
                values[rows, column] = take(at_least(int(total), int(k)), int(k))[correct[rows]]
    return values
