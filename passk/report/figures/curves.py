"""Curves over k: pass@k of every cell of a benchmark, and paired differences to the base."""

from __future__ import annotations

import math
from operator import itemgetter
from textwrap import fill

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from passk.analysis.palette import INK, MUTED
from passk.analysis.seed_series import Series
from passk.analysis.study import Cell
from passk.report.figures.base import BenchmarkView
from passk.report.figures.seeds import group_curve, group_delta, seed_deltas
from passk.report.figures.style import (
    COLUMN,
    canvas,
    end_labels,
    panels,
    set_k_axis,
    set_percent_axis,
)

MANY_CURVES = 6
"""From this many curves on, end labels have one line."""

BASE_STYLE = (0, (5, 1.6))
HEIGHT = 2.45
MIN_TEXT_SHARE = 0.28
"""Share of a panel's height below the zero line that text needs."""
EXTRAPOLATION_STYLE = (0, (4, 1.2, 1, 1.2))
FLOOR_STYLE = (0, (1, 1.8))


def curves_figure(view: BenchmarkView, beyond: pd.DataFrame) -> Figure:
    """Draw pass@k against k for the groups of one benchmark, and the extrapolation beyond n."""
    groups = view.groups
    figure = canvas(COLUMN * (1 if len(groups) < MANY_CURVES else 1.5), HEIGHT)
    axes = figure.subplots()
    ends, floors = [], []
    for group in groups:
        curve, color = group_curve(view, group), view.colors[group.label]
        draw_curve(axes, group.cells[0], curve, color, 0.52 / (2 + len(groups)))
        last = curve.iloc[-1]
        far = beyond[beyond["cell"] == group.cells[0].id].sort_values("k")
        if not far.empty:
            draw_extrapolation(axes, last, far, color)
        end = (
            (last["k"], last["pass_at_k"])
            if far.empty
            else (far.iloc[-1]["k"], far.iloc[-1]["value"])
        )
        ends.append((*end, fill(group.label, 16 if len(groups) < MANY_CURVES else 32), color))
        floors.append((last["k"], last["guess_floor"]))
    cells = [cell for group in groups for cell in group.cells]
    ks = {k for k in view.study.k if k <= max(cell.n for cell in cells)} | set(beyond["k"])
    set_k_axis(axes, sorted(ks))
    set_percent_axis(axes, "pass@k (%)")
    table = view.frames["pass_at_k"]
    axes.set_ylim(*curve_limits(table[table["cell"].isin([cell.id for cell in cells])], beyond))
    known = [end for end in floors if not math.isnan(end[1])]
    if known:
        ends.append((*max(known, key=itemgetter(1)), "guess floor", MUTED))
    end_labels(axes, ends, HEIGHT)
    axes.set_title(view.title)
    return figure


def draw_extrapolation(axes: Axes, last: pd.Series, far: pd.DataFrame, color: str) -> None:
    """Draw the extrapolation beyond n, right of a line: thin, dotted, no marks."""
    axes.axvline(last["n"] * 2**0.25, color=MUTED, lw=0.6, ls=":")
    axes.plot(far["k"], far["value"], color=color, lw=1.0, ls=EXTRAPOLATION_STYLE)
    axes.fill_between(
        far["k"], far["lower"], far["upper"], facecolor="none", edgecolor=color, hatch="......",
        alpha=0.45, lw=0,
    )  # fmt: skip


def draw_curve(
    axes: Axes, cell: Cell, curve: pd.DataFrame, color: str, shade: float = 0.13
) -> None:
    """Draw one curve: interval shaded, hollow marks where k > n/2, the guess floor dotted."""
    k, value = curve["k"], curve["pass_at_k"]
    style = "-" if cell.base else BASE_STYLE
    axes.fill_between(k, curve["ci_low"], curve["ci_high"], color=color, alpha=shade, lw=0)
    axes.plot(k, value, color=color, ls=style)
    sure = k <= cell.n / 2
    axes.plot(k[sure], value[sure], "o", color=color)
    axes.plot(k[~sure], value[~sure], "o", mfc="none", mec=color, mew=0.9)
    axes.plot(k, curve["guess_floor"], color=color, ls=FLOOR_STYLE, lw=1.0)


def curve_limits(table: pd.DataFrame, beyond: pd.DataFrame | None = None) -> tuple[float, float]:
    """Return y limits that fit curves, intervals and floors with a margin."""
    parts = [table[["ci_low", "ci_high", "guess_floor"]]]
    if beyond is not None and not beyond.empty:
        parts.append(beyond[["lower", "upper"]])
    low, high = min(p.min().min() for p in parts), max(p.max().max() for p in parts)
    margin = 0.06 * (high - low) + 0.005
    return max(low - margin, -0.02), min(high + margin, 1.02)


