"""Canonical JSON, digests, and the `manifest.json` that says what made an artefact."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, TypedDict, cast

from passk.core.errors import DataError, OutputError
from passk.core.versions import __version__

CHECKSUM = "checksum"
"""Key of a JSON object's digest of all its other keys."""

DIGEST_LENGTH = 8
"""Hexadecimal digits of a digest in a path."""


class Manifest(TypedDict, total=False):
    """What other stages read of a manifest; each stage writes what applies to it, and more."""

    stage: str
    version: int
    fingerprint_inputs: Mapping[str, object]
    engine: str
    vocabulary: str
    tokens_are: str
    device: str
    dtype: str
    samples: Sequence[int]
    responses: int
    tokens: int
    seconds: float
    reused: int
    resumed: int
    drawn_responses: int
    drawn_tokens: int
    selected: int
    draw_seconds: float
    load_seconds: float
    sampling: Mapping[str, Any]
    truncated: int
    refused: int
    failed: int
    unknown_tokens: int
    repeats: int
    expected_repeats: float
    repeats_alarm: bool
    prompts: str
    verifier: Mapping[str, Any]
    sandbox: Mapping[str, Any]
    python: str
    sha256: str
    file: str


def canonical_json(value: object) -> str:
    """Return the one JSON text of `value`: sorted keys, no spaces, no NaN."""
    return json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    )


def digest(value: object) -> str:
    """Return the first hexadecimal digits of the SHA-256 of the canonical JSON of `value`."""
    text = canonical_json(value).encode("utf-8", "surrogatepass")
    return hashlib.sha256(text).hexdigest()[:DIGEST_LENGTH]


def file_digest(path: Path) -> str:
    """Return the SHA-256 of a file's content.

    Raises:
        DataError: the file is missing or cannot be read.
    """
    try:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise DataError(f"cannot read: {error.strerror}", where=str(path)) from error


def output_error(error: OSError, path: Path) -> OutputError:
    """Say in one message what the system refused while `path` was being written."""
    return OutputError(
        f"cannot write: {error.strerror or error}",
        where=str(path),
        fix="free some space or make the folder writable, then run the same command again; "
        "finished work is kept",
    )


@contextmanager
def atomic(path: Path) -> Iterator[Path]:
    """Give a temporary path beside `path`; rename it to `path` when the block ends well.

    Raises:
        OutputError: the disk is full or the folder cannot be written; nothing is left behind.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp")
    except OSError as error:
        raise output_error(error, path) from error
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        temporary.chmod(0o666 & ~_umask())
        with temporary.open("rb") as written:
            os.fsync(written.fileno())
        temporary.replace(path)
    except OSError as error:
        raise output_error(error, path) from error
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


@contextmanager
def atomic_folder(folder: Path) -> Iterator[Path]:
    """Give a temporary folder beside `folder`, and rename it to that when the block ends well.

    A folder that is there already is replaced.

    Raises:
        OutputError: the disk is full or the folder cannot be written; nothing is left behind.
    """
    temporary: Path | None = None
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(
            tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}.", suffix=".tmp")
        )
        yield temporary
        temporary.chmod(0o755)
        if folder.exists():
            shutil.rmtree(folder)
        temporary.replace(folder)
    except OSError as error:
        raise output_error(error, folder) from error
    finally:
        if temporary is not None:
            shutil.rmtree(temporary, ignore_errors=True)


def _umask() -> int:
    """Return the process's umask: mkstemp makes files private, and ours are shared."""
    mask = os.umask(0)
    os.umask(mask)
    return mask


def write_text(path: Path, text: str) -> None:
    """Write `text` to `path` whole or not at all."""
    with atomic(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: Path, value: object) -> None:
    """Write `value` as indented JSON, whole or not at all."""
    write_text(path, json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False) + "\n")


