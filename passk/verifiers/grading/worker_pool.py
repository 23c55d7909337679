"""Worker processes that compare answers, each pair with a deadline that ends in SIGKILL.

Why not `pebble` (5.2.0, measured at 56 us per trivial task): it stops a late task with SIGTERM and
up to 3 s of patience before it kills; it forks from a parent in which its three threads run, and
PyArrow's may; all workers share one locked channel; and when the parent is killed, a worker that
hangs is left behind. Here a worker is a process of its own (`passk.verifiers.grading.worker`)
with its own two pipes, the parent has one thread and one selector, and the kernel kills whatever
outlives the parent.
"""

from __future__ import annotations

import json
import os
import selectors
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from passk.core.errors import VerifierError
from passk.core.install import install_extra
from passk.core.schemas import VerdictName

START_SECONDS = 120.0
"""Longest time that a worker may take to load the verifier, or to replace a dead child."""

MAX_STARTS = 3
"""How often a worker that never got ready is started again before the run is given up."""

PAIRS_PER_WORKER = 50
"""Pairs that make it worth starting one more worker: loading Math-Verify takes that long."""

FAILURES = ("timeout", "error")


@dataclass(frozen=True, slots=True)
class PoolConfig:
    """What a pool runs, and within which limits.

    Attributes:
        verifier: name in `passk.core.registry.VERIFIERS`.
        options: the verifier's options.
        workers: processes that compare at the same time.
        deadline: seconds of wall-clock time that one pair may take.
        memory: bytes that a worker may use above its size when it is ready.
        max_tasks_per_child: pairs after which a worker is replaced.
    """

    verifier: str
    options: Mapping[str, Any]
    workers: int = 1
    deadline: float = 10.0
    memory: int = 1 << 30
    max_tasks_per_child: int = 1000


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one pair; `seconds` is wall-clock time of its last try."""

    verdict: VerdictName
    detail: str
    answer_class: str | None
    seconds: float


class _Worker:
    """One worker process seen from the parent."""

    def __init__(self, setup: PoolConfig) -> None:
        """Start the process; it is ready when its first child has said so."""
        path = os.pathsep.join(entry for entry in sys.path if entry)
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-m", "passk.verifiers.grading.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": path},
            bufsize=0,
        )
        self.buffer = b""
        self.child: int | None = None
        self.task: int | None = None
        self.late = False
        self.due = self.began = time.monotonic()
        self.due += START_SECONDS
        self.write(
            {"verifier": setup.verifier, "options": dict(setup.options)}
            | {"memory": setup.memory, "max_tasks_per_child": setup.max_tasks_per_child}
        )

    def write(self, message: dict[str, Any]) -> None:
        """Send one line; a broken pipe shows as the end of the worker's output."""
        assert self.process.stdin is not None  # noqa: S101
        view = memoryview(json.dumps(message).encode() + b"\n")
        with suppress(OSError):
            while view:
                view = view[self.process.stdin.write(view) or 0 :]

    def fileno(self) -> int:
        """Return the descriptor to select on."""
        assert self.process.stdout is not None  # noqa: S101
        return self.process.stdout.fileno()

    def messages(self) -> Iterator[dict[str, Any]]:
        """Read what is there; a last message `{"ended": True}` says that the process is gone."""
        data = os.read(self.fileno(), 1 << 16)
        *lines, self.buffer = (self.buffer + data).split(b"\n")
        for line in lines:
            with suppress(ValueError):
                yield json.loads(line)
        if not data:
            yield {"ended": True}

    def assign(self, task: int, gold: str, answer: str, deadline: float) -> None:
        """Send a pair and start its clock."""
        self.task, self.late = task, False
        self.began = time.monotonic()
        self.due = self.began + deadline
        self.write({"id": task, "gold": gold, "answer": answer})

    def restarting(self) -> None:
        """Wait for the next child, which the process forks by itself."""
        self.child, self.due = None, time.monotonic() + START_SECONDS

    def kill_child(self) -> None:
        """End the comparison under way."""
        self.late = True
        if self.child is not None:
            with suppress(ProcessLookupError):
                os.kill(self.child, signal.SIGKILL)
        self.restarting()

    def close(self) -> None:
        """End the process and its child, which the kernel kills with it."""
        if self.child is not None:
            with suppress(ProcessLookupError):
                os.kill(self.child, signal.SIGKILL)
        self.process.kill()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                pipe.close()
        self.process.wait()


