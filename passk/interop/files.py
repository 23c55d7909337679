"""Foreign files read piece by piece: every message names file and line, memory stays bounded."""

from __future__ import annotations

import csv
import gzip
import json
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, cast

from passk.core.errors import DataError
from passk.interop.json_stream import Cursor

Row = tuple[dict[str, Any], str]
"""A row and its `file:line`."""

LONGEST_ROW = 1 << 28
"""Bytes above which a line is no longer read."""


@contextmanager
def opened(path: Path) -> Iterator[IO[bytes]]:
    """Open a file, gzipped or not, for reading."""
    try:
        with path.open("rb") as plain:
            yield cast("IO[bytes]", gzip.GzipFile(fileobj=plain)) if path.suffix == ".gz" else plain
    except (OSError, EOFError, zlib.error) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise DataError(
            f"cannot be read: {reason}", where=str(path), fix="is the file whole?"
        ) from error


def ending(path: Path) -> str:
    """Return the ending of a file's name, without `.gz`."""
    return Path(path.name.removesuffix(".gz")).suffix


def rows_of(path: Path) -> Iterator[Row]:
    """Yield the rows of JSONL, JSON (an array), CSV or Parquet, by the ending of the name.

    Raises:
        DataError: the ending is unknown, or the file is not of that kind.
    """
    readers = {
        ".jsonl": json_lines,
        ".json": json_array,
        ".csv": csv_rows,
        ".parquet": parquet_rows,
    }
    reader = readers.get(ending(path))
    if reader is None:
        raise DataError(
            "the ending of the file's name is not known",
            where=str(path),
            fix=f"use one of {', '.join(readers)}; .gz may follow all but the last",
        )
    yield from reader(path)


def json_lines(path: Path) -> Iterator[Row]:
    """Yield each JSON object of a JSON-lines file; blank lines are passed over."""
    with opened(path) as stream:
        for number in _counting():
            line = stream.readline(LONGEST_ROW)
            if not line:
                return
            if line.strip():
                yield _object(_parsed(line, f"{path}:{number}"), f"{path}:{number}")


def _counting() -> Iterator[int]:
    """Yield 1, 2, 3, ..."""
    number = 0
    while True:
        number += 1
        yield number


def _parsed(line: bytes, where: str) -> Any:
    """Return the value of one line."""
    try:
        return json.loads(line)
    except (ValueError, RecursionError) as error:
        raise DataError(
            f"not a line of JSON: {error}", where=where, fix="is the file whole?"
        ) from error


def _object(value: Any, where: str) -> Row:
    """Return a value that is a JSON object with its place."""
    if not isinstance(value, dict):
        raise DataError(f"not a JSON object but {value!r:.40}", where=where)
    return value, where


def json_array(path: Path) -> Iterator[Row]:
    """Yield each object of a file that is one JSON array."""
    with opened(path) as stream:
        cursor = Cursor(stream, path)
        cursor.take("[")
        for value, where in cursor.elements("]"):
            yield _object(value, where)


def csv_rows(path: Path) -> Iterator[Row]:
    """Yield each row of a CSV file with a header."""
    with opened(path) as stream:
        reader = csv.DictReader(_text(stream, path), strict=True)
        try:
            for row in reader:
                if None in row or None in row.values():
                    raise DataError(
                        "has another number of cells than the header",
                        where=f"{path}:{reader.line_num}",
                    )
                yield dict(row), f"{path}:{reader.line_num}"
        except csv.Error as error:
            raise DataError(f"not CSV: {error}", where=f"{path}:{reader.line_num}") from error


def _text(stream: IO[bytes], path: Path) -> Iterator[str]:
    """Yield the lines of a stream as text."""
    for number, line in enumerate(stream, start=1):
        try:
            yield line.decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError as error:
            raise DataError(f"not UTF-8: {error}", where=f"{path}:{number}") from error


def parquet_rows(path: Path) -> Iterator[Row]:
    """Yield each row of a Parquet file; the place is the row's number."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    number = 0
    try:
        for batch in pq.ParquetFile(path).iter_batches(1024):
            for row in batch.to_pylist():
                number += 1
                yield row, f"{path}:{number}"
    except (OSError, pa.ArrowException) as error:
        reason = str(error).splitlines()[0]
        raise DataError(f"not a readable Parquet file: {reason}", where=str(path)) from error


def field_of(row: dict[str, Any], name: str, where: str, kind: type | tuple[type, ...]) -> Any:
    """Return a key of a row, or raise where it is missing or of another kind."""
    if name not in row:
        raise DataError(
            f"missing key '{name}'; present: {', '.join(map(str, list(row)[:12]))}",
            where=where,
            fix="is this the format that was named?",
        )
    value = row[name]
    if not isinstance(value, kind):
        kinds = kind if isinstance(kind, tuple) else (kind,)
        wanted = " or ".join(k.__name__ for k in kinds)
        raise DataError(f"key '{name}' is {value!r:.60}, not {wanted}", where=where)
    return value


def same_length(row: dict[str, Any], names: Sequence[str], where: str) -> int:
    """Return the length that several lists of a row share, or raise where they differ."""
    lengths = {name: len(row[name]) for name in names}
    if len(set(lengths.values())) > 1:
        listed = ", ".join(f"{length} in '{name}'" for name, length in lengths.items())
        raise DataError(f"lists of different lengths: {listed}", where=where)
    return next(iter(lengths.values()))
