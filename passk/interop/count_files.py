"""Files of counts, one row per problem: responses n and correct ones c, of one or more models.

CSV, JSONL, JSON or Parquet, gzipped or not, or CSV or JSONL on standard input (`-`). Column names
are matched loosely (`ALIASES`); every message names file, line and column.
"""

from __future__ import annotations

import gzip
import sys
import tempfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from passk.analysis.count_sets import CountSet, make_count_sets
from passk.core.errors import DataError, did_you_mean
from passk.core.row_files import read_rows

ALIASES: Mapping[str, tuple[str, ...]] = {
    "problem_id": ("problem_id", "id", "idx", "task_id", "question_id", "problem"),
    "n": ("n", "num_samples", "samples", "total"),
    "c": ("c", "correct", "num_correct", "passed"),
    "model": ("model",),
    "seed": ("seed",),
    "benchmark": ("benchmark",),
    "cluster": ("cluster",),
    "question": ("question",),
}
"""Column -> names that it may have in a file; those after `c` may be missing."""

NEEDED = ("problem_id", "n", "c")

MAX_N = 1_000_000
"""Responses per problem above which a number is no count of responses."""

STANDARD_INPUT = "-"

STDIN_NAME = "standard input"

GZIP_MAGIC = b"\x1f\x8b"

PlacedRow = tuple[dict[str, Any], str]
"""A row and its `file:line`."""


@dataclass(frozen=True, slots=True)
class Source:
    """A file of counts and the column of correct responses, if it was named (`FILE:COLUMN`)."""

    path: Path
    correct: str | None = None

    @classmethod
    def parse(cls, text: str) -> Source:
        """Return the source that a command line names."""
        if not Path(text).exists() and ":" in text:
            path, _, column = text.rpartition(":")
            return cls(Path(path), column)
        return cls(Path(text))

    @property
    def name(self) -> str:
        """The model's name where the file has no column for it."""
        return self.correct or self.path.name.partition(".")[0]


def load_count_sets(text: str) -> list[CountSet]:
    """Return the counts of a file, a set per model, seed and benchmark, in order of appearance.

    Args:
        text: path of the file, `-` for standard input, or `FILE:COLUMN` where `COLUMN` has the
            correct responses of one model.

    Raises:
        DataError: a column is missing, a value is no count, or a problem occurs twice.
    """
    source = Source.parse(text)
    if text == STANDARD_INPUT:
        with tempfile.TemporaryDirectory() as folder:
            path = _standard_input(Path(folder))
            try:
                return _load(path, STDIN_NAME, None)
            except DataError as error:
                where = error.where.replace(str(path), STDIN_NAME)
                raise DataError(error.what, where=where, fix=error.fix) from error
    return _load(source.path, source.name, source.correct)


def count_sets_of(counts: Any, name: str) -> list[CountSet]:
    """Return the counts of a path, of a data frame, or of rows that are mappings."""
    if isinstance(counts, str | Path):
        return load_count_sets(str(counts))
    rows: Any = counts.to_dict("records") if hasattr(counts, "to_dict") else counts
    placed = ((dict(row), f"{name}: row {number}") for number, row in enumerate(rows, start=1))
    return make_count_sets(list(_parse_rows(placed, name, None)), name)


def _standard_input(folder: Path) -> Path:
    """Save standard input to a file, with a suffix that fits its first bytes."""
    data = sys.stdin.buffer.read()
    if data.startswith(GZIP_MAGIC):
        try:
            data = gzip.decompress(data)
        except (OSError, EOFError, zlib.error) as error:
            raise DataError(f"not gzip: {error}", where=STDIN_NAME) from error
    kind = {b"{": "jsonl", b"[": "json"}.get(data.lstrip()[:1], "csv")
    path = folder / f"stdin.{kind}"
    path.write_bytes(data)
    return path


def _load(path: Path, name: str, correct: str | None) -> list[CountSet]:
    """Return the counts of a file."""
    if not path.exists():
        raise DataError("no such file", where=str(path))
    rows = list(_parse_rows(_named_rows(path, name), name, correct))
    if not rows:
        raise DataError("has no rows", where=name, fix=f"columns: {', '.join(NEEDED)}")
    return make_count_sets(rows, name)


def _named_rows(path: Path, name: str) -> Iterator[PlacedRow]:
    """Yield the rows of a file; places name standard input, not the copy of it."""
    for row in read_rows(path):
        place = f"{name}:{row.line}" if name == STDIN_NAME else row.location
        yield row.values, place


