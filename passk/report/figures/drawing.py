"""What a figure is: a drawing with its words, and what it is drawn from."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd
from matplotlib.figure import Figure

from passk.analysis.seed_series import Series, groups, series_of
from passk.analysis.study import Cell, Study
from passk.report.findings import Finding

Frames = Mapping[str, pd.DataFrame]


@dataclass(frozen=True)
class Drawing:
    """One figure with its words.

    Attributes:
        name: stem of its files.
        title: what it shows.
        caption: its finding in words, and how to read it.
        figure: the drawing.
    """

    name: str
    title: str
    caption: str
    figure: Figure

    def words(self) -> dict[str, str]:
        """Return what the index says of it."""
        return {"name": self.name, "title": self.title, "caption": self.caption}


@dataclass(frozen=True)
class View:
    """What the figures of one benchmark are drawn from.

    Attributes:
        part: how the names of their files begin.
        study: the whole study.
        benchmark: name of the benchmark.
        frames: the tables.
        colors: label of a cell -> colour.
        found: what the comparisons on this benchmark show.
    """

    part: str
    study: Study
    benchmark: str
    frames: Frames
    colors: Mapping[str, str]
    found: tuple[Finding, ...]

    @property
    def title(self) -> str:
        """What the benchmark is called."""
        return self.study.title_of(self.benchmark)

    @property
    def cells(self) -> list[Cell]:
        """The benchmark's cells in the order of the spec."""
        return [cell for cell in self.study.cells if cell.benchmark == self.benchmark]

    @property
    def groups(self) -> list[Series]:
        """What is one curve each: a series of several seeds at its last step, or a cell."""
        return groups(self.study, self.benchmark)

    @property
    def single(self) -> list[Cell]:
        """A cell for each group, the first seed's, for figures that show one cell at a time."""
        return [group.cells[0] for group in self.groups]

    @property
    def series(self) -> list[Series]:
        """The benchmark's series of checkpoints."""
        return [s for s in series_of(self.study, self.benchmark) if s.cells[0].step is not None]

    @property
    def pairs(self) -> list[tuple[Cell, Cell]]:
        """The comparisons of the cells that are shown one at a time: (cell, its base)."""
        wanted = {cell.id for cell in self.single}
        return [pair for pair in self.study.pairs() if pair[0].id in wanted]

    def note(self) -> str:
        """Say whose cells are shown, where it is not all of them; empty otherwise."""
        shown = self.groups
        seeds = any(len(group.cells) > 1 for group in shown)
        left = len(self.cells) > sum(len(group.cells) for group in shown)
        which = [*(["the last checkpoint"] if left else []), *(["the first seed"] if seeds else [])]
        return f" Of each series: {' and '.join(which)}." if which else ""


def slug(text: str) -> str:
    """Return a name of a benchmark as a part of a file's name.

    >>> slug("AIME 24/old")
    'aime-24-old'
    """
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-") or "benchmark"