def read_json(path: Path) -> Any:
    """Read a JSON file.

    Raises:
        DataError: the file is missing or is not JSON.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise DataError("no such file", where=str(path)) from error
    except (ValueError, OSError) as error:
        raise DataError(
            f"not readable as JSON: {error}", where=str(path), fix="delete it and run again"
        ) from error


def write_document(path: Path, content: Mapping[str, object]) -> None:
    """Write a JSON object with a checksum of its own content, whole or not at all."""
    plain = json.loads(json.dumps({k: v for k, v in content.items() if k != CHECKSUM}))
    write_json(path, {**plain, CHECKSUM: digest(plain)})


def read_document(path: Path) -> dict[str, Any]:
    """Read a JSON object, without the checksum that it may hold.

    Raises:
        DataError: the file is missing, is not a JSON object, or its checksum is wrong.
    """
    document = read_json(path)
    if not isinstance(document, dict):
        raise DataError("not a JSON object", where=str(path), fix="delete it and run again")
    checksum = document.pop(CHECKSUM, None)
    if checksum is not None and checksum != _digest_or_none(document):
        raise DataError("its checksum is wrong", where=str(path), fix="delete it and run again")
    return document


def _digest_or_none(document: Mapping[str, object]) -> str | None:
    """Return the digest of a JSON object, or None if a number in it has become infinite."""
    try:
        return digest(document)
    except ValueError:
        return None


def manifest_path(path: Path) -> Path:
    """Return the path of an artefact's manifest: `x.parquet` -> `x.manifest.json`."""
    return path.with_name(f"{path.stem}.manifest.json")


def environment(packages: tuple[str, ...] = ()) -> dict[str, object]:
    """Return what a manifest records of the machine and of the packages that did the work."""
    versions = {"passk": __version__}
    for name in packages:
        with suppress(PackageNotFoundError):
            versions[name] = version(name)
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "packages": versions,
    }


def write_manifest(path: Path, manifest: Mapping[str, object]) -> None:
    """Write an artefact's manifest; call it before the artefact itself is renamed."""
    write_document(manifest_path(path), manifest)


def read_manifest(path: Path) -> Manifest | None:
    """Return an artefact's manifest, or None if there is none, or its checksum is wrong."""
    try:
        manifest = read_json(manifest_path(path))
        if isinstance(manifest, dict) and CHECKSUM not in manifest and "sha256" in manifest:
            return None  # the checksum's key is damaged
        return cast("Manifest", read_document(manifest_path(path)))
    except DataError:
        return None


def write_output_manifest(path: Path, outputs: Iterable[Path]) -> None:
    """Write which content a stage gave its outputs; manifests of earlier content are removed.

    Args:
        path: `STAGE-KEY.json`; the key says what the outputs were made for.
        outputs: the files; of a folder every file in it.
    """
    stage = path.name.rpartition("-")[0]
    files = [file for output in outputs for file in ([output] if output.is_file() else _in(output))]
    for old in path.parent.glob(f"{stage}-*.json"):
        old.unlink(missing_ok=True)
    root = path.parent.parent
    digests = {str(file.resolve().relative_to(root.resolve())): file_digest(file) for file in files}
    content = {"stage": stage, "name": path.name, "files": digests, "environment": environment()}
    write_document(path, content)


def read_output_manifest(path: Path) -> dict[str, str]:
    """Return the files that a manifest of a study's folder names -> their SHA-256.

    Raises:
        DataError: it is missing, damaged, or the manifest of something else.
    """
    manifest = read_document(path)
    name, digests = manifest.get("name", path.name), manifest.get("files")
    if name != path.name:
        raise DataError(f"it is the file {name}", where=str(path), fix="delete it and run again")
    if not isinstance(digests, dict):
        raise DataError("it is not a manifest", where=str(path), fix="delete it and run again")
    return digests


def _in(folder: Path) -> list[Path]:
    """Return every file below a folder, sorted."""
    return sorted(path for path in folder.rglob("*") if path.is_file())
