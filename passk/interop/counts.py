"""Counts per problem without responses: read from tables, and written as CSV."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import ClassVar

from passk.core.artifacts import atomic
from passk.core.errors import DataError
from passk.core.row_files import READERS, Row, read_rows
from passk.interop.base import Group, ProblemKey, ReadOptions
from passk.interop.column_mapping import map_row
from passk.interop.roundtrip_fields import is_correct

COLUMNS = ("problem_id", "question", "position", "model", "n", "c")
"""Columns of a table of counts: which problem, responses, and correct ones among them."""


def read_counts(files: Sequence[Path], options: ReadOptions) -> Iterator[tuple[Row, int, int]]:
    """Yield each row of a model's counts, with its n and c.

    Rows have `n`, `c` and one of `problem_id`, `question` and `position`; where a column `model`
    is mapped or present, only rows of that model are read.

    Raises:
        DataError: a row is not of that form.
    """
    columns = {name: name for name in COLUMNS} | dict(options.columns)
    required = frozenset({"n", "c"}) | frozenset(options.columns)
    for path in files:
        for source in read_rows(path):
            for row in map_row(source, columns, required):
                if str(row.values.get("model", options.model)) == options.model:
                    n, c = _integer(row, "n"), _integer(row, "c")
                    if c > n or n == 0:
                        raise DataError(f"{c} correct of {n} responses", where=row.location)
                    yield row, n, c


def key_of(row: Row) -> ProblemKey:
    """Return how a row identifies its problem."""
    values = row.values
    return ProblemKey(
        id=str(values["problem_id"]) if "problem_id" in values else None,
        question=str(values["question"]) if "question" in values else None,
        position=_integer(row, "position") if "position" in values else None,
    )


def _integer(row: Row, name: str) -> int:
    """Return an integer of a row."""
    value = row.values.get(name)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not str(value).isdecimal():
        raise DataError(f"'{name}' is {value!r:.40}, not an integer", where=row.location)
    return int(str(value))


class Counts:
    """Writes counts per problem, which `read_counts` reads."""

    endings: ClassVar = tuple(READERS)
    code: ClassVar[bool] = False

    def write(self, groups: Iterable[Group], folder: Path) -> list[Path]:
        """Write one CSV row per problem; the model's name is the folder's."""
        path = folder / "counts.csv"
        with atomic(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(["model", "problem_id", "n", "c"])
            for group in groups:
                model = folder.name.partition(".")[0]
                correct = sum(map(is_correct, group.rows))
                writer.writerow([model, group.problem.id, len(group.rows), correct])
        return [path]
