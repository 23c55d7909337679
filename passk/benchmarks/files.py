"""Benchmarks in a local file: JSONL, JSON, CSV or Parquet, gzipped as well."""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from passk.errors import DataError
from passk.spec import Benchmark

Rows = list[dict[str, Any]]


def read_rows(benchmark: Benchmark) -> Rows:
    """Return the rows of a benchmark's file.

    Raises:
        DataError: the file is missing, has another sha256 than pinned, or does not parse.
    """
    path = benchmark.source_file
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(
            f"the source cannot be read: {error.strerror}",
            where=f"{benchmark.file}: source.file = {path}",
            fix="put the file there, set the variable in its path, or change source.file",
        ) from error
    pinned, found = benchmark.source.get("sha256"), hashlib.sha256(content).hexdigest()
    if pinned is not None and pinned != found:
        raise DataError(
            f"the source has drifted: sha256 is {found}, pinned is {pinned}",
            where=str(path),
            fix="take the pinned file, or change `sha256`",
        )
    return parse(path, content)


def parse(path: Path, content: bytes) -> Rows:
    """Return the rows of a file's content, by the ending of its name.

    Raises:
        DataError: the ending is unknown or the content does not parse.
    """
    reader = READERS.get(Path(path.name.removesuffix(".gz")).suffix)
    if reader is None:
        raise DataError(
            "the ending of the file's name is not known",
            where=str(path),
            fix=f"use one of {', '.join(READERS)}, with .gz or without",
        )
    try:
        rows = reader(gzip.decompress(content) if path.name.endswith(".gz") else content)
    except (OSError, EOFError, ValueError) as error:
        raise DataError(f"does not parse: {error}", where=str(path)) from error
    for number, row in enumerate(rows, start=1):
        if not isinstance(row, dict):
            raise DataError(f"row {number} is not a mapping of columns", where=str(path))
    return rows


def _jsonl(content: bytes) -> Rows:
    rows = []
    for number, line in enumerate(content.decode("utf-8").split("\n"), start=1):
        if line.strip():
            try:
                rows.append(json.loads(line))
            except ValueError as error:
                raise ValueError(f"line {number} is not JSON: {error}") from error
    return rows


def _json(content: bytes) -> Rows:
    data = json.loads(content)
    return list(data.values()) if isinstance(data, dict) else list(data)


def _csv(content: bytes) -> Rows:
    return list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"))))


def _parquet(content: bytes) -> Rows:
    import pyarrow.parquet as pq

    rows: Rows = pq.read_table(io.BytesIO(content)).to_pylist()
    return rows


READERS: dict[str, Callable[[bytes], Rows]] = {
    ".jsonl": _jsonl,
    ".json": _json,
    ".csv": _csv,
    ".parquet": _parquet,
}
"""Ending of a file's name -> what reads its content."""
