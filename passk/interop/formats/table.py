"""Plain tables: JSONL, JSON, CSV or Parquet with a row per response, columns mapped by the user.

A table that passk wrote has its own names for all columns of a response and its verdict.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from passk.core.errors import DataError
from passk.core.schemas import FinishReason
from passk.interop.base import Group, Key, Options, Response
from passk.interop.column_mapping import mapped, verdict_of
from passk.interop.files import rows_of
from passk.interop.roundtrip_fields import KEY, own_fields, write_lines

COLUMNS = (
    "problem_id", "question", "position", "text", "answer", "verdict", "finish_reason", "model",
)  # fmt: skip
"""What a table may tell of a response; `text` or `answer`, and one of the first three."""

FINISHED: dict[Any, FinishReason] = {"stop": "stop", "length": "length"}


class Table:
    """Reads plain tables, and writes JSON lines."""

    def read(self, files: Sequence[Path], options: Options) -> Iterator[Response]:
        """Yield the response of each row."""
        columns = {name: name for name in COLUMNS} | {KEY: KEY} | dict(options.columns)
        if any("[]" in path for path in options.columns.values()):
            columns = dict(options.columns)
        for path in files:
            for found in rows_of(path):
                for row, where in mapped(found, columns, frozenset(options.columns)):
                    if str(row.get("model", options.model)) == options.model:
                        yield _response(row, where)

    def write(self, groups: Iterable[Group], folder: Path) -> list[Path]:
        """Write one line per response."""
        rows = (_line(group, index) for group in groups for index in range(len(group.rows)))
        return [write_lines(folder / "responses.jsonl", rows)]


def _response(row: Mapping[str, Any], where: str) -> Response:
    """Return a row as a response."""
    text, answer = row.get("text"), row.get("answer")
    if text is None and answer is not None:
        text = f"\\boxed{{{answer}}}"
    if text is None:
        raise DataError(
            "has neither a response nor an answer",
            where=where,
            fix="--map text=COLUMN, or --map answer=COLUMN where only answers were kept",
        )
    return Response(
        where,
        _key(row, where),
        text,
        finish_reason=FINISHED.get(str(row.get("finish_reason")), "unknown"),
        verdict=verdict_of(row.get("verdict"), where),
        answer=None if answer is None else str(answer),
        own=row.get(KEY),
    )


def _key(row: Mapping[str, Any], where: str) -> Key:
    """Return how a row names its problem."""
    id_, question, position = (row.get(name) for name in ("problem_id", "question", "position"))
    try:
        return Key(
            id=None if id_ is None else str(id_),
            questions=() if question is None else (str(question),),
            position=None if position is None else int(position),
        )
    except ValueError as error:
        raise DataError(f"position {position!r:.40} is not a whole number", where=where) from error


def _line(group: Group, index: int) -> dict[str, Any]:
    """Return one response as a line."""
    sample, verdict = row = group.rows[index]
    return {
        "problem_id": group.problem.id,
        "text": sample.text,
        "verdict": verdict.verdict if verdict else None,
        "answer": verdict.answer if verdict else None,
        "finish_reason": sample.finish_reason,
        KEY: own_fields(row, sample.text),
    }
