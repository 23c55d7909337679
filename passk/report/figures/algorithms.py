"""Comparison of models grouped by role: the paper's table of algorithms as a figure."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from textwrap import fill
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from passk.analysis.palette import INK, MUTED
from passk.report.figures.style import COLUMN, canvas, set_row_axis, with_minus

ROLES = ("base", "rl", "sft", "distilled", "instruct")
"""Order of the groups."""


def algorithms_figure(table: pd.DataFrame, colors: Mapping[str, str], title: str) -> Figure:
    """Draw pass@1 and pass@k to the left, the gap to the base to the right; a row per model."""
    table = table.assign(rank=table["role"].map({role: i for i, role in enumerate(ROLES)}))
    table = table.sort_values("rank", kind="stable")
    figure = canvas(1.5 * COLUMN, 0.75 + 0.27 * len(table))
    left, right = figure.subplots(1, 2, sharey=True, width_ratios=(1.5, 1))
    for place, row in enumerate(table.to_dict("records")):
        color = colors[row["label"]]
        _whisker(left, place, row, "pass_at_1", color)
        _whisker(left, place, row, "pass_at_k", color)
        left.plot(row["pass_at_1"], place, "o", color=color, ms=4.5)
        left.plot(row["pass_at_k"], place, "o", mfc="white", mec=color, mew=1.2, ms=4.5)
        if not np.isnan(row["se_gap_to_base"]):
            right.barh(place, row["se_gap_to_base"], 0.5, color=color, alpha=0.5)
            _whisker(right, place, row, "se_gap_to_base", INK)
            right.annotate(
                f"{100 * row['se_gap_to_base']:.1f}", (row["se_gap_to_base_high"], place), (4, 0),
                textcoords="offset points", va="center", size=7,
            )  # fmt: skip
    for place in np.flatnonzero(np.diff(table["rank"])) + 0.5:
        for axes in (left, right):
            axes.axhline(place, color=MUTED, lw=0.5)
    k = int(table["k"].iloc[0])
    set_row_axis(left, [fill(label, 26) for label in table["label"]])
    left.set_xlabel(f"pass@1 (filled),\npass@{k} (hollow), in %")
    right.set_xlabel(f"base pass@{k} \N{MINUS SIGN} pass@1\n(points; lower is better)")
    right.margins(x=0.25)
    right.set_xlim(left=min(0.0, float(table["se_gap_to_base_low"].min())))
    right.grid(visible=False, axis="y")
    for axes in (left, right):
        axes.xaxis.set_major_formatter(lambda rate, _: with_minus(100 * rate))
    left.set_title(title)
    return figure


def _whisker(axes: Axes, place: int, row: Mapping[Hashable, Any], name: str, color: str) -> None:
    """Draw the interval of an estimate as a thin line."""
    axes.plot([row[f"{name}_low"], row[f"{name}_high"]], [place, place], color=color, lw=0.8)
