"""Run a study: start Snakemake on a spec, follow its jobs, and say how it ended."""

from __future__ import annotations

import importlib.util
import json
import os
import queue
import re
import shlex
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import IO, TypedDict

from passk.core.artifacts import output_error
from passk.core.errors import PasskError
from passk.core.install import install_module
from passk.workflow.plan import Plan, build_plan
from passk.workflow.preflight import check_run
from passk.workflow.snakemake.launch import EVENTS, snakefile
from passk.workflow.status.logs import error_of, tail_lines, warnings_of

POLL_SECONDS = 0.5
"""Seconds between two calls of a run's observer."""

DIGEST = re.compile(r"-[0-9a-f]{8}\b")
"""The digest at the end of a cell's id, which tells people nothing."""

OWN_ERROR = "passk: error: "
"""What passk's own message begins with."""

ERROR_HEAD = re.compile(r"\w*(Error|Exception)( in .*)?:$")
"""The line above an error's message in Snakemake's output."""

MAX_ALIKE = 5
"""Jobs that fail for one cause, with none of their kind done, before a run gives up."""


class Event(TypedDict, total=False):
    """An event of Snakemake, as `launch` writes it."""

    event: str
    jobid: int
    job_id: int
    rule_name: str
    log: list[str]
    wildcards: dict[str, str]
    done: int
    total: int


@dataclass(frozen=True, slots=True)
class Job:
    """A job that Snakemake started: its rule, wildcards, and log file if it has one."""

    id: int
    rule: str
    wildcards: dict[str, str]
    log: Path | None

    @property
    def kind(self) -> str:
        """The kind of work, such as `draw samples`; what follows __ names one job."""
        return self.rule.partition("__")[0].replace("_", " ")

    @property
    def name(self) -> str:
        """Its name in messages: its kind and its item."""
        subject = list(self.wildcards.values()) or [self.log.stem if self.log else ""]
        return DIGEST.sub("", " ".join([self.kind, *subject])).strip()


@dataclass(frozen=True, slots=True)
class Failure:
    """One cause, and the jobs that it ended.

    Attributes:
        message: the error as the first of the jobs gave it.
        jobs: names of the jobs.
        log: log file of the first, if it has one.
    """

    message: str
    jobs: tuple[str, ...]
    log: Path | None


@dataclass(slots=True)
class Run:
    """A run of Snakemake, as its events tell it.

    Attributes:
        command: the `snakemake` command that does the same.
        log: file of everything that Snakemake and its jobs print.
        total: jobs to run, as far as known.
        done: jobs finished.
        running: jobs at work, by id.
        failed: jobs that failed.
        status: exit status of Snakemake; None while it runs.
        interrupted: whether Ctrl-C or SIGTERM ended it.
        gave_up: whether it was ended since every job failed, and for one cause.
    """

    command: str
    log: Path
    total: int = 0
    done: int = 0
    running: dict[int, Job] = field(default_factory=dict)
    failed: list[Job] = field(default_factory=list)
    finished: list[Job] = field(default_factory=list)
    status: int | None = None
    interrupted: bool = False
    gave_up: bool = False

    def take(self, event: Event) -> None:
        """Follow one event of Snakemake."""
        match event["event"]:
            case "job_info":  # written as a job starts, and again on each attempt
                logs = [path for path in event.get("log") or () if path]
                self.running[event["jobid"]] = Job(
                    event["jobid"],
                    str(event["rule_name"]),
                    event.get("wildcards") or {},
                    Path(logs[0]) if logs else None,
                )
            case "job_finished":
                if job := self.running.pop(event["job_id"], None):
                    self.finished.append(job)
                    self.failed = [other for other in self.failed if other.id != job.id]
            case "job_error":
                if job := self.running.pop(event["jobid"], None):
                    self.failed.append(job)
            case "progress":
                self.done, self.total = event["done"], event["total"]

    def is_hopeless(self) -> bool:
        """Tell whether several jobs of a kind failed for one cause, and none of it succeeded."""
        failures = self.failures() if len(self.failed) >= MAX_ALIKE else []
        if not failures or len(failures[0].jobs) < MAX_ALIKE:
            return False
        kinds = {job.kind for job in self.failed}
        return not any(job.kind in kinds for job in self.finished)

    def warnings(self) -> list[str]:
        """Return the warnings in the logs of jobs that finished, each once."""
        found = [line for job in self.finished for line in warnings_of(job.log)]
        return list(dict.fromkeys(found))

    def failures(self) -> list[Failure]:
        """Return why jobs failed, once per cause, most jobs first."""
        causes: dict[str, list[tuple[Job, str]]] = {}
        for job in {job.id: job for job in self.failed}.values():
            reason = error_of(job.log)
            message = reason or "no reason in its log"
            # A job that Ctrl-C ends before it has begun to log says nothing.
            if message.startswith("interrupted") or (self.interrupted and not reason):
                continue
            causes.setdefault(_cause(message), []).append((job, message))
        found = [
            Failure(jobs[0][1], tuple(job.name for job, _ in jobs), jobs[0][0].log)
            for jobs in causes.values()
        ]
        if not found and self.status and not self.interrupted:
            found = [Failure(_last_words(self.log), (), self.log)]
        return sorted(found, key=lambda failure: -len(failure.jobs))


