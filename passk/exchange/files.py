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

from passk.errors import DataError

Row = tuple[dict[str, Any], str]
"""A row and its `file:line`."""

CHUNK = 1 << 16
"""Characters that are read at once of a file that is one JSON value."""

LONGEST_ROW = 1 << 28
"""Bytes above which a line, or characters above which one element, is no longer read."""


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


class Cursor:
    """A place in a file that is one large JSON value, of which a piece is held at a time."""

    def __init__(self, stream: IO[bytes], path: Path) -> None:
        """Start at the beginning of a stream."""
        import codecs

        self._stream, self._path = stream, path
        self._decode = codecs.getincrementaldecoder("utf-8")()
        self._json = json.JSONDecoder()
        self._text, self._at, self._ended, self._line = "", 0, False, 1

    @property
    def where(self) -> str:
        """The place as `file:line`."""
        return f"{self._path}:{self._line}"

    def _more(self, size: int = CHUNK) -> bool:
        """Read on, dropping what lies behind; False at the end of the file."""
        if self._ended:
            return False
        data = self._stream.read(size)
        self._ended = not data
        try:
            text = self._decode.decode(data, final=self._ended)
        except UnicodeDecodeError as error:
            raise DataError(f"not UTF-8: {error}", where=self.where) from error
        self._line += self._text.count("\n", 0, self._at)
        self._text, self._at = self._text[self._at :] + text, 0
        return not self._ended

    def peek(self) -> str:
        """Return the next character that is not blank; empty at the end of the file."""
        while True:
            while self._at < len(self._text) and self._text[self._at] in " \t\r\n\ufeff":
                self._at += 1
            if self._at < len(self._text):
                self._line += self._text.count("\n", 0, self._at)
                self._text, self._at = self._text[self._at :], 0
                return self._text[0]
            if not self._more():
                return ""

    def take(self, wanted: str) -> None:
        """Step over a character, or raise where another one stands."""
        found = self.peek()
        if found != wanted:
            raise DataError(
                f"'{wanted}' is expected, not {found!r}" if found else "ends in the middle",
                where=self.where,
                fix="is the file whole, and of this format?",
            )
        self._at += 1

    def value(self) -> Any:
        """Return the next value, whole."""
        self.peek()
        size = CHUNK
        while True:
            try:
                value, end = self._json.raw_decode(self._text, self._at)
                if end < len(self._text) or self._ended or not self._more():
                    self._at = end
                    return value
            except (ValueError, RecursionError) as error:
                size = min(2 * size, LONGEST_ROW)
                hopeless = len(self._text) > LONGEST_ROW or isinstance(error, RecursionError)
                if hopeless or not self._more(size):
                    raise DataError(
                        f"not JSON: {error}", where=self.where, fix="is the file whole?"
                    ) from error

    def elements(self, close: str) -> Iterator[tuple[Any, str]]:
        """Yield each element of an array whose bracket has been taken, with its place."""
        while self.peek() != close:
            where = self.where
            yield self.value(), where
            self._between(close)
        self._at += 1

    def pairs(self) -> Iterator[tuple[str, str]]:
        """Yield each key of an object whose brace has been taken; the caller takes the value."""
        while self.peek() != "}":
            where, key = self.where, self.value()
            self.take(":")
            yield str(key), where
            self._between("}")
        self._at += 1

    def _between(self, close: str) -> None:
        """Step over the comma between two elements."""
        if self.peek() != close:
            self.take(",")


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
