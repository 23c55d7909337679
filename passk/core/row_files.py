"""Read rows of files piece by piece: errors give file and line, memory stays bounded."""

from __future__ import annotations

import csv
import gzip
import importlib
import io
import json
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast

from passk.core.errors import DataError
from passk.core.json_stream import JsonStream

MAX_LINE_BYTES = 1 << 28
"""Longest line that is read."""

COMPRESSIONS = (".gz", ".zst")


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a file.

    Attributes:
        values: its columns or keys.
        file: the file.
        line: line, row or item in it.
    """

    values: dict[str, Any]
    file: Path
    line: int | str

    @property
    def location(self) -> str:
        """`file:line`, for messages."""
        return f"{self.file}:{self.line}"

    def get(self, name: str, kind: type | tuple[type, ...]) -> Any:
        """Return the value of a key, or raise if it is missing or of another type."""
        if name not in self.values:
            raise DataError(
                f"missing key '{name}'; present: {', '.join(map(str, list(self.values)[:12]))}",
                where=self.location,
                fix="is the file of this format? `passk import auto` guesses it",
            )
        value = self.values[name]
        if not isinstance(value, kind):
            kinds = kind if isinstance(kind, tuple) else (kind,)
            expected = " or ".join(k.__name__ for k in kinds)
            raise DataError(f"key '{name}' is {value!r:.60}, not {expected}", where=self.location)
        return value

    def lists(self, names: Sequence[str]) -> int:
        """Return the common length of several lists of the row, or raise if they differ."""
        lengths = {name: len(self.get(name, list)) for name in names}
        if len(set(lengths.values())) > 1:
            listed = ", ".join(f"{length} in '{name}'" for name, length in lengths.items())
            raise DataError(f"lists of different lengths: {listed}", where=self.location)
        return next(iter(lengths.values()))


@contextmanager
def open_file(path: Path) -> Iterator[IO[bytes]]:
    """Open a plain, gzip or Zstandard file for reading."""
    try:
        with path.open("rb") as plain:
            if path.suffix == ".gz":
                yield cast("IO[bytes]", gzip.GzipFile(fileobj=plain))
            elif path.suffix == ".zst":
                import pyarrow as pa

                with pa.CompressedInputStream(plain, "zstd") as stream:
                    yield cast("IO[bytes]", io.BufferedReader(cast("io.RawIOBase", stream)))
            else:
                yield plain
    except (OSError, EOFError, zlib.error) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise DataError(
            f"cannot be read: {reason}", where=str(path), fix="is the file complete?"
        ) from error


def file_ending(path: Path) -> str:
    """Return the ending of a file's name, without that of a compression.

    >>> file_ending(Path("a.jsonl.zst"))
    '.jsonl'
    """
    return Path(path.stem).suffix if path.suffix in COMPRESSIONS else path.suffix


def read_rows(path: Path) -> Iterator[Row]:
    """Yield the rows of a table, by the ending of the name.

    Raises:
        DataError: the ending is unknown, or the file is not of that type.
    """
    reader = READERS.get(file_ending(path))
    if reader is None:
        raise DataError(
            "the ending of the file's name is unknown",
            where=str(path),
            fix=f"use one of {', '.join(READERS)}, also compressed ({', '.join(COMPRESSIONS)})",
        )
    yield from reader(path)


def json_lines(path: Path) -> Iterator[Row]:
    """Yield each object of a JSON-lines file; blank lines are skipped."""
    with open_file(path) as stream:
        number = 0
        while line := stream.readline(MAX_LINE_BYTES):
            number += 1
            if line.strip():
                yield _row(_parse(line, f"{path}:{number}"), path, number)


def _parse(line: bytes, location: str) -> Any:
    """Return the value of one line."""
    try:
        return json.loads(line)
    except (ValueError, RecursionError) as error:
        raise DataError(
            f"not a line of JSON: {error}", where=location, fix="is the file complete?"
        ) from error


def _row(value: Any, path: Path, line: int | str) -> Row:
    """Return a JSON object as a row."""
    if not isinstance(value, dict):
        raise DataError(f"not a JSON object but {value!r:.40}", where=f"{path}:{line}")
    return Row(value, path, line)


def json_array(path: Path) -> Iterator[Row]:
    """Yield each object of a file that is one JSON array."""
    with open_file(path) as stream:
        for value, line in JsonStream(stream, path).elements():
            yield _row(value, path, line)


def json_rows(path: Path) -> Iterator[Row]:
    """Yield each object of a JSON array, or of the values of one JSON object."""
    with open_file(path) as stream:
        source = JsonStream(stream, path)
        if source.peek() != "{":
            for value, line in source.elements():
                yield _row(value, path, line)
            return
        for _, line in source.members():
            yield _row(source.value(), path, line)


def csv_rows(path: Path) -> Iterator[Row]:
    """Yield each row of a CSV or TSV file with a header."""
    delimiter = "\t" if file_ending(path) == ".tsv" else ","
    with open_file(path) as stream:
        reader = csv.DictReader(_lines(stream, path), strict=True, delimiter=delimiter)
        try:
            names = list(reader.fieldnames or ())
            if twice := next((name for name in names if names.count(name) > 1), ""):
                raise DataError(f"column '{twice}' occurs twice", where=f"{path}:1")
            for row in reader:
                if None in row or None in row.values():
                    raise DataError(
                        "the number of cells differs from the header",
                        where=f"{path}:{reader.line_num}",
                    )
                yield Row(dict(row), path, reader.line_num)
        except csv.Error as error:
            raise DataError(f"not CSV: {error}", where=f"{path}:{reader.line_num}") from error


def _lines(stream: IO[bytes], path: Path) -> Iterator[str]:
    """Yield the lines of a stream as text."""
    for number, line in enumerate(stream, start=1):
        try:
            yield line.decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError as error:
            raise DataError(f"not UTF-8: {error}", where=f"{path}:{number}") from error


def parquet_rows(path: Path) -> Iterator[Row]:
    """Yield each row of a Parquet file; the line is the row's number."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    number = 0
    try:
        with open_file(path) as stream:
            whole = io.BytesIO(stream.read()) if path.suffix in COMPRESSIONS else stream
            for batch in pq.ParquetFile(whole).iter_batches(256):
                for values in batch.to_pylist():
                    number += 1
                    yield Row(values, path, number)
    except (OSError, pa.ArrowException) as error:
        reason = str(error).splitlines()[0]
        raise DataError(f"not a readable Parquet file: {reason}", where=str(path)) from error