def _cause(message: str) -> str:
    """Return a message without what differs from shard to shard, to tell causes apart."""
    return re.sub(r"\d+", "N", message)


def _last_words(log: Path) -> str:
    """Return the error that ended a run in which no job failed: passk's, Snakemake's or usage's."""
    lines = [line for line in tail_lines(log) if line.strip()]
    own = [number for number, line in enumerate(lines) if line.startswith(OWN_ERROR)]
    if own:
        return "\n".join(lines[own[-1] :]).removeprefix(OWN_ERROR)
    heads = [number for number, line in enumerate(lines) if ERROR_HEAD.match(line)]
    if heads:  # Snakemake's head, the message, and where in the code
        kept = [line for line in lines[heads[-1] + 1 :] if not line.startswith('  File "')]
        return "\n".join(kept or [lines[heads[-1]]])
    return "\n".join(lines[-3:]) or "Snakemake ended without a message"


def snakemake_arguments(
    spec: Path, cores: str | None, profile: str | None, extra: Sequence[str] = ()
) -> list[str]:
    """Return Snakemake's arguments for a spec.

    Args:
        spec: the YAML file of the study.
        cores: of this machine; all of them where neither this nor a profile is given.
        profile: a folder, or the name of one that passk ships, such as `slurm`.
        extra: further arguments for Snakemake.
    """
    workflow = snakefile()
    here = Path("Snakefile")
    arguments = [] if here.exists() and here.samefile(workflow) else ["-s", str(workflow)]
    if profile:
        shipped = workflow.parent / "profiles" / profile
        arguments += ["--profile", profile if Path(profile).is_dir() else str(shipped)]
        if not Path(arguments[-1]).is_dir():
            raise PasskError("no such folder of a profile", where=profile)
    if cores or not profile:
        arguments += ["--cores", cores or "all"]
    return [*arguments, "--configfile", str(spec), *extra]


def run_spec(
    spec: str | os.PathLike[str],
    *,
    cores: int | None = None,
    profile: str | None = None,
    snakemake: Sequence[str] = (),
) -> Path:
    """Run a study as `passk run` does, without a display: `passk.run` of the Python API.

    Args:
        spec: the YAML file of the study.
        cores: of this machine; all of them where neither this nor a profile is given.
        profile: a folder, or the name of one that passk ships, such as `slurm`.
        snakemake: further arguments for Snakemake.

    Returns:
        The folder of the results: `passk.load` reads its tables, `report.html` is in it.

    Raises:
        PasskError: the spec is at fault, or jobs failed; the message names each cause once.
        KeyboardInterrupt: the run was interrupted; what its jobs finished is kept.
    """
    plan = build_plan(Path(spec))
    count = None if cores is None else str(cores)
    done = run_study(plan, snakemake_arguments(Path(spec), count, profile, snakemake))
    if done.interrupted:
        raise KeyboardInterrupt
    if done.status:
        causes = "\n".join(failure.message for failure in done.failures())
        raise PasskError(causes, where=str(done.log))
    return Path(plan.layout.experiment(plan.experiment.name, ""))


