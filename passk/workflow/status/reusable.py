"""Rows that a run will copy from other files of the store, in place of drawing or scoring them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from passk.benchmarks.source import find_source, load_problems
from passk.core.artifacts import read_json
from passk.core.errors import DataError
from passk.core.schemas import Problem, Sample, read_rows
from passk.stages.reuse import (
    draw_key,
    has_stored_scores,
    question_keys,
    response_key,
    response_seed,
    sample_files,
    stored_samples,
    stored_scores,
    stored_seeds,
)
from passk.workflow.cells import Cell, Scoring, shard_range
from passk.workflow.plan import Plan


def reusable_samples(plan: Plan, cell: Cell, shards: Sequence[str]) -> int:
    """Return how many responses of missing shards are in other files of the store.

    0 where the questions are not at hand, so that nothing can be recognised.
    """
    file, key = Path(plan.layout.cell(cell.id)), _draw_key(plan, cell)
    ranges = [shard_range(shard) for shard in shards]
    ranges = [one for one in ranges if next(sample_files(file, key, one), None)]
    questions = _questions(plan, cell) if ranges else {}
    return sum(
        len(stored_seeds(file, key, _seeds(key, questions, samples), samples)) for samples in ranges
    )


def reusable_scores(plan: Plan, scoring: Scoring, shards: Sequence[str]) -> int:
    """Return how many scores of missing files are in other files of the store."""
    task = Path(plan.layout.score_task(scoring.target, scoring.scorer))
    if not shards or not has_stored_scores(task, scoring.fingerprint_inputs):
        return 0
    questions = _questions(plan, scoring)
    responses: dict[str, list[Sample]] = {}
    for shard in shards:
        for row in _responses(plan, scoring, shard, questions):
            if row.sample < scoring.per_problem and row.problem_id in questions:
                key = response_key(questions[row.problem_id], row)
                responses.setdefault(key, []).append(row)
    return sum(1 for _ in stored_scores(task, scoring.fingerprint_inputs, responses))


def _draw_key(plan: Plan, cell: Cell) -> str:
    """Return a cell's draw key, with its temperature where that is matched already."""
    matched = plan.temperature_of(cell)
    if matched is None or not Path(matched).is_file():
        return draw_key(cell.fingerprint_inputs)
    temperature = read_json(Path(matched))["temperature"]
    return draw_key({**cell.fingerprint_inputs, "temperature": temperature})


def _questions(plan: Plan, part: Cell | Scoring) -> dict[str, str]:
    """Return the `question_keys` of a part; none where its questions are not in the store."""
    stored = Path(plan.layout.questions(f"{part.use.name}-{part.identity.questions}"))
    chains = [plan.layout.chains(one.id) for one in plan.judgings.values() if one.replies is part]
    try:
        if chains:
            found = Path(chains[0])
            problems = read_rows(found, Problem, empty=True) if found.is_file() else []
        elif stored.is_file():
            problems = read_rows(stored, Problem)
        else:
            find_source(part.benchmark, fetch=False)
            problems = load_problems(
                part.benchmark, part.use.problems, part.use.only, with_golds=False
            )
    except DataError:  # whoever loads them to draw says so
        return {}
    return question_keys(problems, part.prompt)


def _seeds(key: str, questions: dict[str, str], samples: range) -> dict[int, tuple[str, int]]:
    """Return the seed of every response of a shard -> its problem and index."""
    return {
        response_seed(key, question, index): (problem, index)
        for problem, question in questions.items()
        for index in samples
    }


def _responses(plan: Plan, scoring: Scoring, shard: str, questions: dict[str, str]) -> list[Sample]:
    """Return the responses of a shard: its own file's, or those that will be copied into it."""
    own = Path(plan.layout.samples(scoring.target, shard))
    if own.is_file():
        return read_rows(own, Sample)
    if scoring.cell is None or scoring.cell.imported is not None:
        return []
    file, key, samples = (
        Path(plan.layout.cell(scoring.cell.id)),
        _draw_key(plan, scoring.cell),
        shard_range(shard),
    )
    seeds = _seeds(key, questions, samples)
    return [row for row, _ in stored_samples(file, key, seeds, samples)]
