"""What jobs leave behind: locks, logs, and in these how fast they are and why they failed."""

from __future__ import annotations

import fcntl
import re
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from passk.workflow import Plan
from passk.workflow.status.report_types import Failure

RECENT = 600.0
"""A progress line older than so many seconds says nothing about now, unless steps take longer."""

TAIL = 20_000
"""Bytes at the end of a log that are looked at."""

LAST_LINES = 8
"""Lines of a failed job's log that are shown."""

FAULT = re.compile(
    r"passk: error: |slurmstepd\S*: error: |srun: error: |oom-kill|DUE TO |Killed", re.IGNORECASE
)
"""What a line of a log holds that says why a job failed."""

PROGRESS = re.compile(r": (\d+)/(\d+) (\S+), ([\d.e+-]+)/s, (.*)$")
"""A progress line of a job's log: done, total, unit, rate, rest."""

INTERRUPTED = "passk: error: interrupted"
"""The last line of a job that Ctrl-C ended: no failure."""

WARNING = "warning: "
"""What a warning in a job's log begins with."""


@dataclass(frozen=True, slots=True)
class JobName:
    """Where a job leaves its log, below the store's, and its comment in the queue."""

    log: str
    comment: str


@dataclass(frozen=True, slots=True)
class JobProgress:
    """How far a job is, by the last progress line of its log."""

    done: int
    total: int
    unit: str
    rate: str
    rest: str


def is_held(lock: Path) -> bool:
    """Tell whether a process holds a journal or lock, on whatever machine."""
    try:
        with lock.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def newest_logs(plan: Plan) -> dict[str, Path]:
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


def tail_lines(path: Path | None) -> list[str]:
    """Return the last lines of a log."""
    try:
        if path is None:
            return []
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - TAIL))
            return file.read().decode("utf-8", "replace").splitlines()
    except OSError:
        return []


def error_of(log: Path | None) -> str:
    """Return the last error in a job's log, with its hint; empty where there is none."""
    lines = [line.strip() for line in tail_lines(log)]
    for index in range(len(lines) - 1, -1, -1):
        if FAULT.search(lines[index]):
            hints = [line for line in lines[index + 1 : index + 2] if line.startswith("-> ")]
            return "\n  ".join([lines[index].removeprefix("passk: error: "), *hints])
    return ""


def warnings_of(log: Path | None) -> list[str]:
    """Return the warnings in a job's log."""
    return [line.removeprefix(WARNING) for line in tail_lines(log) if line.startswith(WARNING)]


def progress_of(log: Path | None) -> JobProgress | None:
    """Return how far a job is, by the last progress line of its log."""
    for line in reversed(tail_lines(log)):
        if found := PROGRESS.search(line):
            return JobProgress(int(found[1]), int(found[2]), *found.groups()[2:])
    return None


def recent_progress(log: Path | None) -> JobProgress | None:
    """Return how far a job is now: a line that is old for the job's pace does not count."""
    found = progress_of(log)
    if log is None or found is None:
        return None
    rate = float(found.rate)
    limit = max(RECENT, 5 / rate) if rate else RECENT
    return found if time.time() - log.stat().st_mtime <= limit else None


def failure_of(shard: str, jobs: Iterable[JobName], logs: Mapping[str, Path]) -> Failure | None:
    """Return why a shard's last try failed, where a log says so: its line, and the log's end."""
    names = [name for job in jobs for name in (job.log, f"slurm/{job.comment}")]
    found = [(logs[name].stat().st_mtime, logs[name]) for name in names if name in logs]
    for when, path in sorted(found, reverse=True):
        lines = [line.rstrip() for line in tail_lines(path)]
        faults = [line.strip() for line in lines if FAULT.search(line)]
        if faults and not faults[-1].startswith(INTERRUPTED):
            tail = lines[-LAST_LINES:]
            return Failure(shard=shard, log=str(path), message=faults[-1], when=when, tail=tail)
    return None
