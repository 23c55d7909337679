"""What survives the kill of a training: states to resume from, and published checkpoints.

Both are folders that are written atomically. A state names the training that it belongs to
and the check sums of its files: one that is damaged is set aside, and the one before it serves.
"""

from __future__ import annotations

import fcntl
import logging
import re
import shutil
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from passk.core.artifacts import output_error, read_json, write_json
from passk.core.errors import DataError, OutputError

log = logging.getLogger(__name__)

MANIFEST = "manifest.json"
"""Written last into a checkpoint: one that has it is whole."""

STATE_FILE = "state.json"
"""Written last into a state."""

NEWEST = 2
"""States that are kept."""

CHUNK = 1 << 22
"""Bytes that are read at a time."""


def checkpoint(folder: Path, step: int) -> Path:
    """Return the path of a step's checkpoint in the folder of a training."""
    return folder / f"step-{step:06d}"


def is_published(folder: Path, step: int) -> bool:
    """Return whether the checkpoint of a step is complete."""
    return (checkpoint(folder, step) / MANIFEST).is_file()


@contextmanager
def lock_training(folder: Path) -> Iterator[None]:
    """Hold the folder of a training while the block runs: two processes would undo each other.

    Raises:
        OutputError: another process holds it, or it cannot be written.
    """
    path = folder / "state" / "lock"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("ab")
    except OSError as error:
        raise output_error(error, path) from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise OutputError(
                "another process is at this training",
                where=str(folder),
                fix="wait for it, or stop it and run the same command again",
            ) from error
        yield


def states(folder: Path) -> dict[int, Path]:
    """Return the states of a training by step, the newest first."""
    found = {}
    for path in (folder / "state").glob("step-*"):
        if (match := re.fullmatch(r"step-(\d+)", path.name)) and (path / STATE_FILE).is_file():
            found[int(match[1])] = path
    return dict(sorted(found.items(), reverse=True))


def newest_state(folder: Path, key: str, at_most: int) -> tuple[int, Path] | None:
    """Return step and folder of the newest usable state, not after step `at_most`.

    A state of other fields (a training's folder was copied or edited) is no state of this one.
    """
    for step, path in states(folder).items():
        if step > at_most:
            continue
        fault = _fault(path, key)
        if not fault:
            return step, path
        log.warning("%s: not used: %s", path, fault)
    return None


def write_state_manifest(folder: Path, key: str) -> None:
    """Write the state file of a state that is whole."""
    sums = {file.name: _checksum(file) for file in sorted(folder.iterdir())}
    write_json(folder / STATE_FILE, {"training": key, "files": sums})


def prune(folder: Path, keep: int = NEWEST) -> None:
    """Remove all states but the newest, and what a killed process left half written."""
    for path in list(states(folder).values())[keep:]:
        shutil.rmtree(path, ignore_errors=True)
    for place in (folder, folder / "state"):
        for path in place.glob(".step-*.tmp"):
            shutil.rmtree(path, ignore_errors=True)


def _fault(path: Path, key: str) -> str:
    """Return what is wrong with a state, or nothing."""
    try:
        state: dict[str, Any] = read_json(path / STATE_FILE)
        if state["training"] != key:
            return "it belongs to another training"
        for name, known in state["files"].items():
            if _checksum(path / name) != known:
                return f"{name} is damaged"
    except (DataError, OSError, KeyError, TypeError, AttributeError) as error:
        return f"it is damaged ({error})"
    return ""


def _checksum(path: Path) -> list[int]:
    """Return the size and the CRC-32 of a file."""
    size = crc = 0
    with path.open("rb") as file:
        while block := file.read(CHUNK):
            size, crc = size + len(block), zlib.crc32(block, crc)
    return [size, crc]