def run_study(
    plan: Plan,
    arguments: Sequence[str],
    observe: Callable[[Run], None] = lambda _: None,
) -> Run:
    """Run Snakemake on a plan's spec until it ends.

    Ctrl-C and SIGTERM reach Snakemake, which ends its jobs; what they finished is kept.

    Args:
        plan: of the spec.
        arguments: `snakemake_arguments` of the spec.
        observe: called every half second while it runs.

    Raises:
        PasskError: the run cannot succeed, Snakemake is missing, or its log cannot be written.
    """
    if "--profile" not in arguments:  # else Snakemake knows where jobs run, and asks at its start
        check_run(plan)
    if importlib.util.find_spec("snakemake") is None:
        raise PasskError("Snakemake is not installed", fix=install_module("snakemake"))
    log = Path(".snakemake/log") / time.strftime(f"passk-{plan.experiment.name}-%Y%m%d-%H%M%S.log")
    run = Run("snakemake " + shlex.join(arguments), log)
    try:
        log.parent.mkdir(parents=True, exist_ok=True)
        output = log.open("wb")
    except OSError as error:
        raise output_error(error, log) from error
    reader, writer = os.pipe()
    with output, os.fdopen(reader, encoding="utf-8") as events:
        try:
            process = _start(arguments, output, writer)
        finally:
            os.close(writer)
        _follow(run, process, events, observe)
    return run


def _start(arguments: Sequence[str], output: IO[bytes], events: int) -> subprocess.Popen[bytes]:
    """Start Snakemake in the background; `passk` itself is on the path of its jobs."""
    folders = [str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)]
    return subprocess.Popen(
        [sys.executable, "-m", "passk.workflow.snakemake.launch", *arguments],
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
        process_group=0,
        pass_fds=[events],
        env=os.environ | {"PATH": os.pathsep.join(folders), EVENTS: str(events)},
    )


def _follow(
    run: Run,
    process: subprocess.Popen[bytes],
    events: IO[str],
    observe: Callable[[Run], None],
) -> None:
    """Take events until Snakemake ends; pass on signals that are sent to this process alone."""
    lines: queue.SimpleQueue[str] = queue.SimpleQueue()
    reader = threading.Thread(target=_read, args=(events, lines), daemon=True)
    reader.start()

    def stop(_number: int, _frame: FrameType | None) -> None:
        run.interrupted = True
        os.killpg(process.pid, signal.SIGINT)  # what Ctrl-C does where Snakemake has the terminal

    main_thread = threading.current_thread() is threading.main_thread()
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP) if main_thread else ()
    before = {number: signal.signal(number, stop) for number in numbers}
    try:
        while process.poll() is None:
            _drain(run, lines)
            observe(run)
            if not run.gave_up and run.is_hopeless():
                run.gave_up = True
                process.send_signal(signal.SIGTERM)  # start nothing new, and let the rest finish
            try:
                process.wait(POLL_SECONDS)
            except subprocess.TimeoutExpired:
                continue
        reader.join(POLL_SECONDS)
        _drain(run, lines)
        run.status = process.returncode
        observe(run)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGINT)
            process.wait()


def _read(events: IO[str], lines: queue.SimpleQueue[str]) -> None:
    """Put every line of a pipe into a queue."""
    for line in events:
        lines.put(line)


def _drain(run: Run, lines: queue.SimpleQueue[str]) -> None:
    """Take all events that there are."""
    while not lines.empty():
        run.take(json.loads(lines.get()))
