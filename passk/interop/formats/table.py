"""Plain tables with a row per response; the user maps their columns.

A table that passk exported has our own names for all columns of a response and its verdict.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar

from passk.core.errors import DataError
from passk.core.row_files import READERS, Row, read_rows
from passk.interop.base import FINISH_REASONS, Group, ProblemKey, ReadOptions, Response
from passk.interop.column_mapping import EACH, map_row, parse_verdict
from passk.interop.roundtrip_fields import KEY, roundtrip_fields, write_lines

COLUMNS = (
    "problem_id", "question", "prompt", "position", "text", "answer", "verdict", "finish_reason",
    "model",
)  # fmt: skip
"""Columns that a table may map: `text` or `answer`, and one of the first four."""


class Table:
    """Reads plain tables, and writes JSON lines."""

    endings: ClassVar = tuple(READERS)
    code: ClassVar = False

    def read(self, files: Sequence[Path], options: ReadOptions) -> Iterator[Response]:
        """Yield the response of each row."""
        columns = {name: name for name in COLUMNS if name != "model"} | {KEY: KEY}
        columns = columns | dict(options.columns)
        if any(EACH in path for path in options.columns.values()):
            columns = dict(options.columns)
        required = frozenset(options.columns)
        for path in files:
            for row in read_rows(path):
                if not {"text", "answer"} & {*options.columns, *row.values}:
                    raise DataError(
                        "has neither a response nor an answer",
                        where=row.location,
                        fix="--map text=COLUMN, or --map answer=COLUMN if only answers were stored",
                    )
                verdict = options.correct_if.verdict(row) if options.correct_if else None
                for mapped in map_row(row, columns, required - {"text", "answer"}):
                    if str(mapped.values.get("model", options.model)) == options.model:
                        yield _response(mapped, verdict)

    def write(self, groups: Iterable[Group], folder: Path) -> list[Path]:
        """Write one line per response."""
        rows = (_line(group, index) for group in groups for index in range(len(group.rows)))
        return [write_lines(folder / "responses.jsonl", rows)]


def _response(row: Row, verdict: Any) -> Response:
    """Return a row as a response."""
    text, answer = row.values.get("text"), row.values.get("answer")
    if text is None and answer is not None:
        text = f"\\boxed{{{answer}}}"
    return Response(
        row,
        _key(row),
        text,
        finish_reason=FINISH_REASONS.get(str(row.values.get("finish_reason")), "unknown"),
        verdict=verdict or parse_verdict(row.values.get("verdict"), row.location),
        answer=None if answer is None else str(answer),
        roundtrip=row.values.get(KEY),
    )


def _key(row: Row) -> ProblemKey:
    """Return how a row identifies its problem."""
    names = ("problem_id", "question", "prompt", "position")
    id_, question, prompt, position = (row.values.get(name) for name in names)
    try:
        return ProblemKey(
            id=None if id_ is None else str(id_),
            question=None if question is None else str(question),
            prompt=None if prompt is None else str(prompt),
            position=None if position is None else int(position),
        )
    except ValueError as error:
        raise DataError(
            f"position {position!r:.40} is not an integer", where=row.location
        ) from error


def _line(group: Group, index: int) -> dict[str, Any]:
    """Return one response as a line."""
    sample, verdict = row = group.rows[index]
    return {
        "problem_id": group.problem.id,
        "text": sample.text,
        "verdict": verdict.verdict if verdict else None,
        "answer": verdict.answer if verdict else None,
        "finish_reason": sample.finish_reason,
        KEY: roundtrip_fields(row, sample.text),
    }