class Pool:
    """Compares pairs in workers; use as a context manager.

    A pair whose comparison is late, dies or raises is tried once more by itself, when nothing
    else runs, before it is called `timeout` or `error`.

    Raises:
        VerifierError: the worker cannot load the verifier, or does not get ready.
    """

    def __init__(self, setup: PoolConfig) -> None:
        """Keep the setup; workers start with the first pairs."""
        self.setup = setup
        self.workers: list[_Worker] = []
        self.failed_starts = 0

    def __enter__(self) -> Self:
        """Return the pool."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Kill all workers."""
        for worker in self.workers:
            worker.close()
        self.workers = []

    def run(self, pairs: Sequence[tuple[str, str]]) -> Iterator[tuple[int, Result]]:
        """Yield (index, result) of each (gold JSON, answer) pair, in the order they finish."""
        failed = []
        width = min(self.setup.workers, 1 + len(pairs) // PAIRS_PER_WORKER)
        for task, result in self._round(pairs, deque(range(len(pairs))), width):
            if result.verdict in FAILURES:
                failed.append(task)
            else:
                yield task, result
        for task in sorted(failed):
            yield from self._round(pairs, deque([task]), 1)

    def _round(
        self, pairs: Sequence[tuple[str, str]], waiting: deque[int], width: int
    ) -> Iterator[tuple[int, Result]]:
        """Yield the results of the waiting tasks, at most `width` of them at a time."""
        left = len(waiting)
        while left:
            self._assign_tasks(pairs, waiting, min(width, left))
            for worker in self._ready():
                for message in worker.messages():
                    done = self._receive(worker, message)
                    if done:
                        left -= 1
                        yield done
            self._stop_late()

    def _assign_tasks(
        self, pairs: Sequence[tuple[str, str]], waiting: deque[int], width: int
    ) -> None:
        """Start workers up to `width` and give each idle one a pair."""
        while len(self.workers) < width:
            self.workers.append(_Worker(self.setup))
        for worker in self.workers[:width]:
            if waiting and worker.child is not None and worker.task is None:
                task = waiting.popleft()
                worker.assign(task, *pairs[task], self.setup.deadline)

    def _ready(self) -> list[_Worker]:
        """Wait until a worker has something to say or the next one is due."""
        busy = [w for w in self.workers if w.task is not None or w.child is None]
        patience = max(0.0, min(w.due for w in busy) - time.monotonic())
        with selectors.DefaultSelector() as selector:
            for worker in self.workers:
                selector.register(worker.fileno(), selectors.EVENT_READ, worker)
            return [key.data for key, _ in selector.select(patience)]

    def _receive(self, worker: _Worker, message: dict[str, Any]) -> tuple[int, Result] | None:
        """Take note of a message; return a finished task with its result."""
        if "pid" in message:
            self.failed_starts = 0
            worker.child = message["pid"]
            return self._lost_task(worker, message["last"])
        if "ended" in message or "failed" in message:
            return self._replace(worker, message.get("failed"))
        if worker.task is None or message.get("id") != worker.task:
            return None
        task, worker.task = worker.task, None
        if message["ends"]:
            worker.restarting()
        result = {name: message[name] for name in ("verdict", "detail", "answer_class", "seconds")}
        return task, Result(**result)

    def _lost_task(self, worker: _Worker, status: int) -> tuple[int, Result] | None:
        """Return the task that a dead child was working on as timeout or error."""
        if worker.task is None:
            return None
        seconds = time.monotonic() - worker.began
        task, worker.task = worker.task, None
        if worker.late:
            over = f"over the deadline of {self.setup.deadline:g} s"
            return task, Result("timeout", over, None, seconds)
        return task, Result("error", f"the worker died (status {status})", None, seconds)

    def _replace(self, worker: _Worker, reason: str | None) -> tuple[int, Result] | None:
        """Start another worker for one that ended; give up where none gets ready."""
        self.failed_starts += 1
        if reason or self.failed_starts > MAX_STARTS:
            raise VerifierError(
                f"a worker for verifier '{self.setup.verifier}' did not get ready: "
                f"{reason or 'it ended'}",
                fix=f"{install_extra('math')}, and allow at least 1 GB of memory",
            )
        lost = self._lost_task(worker, -signal.SIGKILL)
        worker.close()
        self.workers[self.workers.index(worker)] = _Worker(self.setup)
        return lost

    def _stop_late(self) -> None:
        """Kill the child of each worker whose pair is late, or the worker if it never got ready."""
        now = time.monotonic()
        for worker in self.workers:
            if worker.child is None and now >= worker.due:
                worker.process.kill()
            elif worker.task is not None and not worker.late and now >= worker.due:
                worker.kill_child()
