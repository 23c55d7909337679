"""Try a study: a few responses of every model to every benchmark, graded, before the run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from passk.benchmarks.source import load_problems
from passk.core.documents import from_document
from passk.core.schemas import Problem, Sample
from passk.engines.base import Request
from passk.engines.loader import Loader, template_of
from passk.engines.packaged_weights import convert_package
from passk.engines.prompts import as_text, render
from passk.spec.sampling import Sampling
from passk.stages.check_golds import answer_forms, asks_for
from passk.stages.reuse import draw_key, question_keys, response_seed
from passk.stages.verify import Grade, PoolConfig, grade
from passk.workflow.cells import Cell
from passk.workflow.plan import Plan
from passk.workflow.task_files import cell_task


@dataclass(frozen=True, slots=True)
class Attempt:
    """One graded response.

    Attributes:
        response: the sample.
        grade: what the verifier made of it.
    """

    response: Sample
    grade: Grade


@dataclass(frozen=True, slots=True)
class ProblemTrial:
    """One problem as a model gets it, and what became of its responses."""

    problem: Problem
    prompt: str
    attempts: tuple[Attempt, ...]


@dataclass(frozen=True, slots=True)
class Trial:
    """A few responses of one model to one benchmark, or why there are none.

    Attributes:
        cell: the model, benchmark and sampler.
        problems: what was tried.
        skipped: why nothing was, if so.
    """

    cell: Cell
    problems: tuple[ProblemTrial, ...] = ()
    skipped: str = ""

    def warnings(self) -> list[str]:
        """Return what would make a run of this cell say little."""
        attempts = [attempt for one in self.problems for attempt in one.attempts]
        cell, found = self.cell, []
        for first in self.problems[:1]:
            forms = answer_forms(cell.benchmark, first.problem)
            if not asks_for(first.prompt, forms):
                found.append(
                    f"prompt '{cell.prompt.name}' asks for no answer that verifier "
                    f"'{cell.benchmark.verifier}' reads: {', '.join(forms)}"
                )
        if cut := sum(one.response.finish_reason == "length" for one in attempts):
            limit = cell.sampler.sampling.max_tokens
            found.append(f"{cut} of {len(attempts)} responses were cut at max_tokens = {limit}")
        if empty := sum(one.grade.verdict == "no_answer" for one in attempts):
            found.append(f"no answer was found in {empty} of {len(attempts)} responses")
        if failed := [one for one in attempts if one.grade.verdict in {"error", "timeout"}]:
            found.append(f"grading failed {len(failed)} times: {failed[0].grade.detail}")
        return found


def try_study(
    plan: Plan, folder: Path, *, problems: int = 2, samples: int = 2, threads: int | None = None
) -> Iterator[Trial]:
    """Yield a trial of every model on every benchmark; weights load once per model.

    Args:
        plan: of the study.
        folder: for what the trial writes.
        problems: first problems of each benchmark to try.
        samples: responses to each.
        threads: CPU threads, where a model's execution names none.

    Raises:
        PasskError: an engine, a benchmark or a verifier cannot be used.
    """
    loader = Loader(threads)
    for cell in _one_per_benchmark(plan):
        if reason := _why_not(cell):
            yield Trial(cell, skipped=reason)
            continue
        if cell.weights.convert and not Path(cell.weights.markers[0]).is_file():
            package, revision, converted = cell.weights.convert
            convert_package(package, revision, Path(converted))
        limit = min(problems, cell.use.problems or problems)
        asked = load_problems(cell.benchmark, limit, cell.use.only or None, images=folder)[:limit]
        yield Trial(cell, tuple(_try_problems(cell, asked, range(samples), loader)))


def _one_per_benchmark(plan: Plan) -> list[Cell]:
    """Return a cell of every model and benchmark, those of a model together."""
    cells: dict[tuple[str, str], Cell] = {}
    for cell in plan.cells.values():
        key = (cell.model.name, cell.benchmark.name)
        if key not in cells or cells[key].sampler.match_entropy:
            cells[key] = cell
    return sorted(
        cells.values(), key=lambda cell: list(plan.experiment.models).index(cell.model.name)
    )


def _why_not(cell: Cell) -> str:
    """Return why a cell cannot be tried before the run; empty where it can."""
    if cell.imported is not None:
        return "its responses are imported"
    if cell.weights.trained and not Path(cell.weights.markers[0]).is_file():
        return "the run trains it first"
    if cell.sampler.match_entropy:
        return "the run finds its temperature first"
    return ""


def _try_problems(
    cell: Cell, problems: Sequence[Problem], samples: range, loader: Loader
) -> Iterator[ProblemTrial]:
    """Sample and grade responses to some problems."""
    task = cell_task(cell)
    template, key = template_of(task), draw_key(task["fingerprint_inputs"])
    questions = question_keys(problems, template)
    requests = [
        Request(
            problem.id,
            render(template, problem),
            tuple(samples),
            tuple(response_seed(key, questions[problem.id], index) for index in samples),
        )
        for problem in problems
    ]
    engine, _ = loader(task)
    drawn = list(engine.sample(requests, from_document(Sampling, task["sampling"], cell.id)))
    golds = {problem.id: problem.gold for problem in problems}
    config = PoolConfig(cell.benchmark.verifier, cell.benchmark.options)
    grades = list(grade(((golds[row.problem_id], row.text) for row in drawn), config))
    attempts = [Attempt(row, found) for row, found in zip(drawn, grades, strict=True)]
    for problem, request in zip(problems, requests, strict=True):
        own = tuple(one for one in attempts if one.response.problem_id == problem.id)
        yield ProblemTrial(problem, as_text(request.prompt), own)
