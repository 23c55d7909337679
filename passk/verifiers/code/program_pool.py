"""Grades programs as the grading stage asks for it: pairs of gold and program in, results out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from passk.verifiers.code import reference_cache
from passk.verifiers.code.expected_outputs import ExpectedOutputs, ReferenceOutputs
from passk.verifiers.code.function_attempt import PATIENCE, FunctionAttempt, ReferenceAttempt
from passk.verifiers.code.output_lines import AttemptResult
from passk.verifiers.code.problems import FunctionTests, StdinTests, problem_of
from passk.verifiers.code.stdin_attempt import StdinAttempt
from passk.verifiers.grading.worker_pool import FAILURES, PoolConfig, Result
from passk.verifiers.sandbox.decode import UnreadableError
from passk.verifiers.sandbox.isolation import Isolation
from passk.verifiers.sandbox.process import PIPE_BYTES
from passk.verifiers.sandbox.runner import Runner

REFERENCE_SECONDS = 300.0
"""Wall-clock time that a reference solution may take for all tests of a problem."""

SLOWER = 4.0
"""A program may take so many times longer than the reference solution, if that is more."""

TOO_LONG = Result("wrong", f"the program is longer than {PIPE_BYTES} bytes", None, 0.0)

Attempts = FunctionAttempt | StdinAttempt


class ProgramPool:
    """Runs programs against the tests of their problems; use as a context manager.

    Args:
        isolation: how programs are isolated.
        setup: workers, and deadline per program (per test with standard input).
        completion: whether programs go on from the problem's prompt.
        preamble: text that stands before each program.
        tests: `all` or `base`.
        memory: bytes that a program may take.
        store: folder to keep the outputs of reference solutions in, if any.
    """

    def __init__(
        self,
        isolation: Isolation,
        setup: PoolConfig,
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
        self.runner = Runner(isolation, setup.workers, memory)
        self.problems: dict[str, FunctionTests | StdinTests] = {}
        self.expectations: dict[str, ExpectedOutputs | str] = {}
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
        golds = [gold for gold, _ in pairs]
        self._expect(golds)
        again = []
        order = sorted(range(len(pairs)), key=golds.__getitem__)
        for index, result in self._round(pairs, order, PATIENCE):
            if result.verdict in FAILURES:
                again.append(index)
            else:
                yield index, result
        for index in sorted(again):
            yield from self._round(pairs, [index], 0.0)

    def _round(
        self, pairs: Sequence[tuple[str, str]], order: Sequence[int], patience: float
    ) -> Iterator[tuple[int, Result]]:
        """Yield (index, result) of the pairs at the places that `order` names."""
        places: dict[int, int] = {}
        known: list[tuple[int, Result]] = []

        def attempts() -> Iterator[Attempts]:
            for index in order:
                attempt = self._attempt(*pairs[index], patience)
                if isinstance(attempt, Result):
                    known.append((index, attempt))
                else:
                    places[id(attempt)] = index
                    yield attempt

        for attempt, found in self.runner.run(attempts()):
            yield places.pop(id(attempt)), _result(found)
        yield from known

    def _expect(self, golds: Iterable[str]) -> None:
        """Find out the expected outputs of all problems that are new."""
        references = []
        for gold in dict.fromkeys(golds):
            if gold in self.problems:
                continue
            problem = self.problems[gold] = problem_of(gold, self.tests)
            if isinstance(problem, StdinTests):
                self.failed[problem.key] = [0] * len(problem.inputs)
            elif problem.reference is None:
                self._set(problem, None)
            elif (outputs := reference_cache.read(self.store, problem)) is not None:
                self._set(problem, outputs)
            else:
                program = problem.reference.encode("utf-8", "replace")
                references.append(ReferenceAttempt(program, problem, REFERENCE_SECONDS))
        again = self._run_references(references, self.setup.workers)
        for reference in again:
            self._run_references([reference], 1)

    def _run_references(
        self, references: Sequence[ReferenceAttempt], width: int
    ) -> list[ReferenceAttempt]:
        """Run reference solutions; return those that gave no outputs, to be tried once more."""
        failed = []
        for attempt, outputs in self.runner.run(references, width):
            if outputs.fault:
                failed.append(attempt)
                fault = f"the reference solution gives no outputs: {outputs.fault}"
                self.expectations[attempt.problem.key] = fault
            else:
                reference_cache.keep(self.store, attempt.problem, outputs)
                self._set(attempt.problem, outputs)
        return failed

    def _set(self, problem: FunctionTests, outputs: ReferenceOutputs | None) -> None:
        """Take note of what is expected of a problem's programs."""
        try:
            self.expectations[problem.key] = ExpectedOutputs(problem, outputs)
        except UnreadableError as error:
            fault = f"an output of the reference solution cannot be read: {error}"
            self.expectations[problem.key] = fault

    def _attempt(self, gold: str, answer: str, patience: float) -> Attempts | Result:
        """Return the attempt of a program, or the result where there is nothing to run."""
        problem = self.problems[gold]
        text = self.preamble + (problem.prompt if self.completion else "") + answer
        program = text.encode("utf-8", "replace")
        if len(program) > PIPE_BYTES:
            return TOO_LONG
        if isinstance(problem, StdinTests):
            return StdinAttempt(program, problem, self.failed[problem.key], self.setup.deadline)
        expectation = self.expectations[problem.key]
        if isinstance(expectation, str):
            return Result("error", expectation, None, 0.0)
        seconds = max(self.setup.deadline, SLOWER * expectation.seconds)
        return FunctionAttempt(program, expectation, seconds, patience)


def _result(found: AttemptResult) -> Result:
    """Return what was found as the grading stage takes it; right programs are of one class."""
    name = "passes" if found.verdict == "correct" else None
    return Result(found.verdict, found.detail, name, found.seconds)
