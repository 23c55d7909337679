"""A journal beside an output: finished rows are saved at once, and outlive a killed job.

One JSON line per row after a first line that names what the rows are for. A line that a kill cut
short is dropped and its row made again; rows made with other settings are never reused.
"""

from __future__ import annotations

import dataclasses
import errno
import fcntl
import json
import logging
import os
import time
import zlib
from io import FileIO
from pathlib import Path
from types import TracebackType
from typing import Generic, Self, TypeVar

from passk.core.artifacts import canonical_json, output_error
from passk.core.errors import OutputError
from passk.core.schemas import Sample, Score, Verdict

log = logging.getLogger(__name__)

Row = TypeVar("Row", Sample, Score, Verdict)

SYNC_SECONDS = 5.0
"""A crash of the machine (not of the job) loses at most the rows of this many seconds."""

SEAL = b',"crc32":'
"""What comes before the checksum of a line."""


def journal_path(output: Path) -> Path:
    """Return the path of an output's journal: `x.parquet` -> `x.journal.jsonl`."""
    return output.with_name(f"{output.stem}.journal.jsonl")


class Journal(Generic[Row]):
    """The finished rows of one output, open for more; at most one process holds it.

    Args:
        output: the file that the rows will go into.
        key: digest of what decides the rows.
        row_type: type of the rows.

        wait: wait for a process that holds it instead of raising. A scheduler that takes a node for
            dead starts its jobs elsewhere, while they may be running on.

    Attributes:
        waited: another process held it, and may have finished the output meanwhile.

    Raises:
        OutputError: another process holds it, or it cannot be written.
    """

    def __init__(self, output: Path, key: str, row_type: type[Row], *, wait: bool = False) -> None:
        """Open or begin the journal and read what it holds."""
        self.path = journal_path(output)
        self.rows: dict[tuple[str, int], Row] = {}
        self._row_type: type[Row] = row_type
        self._header = _header(key)
        self._synced = time.monotonic()
        self.waited = False
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._file = self._open(wait=wait)
        except OSError as error:
            raise output_error(error, self.path) from error
        self._recover()

    def __enter__(self) -> Self:
        """Return the open journal."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close it; what it holds stays."""
        self._file.close()

    def append(self, row: Row) -> None:
        """Keep a row: handed to the system at once, forced to disk every few seconds."""
        values = {name: getattr(row, name) for name in _names(self._row_type)}
        line = _seal(json.dumps(values, separators=(",", ":")).encode())
        try:
            self._write(line)
            if time.monotonic() - self._synced > SYNC_SECONDS:
                os.fsync(self._file.fileno())
                self._synced = time.monotonic()
        except OSError as error:
            raise output_error(error, self.path) from error
        self.rows[row.problem_id, row.sample] = row

    def discard(self) -> None:
        """Remove the journal once its rows are in the output."""
        self.path.unlink(missing_ok=True)

    def _open(self, *, wait: bool) -> FileIO:
        """Open the journal and take it for this process.

        Unbuffered: a row is the system's as soon as it is written, and a full disk fails the write
        that met it.
        """
        while True:
            file: FileIO = self.path.open("ab", buffering=0)
            try:
                self._lock(file, wait=wait)
                if _is_at(file, self.path):
                    return file
            except BaseException:
                file.close()
                raise
            file.close()

    def _lock(self, file: FileIO, *, wait: bool) -> None:
        """Take an open journal, or raise where another process has it."""
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            if not wait:
                raise OutputError(
                    "another process is writing this output",
                    where=str(self.path),
                    fix="wait for it, or stop it and run the same command again",
                ) from error
            log.warning("%s: another process is writing it; waiting for it", self.path)
            self.waited = True
            fcntl.flock(file, fcntl.LOCK_EX)

    def _recover(self) -> None:
        """Read the rows of the file and cut off what is not one."""
        try:
            lines = self.path.read_bytes().splitlines(keepends=True)
            kept = self._take_over(lines)
            self._file.truncate(kept)
            if kept == 0:
                self._write(self._header.encode() + b"\n")
        except OSError as error:
            raise output_error(error, self.path) from error

    def _take_over(self, lines: list[bytes]) -> int:
        """Take over the rows of a journal's lines; return the bytes up to the first bad one."""
        if not lines:
            return 0
        if lines[0] != self._header.encode() + b"\n":
            log.warning("%s: rows made with other settings are set aside", self.path)
            return 0
        kept = len(lines[0])
        for number, line in enumerate(lines[1:], start=2):
            row = self._parse(line)
            if row is None:
                log.warning("%s:%d: cut short; drawn again from here", self.path, number)
                break
            kept += len(line)
            self.rows[row.problem_id, row.sample] = row
        return kept

    def _write(self, line: bytes) -> None:
        """Write a line whole, or raise."""
        if self._file.write(line) != len(line):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def _parse(self, line: bytes) -> Row | None:
        """Return the row of a line, or None where the line is not whole."""
        if not line.endswith(b"\n"):
            return None
        content, seal, _ = line.rpartition(SEAL)  # journals of earlier versions have no checksum
        content = content + b"}" if seal else line
        if seal and line != _seal(content):
            return None
        try:
            row: Row = self._row_type(**json.loads(content))
        except (ValueError, TypeError):
            return None
        return row


def _seal(content: bytes) -> bytes:
    """Return the line of a JSON object: a checksum of it is its last key."""
    return content[:-1] + SEAL + f"{zlib.crc32(content)}}}\n".encode()


def _is_at(file: FileIO, path: Path) -> bool:
    """Tell whether a path still leads to an open file: its last holder may have removed it."""
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False


def _names(row_type: type) -> list[str]:
    """Return the names of a row type's fields."""
    return [field.name for field in dataclasses.fields(row_type)]


def finished_rows(output: Path, key: str | None = None) -> int:
    """Return how many whole rows the journal of an output holds; 0 where there is none.

    Args:
        output: the file that the rows will go into.
        key: what the rows must belong to; a journal of anything else will be set aside.
    """
    try:
        with journal_path(output).open("rb") as file:
            header = file.readline()
            if key is not None and header != _header(key).encode() + b"\n":
                return 0
            return sum(1 for line in file if line.endswith(b"\n"))
    except OSError:
        return 0


def _header(key: str) -> str:
    """Return the first line of a journal."""
    return canonical_json({"journal": key})
