"""Columns that no other format has a place for, exported under one more key.

With it an exported file can be imported again without loss; other tools ignore it.
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from passk.core.artifacts import atomic
from passk.core.errors import DataError
from passk.core.row_files import Row
from passk.core.schemas import Sample, Verdict
from passk.interop.base import Graded

KEY = "passk"
"""The key."""

SAMPLE_FIELDS = tuple(f.name for f in dataclasses.fields(Sample) if f.name != "problem_id")
VERDICT_FIELDS = tuple(
    f.name for f in dataclasses.fields(Verdict) if f.name not in {"problem_id", "sample"}
)


def roundtrip_fields(row: Graded, native: str) -> dict[str, Any]:
    """Return the columns of a response and its verdict; its text only if it is not `native`."""
    sample, verdict = row
    values = ((name, getattr(sample, name)) for name in SAMPLE_FIELDS)
    fields = {name: _plain(value) for name, value in values if value is not None}
    if fields["text"] == native:
        del fields["text"]
    if verdict is not None:
        fields["graded"] = {name: _plain(getattr(verdict, name)) for name in VERDICT_FIELDS}
    return fields


def _plain(value: Any) -> Any:
    """Return a value as JSON: nan and infinities as text."""
    return repr(value) if isinstance(value, float) and not math.isfinite(value) else value


def roundtrip_list(row: Row, count: int) -> list[Any]:
    """Return the stored columns of each of a row's responses; Nones if there are none.

    Raises:
        DataError: their number differs.
    """
    stored = row.values.get(KEY)
    if stored is None:
        return [None] * count
    if not isinstance(stored, list) or len(stored) != count:
        raise DataError(
            f"key '{KEY}' is not a list of {count}", where=row.location, fix="export again"
        )
    return stored


def restore_sample(problem_id: str, text: str, stored: Mapping[str, Any], location: str) -> Sample:
    """Return the response that passk exported.

    Raises:
        DataError: a column is missing or of another type.
    """
    made: Sample = _restore(Sample, {"text": text, **stored}, {"problem_id": problem_id}, location)
    return made


def restore_verdict(sample: Sample, stored: Mapping[str, Any], location: str) -> Verdict | None:
    """Return the verdict that passk exported, if any."""
    if "graded" not in stored:
        return None
    known = {"problem_id": sample.problem_id, "sample": sample.sample}
    made: Verdict = _restore(Verdict, stored["graded"], known, location)
    return made


def _restore(
    kind: type[Any], stored: Mapping[str, Any], known: Mapping[str, Any], location: str
) -> Any:
    """Return a row from stored columns."""
    values = dict(known)
    for field in dataclasses.fields(kind):
        if field.name in known or (field.name not in stored and _optional(field)):
            continue
        try:
            value = stored[field.name]
            values[field.name] = float(value) if field.type == "float" else value
        except (KeyError, TypeError, ValueError) as error:
            raise DataError(
                f"key '{KEY}': {error!r}", where=location, fix="export again"
            ) from error
    return kind(**values)


def _optional(field: dataclasses.Field[Any]) -> bool:
    """Return whether a column has a default."""
    return field.default is not dataclasses.MISSING


def write_lines(path: Path, rows: Iterable[Mapping[str, Any]]) -> Path:
    """Write JSON lines atomically, in ASCII."""
    with atomic(path) as temporary, temporary.open("w", encoding="ascii", newline="\n") as stream:
        for row in rows:
            stream.write(json.dumps(row) + "\n")
    return path


def write_array(path: Path, rows: Iterable[Mapping[str, Any]]) -> Path:
    """Write one JSON array atomically, a row at a time."""
    with atomic(path) as temporary, temporary.open("w", encoding="ascii", newline="\n") as stream:
        for index, row in enumerate(rows):
            stream.write((",\n" if index else "[\n") + json.dumps(row))
        stream.write("\n]\n" if stream.tell() else "[]\n")
    return path


def is_correct(row: Graded) -> bool:
    """Return whether a response is graded correct."""
    return row[1] is not None and row[1].verdict == "correct"


def answers(rows: Sequence[Graded]) -> list[str]:
    """Return the extracted answers; empty if there is none."""
    return [(row[1].answer or "") if row[1] else "" for row in rows]
