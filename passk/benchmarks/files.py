"""Benchmarks in files: JSONL, JSON, CSV or Parquet, also gzipped; a file, folder or pattern."""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, cast

from passk.benchmarks.base import MissingSourceError, Row, RowReader, Source, resolve_path
from passk.core.errors import DataError
from passk.spec.models import Benchmark


def locate(benchmark: Benchmark, source: Source, *, fetch: bool) -> list[Path]:  # noqa: ARG001
    """Return the file of a source, or the files of its folder or pattern.

    Raises:
        MissingSourceError: there is no such file.
    """
    path = resolve_path(benchmark, str(source["file"]))
    if path.is_dir():
        found = sorted(child for child in path.iterdir() if file_ending(child) in READERS)
    elif any(sign in path.name for sign in "*?["):
        found = sorted(path.parent.glob(path.name))
    else:
        found = [path] if path.is_file() and os.access(path, os.R_OK) else []
    if not found:
        reason = "permission denied" if path.is_file() else "No such file or directory"
        raise MissingSourceError(
            f"the source cannot be read: {reason}",
            where=f"{benchmark.file}: source.file = {path}",
            fix="put the file there, set the variable in its path, or change source.file",
        )
    return found


def check_hash(path: Path, pinned: str) -> None:
    """Raise if a file's content differs from its pinned digest.

    Raises:
        DataError: naming both digests.
    """
    with path.open("rb") as stream:
        found = hashlib.file_digest(stream, "sha256").hexdigest()
    if found != pinned:
        raise DataError(
            f"the source has drifted: sha256 is {found}, pinned is {pinned}",
            where=str(path),
            fix="use the pinned file, or change `sha256`",
        )


def file_ending(path: Path) -> str:
    """Return the ending of a file's name, without `.gz`.

    >>> file_ending(Path("a.b.jsonl.gz"))
    '.jsonl'
    """
    return Path(path.name.removesuffix(".gz")).suffix


def read_rows(path: Path) -> Iterator[Row]:
    """Yield the rows of a file, by the ending of its name, as they are read.

    Raises:
        DataError: the ending is unknown, or the content does not parse.
    """
    reader = READERS.get(file_ending(path))
    if reader is None:
        raise DataError(
            "the ending of the file's name is unknown",
            where=str(path),
            fix=f"use one of {', '.join(READERS)}, with .gz or without",
        )
    number = 0
    try:
        for number, row in enumerate(reader(path), start=1):
            if not isinstance(row, dict):
                raise DataError(f"row {number} is not a mapping of columns", where=str(path))
            yield row
    except (OSError, EOFError, ValueError) as error:
        raise DataError(f"does not parse: {error}", where=str(path)) from error


def _open(path: Path) -> IO[bytes]:
    """Return a file's content as a stream, decompressed."""
    if path.name.endswith(".gz"):
        return cast("IO[bytes]", gzip.open(path, "rb"))
    return path.open("rb")


def _jsonl(path: Path) -> Iterator[Any]:
    """Yield the rows of JSON lines, whose texts may have line separators other than a line feed."""
    with _open(path) as stream:
        for number, line in enumerate(stream, start=1):
            if line.strip():
                try:
                    yield json.loads(line)
                except ValueError as error:
                    raise ValueError(f"line {number} is not JSON: {error}") from error


def _json(path: Path) -> Iterator[Any]:
    """Yield the items of a JSON list, or the values of a mapping."""
    with _open(path) as stream:
        data = json.load(stream)
    yield from data.values() if isinstance(data, dict) else data


def _csv(path: Path) -> Iterator[Any]:
    """Yield the rows of a CSV file with a header."""
    with io.TextIOWrapper(_open(path), encoding="utf-8-sig", newline="") as text:
        yield from csv.DictReader(text)


def _parquet(path: Path) -> Iterator[Any]:
    """Yield the rows of a Parquet file, with one batch in memory at a time."""
    import pyarrow.parquet as pq

    with _open(path) as stream:
        content = io.BytesIO(stream.read()) if path.name.endswith(".gz") else stream
        for batch in pq.ParquetFile(content).iter_batches(batch_size=64):
            yield from batch.to_pylist()


READERS: dict[str, RowReader] = {
    ".jsonl": _jsonl,
    ".json": _json,
    ".csv": _csv,
    ".parquet": _parquet,
}
"""Ending of a file's name -> what reads its rows."""
