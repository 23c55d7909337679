"""Benchmarks that passk generates from a seed."""

from __future__ import annotations

from typing import Any

from passk import registry
from passk.errors import SpecError
from passk.spec import Benchmark


def read_rows(benchmark: Benchmark) -> list[dict[str, Any]]:
    """Return the rows of a generated benchmark.

    Raises:
        SpecError: the generator does not take these arguments.
    """
    name = benchmark.source["generator"]
    generate = registry.load("generator", name, registry.GENERATORS)
    try:
        rows: list[dict[str, Any]] = generate(**benchmark.source.get("arguments", {}))
    except TypeError as error:
        raise SpecError(str(error), where=f"{benchmark.file}: source.arguments") from error
    return rows
