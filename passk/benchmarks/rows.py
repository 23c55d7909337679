"""From a row of a source to a problem, by the columns that the benchmark's file names."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from passk.benchmarks.base import Row, Source, expand, name_of
from passk.benchmarks.images import read_image, store_image
from passk.core.artifacts import digest
from passk.core.errors import DataError, did_you_mean
from passk.core.schemas import Problem
from passk.spec.models import Benchmark

WHOLE_ROW = "*"
"""Gold column of benchmarks whose verifier reads the row: tests, inputs, a reference solution."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What turns rows into problems.

    Attributes:
        benchmark: the description of the benchmark.
        source: the one of its sources that is read.
        images: folder to store images in; None keeps their names alone.
        text_only: leave images out.
    """

    benchmark: Benchmark
    source: Source
    images: Path | None = None
    text_only: bool = False

    @property
    def columns(self) -> dict[str, str]:
        """The names of the columns, those of the source over those of the benchmark."""
        named = dict(self.benchmark.columns) | dict(self.source.get("columns", {}))
        return {"question": "question", "gold": "gold"} | named

    @property
    def image_base(self) -> Path | str:
        """Where relative paths of images start: a folder, or a URL that ends in a slash."""
        stated = self.source.get("images")
        if "url" in self.source:
            folder = str(self.source["url"]).rpartition("/")[0]
            return f"{(stated or folder).rstrip('/')}/"
        if "file" not in self.source:
            return Path()
        file = expand(self.benchmark, str(self.source["file"]))
        folder_here = file if file.is_dir() else file.parent
        return folder_here / stated if stated else folder_here


def problem_of(reading: Reading, row: Row, number: int) -> Problem:
    """Return one row as a problem; `number` counts the benchmark's rows from 0.

    Raises:
        DataError: the row lacks a column, or an image cannot be read.
    """
    columns = reading.columns
    question = str(_column(reading, row, number, columns["question"]))
    gold = _gold(reading, row, number, columns["gold"])
    id_column = columns.get("id", "id")
    if "id" in columns:
        _column(reading, row, number, id_column)
    images = [] if reading.text_only else _images(reading, row)
    return Problem(
        id=str(row.get(id_column, number)),
        question=question,
        gold=gold,
        images=images,
        meta=json.dumps(_meta(reading, row), ensure_ascii=False, sort_keys=True),
        question_digest=digest([question, *(Path(image).stem for image in images)]),
        gold_digest=digest(gold),
    )


def _meta(reading: Reading, row: Row) -> dict[str, Any]:
    """Return the group, cluster, worked examples and worked solution of a row, if it has any."""
    group = row.get(reading.columns.get("group", "group"))
    cluster = row.get(reading.columns["cluster"]) if "cluster" in reading.columns else None
    shots = row.get("shots") or [list(shot) for shot in reading.benchmark.shots]
    named = {"group": group, "cluster": cluster, "solution": _solution(reading, row)}
    known = {name: str(value) for name, value in named.items() if value is not None}
    return known | ({"shots": shots} if shots else {})


def _solution(reading: Reading, row: Row) -> str | None:
    """Return a row's worked solution, if the benchmark declares their column and this one has one.

    Raises:
        DataError: the rows have no such column.
    """
    column = reading.columns.get("solution")
    if column is None:
        return None
    if column not in row:
        raise DataError(
            f"{name_of(reading.benchmark, reading.source)} has no column '{column}' of worked "
            f"solutions; {did_you_mean(column, row)}",
            where=f"{reading.benchmark.file}: columns.solution",
            fix="name the source's own column, or leave `solution` out",
        )
    return str(row[column]) if row[column] else None


def _column(reading: Reading, row: Mapping[str, Any], number: int, column: str) -> Any:
    """Return a row's value in a column, or raise saying which row lacks it."""
    if row.get(column) is None:
        raise DataError(
            f"problem {number + 1} of {name_of(reading.benchmark, reading.source)} "
            f"has no '{column}'; {did_you_mean(column, row)}",
            where=f"{reading.benchmark.file}: columns",
            fix="name the source's own columns under `columns`",
        )
    return row[column]


def _gold(reading: Reading, row: Row, number: int, column: str) -> str:
    """Return a row's gold answer as JSON: of its column, or the row itself where that is `*`."""
    if column == WHOLE_ROW:
        return json.dumps(row, ensure_ascii=False, sort_keys=True)
    gold = _column(reading, row, number, column)
    if isinstance(gold, dict):
        return json.dumps(gold, ensure_ascii=False, sort_keys=True)
    return json.dumps(_plain(gold), ensure_ascii=False)


def _plain(gold: Any) -> Any:
    """Return a gold answer as text, or as a list of texts where several are right."""
    if isinstance(gold, list | tuple):
        return [str(item) for item in gold]
    return str(gold)


def _images(reading: Reading, row: Row) -> list[str]:
    """Return the paths, or names, of a row's images."""
    column = reading.columns.get("images")
    value = row.get(column) if column else None
    if not value:
        return []
    values = value if isinstance(value, list | tuple) else [value]
    contents = (read_image(item, reading.image_base) for item in values)
    return [store_image(content, reading.images) for content in contents]
