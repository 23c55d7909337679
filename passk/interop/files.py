"""Find the files of an import, and the texts in their values."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from passk.core.errors import DataError
from passk.core.row_files import file_ending


def find_files(paths: Sequence[Path], endings: Sequence[str]) -> list[Path]:
    """Return files, the files below folders, and those that patterns match, in natural order.

    Raises:
        DataError: a path does not exist, a folder or pattern has no such file, or a file is
            named twice.
    """
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            files = [file for file in path.rglob("*") if file_ending(file) in endings]
        elif path.exists():
            files = [path]
        else:
            files = [*path.parent.glob(path.name)] if re.search(r"[*?\[]", path.name) else []
        if not files:
            raise DataError(
                "no such file" if not path.is_dir() else f"no file ends in {', '.join(endings)}",
                where=str(path),
            )
        found.extend(sorted(files, key=_natural))
    seen: set[Path] = set()
    for file in found:
        if file.resolve() in seen:
            raise DataError(
                "is named twice: its responses would count twice",
                where=str(file),
                fix="name each file once",
            )
        seen.add(file.resolve())
    return found


def _natural(path: Path) -> list[tuple[int, str]]:
    """Return a sort key by which 2 comes before 10."""
    parts = re.split(r"(\d+)", str(path))
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in parts]


def text_of(value: Any) -> str | None:
    """Return a text, or the text of chat messages and content parts; None for anything else."""
    if isinstance(value, str):
        return value
    if isinstance(value, Mapping):
        return text_of(value.get("text", value.get("content", value.get("prompt"))))
    if isinstance(value, list):
        parts = [part for part in map(text_of, value) if part is not None]
        return "\n".join(parts) if parts else None
    return None
