"""What the stages after grading read: `plan.json`, and the tables made of it.

`plan.json` says which files belong to which cell; paths in it are relative to its own
folder. Keys that are not known here are left alone.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from passk.core.artifacts import read_document, read_manifest
from passk.core.documents import from_document
from passk.core.errors import DataError
from passk.core.integrity import verify_study_file

if TYPE_CHECKING:
    import pandas as pd

    from passk.stats import Method  # planning needs no numpy

TABLES = (
    "pass_at_k",
    "deltas",
    "summary",
    "problems",
    "coverage",
    "confirmed",
    "judged",
    "cot_pass_at_k",
    "histogram",
    "perplexity",
    "perplexity_contrasts",
    "flows",
    "means",
    "tests",
    "estimates",
    "extrapolation",
    "algorithms",
    "agreement",
    "disagreements",
    "series",
    "series_curves",
    "method_contrasts",
    "training",
    "support",
    "diversity",
    "budget",
    "costs",
    "difficulty",
    "ranks",
    "design",
    "design_power",
)
"""Tables that aggregation writes, each as CSV and Parquet."""

REVIEWED = (
    "reviewed_curves",
    "reviewed_models",
    "reviewed_problems",
    "reviewed_agreement",
    "judge_agreement",
    "cot_corrected",
    "guessable",
)
"""Tables made of reviewers' labels and of the guessing prompt, where a study has them."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One model x benchmark x sampler, and the files that hold its results.

    Attributes:
        id: the cell's id.
        model: name of the model.
        benchmark: name of the benchmark.
        sampler: name of the sampler.
        benchmark_title: what figures call the benchmark.
        label: what figures call it.
        color: a colour that the spec asks for, if any.
        role: base, rl, distilled, instruct or sft.
        algorithm: training algorithm, if any.
        step: training step, if any.
        n: responses per problem.
        base: id of the cell that it is compared with, if any.
        problems: file of Problem rows.
        counts: file of Count rows.
        samples: files of Sample rows.
        verdicts: files of Verdict rows.
        imported: what the responses, or counts, were imported from, if they were.
        foreign: file of Verdict rows that they came with, if any.
        clusters: file of Problem rows whose `meta.cluster` says which belong together, if any.
        temperature: that the responses were drawn at, where the spec says it.
        matched: file with the temperature that entropy matching found, if that decides it.
        series: name of the spec's entry, where it stands for several seeds or steps.
        seed: seed of its training, if it was trained here.
        training: id of that training.
    """

    id: str
    model: str
    benchmark: str
    sampler: str
    n: int
    counts: Path
    benchmark_title: str = ""
    label: str = ""
    color: str | None = None
    role: str = ""
    algorithm: str | None = None
    step: int | None = None
    base: str | None = None
    problems: Path | None = None
    samples: tuple[Path, ...] = ()
    verdicts: tuple[Path, ...] = ()
    imported: str | None = None
    foreign: Path | None = None
    clusters: Path | None = None
    temperature: float | None = None
    matched: Path | None = None
    series: str | None = None
    seed: int | None = None
    training: str | None = None


@dataclass(frozen=True, slots=True)
class Training:
    """One training of the study, and the files that tell what happened at each of its steps.

    Attributes:
        training: its id.
        model: name of the model that came of it, without the step.
        label: what figures call it.
        benchmark: whose problems it is trained on.
        method: GRPO, ..., SFT or distillation.
        series: name of the spec's entry, with neither seed nor step.
        role: rl, sft or distilled.
        seed: what its draws follow from.
        steps: files of TrainingStep rows, in order.
    """

    training: str
    model: str
    method: str
    series: str
    steps: tuple[Path, ...]
    benchmark: str = ""
    label: str = ""
    role: str = ""
    seed: int | None = None


@dataclass(frozen=True, slots=True)
class Confirmation:
    """Fresh draws of the problems that tell a cell from its base.

    Attributes:
        cell: id of the cell.
        base: id of its base.
        n: fresh responses per problem and model, at the most.
        decisions: file of Decision rows.
    """

    cell: str
    base: str
    n: int
    decisions: Path


@dataclass(frozen=True, slots=True)
class Judging:
    """What a judge says of a cell's responses.

    Attributes:
        judge: name of the judge.
        cell: id of the cell.
        votes: replies per response.
        judgements: file of Judgement rows.
    """

    judge: str
    cell: str
    votes: int
    judgements: Path


@dataclass(frozen=True, slots=True)
class Scoring:
    """How likely one scorer finds the responses of one cell, or reference responses.

    Attributes:
        id: the scoring's id.
        scorer: name of the model that scores.
        scorer_label: what figures call it.
        responses_of: what figures call whose responses they are.
        benchmark: name of the benchmark.
        sampler: name of the sampler that drew the responses.
        cell: id of the cell whose responses are scored; None for reference responses.
        reference: name of the reference responses, if it is them.
        problems: file of Problem rows.
        verdicts: files of Verdict rows of the responses.
        files: files of Score rows.
    """

    id: str
    scorer: str
    responses_of: str
    benchmark: str
    files: tuple[Path, ...]
    scorer_label: str = ""
    sampler: str = ""
    cell: str | None = None
    reference: str | None = None
    problems: Path | None = None
    verdicts: tuple[Path, ...] = ()


@dataclass(frozen=True, slots=True)
class Study:
    """One experiment: its cells, its scorings, what is reviewed, and the spec it came from.

    `versions` are those of the stages that read it: a new one makes their outputs stale.

    `interval` is how intervals over problems are made, `extrapolate` the k above n at which a
    fitted model is evaluated, `figures` the kinds of figures to draw (empty: all).
    """

    name: str
    k: tuple[int, ...]
    cells: tuple[Cell, ...]
    scores: tuple[Scoring, ...] = ()
    title: str = ""
    interval: Method = "percentile"
    extrapolate: tuple[int, ...] = ()
    figures: tuple[str, ...] = ()
    spec: Mapping[str, Any] = field(default_factory=dict)
    spec_path: str = ""
    warnings: tuple[str, ...] = ()
    review: Mapping[str, Any] = field(default_factory=dict)
    trainings: tuple[Training, ...] = ()
    confirmations: tuple[Confirmation, ...] = ()
    judgings: tuple[Judging, ...] = ()
    versions: Mapping[str, int] = field(default_factory=dict)

    def cell(self, name: str) -> Cell:
        """Return the cell with this id."""
        return next(cell for cell in self.cells if cell.id == name)

    def benchmarks(self) -> list[str]:
        """Return the names of the benchmarks in the order of the cells."""
        return list(dict.fromkeys(cell.benchmark for cell in self.cells))

    def title_of(self, benchmark: str) -> str:
        """Return what figures call a benchmark."""
        titles = (cell.benchmark_title for cell in self.cells if cell.benchmark == benchmark)
        return next(filter(None, titles), benchmark)

    def pairs(self) -> Iterator[tuple[Cell, Cell]]:
        """Yield each cell that has a base, with that base."""
        known = {cell.id: cell for cell in self.cells}
        for cell in self.cells:
            if cell.base is not None and cell.base in known:
                yield cell, known[cell.base]


PARTS: Mapping[str, type] = {
    "cells": Cell,
    "scores": Scoring,
    "trainings": Training,
    "confirmations": Confirmation,
    "judgings": Judging,
}
"""Fields of a study that name files, and what each of their items is."""


def read_plan(path: Path) -> Study:
    """Read `plan.json`.

    Raises:
        DataError: it is missing, is not JSON, or lacks a field.
    """
    verify_study_file(path, path.parent)
    found = parse_study(read_document(path), str(path))
    return with_paths(found, lambda one: Path(os.path.normpath(path.parent / one)))


def with_paths(study: Study, change: Callable[[Path], Path]) -> Study:
    """Return a study with every path changed."""

    def changed(value: Any) -> Any:
        if isinstance(value, Path):
            return change(value)
        return tuple(map(changed, value)) if isinstance(value, tuple) else value

    def part(one: Any) -> Any:
        return dataclasses.replace(
            one, **{field.name: changed(getattr(one, field.name)) for field in fields(one)}
        )

    parts: dict[str, Any] = {name: tuple(map(part, getattr(study, name))) for name in PARTS}
    return dataclasses.replace(study, **parts)


def parse_study(raw: Mapping[str, Any], where: str) -> Study:
    """Return the study of a plan's JSON; errors as for `read_plan`, at `where`."""
    parts: dict[str, Any] = {
        name: tuple(
            from_document(kind, entry, f"{where}: {name}", ignore_unknown=True)
            for entry in raw.get(name, [])
        )
        for name, kind in PARTS.items()
    }
    if not parts["cells"]:
        raise DataError("the plan has no cells", where=where)
    return from_document(Study, {**raw, **parts}, where, ignore_unknown=True)


