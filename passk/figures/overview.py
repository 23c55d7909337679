"""Figures that set many things side by side: bins, cells, training steps, benchmarks."""

from __future__ import annotations

from collections.abc import Mapping
from textwrap import fill

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator, NullFormatter

from passk.figures.bars import BIN_TICKS
from passk.figures.curves import BASE_STYLE, curve_limits, draw_curve
from passk.figures.style import COLUMN, canvas, percent_axis, tries_axis
from passk.palette import INK, MUTED
from passk.results import Cell, Study


def flows_figure(flows: pd.DataFrame, tuned: str, base: str, color: str, title: str) -> Figure:
    """Draw how many problems go from each accuracy bin of the base to each of the tuned model."""
    bins = len(BIN_TICKS)
    counts = np.zeros((bins, bins), dtype=int)
    np.add.at(counts, (flows["bin"], flows["base_bin"]), flows["problems"])
    figure = canvas(height=3.2)
    axes = figure.subplots()
    shades = LinearSegmentedColormap.from_list("shades", [f"{color}10", f"{color}b0"])
    seen = np.ma.masked_equal(np.sqrt(counts), 0)
    axes.pcolormesh(seen, cmap=shades, vmin=0, edgecolor="none")
    for row, column in zip(*counts.nonzero(), strict=True):
        axes.text(column + 0.5, row + 0.5, str(counts[row, column]), ha="center", va="center",
                  size=6)  # fmt: skip
    axes.plot([0, bins], [0, bins], color=MUTED, lw=0.6, ls=":")
    places = np.arange(bins) + 0.5
    axes.set_xticks(places, BIN_TICKS)
    axes.set_yticks(places, BIN_TICKS)
    axes.grid(visible=False)
    axes.set_xlabel(f"accuracy of {fill(base, 28)}")
    axes.set_ylabel(f"accuracy of {fill(tuned, 28)}")
    axes.set_title(title)
    return figure


def efficiency_figure(
    cells: list[Cell], summary: pd.DataFrame, colors: Mapping[str, str], title: str
) -> Figure:
    """Draw each cell from pass@1 (filled) to pass@k_max (hollow); dashed: the base's reach."""
    figure = canvas(height=0.85 + 0.3 * len(cells))
    axes = figure.subplots()
    rows = summary.set_index("cell").to_dict("index")
    for place, cell in enumerate(cells):
        row, color = rows[cell.id], colors[cell.label or cell.id]
        ends = [row["pass_at_1"], row["pass_at_k_max"]]
        axes.plot(ends, [place, place], color=color, lw=2.2, alpha=0.45)
        axes.plot(ends[0], place, "o", color=color, ms=4.5)
        axes.plot(ends[1], place, "o", mfc="none", mec=color, mew=1.2, ms=4.5)
    for reach in {rows[cell.base]["pass_at_k_max"] for cell in cells if cell.base in rows}:
        axes.axvline(reach, color=INK, lw=0.8, ls=BASE_STYLE)
    axes.set_yticks(range(len(cells)), [fill(cell.label or cell.id, 24) for cell in cells])
    axes.set_ylim(len(cells) - 0.5, -0.5)
    axes.grid(visible=False, axis="y")
    axes.xaxis.set_major_formatter(lambda rate, _: f"{100 * rate:g}")
    axes.set_xlabel("pass@1 (filled) to\npass@k_max (hollow), in %")
    axes.set_title(title)
    return figure


def steps_figure(summary: pd.DataFrame, color: str, title: str) -> Figure:
    """Draw pass@1 and pass@k_max against the training step; `summary` is of one series."""
    figure = canvas()
    axes = figure.subplots()
    table = summary.sort_values("step")
    for end, style in (("1", "-"), ("k_max", BASE_STYLE)):
        low, high = table[f"pass_at_{end}_low"], table[f"pass_at_{end}_high"]
        name = "pass@1" if end == "1" else f"pass@{int(table['k_max'].iloc[0])}"
        axes.fill_between(table["step"], low, high, color=color, alpha=0.13, lw=0)
        axes.plot(table["step"], table[f"pass_at_{end}"], "o", ls=style, color=color, label=name)
    axes.set_xticks(sorted(set(table["step"])))
    axes.set_xlabel("training step")
    percent_axis(axes, "pass@k (%)")
    axes.set_title(title)
    figure.legend(loc="outside upper right", ncols=2, handlelength=2.6)
    return figure


def perplexity_steps_figure(table: pd.DataFrame, color: str, title: str) -> Figure:
    """Draw each problem's median perplexity against the training step, and the median problem's."""
    figure = canvas()
    axes = figure.subplots()
    wide = table.pivot_table(index="step", columns="problem_id", values="median").sort_index()
    axes.plot(wide.index, wide.to_numpy(), color=color, lw=0.5, alpha=0.35)
    axes.plot(wide.index, wide.median(axis=1), "o-", color=color, lw=2.0)
    axes.set_yscale("log")
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.set_xticks(list(wide.index))
    axes.set_xlabel("training step")
    axes.set_ylabel(f"perplexity under\n{fill(str(table['scorer_label'].iloc[0]), 24)}")
    axes.set_title(title)
    return figure


def grid_figure(study: Study, table: pd.DataFrame, colors: Mapping[str, str]) -> Figure:
    """Draw the curves of every benchmark as small panels with one legend."""
    names = study.benchmarks()
    columns = min(3, len(names))
    rows = -(-len(names) // columns)
    figure = canvas(2 * COLUMN + 0.2, 0.4 + 1.9 * rows)
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes, name in zip(panels, names, strict=False):
        _panel(axes, study, name, table, colors)
    for axes in panels[len(names) :]:
        axes.remove()
    handles = {cell.label or cell.id: _handle(cell, colors) for cell in study.cells}
    figure.legend(
        list(handles.values()), [fill(name, 28) for name in handles], loc="outside upper left",
        ncols=min(4, len(handles)), handlelength=2.6,
    )  # fmt: skip
    return figure


def _panel(
    axes: Axes, study: Study, name: str, table: pd.DataFrame, colors: Mapping[str, str]
) -> None:
    """Draw the curves of one benchmark."""
    cells = [cell for cell in study.cells if cell.benchmark == name]
    for cell in cells:
        curve = table[table["cell"] == cell.id].dropna(subset="pass_at_k").sort_values("k")
        draw_curve(axes, cell, curve, colors[cell.label or cell.id], 0.36 / (2 + len(cells)))
    tries_axis(axes, sorted(k for k in study.k if k <= max(cell.n for cell in cells)), room=6)
    percent_axis(axes, "pass@k (%)")
    axes.set_ylim(*curve_limits(table[table["benchmark"] == name]))
    axes.set_title(study.title_of(name))


def _handle(cell: Cell, colors: Mapping[str, str]) -> Line2D:
    """Return a legend's line in the look of a cell's curve."""
    return Line2D([], [], color=colors[cell.label or cell.id], ls="-" if cell.base else BASE_STYLE)
