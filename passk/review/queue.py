"""Which responses are to be read: by default every correct one to a problem that is rarely solved.

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

RARE = (0.0, 0.05)
"""Ends, both excluded, of the accuracy of problems whose solutions are read."""


class Key(NamedTuple):
    """Which response: of a cell, to a problem, at an index."""

    cell: str
    problem_id: str
    sample: int


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the `review` section of a spec asks for.

    Attributes:
        accuracy: ends, both excluded, of the accuracy of the problems.
        responses: responses per problem and cell at the most; None is all.
        models: names of models; None is all.
        guessing: model whose prompt asks for the answer without reasoning, if any.
        guess_accuracy: ends, both excluded, of its accuracy on problems that can be guessed.
    """

    accuracy: tuple[float, float] = RARE
    responses: int | None = None
    models: tuple[str, ...] | None = None
    guessing: str | None = None
    guess_accuracy: tuple[float, float] = RARE


@dataclass(frozen=True, slots=True)
class Item:
    """One response to read, with what a reader needs to judge it.

    Attributes:
        key: which response.
        benchmark: name of the benchmark.
        question: what was asked.
        gold: the gold answer as JSON.
        images: paths of the question's images.
        text: the response.
        answer: what the verifier extracted from it.
        detail: how its verdict came about.
    """

    key: Key
    benchmark: str
    question: str
    gold: str
    images: tuple[str, ...]
    text: str
    answer: str
    detail: str


def wanted_of(review: Mapping[str, Any]) -> Wanted:
    """Return the `review` section of a plan as values; keys that are not known are left alone."""
    known: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in review.items()
        if name in Wanted.__dataclass_fields__
    }
    return Wanted(**known)


def inside(table: pd.DataFrame, ends: tuple[float, float]) -> pd.Series[bool]:
    """Say of Count rows whether correct / n lies strictly between two ends."""
    accuracy = table["correct"] / table["n"]
    found: pd.Series[bool] = (accuracy > ends[0]) & (accuracy < ends[1])
    return found


def reviewed_cells(study: Study, wanted: Wanted) -> list[Cell]:
    """Return the cells whose responses are read."""
    names = wanted.models or {cell.model for cell in study.cells} - {wanted.guessing}
    return [cell for cell in study.cells if cell.verdicts and cell.model in names]


def rare_problems(cell: Cell, wanted: Wanted) -> dict[str, int]:
    """Return problem -> correct responses, for the problems of a cell that are read."""
    table = read_counts(cell)
    rare = table[inside(table, wanted.accuracy)]
    return dict(zip(rare["problem_id"], rare["correct"].astype(int), strict=True))


def correct_responses(cell: Cell, problems: set[str]) -> dict[Key, tuple[str, str]]:
    """Return key -> (extraction, detail) of every correct response to some problems, in order."""
    import pyarrow as pa
    import pyarrow.compute as pc

    found = {}
    for path in cell.verdicts:
        columns = ["problem_id", "sample", "verdict", "answer", "detail"]
        table = read_table(path, Verdict, columns)
        asked = pc.is_in(table["problem_id"], pa.array(sorted(problems), pa.string()))
        kept = pc.and_(asked, pc.equal(table["verdict"], "correct"))
        for row in table.filter(pc.and_(kept, pc.less(table["sample"], cell.n))).to_pylist():
            key = Key(cell.id, row["problem_id"], row["sample"])
            found[key] = (row["answer"] or "", row["detail"])
    return dict(sorted(found.items()))


def queued(cell: Cell, wanted: Wanted) -> dict[Key, tuple[str, str]]:
    """Return what of a cell is read: the correct responses to rare problems, as many as wanted."""
    problems = set(rare_problems(cell, wanted))
    if not problems:
        return {}
    taken: dict[str, int] = {}
    found = {}
    for key, said in correct_responses(cell, problems).items():
        taken[key.problem_id] = taken.get(key.problem_id, 0) + 1
        if wanted.responses is None or taken[key.problem_id] <= wanted.responses:
            found[key] = said
    return found


def build_queue(study: Study) -> list[Item]:
    """Return every response to read: problem by problem, the cells of a problem in turn.

    Raises:
        DataError: a file of the plan is missing or cannot be read.
    """
    wanted = wanted_of(study.review)
    items = [
        item
        for cell in reviewed_cells(study, wanted)
        for item in _items(cell, queued(cell, wanted))
    ]
    return sorted(items, key=lambda item: (item.benchmark, item.key.problem_id, *item.key))


def _items(cell: Cell, keys: Mapping[Key, tuple[str, str]]) -> Iterator[Item]:
    """Yield the items of one cell; only their own texts are kept in memory."""
    if not keys:
        return
    asked = _questions(cell)
    texts = _texts(cell, keys)
    for key, (answer, detail) in keys.items():
        problem = asked[key.problem_id]
        yield Item(
            key,
            cell.benchmark,
            problem["question"],
            problem["gold"],
            tuple(problem["images"]),
            texts.get(key, ""),
            answer,
            detail,
        )


def _questions(cell: Cell) -> dict[str, dict[str, Any]]:
    """Return the problems of a cell by id."""
    if cell.problems is None:
        return {}
    columns = ["id", "question", "gold", "images"]
    return {row["id"]: row for row in read_table(cell.problems, Problem, columns).to_pylist()}


def _texts(cell: Cell, keys: Mapping[Key, Any]) -> dict[Key, str]:
    """Return the texts of some responses of a cell."""
    import pyarrow as pa
    import pyarrow.compute as pc

    problems = pa.array(sorted({key.problem_id for key in keys}), pa.string())
    found = {}
    for path in cell.samples:
        table = read_table(path, Sample, ["problem_id", "sample", "text"])
        for row in table.filter(pc.is_in(table["problem_id"], problems)).to_pylist():
            key = Key(cell.id, row["problem_id"], row["sample"])
            if key in keys:
                found[key] = row["text"]
    return found
