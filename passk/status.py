"""How far a run is, from its files and the scheduler: at any time, and from any shell.

Files say most: a shard is done where it stands, and is being drawn where a process holds its
journal. The scheduler, where there is one, adds what waits in its queue.
"""

from __future__ import annotations

import fcntl
import re
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from passk import slurm
from passk.errors import PasskError
from passk.journal import finished_rows, journal_path
from passk.plan import Plan
from passk.plan.begin import targets
from passk.plan.cells import Cell, Scoring, shard_range
from passk.plan.holding import describe, live_runs
from passk.plan.runs import rule_name
from passk.progress import duration

WATCH_SECONDS = 10.0
"""Seconds between two looks of `passk status --watch`."""

RECENT = 600.0
"""A progress line older than so many seconds says nothing about the present rate."""

TAIL = 20_000
"""Bytes at the end of a log that are looked at."""

STATES = ("done", "running", "failed", "queued", "waiting")
"""Of a shard: it stands; a process has it; its last try failed; in the scheduler's queue; else."""

FAULT = re.compile(
    r"passk: error: |slurmstepd\S*: error: |srun: error: |oom-kill|DUE TO |Killed", re.IGNORECASE
)
"""What a line of a log holds that says why a job failed."""


@dataclass(frozen=True, slots=True)
class JobName:
    """Where a job leaves its log, below the store's, and its comment in the queue."""

    log: str
    comment: str


@dataclass(frozen=True, slots=True)
class Unit:
    """Shards of one kind of work on one cell, and where each leaves its traces.

    Attributes:
        name: of the cell or scoring task.
        stage: folder of the logs.
        outputs: shard -> the file that it becomes.
        responses: shard -> responses in it.
        jobs: shard -> the jobs that may make it: the shard's own, and that of its block.
    """

    name: str
    outputs: Mapping[str, Path]
    responses: Mapping[str, int]
    jobs: Mapping[str, tuple[JobName, JobName]]


def status(plan: Plan) -> dict[str, Any]:
    """Return where every cell and scoring task of a plan stands, as plain JSON."""
    jobs, scheduler = _queue(plan)
    logs = _newest_logs(plan)
    queue = {job.comment: job for job in jobs}
    cells = [_state(_sampling(plan, cell), queue, logs) for cell in plan.cells.values()]
    scores = [_state(unit, queue, logs) for unit in _scoring_units(plan)]
    for cell, found in zip(plan.cells.values(), cells, strict=True):
        verdicts = plan.verdicts_of(cell)
        found["graded"] = _present([Path(path) for path in verdicts])
        found["counted"] = Path(plan.counts_of(cell)).is_file()
    report = Path(plan.layout.experiment(plan.experiment.name, "report.html"))
    parts = [*cells, *scores]
    return {
        "name": plan.experiment.name,
        "runs": live_runs(plan.layout),
        "scheduler": scheduler,
        "cells": cells,
        "scores": scores,
        "total": _total(parts),
        "failures": sorted(
            (f for part in parts for f in part["failures"]), key=lambda f: f["when"]
        ),
        "report": str(report) if report.is_file() else None,
        "done": report.is_file() and all(p["shards"]["done"] == p["shards"]["all"] for p in parts),
    }


def _queue(plan: Plan) -> tuple[list[slurm.Job], str]:
    """Return the plan's jobs in the queue, and how the scheduler is."""
    if not slurm.present():
        return [], "none"
    try:
        jobs = slurm.queued(targets(plan))
    except PasskError as error:
        return [], error.what
    running = sum(job.state == "RUNNING" for job in jobs)
    return jobs, f"{running} jobs running, {len(jobs) - running} in the queue"