def deltas_figure(view: BenchmarkView, groups: list[Series]) -> Figure:
    """Draw tuned minus base against k, a panel per group that has a base."""
    curves = [group_delta(view, group) for group in groups]
    low = min(0.0, *(curve["band_low"].min() for curve in curves))
    high = max(0.0, *(curve["band_high"].max() for curve in curves))
    room = -low / max(high - low, 1e-9) > MIN_TEXT_SHARE
    columns = min(len(groups), 2)
    width = COLUMN * columns
    figure, grid = panels(len(groups), columns, width, (0.0, 2.3), sharey=True)
    bases = {base.id: base.label or base.id for base in view.study.cells}
    for axes, group, curve in zip(grid, groups, curves, strict=True):
        base = bases[group.cells[0].base or ""]
        _delta_panel(axes, view, group, curve, base, room=room)
    return figure


def _delta_panel(
    axes: Axes, view: BenchmarkView, group: Series, curve: pd.DataFrame, base: str, *, room: bool
) -> None:
    """Draw the panel of one group: one comparison, or the mean over seeds and each of them."""
    color = view.colors[group.label]
    seeds = seed_deltas(view, group)
    if seeds:
        draw_seeds(axes, curve, seeds, color)
    else:
        summary = view.frames["summary"]
        row = summary[summary["cell"] == group.cells[0].id].iloc[0]
        draw_delta(axes, curve, row, base, color, room=room)
    axes.set_title(fill(f"{view.title}: {group.label} minus {base}", 38))
    set_percent_axis(axes, "difference in pass@k\n(percentage points)")


def draw_seeds(axes: Axes, mean: pd.DataFrame, seeds: list[pd.DataFrame], color: str) -> None:
    """Draw the difference of each seed (thin), their mean (thick) and its paired interval."""
    axes.fill_between(mean["k"], mean["ci_low"], mean["ci_high"], color=color, alpha=0.22, lw=0)
    axes.axhline(0, color=INK, lw=0.7)
    for seed in seeds:
        axes.plot(seed["k"], seed["delta"], color=color, lw=0.6, alpha=0.8)
    axes.plot(mean["k"], mean["delta"], "o-", color=color)
    set_k_axis(axes, sorted(int(value) for value in mean["k"]))


def draw_delta(
    axes: Axes, curve: pd.DataFrame, row: pd.Series, base: str, color: str, *, room: bool
) -> None:
    """Draw one delta curve: interval at each k (dark), simultaneous band (light), crossover.

    `room`: whether text fits below the zero line.
    """
    k = curve["k"]
    axes.fill_between(k, curve["band_low"], curve["band_high"], color=color, alpha=0.12, lw=0)
    axes.fill_between(k, curve["ci_low"], curve["ci_high"], color=color, alpha=0.22, lw=0)
    axes.axhline(0, color=INK, lw=0.7)
    axes.plot(k, curve["delta"], "o-", color=color)
    set_k_axis(axes, sorted(int(value) for value in k))
    falls = curve["delta"].iloc[0] >= curve["delta"].iloc[-1]
    _mark_crossover(axes, row, base, float(k.max()), falls=falls, room=room)


def _mark_crossover(
    axes: Axes, row: pd.Series, base: str, k_max: float, *, falls: bool, room: bool
) -> None:
    """Mark the crossover and its interval on the zero line, or write that there is none."""
    point, low, high = (row[f"crossover_{end}"] for end in ("k", "low", "high"))
    if math.isinf(point):
        text = f"no crossover up to k = {k_max:g}"
    else:
        upper = f"none ≤ {k_max:g}" if math.isinf(high) else f"{high:g}"
        axes.plot([low, min(high, k_max)], [0, 0], color=INK, lw=2.4, solid_capstyle="butt")
        axes.plot(point, 0, "D", color=INK, ms=4.2)
        text = f"{fill(base, 30)} overtakes\nat k ≈ {point:g} [{low:g}, {upper}]"
    _write_in_free_corner(axes, text, falls=falls, crosses=room and not math.isinf(point))


def _write_in_free_corner(axes: Axes, text: str, *, falls: bool, crosses: bool) -> None:
    """Write text in a corner without the curve and the zero line.

    A falling curve leaves the lower left and the upper right free, a rising one the other two; the
    zero line is near the top if the base overtakes, else near the bottom.
    """
    right = falls != crosses
    axes.text(
        0.985 if right else 0.025,
        0.03 if crosses else 0.965,
        text,
        transform=axes.transAxes,
        ha="right" if right else "left",
        va="bottom" if crosses else "top",
        color=MUTED,
    )
