"""Label files: append-only JSON lines, one file per reviewer, synced to disk after each line.

Each line is one keystroke. The last line for a response counts; `label: null` removes the label.
A line that a kill truncated is skipped with a warning, and the next line starts on a new line, so
no other label is lost.
"""

from __future__ import annotations

import errno
import fcntl
import json
import logging
import os
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from io import FileIO
from pathlib import Path
from typing import Literal, Self, get_args

from passk.core.artifacts import output_error
from passk.core.errors import DataError, OutputError
from passk.review.queue import Key

log = logging.getLogger(__name__)

Label = Literal["valid", "flawed", "unsure"]
LABELS: tuple[Label, ...] = get_args(Label)

LabelsByResponse = Mapping[Key, tuple[Label, str]]
"""Response -> current label and note."""


def read_labels(path: Path) -> dict[Key, tuple[Label, str]]:
    """Return the current labels of one reviewer; invalid lines are skipped with a warning.

    Raises:
        DataError: the file cannot be read.
    """
    try:
        lines = path.read_bytes().split(b"\n")
    except OSError as error:
        raise DataError(f"cannot read: {error.strerror}", where=str(path)) from error
    found: dict[Key, tuple[Label, str]] = {}
    for number, line in enumerate(lines, start=1):
        if line.strip() and not _parse_line(found, line):
            log.warning("%s:%d: not a label (truncated?); skipped", path, number)
    return found


def _parse_line(found: dict[Key, tuple[Label, str]], line: bytes) -> bool:
    """Apply one line; return whether it is valid."""
    try:
        row = json.loads(line)
        key = Key(str(row["cell"]), str(row["problem_id"]), int(row["sample"]))
        label, note = row["label"], str(row.get("note") or "")
    except (ValueError, TypeError, KeyError, RecursionError):
        return False
    if label is None:
        found.pop(key, None)
    elif label in LABELS:
        found[key] = (label, note)
    return label is None or label in LABELS


def read_all(paths: Iterable[Path]) -> dict[str, dict[Key, tuple[Label, str]]]:
    """Return the current labels of each reviewer, by the names of their files."""
    return {path.stem: read_labels(path) for path in sorted(paths)}


class LabelFile:
    """One reviewer's label file, open for appending and locked by this process.

    Args:
        path: the file; created if missing.

    Raises:
        OutputError: another process has locked it, or it cannot be written.
        DataError: it cannot be read.
    """

    def __init__(self, path: Path) -> None:
        """Open, lock and read the file."""
        self.path = path
        self._history: list[tuple[Key, tuple[Label, str] | None]] = []
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file: FileIO = path.open("ab+", buffering=0)
        except OSError as error:
            raise output_error(error, path) from error
        self._lock()
        self._end_torn_line()
        self.current = read_labels(path)

    def __enter__(self) -> Self:
        """Return the open file."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close it."""
        self._file.close()

    def add(self, key: Key, label: Label, note: str = "") -> None:
        """Add one label; it is on disk when this returns."""
        self._history.append((key, self.current.get(key)))
        self._write(key, label, note)

    def undo(self) -> Key | None:
        """Undo the latest label of this session; return its response, or None."""
        if not self._history:
            return None
        key, before = self._history[-1]
        self._write(key, *(before or (None, "")))
        self._history.pop()
        return key

    def _write(self, key: Key, label: Label | None, note: str) -> None:
        """Append one line and sync it to disk."""
        now = datetime.now(UTC).isoformat(timespec="seconds")
        row = {**key._asdict(), "label": label, "note": note, "time": now}
        line = json.dumps(row).encode() + b"\n"
        try:
            written = self._file.write(line)
            os.fsync(self._file.fileno())
        except OSError as error:
            raise output_error(error, self.path) from error
        if written != len(line):
            self._end_torn_line()
            raise output_error(OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)), self.path)
        if label is None:
            self.current.pop(key, None)
        else:
            self.current[key] = (label, note)

    def _lock(self) -> None:
        """Lock the file for this process; raise if another process has locked it."""
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            self._file.close()
            raise OutputError(
                "this reviewer's labels are open in another `passk review`",
                where=str(self.path),
                fix="stop that one, or give --reviewer another name",
            ) from error

    def _end_torn_line(self) -> None:
        """Append a newline if a kill truncated the last line."""
        try:
            size = self._file.seek(0, os.SEEK_END)
            if size and os.pread(self._file.fileno(), 1, size - 1) != b"\n":
                self._file.write(b"\n")
        except OSError as error:
            raise output_error(error, self.path) from error