def read_study_table(folder: Path, name: str) -> pd.DataFrame:
    """Read one of the tables that aggregation wrote.

    Raises:
        DataError: it is not there or cannot be read.
    """
    import pandas as pd

    path = folder / f"{name}.parquet"
    verify_study_file(path, folder.parent)
    try:
        return pd.read_parquet(path)
    except FileNotFoundError as error:
        raise DataError("no such table", where=str(path), fix="run aggregate first") from error
    except (ValueError, OSError) as error:
        raise DataError(f"not a readable table: {error}", where=str(path)) from error


def load(folder: str | Path) -> dict[str, pd.DataFrame]:
    """Return every table of an experiment by name, as in `load("outputs/x")["pass_at_k"]`.

    Args:
        folder: the experiment's folder, or the folder of tables in it.

    Raises:
        DataError: a table is not there or cannot be read.
    """
    path = Path(folder)
    tables = path / "tables" if (path / "tables").is_dir() else path
    return {name: read_study_table(tables, name) for name in TABLES}


def manifests(study: Study) -> list[dict[str, Any]]:
    """Return the manifests beside the sample and score files, in order, where there are any."""
    files = [path for cell in study.cells for path in cell.samples]
    files += [path for scoring in study.scores for path in scoring.files]
    found = (read_manifest(path) for path in dict.fromkeys(files))
    return [dict(manifest) for manifest in found if manifest is not None]
