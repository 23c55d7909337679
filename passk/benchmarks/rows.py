"""Parse rows of a source into problems, by the columns that the benchmark's file names."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from passk.benchmarks.base import Row, Source, describe_source, resolve_path
from passk.benchmarks.images import read_image, store_image
from passk.core.artifacts import digest
from passk.core.errors import DataError, did_you_mean
from passk.core.schemas import Problem
from passk.spec.models import Benchmark

WHOLE_ROW = "*"
"""Gold column of benchmarks whose verifier needs the whole row: tests, reference solution."""


@dataclass(frozen=True, slots=True)
class RowParser:
    """Parses rows into problems.

    Attributes:
        benchmark: the description of the benchmark.
        source: the source that is read.
        images: folder to store images in; None keeps only their names.
        text_only: ignore images.
    """

    benchmark: Benchmark
    source: Source
    images: Path | None = None
    text_only: bool = False

    @property
    def columns(self) -> dict[str, str]:
        """Column names; those of the source override those of the benchmark."""
        named = dict(self.benchmark.columns) | dict(self.source.get("columns", {}))
        return {"question": "question", "gold": "gold"} | named

    @property
    def image_base(self) -> Path | str:
        """Base of relative image paths: a folder, or a URL that ends in a slash."""
        stated = self.source.get("images")
        if "url" in self.source:
            folder = str(self.source["url"]).rpartition("/")[0]
            return f"{(stated or folder).rstrip('/')}/"
        if "file" not in self.source:
            return Path()
        file = resolve_path(self.benchmark, str(self.source["file"]))
        folder_here = file if file.is_dir() else file.parent
        return folder_here / stated if stated else folder_here


def parse_problem(parser: RowParser, row: Row, number: int) -> Problem:
    """Return one row as a problem; `number` is its index from 0.

    Raises:
        DataError: the row lacks a column, or an image cannot be read.
    """
    columns = parser.columns
    question = str(_column(parser, row, number, columns["question"]))
    gold = _gold(parser, row, number, columns["gold"])
    id_column = columns.get("id", "id")
    if "id" in columns:
        _column(parser, row, number, id_column)
    images = [] if parser.text_only else _images(parser, row)
    return Problem(
        id=str(row.get(id_column, number)),
        question=question,
        gold=gold,
        images=images,
        meta=json.dumps(_meta(parser, row), ensure_ascii=False, sort_keys=True),
        question_digest=digest([question, *(Path(image).stem for image in images)]),
        gold_digest=digest(gold),
    )


def _meta(parser: RowParser, row: Row) -> dict[str, Any]:
    """Return the group, cluster, worked examples and worked solution of a row, if it has any."""
    group = row.get(parser.columns.get("group", "group"))
    cluster = row.get(parser.columns["cluster"]) if "cluster" in parser.columns else None
    shots = row.get("shots") or [list(shot) for shot in parser.benchmark.shots]
    named = {"group": group, "cluster": cluster, "solution": _solution(parser, row)}
    known = {name: str(value) for name, value in named.items() if value is not None}
    return known | ({"shots": shots} if shots else {})


def _solution(parser: RowParser, row: Row) -> str | None:
    """Return a row's worked solution, if the benchmark declares their column and this one has one.

    Raises:
        DataError: the rows have no such column.
    """
    column = parser.columns.get("solution")
    if column is None:
        return None
    if column not in row:
        raise DataError(
            f"{describe_source(parser.benchmark, parser.source)} has no column '{column}' "
            f"of worked solutions; {did_you_mean(column, row)}",
            where=f"{parser.benchmark.file}: columns.solution",
            fix="name a column of the source, or omit `solution`",
        )
    return str(row[column]) if row[column] else None


def _column(parser: RowParser, row: Mapping[str, Any], number: int, column: str) -> Any:
    """Return a row's value in a column, or raise if it has none."""
    if row.get(column) is None:
        raise DataError(
            f"problem {number + 1} of {describe_source(parser.benchmark, parser.source)} "
            f"has no '{column}'; {did_you_mean(column, row)}",
            where=f"{parser.benchmark.file}: columns",
            fix="name columns of the source under `columns`",
        )
    return row[column]


def _gold(parser: RowParser, row: Row, number: int, column: str) -> str:
    """Return a row's gold answer as JSON: its column, or the whole row for the column `*`."""
    if column == WHOLE_ROW:
        return json.dumps(row, ensure_ascii=False, sort_keys=True)
    gold = _column(parser, row, number, column)
    if isinstance(gold, dict):
        return json.dumps(gold, ensure_ascii=False, sort_keys=True)
    return json.dumps(_plain(gold), ensure_ascii=False)


def _plain(gold: Any) -> Any:
    """Return a gold answer as text, or as a list of texts if several are correct."""
    if isinstance(gold, list | tuple):
        return [str(item) for item in gold]
    return str(gold)


def _images(parser: RowParser, row: Row) -> list[str]:
    """Return the paths, or names, of a row's images."""
    column = parser.columns.get("images")
    value = row.get(column) if column else None
    if not value:
        return []
    values = value if isinstance(value, list | tuple) else [value]
    contents = (read_image(item, parser.image_base) for item in values)
    return [store_image(content, parser.images) for content in contents]
