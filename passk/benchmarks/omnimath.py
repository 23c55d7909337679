"""Omni-MATH's rows with a lot to split them by (Gao et al. 2024, arXiv 2410.07985)."""

from __future__ import annotations

import hashlib

from passk.benchmarks.base import Row


def adapt(row: Row) -> Row:
    """Return a row with `lot`, 8 hexadecimal digits of the SHA-256 of its problem's text.

    Rows below some lot are a random sample that needs no seed, no order and no list of ids, and
    that keeps problems with the same text together.
    """
    lot = hashlib.sha256(str(row["problem"]).encode()).hexdigest()[:8]
    return {**row, "lot": lot}
