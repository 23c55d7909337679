"""`passk plan`: what is there, what is missing or stale and why, and what is still to be spent."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from passk.core.artifacts import read_json
from passk.core.errors import DataError
from passk.core.journal import finished_rows
from passk.core.progress import duration
from passk.engines.loader import shard_key
from passk.spec.models import Model
from passk.workflow.cells import Cell, Scoring, shard_range
from passk.workflow.confirmations import Confirmation
from passk.workflow.contamination import unseen_overlap
from passk.workflow.files import Build
from passk.workflow.judgings import Judging
from passk.workflow.plan import Plan
from passk.workflow.preflight import describe, find_obstacles
from passk.workflow.resources.cost import Rates, gpus, rates
from passk.workflow.status.detectable import detectable_differences, detectable_line
from passk.workflow.status.report_types import (
    AnalysisReport,
    CellReport,
    FreshReport,
    Left,
    PlanReport,
    ScoreReport,
    TrainingReport,
)
from passk.workflow.status.reusable import reusable_samples, reusable_scores
from passk.workflow.status.sample_warnings import sample_warnings
from passk.workflow.status.training_report import report_training, training_lines
from passk.workflow.status.why_stale import (
    known_cells,
    known_trainings,
    missing,
    why_cell,
    why_verdicts,
)
from passk.workflow.task_files import plan_document

NOTHING_LEFT: Left = {
    "responses_reused": 0,
    "responses_left": 0,
    "tokens_left": 0,
    "hours_left": 0.0,
    "gpu_hours_left": 0.0,
    "bytes_left": 0,
    "basis": "imported",
}
"""What an imported cell still costs."""


def report_plan(plan: Plan, *, local: bool = True) -> PlanReport:
    """Return the state of every part of a plan as plain JSON; nothing is written or run.

    `local`: jobs would run on this machine, whose GPUs and isolation are looked at, too.
    """
    known, trained = known_cells(plan), known_trainings(plan)
    build = Build(plan)
    trainings = [report_training(build, one, trained) for one in plan.trainings.values()]
    cells = [_report_cell(build, cell, known) for cell in plan.cells.values()]
    scores = [_report_scores(build, scoring) for scoring in plan.scorings.values()]
    fresh = [one for c in plan.confirmations.values() for one in _report_fresh(build, c)]
    judged = [_report_judging(build, one) for one in plan.judgings.values()]
    sized = [one for one in (*fresh, *judged) if not one["at_most"]]
    return {
        "name": plan.experiment.name,
        "spec": str(plan.experiment.file),
        "outputs": plan.layout.root,
        "trainings": trainings,
        "cells": cells,
        "scores": scores,
        "confirmations": fresh,
        "judgings": judged,
        "analysis": _report_analysis(build, [*trainings, *cells, *sized], scores),
        "detectable": list(detectable_differences(plan)),
        "files_to_make": dict(Counter(made.rule for made in build.pending.values())),
        "total": _total([*trainings, *cells, *sized, *scores]),
        "obstacles": describe(plan, find_obstacles(plan, local=local)),
        "warnings": [
            *plan.warnings(),
            *sample_warnings(plan),
            *unseen_overlap(plan.cells.values(), plan.trainings.values()),
        ],
    }


def _total(parts: Sequence[Left]) -> Left:
    """Return what all parts together still cost."""
    return {
        "steps_left": sum(part.get("steps_left", 0) for part in parts),
        "responses_reused": sum(part["responses_reused"] for part in parts),
        "responses_left": sum(part["responses_left"] for part in parts),
        "tokens_left": sum(part["tokens_left"] for part in parts),
        "hours_left": sum(part["hours_left"] for part in parts),
        "gpu_hours_left": sum(part["gpu_hours_left"] for part in parts),
        "bytes_left": sum(part["bytes_left"] for part in parts),
    }


def _report_cell(build: Build, cell: Cell, known: Mapping[str, Mapping[str, object]]) -> CellReport:
    """Return one cell's state: present, partial (samples or verdicts missing) or missing."""
    plan, shards = build.plan, cell.shards()
    samples = [plan.counts_of(cell)] if cell.counts_alone else plan.samples_of(cell)
    absent = [path for path in samples if build.is_pending(path)]
    archived = [path for path in missing(samples) if path not in absent]
    ungraded = [path for path in plan.verdicts_of(cell) if build.is_pending(path)]
    uncounted = build.is_pending(plan.counts_of(cell))
    journaled = sum(_journaled(cell, path) for path in absent)
    problems = cell.identity.problems
    wanted = max(0, len(absent) * cell.use.shard * (problems or 0) - journaled)
    reused = 0
    if cell.imported is None:
        reused = min(wanted, reusable_samples(plan, cell, [Path(path).stem for path in absent]))
    cost = rates(plan, cell)
    return {
        "id": cell.id,
        "state": (
            _state(len(absent), len(shards) or 1) if absent or ungraded or uncounted else "present"
        ),
        "why": _why(plan, cell, absent, ungraded, known)
        or ([f"no counts at n = {cell.use.n}"] if uncounted else []),
        "problems": problems,
        "n": cell.use.n,
        "shards": len(shards),
        "shards_missing": len(absent),
        "shards_archived": len(archived),
        "shards_ungraded": len(ungraded),
        "responses": cell.use.n * (problems or 0),
        "responses_journaled": journaled,
        "imported": str(cell.imported.folder) if cell.imported else None,
        **(_left(wanted, reused, cost, cell.model) if cell.imported is None else NOTHING_LEFT),
    }


