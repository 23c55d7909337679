"""Batches: jobs that make several files, so that weights load once.

A batch is a fixed block of files, of which the missing ones are made. Its rule names them and has
no wildcard, so Snakemake prefers it; existing files stay with the wildcard rule. Blocks are
numbered over all files, so a job on a cluster, which reads the plan again, finds its own batch.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from passk.core.artifacts import digest
from passk.spec.models import Model
from passk.workflow.plan import Plan

if TYPE_CHECKING:
    from snakemake.workflow import Workflow


@dataclass(frozen=True, slots=True)
class Batch:
    """Several files that one job makes: shards of one cell, or files of one scorer."""

    name: str
    model: Model
    outputs: tuple[str, ...]
    log: str


def sampling_batches(plan: Plan, is_missing: Callable[[str], bool]) -> Iterator[Batch]:
    """Yield the batches of several missing shards, by the spec's `jobs.shards`."""
    for cell in plan.cells.values():
        files = [] if cell.imported else plan.samples_of(cell)
        for number, block in _blocks(files, plan.experiment.jobs.shards, is_missing):
            name = rule_name("draw_samples", cell.id, number)
            log = plan.layout.log("sample", f"{cell.id}.batch{number}")
            yield Batch(name, cell.model, block, log)


def scoring_batches(plan: Plan, is_missing: Callable[[str], bool]) -> Iterator[Batch]:
    """Yield the batches of several missing files per scorer, by the spec's `jobs.scores`."""
    files: dict[str, list[str]] = {}
    for scoring in plan.scorings.values():
        files.setdefault(scoring.model.name, []).extend(plan.scores_of(scoring))
    for scorer, paths in files.items():
        for number, block in _blocks(paths, plan.experiment.jobs.scores, is_missing):
            name = rule_name("score_responses", scorer, number)
            log = plan.layout.log("perplexity", f"{scorer}.batch{number}")
            yield Batch(name, plan.experiment.models[scorer], block, log)


def _blocks(
    files: Sequence[str], size: int, is_missing: Callable[[str], bool]
) -> Iterator[tuple[int, tuple[str, ...]]]:
    """Yield the number and the missing files of each block that lacks several."""
    for first in range(0, len(files), size):
        missing = tuple(path for path in files[first : first + size] if is_missing(path))
        if len(missing) > 1:
            yield first // size, missing


def rule_name(rule: str, what: str, number: int) -> str:
    """Return a rule's name of letters, digits and _; what comes before __ is the kind of work."""
    return f"{rule}__{re.sub(r'[^A-Za-z0-9]+', '_', what)}_{digest(what)}_{number}"


def apply_rule_options(workflow: Workflow) -> None:
    """Let options of Snakemake that name a rule hold for its batches, too.

    These are `--until`, `--omit-from`, `--set-threads` and `--set-resources`. Snakemake has read
    them before any function of a rule is called, and uses them later.
    """
    settings = workflow.resource_settings
    for rule in workflow.rules:
        kind, is_batch, _ = rule.name.partition("__")
        if not is_batch:
            continue
        for chosen in (workflow.dag.untilrules, workflow.dag.omitrules):
            if kind in chosen:
                chosen.add(rule.name)
        rule.resources.update(settings.overwrite_resources.get(kind, {}))
        if kind in settings.overwrite_threads:
            rule.resources["_cores"] = settings.overwrite_threads[kind]
