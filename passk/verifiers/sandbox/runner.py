"""One queue of attempts over all fork servers.

An attempt is a program with whatever judges it: the runner asks it for runs, hands it the results
as they come, and does not know what they mean.
"""

from __future__ import annotations

import logging
import selectors
import time
from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Protocol, Self, TypeVar

from passk.core.errors import VerifierError
from passk.verifiers.sandbox.isolation import Isolation
from passk.verifiers.sandbox.process import SandboxProcess, SandboxStartError
from passk.verifiers.sandbox.run import RunRequest, RunResult

log = logging.getLogger(__name__)

STARTS = 3
"""How often in a row a fork server may fail to start before the run is given up."""

OUTPUT_BYTES = 1 << 25
"""Most bytes that one run may send; the run is ended beyond."""

Result_co = TypeVar("Result_co", covariant=True)


class Attempt(Protocol[Result_co]):
    """A program on its way to a verdict."""

    @property
    def key(self) -> Hashable:
        """Name of the inputs: attempts with equal keys share them."""
        ...

    @property
    def inputs(self) -> Sequence[Any]:
        """Argument lists of all tests of the problem; empty where there is none."""
        ...

    def request(self) -> RunRequest:
        """Return the next run; asked for when a fork server is free."""
        ...

    def receive(self, data: bytes) -> bool:
        """Take results of the run under way; return whether it can be stopped."""
        ...

    def ended(self, end: RunResult, *, excess: bool) -> Result_co | None:
        """Take note of the run's end; return what was found, or None where a run is to follow."""
        ...

    def lost(self, reason: str) -> Result_co:
        """Return what is found where the fork server itself was lost."""
        ...


A = TypeVar("A", bound=Attempt[Any])


@dataclass(slots=True)
class _Worker:
    """A fork server and the attempt that it works on, or None."""

    sandbox: SandboxProcess
    attempt: Any = None
    received: int = 0
    stopped: bool = False
    excess: bool = field(default=False)


class Runner:
    """Runs attempts in fork servers of one isolation; use as a context manager.

    Args:
        isolation: how programs are isolated.
        workers: fork servers, and so programs, at the same time.
        memory: bytes that a program may take.
    """

    def __init__(self, isolation: Isolation, workers: int = 1, memory: int = 1 << 30) -> None:
        """Keep what is asked for; fork servers start with the first attempts."""
        self.isolation, self.workers, self.memory = isolation, workers, memory
        self.cells: list[_Worker] = []
        self.failed_starts = 0

    def __enter__(self) -> Self:
        """Return the runner."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Kill all fork servers."""
        for cell in self.cells:
            cell.sandbox.close()
        self.cells = []

    def run(self, attempts: Iterable[A], width: int = 0) -> Iterator[tuple[A, Any]]:
        """Yield (attempt, what was found) in the order they finish.

        Args:
            attempts: what to run, taken when a fork server is free, those with equal keys best next
                to each other.
            width: how many at the same time, where it is to be fewer than `workers`.
        """
        waiting = iter(attempts)
        while busy := self._hand_out(waiting, width or self.workers):
            for cell in self._ready(busy):
                found = self._step(cell)
                if found is not None:
                    attempt, cell.attempt = cell.attempt, None
                    yield attempt, found

    def _hand_out(self, waiting: Iterator[A], width: int) -> list[_Worker]:
        """Give each idle fork server an attempt, starting missing ones; return the busy ones."""
        for place in range(width):
            if place < len(self.cells) and self.cells[place].attempt is not None:
                continue
            attempt = next(waiting, None)
            if attempt is None:
                break
            if place == len(self.cells):
                self.cells.append(_Worker(self._started()))
            self.cells[place].attempt = attempt
            self._begin(self.cells[place])
        return [cell for cell in self.cells if cell.attempt is not None]

    def _begin(self, cell: _Worker) -> None:
        """Start the next run of a fork server's attempt."""
        cell.received, cell.stopped, cell.excess = 0, False, False
        cell.sandbox.begin(cell.attempt.request(), cell.attempt.key, cell.attempt.inputs)

    def _started(self) -> SandboxProcess:
        """Return a fresh fork server."""
        while True:
            try:
                sandbox = SandboxProcess(self.isolation, self.memory)
            except SandboxStartError as error:
                self.failed_starts += 1
                if self.failed_starts >= STARTS:
                    raise VerifierError(
                        f"a sandbox ({self.isolation.level}) does not start: {error}",
                        fix="see that memory and processes are not limited too tightly",
                    ) from error
            else:
                self.failed_starts = 0
                return sandbox

    def _ready(self, busy: list[_Worker]) -> list[_Worker]:
        """Wait until a busy fork server has something to say, or is due."""
        patience = max(0.0, min(cell.sandbox.due for cell in busy) - time.monotonic())
        with selectors.DefaultSelector() as selector:
            for cell in busy:
                selector.register(cell.sandbox.status, selectors.EVENT_READ, cell)
                if not cell.stopped:
                    selector.register(cell.sandbox.results, selectors.EVENT_READ, cell)
            said = {id(key.data): key.data for key, _ in selector.select(patience)}
        now = time.monotonic()
        late = {id(cell): cell for cell in busy if now >= cell.sandbox.due}
        return list((said | late).values())

    def _step(self, cell: _Worker) -> Any | None:
        """Take what a fork server has said; return what was found where its attempt is done."""
        over = cell.sandbox.has_ended()
        self._take(cell)
        if not over:
            return self._replace(cell) if time.monotonic() >= cell.sandbox.due else None
        end = cell.sandbox.ended()
        if end is None:
            return self._replace(cell)
        if not end.begun:
            return self._replace(cell, "a program could not be restricted")
        found = cell.attempt.ended(end, excess=cell.excess)
        if not end.clean:
            cell.sandbox.close()
            cell.sandbox = self._started()
        if found is None:
            self._begin(cell)
        return found

    def _take(self, cell: _Worker) -> None:
        """Hand the attempt what has come, until there is nothing now, and stop it where it can."""
        while data := cell.sandbox.read():
            cell.received += len(data)
            if cell.stopped:
                continue
            cell.excess = cell.received > OUTPUT_BYTES
            if cell.excess or cell.attempt.receive(data):
                cell.stopped = True
                cell.sandbox.stop()

    def _replace(self, cell: _Worker, reason: str = "it ended") -> Any:
        """Start another fork server for one that is lost; its attempt is lost with it."""
        cell.sandbox.close()
        log.warning("a sandbox was lost: %s", reason)
        cell.sandbox = self._started()
        return cell.attempt.lost(f"the sandbox was lost: {reason}")