def _report_fresh(build: Build, one: Confirmation) -> Iterator[FreshReport]:
    """Yield the state of a confirmation's two cells of fresh draws."""
    for cell in (one.fresh, one.fresh_base):
        found = _report_cell(build, cell, {})
        why = "confirms the comparison of" if found["why"] else ""
        found["why"] = [f"{why} '{one.cell.id}' with '{one.base.id}'"] if why else []
        yield {**found, "at_most": one.selected is None}


def _report_judging(build: Build, one: Judging) -> FreshReport:
    """Return the state of a judge's replies."""
    found = _report_cell(build, one.replies, {})
    why = [f"'{one.judge.name}' judges responses of '{one.cell.id}'"] if found["why"] else []
    return {**found, "why": why, "at_most": one.selected is None}


def _journaled(cell: Cell, path: str) -> int:
    """Return how many responses of a missing shard a killed job has left in its journal."""
    if cell.counts_alone:
        return 0
    return finished_rows(
        Path(path), shard_key(cell.fingerprint_inputs, shard_range(Path(path).stem))
    )


def _left(wanted: int, reused: int, cost: Rates, model: Model) -> Left:
    """Return what missing responses still cost; those that are reused cost disk alone."""
    responses = wanted - reused
    hours = responses * cost.seconds / 3600
    return {
        "responses_reused": reused,
        "responses_left": responses,
        "tokens_left": round(responses * cost.tokens),
        "hours_left": hours,
        "gpu_hours_left": hours * gpus(model) if model.engine == "vllm" else 0.0,
        "bytes_left": round(wanted * cost.bytes),
        "basis": cost.basis,
    }


def _state(absent: int, shards: int) -> str:
    """Return the state of a cell that is not present in full."""
    return "missing" if absent == shards else "partial" if absent else "stale"


def _why(
    plan: Plan,
    cell: Cell,
    absent: list[str],
    ungraded: list[str],
    known: Mapping[str, Mapping[str, object]],
) -> list[str]:
    """Return the reasons for which a cell is not present."""
    reasons = []
    shards = cell.shards()
    if cell.imported is not None and absent:
        reasons.append(f"imported from {cell.imported.folder}, to be adopted at no cost")
    elif absent and len(absent) == len(shards):
        reasons.append(why_cell(cell, known))
    elif absent:
        there = [
            s for s, path in zip(shards, plan.samples_of(cell), strict=True) if path not in absent
        ]
        drawn = max(shard_range(shard).stop for shard in there)
        grown = drawn == cell.use.shard * len(there)
        reasons.append(f"n {drawn} → {cell.use.n}" if grown else f"{len(absent)} shards missing")
    if set(ungraded) - {_verdict_path(plan, cell, path) for path in absent}:
        reasons.append(f"verdicts: {why_verdicts(plan, cell)}")
    return reasons


def _verdict_path(plan: Plan, cell: Cell, samples: str) -> str:
    """Return the verdict file that belongs to a sample file."""
    return plan.layout.verdicts(cell.id, cell.verdicts, Path(samples).stem)


def _report_scores(build: Build, scoring: Scoring) -> ScoreReport:
    """Return one scoring task's state."""
    plan = build.plan
    absent = [path for path in plan.scores_of(scoring) if build.is_pending(path)]
    state = "present" if not absent else _state(len(absent), len(scoring.shards))
    journaled = sum(finished_rows(Path(path)) for path in absent)
    shards = [Path(path).stem for path in absent]
    wanted = max(0, sum(map(scoring.responses_in, shards)) - journaled)
    reused = min(wanted, reusable_scores(plan, scoring, shards))
    return {
        "target": scoring.target,
        "scorer": scoring.scorer,
        "state": state,
        "shards": len(scoring.shards),
        "shards_missing": len(absent),
        "responses_journaled": journaled,
        **_left(wanted, reused, rates(plan, scoring), scoring.model),
    }


