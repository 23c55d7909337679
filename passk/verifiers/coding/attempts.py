"""A program on its way through the sandbox, seen by whoever judges it: the parent.

Each follows `passk.verifiers.sandbox.runner.Attempt`. What a program sends is compared as it
comes, so that the first wrong output ends the run.
"""

from __future__ import annotations

import secrets
import signal
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from passk.records import VerdictName
from passk.verifiers.coding import livecode
from passk.verifiers.coding.evalplus import Long
from passk.verifiers.coding.problems import Calls, Judge, Scripts
from passk.verifiers.sandbox.jail import End, Request
from passk.verifiers.sandbox.values import LIMIT, UnreadableError, decode

PATIENCE = 0.02
"""Seconds that results may be held back to be sent together, in a first try."""


@dataclass(frozen=True, slots=True)
class Found:
    """What became of an attempt; `seconds` is wall-clock time of all its runs."""

    verdict: VerdictName
    detail: str
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Outputs:
    """What a reference solution returned: a line of `inside.encode` per test, or a fault.

    Attributes:
        lines: one line per test.
        seconds: wall-clock time of the run.
        fault: why there are no lines, or "".
    """

    lines: Sequence[str]
    seconds: float
    fault: str = ""


class Opaque:
    """An output that could not be sent as data; it equals nothing."""


def value_of(line: str, limit: int = LIMIT) -> Any:
    """Return the value of a line.

    Raises:
        UnreadableError: it is neither a value nor the name of a type.
    """
    if line.startswith("?"):
        return Opaque()
    if line.startswith("#"):
        return Long(line.endswith(" floats"))
    if not line.startswith(("=", "~")):
        raise UnreadableError(line[:40])
    return decode(line[1:], limit)


class Expectation:
    """Expected outputs of a problem, and how often each test has failed a program.

    Args:
        problem: the tests.
        outputs: what the reference solution returned, where the problem has one.

    Raises:
        UnreadableError: a reference output cannot be read.
    """

    def __init__(self, problem: Calls, outputs: Outputs | None) -> None:
        """Read the expected outputs."""
        self.problem = problem
        self.seconds = outputs.seconds if outputs else 0.0
        if outputs is None:
            self.values: Sequence[Any] = problem.expected or ()
            self.lines = [""] * len(self.values)
        else:
            self.lines = list(outputs.lines)
            self.values = [value_of(line, len(line)) for line in self.lines]
        self.same: Judge = problem.judge_of(self.values)
        self.failed = [0] * len(problem.inputs)
        self.accepted: set[tuple[int, str]] = set()

    def order(self) -> list[int]:
        """Return the tests, those first that have failed most programs."""
        if not any(self.failed):
            return list(range(len(self.failed)))
        return sorted(range(len(self.failed)), key=lambda test: -self.failed[test])

    def passes(self, test: int, line: str) -> bool:
        """Return whether a line says the same as the expected one, or one found equal to it."""
        same = line == self.lines[test] and line[:1] in {"=", "~", "#"}
        return same or (test, line) in self.accepted

    def unclear(self, test: int, line: str) -> bool:
        """Return whether a line can be compared only in full."""
        return line.startswith("#") or (line[:1] in "=~" and self.lines[test].startswith("#"))

    def fault(self, test: int, line: str, wanted: str | None = None) -> str | None:
        """Return what is wrong with a line that a program sent for a test, or None.

        Args:
            test: the test.
            line: what the program sent.
            wanted: the expected line in full, where it is too long to be kept.
        """
        if line.startswith("!"):
            return f"raised {line[1:61]}"
        limit = LIMIT + 4 * len(wanted or self.lines[test])
        try:
            value = value_of(line, limit)
            expected = self.values[test] if wanted is None else value_of(wanted, len(wanted))
        except UnreadableError as error:
            return f"returned a value that cannot be read: {error}"
        exact = line[:1] == ((wanted or self.lines[test])[:1] or "=")
        if self.same(test, value, expected, exact):
            return None
        if isinstance(value, Opaque):
            return f"returned a {line[1:61]}, which cannot be compared"
        return "returned another value"

    def name(self, test: int) -> str:
        """Return a test's name: its index and kind."""
        return f"test {test} ({self.problem.kinds[test]})"


