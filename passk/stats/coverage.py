"""Which problems are solved: the accuracy histogram, the four-way coverage, the efficiency gap."""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt

from passk.stats.curves import Ints, IntsLike

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


def coverage_categories(base_c: IntsLike, tuned_c: IntsLike) -> npt.NDArray[np.str_]:
    """Return each problem's category: solved at least once by both, one, or neither model."""
    base, tuned = np.asarray(base_c) > 0, np.asarray(tuned_c) > 0
    return np.array(CATEGORIES)[np.where(base, np.where(tuned, 0, 1), np.where(tuned, 2, 3))]


def coverage_counts(base_c: IntsLike, tuned_c: IntsLike) -> dict[Category, int]:
    """Return the number of problems in each category of `coverage_categories`."""
    found = coverage_categories(base_c, tuned_c)
    return {name: int((found == name).sum()) for name in CATEGORIES}


def se_gap(pass_at_1: float, pass_at_max: float) -> float:
    """Return one model's own sampling-efficiency gap, pass@k_max - pass@1."""
    return pass_at_max - pass_at_1


def se_gap_to_base(tuned_pass_at_1: float, base_pass_at_max: float) -> float:
    """Return the gap of Yue et al. 2025 (section 4.3), base pass@k_max - tuned pass@1."""
    return base_pass_at_max - tuned_pass_at_1
