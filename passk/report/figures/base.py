"""A figure with its caption, and the data of one benchmark that figures are drawn from."""

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
class CaptionedFigure:
    """One figure with its title and caption.

    Attributes:
        name: stem of its files.
        title: what it shows.
        caption: the finding in words, and how to read the figure.
        figure: the matplotlib figure.
        table: the table that it is drawn from.
        benchmark: the benchmark whose rows it shows; empty for all.
    """

    name: str
    title: str
    caption: str
    figure: Figure
    table: str = ""
    benchmark: str = ""

    def metadata(self) -> dict[str, str]:
        """Return its entry in the index."""
        names = ("name", "title", "caption", "table", "benchmark")
        return {name: getattr(self, name) for name in names}


@dataclass(frozen=True)
class BenchmarkView:
    """The data of one benchmark that its figures are drawn from.

    Attributes:
        prefix: start of the names of their files.
        study: the whole study.
        benchmark: name of the benchmark.
        frames: the tables.
        colors: label of a cell -> colour.
        findings: findings of the comparisons on this benchmark.
    """

    prefix: str
    study: Study
    benchmark: str
    frames: Frames
    colors: Mapping[str, str]
    findings: tuple[Finding, ...]

    @property
    def title(self) -> str:
        """The benchmark's title."""
        return self.study.title_of(self.benchmark)

    @property
    def cells(self) -> list[Cell]:
        """The benchmark's cells in the order of the spec."""
        return [cell for cell in self.study.cells if cell.benchmark == self.benchmark]

    @property
    def groups(self) -> list[Series]:
        """One entry per curve: a series of seeds at its last step, or a single cell."""
        return groups(self.study, self.benchmark)

    @property
    def single(self) -> list[Cell]:
        """The first seed's cell of each group, for figures that show single cells."""
        return [group.cells[0] for group in self.groups]

    @property
    def series(self) -> list[Series]:
        """The benchmark's series of checkpoints."""
        return [s for s in series_of(self.study, self.benchmark) if s.cells[0].step is not None]

    @property
    def pairs(self) -> list[tuple[Cell, Cell]]:
        """The comparisons among `single`: (cell, its base)."""
        wanted = {cell.id for cell in self.single}
        return [pair for pair in self.study.pairs() if pair[0].id in wanted]

    def note(self) -> str:
        """Return which cells are shown if not all are, else an empty text."""
        shown = self.groups
        seeds = any(len(group.cells) > 1 for group in shown)
        left = len(self.cells) > sum(len(group.cells) for group in shown)
        which = [*(["the last checkpoint"] if left else []), *(["the first seed"] if seeds else [])]
        return f" Of each series: {' and '.join(which)}." if which else ""


def slug(text: str) -> str:
    """Return a benchmark's name in a form that fits file names.

    >>> slug("AIME 24/old")
    'aime-24-old'
    """
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-") or "benchmark"
