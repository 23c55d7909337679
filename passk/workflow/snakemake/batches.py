"""Jobs that make several files, so that weights load once: shards of a cell, files of a scorer.

A run is a fixed block of files of which those that are missing are made. Its rule names them and
holds no wildcard, which Snakemake prefers; a file that stands is left to the rule with wildcards,
and so is as stale as it ever was. Blocks are numbered from the whole list, so that a job that
reads the plan again (a cluster's) finds its own run whatever was made meanwhile.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from passk.core.artifacts import digest
from passk.spec.models import Model
from passk.workflow.cells import Cell, Scoring
from passk.workflow.plan import Plan

Part = TypeVar("Part")


@dataclass(frozen=True, slots=True)
class SamplingBatch:
    """Missing shards of one cell."""

    name: str
    model: Model
    cell: str
    questions: str
    weights: tuple[str, ...]
    outputs: tuple[str, ...]
    log: str


@dataclass(frozen=True, slots=True)
class ScoringBatch:
    """Missing files of one scorer; entry i of each list belongs to output i."""

    name: str
    model: Model
    tasks: tuple[str, ...]
    questions: tuple[str, ...]
    weights: tuple[str, ...]
    samples: tuple[str, ...]
    outputs: tuple[str, ...]
    log: str


def sampling_batches(plan: Plan) -> Iterator[SamplingBatch]:
    """Yield the runs of several missing shards, by the spec's `jobs.shards`."""
    size = plan.experiment.jobs.shards
    for cell in plan.cells.values():
        files = (
            [] if cell.imported else list(zip(cell.shards(), plan.samples_of(cell), strict=True))
        )
        for number, block in _blocks(files, size):
            yield _sampling_batch(plan, cell, number, block)


def _sampling_batch(
    plan: Plan, cell: Cell, number: int, block: Sequence[tuple[str, str]]
) -> SamplingBatch:
    """Return the run of some shards of a cell."""
    return SamplingBatch(
        name=rule_name("draw_samples", cell.id, number),
        model=cell.model,
        cell=plan.layout.cell(cell.id),
        questions=plan.layout.questions(cell.problems),
        weights=tuple(plan.before_sampling(cell)),
        outputs=tuple(path for _, path in block),
        log=plan.layout.log("sample", f"{cell.id}.batch{number}"),
    )


def scoring_batches(plan: Plan) -> Iterator[ScoringBatch]:
    """Yield the runs of several missing files per scorer, by the spec's `jobs.scores`."""
    scorers: dict[str, list[tuple[tuple[Scoring, str], str]]] = {}
    for scoring in plan.scorings.values():
        files = zip(scoring.shards, plan.scores_of(scoring), strict=True)
        kept = scorers.setdefault(scoring.model.name, [])
        kept.extend(((scoring, shard), path) for shard, path in files)
    for name, all_files in scorers.items():
        for number, block in _blocks(all_files, plan.experiment.jobs.scores):
            yield _scoring_batch(plan, name, number, block)


def _scoring_batch(
    plan: Plan, scorer: str, number: int, block: Sequence[tuple[tuple[Scoring, str], str]]
) -> ScoringBatch:
    """Return the run of some files of a scorer."""
    parts = [part for part, _ in block]
    scorings = [scoring for scoring, _ in parts]
    return ScoringBatch(
        name=rule_name("score_responses", scorer, number),
        model=scorings[0].model,
        tasks=tuple(plan.layout.score_task(s.target, s.scorer) for s in scorings),
        questions=tuple(
            plan.layout.questions(f"{s.use.name}-{s.identity.questions}") for s in scorings
        ),
        weights=scorings[0].weights.markers,
        samples=tuple(plan.layout.samples(s.target, shard) for s, shard in parts),
        outputs=tuple(path for _, path in block),
        log=plan.layout.log("perplexity", f"{scorer}.batch{number}"),
    )


def _blocks(
    files: Iterable[tuple[Part, str]], size: int
) -> Iterator[tuple[int, list[tuple[Part, str]]]]:
    """Yield the number and the missing files of each block in which there are several."""
    kept = list(files)
    for first in range(0, len(kept), size):
        absent = [file for file in kept[first : first + size] if not Path(file[1]).is_file()]
        if len(absent) > 1:
            yield first // size, absent


def rule_name(rule: str, what: str, number: int) -> str:
    """Return a rule's name of letters, digits and _; what comes before __ is the kind of work."""
    return f"{rule}__{re.sub(r'[^A-Za-z0-9]+', '_', what)}_{digest(what)}_{number}"
