"""A watcher beside a run on Slurm: it ends what the plugin would wait for without end.

The plugin asks for states and leaves the rest to Slurm. It then waits for ever for a job that
Slurm holds after a failed start, for one that was pre-empted and is not queued again, for one that
Slurm has forgotten, and while the controller is silent. The watcher is a thread of the run: it
ends with it, however it ends.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from passk.core.errors import PasskError
from passk.core.progress import duration
from passk.workflow.slurm import queue

LOOK = 10.0
"""Seconds between two looks at the queue."""

PATIENCE = 3600.0
"""Seconds of silence, or of a job that Slurm does not know, after which a run ends."""

PATIENCE_VARIABLE = "PASSK_SLURM_PATIENCE"
"""Environment variable that says other seconds."""

if TYPE_CHECKING:
    from snakemake.workflow import Workflow

PLUGIN = "snakemake_executor_plugin_slurm"

log = logging.getLogger("snakemake.logging")
"""Snakemake's own, so that a person reads it where the run says everything."""


@dataclass(slots=True)
class Watcher:
    """What has been seen of a run's jobs.

    Attributes:
        parts: what comments of the run's jobs name.
        spec: the run's spec, for messages.
        expected: returns the jobs that the run waits for.
        give_up: ends the run with a message.
        earlier: jobs that were there before the run.
        patience: seconds of silence, or of a job that is not known, that are borne.
    """

    parts: Collection[str]
    spec: str
    expected: Callable[[], set[str]]
    give_up: Callable[[str], None]
    earlier: set[str] = field(default_factory=set)
    patience: float = PATIENCE
    _answered: float = field(default_factory=time.monotonic)
    _silent: bool = False
    _seen: set[str] = field(default_factory=set)
    _missing: dict[str, float] = field(default_factory=dict)

    def look(self) -> None:
        """Look at the queue once and do what must be done."""
        try:
            jobs = queue.queued(self.parts, ended=True)
        except PasskError as error:
            self._bear(error)
            return
        if self._silent:
            _say("Slurm answers again")
        self._answered, self._silent = time.monotonic(), False
        for job in jobs:
            if job.id not in self.earlier:
                _mend(job)
        self._miss({job.id for job in jobs})

    def _bear(self, error: PasskError) -> None:
        """Say once that Slurm is silent, and give up when it has been for too long."""
        silence = time.monotonic() - self._answered
        if silence > self.patience:
            self.give_up(
                f"Slurm has not answered for {duration(silence)} ({error.what})\n"
                f"  -> when it does (scontrol ping): passk cancel {self.spec}, "
                "then the same command again"
            )
        elif not self._silent:
            self._silent = True
            borne = duration(self.patience)
            _say(f"{error.what}. The run goes on when Slurm answers, and ends after {borne}")

    def _miss(self, there: set[str]) -> None:
        """Give up when the run has waited too long for jobs that Slurm once knew."""
        now = time.monotonic()
        self._seen |= there
        gone = self.expected() & self._seen - there
        self._missing = {job: self._missing.get(job, now) for job in gone}
        lost = sorted(job for job, since in self._missing.items() if now - since > self.patience)
        if lost:
            self.give_up(
                f"Slurm has forgotten {len(lost)} jobs of this run ({', '.join(lost[:5])})\n"
                f"  -> passk cancel {self.spec}, then the same command again"
            )


def _mend(job: queue.Job) -> None:
    """Set a job free that would never run; what Slurm refuses is tried at the next look."""
    try:
        if queue.is_stuck(job):
            log.warning(
                "passk: job %s is held (%s): cancelled, to be tried again", job.id, job.reason
            )
            queue.end(job)
        elif queue.is_evicted(job):
            _say(f"job {job.id} was pre-empted: queued again")
            queue.requeue(job)
    except PasskError as error:
        _say(f"job {job.id}: {error.what}")


def _say(message: str) -> None:
    """Write a line where Snakemake writes; it prints messages as they are, without arguments."""
    log.warning(f"passk: {message}")  # noqa: G004


def start_watchdog(parts: Collection[str], spec: str, workflow: Workflow) -> None:
    """Watch over a run on Slurm from now to its end.

    Args:
        parts: what comments of the run's jobs name.
        spec: the run's spec.
        workflow: Snakemake's; its scheduler has the plugin's executor.

    Raises:
        PasskError: the scheduler does not answer.
    """
    _ask_once_for_min_job_age()
    watcher = Watcher(
        parts,
        spec,
        expected=lambda: _waited_for(workflow),
        give_up=_leave,
        earlier={job.id for job in queue.queued(parts, ended=True)},
        patience=float(os.environ.get(PATIENCE_VARIABLE, PATIENCE)),
    )
    threading.Thread(target=_watch, args=(watcher,), daemon=True, name="passk watcher").start()


def _watch(watcher: Watcher) -> None:
    """Look again and again."""
    while True:
        time.sleep(min(LOOK, watcher.patience / 4))
        watcher.look()


def _waited_for(workflow: Workflow) -> set[str]:
    """Return the jobs that the plugin has submitted and whose end it does not know."""
    executor = getattr(workflow.scheduler, "_executor", None)
    jobs = tuple(getattr(executor, "active_jobs", ()))
    return {str(job.external_jobid) for job in jobs}


def _leave(message: str) -> None:
    """End the run at once: a polling plugin hears no signal. Locks end with the process."""
    sys.stderr.write(f"passk: error: {message}\n")
    sys.stderr.flush()
    os._exit(1)


def _ask_once_for_min_job_age() -> None:
    """Have the plugin remember the controller's MinJobAge.

    It asks at every poll, takes silence for a short memory, and then asks `sacct` without end, also
    where there is no accounting.
    """
    plugin = sys.modules.get(PLUGIN)
    ask = getattr(plugin, "get_min_job_age", None)
    if plugin is not None and ask is not None:
        age = ask()
        plugin.get_min_job_age = lambda: age  # type: ignore[attr-defined]
