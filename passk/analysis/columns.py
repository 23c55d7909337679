"""Columns and conventions that all tables share."""

from __future__ import annotations

from typing import Any

from passk.analysis.study import Cell, Study


def names(cell: Cell) -> dict[str, Any]:
    """Return the columns that say which cell a row is about."""
    return {
        "model": cell.model,
        "benchmark": cell.benchmark,
        "sampler": cell.sampler,
        "cell": cell.id,
    }


def largest_k(study: Study, n: int) -> int:
    """Return the largest k of the study that n responses define (n where all are larger)."""
    return max((k for k in study.k if k <= n), default=n)
