"""What the parts of reading a benchmark share."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol

from passk.core.errors import DataError
from passk.spec.models import Benchmark

Row = dict[str, Any]
"""A row of a source: its columns by name."""

Source = Mapping[str, Any]
"""One place that a benchmark's rows can be read from, as its YAML file describes it."""


class MissingSourceError(DataError):
    """A source that is not at hand; another one of the same benchmark may be."""


class Locator(Protocol):
    """What finds the files of one kind of source."""

    def __call__(self, benchmark: Benchmark, source: Source, *, fetch: bool) -> list[Path]:
        """Return the files of a source, in order; with `fetch`, over the network as well.

        Raises:
            MissingSourceError: they are not there.
            DataError: they are there, and are not what is pinned.
        """
        ...


class RowReader(Protocol):
    """What reads the rows of a file."""

    def __call__(self, path: Path) -> Iterator[Row]:
        """Yield the rows of a file as they are read."""
        ...


def expand(benchmark: Benchmark, path: str) -> Path:
    """Return a path of a benchmark's file: beside it where relative; $NAME is expanded."""
    return benchmark.file.parent / os.path.expandvars(path)


def name_of(benchmark: Benchmark, source: Source) -> str:
    """Return a source in a word, for messages."""
    if "file" in source:
        return str(expand(benchmark, str(source["file"])))
    if "hub" in source:
        return f"{source['hub']}@{source.get('revision', 'newest')}"
    return str(source.get("url") or source.get("package") or source["generator"])


def cache_folder() -> Path:
    """Return where fetched files are kept: $PASSK_CACHE, or `passk` in the user's cache."""
    named = os.environ.get("PASSK_CACHE")
    if named:
        return Path(named)
    return Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")).expanduser() / "passk"
