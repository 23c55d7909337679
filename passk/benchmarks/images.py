"""Images of problems: read from wherever a row has them, and stored by their content."""

from __future__ import annotations

import base64
import binascii
import hashlib
from pathlib import Path
from typing import Any

from passk.benchmarks.base import MissingSourceError
from passk.benchmarks.urls import cached
from passk.core.artifacts import atomic
from passk.core.errors import DataError

SIGNATURES = {b"\x89PNG": "png", b"\xff\xd8\xff": "jpg", b"GIF8": "gif", b"BM": "bmp"}
"""How the content of an image begins -> the ending of its file's name."""


def read_image(value: Any, base: Path | str, *, fetch: bool = True) -> bytes:
    """Return the bytes of one image of a row.

    Args:
        value: bytes, a mapping with `bytes` or `path` (as Parquet files of the hub have it), a
            `data:` URL, or a path relative to `base`.
        base: folder, or URL that ends in a slash.
        fetch: whether what is not cached may be fetched.

    Raises:
        MissingSourceError: there is no such file.
        DataError: the value is no image.
    """
    if isinstance(value, dict):
        value = value.get("bytes") or value.get("path")
    if isinstance(value, bytes):
        return value
    if not isinstance(value, str) or not value:
        raise DataError(f"an image is neither bytes nor a path: {value!r:.60}", where=str(base))
    if value.startswith("data:"):
        try:
            return base64.b64decode(value.partition(",")[2], validate=True)
        except binascii.Error as error:
            raise DataError(f"an image is not base64: {error}", where=str(base)) from error
    remote = isinstance(base, str)
    path = cached(f"{base}{value}", fetch=fetch, where=str(base)) if remote else Path(base) / value
    try:
        return path.read_bytes()
    except OSError as error:
        raise MissingSourceError(
            f"an image cannot be read: {error.strerror}",
            where=str(path),
            fix="put the images there, or name their folder as source.images",
        ) from error


def image_name(content: bytes) -> str:
    """Return an image's name: the digest of its content, and the ending of its format."""
    ending = next((e for start, e in SIGNATURES.items() if content.startswith(start)), None)
    if ending is None:
        ending = "webp" if content[8:12] == b"WEBP" else "bin"
    return f"{hashlib.sha256(content).hexdigest()}.{ending}"


def store_image(content: bytes, folder: Path | None) -> str:
    """Return the path of an image, written to `folder` where it is not there; else its name."""
    name = image_name(content)
    if folder is None:
        return name
    path = folder / name
    if not path.is_file():
        with atomic(path) as temporary:
            temporary.write_bytes(content)
    return str(path)
