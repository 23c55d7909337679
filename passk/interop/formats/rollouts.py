"""Responses that trainers log: verl's rollouts and validation dumps, TRL's completions.

verl writes `STEP.jsonl` with `input`, `output`, `score` and `step`; TRL writes
`completions_STEP.parquet` with `step`, `prompt`, `completion` and a column per reward function. One
import is one model, so all files must be of one step.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar

from passk.core.errors import DataError
from passk.core.row_files import Row, json_lines, parquet_rows
from passk.core.schemas import VerdictName
from passk.interop.base import ProblemKey, ReadOptions, Response, verdict_of
from passk.interop.files import text_of


def _of_one_step(rows: Iterator[Row], step: Any) -> Iterator[Row]:
    """Yield rows, or raise where the step is another."""
    for row in rows:
        found = row.values.get("step", step)
        if step is not None and found != step:
            raise DataError(
                f"is of step {found}, and an earlier row of step {step}",
                where=row.location,
                fix="import each step as a model of its own",
            )
        step = found
        yield row


def _rows(files: Sequence[Path]) -> Iterator[Row]:
    """Yield the rows of all files."""
    for path in files:
        yield from parquet_rows(path) if path.suffix == ".parquet" else json_lines(path)


class Verl:
    """Reads the rollouts and validation generations of verl."""

    endings: ClassVar = (".jsonl",)

    def read(self, files: Sequence[Path], options: ReadOptions) -> Iterator[Response]:
        """Yield the response of each line; `acc` is the verdict, if the reward reports it."""
        for row in _of_one_step(_rows(files), None):
            yield Response(
                row,
                ProblemKey(prompt=row.get("input", str)),
                row.get("output", (str, type(None))),
                verdict=_verdict(row, row.values.get("acc"), options),
            )


class Trl:
    """Reads the completions that TRL's trainers log."""

    endings: ClassVar = (".parquet",)

    def read(self, files: Sequence[Path], options: ReadOptions) -> Iterator[Response]:
        """Yield the response of each row; `--correct-if` says which reward is a verdict."""
        for row in _of_one_step(_rows(files), None):
            yield Response(
                row,
                ProblemKey(prompt=text_of(row.get("prompt", (str, list))) or ""),
                text_of(row.get("completion", (str, list, type(None)))),
                verdict=_verdict(row, None, options),
            )


def _verdict(row: Row, stated: Any, options: ReadOptions) -> VerdictName | None:
    """Return the verdict of a row: by the user's condition, or as stated with 0 or 1."""
    if options.correct_if:
        return options.correct_if.verdict(row)
    if stated in ("True", "False"):  # a numpy truth value that was written as text
        stated = stated == "True"
    return verdict_of(stated)
