"""Functions of the package `passk` on counts: `pass_at_k`, `estimate`, `compare`."""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike

import numpy as np
import numpy.typing as npt
import pandas as pd

from passk import stats
from passk.analysis.count_comparison import CountComparison, compare_counts
from passk.analysis.count_sets import estimate_counts
from passk.interop.count_files import count_sets_of, paired_sets

CountSource = str | PathLike[str] | pd.DataFrame | Sequence[dict[str, object]]
"""A file of counts, a data frame, or rows."""


def pass_at_k(
    n: npt.ArrayLike, c: npt.ArrayLike, k: int | Sequence[int]
) -> float | npt.NDArray[np.float64]:
    """Return the unbiased pass@k of each problem: 1 - C(n - c, k) / C(n, k).

    Args:
        n: responses, a number or shape (P,).
        c: correct ones among them, a number or shape (P,).
        k: one k, or several of shape (K,).

    Returns:
        Shape (P, K), without the axes of what is a number; nan where n < k.
    """
    values = stats.pass_at_k(n, c, [k] if isinstance(k, int) else k)
    if isinstance(k, int):
        return values[:, 0] if _is_sequence(c) else float(values[0, 0])
    return values if _is_sequence(c) else values[0]


def _is_sequence(value: object) -> bool:
    """Return whether counts are of several problems."""
    return getattr(value, "ndim", 1) > 0 and hasattr(value, "__len__")


def estimate(counts: CountSource, k: Sequence[int] | None = None) -> pd.DataFrame:
    """Return pass@k with its intervals, a row per model and k.

    Args:
        counts: path of a file of counts, a data frame, or rows: `problem_id` (or `id`), `n`, `c`.
        k: values of k; without them 1..n.

    Raises:
        DataError: a column is missing or a value is no count.
    """
    return estimate_counts(count_sets_of(counts, "counts"), k)


def compare(base: CountSource, tuned: CountSource | Sequence[CountSource]) -> CountComparison:
    """Compare a tuned model with its base by their counts per problem.

    Args:
        base: counts, as for `estimate`.
        tuned: counts of the tuned model; a list of several paths or data frames: of its seeds.

    Raises:
        DataError: a column is missing, a value is no count, or no problem is in common.
    """
    return compare_counts(paired_sets(base, tuned))
