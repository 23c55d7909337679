"""The findings of `passk compare` in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd


def describe_comparison(
    row: Mapping[str, Any], deltas: pd.DataFrame, left_out: int = 0, *, several: bool = False
) -> str:
    """Return the finding of one checkpoint, or of a method's seeds, against the base.

    Args:
        row: row of the summary.
        deltas: differences by k.
        left_out: problems that not all files have.
        several: whether a method is compared, over its seeds.
    """
    who, base = row["model"], row["base"]
    where = f" on {row['benchmark']}" if row["benchmark"] else ""
    what = f"the method over {row['seeds']} seeds" if several else "this checkpoint"
    over = " (problems and seeds)" if several else ""
    parts = [
        f"supported {kind} at k = {row[f'{kind}_at']}"
        for kind in ("gain", "loss")
        if row[f"{kind}_at"]
    ]
    if row["undecided_at"]:
        open_to_both = (deltas["band_low"] <= 0) & (deltas["band_high"] >= 0)
        low = deltas["band_low"][open_to_both].min()
        parts.append(
            f"undecided at k = {row['undecided_at']} (a loss of up to {-100 * low:.1f} points is "
            "not excluded)"
        )
    crossing = [_k(row[f"crossover_{end}"]) for end in ("k", "low", "high")]
    interval = "" if several else f" [{crossing[1]}, {crossing[2]}]"
    ends = _ends(deltas, "method") + " " if several else _changes(row)
    problems = _problems(row["problems"], left_out)
    return (
        f"{who} against {base}{where}, {what}, {problems}, n = {row['n']}, "
        f"95 % band over all k{over}: {'; '.join(parts)}. "
        f"First loss in [{_k(row['first_loss_low'])}, {_k(row['first_loss_high'])}]; "
        f"crossover at k = {crossing[0]}{interval}. {ends}".rstrip()
    )


def describe_mean(rows: pd.DataFrame) -> str:
    """Return a mean difference over benchmarks in words, at the first and the last k.

    Args:
        rows: the mean by k, with the intervals `ci` and `method`.
    """
    first = rows.iloc[0]
    several = not rows["method_low"].isna().any()
    what = "the method over its seeds" if several else "these checkpoints"
    return (
        f"{first['model']} against {first['base']}, mean of {first['benchmarks']} benchmarks, "
        f"{what}: {_ends(rows, 'method' if several else 'ci')}"
    )


def _problems(number: int, left_out: int) -> str:
    """Return the number of problems in words, and of those that are not compared.

    >>> _problems(1, 2)
    '1 problem (2 left out: not in every file)'
    """
    words = f"{number} problem{'s' * (number != 1)}"
    return f"{words} ({left_out} left out: not in every file)" if left_out else words


def _ends(rows: pd.DataFrame, kind: str) -> str:
    """Return the difference with one of its intervals at the first and the last k."""
    over = "problems and seeds" if kind == "method" else "problems"
    ends = "; ".join(
        f"at k = {row['k']} {100 * row['delta']:+.1f} points "
        f"[{100 * row[f'{kind}_low']:+.1f}, {100 * row[f'{kind}_high']:+.1f}]"
        for row in rows.iloc[[0, -1]].drop_duplicates("k").to_dict("records")
    )
    return f"95 % interval over {over} at one k: {ends}."


def _changes(row: Mapping[str, Any]) -> str:
    """Return problems lost and gained in words."""
    lost, gained = (
        f"{row[name]:.1f} ± {row[f'{name}_sd']:.1f} (expected at the smaller n)"
        if row[f"{name}_sd"] > 0
        else str(round(row[name]))
        for name in ("base_only", "tuned_only")
    )
    return (
        f"{row['base']} alone solves {lost}, {row['model']} alone {gained}; significantly "
        f"(familywise error 5 %): {row['lost_significant']} and {row['gained_significant']}."
    )


def _k(value: float) -> str:
    """Return a k, or none for infinity."""
    return "none" if np.isinf(value) else f"{value:g}"
