"""Figure of judged reasoning: pass@k beside CoT-pass@k, a figure per judge."""

from __future__ import annotations

from collections.abc import Iterator
from textwrap import fill

import pandas as pd
from matplotlib.figure import Figure

from passk.report.figures.base import BenchmarkView, CaptionedFigure
from passk.report.figures.style import COLUMN, canvas, end_labels, set_k_axis, set_percent_axis
from passk.report.findings import percent, records

HEIGHT = 2.45

MAX_DESCRIBED = 4
"""Curves up to which a caption has the numbers of each."""


def judged(view: BenchmarkView) -> Iterator[CaptionedFigure]:
    """Yield, per judge, the curves of responses that are correct and judged sound."""
    table = view.frames["cot_pass_at_k"]
    table = table[table["cell"].isin([cell.id for cell in view.single])]
    for number, (judge, rows) in enumerate(table.groupby("judge", sort=False)):
        last = records(rows.sort_values("k").groupby("cell", sort=False).tail(1))
        numbers = "; ".join(
            f"{row['label']} {percent(row['pass_at_k'])} correct, "
            f"{percent(row['cot_pass_at_k'])} also judged sound "
            f"[{percent(row['bound_low'])}, {percent(row['bound_high'])}]"
            for row in last[:MAX_DESCRIBED]
        )
        caption = (
            f"At k = {last[0]['k']}: {numbers}. Dashed: pass@k. Solid: CoT-pass@k as the judge "
            f"{judge} says. Shaded: all that unclear or unjudged responses may change. A judge "
            f"errs; the page says what labels of people show of it.{view.note()}"
        )
        title = f"CoT-pass@k on {view.title}, judged by {judge}"
        figure = judged_figure(view, rows)
        yield CaptionedFigure(f"{view.prefix}-judged-{number + 1}", title, caption, figure)


def judged_figure(view: BenchmarkView, table: pd.DataFrame) -> Figure:
    """Draw pass@k (dashed), CoT-pass@k and its bounds against k, a colour per curve."""
    figure = canvas(COLUMN, HEIGHT)
    axes = figure.subplots()
    ends = []
    for label, unsorted in table.groupby("label", sort=False):
        rows, color = unsorted.sort_values("k"), view.colors[str(label)]
        axes.plot(rows["k"], rows["pass_at_k"], "--", color=color, lw=0.9)
        axes.plot(rows["k"], rows["cot_pass_at_k"], "o-", color=color)
        axes.fill_between(
            rows["k"], rows["bound_low"], rows["bound_high"], color=color, alpha=0.16, lw=0
        )
        last = rows.iloc[-1]
        ends.append((float(last["k"]), float(last["cot_pass_at_k"]), fill(str(label), 16), color))
    set_k_axis(axes, sorted(table["k"].unique()))
    set_percent_axis(axes, "problems solved (%)")
    end_labels(axes, ends, HEIGHT)
    axes.set_title(view.title)
    return figure
