"""How far a run is, from its files and the scheduler: at any time, and from any shell.

Files say most: a shard is done where it stands, and is being drawn where a process holds its
journal. The scheduler, where there is one, adds what waits in its queue.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from passk.core.errors import PasskError
from passk.workflow import Plan
from passk.workflow.slurm import queue as slurm
from passk.workflow.snakemake.locks import live_runs
from passk.workflow.snakemake.startup import comment_names
from passk.workflow.status.interim import InterimResults
from passk.workflow.status.logs import failure_of, newest_logs, recent_progress
from passk.workflow.status.report_types import Progress, Status
from passk.workflow.status.work_items import WorkItem, cpu_jobs, sampling, scoring_items, training
from passk.workflow.trainings import Training

WATCH_SECONDS = 5.0
"""Seconds between two looks of `passk status --watch`."""

REWARD = re.compile(r"\breward (-?[\d.]+)")
"""The reward in a training's progress line."""

STATES = ("done", "running", "failed", "queued", "waiting")
"""States of a shard: complete; held by a process; last attempt failed; in the queue; else."""

ORDER = ("running", "failed", "queued", "grading", "waiting", "done")
"""States of a training, cell or scoring task, in the order in which people are shown them."""


def status(plan: Plan, interim: InterimResults | None = None) -> Status:
    """Return the progress of every training, cell and scoring task of a plan, as plain JSON.

    Args:
        plan: the study.
        interim: remembers what earlier calls have read.
    """
    interim = interim or InterimResults()
    jobs, scheduler = _queue(plan)
    logs = newest_logs(plan)
    queue = {job.comment: job for job in jobs}
    trained = [_training(plan, task, queue, logs) for task in plan.trainings.values()]
    drawn = plan.sized_cells.values()
    cells = [_state(sampling(plan, cell), queue, logs) for cell in drawn]
    scores = [_state(unit, queue, logs) for unit in scoring_items(plan)]
    for cell, found in zip(drawn, cells, strict=True):
        verdicts = plan.verdicts_of(cell)
        found["graded"] = _present([Path(path) for path in verdicts])
        if cell.id in plan.cells:
            found["counted"] = Path(plan.counts_of(cell)).is_file()
            found["interim"] = interim(plan, cell)
    report = Path(plan.layout.experiment(plan.experiment.name, "report.html"))
    parts = [*trained, *cells, *scores]
    failures = [failure for part in parts for failure in part["failures"]]
    failures += [
        failure
        for output, job in cpu_jobs(plan)
        if not output.exists() and (failure := failure_of(output.stem, [job], logs))
    ]
    return {
        "name": plan.experiment.name,
        "runs": live_runs(plan.layout),
        "scheduler": scheduler,
        "trainings": trained,
        "cells": cells,
        "scores": scores,
        "total": _total([*cells, *scores]),
        "failures": sorted(failures, key=lambda failure: failure["when"]),
        "report": str(report) if report.is_file() else None,
        "done": report.is_file() and all(p["shards"]["done"] == p["shards"]["all"] for p in parts),
    }


def follow(plan: Plan) -> Iterator[Status]:
    """Yield the status every few seconds, the last time when the study is done."""
    interim = InterimResults()
    while True:
        yield (found := status(plan, interim))
        if found["done"]:
            return
        time.sleep(WATCH_SECONDS)


def _queue(plan: Plan) -> tuple[list[slurm.Job], str]:
    """Return the plan's jobs in the queue, and how the scheduler is."""
    if not slurm.present():
        return [], "none"
    try:
        jobs = slurm.queued(comment_names(plan))
    except PasskError as error:
        return [], error.what
    running = sum(job.state == "RUNNING" for job in jobs)
    return jobs, f"{running} jobs running, {len(jobs) - running} in the queue"


def _state(unit: WorkItem, queue: Mapping[str, slurm.Job], logs: Mapping[str, Path]) -> Progress:
    """Return the progress of a unit."""
    missing = {shard for shard, path in unit.outputs.items() if not path.is_file()}
    counts = dict.fromkeys(STATES, 0) | {"done": len(unit.outputs) - len(missing)}
    rows = sum(unit.responses[shard] for shard in unit.outputs if shard not in missing)
    failures, running = [], set()
    for shard in sorted(missing):
        output, jobs = unit.outputs[shard], unit.jobs[shard]
        rows += min(unit.finished(output), unit.responses[shard])
        job = next((queue[name.comment] for name in jobs if name.comment in queue), None)
        if unit.held(output):
            counts["running"] += 1
            running |= {logs[name.log] for name in jobs if name.log in logs}
        elif job:
            counts["running" if job.state == "RUNNING" else "queued"] += 1
        elif failure := failure_of(shard, jobs, logs):
            counts["failed"] += 1
            failures.append(failure)
        else:
            counts["waiting"] += 1
    found = [progress for log in running if (progress := recent_progress(log))]
    total, rate = sum(unit.responses.values()), sum(float(one.rate) for one in found)
    return {
        "name": unit.name,
        "shards": {"all": len(unit.outputs), **counts},
        "responses": total,
        "responses_done": rows,
        "per_second": rate,
        "seconds_left": (total - rows) / rate if rate else None,
        "failures": failures,
    }


def _training(
    plan: Plan, task: Training, queue: Mapping[str, slurm.Job], logs: Mapping[str, Path]
) -> Progress:
    """Return the progress of a training: its shards are checkpoints; its log has the true step."""
    unit = training(plan, task)
    found = _state(unit, queue, logs)
    steps, done = found.pop("responses"), found.pop("responses_done")
    reward = None
    if found["shards"]["running"]:
        names = [name.log for jobs in unit.jobs.values() for name in jobs if name.log in logs]
        newest = max(names, key=lambda name: logs[name].stat().st_mtime, default="")
        if progress := recent_progress(logs.get(newest)):
            done = max(done, min(progress.done, steps))
            match = REWARD.search(progress.rest)
            reward = float(match[1]) if match else None
    rate = found["per_second"]
    left = (steps - done) / rate if rate else None
    return {**found, "steps": steps, "steps_done": done, "seconds_left": left, "reward": reward}


def _total(parts: Sequence[Progress]) -> Progress:
    """Return the sum over all parts."""
    responses = sum(part["responses"] for part in parts)
    done, rate = sum(part["responses_done"] for part in parts), sum(p["per_second"] for p in parts)
    return {
        "shards": {key: sum(part["shards"][key] for part in parts) for key in ("all", *STATES)},
        "responses": responses,
        "responses_done": done,
        "per_second": rate,
        "seconds_left": (responses - done) / rate if rate else None,
    }


def _present(paths: Iterable[Path]) -> int:
    """Return how many of some files are there."""
    return sum(path.is_file() for path in paths)


def state_of(part: Progress) -> str:
    """Return the state of a training, cell or scoring task: one of `ORDER`."""
    shards = part["shards"]
    for state in ("running", "failed", "queued"):
        if shards[state]:
            return state
    if shards["done"] < shards["all"]:
        return "waiting"
    return "done" if part.get("counted", True) else "grading"


def sorted_parts(found: Status) -> list[Progress]:
    """Return all work of a status: what runs now first, then what failed, waits and is done."""
    parts = [*found["trainings"], *found["cells"], *found["scores"]]
    return sorted(parts, key=lambda part: ORDER.index(state_of(part)))
