"""List the benchmarks of a catalogue, and which are available locally."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from passk.benchmarks.base import describe_source
from passk.benchmarks.source import find_source, unpinned
from passk.core.errors import DataError
from passk.spec.loading import load_benchmark
from passk.spec.models import Benchmark


def list_benchmarks(folders: Iterable[Path]) -> list[dict[str, Any]]:
    """Return facts on the benchmarks of some folders as plain JSON; the first of a name counts."""
    files: dict[str, Path] = {}
    for folder in folders:
        for file in folder.glob("*.yaml"):
            files.setdefault(file.stem, file)
    return [describe(load_benchmark(files[name])) for name in sorted(files)]


def describe(benchmark: Benchmark) -> dict[str, Any]:
    """Return the facts on a benchmark, and which source can be read without a network."""
    try:
        found = describe_source(benchmark, find_source(benchmark, fetch=False)[0])
        state = "present"
    except DataError as error:
        found, state = None, "missing" if "drifted" not in error.what else "drifted"
    return {
        "name": benchmark.name,
        "title": benchmark.title,
        "problems": benchmark.count,
        "n": benchmark.n,
        "verifier": benchmark.verifier,
        "licence": benchmark.licence,
        "citation": benchmark.citation,
        "state": state,
        "source": found,
        "pinned": unpinned(benchmark) is None,
        "file": str(benchmark.file),
        "note": benchmark.note,
    }
