"""Questions that are trained on and measured, too: what a model then shows is no generalisation."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from passk.benchmarks.source import find_source, load_problems
from passk.core.errors import DataError
from passk.workflow.cells import Cell
from passk.workflow.trainings import Training


def contamination(cells: Iterable[Cell], trainings: Iterable[Training]) -> Iterator[str]:
    """Yield a warning for each measured benchmark that shares questions with a trained one.

    Questions are compared as texts, whatever their case and spaces. Of problems that are not at
    hand nothing is known, and nothing is said; `unseen_overlap` says that.
    """
    measured = {cell.problems: cell for cell in cells}
    trained: dict[str, list[Training]] = {}
    for training in trainings:
        trained.setdefault(training.problems, []).append(training)
    seen: dict[str, frozenset[str]] = {}
    for cell in measured.values():
        for same in trained.values():
            shared, total = _shared(cell, same[0], seen)
            if shared:
                names = ", ".join(dict.fromkeys(one.series for one in same))
                yield (
                    f"benchmark '{cell.use.name}': {shared} of its {total} questions are trained "
                    f"on ({names}, benchmark '{same[0].use.name}'): what these models solve of "
                    "them they may have learnt by heart"
                )


def _shared(cell: Cell, training: Training, seen: dict[str, frozenset[str]]) -> tuple[int, int]:
    """Return how many of a cell's questions are trained on, and how many it has."""
    if cell.problems == training.problems and cell.identity.problems is not None:
        return cell.identity.problems, cell.identity.problems
    for one in (cell, training):
        if one.problems not in seen:
            seen[one.problems] = _questions(one)
    own = seen[cell.problems]
    return len(own & seen[training.problems]), len(own)


def _questions(part: Cell | Training) -> frozenset[str]:
    """Return the questions of a set of problems, none where they would have to be downloaded."""
    about: Any = {"text_only": True, "with_golds": False}
    try:
        find_source(part.benchmark, fetch=False)
        problems = load_problems(part.benchmark, part.use.problems, part.use.only, **about)
    except DataError:  # whoever loads them to draw or train says so
        return frozenset()
    return frozenset(" ".join(problem.question.split()).casefold() for problem in problems)


def unseen_overlap(cells: Iterable[Cell], trainings: Iterable[Training]) -> Iterator[str]:
    """Yield which benchmarks cannot be compared with those trained on: not downloaded yet."""
    trained = {one.problems: one for one in trainings}
    measured = {cell.problems: cell for cell in cells} if trained else {}
    parts: list[Cell | Training] = [*measured.values(), *trained.values()]
    for part in {one.problems: one for one in parts}.values():
        others = (measured if part.problems in trained else trained).keys() - {part.problems}
        if others and not _questions(part):
            yield (
                f"benchmark '{part.use.name}' is not at hand: whether questions are both trained "
                "on and measured is not known yet"
            )
