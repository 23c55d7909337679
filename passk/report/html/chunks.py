"""Blocks: parts of the page's data that are read when somebody asks for them.

A block is gzipped and in base64, so that it stands in a script element as text, or in a file
beside the page that a script element loads: a page opened from disk may load nothing else.
"""

from __future__ import annotations

import base64
import json
import re
import tempfile
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

INLINE_BYTES = 2_500_000
"""Bytes of blocks that the page itself holds at the most; the summary stays well below 5 MB."""

_NAME = re.compile(r"[a-z0-9_-]+")


class Block:
    """One block under construction; only its compressed bytes are held.

    Args:
        name: lower-case letters, digits, - and _: it stands in a file name and in a script.
    """

    def __init__(self, name: str) -> None:
        """Begin an empty block."""
        if not _NAME.fullmatch(name):
            raise ValueError(name)
        self.name = name
        self._parts: list[bytes] = []
        # 31: a gzip header without name or time, so that the same rows give the same bytes.
        self._packer = zlib.compressobj(6, zlib.DEFLATED, 31)

    def add(self, value: Any) -> None:
        """Append one line of JSON."""
        line = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False) + "\n"
        self._parts.append(self._packer.compress(line.encode("utf-8", "replace")))

    def text(self) -> str:
        """Return the finished block in base64."""
        self._parts.append(self._packer.flush())
        return base64.b64encode(b"".join(self._parts)).decode("ascii")


def block_of(name: str, lines: Iterable[Any]) -> tuple[str, str]:
    """Return name and text of a block with these lines."""
    block = Block(name)
    for line in lines:
        block.add(line)
    return name, block.text()


def divide(
    tables: Iterable[tuple[str, str]], responses: Iterable[tuple[str, str]], folder: Path
) -> dict[str, str]:
    """Return the blocks that the page holds; write the others into `folder`.

    Tables come first. Responses stand in the page all together or not at all, so that a page
    that was sent alone says in one place what it lacks.

    Args:
        tables: name and text of blocks that the page should hold.
        responses: the same of responses; taken one by one, since they may be large.
        folder: for files beside the page; emptied first, and left out where nothing is in it.
    """
    inside, used = {}, 0
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}-") as name:
        made = Path(name) / "made"
        made.mkdir()
        for key, text in tables:
            if used + len(text) > INLINE_BYTES:
                _write(made, key, text)
            else:
                inside[key] = text
                used += len(text)
        sizes = {}
        for key, text in responses:
            _write(made, key, text)
            sizes[key] = len(text)
        if used + sum(sizes.values()) <= INLINE_BYTES:
            inside.update(_taken_back(made, sizes))
        _replace(made, folder, Path(name) / "old")
    return inside


def _write(folder: Path, name: str, text: str) -> None:
    """Write a block as a script that hands it over."""
    (folder / f"{name}.js").write_text(f'passkBlock("{name}","{text}");\n', encoding="ascii")


def _taken_back(folder: Path, names: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Yield blocks that were written after all, removing their files."""
    for name in names:
        path = folder / f"{name}.js"
        yield name, path.read_text(encoding="ascii").split('"')[3]
        path.unlink()


def _replace(made: Path, folder: Path, old: Path) -> None:
    """Put the new folder in the place of the old one."""
    if folder.exists():
        folder.rename(old)
    if any(made.iterdir()):
        made.rename(folder)
