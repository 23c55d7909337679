"""Figures of support and diversity: what tuning keeps and discovers, and how answers differ."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from textwrap import fill
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from passk.analysis.palette import SERIES
from passk.report.figures.base import BenchmarkView, CaptionedFigure
from passk.report.figures.style import (
    COLUMN,
    canvas,
    end_labels,
    set_k_axis,
    set_percent_axis,
    set_row_axis,
)
from passk.report.findings import percent, records

HEIGHT = 2.45

SHOWN = {"srr": "kept (SRR)", "ndr": "new (NDR)"}
"""Rates in the figure of support, and their names."""


def support(view: BenchmarkView) -> Iterator[CaptionedFigure]:
    """Yield, per comparison, the shares of problems that are kept and that are new, against k."""
    for number, (cell, base) in enumerate(view.pairs):
        table = view.frames["support"]
        table = table[table["cell"] == cell.id].sort_values("k")
        if table.empty:
            continue
        tuned, basis = cell.label or cell.id, base.label or base.id
        last = records(table)[-1]
        srr, ndr = (_rate(last, name) for name in ("srr", "ndr"))
        caption = (
            f"At k = {last['k']}, {tuned} keeps {srr} of the problems that {basis} solves (SRR); "
            f"{ndr} of its own are new (NDR). Discovered minus lost are {_rate(last, 'nscr')} of "
            f"all that either solves (NSCR). Shaded: 95 % interval over problems.{view.note()}"
        )
        title = f"Support on {view.title}: {tuned} against {basis}"
        figure = support_figure(table, view.title)
        yield CaptionedFigure(f"{view.prefix}-support-{number + 1}", title, caption, figure)


def _rate(row: Mapping[str, Any], name: str) -> str:
    """Return a rate with its interval in percent."""
    low, high = (f"{100 * row[f'{name}_{end}']:.1f}" for end in ("low", "high"))
    return f"{percent(row[name])} [{low}, {high}]"


def support_figure(table: pd.DataFrame, title: str) -> Figure:
    """Draw the `SHOWN` rates against k."""
    figure = canvas(COLUMN, HEIGHT)
    axes = figure.subplots()
    ends = []
    for color, (name, label) in zip(SERIES, SHOWN.items(), strict=False):
        axes.plot(table["k"], table[name], "o-", color=color)
        axes.fill_between(
            table["k"], table[f"{name}_low"], table[f"{name}_high"], color=color, alpha=0.16, lw=0
        )
        last = table.iloc[-1]
        ends.append((float(last["k"]), float(last[name]), label, color))
    set_k_axis(axes, sorted(table["k"]))
    set_percent_axis(axes, "share of problems (%)")
    axes.set_ylim(-0.02, 1.02)
    end_labels(axes, [end for end in ends if end[1] == end[1]], HEIGHT)
    axes.set_title(title)
    return figure


def diversity(view: BenchmarkView) -> Iterator[CaptionedFigure]:
    """Yield each model's entropy of answers, against that of its tokens where it is known."""
    table = view.frames["diversity"]
    shown = {cell.id: cell.label or cell.id for cell in view.single}
    table = table[table["cell"].isin(shown)].assign(label=table["cell"].map(shown))
    wide = table.pivot_table("value", "cell", "metric", sort=False)
    answers = records(table[table["metric"] == "answer_entropy"])
    if len(answers) < 2:  # noqa: PLR2004 - nothing to compare
        return
    summary = "; ".join(
        f"{row['label']} {row['value']:.2f} nats [{row['lower']:.2f}, {row['upper']:.2f}] "
        f"({wide.loc[row['cell'], 'distinct_answers']:.1f} distinct answers in "
        f"{row['responses']} responses)"
        for row in answers
    )
    figure = canvas(COLUMN, 0.8 + 0.3 * len(answers))
    axes = figure.subplots()
    for place, row in enumerate(answers):
        color = view.colors[row["label"]]
        axes.plot([row["lower"], row["upper"]], [place, place], color=color, lw=0.8)
        axes.plot(row["value"], place, "o", color=color, ms=4.5)
        if "token_entropy" in wide:
            tokens = wide.loc[row["cell"], "token_entropy"]
            axes.plot(tokens, place, "o", mfc="white", mec=color, mew=1.2, ms=4.5)
    set_row_axis(axes, [fill(row["label"], 26) for row in answers])
    axes.set_xlabel("entropy in nats: of answers (filled),\nof tokens (hollow)")
    axes.set_xlim(left=0)
    axes.set_title(view.title)
    caption = (
        f"Entropy of a problem's answers, mean over problems: {summary}. Thin: 95 % interval over "
        f"problems. Tokens: mean over all tokens sampled.{view.note()}"
    )
    title = f"Diversity of answers on {view.title}"
    yield CaptionedFigure(f"{view.prefix}-diversity", title, caption, figure)