@dataclass(slots=True)
class CallAttempt:
    """A program whose function is called with every input of a problem.

    A value that is too long to be sent in every run, and whose digest is not the expected one, may
    still be equal: then the one test is run again, by the program and by the reference, in full.

    Attributes:
        program: its text.
        expectation: what is expected of it.
        seconds: wall-clock time allowed.
        patience: how long results may be held back; 0 names the exact test that a run hangs in.
    """

    program: bytes
    expectation: Expectation
    seconds: float
    patience: float = PATIENCE
    lines: LineReader = field(init=False)
    order: list[int] = field(default_factory=list)
    fault: str = ""
    unclear: tuple[int, str] | None = None
    in_full: bool = False
    full: list[str] = field(default_factory=list)
    spent: float = 0.0

    @property
    def key(self) -> str:
        """Name of the inputs."""
        return self.expectation.problem.key

    @property
    def inputs(self) -> Sequence[Any]:
        """Argument lists of all tests."""
        return self.expectation.problem.inputs

    def request(self) -> Request:
        """Return the next run: all tests, or one that is unclear in full, by either program."""
        self.lines, program = LineReader(), self.program
        if self.unclear is None:
            self.order = self.expectation.order()
        else:
            self.order = [self.unclear[0]]
            if self.full:
                program = (self.expectation.problem.reference or "").encode("utf-8", "replace")
        self.in_full = self.unclear is not None
        return Request(
            program,
            "call",
            self.seconds,
            self.lines.token,
            entry_point=self.expectation.problem.entry_point,
            method=self.expectation.problem.method,
            order=self.order,
            patience=self.patience,
            whole=self.in_full,
        )

    def receive(self, data: bytes) -> bool:
        """Judge the outputs that have come; stop at the first that does not pass."""
        at = self.lines.count
        lines = self.lines.read(data)
        if self.in_full:
            self.full += lines
            return False
        return any(self._stops(position, line) for position, line in enumerate(lines, start=at))

    def _stops(self, position: int, line: str) -> bool:
        """Take note of what is wrong with the line at a position; return whether anything is."""
        if line.startswith("load "):
            self.fault = f"the program raised {line[6:66]} before any test"
        elif position >= len(self.order):
            self.fault = "more results than tests"
        elif not self.expectation.passes(self.order[position], line):
            self._compare(self.order[position], line)
        return bool(self.fault) or self.unclear is not None

    def _compare(self, test: int, line: str, wanted: str | None = None) -> None:
        """Compare a line with the expected one."""
        if wanted is None and self.expectation.unclear(test, line):
            self.unclear = (test, line)
            return
        fault = self.expectation.fault(test, line, wanted)
        if fault is not None:
            self.expectation.failed[test] += 1
            self.fault = f"{self.expectation.name(test)}: {fault}"

    def ended(self, end: End, *, excess: bool) -> Found | None:
        """Return the verdict, or None where another run follows."""
        self.spent += end.seconds
        if self.in_full:
            return self._ended_in_full(end, excess=excess)
        if self.unclear is not None:
            return None
        if self.fault:
            return Found("wrong", self.fault, self.spent)
        if self.lines.finished and self.lines.count == len(self.order):
            return Found("correct", f"passed {len(self.order)} tests", self.spent)
        return self._without_end(end, excess=excess)

    def _ended_in_full(self, end: End, *, excess: bool) -> Found | None:
        """Go on from a run of one test: the program's, the reference's, then all tests again."""
        assert self.unclear is not None  # noqa: S101
        if not self.lines.finished:
            return self._without_end(end, excess=excess)
        if len(self.full) == 1 and self.expectation.problem.reference is not None:
            return None
        test, line = self.unclear
        self._compare(test, self.full[0], self.full[1] if self.full[1:] else "")
        self.unclear, self.full = None, []
        if self.fault:
            return Found("wrong", self.fault, self.spent)
        self.expectation.accepted.add((test, line))
        return None

    def _without_end(self, end: End, *, excess: bool) -> Found:
        """Return the verdict on a run that did not come to its end."""
        place = "after the last test"
        if self.lines.count < len(self.order):
            place = self.expectation.name(self.order[self.lines.count])
            if end.late and self.patience:
                place += " or soon after"
        return without_end(end, self.seconds, place, excess=excess)

    def lost(self, reason: str) -> Found:
        """Return that the sandbox failed, not the program."""
        return Found("error", reason, self.spent)


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