def _report_analysis(
    build: Build, parts: Sequence[TrainingReport | CellReport], scores: Sequence[ScoreReport]
) -> AnalysisReport:
    """Return the state of tables, figures and report."""
    plan, study = build.plan, build.study
    absent = missing([study.report])
    states = [(part["id"], part["state"]) for part in parts]
    states += [(f"perplexity of {score['target']}", score["state"]) for score in scores]
    reasons = [f"{name} is {state}" for name, state in states if state != "present"]
    manifests = [study.manifest(what) for what in ("plan", "tables", "figures", "report")]
    if absent:
        reasons = ["never made"]
    elif missing(manifests):
        reasons = [*_spec_changes(plan, study.plan_file), *reasons]
    lost = [path for path in study.targets() if not Path(path).exists()]
    if not reasons and lost:
        reasons = [f"{len(lost)} files are missing, {lost[0]} among them"]
    state = "missing" if absent else "stale" if build.pending else "present"
    return {"state": state, "why": reasons if build.pending else [], "report": study.report}


def _spec_changes(plan: Plan, plan_file: str) -> list[str]:
    """Return what of a study's plan differs from the plan that its tables were made for."""
    try:
        made = read_json(Path(plan_file))
    except DataError:
        made = {}
    changed = [key for key, value in plan_document(plan).items() if made.get(key) != value]
    return [f"changed in the spec: {', '.join(changed)}"] if changed else []


def to_text(found: PlanReport) -> str:
    """Return a preview for people."""
    lines = [f"{found['name']} ({found['spec']})", ""]
    lines.extend(line for training in found["trainings"] for line in training_lines(training))
    for cell in (*found["cells"], *found["confirmations"], *found["judgings"]):
        size = _judged(cell) if cell in found["judgings"] else f"n = {cell['n']}, {_size(cell)}"
        lines.append(f"  {cell['state']:8} {cell['id']}  {size}")
        lines.extend(f"           why: {reason}" for reason in cell["why"])
        unknown = cell["problems"] is None and cell["shards_missing"] and not cell["imported"]
        if cell["responses_left"] or cell["responses_reused"] or unknown:
            lines.append(f"           left: {_spending(cell, 'draw')}  [{cell['basis']}]")
    for score in found["scores"]:
        done = score["shards"] - score["shards_missing"]
        name = f"perplexity of {score['target']} under {score['scorer']}"
        lines.append(f"  {score['state']:8} {name}  {done}/{score['shards']} shards")
        if score["responses_left"] or score["responses_reused"]:
            lines.append(f"           left: {_spending(score, 'score')}  [{score['basis']}]")
    analysis = found["analysis"]
    lines.append(f"  {analysis['state']:8} {analysis['report']}")
    lines.extend(f"           why: {reason}" for reason in analysis["why"])
    lines.extend(["", *map(detectable_line, found["detectable"])])
    lines.extend(["", f"still to be spent: {_spending(found['total'])}"])
    if unselected := [cell for cell in found["confirmations"] if cell["at_most"]]:
        lines.append(
            f"and on fresh draws, if every problem is selected: {_spending(_total(unselected))}"
        )
    if unselected := [cell for cell in found["judgings"] if cell["at_most"]]:
        lines.append(f"and on judges, if every response is judged: {_spending(_total(unselected))}")
    lines.extend(f"warning: {warning}" for warning in found["warnings"])
    if found["obstacles"]:
        lines += ["", "what would stop a run here:", *found["obstacles"]]
    return "\n".join(lines)


def _size(cell: CellReport) -> str:
    """Return a cell's size in words."""
    count = "unknown" if cell["problems"] is None else f"{cell['problems']:,}"
    if cell["imported"] and not cell["shards"]:
        return f"{count} problems, imported counts"
    count = f"at most {count}" if cell.get("at_most") else count
    done = cell["shards"] - cell["shards_missing"] - cell["shards_archived"]
    archived = f", {cell['shards_archived']} archived" if cell["shards_archived"] else ""
    if cell["imported"]:
        return f"{count} problems, imported, {done}/{cell['shards']} shards adopted"
    return f"{count} problems, {done}/{cell['shards']} shards drawn{archived}"


def _judged(cell: FreshReport) -> str:
    """Return how much a judge reads in words."""
    count = "unknown" if cell["problems"] is None else f"{cell['problems']:,}"
    return f"{'at most ' if cell['at_most'] else ''}{count} responses, votes = {cell['n']}"


def _spending(cost: Left, verb: str = "") -> str:
    """Return what is still to be spent in words."""
    count = f"{cost['responses_left']:,} responses"
    if verb and cost["responses_reused"]:
        count = f"{cost['responses_reused']:,} reused, {cost['responses_left']:,} to {verb}"
    gpu = f", {cost['gpu_hours_left']:,.1f} GPU-hours" if cost["gpu_hours_left"] else ""
    steps = f"{cost['steps_left']:,} steps of training, " if cost.get("steps_left") else ""
    return (
        f"{steps}{count}, {cost['tokens_left']:,} tokens, "
        f"{duration(cost['hours_left'] * 3600)} of one job at a time{gpu}, "
        f"{_megabytes(cost['bytes_left'])}"
    )


def _megabytes(count: float) -> str:
    """Return bytes in a unit that people read."""
    return f"{count / 1e9:,.1f} GB" if count >= 1e9 else f"{count / 1e6:,.1f} MB"  # noqa: PLR2004
