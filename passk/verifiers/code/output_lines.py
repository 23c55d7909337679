"""What a run sent, line by line, and the verdict where it did not come to its end."""

from __future__ import annotations

import secrets
import signal
from dataclasses import dataclass

from passk.core.schemas import VerdictName
from passk.verifiers.sandbox.run import RunResult


@dataclass(frozen=True, slots=True)
class AttemptResult:
    """The verdict on a program; `seconds` is wall-clock time of all its runs."""

    verdict: VerdictName
    detail: str
    seconds: float = 0.0


class LineReader:
    """Lines of a run, up to the token that ends it."""

    def __init__(self) -> None:
        """Make the token, random per run."""
        self.name = f"end-{secrets.token_hex(12)}"
        self.token = f"{self.name}\n".encode()
        self.rest = bytearray()
        self.count = 0
        self.finished = False

    def read(self, data: bytes) -> list[str]:
        """Return the lines that are complete, without the token."""
        self.rest += data
        if b"\n" not in data:
            return []
        *whole, rest = self.rest.split(b"\n")
        self.rest = rest
        lines = [line.decode("ascii", "replace") for line in whole]
        if lines[-1] == self.name:
            self.finished = True
            lines.pop()
        elif self.finished:
            self.finished = False  # something came after the end: not a run of ours
        self.count += len(lines)
        return lines


def judge_unfinished(
    result: RunResult, limit: float, total: float, place: str, *, excess: bool
) -> AttemptResult:
    """Return the verdict on a run that did not come to its end.

    Args:
        result: how it ended.
        limit: time limit of the test it was in, in seconds.
        total: time limit of the run.
        place: name of that test.
        excess: whether it was stopped because it sent too much.
    """
    if excess:
        return AttemptResult("wrong", f"{place}: sent too much", result.seconds)
    if result.flooded:
        return AttemptResult("wrong", f"{place}: wrote too many files", result.seconds)
    if result.late or result.status == -signal.SIGXCPU or result.processor > total:
        return AttemptResult(
            "timeout", f"{place}: over the time limit of {limit:g} s", result.seconds
        )
    if result.status == -signal.SIGKILL:
        return AttemptResult("error", f"{place}: the system killed the program", result.seconds)
    status = result.status
    how = f"ended by signal {-status}" if status < 0 else f"exited with {status}"
    return AttemptResult("wrong", f"{place}: the program {how}", result.seconds)
