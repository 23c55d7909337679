"""Benchmarks in files of rows: a file, a folder or a pattern."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from passk.benchmarks.base import MissingSourceError, Source, resolve_path
from passk.core.errors import DataError
from passk.core.row_files import READERS, file_ending
from passk.spec.models import Benchmark

DATA_ENDINGS = tuple(ending for ending in READERS if ending not in {".yaml", ".yml"})
"""Endings of files that have rows wherever they lie; YAML beside them describes benchmarks."""


def locate(benchmark: Benchmark, source: Source, *, fetch: bool) -> list[Path]:  # noqa: ARG001
    """Return the file of a source, or the files of its folder or pattern.

    Raises:
        MissingSourceError: there is no such file.
    """
    path = resolve_path(benchmark, str(source["file"]))
    if path.is_dir():
        found = sorted(child for child in path.iterdir() if file_ending(child) in DATA_ENDINGS)
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
