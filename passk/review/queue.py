"""The review queue: by default every correct response to a rarely solved problem.

Source of the default: Yue et al. 2025 (arXiv 2504.13837), who read by hand all correct chains of
thought for problems with an accuracy in (0, 5 %).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import pandas as pd

from passk.analysis.cells import read_counts
from passk.analysis.study import Cell, Study
from passk.core.schemas import Problem, Sample, Verdict, read_table

RARE_ACCURACY = (0.0, 0.05)
"""Open interval of the accuracy of problems to review."""


Row = Mapping[str, Any]
"""A row of a table: its columns by name."""


class Key(NamedTuple):
    """Identifies a response: cell, problem and sample index."""

    cell: str
    problem_id: str
    sample: int


@dataclass(frozen=True, slots=True)
class ReviewSettings:
    """The `review` section of a spec.

    Attributes:
        accuracy: open interval of the accuracy of the problems to review.
        responses: maximum responses per problem and cell; None is all.
        models: names of models; None is all.
        guessing: model whose prompt asks for the answer without reasoning, if any.
        guess_accuracy: open interval of that model's accuracy on guessable problems.
    """

    accuracy: tuple[float, float] = RARE_ACCURACY
    responses: int | None = None
    models: tuple[str, ...] | None = None
    guessing: str | None = None
    guess_accuracy: tuple[float, float] = RARE_ACCURACY


@dataclass(frozen=True, slots=True)
class Item:
    """One response to review, with its problem.

    Attributes:
        key: identifies the response.
        benchmark: name of the benchmark.
        question: text of the problem.
        gold: the gold answer as JSON.
        images: paths of the question's images.
        text: the response.
        answer: the answer that the verifier extracted.
        detail: the verifier's explanation of its verdict.
        reasoning: what a server gave as its reasoning, apart from the text; may be empty.
    """

    key: Key
    benchmark: str
    question: str
    gold: str
    images: tuple[str, ...]
    text: str
    answer: str
    detail: str
    reasoning: str = ""


def review_settings(review: Row) -> ReviewSettings:
    """Return the `review` section of a plan; unknown keys are ignored."""
    known: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in review.items()
        if name in ReviewSettings.__dataclass_fields__
    }
    return ReviewSettings(**known)


def in_open_interval(table: pd.DataFrame, ends: tuple[float, float]) -> pd.Series[bool]:
    """Return, per Count row, whether correct / n lies in an open interval."""
    accuracy = table["correct"] / table["n"]
    found: pd.Series[bool] = (accuracy > ends[0]) & (accuracy < ends[1])
    return found


def reviewed_cells(study: Study, settings: ReviewSettings) -> list[Cell]:
    """Return the cells to review."""
    names = settings.models or {cell.model for cell in study.cells} - {settings.guessing}
    return [cell for cell in study.cells if cell.verdicts and cell.model in names]


def rare_problems(cell: Cell, settings: ReviewSettings) -> dict[str, int]:
    """Return problem -> number of correct responses, for the problems of a cell to review."""
    table = read_counts(cell)
    rare = table[in_open_interval(table, settings.accuracy)]
    return dict(zip(rare["problem_id"], rare["correct"].astype(int), strict=True))


def correct_responses(cell: Cell, problems: set[str]) -> dict[Key, tuple[str, str]]:
    """Return key -> (answer, detail) of every correct response to some problems, in order."""
    import pyarrow as pa
    import pyarrow.compute as pc

    found = {}
    for path in cell.verdicts:
        columns = ["problem_id", "sample", "verdict", "answer", "detail"]
        table = read_table(path, Verdict, columns)
        selected = pc.is_in(table["problem_id"], pa.array(sorted(problems), pa.string()))
        kept = pc.and_(selected, pc.equal(table["verdict"], "correct"))
        for row in table.filter(pc.and_(kept, pc.less(table["sample"], cell.n))).to_pylist():
            key = Key(cell.id, row["problem_id"], row["sample"])
            found[key] = (row["answer"] or "", row["detail"])
    return dict(sorted(found.items()))


def queued_responses(cell: Cell, settings: ReviewSettings) -> dict[Key, tuple[str, str]]:
    """Return the responses of a cell to review, at most `settings.responses` per problem."""
    problems = set(rare_problems(cell, settings))
    if not problems:
        return {}
    count: dict[str, int] = {}
    found = {}
    for key, verdict in correct_responses(cell, problems).items():
        count[key.problem_id] = count.get(key.problem_id, 0) + 1
        if settings.responses is None or count[key.problem_id] <= settings.responses:
            found[key] = verdict
    return found


def build_queue(study: Study) -> list[Item]:
    """Return every response to review: problem by problem, and cell by cell within a problem.

    Raises:
        DataError: a file of the plan is missing or cannot be read.
    """
    settings = review_settings(study.review)
    items = [
        item
        for cell in reviewed_cells(study, settings)
        for item in _items(cell, queued_responses(cell, settings))
    ]
    return sorted(items, key=lambda item: (item.benchmark, item.key.problem_id, *item.key))


def _items(cell: Cell, keys: Mapping[Key, tuple[str, str]]) -> Iterator[Item]:
    """Yield the items of one cell; only their texts are held in memory."""
    if not keys:
        return
    problems = _questions(cell)
    texts = _texts(cell, keys)
    for key, (answer, detail) in keys.items():
        problem = problems[key.problem_id]
        text, reasoning = texts.get(key, ("", ""))
        yield Item(
            key,
            cell.benchmark,
            problem["question"],
            problem["gold"],
            tuple(problem["images"]),
            text,
            answer,
            detail,
            reasoning,
        )


def _questions(cell: Cell) -> dict[str, Row]:
    """Return the problems of a cell by id."""
    if cell.problems is None:
        return {}
    columns = ["id", "question", "gold", "images"]
    return {row["id"]: row for row in read_table(cell.problems, Problem, columns).to_pylist()}


def _texts(cell: Cell, keys: Mapping[Key, object]) -> dict[Key, tuple[str, str]]:
    """Return the texts and the reasoning of some responses of a cell."""
    import pyarrow as pa
    import pyarrow.compute as pc

    problems = pa.array(sorted({key.problem_id for key in keys}), pa.string())
    found = {}
    for path in cell.samples:
        table = read_table(path, Sample, ["problem_id", "sample", "text", "reasoning"])
        for row in table.filter(pc.is_in(table["problem_id"], problems)).to_pylist():
            key = Key(cell.id, row["problem_id"], row["sample"])
            if key in keys:
                found[key] = (row["text"], row["reasoning"] or "")
    return found
