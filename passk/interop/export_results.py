"""`passk export`: write cells of a spec in the format of another tool."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import pyarrow as pa
import pyarrow.parquet as pq

from passk.core.artifacts import read_manifest, write_json, write_text
from passk.core.errors import DataError, PasskError, did_you_mean
from passk.core.registry import EXPORT_FORMATS, FORMATS, load
from passk.core.schemas import Problem, Sample, Verdict, read_rows
from passk.interop.base import Graded, Group, Writer
from passk.interop.counts import Counts
from passk.interop.formats.dataset import Dataset, card
from passk.workflow import Plan
from passk.workflow.cells import Cell

BATCH = 256
"""Responses of a shard that are in memory at once."""

Row = TypeVar("Row", Sample, Verdict)


def export_cells(
    plan: Plan, format_name: str, output: Path, cells: Sequence[str] = ()
) -> list[Path]:
    """Write cells of a plan, each into a folder of its own.

    Args:
        plan: the experiment.
        format_name: name in `passk.core.registry.EXPORT_FORMATS`, or `counts`.
        output: folder to write.
        cells: ids of the cells; by default all that have responses.

    Returns:
        The files.

    Raises:
        PasskError: a cell does not exist, has no responses, or has none that the format can hold.
        DataError: a file of the store is missing or cannot be read.
        OutputError: a file cannot be written.
    """
    selected = [plan.cell(name) for name in cells] or list(plan.cells.values())
    chosen = [cell for cell in selected if not cell.counts_alone]
    if not chosen:
        raise PasskError("these cells were imported as counts: there are no responses to export")
    writer = _writer(format_name)
    for cell in chosen:
        if writer.code and cell.benchmark.verifier != "code":
            raise PasskError(
                f"'{format_name}' holds programs, and '{cell.use.name}' has none",
                where=cell.id,
                fix="--format qwen-math, lm-eval or hf, or --cell ID of a code benchmark",
            )
    if isinstance(writer, Dataset):
        return export_dataset(plan, chosen, output)
    files = []
    for cell in chosen:
        folder = output / cell.id
        files += writer.write(read_groups(plan, cell), folder)
        write_json(folder / "passk_manifest.json", _provenance(plan, cell))
        files.append(folder / "passk_manifest.json")
    return files


def export_dataset(
    plan: Plan, cells: Sequence[Cell], output: Path, more: Mapping[str, str] | None = None
) -> list[Path]:
    """Write cells as a dataset folder with its card, and return the files.

    Args:
        plan: the experiment.
        cells: cells with responses.
        output: folder to write.
        more: further parts of the dataset: name -> file in the folder.
    """
    files = [
        path
        for cell in cells
        for path in Dataset().write(read_groups(plan, cell), output / "data" / cell.id)
    ]
    configs = {cell.id: f"data/{cell.id}/train.parquet" for cell in cells}
    facts = {"licence": _licence(cells), "cells": [_provenance(plan, cell) for cell in cells]}
    name = plan.experiment.name
    write_text(output / "README.md", card(name, {**configs, **(more or {})}, facts))
    return [*files, output / "README.md"]


def _writer(name: str) -> Writer:
    """Return what writes a format.

    Raises:
        PasskError: the format is unknown or can only be imported.
    """
    if name == "counts":
        return Counts()
    if name not in EXPORT_FORMATS:
        known = (*EXPORT_FORMATS, "counts")
        raise PasskError(f"no export format '{name}'", fix=did_you_mean(name, known))
    writer: Writer = load("format", name, FORMATS)()
    return writer


def _licence(cells: Sequence[Cell]) -> str:
    """Return the licences: each benchmark's, and a note on the responses'."""
    found = {cell.benchmark.title: cell.benchmark.licence or "not stated" for cell in cells}
    listed = "; ".join(f"{title}: {licence}" for title, licence in found.items())
    return f"Problems: {listed}. Responses: see the licences of the models."


def _provenance(plan: Plan, cell: Cell) -> dict[str, Any]:
    """Return the provenance of a cell, from its manifests."""
    samples = plan.samples_of(cell)
    manifest = dict(read_manifest(Path(samples[0])) or {})
    names = ("engine", "device", "dtype", "environment", "execution")
    return {
        "cell": cell.id,
        "model": cell.model.name,
        "benchmark": cell.use.name,
        "licence": cell.benchmark.licence,
        "citation": cell.benchmark.citation,
        "n": cell.use.n,
        "fields": dict(cell.fingerprint_inputs),
        "imported_from": cell.imported.format if cell.imported else None,
        **{name: manifest[name] for name in names if name in manifest},
    }


def read_groups(plan: Plan, cell: Cell) -> Iterator[Group]:
    """Yield each problem of a cell with all its responses, a problem at a time.

    All shards are read in parallel; each has the problems in the same order.
    """
    problems = read_rows(_existing(plan.problems_of(cell)), Problem)
    shards = [
        _Groups(_existing(samples), Path(verdicts))
        for samples, verdicts in zip(plan.samples_of(cell), plan.verdicts_of(cell), strict=True)
    ]
    for position, problem in enumerate(problems):
        rows = [row for shard in shards for row in shard.rows_of(problem.id)]
        selected = [row for row in rows if row[0].sample < cell.use.n]
        if selected:
            yield Group(position, problem, selected)
    left = next((shard for shard in shards if shard.next_group is not None), None)
    if left is not None and left.next_group is not None:
        raise DataError(f"problem '{left.next_group[0]}' is out of order", where=str(left.path))


class _Groups:
    """The responses of one shard, a problem at a time."""

    def __init__(self, samples: Path, verdicts: Path) -> None:
        """Open a shard, with its verdicts where there are any."""
        self.path = samples
        graded = _stream(verdicts, Verdict) if verdicts.is_file() else itertools.repeat(None)
        pairs = zip(_stream(samples, Sample), graded, strict=False)
        self._groups = itertools.groupby(pairs, key=lambda pair: pair[0].problem_id)
        self.next_group = self._next()

    def _next(self) -> tuple[str, list[Graded]] | None:
        """Return the next problem's id and responses; None at the end."""
        found = next(self._groups, None)
        return (
            None if found is None else (found[0], [self._require_pair(pair) for pair in found[1]])
        )

    def _require_pair(self, pair: Graded) -> Graded:
        """Return a response with its verdict, or raise if the verdict is another's."""
        sample, verdict = pair
        if verdict is not None and (verdict.problem_id, verdict.sample) != (
            sample.problem_id,
            sample.sample,
        ):
            raise DataError("the verdicts are those of other responses", where=str(self.path))
        return pair

    def rows_of(self, problem_id: str) -> list[Graded]:
        """Return the responses to a problem if it is the next one, else none."""
        if self.next_group is None or self.next_group[0] != problem_id:
            return []
        rows, self.next_group = self.next_group[1], self._next()
        return rows


def _existing(path: str) -> Path:
    """Return a path, or raise if the file does not exist yet."""
    if not Path(path).is_file():
        raise DataError("does not exist yet", where=path, fix="run the study first")
    return Path(path)


def _stream(path: Path, kind: type[Row]) -> Iterator[Row]:
    """Yield the rows of a Parquet file, a batch at a time."""
    try:
        for batch in pq.ParquetFile(path).iter_batches(BATCH):
            yield from (kind(**row) for row in batch.to_pylist())
    except (OSError, pa.ArrowException, TypeError) as error:
        reason = str(error).splitlines()[0]
        raise DataError(f"not a readable file: {reason}", where=str(path)) from error
