"""One run at a time for each part of the outputs, without a lock that outlives its run.

A run holds the cells, problems, weights and experiments that it will write. The system lets go of
them when the run ends, however it ends, so that the same command goes on after a SIGKILL.
"""

from __future__ import annotations

import atexit
import fcntl
import getpass
import hashlib
import os
import socket
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from io import FileIO
from pathlib import Path
from typing import TypedDict

from passk.core.artifacts import output_error, read_json, write_json
from passk.core.errors import DataError, OutputError
from passk.workflow.paths import Layout

RETRY = "wait until it is done (`passk status SPEC`), then run the same command again"


class Note(TypedDict):
    """What a run says of itself in the store, while it is at work."""

    spec: str
    user: str
    host: str
    pid: int
    since: float
    parts: list[str]


def part_of(path: str, layout: Layout) -> str:
    """Return which part of the outputs a file belongs to.

    >>> part_of("outputs/store/cells/a.b.c-1/samples/000000-000064.parquet", Layout("outputs"))
    'store/cells/1'
    >>> part_of("outputs/rlvr/report.html", Layout("outputs"))
    'rlvr'
    """
    folder = _folder_of(path, layout)
    if folder.startswith(("store/cells/", "store/trainings/")):
        parent, name = folder.rsplit("/", 1)
        return f"{parent}/{name.rpartition('-')[2]}"  # the name before the digest decides nothing
    return folder


def _folder_of(path: str, layout: Layout) -> str:
    """Return the folder of a file's part, as people know it: with the names of a cell."""
    if not Path(path).is_relative_to(layout.root):
        return path
    parts = Path(path).relative_to(layout.root).parts
    return "/".join(parts[:3]) if parts[0] == "store" else parts[0]


def lock_outputs(layout: Layout, outputs: Iterable[str], spec: str, since: float) -> FileIO:
    """Take every part that `outputs` belong to for this process; the file must stay open.

    Args:
        layout: where the outputs stand.
        outputs: files that the run will write.
        spec: the run's spec, for others to read.
        since: when the run looked at what there was (seconds of the epoch).

    Raises:
        OutputError: another run holds one of them, or has finished one since.
    """
    wanted = sorted(set(outputs))
    parts = {part_of(path, layout): _folder_of(path, layout) for path in wanted}
    folder = Path(layout.store) / "runs"
    with ExitStack() as undone:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            file = undone.enter_context(FileIO(folder / "lock", "a"))
            for part, name in sorted(parts.items()):
                _lock_part(file, part, name, folder)
        except OSError as error:
            raise output_error(error, folder) from error
        _refuse_finished(wanted, since)
        _write_note(folder, sorted(parts), spec)
        undone.pop_all()
    return file


def _lock_part(file: FileIO, part: str, name: str, folder: Path) -> None:
    """Lock a part's byte of the lock file; `name` is the part in messages."""
    try:
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, _byte(part))
    except (BlockingIOError, PermissionError) as error:
        holder = next((run for run in read_runs(folder) if part in run["parts"]), None)
        who = "another run" if holder is None else _who(holder)
        raise OutputError(f"{who} is making {name}", where=str(folder), fix=RETRY) from error


def _byte(part: str) -> int:
    """Return a part's place in the lock file: 48 bits of its digest."""
    return int.from_bytes(hashlib.sha256(part.encode()).digest()[:6], "big")


def _who(run: Note) -> str:
    """Say which run it is."""
    return f"{run['user']}'s run of {run['spec']} ({run['host']}, process {run['pid']})"


def _refuse_finished(wanted: Iterable[str], since: float) -> None:
    """Raise where a file was finished by somebody else after this run had looked for it."""
    for path in wanted:
        try:
            made = Path(path).stat().st_mtime
        except OSError:
            continue
        if made > since:
            raise OutputError(
                "finished by another run, just now", where=path, fix="run the same command again"
            )


def _write_note(folder: Path, parts: list[str], spec: str) -> None:
    """Say in a file who holds what, until the process ends."""
    note = folder / f"{socket.gethostname()}-{os.getpid()}.json"
    about: Note = {
        "spec": str(Path(spec).resolve()),
        "user": getpass.getuser(),
        "host": socket.gethostname(),
        "pid": os.getpid(),
        "since": time.time(),
        "parts": parts,
    }
    write_json(note, about)
    atexit.register(note.unlink, missing_ok=True)


def read_runs(folder: Path) -> Iterator[Note]:
    """Yield what runs said of themselves; one that was killed may still be among them."""
    for path in sorted(folder.glob("*.json")):
        try:
            yield read_json(path)
        except DataError:
            continue


def live_runs(layout: Layout) -> list[Note]:
    """Return the active runs, and remove the records of those that were killed.

    A run is alive where somebody holds the byte of one of its parts.
    """
    folder = Path(layout.store) / "runs"
    found = []
    for run in read_runs(folder) if (folder / "lock").exists() else ():
        if _is_locked(folder / "lock", run["parts"]):
            found.append(run)
        else:
            (folder / f"{run['host']}-{run['pid']}.json").unlink(missing_ok=True)
    return found


def _is_locked(lock: Path, parts: list[str]) -> bool:
    """Tell whether another process holds the first of the parts, as a run that lives does.

    Not for the process that holds them: closing the file here would let go of its locks.
    """
    with FileIO(lock, "a") as file:
        for part in parts[:1]:
            try:
                fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, _byte(part))
            except OSError:
                return True
    return False


def describe(run: Note) -> str:
    """Return a run in one line of JSON-free words."""
    return f"{_who(run)}, since {time.strftime('%Y-%m-%d %H:%M', time.localtime(run['since']))}"
