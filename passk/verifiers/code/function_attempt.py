"""Runs of programs whose function is called with every input of a problem.

Both kinds follow `passk.verifiers.sandbox.runner.Attempt`. What a program sends is compared as it
comes, in the parent, so that the first wrong output ends the run.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from passk.verifiers.code.expected_outputs import ExpectedOutputs, ReferenceOutputs
from passk.verifiers.code.output_lines import AttemptResult, LineReader, judge_unfinished
from passk.verifiers.code.problems import FunctionTests
from passk.verifiers.sandbox.run import RunRequest, RunResult

PATIENCE = 0.02
"""Seconds that results may be held back to be sent together, in a first try."""


@dataclass(slots=True)
class FunctionAttempt:
    """A program whose function is called with every input, in the order of the tests.

    A value that is too long to be sent in every run, and whose digest is not the expected one, may
    still be equal: then the one test is run again, by the program and by the reference, in full.
    Each of those runs has to send one line, so that neither can speak for the other.

    Attributes:
        program: its text.
        expected: the expected outputs.
        limits: time limits in seconds, of loading and of each test.
        total: time limit of all tests.
        patience: how long results may be held back; 0 names the exact test that a run hangs in.
        lenient: whether code that fails after the solution, such as a test of its own, is ignored.
    """

    program: bytes
    expected: ExpectedOutputs
    limits: Sequence[float]
    total: float
    patience: float = PATIENCE
    lenient: bool = False
    lines: LineReader = field(init=False)
    order: Sequence[int] = ()
    fault: str = ""
    unclear: tuple[int, str] | None = None
    in_full: bool = False
    full: list[str] = field(default_factory=list)
    accepted: set[tuple[int, str]] = field(default_factory=set)
    spent: float = 0.0

    @property
    def key(self) -> str:
        """Name of the inputs."""
        return self.expected.problem.key

    @property
    def inputs(self) -> Sequence[Any]:
        """Argument lists of all tests."""
        return self.expected.problem.inputs

    def request(self) -> RunRequest:
        """Return the next run: all tests, or one that is unclear in full, by either program."""
        problem, limits = self.expected.problem, self.limits
        self.lines, program, before = LineReader(), self.program, problem.imports
        self.in_full = self.unclear is not None
        if self.unclear is None:
            self.order = range(len(problem.inputs))
        else:
            self.order = [self.unclear[0]]
            limits = [limits[0], self.total]
            if self.full:
                program, before = (problem.reference or "").encode("utf-8", "replace"), b""
        return RunRequest(
            program,
            "call",
            self.lines.token,
            limits,
            self.total,
            entry_point=problem.entry_point,
            method=problem.method,
            order=self.order,
            patience=self.patience,
            whole=self.in_full,
            before=before,
            lenient=self.lenient,
        )

    def receive(self, data: bytes) -> bool:
        """Judge the outputs that have come; stop at the first that does not pass."""
        at = self.lines.count
        lines = self.lines.read(data)
        if self.in_full:
            self.full += lines[: max(0, 1 - at)]
            return self.lines.count > 1
        if self.expected.all_pass(at, lines):  # spares right programs a look at each line
            return False
        return any(self._stops(position, line) for position, line in enumerate(lines, start=at))

    def _stops(self, position: int, line: str) -> bool:
        """Judge the line at a position; return whether it ends the run."""
        if line.startswith("load "):
            self.fault = f"the program raised {line[6:66]} before any test"
        elif position >= len(self.order):
            self.fault = "more results than tests"
        elif not self.expected.passes(self.order[position], line):
            self._compare(self.order[position], line)
        return bool(self.fault) or self.unclear is not None

    def _compare(self, test: int, line: str) -> None:
        """Compare a line with the expected one, unless that has to be done in full."""
        if (test, line) in self.accepted:
            return
        if self.expected.unclear(test, line):
            self.unclear = (test, line)
            return
        self._judge(test, line)

    def _judge(self, test: int, line: str, wanted: str | None = None) -> None:
        """Note what is wrong with a line, if anything."""
        fault = self.expected.fault(test, line, wanted)
        if fault is not None:
            self.fault = f"{self.expected.name(test)}: {fault}"

    def ended(self, result: RunResult, *, excess: bool) -> AttemptResult | None:
        """Return the verdict, or None where another run follows."""
        self.spent += result.seconds
        if self.in_full:
            return self._ended_in_full(result, excess=excess)
        if self.unclear is not None:
            return None
        if self.fault:
            return AttemptResult("wrong", self.fault, self.spent)
        if self.lines.finished and self.lines.count == len(self.order):
            return AttemptResult("correct", f"passed {len(self.order)} tests", self.spent)
        return self._unfinished(result, excess=excess)

    def _ended_in_full(self, result: RunResult, *, excess: bool) -> AttemptResult | None:
        """Go on from a run of one test: the program's, the reference's, then all tests again."""
        assert self.unclear is not None  # noqa: S101
        if self.lines.count > 1:
            return AttemptResult("wrong", "more results than tests", self.spent)
        if not (self.lines.finished and self.lines.count):
            return self._unfinished(result, excess=excess)
        if len(self.full) == 1 and self.expected.problem.reference is not None:
            return None
        test, line = self.unclear
        wanted = self.full[1] if self.full[1:] else self.expected.whole(test)
        self._judge(test, self.full[0], wanted)
        self.unclear, self.full = None, []
        if self.fault:
            return AttemptResult("wrong", self.fault, self.spent)
        self.accepted.add((test, line))
        return None

    def _unfinished(self, result: RunResult, *, excess: bool) -> AttemptResult:
        """Return the verdict on a run that did not come to its end."""
        place, limit = "after the last test", self.total
        if self.lines.count < len(self.order):
            test = self.order[self.lines.count]
            place = self.expected.name(test)
            limit = self.limits[min(test + 1, len(self.limits) - 1)]
            if result.late and self.patience:
                place += " or soon after"
        return judge_unfinished(result, limit, self.total, place, excess=excess)

    def lost(self, reason: str) -> AttemptResult:
        """Return that the sandbox failed, not the program."""
        return AttemptResult("error", reason, self.spent)


@dataclass(slots=True)
class ReferenceAttempt:
    """A reference solution, whose outputs become the expected ones.

    Attributes:
        program: its text.
        problem: the tests.
        seconds: time limit in seconds.
    """

    program: bytes
    problem: FunctionTests
    seconds: float
    lines: LineReader = field(default_factory=LineReader)
    outputs: list[str] = field(default_factory=list)
    times: list[float] = field(default_factory=list)

    @property
    def key(self) -> str:
        """Name of the inputs."""
        return self.problem.key

    @property
    def inputs(self) -> Sequence[Any]:
        """Argument lists of all tests."""
        return self.problem.inputs

    def request(self) -> RunRequest:
        """Return the one run: all tests in order, each with its time."""
        self.lines, self.outputs, self.times = LineReader(), [], []
        return RunRequest(
            self.program,
            "call",
            self.lines.token,
            [self.seconds],
            self.seconds,
            entry_point=self.problem.entry_point,
            order=range(len(self.problem.inputs)),
            timed=True,
        )

    def receive(self, data: bytes) -> bool:
        """Take the outputs and their times."""
        for line in self.lines.read(data):
            output, _, seconds = line.partition("\t")
            self.outputs.append(output)
            self.times.append(float(seconds or 0))
        return False

    def ended(self, result: RunResult, *, excess: bool) -> ReferenceOutputs:
        """Return the outputs, or why there are not all."""
        raised = next((n for n, line in enumerate(self.outputs) if line[:1] not in "=~?#"), None)
        if raised is not None:
            fault = f"raised in test {raised}: {self.outputs[raised][:60]}"
            return ReferenceOutputs([], [], fault)
        if self.lines.finished and len(self.outputs) == len(self.problem.inputs):
            return ReferenceOutputs(self.outputs, self.times)
        place = f"test {len(self.outputs)}"
        seconds = self.seconds
        fault = judge_unfinished(result, seconds, seconds, place, excess=excess).detail
        return ReferenceOutputs([], [], fault)

    def lost(self, reason: str) -> ReferenceOutputs:
        """Return that there are no outputs."""
        return ReferenceOutputs([], [], reason)
