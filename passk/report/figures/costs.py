"""Figures of cost and difficulty: success against tokens, and differences by stratum."""

from __future__ import annotations

import math
from collections.abc import Iterator
from textwrap import fill

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullFormatter

from passk.analysis.palette import MUTED, SERIES
from passk.report.figures.base import BenchmarkView, CaptionedFigure
from passk.report.figures.style import COLUMN, canvas, end_labels, set_k_axis, set_percent_axis
from passk.report.findings import interval, records, signed

HEIGHT = 2.45

FEW = 10
"""Strata of fewer problems are drawn without their wide interval."""


def budget(view: BenchmarkView) -> Iterator[CaptionedFigure]:
    """Yield success against response tokens per problem."""
    labels = {cell.id: cell.label or cell.id for cell in view.single}
    tables = (view.frames[name] for name in ("budget", "costs"))
    table, costs = (rows[rows["cell"].isin(labels)] for rows in tables)
    if table.empty:
        return
    half = "; ".join(
        f"{labels[row['cell']]} {_tokens(row['to_half'])} "
        f"[{_tokens(row['to_half_low'])}, {_tokens(row['to_half_high'])}]"
        for row in records(costs)
    )
    figure = canvas(COLUMN, HEIGHT)
    axes = figure.subplots()
    ends = []
    for cell, rows in table.groupby("cell", sort=False):
        color = view.colors[labels[str(cell)]]
        axes.plot(rows["budget"], rows["pass_at_k"], "o-", color=color)
        axes.fill_between(
            rows["budget"], rows["ci_low"], rows["ci_high"], color=color, alpha=0.16, lw=0
        )
        last = rows.iloc[-1]
        name = fill(labels[str(cell)], 16)
        ends.append((float(last["budget"]), float(last["pass_at_k"]), name, color))
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter(FuncFormatter(lambda tokens, _: f"{tokens:,.4g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.axhline(0.5, color=MUTED, lw=0.6, ls=":")
    axes.set_xlabel("response tokens per problem")
    set_percent_axis(axes, "solved (%)")
    end_labels(axes, ends, HEIGHT)
    axes.set_title(view.title)
    caption = (
        f"Tokens per problem at which half of the problems are solved: {half}. Marks: the "
        "study's k, at k times the mean length of a response. Shaded: 95 % interval over problems."
        f"{view.note()}"
    )
    title = f"Success against tokens on {view.title}"
    yield CaptionedFigure(f"{view.prefix}-budget", title, caption, figure)


def _tokens(number: float) -> str:
    """Return a number of tokens; beyond what the responses say it is none."""
    return "not reached" if math.isinf(number) else f"{number:,.0f}"


def difficulty(view: BenchmarkView) -> Iterator[CaptionedFigure]:
    """Yield, per comparison, the difference to the base by how hard problems are for it."""
    for number, (cell, base) in enumerate(view.pairs):
        table = view.frames["difficulty"]
        table = table[table["cell"] == cell.id].sort_values("k", kind="stable")
        if table.empty:
            continue
        tuned, basis = cell.label or cell.id, base.label or base.id
        last = records(table[table["k"] == table["k"].max()])
        summary = "; ".join(
            f"{row['stratum']} ({row['problems']:.1f} problems) {signed(row['delta'])} points "
            f"{interval(row['delta_low'], row['delta_high'])}"
            for row in last
        )
        caption = (
            f"{tuned} minus {basis} at k = {last[0]['k']} by difficulty: {summary}. Problems are "
            f"sorted by {basis}'s accuracy in one half of its responses (never solved, up to 1/4, "
            "up to 3/4, above) and measured on the other half, so that luck does not count as "
            "difficulty. Shaded: paired 95 % interval over problems (not for strata of fewer than "
            f"{FEW} problems).{view.note()}"
        )
        title = f"Difference by difficulty on {view.title}: {tuned} against {basis}"
        figure = _difficulty_figure(table, view.title)
        yield CaptionedFigure(f"{view.prefix}-difficulty-{number + 1}", title, caption, figure)


def _difficulty_figure(table: pd.DataFrame, title: str) -> Figure:
    """Draw the difference against k, a curve per stratum."""
    figure = canvas(COLUMN, HEIGHT)
    axes = figure.subplots()
    ends = []
    for color, (name, rows) in zip(SERIES, table.groupby("stratum", sort=False), strict=False):
        axes.plot(rows["k"], rows["delta"], "o-", color=color)
        if rows["problems"].iloc[0] >= FEW:
            ends_of = rows["delta_low"], rows["delta_high"]
            axes.fill_between(rows["k"], *ends_of, color=color, alpha=0.12, lw=0)
        last = rows.iloc[-1]
        ends.append((float(last["k"]), float(last["delta"]), str(name), color))
    axes.axhline(0, color=MUTED, lw=0.6)
    set_k_axis(axes, sorted(table["k"].unique()))
    set_percent_axis(axes, "difference to the base (points)")
    end_labels(axes, ends, HEIGHT)
    axes.set_title(title)
    return figure
