"""`store/format.json`: the format of an outputs folder. Any other format is refused whole."""

from __future__ import annotations

from pathlib import Path

from passk.core.artifacts import read_json, write_json
from passk.core.errors import DataError
from passk.core.versions import __version__
from passk.workflow.paths import Layout

FORMAT = 2
"""Raise it when names, columns or keys of stored files change so that old ones cannot be read."""

FORMAT_1 = ("problems/*/*.recipe.json", "cells/*/*/*.recipe.json", "*/*/recipe.json")
"""Files that only format 1 has, which kept no `format.json`."""


def check_format(layout: Layout) -> None:
    """Raise if the outputs folder was written in another format; an empty or new one is fine.

    Raises:
        DataError: the format is another, or `format.json` cannot be read.
    """
    store = Path(layout.store)
    path = _path(layout)
    if path.is_file():
        document = read_json(path)
        found = document.get("format") if isinstance(document, dict) else None
    else:
        found = 1 if any(any(store.glob(pattern)) for pattern in FORMAT_1) else FORMAT
    if found != FORMAT:
        raise DataError(
            f"this outputs folder has format {found}; passk {__version__} reads format {FORMAT}",
            where=layout.root,
            fix=f"set `outputs:` in the spec to a new folder, or move {layout.root} away; "
            "nothing in it was changed",
        )


def write_format(layout: Layout) -> None:
    """Record the format in an outputs folder that does not say it yet; errors as `check_format`."""
    check_format(layout)
    if not _path(layout).is_file():
        write_json(_path(layout), {"format": FORMAT})


def _path(layout: Layout) -> Path:
    """Return the file that names the format."""
    return Path(layout.store) / "format.json"