def _sampling(plan: Plan, cell: Cell) -> Unit:
    """Return the work of drawing a cell's responses."""
    shards, problems = cell.shards(), cell.identity.problems or 0
    size = plan.experiment.jobs.shards

    def jobs(index: int, shard: str) -> tuple[JobName, JobName]:
        run = f"rule_{rule_name('draw_samples', cell.id, index // size)}"
        own = f"rule_draw_samples_wildcards_{cell.id}_{shard}"
        return JobName(f"sample/{cell.id}.{shard}", own), JobName(
            f"sample/{cell.id}.run{index // size}", run
        )

    return Unit(
        cell.id,
        {shard: Path(plan.layout.samples(cell.id, shard)) for shard in shards},
        {shard: problems * len(shard_range(shard)) for shard in shards},
        {shard: jobs(index, shard) for index, shard in enumerate(shards)},
    )


def _scoring_units(plan: Plan) -> Iterator[Unit]:
    """Yield the work of scoring, task by task; blocks are numbered over all of a scorer's files."""
    size, seen = plan.experiment.jobs.scores, dict[str, int]()
    for task in plan.scorings.values():
        scorer = task.model.name
        numbers = {shard: (seen.get(scorer, 0) + i) // size for i, shard in enumerate(task.shards)}
        seen[scorer] = seen.get(scorer, 0) + len(task.shards)
        yield _scoring(plan, task, numbers)


def _scoring(plan: Plan, task: Scoring, numbers: Mapping[str, int]) -> Unit:
    """Return the work of scoring a cell's responses; `numbers` are those of each shard's block."""
    problems, scorer = task.identity.problems or 0, task.model.name
    key = f"{task.target}_{task.scorer}"
    first = {shard: shard_range(shard) if shard != "all" else range(1) for shard in task.shards}
    return Unit(
        f"perplexity of {task.target} under {task.scorer}",
        {s: Path(plan.layout.scores(task.target, task.scorer, s)) for s in task.shards},
        {s: problems * (min(r.stop, task.per_problem) - r.start) for s, r in first.items()},
        {
            shard: (
                JobName(
                    f"perplexity/{task.target}.{task.scorer}.{shard}",
                    f"rule_score_responses_wildcards_{key}_{shard}",
                ),
                JobName(
                    f"perplexity/{scorer}.run{number}",
                    f"rule_{rule_name('score_responses', scorer, number)}",
                ),
            )
            for shard, number in numbers.items()
        },
    )


def _state(unit: Unit, queue: Mapping[str, slurm.Job], logs: Mapping[str, Path]) -> dict[str, Any]:
    """Return where a unit stands."""
    missing = {shard for shard, path in unit.outputs.items() if not path.is_file()}
    counts = dict.fromkeys(STATES, 0) | {"done": len(unit.outputs) - len(missing)}
    rows = sum(unit.responses[shard] for shard in unit.outputs if shard not in missing)
    failures, running = [], set()
    for shard in sorted(missing):
        output, jobs = unit.outputs[shard], unit.jobs[shard]
        rows += min(finished_rows(output), unit.responses[shard])
        job = next((queue[name.comment] for name in jobs if name.comment in queue), None)
        if _is_held(journal_path(output)):
            counts["running"] += 1
            running |= {logs[name.log] for name in jobs if name.log in logs}
        elif job:
            counts["running" if job.state == "RUNNING" else "queued"] += 1
        elif failure := _failure(shard, jobs, logs):
            counts["failed"] += 1
            failures.append(failure)
        else:
            counts["waiting"] += 1
    total, rate = sum(unit.responses.values()), sum(_rate(log) for log in running)
    return {
        "name": unit.name,
        "shards": {"all": len(unit.outputs), **counts},
        "responses": total,
        "responses_done": rows,
        "per_second": rate,
        "seconds_left": (total - rows) / rate if rate else None,
        "failures": failures,
    }


def _total(parts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the sum over all parts."""
    keys = ("responses", "responses_done", "per_second")
    total: dict[str, Any] = {key: sum(part[key] for part in parts) for key in keys}
    left, rate = total["responses"] - total["responses_done"], total["per_second"]
    shards = {key: sum(part["shards"][key] for part in parts) for key in ("all", *STATES)}
    return {**total, "shards": shards, "seconds_left": left / rate if rate else None}


def _present(paths: Iterable[Path]) -> int:
    """Return how many of some files are there."""
    return sum(path.is_file() for path in paths)


def _is_held(journal: Path) -> bool:
    """Tell whether a process holds a journal, on whatever machine."""
    try:
        with journal.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def _newest_logs(plan: Plan) -> dict[str, Path]:
    """Return the logs of jobs by stage and name, and Slurm's own logs of jobs that failed.

    Slurm's are `slurm_logs/rule_NAME[/WILDCARDS]/JOB.log`; the newest of each job counts.
    """
    found = {}
    for path in Path(plan.layout.store).glob("logs/*/*.log"):
        found[f"{path.parent.name}/{path.stem}"] = path
    folder = Path(".snakemake/slurm_logs")
    for path in sorted(folder.glob("rule_*/**/*.log"), key=lambda path: path.stat().st_mtime):
        found["slurm/" + "_wildcards_".join(path.parent.relative_to(folder).parts)] = path
    return found


def _tail(path: Path | None) -> list[str]:
    """Return the last lines of a log."""
    try:
        if path is None:
            return []
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - TAIL))
            return file.read().decode("utf-8", "replace").splitlines()
    except OSError:
        return []


def _rate(log: Path | None) -> float:
    """Return the responses per second that a running job last said, if that is recent."""
    lines = _tail(log)
    if not lines or log is None or time.time() - log.stat().st_mtime > RECENT:
        return 0.0
    rates = [match[1] for line in lines if (match := re.search(r" ([\d.]+)/s, ", line))]
    return float(rates[-1]) if rates else 0.0


def _failure(
    shard: str, jobs: Iterable[JobName], logs: Mapping[str, Path]
) -> dict[str, Any] | None:
    """Return why a shard's last try failed, where a log says so."""
    names = [name for job in jobs for name in (job.log, f"slurm/{job.comment}")]
    found = [(logs[name].stat().st_mtime, logs[name]) for name in names if name in logs]
    for when, path in sorted(found, reverse=True):
        faults = [line.strip() for line in _tail(path) if FAULT.search(line)]
        if faults:
            return {"shard": shard, "log": str(path), "message": faults[-1], "when": when}
    return None


def to_text(found: Mapping[str, Any]) -> str:
    """Return a status for people."""
    lines = [f"{found['name']}  {time.strftime('%H:%M:%S')}"]
    lines += [f"  at work: {describe(run)}" for run in found["runs"]]
    if not found["runs"]:
        lines.append("  no run is at work")
    if found["scheduler"] != "none":
        lines.append(f"  Slurm: {found['scheduler']}")
    lines += ["", f"  {'done':>9} {'run':>5} {'fail':>5} {'queue':>5} {'wait':>5}  responses"]
    lines += [_line(part) for part in (*found["cells"], *found["scores"])]
    lines.append(_line({"name": "all", **found["total"]}))
    if found["failures"]:
        last = found["failures"][-1]
        lines += ["", f"  last failure: {last['message']}", f"           log: {last['log']}"]
    lines += ["", f"  report: {found['report'] or 'not made yet'}"]
    return "\n".join(lines)


def _line(part: Mapping[str, Any]) -> str:
    """Return one part's line."""
    shards = part["shards"]
    rate = f", {part['per_second']:.3g}/s" if part["per_second"] else ""
    left = f", {duration(part['seconds_left'])} left" if part["seconds_left"] else ""
    return (
        f"  {shards['done']:>4}/{shards['all']:<4} {shards['running']:>5} {shards['failed']:>5} "
        f"{shards['queued']:>5} {shards['waiting']:>5}  "
        f"{part['responses_done']:,}/{part['responses']:,}{rate}{left}  {part['name']}"
    )
