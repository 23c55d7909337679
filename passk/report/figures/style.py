"""Common style of all figures: two-column paper sizes, reproducible bytes, no global state."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from passk.analysis.palette import GRID, INK, MUTED

logger = logging.getLogger(__name__)

COLUMN = 3.35
"""Width of a column of a two-column paper, in inches."""

FONT = "DejaVu Sans"
SVG_FONTS = f"'{FONT}', Verdana, sans-serif"
"""Fonts of the text in an SVG, which the reader's machine draws; Verdana is as wide as ours."""

SETTINGS: dict[str, Any] = {
    "axes.axisbelow": True,
    "axes.edgecolor": MUTED,
    "axes.grid": True,
    "axes.labelcolor": INK,
    "axes.labelsize": 8,
    "axes.linewidth": 0.6,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlelocation": "left",
    "axes.titlesize": 8,
    "axes.titleweight": "bold",
    "figure.dpi": 220,
    "font.family": FONT,
    "font.size": 7.5,
    "grid.color": GRID,
    "grid.linewidth": 0.5,
    "hatch.linewidth": 0.5,
    "legend.fontsize": 7.5,
    "legend.frameon": False,
    "lines.linewidth": 1.4,
    "lines.markersize": 3.2,
    "path.simplify": False,
    "pdf.fonttype": 42,
    "svg.fonttype": "none",
    "text.color": INK,
    "text.parse_math": False,
    "xtick.color": MUTED,
    "xtick.labelcolor": INK,
    "xtick.labelsize": 7.5,
    "ytick.color": MUTED,
    "ytick.labelcolor": INK,
    "ytick.labelsize": 7.5,
}

LEADER = {"arrowstyle": "-", "lw": 0.5, "shrinkA": 1, "shrinkB": 2, "relpos": (0, 0.5)}
"""Style of the line from the end of a curve to its label."""

METADATA: dict[str, dict[str, None]] = {
    "svg": {"Date": None, "Creator": None},
    "pdf": {"CreationDate": None, "Creator": None, "Producer": None},
    "png": {"Software": None},
}
"""File formats, and the metadata of each that would change from run to run."""


@contextmanager
def styled() -> Iterator[None]:
    """Draw in passk's style, whatever the user's own settings are."""
    with mpl.rc_context({**SETTINGS, "svg.hashsalt": "passk"}), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        yield


def canvas(width: float = COLUMN, height: float = 2.45) -> Figure:
    """Return an empty figure, size in inches."""
    return Figure(figsize=(width, height), layout="constrained")


def save(figure: Figure, stem: Path) -> list[Path]:
    """Write SVG, PDF and PNG without dates, and return their paths."""
    for _ in range(2):  # ticks depend on the layout and the layout on the ticks
        figure.draw_without_rendering()
    figure.set_layout_engine("none")  # it would be computed anew for each file
    paths = []
    for kind, metadata in METADATA.items():
        path = stem.with_name(f"{stem.name}.{kind}")
        figure.savefig(path, metadata=metadata, transparent=kind != "png")
        if kind == "svg":
            text = path.read_text(encoding="utf-8")
            path.write_text(text.replace(f"'{FONT}'", SVG_FONTS), encoding="utf-8")
        paths.append(path)
    return paths


def with_minus(value: float) -> str:
    """Return a number with a true minus sign."""
    return f"{value:g}".replace("-", "\N{MINUS SIGN}")


def set_k_axis(axes: Axes, ks: list[int], max_ticks: int = 9) -> None:
    """Set up the x axis for k: log base 2, with at most `max_ticks` ticks."""
    axes.set_xscale("log", base=2)
    step = -(-len(ks) // max_ticks)
    shown = ks[::-1][::step][::-1]
    axes.xaxis.set_major_locator(FixedLocator(shown))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda k, _: f"{k:g}"))
    axes.set_xlabel("k (tries)")


def set_percent_axis(axes: Axes, label: str) -> None:
    """Show rates on the y axis in percent (the data stay in [0, 1])."""
    axes.yaxis.set_major_formatter(FuncFormatter(lambda rate, _: with_minus(100 * rate)))
    axes.set_ylabel(label)


def set_row_axis(axes: Axes, labels: Sequence[str]) -> None:
    """Label one row per name on the y axis, the first at the top, without grid lines."""
    axes.set_yticks(range(len(labels)), labels)
    axes.set_ylim(len(labels) - 0.5, -0.5)
    axes.grid(visible=False, axis="y")


def panels(
    count: int,
    columns: int,
    width: float,
    height: tuple[float, float],
    *,
    sharex: bool = False,
    sharey: bool = False,
) -> tuple[Figure, list[Axes]]:
    """Return a figure and its panels; `height` is a fixed part and that of a row, in inches."""
    rows = -(-count // columns)
    figure = canvas(width, height[0] + height[1] * rows)
    grid = figure.subplots(rows, columns, squeeze=False, sharex=sharex, sharey=sharey).ravel()
    for axes in grid[count:]:
        axes.remove()
    return figure, list(grid[:count])


def spread_labels(wanted: list[float], gap: float, low: float, high: float) -> list[float]:
    """Return positions near those wanted, at least `gap` apart and within [low, high] if it fits.

    >>> spread_labels([2.0, 2.0], 2.0, 0.0, 4.0)
    [1.0, 3.0]
    """
    order = sorted(range(len(wanted)), key=wanted.__getitem__)
    blocks: list[tuple[float, int]] = []
    for index in order:
        block = (wanted[index], 1)
        while blocks and _lowest(block, gap, low, high) - gap < _highest(
            blocks[-1], gap, low, high
        ):
            block = _merge(blocks.pop(), block)
        blocks.append(block)
    places = [0.0] * len(wanted)
    free = iter(order)
    for block in blocks:
        for step in range(block[1]):
            places[next(free)] = _lowest(block, gap, low, high) + gap * step
    return places


def _lowest(block: tuple[float, int], gap: float, low: float, high: float) -> float:
    """Return where the lowest label of a block (centre, size) goes, kept within the limits."""
    length = (block[1] - 1) * gap
    return max(min(block[0] - length / 2, high - length), low)


def _highest(block: tuple[float, int], gap: float, low: float, high: float) -> float:
    """Return where the highest label of a block goes."""
    return _lowest(block, gap, low, high) + (block[1] - 1) * gap


def _merge(below: tuple[float, int], above: tuple[float, int]) -> tuple[float, int]:
    """Return the block that holds the labels of both."""
    size = below[1] + above[1]
    return (below[0] * below[1] + above[0] * above[1]) / size, size


def end_labels(axes: Axes, labels: list[tuple[float, float, str, str]], height: float) -> None:
    """Write each curve's name at its right end, kept from overlapping.

    Args:
        axes: the axes, with their limits set.
        labels: (x, y, text, colour) of each curve's end.
        height: height of the figure in inches, of which axes take about three quarters.
    """
    if not labels:
        return
    bottom, top = axes.get_ylim()
    lines = max(text.count("\n") + 1 for _, _, text, _ in labels)
    gap = 9.5 * lines / (72 * 0.74 * height) * (top - bottom)
    places = spread_labels([y for _, y, _, _ in labels], gap, bottom + gap / 2, top - gap / 2)
    for (x, y, text, color), place in zip(labels, places, strict=True):
        axes.annotate(
            text,
            xy=(x, y),
            xytext=(1.06, place),
            textcoords=axes.get_yaxis_transform(),
            color=color,
            va="center",
            annotation_clip=False,
            arrowprops={**LEADER, "color": color},
        )
