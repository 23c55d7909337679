"""Blocks: parts of the page's data that are loaded on demand.

A block is gzipped and base64-encoded: as text in a script element of the page, or in a script file
beside it, because a page opened from disk can load nothing else.
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
"""Maximum bytes of blocks inside the page, which keeps the page below 5 MB."""

_NAME = re.compile(r"[a-z0-9_-]+")


class Block:
    """A block being written; only its compressed bytes are held in memory.

    Args:
        name: lower-case letters, digits, - and _, since it is used in a file name and a script.
    """

    def __init__(self, name: str) -> None:
        """Start an empty block."""
        if not _NAME.fullmatch(name):
            raise ValueError(name)
        self.name = name
        self._parts: list[bytes] = []
        # 31: gzip header without name or time, so that equal rows give equal bytes.
        self._packer = zlib.compressobj(6, zlib.DEFLATED, 31)

    def add(self, value: Any) -> None:
        """Append one line of JSON."""
        line = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False) + "\n"
        self._parts.append(self._packer.compress(line.encode("utf-8", "replace")))

    def text(self) -> str:
        """Return the finished block in base64."""
        self._parts.append(self._packer.flush())
        return base64.b64encode(b"".join(self._parts)).decode("ascii")


def make_block(name: str, lines: Iterable[Any]) -> tuple[str, str]:
    """Return name and text of a block with these lines."""
    block = Block(name)
    for line in lines:
        block.add(line)
    return name, block.text()


def distribute_blocks(
    tables: Iterable[tuple[str, str]], responses: Iterable[tuple[str, str]], folder: Path
) -> dict[str, str]:
    """Return the blocks for inside the page; write the others into `folder`.

    Tables come first. Responses are inside the page all together or not at all, so that a page
    sent without its folder misses one thing.

    Args:
        tables: name and text of blocks that should be inside the page.
        responses: the same for responses; consumed one by one, since they may be large.
        folder: for files beside the page; replaced, and absent if no block is outside.
    """
    inside, used = {}, 0
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}-") as name:
        new = Path(name) / "new"
        new.mkdir()
        for key, text in tables:
            if used + len(text) > INLINE_BYTES:
                _write(new, key, text)
            else:
                inside[key] = text
                used += len(text)
        sizes = {}
        for key, text in responses:
            _write(new, key, text)
            sizes[key] = len(text)
        if used + sum(sizes.values()) <= INLINE_BYTES:
            inside.update(_read_back(new, sizes))
        _replace(new, folder, Path(name) / "old")
    return inside


def _write(folder: Path, name: str, text: str) -> None:
    """Write a block as a script that passes it to the page."""
    (folder / f"{name}.js").write_text(f'passkBlock("{name}","{text}");\n', encoding="ascii")


def _read_back(folder: Path, names: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Yield blocks that fit into the page after all, and delete their files."""
    for name in names:
        path = folder / f"{name}.js"
        yield name, path.read_text(encoding="ascii").split('"')[3]
        path.unlink()


def _replace(new: Path, folder: Path, old: Path) -> None:
    """Replace the old folder by the new one."""
    if folder.exists():
        folder.rename(old)
    if any(new.iterdir()):
        new.rename(folder)