def _parse_rows(
    rows: Iterator[PlacedRow], name: str, correct: str | None
) -> Iterator[dict[str, Any]]:
    """Yield rows with the names of `ALIASES`, counts as whole numbers."""
    columns: dict[str, str] = {}
    for row, where in rows:
        row = {str(key).strip(): value for key, value in row.items()}  # noqa: PLW2901
        if not columns or any(column not in row for column in columns.values()):
            columns = _columns_of(row, where, correct)
        found: dict[str, Any] = {
            key: "" if row[column] is None else str(row[column]).strip()
            for key, column in columns.items()
        }
        found["n"], found["c"] = (
            whole_number(row[columns[key]], columns[key], where) for key in ("n", "c")
        )
        _check(found, columns, where)
        yield {"model": name, "seed": "", "benchmark": "", "cluster": "", "question": "", **found,
               "where": where}  # fmt: skip


def _columns_of(row: Mapping[str, Any], where: str, correct: str | None) -> dict[str, str]:
    """Return our name -> name in the file for the columns that a row has."""
    lower = {name.lower(): name for name in row}
    found = {}
    for ours, names in ALIASES.items():
        wanted = (correct.lower(),) if ours == "c" and correct else names
        present = next((lower[name] for name in wanted if name in lower), None)
        if present is not None:
            found[ours] = present
        elif ours in NEEDED:
            missing = correct if ours == "c" and correct else ours
            raise DataError(
                f"missing column '{missing}'", where=where, fix=did_you_mean(missing, row)
            )
    return found


def whole_number(value: Any, column: str, where: str) -> int:
    """Return a value as a count: `4`, `4.0` and "4" are 4."""
    try:
        number = float(value) if not isinstance(value, bool) else float("nan")
    except (TypeError, ValueError):
        number = float("nan")
    if not number.is_integer():
        raise DataError(
            f"{column} is {str(value)!r:.40}, not a whole number", where=f"{where} {column}"
        )
    return int(number)


def _check(row: Mapping[str, Any], columns: Mapping[str, str], where: str) -> None:
    """Refuse numbers that cannot be counts of responses."""
    n, c = row["n"], row["c"]
    if not row["problem_id"]:
        raise DataError("no problem id", where=f"{where} {columns['problem_id']}")
    if n < 1:
        message = f"n is {n}; a problem needs one response or more"
        raise DataError(message, where=f"{where} {columns['n']}")
    if n > MAX_N:
        message = f"n is {n}; at most {MAX_N:,} responses per problem can be estimated from"
        raise DataError(message, where=f"{where} {columns['n']}", fix="is the column n?")
    if c < 0:
        message = f"c is {c}; a count cannot be negative"
        raise DataError(message, where=f"{where} {columns['c']}")
    if c > n:
        raise DataError(f"c is {c}, more than n = {n}", where=f"{where} {columns['c']}")


def paired_sets(base: Any, tuned: Any) -> list[CountSet]:
    """Return the counts of a base and of a tuned model, or of its seeds where it is a list."""
    seeds = tuned if isinstance(tuned, list) and not isinstance(tuned[0], dict) else [tuned]
    first = count_sets_of(base, "base")
    others = [count_sets_of(counts, "tuned") for counts in seeds]
    name = others[0][0].model
    first = [replace(one, model="base" if one.model == name else one.model) for one in first]
    if len(others) == 1:
        return [*first, *others[0]]
    return first + [
        replace(one, model=name, seed=str(seed)) for seed, sets in enumerate(others) for one in sets
    ]


def load_comparison(base: str, tuned: Sequence[str], *, seeds: bool = False) -> list[CountSet]:
    """Return the counts of several files, the base's first; models have different names.

    Args:
        base: file of the base, or of several models of which the first is the base.
        tuned: files of the other models.
        seeds: whether these are the seeds of one method.
    """
    first = load_count_sets(base)
    others = [load_count_sets(text) for text in tuned]
    if seeds and others:
        name = others[0][0].model
        return [
            *first,
            *(
                replace(one, model=name, seed=str(i))
                for i, sets in enumerate(others)
                for one in sets
            ),
        ]
    taken = {one.model for one in first}
    found = list(first)
    for text, sets in zip(tuned, others, strict=True):
        rename = len({one.model for one in sets}) == 1 and sets[0].model in taken
        name = unused_name(text, taken) if rename else ""
        found += [replace(one, model=name) if rename else one for one in sets]
        taken |= {name or one.model for one in sets}
    return found


def unused_name(text: str, taken: set[str]) -> str:
    """Return a name for a model whose own name is taken.

    >>> unused_name("runs/grpo/counts.csv", {"counts"})
    'grpo/counts'
    >>> unused_name("counts.csv", {"counts"})
    'counts.csv'
    """
    path = Source.parse(text).path
    folder = path.parent.name
    names = [f"{folder}/{path.name.partition('.')[0]}"] * bool(folder) + [text]
    numbered = (f"{text} ({number})" for number in range(2, 10_000))
    return next(name for name in (*names, *numbered) if name not in taken)