def yaml_rows(path: Path) -> Iterator[Row]:
    """Yield the mapping of a YAML file, or each mapping of its list."""
    import yaml

    with open_file(path) as stream:
        try:
            value = yaml.load(stream, getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506 - both are safe loaders
        except yaml.YAMLError as error:
            reason = " ".join(str(error).split())
            raise DataError(f"not YAML: {reason}", where=str(path)) from error
    for number, item in enumerate(value if isinstance(value, list) else [value], start=1):
        yield _row(item, path, number)


def xlsx_rows(path: Path) -> Iterator[Row]:
    """Yield each row of a workbook's first sheet, by the names in its first row."""
    try:
        openpyxl = importlib.import_module("openpyxl")
    except ModuleNotFoundError as error:
        raise DataError(
            "reading .xlsx needs the package 'openpyxl'",
            where=str(path),
            fix="pip install openpyxl, or save the sheet as CSV",
        ) from error
    try:
        book = openpyxl.load_workbook(path, read_only=True, data_only=True)
    except Exception as error:
        raise DataError(f"not a readable workbook: {error}", where=str(path)) from error
    rows = book.worksheets[0].iter_rows(values_only=True)
    header = [str(name) for name in next(rows, ())]
    for number, values in enumerate(rows, start=2):
        if any(value is not None for value in values):
            yield Row(dict(zip(header, values, strict=False)), path, number)


READERS: dict[str, Callable[[Path], Iterator[Row]]] = {
    ".jsonl": json_lines,
    ".json": json_rows,
    ".csv": csv_rows,
    ".tsv": csv_rows,
    ".parquet": parquet_rows,
    ".yaml": yaml_rows,
    ".yml": yaml_rows,
    ".xlsx": xlsx_rows,
}
"""Ending of a table's name -> what reads its rows."""
