"""The jobs of our runs in a Slurm's queue: which they are, and how they are cancelled.

The profile has the plugin name every job `passk_…` and say its rule and wildcards in its comment.
"""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from passk.core.errors import PasskError

PREFIX = "passk_"
"""How names of our jobs begin: `slurm-jobname-prefix` of the profile."""

PATIENCE = 20.0
"""Seconds that the scheduler may take to answer."""

FORMAT = "%i|%T|%j|%M|%r|%N|%Z|%k"
"""squeue's columns: id, state, name, time used, reason, nodes, comment."""

STUCK = {"launch_failed_requeued_held", "job_requeued_in_held_state", "JobHoldMaxRequeue"}
"""Reasons of jobs that wait for an administrator: their start failed, once or too often."""


@dataclass(frozen=True, slots=True)
class Job:
    """One job of the queue.

    Attributes:
        id: Slurm's number.
        state: PENDING, RUNNING, ...
        run: name of the run that submitted it.
        elapsed: time used, as squeue writes it.
        reason: why it waits.
        nodes: where it runs.
        folder: working directory.
        comment: `rule_NAME`, and `_wildcards_A_B...` where there are any.
    """

    id: str
    state: str
    run: str
    elapsed: str
    reason: str
    nodes: str
    folder: str
    comment: str


def present() -> bool:
    """Tell whether this machine has Slurm's commands."""
    return shutil.which("squeue") is not None


def queued(parts: Collection[str], *, ended: bool = False) -> list[Job]:
    """Return this user's jobs from this folder whose comment names one of `parts`.

    Args:
        parts: cells, scorers, problems.
        ended: also those that are over, for as long as Slurm remembers them (MinJobAge).

    Raises:
        PasskError: the scheduler does not answer.
    """
    states = ("--states=all",) if ended else ()
    lines = _ask("squeue", "--me", "--noheader", f"--format={FORMAT}", *states).splitlines()
    columns = FORMAT.count("|")
    jobs = [Job(*line.split("|", columns)) for line in lines if line.count("|") >= columns]
    here = str(Path.cwd())
    ours = [job for job in jobs if job.run.startswith(PREFIX) and job.folder == here]
    return [job for job in ours if any(part in job.comment for part in parts)]


def is_stuck(job: Job) -> bool:
    """Tell whether Slurm holds a job that it failed to start, and so will never start it.

    Only an administrator may release it; its owner may cancel it.
    """
    return job.state == "PENDING" and job.reason.replace(" ", "_") in STUCK


def is_evicted(job: Job) -> bool:
    """Tell whether a job was pre-empted and is not queued again by Slurm itself."""
    return job.state == "PREEMPTED"


def end(job: Job) -> None:
    """Cancel a job without waiting for its end.

    Raises:
        PasskError: the scheduler does not answer.
    """
    _ask("scancel", job.id)


def requeue(job: Job) -> None:
    """Queue a job again that has ended; it keeps its number.

    Raises:
        PasskError: the scheduler does not answer, or refuses.
    """
    _ask("scontrol", "requeue", job.id)


def cancel(jobs: Sequence[Job], parts: Collection[str], patience: float = 120.0) -> None:
    """Cancel jobs and wait until they are gone.

    Raises:
        PasskError: the scheduler does not answer, or a job does not end in time.
    """
    for start in range(0, len(jobs), 500):
        _ask("scancel", *(job.id for job in jobs[start : start + 500]))
    end = time.monotonic() + patience
    names = {job.id for job in jobs}
    while left := names & {job.id for job in queued(parts)}:
        if time.monotonic() > end:
            raise PasskError(
                f"still in the queue: {', '.join(sorted(left))}",
                fix="scontrol show job ID says why; run the same command again",
            )
        time.sleep(0.5)


def _ask(*command: str) -> str:
    """Run one of Slurm's commands."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=True)
    except subprocess.TimeoutExpired as error:
        raise PasskError(
            f"{command[0]} does not answer", fix="is slurmctld up? scontrol ping"
        ) from error
    except (OSError, subprocess.CalledProcessError) as error:
        reason = (getattr(error, "stderr", None) or str(error)).strip().splitlines()[0]
        raise PasskError(
            f"{command[0]} failed: {reason}", fix="is slurmctld up? scontrol ping"
        ) from error
    return done.stdout
