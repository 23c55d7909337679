"""Curves over k: pass@k of every cell of a benchmark, and paired differences to the base."""

from __future__ import annotations

import math
from collections.abc import Mapping
from operator import itemgetter
from textwrap import fill

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from passk.figures.drawing import View
from passk.figures.style import COLUMN, canvas, end_labels, percent_axis, tries_axis
from passk.palette import INK, MUTED
from passk.results import Cell

BASE_STYLE = (0, (5, 1.6))
HEIGHT = 2.45
ROOM = 0.28
"""Share of a panel's height below the zero line from which on words fit there."""
BEYOND_STYLE = (0, (4, 1.2, 1, 1.2))
FLOOR_STYLE = (0, (1, 1.8))


def curves_figure(view: View, beyond: pd.DataFrame) -> Figure:
    """Draw pass@k against k for the cells of one benchmark, and `beyond` n what was fitted."""
    figure = canvas(height=HEIGHT)
    axes = figure.subplots()
    cells, table, colors = view.cells, view.frames["pass_at_k"], view.colors
    ends, floors = [], []
    for cell in cells:
        curve = table[table["cell"] == cell.id].dropna(subset="pass_at_k").sort_values("k")
        label = cell.label or cell.id
        draw_curve(axes, cell, curve, colors[label], 0.52 / (2 + len(cells)))
        last = curve.iloc[-1]
        far = beyond[beyond["cell"] == cell.id].sort_values("k")
        if far.empty:
            ends.append((last["k"], last["pass_at_k"], fill(label, 16), colors[label]))
        else:
            draw_beyond(axes, last, far, colors[label])
            end = far.iloc[-1]
            ends.append((end["k"], end["value"], fill(label, 16), colors[label]))
        floors.append((last["k"], last["floor"]))
    ks = {k for k in view.study.k if k <= max(cell.n for cell in cells)} | set(beyond["k"])
    tries_axis(axes, sorted(ks))
    percent_axis(axes, "pass@k (%)")
    here = table[table["cell"].isin([cell.id for cell in cells])]
    axes.set_ylim(*curve_limits(here, beyond))
    known = [end for end in floors if not math.isnan(end[1])]
    if known:
        ends.append((*max(known, key=itemgetter(1)), "guess floor", MUTED))
    end_labels(axes, ends, HEIGHT)
    axes.set_title(view.title)
    return figure


def draw_beyond(axes: Axes, last: pd.Series, far: pd.DataFrame, color: str) -> None:
    """Draw what a fitted model says beyond n, right of a line: thin, dotted, no marks."""
    axes.axvline(last["n"] * 2**0.25, color=MUTED, lw=0.6, ls=":")
    axes.plot(far["k"], far["value"], color=color, lw=1.0, ls=BEYOND_STYLE)
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
    axes.plot(k, curve["floor"], color=color, ls=FLOOR_STYLE, lw=1.0)


def curve_limits(table: pd.DataFrame, beyond: pd.DataFrame | None = None) -> tuple[float, float]:
    """Return the y limits that show curves, intervals and floors with some air."""
    parts = [table[["ci_low", "ci_high", "floor"]]]
    if beyond is not None and not beyond.empty:
        parts.append(beyond[["lower", "upper"]])
    low, high = min(p.min().min() for p in parts), max(p.max().max() for p in parts)
    air = 0.06 * (high - low) + 0.005
    return max(low - air, -0.02), min(high + air, 1.02)


def deltas_figure(
    pairs: list[tuple[Cell, Cell]],
    deltas: pd.DataFrame,
    summary: pd.DataFrame,
    colors: Mapping[str, str],
    title: str,
) -> Figure:
    """Draw tuned minus base against k, a panel per comparison of one benchmark."""
    shown = deltas[deltas["cell"].isin([cell.id for cell, _ in pairs])]
    low, high = min(shown["band_low"].min(), 0.0), max(shown["band_high"].max(), 0.0)
    room = -low / max(high - low, 1e-9) > ROOM
    columns = min(len(pairs), 2)
    rows = -(-len(pairs) // columns)
    figure = canvas(COLUMN * columns, 2.3 * rows)
    grid = figure.subplots(rows, columns, sharey=True, squeeze=False).ravel()
    for axes, (cell, base) in zip(grid, pairs, strict=False):
        curve = deltas[(deltas["cell"] == cell.id)].dropna(subset="delta").sort_values("k")
        row = summary[summary["cell"] == cell.id].iloc[0]
        color = colors[cell.label or cell.id]
        draw_delta(axes, curve, row, base.label or base.id, color, room=room)
        compared = f"{cell.label or cell.id} minus {base.label or base.id}"
        axes.set_title(fill(f"{title}: {compared}", 38))
        percent_axis(axes, "difference in pass@k\n(percentage points)")
    for axes in grid[len(pairs) :]:
        axes.remove()
    return figure


def draw_delta(
    axes: Axes, curve: pd.DataFrame, row: pd.Series, base: str, color: str, *, room: bool
) -> None:
    """Draw one delta curve: interval at each k (dark), simultaneous band (light), crossover.

    `room` tells whether there is some below the zero line for words.
    """
    k = curve["k"]
    axes.fill_between(k, curve["band_low"], curve["band_high"], color=color, alpha=0.12, lw=0)
    axes.fill_between(k, curve["ci_low"], curve["ci_high"], color=color, alpha=0.22, lw=0)
    axes.axhline(0, color=INK, lw=0.7)
    axes.plot(k, curve["delta"], "o-", color=color)
    tries_axis(axes, sorted(int(value) for value in k))
    falls = curve["delta"].iloc[0] >= curve["delta"].iloc[-1]
    _mark_crossover(axes, row, base, float(k.max()), falls=falls, room=room)


def _mark_crossover(
    axes: Axes, row: pd.Series, base: str, k_max: float, *, falls: bool, room: bool
) -> None:
    """Mark the crossover and its interval on the zero line, or say that there is none."""
    point, low, high = (row[f"crossover_{end}"] for end in ("k", "low", "high"))
    if math.isinf(point):
        text = f"no crossover up to k = {k_max:g}"
    else:
        reach = f"none ≤ {k_max:g}" if math.isinf(high) else f"{high:g}"
        axes.plot([low, min(high, k_max)], [0, 0], color=INK, lw=2.4, solid_capstyle="butt")
        axes.plot(point, 0, "D", color=INK, ms=4.2)
        text = f"{fill(base, 30)} overtakes\nat k ≈ {point:g} [{low:g}, {reach}]"
    _write_in_free_corner(axes, text, falls=falls, crosses=room and not math.isinf(point))


def _write_in_free_corner(axes: Axes, text: str, *, falls: bool, crosses: bool) -> None:
    """Write where neither the curve nor the zero line runs.

    A falling curve leaves the lower left and the upper right free, a rising one the other two; the
    zero line is high up where the base gets ahead, and low down where it does not.
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
