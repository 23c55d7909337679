"""Figure of a design: the power to show a difference, against responses per problem."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd
from matplotlib.figure import Figure

from passk.analysis.palette import MUTED, SERIES
from passk.report.figures.base import BenchmarkView, CaptionedFigure
from passk.report.figures.style import COLUMN, canvas, end_labels, set_k_axis, set_percent_axis
from passk.report.findings import describe_detectable, percent, records, signed
from passk.stats.power import POWER

HEIGHT = 2.45


def design(view: BenchmarkView) -> Iterator[CaptionedFigure]:
    """Yield, per comparison, the power against n for each k."""
    for number, (cell, base) in enumerate(view.pairs):
        power = view.frames["design_power"]
        power = power[power["cell"] == cell.id]
        table = view.frames["design"]
        rows = records(table[table["cell"] == cell.id])
        if power.empty or not rows:
            continue
        tuned, basis = cell.label or cell.id, base.label or base.id
        seen = "; ".join(
            f"{signed(row['difference'])} points at k = {row['k']}: power {percent(row['power'])}"
            for row in rows
        )
        caption = (
            f"{describe_detectable(rows[-1])} If the differences seen are the true ones, another "
            f"study of this size shows them with this power: {seen}. Curves: the same with n "
            "responses per problem; where a curve is flat, only more problems help. Dotted: power "
            f"0.8, and this study's n.{view.note()}"
        )
        title = f"Power on {view.title}: {tuned} against {basis}"
        figure = power_figure(power, int(rows[0]["n"]), view.title)
        yield CaptionedFigure(f"{view.prefix}-design-{number + 1}", title, caption, figure)


def power_figure(table: pd.DataFrame, n: int, title: str) -> Figure:
    """Draw power against n, a curve per k.

    Args:
        table: columns k, n and power.
        n: responses per problem of the study.
        title: what the figure is about.
    """
    figure = canvas(COLUMN, HEIGHT)
    axes = figure.subplots()
    ends = []
    for color, (k, part) in zip(SERIES, table.groupby("k", sort=True), strict=False):
        rows = part.dropna(subset="power").sort_values("n")
        if rows.empty:
            continue
        axes.plot(rows["n"], rows["power"], "o-", color=color)
        ends.append((float(rows["n"].iloc[-1]), float(rows["power"].iloc[-1]), f"k = {k}", color))
    axes.axhline(POWER, color=MUTED, lw=0.6, ls=":")
    axes.axvline(n, color=MUTED, lw=0.6, ls=":")
    set_k_axis(axes, sorted(table["n"].unique()))
    axes.set_xlabel("n (responses per problem)")
    set_percent_axis(axes, "power (%)")
    axes.set_ylim(-0.02, 1.02)
    end_labels(axes, ends, HEIGHT)
    axes.set_title(title)
    return figure
