"""What identifies weights: the content of local files, the pinned revision of anything else."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterable
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TypedDict

from passk.core.artifacts import DIGEST_LENGTH, read_document, write_document
from passk.core.errors import DataError, OutputError

log = logging.getLogger(__name__)

PACKAGE = "package:"
"""Prefix of weights that stand inside an installed Python package."""

ANNOUNCE_ABOVE = 10**8
"""Bytes above which reading weights takes long enough to be announced."""


class Remembered(TypedDict):
    """What a cache knows of a file or folder."""

    stat: list[list[str | int]]
    digest: str


def is_local(weights: str) -> bool:
    """Tell whether weights are a file or folder here, present or not, rather than a hub id."""
    path = Path(weights).expanduser()
    if weights.startswith(PACKAGE):
        return False
    return path.exists() or weights.startswith(("/", ".", "~")) or weights.count("/") != 1


def package_revision(weights: str, revision: str | None) -> str | None:
    """Return the pinned version of a package that holds weights, or else the installed one."""
    if revision is not None:
        return revision
    try:
        return version(weights.removeprefix(PACKAGE))
    except PackageNotFoundError:
        return None


def local_digest(weights: str, cache: Path) -> str | None:
    """Return the digest of a local file's or folder's content, or None where it is missing.

    Content is read once; `cache` remembers it by each file's size, times and inode, so that a
    checkpoint overwritten in place is noticed and an untouched one costs a look at its folder.
    """
    root = Path(weights).expanduser().resolve()
    files = _files(root)
    if not files:
        return None
    stat = [[str(path.relative_to(root)), *_stat(path)] for path in files]
    known = _read_cache(cache)
    entry = known.get(str(root))
    if entry is not None and entry.get("stat") == stat:
        return entry["digest"]
    size = sum(path.stat().st_size for path in files)
    if size > ANNOUNCE_ABOVE:
        log.info("reading %s (%.1f GB) to tell whether it changed", root, size / 1e9)
    found = _content_digest(root, files)
    with suppress(OutputError):  # the next look reads the content again
        write_document(cache, known | {str(root): {"stat": stat, "digest": found}})
    return found


def _files(root: Path) -> list[Path]:
    """Return the files that weights consist of, sorted; hidden ones do not count."""
    if root.is_file():
        return [root]
    return sorted(
        path
        for path in root.rglob("*")
        if path.is_file() and not any(p.startswith(".") for p in path.relative_to(root).parts)
    )


def _stat(path: Path) -> list[int]:
    """Return what changes when a file's content may have."""
    found = path.stat()
    return [found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino]


def _content_digest(root: Path, files: Iterable[Path]) -> str:
    """Return the digest of names and contents."""
    total = hashlib.sha256()
    for path in files:
        with path.open("rb") as stream:
            content = hashlib.file_digest(stream, "sha256").hexdigest()
        total.update(f"{path.relative_to(root)}\0{content}\n".encode())
    return total.hexdigest()[: 2 * DIGEST_LENGTH]


def _read_cache(cache: Path) -> dict[str, Remembered]:
    """Return the remembered digests; an unreadable cache is an empty one."""
    try:
        return read_document(cache)
    except DataError:
        return {}
