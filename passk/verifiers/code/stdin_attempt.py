"""A program that reads standard input and writes standard output."""

from __future__ import annotations

import secrets
import signal
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from passk.verifiers.code import livecodebench
from passk.verifiers.code.output_lines import AttemptResult, without_end
from passk.verifiers.code.problems import StdinTests
from passk.verifiers.sandbox.decode import LIMIT
from passk.verifiers.sandbox.run import RunRequest, RunResult


@dataclass(slots=True)
class StdinAttempt:
    """A program that reads standard input and writes standard output, run once per test.

    Attributes:
        program: its text.
        problem: the tests.
        failed: how often each test has failed a program of this problem; shared.
        seconds: wall-clock time allowed per test.
    """

    program: bytes
    problem: StdinTests
    failed: list[int]
    seconds: float
    order: list[int] = field(default_factory=list)
    done: int = 0
    spent: float = 0.0
    output: bytearray = field(default_factory=bytearray)
    token: bytes = b""
    inputs: Sequence[Any] = ()

    @property
    def key(self) -> str:
        """Name of the inputs; they are sent with each run."""
        return self.problem.key

    def request(self) -> RunRequest:
        """Return the run of the next test."""
        if not self.order:
            self.order = sorted(range(len(self.failed)), key=lambda test: -self.failed[test])
        self.output, self.token = bytearray(), f"\nend-{secrets.token_hex(12)}\n".encode()
        stdin = self.problem.inputs[self.order[self.done]].encode("utf-8", "replace")
        return RunRequest(self.program, "stdin", self.seconds, self.token, stdin=stdin)

    def receive(self, data: bytes) -> bool:
        """Keep the output; stop where it is far longer than the expected one."""
        self.output += data
        expected = self.problem.outputs[self.order[self.done]]
        return len(self.output) > LIMIT + 16 * len(expected)

    def ended(self, end: RunResult, *, excess: bool) -> AttemptResult | None:
        """Judge the output of a test; None where another test follows."""
        self.spent += end.seconds
        test = self.order[self.done]
        found = self._judged(test, end, excess=excess)
        if found is None:
            self.done += 1
            if self.done < len(self.order):
                return None
            return AttemptResult("correct", f"passed {len(self.order)} tests", self.spent)
        self.failed[test] += found.verdict == "wrong"
        return found

    def _judged(self, test: int, end: RunResult, *, excess: bool) -> AttemptResult | None:
        """Return what is wrong with a test, or None."""
        place = f"test {test} (stdin)"
        output = bytes(self.output)
        if not output.endswith(self.token):
            last = output.rstrip(b"\n").rpartition(b"\n")[2].decode("utf-8", "replace")
            if end.status == 0 and last.startswith("!"):
                return AttemptResult("wrong", f"{place}: raised {last[1:61]}", self.spent)
            excess = excess or (end.status == -signal.SIGKILL and not end.late)
            return without_end(end, self.seconds, place, excess=excess)
        text = output.removesuffix(self.token).decode("utf-8", "replace")
        if livecodebench.same_output(text, self.problem.outputs[test]):
            return None
        return AttemptResult("wrong", f"{place}: printed something else", self.spent)

    def lost(self, reason: str) -> AttemptResult:
        """Return that the sandbox failed, not the program."""
        return AttemptResult("error", reason, self.spent)
