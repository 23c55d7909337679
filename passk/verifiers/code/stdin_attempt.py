"""Runs of a program that reads standard input and writes standard output."""

from __future__ import annotations

import secrets
import signal
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from passk.verifiers.code import livecodebench
from passk.verifiers.code.output_lines import AttemptResult, judge_unfinished
from passk.verifiers.code.problems import StdinTests
from passk.verifiers.sandbox.decode import LIMIT
from passk.verifiers.sandbox.run import RunRequest, RunResult


@dataclass(slots=True)
class StdinAttempt:
    """A program that reads standard input and writes standard output, run once per test.

    Attributes:
        program: its text.
        problem: the tests.
        limit: time limit in seconds of each test.
        main_function: run its body as a function, as LiveCodeBench does.
    """

    program: bytes
    problem: StdinTests
    limit: float
    main_function: bool = False
    test: int = 0
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
        self.output, self.token = bytearray(), f"\nend-{secrets.token_hex(12)}\n".encode()
        return RunRequest(
            self.program,
            "stdin",
            self.token,
            [self.limit],
            self.limit,
            stdin=self.problem.inputs[self.test].encode("utf-8", "replace"),
            main_function=self.main_function,
        )

    def receive(self, data: bytes) -> bool:
        """Take the output; stop where it is far longer than the expected one."""
        self.output += data
        return len(self.output) > LIMIT + 4 * len(self.problem.outputs[self.test])

    def ended(self, result: RunResult, *, excess: bool) -> AttemptResult | None:
        """Judge the output of a test; None where another test follows."""
        self.spent += result.seconds
        failure = self._failure(result, excess=excess)
        if failure is not None:
            return failure
        self.test += 1
        n_tests = len(self.problem.inputs)
        if self.test < n_tests:
            return None
        return AttemptResult("correct", f"passed {n_tests} tests", self.spent)

    def _failure(self, result: RunResult, *, excess: bool) -> AttemptResult | None:
        """Return what is wrong with a test, or None.

        A program may leave by `os._exit(0)`: then the token is missing, and its output counts.
        """
        place, expected = f"test {self.test} (stdin)", self.problem.outputs[self.test]
        output, token, error = bytes(self.output).partition(self.token)
        if error.startswith(b"!"):
            name = error[1:61].decode("ascii", "replace").strip()
            return AttemptResult("wrong", f"{place}: raised {name}", self.spent)
        if not token and (result.late or result.status != 0):
            excess = excess or (
                result.status == -signal.SIGKILL and not (result.late or result.flooded)
            )
            return judge_unfinished(result, self.limit, self.limit, place, excess=excess)
        if livecodebench.same_output(output.decode("utf-8", "replace"), expected):
            return None
        return AttemptResult("wrong", f"{place}: printed something else", self.spent)

    def lost(self, reason: str) -> AttemptResult:
        """Return that the sandbox failed, not the program."""
        return AttemptResult("error", reason, self.spent)
