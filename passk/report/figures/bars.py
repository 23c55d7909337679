"""Bars and boxes: accuracy histogram, problems lost and gained, perplexities."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from textwrap import fill
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator, NullFormatter

from passk.analysis.palette import INK, MUTED
from passk.analysis.study import Cell
from passk.report.figures.base import BenchmarkView
from passk.report.figures.style import COLUMN, canvas, panels, set_row_axis

MAX_GROUPED_BARS = 4
"""Up to this many cells, bars are grouped in one panel."""

BIN_TICKS = ("0", *(f".{tenth}" for tenth in range(1, 10)), "<1", "1")


def histogram_figure(
    cells: list[Cell], histogram: pd.DataFrame, colors: Mapping[str, str], title: str
) -> Figure:
    """Draw the number of problems per accuracy bin, with one bar per cell.

    More than four cells get a small panel each.
    """
    if len(cells) > MAX_GROUPED_BARS:
        return _histogram_panels(cells, histogram, colors, title)
    figure = canvas()
    axes = figure.subplots()
    width = 0.84 / len(cells)
    for index, cell in enumerate(cells):
        label = cell.label or cell.id
        heights = histogram[histogram["cell"] == cell.id].sort_values("bin")["problems"]
        centre = np.arange(len(BIN_TICKS)) + (index - (len(cells) - 1) / 2) * width
        style = {"color": colors[label]} if cell.base else _outlined(colors[label])
        axes.bar(centre, heights, width * 0.92, label=fill(label, 24), **style)
    axes.set_xticks(range(len(BIN_TICKS)), BIN_TICKS)
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(visible=False, axis="x")
    axes.set_xlabel("accuracy on a problem (upper end of the bin)")
    axes.set_ylabel("problems")
    axes.set_title(title)
    widest = max(
        len(line) for cell in cells for line in fill(cell.label or cell.id, 24).split("\n")
    )
    columns = min(len(cells), 48 // (widest + 4), 3)
    figure.legend(loc="outside upper right", ncols=columns, handlelength=1.2)
    return figure


def _histogram_panels(
    cells: list[Cell], histogram: pd.DataFrame, colors: Mapping[str, str], title: str
) -> Figure:
    """Draw the histogram of each cell in a panel of its own."""
    figure, grid = panels(len(cells), 2, COLUMN, (0.6, 0.85), sharex=True, sharey=True)
    for axes, cell in zip(grid, cells, strict=True):
        label = cell.label or cell.id
        heights = histogram[histogram["cell"] == cell.id].sort_values("bin")["problems"]
        style = {"color": colors[label]} if cell.base else _outlined(colors[label])
        axes.bar(np.arange(len(BIN_TICKS)), heights, 0.84, **style)
        axes.set_title(fill(label, 28), fontweight="normal", fontsize=7)
        axes.set_xticks(range(0, len(BIN_TICKS), 5), BIN_TICKS[::5])
        axes.grid(visible=False, axis="x")
        axes.xaxis.set_tick_params(labelbottom=True)
    figure.supxlabel("accuracy on a problem (upper end of the bin)", fontsize=8, color=INK)
    figure.supylabel("problems", fontsize=8, color=INK)
    figure.suptitle(title, x=0.01, ha="left", fontsize=8, fontweight="bold")
    return figure


def _outlined(color: str) -> dict[str, Any]:
    """Return the style of a base's bar: a hatched outline, readable without colour."""
    return {"facecolor": "none", "edgecolor": color, "hatch": "//////", "linewidth": 0.8}


def coverage_figure(view: BenchmarkView) -> Figure:
    """Draw problems that only the base solves to the left, only the tuned model to the right.

    One row per group; seeds are thin bars, and numbers are means over seeds.
    """
    cells = {cell.id: cell for cell in view.cells}
    compared = [(g, cells[g.cells[0].base]) for g in view.groups if g.cells[0].base in cells]
    summary = view.frames["summary"].set_index("cell")
    figure = canvas(height=0.85 + 0.5 * len(compared))
    axes = figure.subplots()
    for place, (group, base) in enumerate(compared):
        rows = summary.loc[[cell.id for cell in group.cells]]
        _coverage_row(axes, place, rows, view.colors[base.label or base.id],
                      view.colors[group.label])  # fmt: skip
    sides = summary.loc[[c.id for g, _ in compared for c in g.cells], ["base_only", "tuned_only"]]
    reach = max(1, sides.to_numpy().max())
    axes.set_xlim(-1.6 * reach, 1.6 * reach)
    axes.spines["left"].set_visible(False)
    axes.tick_params(axis="y", length=0)
    axes.axvline(0, color=INK, lw=0.7)
    names = [fill(f"{group.label} vs {base.label}", 24) for group, base in compared]
    set_row_axis(axes, names)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=6))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{abs(value):g}"))
    axes.set_xlabel("← problems only the base solves\nproblems only the tuned model solves →")
    axes.set_title(view.title)
    return figure


