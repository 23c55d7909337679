"""Benchmarks on the model hub, at a pinned revision."""

from __future__ import annotations

from typing import Any

from passk.errors import DataError
from passk.spec import Benchmark


def read_rows(benchmark: Benchmark) -> list[dict[str, Any]]:
    """Return the rows of a dataset on the hub; its local cache serves offline machines.

    Raises:
        DataError: it is missing, gated, or neither cached nor reachable.
    """
    import datasets

    source = benchmark.source
    try:
        table = datasets.load_dataset(
            source["hub"], source.get("config"), split=source["split"], revision=source["revision"]
        )
    except Exception as error:
        raise DataError(
            f"dataset {source['hub']} at {source['revision']}: {_first_line(error)}",
            where=f"{benchmark.file}: source",
            fix="fetch it once where there is a network (its licence accepted and HF_TOKEN set "
            "where it is gated), or point source.file to a local copy",
        ) from error
    rows: list[dict[str, Any]] = table.to_list()
    return rows


def _first_line(error: Exception) -> str:
    """Return the gist of a library's message."""
    return (str(error) or type(error).__name__).splitlines()[0]
