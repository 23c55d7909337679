"""Benchmarks that passk generates from a seed."""

from __future__ import annotations

from pathlib import Path

from passk.benchmarks.base import Row, Source
from passk.core import registry
from passk.core.errors import SpecError
from passk.spec.models import Benchmark


def locate(benchmark: Benchmark, source: Source, *, fetch: bool) -> list[Path]:  # noqa: ARG001
    """Return no file: the rows are generated."""
    return []


def generate_rows(benchmark: Benchmark, source: Source) -> list[Row]:
    """Return the rows of a generated benchmark.

    Raises:
        SpecError: the generator does not accept these arguments.
    """
    generate = registry.load("generator", source["generator"], registry.GENERATORS)
    try:
        rows: list[Row] = generate(**source.get("arguments", {}))
    except TypeError as error:
        raise SpecError(str(error), where=f"{benchmark.file}: source.arguments") from error
    return rows
