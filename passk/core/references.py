"""Responses from elsewhere: JSON lines with a problem's id and a text."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from pathlib import Path

from passk.core.errors import DataError

Reference = tuple[str, str]
"""A problem's id and a response to it."""


def read_references(path: Path, known: Collection[str] | None = None) -> Sequence[Reference]:
    """Return the responses of a JSONL file with `problem_id` and `text`, in its order.

    Args:
        path: the file.
        known: the ids that there are; None takes any.

    Raises:
        DataError: the file cannot be read, or a line lacks a field, names no known problem, or
            says again what another says.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise DataError(f"cannot be read: {reason}", where=str(path)) from error
    rows = [_reference(line, f"{path}:{number}", known) for number, line in enumerate(lines, 1)]
    first: dict[Reference, int] = {}
    for number, row in enumerate(rows, 1):
        if first.setdefault(row, number) != number:
            raise DataError(
                f"the response to '{row[0]}' is in line {first[row]} already",
                where=f"{path}:{number}",
                fix="remove one of the two: a response counts once",
            )
    return rows


def _reference(line: str, where: str, known: Collection[str] | None) -> Reference:
    """Return one line's problem id and text."""
    try:
        row: dict[str, object] = json.loads(line)
        problem_id, text = str(row["problem_id"]), str(row["text"])
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(
            "a line needs `problem_id` and `text`", where=where, fix=f"found: {line[:80]}"
        ) from error
    if known is not None and problem_id not in known:
        raise DataError(f"the benchmark has no problem '{problem_id}'", where=where)
    return problem_id, text
