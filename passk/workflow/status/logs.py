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
"""A progress line older than so many seconds says nothing about the present rate."""

TAIL = 20_000
"""Bytes at the end of a log that are looked at."""

LAST_LINES = 8
"""Lines of a failed job's log that are shown."""

FAULT = re.compile(
    r"passk: error: |slurmstepd\S*: error: |srun: error: |oom-kill|DUE TO |Killed", re.IGNORECASE
)
"""What a line of a log holds that says why a job failed."""

INTERRUPTED = "passk: error: interrupted"
"""The last line of a job that Ctrl-C ended: no failure."""

WARNING = "warning: "
"""What a warning in a job's log begins with."""


@dataclass(frozen=True, slots=True)
class JobName:
    """Where a job leaves its log, below the store's, and its comment in the queue."""

    log: str
    comment: str


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


def rate_of(log: Path | None) -> float:
    """Return the responses per second that a running job last said, if that is recent."""
    lines = tail_lines(log)
    if not lines or log is None or time.time() - log.stat().st_mtime > RECENT:
        return 0.0
    rates = [match[1] for line in lines if (match := re.search(r" ([\d.]+)/s, ", line))]
    return float(rates[-1]) if rates else 0.0


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
