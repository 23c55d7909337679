"""Figure of ranks: which models may be the best, at k = 1 and at the largest k."""

from __future__ import annotations

from collections.abc import Iterator
from textwrap import fill

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from passk.analysis.palette import MUTED
from passk.report.figures.base import BenchmarkView, CaptionedFigure
from passk.report.figures.style import COLUMN, panels, set_row_axis
from passk.report.findings import percent, records

FEWEST, MOST = 3, 40
"""Models of which ranks are drawn: of two, a difference says more; of more, the table does."""

LIKELY = 0.05
"""Chance to be the best from which a model is marked."""


def ranks(view: BenchmarkView) -> Iterator[CaptionedFigure]:
    """Yield, per sampler, the 95 % interval of each model's rank at k = 1 and at the largest k."""
    table = view.frames["ranks"]
    table = table[table["benchmark"] == view.benchmark]
    labels = {cell.model: cell.label or cell.model for cell in view.cells}
    for number, (sampler, unnamed) in enumerate(table.groupby("sampler", sort=False)):
        rows = unnamed.assign(label=unnamed["model"].map(labels))
        if not FEWEST <= rows["model"].nunique() <= MOST:
            continue
        summary = ". ".join(
            f"At k = {k} the best may be {_likely(part)}" for k, part in rows.groupby("k")
        )
        caption = (
            f"{summary}. Line: 95 % interval of the rank among other problems of the same kinds "
            "(Bayesian bootstrap of problems); mark: mean rank, filled where the model is the best "
            "with a chance of 5 % at least."
        )
        several = len(set(table["sampler"])) > 1
        title = f"Ranks on {view.title}{f', {sampler}' if several else ''}"
        figure = ranks_figure(view, rows)
        yield CaptionedFigure(f"{view.prefix}-ranks-{number + 1}", title, caption, figure)


def _likely(rows: pd.DataFrame) -> str:
    """Return the models that are likely the best, with their chances."""
    likely = rows[rows["best"] >= min(LIKELY, rows["best"].max())]
    best = records(likely.sort_values("best", ascending=False, kind="stable"))
    return ", ".join(f"{row['label']} ({percent(row['best'])})" for row in best)


def ranks_figure(view: BenchmarkView, table: pd.DataFrame) -> Figure:
    """Draw a panel per k, a row per model: rank interval and mean rank."""
    order = table[table["k"] == table["k"].max()].sort_values("expected_rank", kind="stable")
    names = order["model"].tolist()
    ks = sorted(table["k"].unique())
    figure, grid = panels(len(ks), 2, COLUMN, (0.5, 0.5 + 0.2 * len(names)), sharey=True)
    for axes, k in zip(grid, ks, strict=True):
        for row in records(table[table["k"] == k]):
            place, color = names.index(row["model"]), view.colors.get(row["label"], MUTED)
            axes.plot([row["rank_low"], row["rank_high"]], [place, place], color=color, lw=0.8)
            fill_color = color if row["best"] >= LIKELY else "white"
            axes.plot(row["expected_rank"], place, "o", mfc=fill_color, mec=color, ms=4.5)
        set_row_axis(axes, [fill(label, 20) for label in order["label"]])
        axes.set_xlim(0.5, len(names) + 0.5)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=6))
        axes.set_xlabel("rank (1 is best)")
        axes.set_title(f"k = {k}", fontweight="normal", fontsize=7)
    figure.suptitle(view.title, x=0.01, ha="left", fontsize=8, fontweight="bold")
    return figure
