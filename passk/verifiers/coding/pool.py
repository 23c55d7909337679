"""Grades programs as the grading stage asks for it: pairs of gold and program in, results out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from passk.verifiers.coding import expected
from passk.verifiers.coding.attempts import (
    CallAttempt,
    Expectation,
    Found,
    Outputs,
    ReferenceAttempt,
    ScriptAttempt,
)
from passk.verifiers.coding.problems import Calls, Scripts, problem_of
from passk.verifiers.pool import FAILURES, Result, Setup
from passk.verifiers.sandbox.jail import PIPE_BYTES
from passk.verifiers.sandbox.runner import Runner
from passk.verifiers.sandbox.tiers import Tier
from passk.verifiers.sandbox.values import UnreadableError

REFERENCE_SECONDS = 300.0
"""Wall-clock time that a reference solution may take for all tests of a problem."""

SLOWER = 4.0
"""A program may take so many times longer than the reference solution, if that is more."""

TOO_LONG = Result("wrong", f"the program is longer than {PIPE_BYTES} bytes", None, 0.0)

Attempts = CallAttempt | ScriptAttempt


class ProgramPool:
    """Runs programs against the tests of their problems; use as a context manager.

    Args:
        tier: how programs are isolated.
        setup: workers, and deadline per program (per test with standard input).
        completion: whether programs go on from the problem's prompt.
        preamble: text that stands before each program.
        tests: `all` or `base`.
        memory: bytes that a program may take.
        store: folder to keep the outputs of reference solutions in, if any.
    """

    def __init__(
        self,
        tier: Tier,
        setup: Setup,
        *,
        completion: bool = False,
        preamble: str = "",
        tests: str = "all",
        memory: int = 1536 << 20,
        store: Path | None = None,
    ) -> None:
        """Keep what is asked for; sandboxes start with the first programs."""
        self.setup, self.completion, self.preamble, self.tests = setup, completion, preamble, tests
        self.store = store
        self.runner = Runner(tier, setup.workers, memory)
        self.problems: dict[str, Calls | Scripts] = {}
        self.expectations: dict[str, Expectation | str] = {}
        self.failed: dict[str, list[int]] = {}

    def __enter__(self) -> Self:
        """Return the pool."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Kill all sandboxes."""
        self.runner.__exit__(kind, error, trace)

    def run(self, pairs: Sequence[tuple[str, str]]) -> Iterator[tuple[int, Result]]:
        """Yield (index, result) of each (gold JSON, program) pair, in the order they finish.

        Programs of a problem run next to each other. One that is late, or whose sandbox fails, is
        tried once more by itself, when nothing else runs, before that counts.
        """
        self._expect(gold for gold, _ in pairs)
        tasks: list[tuple[int, Attempts]] = []
        for index in sorted(range(len(pairs)), key=lambda index: pairs[index][0]):
            attempt = self._attempt(*pairs[index])
            if isinstance(attempt, Result):
                yield index, attempt
            else:
                tasks.append((index, attempt))
        again = []
        for index, found in self._round(tasks):
            if found.verdict in FAILURES:
                again.append(index)
            else:
                yield index, _result(found)
        for index in sorted(again):
            attempt = self._attempt(*pairs[index], patience=0.0)
            assert not isinstance(attempt, Result)  # noqa: S101
            for _, found in self._round([(index, attempt)]):
                yield index, _result(found)

    def _round(self, tasks: Sequence[tuple[int, Attempts]]) -> Iterator[tuple[int, Found]]:
        """Yield (index, what was found) of each task."""
        index_of = {id(attempt): index for index, attempt in tasks}
        for attempt, found in self.runner.run([attempt for _, attempt in tasks]):
            yield index_of[id(attempt)], found

    def _expect(self, golds: Iterable[str]) -> None:
        """Find out the expected outputs of all problems that are new."""
        references = []
        for gold in dict.fromkeys(golds):
            if gold in self.problems:
                continue
            problem = self.problems[gold] = problem_of(gold, self.tests)
            if isinstance(problem, Scripts):
                self.failed[problem.key] = [0] * len(problem.inputs)
            elif problem.reference is None:
                self._set(problem, None)
            elif (outputs := expected.read(self.store, problem)) is not None:
                self._set(problem, outputs)
            else:
                program = problem.reference.encode("utf-8", "replace")
                references.append(ReferenceAttempt(program, problem, REFERENCE_SECONDS))
        for attempt, outputs in self.runner.run(references):
            if outputs.fault:
                fault = f"the reference solution gives no outputs: {outputs.fault}"
                self.expectations[attempt.problem.key] = fault
            else:
                expected.keep(self.store, attempt.problem, outputs)
                self._set(attempt.problem, outputs)

    def _set(self, problem: Calls, outputs: Outputs | None) -> None:
        """Take note of what is expected of a problem's programs."""
        try:
            self.expectations[problem.key] = Expectation(problem, outputs)
        except UnreadableError as error:
            fault = f"an output of the reference solution cannot be read: {error}"
            self.expectations[problem.key] = fault

    def _attempt(self, gold: str, answer: str, patience: float | None = None) -> Attempts | Result:
        """Return the attempt of a program, or the result where there is nothing to run."""
        problem = self.problems[gold]
        text = self.preamble + (problem.prompt if self.completion else "") + answer
        program = text.encode("utf-8", "replace")
        if len(program) > PIPE_BYTES:
            return TOO_LONG
        if isinstance(problem, Scripts):
            return ScriptAttempt(program, problem, self.failed[problem.key], self.setup.deadline)
        expectation = self.expectations[problem.key]
        if isinstance(expectation, str):
            return Result("error", expectation, None, 0.0)
        seconds = max(self.setup.deadline, SLOWER * expectation.seconds)
        attempt = CallAttempt(program, expectation, seconds)
        if patience is not None:
            attempt.patience = patience
        return attempt


def _result(found: Found) -> Result:
    """Return what was found as the grading stage takes it; right programs are of one class."""
    name = "passes" if found.verdict == "correct" else None
    return Result(found.verdict, found.detail, name, found.seconds)