def _coverage_row(axes: Axes, place: int, rows: pd.DataFrame, base: str, color: str) -> None:
    """Draw the bars of one group, a pair per seed, and the remaining problems as text."""
    height = 0.52 / len(rows)
    for number, row in enumerate(rows.to_dict("records")):
        at = place + (number - (len(rows) - 1) / 2) * height
        axes.barh(at, -row["base_only"], height * 0.9, **_outlined(base))
        axes.barh(at, row["tuned_only"], height * 0.9, color=color)
    mean = rows[["base_only", "tuned_only", "both", "neither"]].mean()
    _bar_ends(axes, place, rows["base_only"].max(), rows["tuned_only"].max(), mean)
    note = f"both {_plain(mean['both'])}\nneither {_plain(mean['neither'])}"
    axes.text(1.02, place, note, transform=axes.get_yaxis_transform(), va="center", color=MUTED)


def _plain(number: float) -> str:
    """Return a mean of counts: an integer if it is one, else with one decimal."""
    return f"{number:.0f}" if float(number).is_integer() else f"{number:.1f}"


def _bar_ends(axes: Axes, place: int, left: float, right: float, mean: pd.Series[Any]) -> None:
    """Write the numbers of problems lost and gained at the outer ends of a row's bars."""
    ends = ((-left, -3, "right", "base_only"), (right, 3, "left", "tuned_only"))
    for end, shift, side, name in ends:
        axes.annotate(
            _plain(mean[name]), (end, place), (shift, 0), textcoords="offset points",
            ha=side, va="center", weight="bold",
        )  # fmt: skip


def perplexity_figure(table: pd.DataFrame, colors: Mapping[str, str], title: str) -> Figure:
    """Draw a box of the problems' median perplexities per scoring; `table` is of one benchmark."""
    names = list(dict.fromkeys(table["scoring"]))
    figure = canvas(height=0.75 + 0.38 * len(names))
    axes = figure.subplots()
    labels = []
    for place, name in enumerate(names):
        rows = table[table["scoring"] == name]
        first = rows.iloc[0]
        color = colors.get(first["responses_of"], MUTED)
        _box(axes, place, rows["median"].dropna().to_numpy(), color)
        labels.append(fill(f"{first['responses_of']} under {first['scorer_label']}", 24))
    axes.set_xscale("log")
    set_row_axis(axes, labels)
    _plain_log_ticks(axes)
    axes.set_xlabel("median perplexity of a problem")
    axes.set_title(title)
    return figure


CLASSES = ("correct", "wrong", "solved by both", "solved by base alone", "solved by tuned alone")
"""Classes in the order of the figure; problems that neither solves are only in the table."""


def perplexity_classes_figure(table: pd.DataFrame, colors: Mapping[str, str], title: str) -> Figure:
    """Draw a panel per scoring and comparison with a box per class of responses or problems."""
    groups = list(_class_groups(table))
    figure = canvas(height=0.5 + 1.15 * len(groups))
    grid = figure.subplots(len(groups), 1, sharex=True, squeeze=False).ravel()
    for axes, (label, rows) in zip(grid, groups, strict=True):
        shown = [name for name in CLASSES if (rows["subset"] == name).any()]
        for place, name in enumerate(shown):
            values = rows.loc[rows["subset"] == name, "median"].dropna().to_numpy()
            _box(axes, place, values, colors.get(rows["responses_of"].iloc[0], MUTED))
            axes.text(1.01, place, str(len(values)), transform=axes.get_yaxis_transform(),
                      va="center", color=MUTED, size=6.5)  # fmt: skip
        axes.set_xscale("log")
        set_row_axis(axes, shown)
        axes.set_title(fill(label, 52), fontweight="normal", fontsize=7.5)
    _plain_log_ticks(grid[-1])
    grid[-1].set_xlabel("median perplexity of a problem")
    figure.suptitle(title, x=0.01, ha="left", fontsize=8, fontweight="bold")
    return figure


def _class_groups(table: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    """Yield a name and the rows of each scoring.

    Problems are split by which model solves them only if there is one comparison: a base's
    responses would have one split per tuned model (the table has all of them).
    """
    for _, rows in table.groupby("scoring", sort=False):
        first = rows.iloc[0]
        name = f"{first['responses_of']} under {first['scorer_label']}"
        own = rows[rows["against"] == ""]
        compared = [part for tuned, part in rows.groupby("against", sort=False) if tuned != ""]
        shown = pd.concat([own, *(compared if len(compared) == 1 else [])])
        if shown["subset"].isin(CLASSES).any():
            yield name, shown


def _plain_log_ticks(axes: Axes) -> None:
    """Label a log axis of less than two decades at 1, 2, 5 with plain numbers."""
    from matplotlib.ticker import LogLocator

    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())


def _box(axes: Axes, place: int, values: np.ndarray, color: str) -> None:
    """Draw the middle half as a box, 5 % to 95 % as whiskers, the median, and the points."""
    if not len(values):
        return
    p5, q1, median, q3, p95 = np.percentile(values, [5, 25, 50, 75, 95])
    axes.plot([p5, q1], [place, place], color=color, lw=0.9)
    axes.plot([q3, p95], [place, place], color=color, lw=0.9)
    axes.barh(place, q3 - q1, 0.5, left=q1, color=color, alpha=0.28, lw=0)
    axes.plot([median, median], [place - 0.25, place + 0.25], color=color, lw=1.8)
    jitter = np.random.default_rng(0).uniform(-0.17, 0.17, len(values))
    axes.plot(values, place + jitter, ".", color=color, ms=1.8, alpha=0.5, mew=0)
