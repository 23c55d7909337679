"""Rows of JSON lines to grade: read with the place of each, and written back with a verdict."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from passk.core.errors import DataError, did_you_mean
from passk.verifiers.grading.dedup import Grade

KEYS = ("problem_id", "gold", "response")
"""What each row to grade has."""

MOST_LISTED = 5
"""Problems that a message lists."""


def read_rows(path: Path, needed: Sequence[str]) -> Iterator[tuple[dict[str, Any], str]]:
    """Yield each row of a JSON-lines file with its `file:line`; blank lines are passed over."""
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                if line.strip():
                    yield _row(line, f"{path}:{number}", needed), f"{path}:{number}"
    except OSError as error:
        raise DataError(f"cannot read: {error.strerror}", where=str(path)) from error


def count_lines(path: Path) -> int:
    """Return how many rows a file has, blank lines left out; 0 where it cannot be read."""
    try:
        with path.open("rb") as file:
            return sum(1 for line in file if not line.isspace())
    except OSError:
        return 0


def _row(line: bytes, where: str, needed: Sequence[str]) -> dict[str, Any]:
    """Return one line as a JSON object that has the keys that grading needs."""
    fix = f"each line is a JSON object with {', '.join(map(repr, needed))}"
    try:
        row = json.loads(line, parse_constant=_null, parse_float=_finite)
    except (ValueError, RecursionError) as error:
        raise DataError(f"not a line of JSON: {error}", where=where) from error
    if not isinstance(row, dict):
        raise DataError("not a JSON object", where=where, fix=fix)
    missing = [key for key in needed if key not in row]
    if missing:
        raise DataError(
            f"missing key {', '.join(map(repr, missing))}; present: {', '.join(row)}",
            where=where,
            fix=fix,
        )
    return row


def _null(_: str) -> None:
    """Read NaN and Infinity, which are no JSON, as null."""


def _finite(text: str) -> float | None:
    """Return a number, or None where it is too large for one (1e400)."""
    value = float(text)
    return value if math.isfinite(value) else None


def gold_of_problem(
    row: dict[str, Any], where: str, golds: Mapping[str, str], check: Callable[[str], object]
) -> str:
    """Return the gold answer of a row's problem as JSON."""
    problem_id = str(row["problem_id"])
    if problem_id not in golds:
        raise DataError(
            f"the benchmark has no problem '{problem_id}'",
            where=where,
            fix=did_you_mean(problem_id, list(golds)[:MOST_LISTED]),
        )
    try:
        check(golds[problem_id])
    except ValueError as error:
        raise DataError(f"the benchmark's gold of '{problem_id}': {error}") from error
    return golds[problem_id]


def gold_of_row(row: dict[str, Any], where: str, check: Callable[[str], object]) -> str:
    """Return the gold answer of a row as JSON."""
    gold = json.dumps(row["gold"])
    try:
        check(gold)
    except ValueError as error:
        raise DataError(f"key 'gold': {error}", where=where) from error
    return gold


def response_text(row: dict[str, Any], where: str) -> str:
    """Return the response of a row; null, a response that never came, is an empty one."""
    response = "" if row["response"] is None else row["response"]
    if not isinstance(response, str):
        raise DataError(f"key 'response': text is needed, not {response!r:.60}", where=where)
    return response


def graded_line(row: dict[str, Any], found: Grade) -> bytes:
    """Return a row with its verdict as one line; lone surrogates go back as escapes."""
    row |= {"verdict": found.verdict, "answer": found.answer}
    row |= {"answer_class": found.answer_class, "detail": found.detail}
    try:
        return json.dumps(row, ensure_ascii=False).encode() + b"\n"
    except UnicodeEncodeError:
        return json.dumps(row).encode() + b"\n"
