"""Types and helpers for reading benchmarks."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from passk.core.errors import DataError
from passk.spec.models import Benchmark

Row = dict[str, Any]
"""A row of a source: its columns by name."""

Source = Mapping[str, Any]
"""A source of a benchmark's rows, as its YAML file describes it."""


class MissingSourceError(DataError):
    """A source that is not available; an alternative of the same benchmark may be."""


class Locator(Protocol):
    """Finds the files of one kind of source."""

    def __call__(self, benchmark: Benchmark, source: Source, *, fetch: bool) -> list[Path]:
        """Return the files of a source, in order; with `fetch`, also over the network.

        Raises:
            MissingSourceError: they do not exist.
            DataError: they exist and differ from what is pinned.
        """
        ...


def resolve_path(benchmark: Benchmark, path: str) -> Path:
    """Return a path from a benchmark's file: relative to that file, with $NAME expanded."""
    return benchmark.file.parent / os.path.expandvars(path)


def describe_source(benchmark: Benchmark, source: Source) -> str:
    """Return a short name of a source, for messages."""
    if "file" in source:
        return str(resolve_path(benchmark, str(source["file"])))
    if "hub" in source:
        return f"{source['hub']}@{source.get('revision', 'newest')}"
    return str(source.get("url") or source.get("package") or source["generator"])


def cache_folder() -> Path:
    """Return the folder of downloaded files: $PASSK_CACHE, or `passk` in the user's cache."""
    named = os.environ.get("PASSK_CACHE")
    if named:
        return Path(named)
    return Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")).expanduser() / "passk"
