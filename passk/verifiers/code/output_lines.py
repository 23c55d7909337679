"""What a run sent, line by line, and the verdict where it did not come to its end."""

from __future__ import annotations

import secrets
import signal
from dataclasses import dataclass

from passk.core.schemas import VerdictName
from passk.verifiers.sandbox.run import RunResult


@dataclass(frozen=True, slots=True)
class AttemptResult:
    """What became of an attempt; `seconds` is wall-clock time of all its runs."""

    verdict: VerdictName
    detail: str
    seconds: float = 0.0


class LineReader:
    """Lines of a run, up to the token that ends it."""

    def __init__(self) -> None:
        """Make the token, random per run."""
        self.name = f"end-{secrets.token_hex(12)}"
        self.token = f"{self.name}\n".encode()
        self.rest = b""
        self.count = 0
        self.finished = False

    def read(self, data: bytes) -> list[str]:
        """Return the lines that are complete, without the token."""
        if b"\n" not in data:
            self.rest += data
            return []
        *whole, self.rest = (self.rest + data).split(b"\n")
        lines = [line.decode("ascii", "replace") for line in whole]
        if lines[-1] == self.name:
            self.finished = True
            lines.pop()
        elif self.finished:
            self.finished = False  # something came after the end: not a run of ours
        self.count += len(lines)
        return lines


def without_end(end: RunResult, seconds: float, place: str, *, excess: bool) -> AttemptResult:
    """Return the verdict on a run that did not come to its end."""
    if excess:
        return AttemptResult("wrong", f"{place}: sent too much", end.seconds)
    if end.late or end.status == -signal.SIGXCPU or end.processor > seconds:
        return AttemptResult("timeout", f"{place}: over the deadline of {seconds:g} s", end.seconds)
    if end.status == -signal.SIGKILL:
        return AttemptResult("error", f"{place}: the system killed the program", end.seconds)
    how = f"ended by signal {-end.status}" if end.status < 0 else f"exited with {end.status}"
    return AttemptResult("wrong", f"{place}: the program {how}", end.seconds)
