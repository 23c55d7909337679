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
class _Slot:
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
        """Store the settings; fork servers start with the first attempts."""
        self.isolation, self.workers, self.memory = isolation, workers, memory
        self.slots: list[_Slot] = []
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
        for slot in self.slots:
            slot.sandbox.close()
        self.slots = []

    def run(self, attempts: Iterable[A], width: int = 0) -> Iterator[tuple[A, Any]]:
        """Yield (attempt, what was found) in the order they finish.

        Args:
            attempts: what to run; those with equal keys are fastest next to each other.
            width: most attempts at the same time, where that is fewer than `workers`.
        """
        waiting = iter(attempts)
        while busy := self._hand_out(waiting, width or self.workers):
            for slot in self._ready(busy):
                found = self._step(slot)
                if found is not None:
                    attempt, slot.attempt = slot.attempt, None
                    yield attempt, found

    def _hand_out(self, waiting: Iterator[A], width: int) -> list[_Slot]:
        """Give each idle fork server an attempt, starting missing ones; return the busy ones."""
        for place in range(width):
            if place < len(self.slots) and self.slots[place].attempt is not None:
                continue
            attempt = next(waiting, None)
            if attempt is None:
                break
            if place == len(self.slots):
                self.slots.append(_Slot(self._start()))
            self.slots[place].attempt = attempt
            self._begin(self.slots[place])
        return [slot for slot in self.slots if slot.attempt is not None]

    def _begin(self, slot: _Slot) -> None:
        """Start the next run of a fork server's attempt."""
        slot.received, slot.stopped, slot.excess = 0, False, False
        slot.sandbox.begin(slot.attempt.request(), slot.attempt.key, slot.attempt.inputs)

    def _start(self) -> SandboxProcess:
        """Return a new fork server."""
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

    def _ready(self, busy: list[_Slot]) -> list[_Slot]:
        """Wait until a busy fork server has written something, or is due."""
        patience = max(0.0, min(slot.sandbox.due for slot in busy) - time.monotonic())
        with selectors.PollSelector() as selector:  # made without a system call
            for slot in busy:
                selector.register(slot.sandbox.status, selectors.EVENT_READ, slot)
                if not slot.stopped:
                    selector.register(slot.sandbox.results, selectors.EVENT_READ, slot)
            ready = {id(key.data): key.data for key, _ in selector.select(patience)}
        now = time.monotonic()
        late = {id(slot): slot for slot in busy if now >= slot.sandbox.due}
        return list((ready | late).values())

    def _step(self, slot: _Slot) -> Any | None:
        """Read what a fork server has written; return the result of an attempt that is done."""
        over = slot.sandbox.has_ended()
        self._take(slot)
        if not over:
            return self._replace(slot) if time.monotonic() >= slot.sandbox.due else None
        result = slot.sandbox.ended()
        if result is None:
            return self._replace(slot)
        if not result.begun:
            return self._replace(slot, "a program could not be restricted")
        found = slot.attempt.ended(result, excess=slot.excess)
        if not result.clean:
            slot.sandbox.close()
            slot.sandbox = self._start()
        if found is None:
            self._begin(slot)
        return found

    def _take(self, slot: _Slot) -> None:
        """Pass on the results that have come, and stop the run where its attempt can end."""
        while data := slot.sandbox.read():
            slot.received += len(data)
            if slot.stopped:
                continue
            slot.excess = slot.received > OUTPUT_BYTES
            if slot.excess or slot.attempt.receive(data):
                slot.stopped = True
                slot.sandbox.stop()

    def _replace(self, slot: _Slot, reason: str = "it ended") -> Any:
        """Replace a fork server that is lost; its attempt is lost with it."""
        slot.sandbox.close()
        log.warning("a sandbox was lost: %s", reason)
        slot.sandbox = self._start()
        return slot.attempt.lost(f"the sandbox was lost: {reason}")
