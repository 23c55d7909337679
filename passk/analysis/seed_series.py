"""Series: the seeds and steps of one entry of the spec.

A study of eight methods, three seeds and three checkpoints each has 72 tuned cells on a benchmark.
A reader wants to see eight curves, so figures and the page show the last checkpoint
of each series, seeds in one colour.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import takewhile

from passk.analysis import palette
from passk.analysis.study import Cell, Study

FEW = len(palette.SERIES)
"""Curves up to which each checkpoint has a colour of its own and is drawn."""


@dataclass(frozen=True, slots=True)
class Series:
    """Cells of one benchmark and sampler that the spec's one entry stands for, or a single cell.

    Attributes:
        name: name of the entry; of the cell's model where it stands for itself.
        label: what figures call it: what the labels of its cells begin with.
        cells: its cells in the order of the spec.
    """

    name: str
    label: str
    cells: tuple[Cell, ...]

    @property
    def seeds(self) -> int:
        """How many seeds it was trained with; 1 where it was not trained here."""
        return len({cell.seed for cell in self.cells})

    @property
    def steps(self) -> list[int | None]:
        """The steps that every seed has, in order."""
        seeds = {cell.seed for cell in self.cells}
        steps = [{cell.step for cell in self.cells if cell.seed == seed} for seed in seeds]
        return sorted(set.intersection(*steps), key=lambda step: -1 if step is None else step)

    def at(self, step: int | None) -> tuple[Cell, ...]:
        """Return the cells of one step, a seed each."""
        return tuple(cell for cell in self.cells if cell.step == step)

    @property
    def last(self) -> tuple[Cell, ...]:
        """The cells of the last step that every seed has."""
        return self.at(self.steps[-1]) if self.steps else self.cells


def series_of(study: Study, benchmark: str) -> list[Series]:
    """Return the series of a benchmark, sampler by sampler, in the order of the spec."""
    found: dict[tuple[str, str], list[Cell]] = {}
    for cell in study.cells:
        if cell.benchmark == benchmark:
            found.setdefault((cell.series or cell.model, cell.sampler), []).append(cell)
    return [
        Series(name, common_label(name, cells), tuple(cells)) for (name, _), cells in found.items()
    ]


def common_label(name: str, cells: Iterable[Cell]) -> str:
    """Return what a series is called: what its cells' labels share at the beginning and the end.

    "GRPO, seed 1, step 20, T = 1" and "GRPO, seed 2, step 40, T = 1" are of "GRPO, T = 1".
    """
    split = [re.split(r"(?<=\s)|(?=@)", cell.label or cell.id) for cell in cells]
    start = _shared(split)
    end = _shared([words[len(start) :][::-1] for words in split])
    parts = "".join(start), "".join(reversed(end))
    bare = (re.sub(r"[\s,;:@(#-]*\b(?:seed|step)\b\s*[^,\s]*", "", part) for part in parts)
    return ", ".join(filter(None, (part.strip(" ,;:@(#-") for part in bare))) or name


def _shared(split: list[list[str]]) -> list[str]:
    """Return the words that all begin with."""
    same = takewhile(lambda words: len(set(words)) == 1, zip(*split, strict=False))
    return [words[0] for words in same]


def groups(study: Study, benchmark: str) -> list[Series]:
    """Return what figures of a benchmark show as one curve each.

    A series of several seeds is one, at its last checkpoint. Any other cell is one of its own; of
    the checkpoints of a series the last alone where there are more cells than colours.
    """
    every = series_of(study, benchmark)
    many = sum(len(series.cells) for series in every) > FEW
    found: list[Series] = []
    for series in every:
        if series.seeds > 1:
            found.append(replace(series, cells=series.last))
            continue
        shown = series.last if many and series.cells[0].series else series.cells
        found.extend(Series(series.name, cell.label or cell.id, (cell,)) for cell in shown)
    return found


def colors_of(study: Study) -> dict[str, str]:
    """Return label of a cell, and of a series -> colour.

    The cells of a series share one where it has several seeds, or where there are more cells than
    colours; a checkpoint series alone keeps a colour for each step.
    """
    every = [series for name in study.benchmarks() for series in series_of(study, name)]
    many = len({cell.label or cell.id for cell in study.cells}) > FEW
    named = [
        (series.label if series.seeds > 1 or many else cell.label or cell.id, cell)
        for series in every
        for cell in series.cells
    ]
    colors = palette.assign((name, cell.color) for name, cell in named)
    cells = {cell.label or cell.id: colors[name] for name, cell in named}
    last = {series.label: cells[series.last[-1].label or series.last[-1].id] for series in every}
    return last | cells


def all_curve_groups(study: Study) -> list[Series]:
    """Return the groups of all benchmarks, in their order."""
    return [group for name in study.benchmarks() for group in groups(study, name)]


def last_cells(study: Study) -> list[Cell]:
    """Return the cells that are shown at first: without earlier checkpoints where they are many."""
    return [cell for group in all_curve_groups(study) for cell in group.cells]
