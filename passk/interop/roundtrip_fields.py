"""What no foreign format has room for: carried under one more key, which its own tools ignore."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from passk.core.artifacts import atomic
from passk.core.errors import DataError
from passk.core.schemas import Sample, Verdict
from passk.interop.base import Graded

KEY = "passk"
"""The key that holds them."""

SAMPLE_FIELDS = tuple(f.name for f in dataclasses.fields(Sample) if f.name != "problem_id")
VERDICT_FIELDS = tuple(
    f.name for f in dataclasses.fields(Verdict) if f.name not in {"problem_id", "sample"}
)


def own_fields(row: Graded, native: str) -> dict[str, Any]:
    """Return the columns of a response and its verdict; its text only where it is not `native`."""
    sample, verdict = row
    fields = {name: _plain(getattr(sample, name)) for name in SAMPLE_FIELDS}
    if fields["text"] == native:
        del fields["text"]
    if verdict is not None:
        fields["graded"] = {name: _plain(getattr(verdict, name)) for name in VERDICT_FIELDS}
    return fields


def _plain(value: Any) -> Any:
    """Return a value that JSON has: a number that is none as its name."""
    return repr(value) if isinstance(value, float) and not math.isfinite(value) else value


def own_list(row: Mapping[str, Any], count: int, where: str) -> list[Any]:
    """Return what passk had written beside each of a row's responses; Nones where it had not.

    Raises:
        DataError: there is one for another number of responses.
    """
    own = row.get(KEY)
    if own is None:
        return [None] * count
    if not isinstance(own, list) or len(own) != count:
        raise DataError(f"key '{KEY}' is not a list of {count}", where=where, fix="export again")
    return own


def own_sample(problem_id: str, text: str, own: Mapping[str, Any], where: str) -> Sample:
    """Return the response that passk had written.

    Raises:
        DataError: a column is missing or of another kind.
    """
    made: Sample = _rebuilt(Sample, {"text": text, **own}, {"problem_id": problem_id}, where)
    return made


def own_verdict(sample: Sample, own: Mapping[str, Any], where: str) -> Verdict | None:
    """Return the verdict that passk had written, if any."""
    if "graded" not in own:
        return None
    known = {"problem_id": sample.problem_id, "sample": sample.sample}
    made: Verdict = _rebuilt(Verdict, own["graded"], known, where)
    return made


def _rebuilt(kind: type[Any], own: Mapping[str, Any], known: Mapping[str, Any], where: str) -> Any:
    """Return a row of passk's own columns."""
    values = dict(known)
    for field in dataclasses.fields(kind):
        if field.name in known or (field.name not in own and _optional(field)):
            continue
        try:
            value = own[field.name]
            values[field.name] = float(value) if field.type == "float" else value
        except (KeyError, TypeError, ValueError) as error:
            raise DataError(f"key '{KEY}': {error!r}", where=where, fix="export again") from error
    return kind(**values)


def _optional(field: dataclasses.Field[Any]) -> bool:
    """Tell whether a column has a default, as later ones have."""
    return field.default is not dataclasses.MISSING


def write_lines(path: Path, rows: Iterable[Mapping[str, Any]]) -> Path:
    """Write JSON lines, whole or not at all; nothing but ASCII, which every tool reads alike."""
    with atomic(path) as temporary, temporary.open("w", encoding="ascii", newline="\n") as stream:
        for row in rows:
            stream.write(json.dumps(row) + "\n")
    return path


def write_array(path: Path, rows: Iterable[Mapping[str, Any]]) -> Path:
    """Write one JSON array, a row at a time, whole or not at all."""
    with atomic(path) as temporary, temporary.open("w", encoding="ascii", newline="\n") as stream:
        for index, row in enumerate(rows):
            stream.write((",\n" if index else "[\n") + json.dumps(row))
        stream.write("\n]\n" if stream.tell() else "[]\n")
    return path


def is_correct(row: Graded) -> bool:
    """Tell whether a response was found correct."""
    return row[1] is not None and row[1].verdict == "correct"


def answers(rows: Sequence[Graded]) -> list[str]:
    """Return the answers that were extracted; empty where there is none."""
    return [(row[1].answer or "") if row[1] else "" for row in rows]
