"""Figures with many small parts: accuracy bins, cells, training steps, benchmarks."""

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

from passk.analysis.palette import INK, MUTED
from passk.analysis.study import Cell, Study
from passk.report.figures.bars import BIN_TICKS
from passk.report.figures.base import BenchmarkView, Frames
from passk.report.figures.curves import BASE_STYLE, curve_limits, draw_curve
from passk.report.figures.seeds import group_curve
from passk.report.figures.style import (
    COLUMN,
    canvas,
    panels,
    set_k_axis,
    set_percent_axis,
    set_row_axis,
)


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


def efficiency_figure(rows: pd.DataFrame, colors: Mapping[str, str], title: str) -> Figure:
    """Draw each row from pass@1 (filled) to pass@k (hollow); dashed: pass@k of the bases."""
    figure = canvas(height=0.85 + 0.3 * len(rows))
    axes = figure.subplots()
    reaches = rows.set_index("cell")["pass_at_k"]
    for place, row in enumerate(rows.to_dict("records")):
        color = colors[row["label"]]
        ends = [row["pass_at_1"], row["pass_at_k"]]
        axes.plot(ends, [place, place], color=color, lw=2.2, alpha=0.45)
        axes.plot(ends[0], place, "o", color=color, ms=4.5)
        axes.plot(ends[1], place, "o", mfc="none", mec=color, mew=1.2, ms=4.5)
        if row["base"] in reaches:
            axes.axvline(reaches[row["base"]], color=INK, lw=0.8, ls=BASE_STYLE)
    set_row_axis(axes, [fill(label, 24) for label in rows["label"]])
    axes.xaxis.set_major_formatter(lambda rate, _: f"{100 * rate:g}")
    axes.set_xlabel(f"pass@1 (filled) to\npass@{int(rows['k'].iloc[0])} (hollow), in %")
    axes.set_title(title)
    return figure


def steps_figure(summary: pd.DataFrame, color: str, title: str) -> Figure:
    """Draw pass@1 and pass@k_max against the training step.

    `summary` is of one series; of several seeds, each is a thin line and their mean a thick one.
    """
    figure = canvas()
    axes = figure.subplots()
    seeds = [part.sort_values("step") for _, part in summary.groupby("seed", dropna=False)]
    for end, style in (("1", "-"), ("k_max", BASE_STYLE)):
        value = f"pass_at_{end}"
        name = "pass@1" if end == "1" else f"pass@{int(summary['k_max'].iloc[0])}"
        mean = summary.groupby("step")[value].mean()
        axes.plot(mean.index, mean, "o", ls=style, color=color, label=name)
        if len(seeds) == 1:
            low, high = seeds[0][f"{value}_low"], seeds[0][f"{value}_high"]
            axes.fill_between(seeds[0]["step"], low, high, color=color, alpha=0.13, lw=0)
            continue
        for part in seeds:
            axes.plot(part["step"], part[value], ls=style, color=color, lw=0.6, alpha=0.7)
    axes.set_xticks(sorted(set(summary["step"])))
    axes.set_xlabel("training step")
    set_percent_axis(axes, "pass@k (%)")
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


def grid_figure(study: Study, frames: Frames, colors: Mapping[str, str]) -> Figure:
    """Draw the curves of every benchmark as small panels with one legend."""
    names = study.benchmarks()
    columns = min(3, len(names))
    width = 2 * COLUMN + 0.2
    figure, grid = panels(len(names), columns, width, (0.4, 1.9))
    handles: dict[str, Line2D] = {}
    for axes, name in zip(grid, names, strict=True):
        view = BenchmarkView("", study, name, frames, colors, ())
        _panel(axes, view)
        handles |= {g.label: _handle(g.cells[0], colors[g.label]) for g in view.groups}
    figure.legend(
        list(handles.values()), [fill(name, 28) for name in handles], loc="outside upper left",
        ncols=min(4, len(handles)), handlelength=2.6,
    )  # fmt: skip
    return figure


def _panel(axes: Axes, view: BenchmarkView) -> None:
    """Draw the curves of one benchmark."""
    groups, table = view.groups, view.frames["pass_at_k"]
    for group in groups:
        color = view.colors[group.label]
        draw_curve(axes, group.cells[0], group_curve(view, group), color, 0.36 / (2 + len(groups)))
    cells = [cell for group in groups for cell in group.cells]
    most = max(cell.n for cell in cells)
    set_k_axis(axes, sorted(k for k in view.study.k if k <= most), max_ticks=6)
    set_percent_axis(axes, "pass@k (%)")
    axes.set_ylim(*curve_limits(table[table["cell"].isin([cell.id for cell in cells])]))
    axes.set_title(view.title)


def _handle(cell: Cell, color: str) -> Line2D:
    """Return the legend handle of a cell's curve."""
    return Line2D([], [], color=color, ls="-" if cell.base else BASE_STYLE)
