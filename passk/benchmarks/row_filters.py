"""Filter the rows of a source by conditions on columns (`where`).

| condition | is met if the column |
|---|---|
| `free_form`, `3`, `true`, `null` | is this value |
| `{in: [a, b]}` | is one of these |
| `{from: x, to: y}` | is between them, both included; either may be omitted |
| `{empty: true}` | is missing, null, or an empty text or list; with `false`, is not |

Dates are text in ISO form, and `to: 2025-01` takes all of January: text is compared by as many
characters as the end has.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from passk.core.errors import DataError, did_you_mean


def matches(row: Mapping[str, Any], where: Mapping[str, Any]) -> bool:
    """Return whether a row meets every condition.

    >>> matches({"date": "2025-01-31T23:00"}, {"date": {"from": "2024-08", "to": "2025-01"}})
    True

    Raises:
        DataError: the column of a condition does not exist.
    """
    return all(_meets(row, column, condition) for column, condition in where.items())


def _meets(row: Mapping[str, Any], column: str, condition: Any) -> bool:
    """Return whether one column meets its condition."""
    rules = condition if isinstance(condition, Mapping) else {"in": [condition]}
    if column not in row and "empty" not in rules:
        raise DataError(
            f"a row has no column '{column}'; {did_you_mean(column, row)}",
            where="where",
            fix="name a column of the source under `where`",
        )
    value = row.get(column)
    if "empty" in rules and (value is None or value in ("", [], {})) != rules["empty"]:
        return False
    if "in" in rules and value not in rules["in"]:
        return False
    low, high = rules.get("from"), rules.get("to")
    if value is None:
        return low is None and high is None
    return (low is None or _compare(value, low) >= 0) and (
        high is None or _compare(value, high) <= 0
    )


def _compare(value: Any, end: Any) -> int:
    """Return -1, 0 or 1: a value is before, at or after an end of a range."""
    if isinstance(end, int | float) and isinstance(value, int | float):
        return (value > end) - (value < end)
    text, bound = str(value), str(end)
    text = text[: len(bound)]
    return (text > bound) - (text < bound)
