"""Grades programs for the grading stage: pairs of gold and program in, results out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from passk.core.progress import Progress
from passk.verifiers.code import reference_cache
from passk.verifiers.code.expected_outputs import ExpectedOutputs, ReferenceOutputs
from passk.verifiers.code.function_attempt import PATIENCE, FunctionAttempt, ReferenceAttempt
from passk.verifiers.code.options import CodeOptions
from passk.verifiers.code.output_lines import AttemptResult
from passk.verifiers.code.problems import FunctionTests, StdinTests, problem_of
from passk.verifiers.code.stdin_attempt import StdinAttempt
from passk.verifiers.grading.worker_pool import Result
from passk.verifiers.sandbox.decode import UnreadableError
from passk.verifiers.sandbox.isolation import Isolation
from passk.verifiers.sandbox.process import PIPE_BYTES
from passk.verifiers.sandbox.runner import Runner

REFERENCE_SECONDS = 300.0
"""Processor time that a reference solution may take for all tests of a problem."""

TOO_LONG = Result("wrong", f"the program is longer than {PIPE_BYTES} bytes", None, 0.0)

Attempts = FunctionAttempt | StdinAttempt


class ProgramPool:
    """Runs programs against the tests of their problems; use as a context manager.

    Args:
        isolation: how programs are isolated.
        options: what surrounds a program, and its limits.
        workers: programs that run at the same time.
        store: folder for the outputs of reference solutions, if any.
    """

    def __init__(
        self,
        isolation: Isolation,
        options: CodeOptions | None = None,
        workers: int = 1,
        store: Path | None = None,
    ) -> None:
        """Store the settings; sandboxes start with the first programs."""
        self.options = options or CodeOptions()
        self.workers, self.store = workers, store
        self.runner = Runner(isolation, workers, self.options.memory << 20)
        self.problems: dict[str, FunctionTests | StdinTests] = {}
        self.expected: dict[str, ExpectedOutputs | str] = {}

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

    def prepare(self, pairs: Sequence[tuple[str, str]]) -> None:
        """Find the expected outputs of all problems that are new, by their reference solutions."""
        self._expect(gold for gold, _ in pairs)

    def run(self, pairs: Sequence[tuple[str, str]]) -> Iterator[tuple[int, Result]]:
        """Yield (index, result) of each (gold JSON, program) pair, in the order they finish.

        Programs of a problem run next to each other. Those over their time limit run once more
        after all others; one whose sandbox failed runs once more by itself.
        """
        self.prepare(pairs)
        golds = [gold for gold, _ in pairs]
        again: dict[str, list[int]] = {"timeout": [], "error": []}
        order = sorted(range(len(pairs)), key=golds.__getitem__)
        for index, result in self._round(pairs, order, PATIENCE):
            if result.verdict in again:
                again[result.verdict].append(index)
            else:
                yield index, result
        yield from self._round(pairs, sorted(again["timeout"]), 0.0)
        for index in sorted(again["error"]):
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
        """Find the expected outputs of all problems that are new."""
        references = []
        for gold in dict.fromkeys(golds):
            if gold in self.problems:
                continue
            problem = self.problems[gold] = problem_of(gold, self.options.tests)
            if isinstance(problem, StdinTests):
                continue
            if problem.reference is None:
                self._set(problem, None)
            elif (outputs := reference_cache.read(self.store, problem)) is not None:
                self._set(problem, outputs)
            else:
                program = problem.reference.encode("utf-8", "replace")
                references.append(ReferenceAttempt(program, problem, REFERENCE_SECONDS))
        if references:
            for reference in self._run_references(references, self.workers):
                self._run_references([reference], 1)

    def _run_references(
        self, references: Sequence[ReferenceAttempt], width: int
    ) -> list[ReferenceAttempt]:
        """Run reference solutions; return those that gave no outputs, to be tried once more."""
        failed = []
        with Progress("reference solutions", "problems") as progress:
            progress(0, len(references))
            for done, (attempt, outputs) in enumerate(self.runner.run(references, width), start=1):
                if outputs.fault:
                    failed.append(attempt)
                    fault = f"the reference solution gives no outputs: {outputs.fault}"
                    self.expected[attempt.problem.key] = fault
                else:
                    reference_cache.write(self.store, attempt.problem, outputs)
                    self._set(attempt.problem, outputs)
                progress(done, len(references))
        return failed

    def _set(self, problem: FunctionTests, outputs: ReferenceOutputs | None) -> None:
        """Store what is expected of a problem's programs."""
        try:
            self.expected[problem.key] = ExpectedOutputs(problem, outputs)
        except UnreadableError as error:
            fault = f"an output of the reference solution cannot be read: {error}"
            self.expected[problem.key] = fault

    def _attempt(self, gold: str, answer: str, patience: float) -> Attempts | Result:
        """Return the attempt of a program, or the result where there is nothing to run."""
        problem, options = self.problems[gold], self.options
        text = options.preamble + (problem.prompt if options.completion else "") + answer
        program = text.encode("utf-8", "replace")
        if len(program) > PIPE_BYTES:
            return TOO_LONG
        if isinstance(problem, StdinTests):
            return StdinAttempt(program, problem, options.per_test, options.main_function)
        expected = self.expected[problem.key]
        if isinstance(expected, str):
            return Result("error", expected, None, 0.0)
        limits, total = options.time_limits.limits(len(problem.inputs), expected.seconds)
        lenient = not options.completion
        return FunctionAttempt(program, expected, limits, total, patience, lenient=lenient)


def _result(found: AttemptResult) -> Result:
    """Return a verdict in the grading stage's form; right programs are of one class."""
    name = "passes" if found.verdict == "correct" else None
    return Result(found.verdict, found.detail, name, found.seconds)
