"""Checksums: a manifest holds its file's path and SHA-256, which are verified on reading.

Parquet pages have checksums of their own, and a file's metadata holds a copy of its manifest, from
which a lost one is written again. A damaged file of the store is set aside, so that the workflow
makes it again.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from passk.core.artifacts import (
    Manifest,
    file_digest,
    manifest_path,
    read_document,
    read_manifest,
    read_output_manifest,
    write_document,
    write_manifest,
)
from passk.core.errors import DataError

log = logging.getLogger(__name__)

PARTS = {"cells", "problems", "trainings"}
"""Folders of the store whose Parquet files must have a manifest."""

EMBEDDED = b"passk.manifest"
"""Key of the manifest in the metadata of a Parquet file."""

PATIENCE = 0.5
"""Seconds after which a file that is being replaced is looked at again."""

_verified: dict[str, tuple[int, int, int]] = {}
"""Files that this process has verified -> size, time and inode."""


def stored_path(path: Path) -> str | None:
    """Return a path below the store it is in, or None.

    >>> stored_path(Path("outputs/store/cells/a-1/samples/000000-000004.parquet"))
    'cells/a-1/samples/000000-000004.parquet'
    >>> stored_path(Path("mine.parquet"))
    """
    parts = path.parts
    places = [i for i, part in enumerate(parts[:-1]) if part == "store" and parts[i + 1] in PARTS]
    return "/".join(parts[places[-1] + 1 :]) if places else None


def seal(path: Path, manifest: Mapping[str, object], content: Path) -> None:
    """Write the manifest of `path`, with the digest of its new content.

    Args:
        path: the file that the manifest is about.
        manifest: what made it.
        content: where the content is now, before it is renamed to `path`.
    """
    stored = stored_path(path)
    hidden = any(part.startswith(".") for part in path.parent.parts)  # its folder is renamed later
    place = {"file": stored} if stored and not hidden else {}
    write_manifest(path, {**manifest, **place, "sha256": file_digest(content)})


def verify(path: Path) -> None:
    """Raise if a file is not what its manifest says; each version of a file is read once.

    Raises:
        DataError: it is damaged, or another file; in the store it has been set aside.
    """
    stored = stored_path(path)
    try:
        stat = path.stat()
    except OSError:
        return  # whoever reads it says so
    mark = (stat.st_size, stat.st_mtime_ns, stat.st_ino)
    key = str(path.absolute())
    if _verified.get(key) == mark:
        return
    fault = _fault(path, stored)
    if fault is not None:
        time.sleep(PATIENCE)  # its writer renames the file right after the manifest
        fault = _fault(path, stored)
    if fault is not None:
        raise damaged(path, fault)
    _verified[key] = mark


def forget() -> None:
    """Verify every file again when it is next read."""
    _verified.clear()


def _fault(path: Path, stored: str | None) -> str | None:
    """Return what is wrong with a file, or None."""
    if not path.is_file():
        return "it is not a file"
    manifest = read_manifest(path)
    if manifest is None or "sha256" not in manifest:
        if stored is None:
            return None
        manifest = _restore(path)
        if manifest is None:
            return "its manifest is missing or damaged, and the file has no copy of it"
    if manifest["sha256"] != file_digest(path):
        return "its checksum is not the one in its manifest"
    if stored is not None and manifest.get("file", stored) != stored:
        return f"it is the file of {manifest['file']}"
    return None


def _restore(path: Path) -> Manifest | None:
    """Write a lost manifest again from the copy in the file; None if there is no good copy."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            copy = json.loads((file.schema_arrow.metadata or {})[EMBEDDED])
            file.read()
    except (pa.ArrowException, OSError, ValueError, KeyError):
        return None
    log.warning("%s: its manifest was missing or damaged; written again", path)
    seal(path, copy, path)
    return read_manifest(path)


def write_task_file(path: Path, document: Mapping[str, object]) -> None:
    """Write a JSON object with a checksum and, in the store, its path below the store."""
    write_document(path, sealed_task(path, document))


def sealed_task(path: Path, document: Mapping[str, object]) -> dict[str, object]:
    """Return a task file's document with its path below the store, if it is in one."""
    stored = stored_path(path)
    return {**document, "file": stored} if stored else dict(document)


def read_task_file(path: Path) -> dict[str, Any]:
    """Read a JSON object of the store, and verify the checksum and the path in it.

    Raises:
        DataError: it is missing, or damaged, or another file; in the store it has been set aside.
    """
    try:
        document = read_document(path)
    except DataError as error:
        if path.exists():
            raise damaged(path, error.what) from error
        raise
    stored = stored_path(path)
    if stored is not None and document.get("file", stored) != stored:
        raise damaged(path, f"it is the file of {document['file']}")
    return document


def verify_study_file(path: Path, root: Path) -> None:
    """Raise if a file of a study's own folder is not the one that the folder's manifests name.

    Raises:
        DataError: it is damaged, or a manifest is, which has been set aside.
    """
    name = str(path.relative_to(root))
    for manifest in sorted((root / "manifests").glob("*.json")):
        try:
            digests = read_output_manifest(manifest)
        except DataError as error:
            raise set_aside(manifest, error.what) from error
        if path.is_file() and name in digests and digests[name] != file_digest(path):
            raise set_aside(path, "its checksum is not the one in its manifest")


def damaged(path: Path, fault: str) -> DataError:
    """Set a damaged file of the store aside and return the error that says so."""
    if stored_path(path) is None:
        return DataError(
            f"is damaged: {fault}", where=str(path), fix="restore it, or make it again"
        )
    return set_aside(path, fault)


def set_aside(path: Path, fault: str) -> DataError:
    """Rename a damaged file, and return the error that says so."""
    aside = path.with_name(f"{path.name}.damaged")
    with suppress(OSError):
        path.replace(aside)
        beside = manifest_path(path)
        beside.replace(beside.with_name(f"{beside.name}.damaged"))
    return DataError(
        f"was damaged and is set aside as {aside.name}: {fault}",
        where=str(path),
        fix="run the same command again: it is made again",
    )