def without_end(end: End, seconds: float, place: str, *, excess: bool) -> Found:
    """Return the verdict on a run that did not come to its end."""
    if excess:
        return Found("wrong", f"{place}: sent too much", end.seconds)
    if end.late or end.status == -signal.SIGXCPU or end.processor > seconds:
        return Found("timeout", f"{place}: over the deadline of {seconds:g} s", end.seconds)
    if end.status == -signal.SIGKILL:
        return Found("error", f"{place}: the system killed the program", end.seconds)
    how = f"ended by signal {-end.status}" if end.status < 0 else f"exited with {end.status}"
    return Found("wrong", f"{place}: the program {how}", end.seconds)


@dataclass(slots=True)
class ReferenceAttempt:
    """A reference solution, whose outputs become the expected ones."""

    program: bytes
    problem: Calls
    seconds: float
    lines: LineReader = field(default_factory=LineReader)
    outputs: list[str] = field(default_factory=list)

    @property
    def key(self) -> str:
        """Name of the inputs."""
        return self.problem.key

    @property
    def inputs(self) -> Sequence[Any]:
        """Argument lists of all tests."""
        return self.problem.inputs

    def request(self) -> Request:
        """Return the one run: all tests in order."""
        self.lines, self.outputs = LineReader(), []
        order = range(len(self.problem.inputs))
        name = self.problem.entry_point
        return Request(self.program, "call", self.seconds, self.lines.token, name, order=order)

    def receive(self, data: bytes) -> bool:
        """Keep the outputs."""
        self.outputs += self.lines.read(data)
        return False

    def ended(self, end: End, *, excess: bool) -> Outputs:
        """Return the outputs, or why there are not all."""
        raised = next((n for n, line in enumerate(self.outputs) if line[:1] not in "=~?#"), None)
        if raised is not None:
            fault = f"raised in test {raised}: {self.outputs[raised][:60]}"
            return Outputs([], end.seconds, fault)
        if self.lines.finished and len(self.outputs) == len(self.problem.inputs):
            return Outputs(self.outputs, end.seconds)
        place = f"test {len(self.outputs)}"
        fault = without_end(end, self.seconds, place, excess=excess).detail
        return Outputs([], end.seconds, fault)

    def lost(self, reason: str) -> Outputs:
        """Return that there are no outputs."""
        return Outputs([], 0.0, reason)


@dataclass(slots=True)
class ScriptAttempt:
    """A program that reads standard input and writes standard output, run once per test.

    Attributes:
        program: its text.
        problem: the tests.
        failed: how often each test has failed a program of this problem; shared.
        seconds: wall-clock time allowed per test.
    """

    program: bytes
    problem: Scripts
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

    def request(self) -> Request:
        """Return the run of the next test."""
        if not self.order:
            self.order = sorted(range(len(self.failed)), key=lambda test: -self.failed[test])
        self.output, self.token = bytearray(), f"\nend-{secrets.token_hex(12)}\n".encode()
        stdin = self.problem.inputs[self.order[self.done]].encode("utf-8", "replace")
        return Request(self.program, "stdin", self.seconds, self.token, stdin=stdin)

    def receive(self, data: bytes) -> bool:
        """Keep the output; stop where it is far longer than the expected one."""
        self.output += data
        expected = self.problem.outputs[self.order[self.done]]
        return len(self.output) > LIMIT + 16 * len(expected)

    def ended(self, end: End, *, excess: bool) -> Found | None:
        """Judge the output of a test; None where another test follows."""
        self.spent += end.seconds
        test = self.order[self.done]
        found = self._judged(test, end, excess=excess)
        if found is None:
            self.done += 1
            if self.done < len(self.order):
                return None
            return Found("correct", f"passed {len(self.order)} tests", self.spent)
        self.failed[test] += found.verdict == "wrong"
        return found

    def _judged(self, test: int, end: End, *, excess: bool) -> Found | None:
        """Return what is wrong with a test, or None."""
        place = f"test {test} (stdin)"
        output = bytes(self.output)
        if not output.endswith(self.token):
            last = output.rstrip(b"\n").rpartition(b"\n")[2].decode("utf-8", "replace")
            if end.status == 0 and last.startswith("!"):
                return Found("wrong", f"{place}: raised {last[1:61]}", self.spent)
            excess = excess or (end.status == -signal.SIGKILL and not end.late)
            return without_end(end, self.seconds, place, excess=excess)
        text = output.removesuffix(self.token).decode("utf-8", "replace")
        if livecode.same_output(text, self.problem.outputs[test]):
            return None
        return Found("wrong", f"{place}: printed something else", self.spent)

    def lost(self, reason: str) -> Found:
        """Return that the sandbox failed, not the program."""
        return Found("error", reason, self.spent)
