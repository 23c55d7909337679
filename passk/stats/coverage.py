"""Which problems are solved: the accuracy histogram, the four-way coverage, the efficiency gap."""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt

from passk.stats.arrays import Floats, Ints, IntsLike
from passk.stats.hypergeometric import hit_chances, log_choose
from passk.stats.resampling import Counts

Category = Literal["both", "base_only", "tuned_only", "neither"]

CATEGORIES: tuple[Category, ...] = ("both", "base_only", "tuned_only", "neither")

BINS = (
    "0",
    *(f"({low / 10:g}, {(low + 1) / 10:g}]" for low in range(9)),
    "(0.9, 1)",
    "1",
)
"""The 12 accuracy bins of Yue et al. 2025 (arXiv 2504.13837, figure 5)."""


def accuracy_bin(n: IntsLike, c: IntsLike) -> Ints:
    """Return the index into `BINS` of each problem's accuracy c/n, in whole-number arithmetic."""
    responses = np.asarray(n, dtype=np.int64)
    correct = np.asarray(c, dtype=np.int64)
    tenth = -(-10 * correct // responses)
    return np.where(correct == responses, 11, np.where(correct == 0, 0, tenth))


def accuracy_histogram(n: IntsLike, c: IntsLike) -> Ints:
    """Return the number of problems in each of `BINS`, shape (12,)."""
    return np.bincount(np.atleast_1d(accuracy_bin(n, c)), minlength=len(BINS))


def solve_chances(n: IntsLike, c: IntsLike, at: IntsLike) -> Floats:
    """Return the chance that `at` of the n responses solve each problem, shape (P,).

    1 - C(n - c, at) / C(n, at), hypergeometric thinning; 0 or 1 where `at` is n.
    """
    total, correct, kept = (np.asarray(x, dtype=np.int64) for x in np.broadcast_arrays(n, c, at))
    chance: Floats = -np.expm1(log_choose(total - correct, kept) - log_choose(total, kept))
    return np.where(correct == 0, 0.0, np.where(kept == total, 1.0, chance))


def coverage_chances(base: Counts, tuned: Counts) -> Floats:
    """Return each problem's chances of the `CATEGORIES` at the smaller n of both, shape (P, 4).

    With more responses a model solves more problems, whatever it can do. Each problem is therefore
    compared at the number of responses that both models have; 0 or 1 where n is the same.
    """
    at = np.minimum(np.asarray(base[0]), np.asarray(tuned[0]))
    b, t = solve_chances(*base, at), solve_chances(*tuned, at)
    return np.stack([b * t, b * (1 - t), (1 - b) * t, (1 - b) * (1 - t)], axis=1)


def coverage_categories(base: Counts, tuned: Counts) -> npt.NDArray[np.str_]:
    """Return each problem's category: solved by both, one or neither; the likeliest, if thinned."""
    names: npt.NDArray[np.str_] = np.array(CATEGORIES)[coverage_chances(base, tuned).argmax(axis=1)]
    return names


def coverage_counts(base: Counts, tuned: Counts) -> dict[Category, tuple[float, float]]:
    """Return per category the expected number of problems and its standard deviation.

    The deviation is that of thinning to the smaller n alone: 0 where both have the same n.
    """
    chances = coverage_chances(base, tuned)
    mean, variance = chances.sum(axis=0), (chances * (1 - chances)).sum(axis=0)
    return {
        name: (float(mean[i]), float(np.sqrt(variance[i]))) for i, name in enumerate(CATEGORIES)
    }


def bin_chances(n: IntsLike, c: IntsLike, at: IntsLike) -> Floats:
    """Return the chances of each of `BINS` for the accuracy of `at` of n responses, (P, 12)."""
    total, correct, kept = (np.asarray(x, dtype=np.int64) for x in np.broadcast_arrays(n, c, at))
    chances = np.zeros((len(total), len(BINS)))
    chances[np.arange(len(total)), accuracy_bin(total, correct)] = 1.0
    for row in np.flatnonzero(kept < total):
        hits = np.arange(int(kept[row]) + 1)
        shares = hit_chances(total[row], correct[row], kept[row], hits)
        chances[row] = np.bincount(accuracy_bin(kept[row], hits), shares, minlength=len(BINS))
    return chances


def flow_counts(base: Counts, tuned: Counts) -> Floats:
    """Return the expected problems from each bin of the base to each of the tuned, (12, 12).

    At the smaller n of both, as for `coverage_chances`; whole numbers where n is the same.
    """
    at = np.minimum(np.asarray(base[0]), np.asarray(tuned[0]))
    flows: Floats = bin_chances(*base, at).T @ bin_chances(*tuned, at)
    return flows


def se_gap(pass_at_1: float, pass_at_max: float) -> float:
    """Return one model's own sampling-efficiency gap, pass@k_max - pass@1."""
    return pass_at_max - pass_at_1


def se_gap_to_base(tuned_pass_at_1: float, base_pass_at_max: float) -> float:
    """Return the gap of Yue et al. 2025 (section 4.3), base pass@k_max - tuned pass@1."""
    return base_pass_at_max - tuned_pass_at_1
