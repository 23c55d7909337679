"""The figure of `passk compare` as SVG text: to load matplotlib takes longer than to compare."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape

import numpy as np
import numpy.typing as npt
import pandas as pd

from passk.analysis.count_comparison import CountComparison
from passk.analysis.palette import GRID, INK, MUTED, assign

Values = npt.NDArray[np.float64]

WIDTH, HEIGHT = 640, 230
"""Of both panels, without the legend."""

MARGINS = {"left": 48, "right": 16, "top": 10, "bottom": 36}
LEGEND_ROW, LETTER = 16, 6.2
"""Height of a row of the legend, and width that a letter takes in it."""

MAX_TICKS = 9


@dataclass(frozen=True, slots=True)
class Line:
    """One curve: its values and the ends of its interval at each k, all of shape (K,)."""

    k: Values
    value: Values
    low: Values
    high: Values
    color: str
    label: str


@dataclass(frozen=True, slots=True)
class Panel:
    """A panel from the pixel `left` on; k on a log2 axis from 1, rates in percent."""

    left: float
    lines: Sequence[Line]
    label: str
    zero: bool = False

    @property
    def k_max(self) -> float:
        """The largest k."""
        return max(float(line.k[-1]) for line in self.lines)

    @property
    def span(self) -> tuple[float, float]:
        """Smallest and largest rate of the axis, which has zero on it if `zero` is set."""
        parts = [part for line in self.lines for part in (line.value, line.low, line.high)]
        ends = np.concatenate([*parts, [0.0] if self.zero else []])
        low, high = float(np.nanmin(ends)), float(np.nanmax(ends))
        return low, max(high, low + 0.01)

    def x(self, k: Values) -> Values:
        """Return the pixels of k."""
        inside = WIDTH / 2 - MARGINS["left"] - MARGINS["right"]
        return self.left + MARGINS["left"] + inside * np.log2(k) / max(1.0, math.log2(self.k_max))

    def y(self, rates: Values) -> Values:
        """Return the pixels of rates."""
        low, high = self.span
        inside = HEIGHT - MARGINS["top"] - MARGINS["bottom"]
        return MARGINS["top"] + inside * (high - rates) / (high - low)

    def draw(self) -> Iterator[str]:
        """Yield grid, axes and curves."""
        left, right = self.left + MARGINS["left"], self.left + WIDTH / 2 - MARGINS["right"]
        bottom, top = HEIGHT - MARGINS["bottom"], MARGINS["top"]
        rates, ks = nice_ticks(*self.span), k_ticks(self.k_max)
        for rate, y in zip(rates.tolist(), self.y(rates).tolist(), strict=True):
            color = GRID if rate else MUTED
            yield f'<path d="M{left:.1f} {y:.1f}H{right:.1f}" stroke="{color}"/>'
            yield _text(left - 5, y + 3.5, f"{100 * rate:.4g}", "end")
        for k, x in zip(ks, self.x(np.array(ks)).tolist(), strict=True):
            yield f'<path d="M{x:.1f} {top}V{bottom}" stroke="{GRID}"/>'
            yield _text(x, bottom + 14, f"{k:g}", "middle")
        yield _text((left + right) / 2, HEIGHT - 6, "k (tries)", "middle", INK)
        x, y = self.left + 11, (top + bottom) / 2
        yield _text(x, y, self.label, "middle", INK, f'transform="rotate(-90 {x:.1f} {y:.1f})"')
        for line in self.lines:
            yield from self._draw_line(line)

    def _draw_line(self, line: Line) -> Iterator[str]:
        """Yield the shade of an interval and the curve."""
        x, known = self.x(line.k), ~np.isnan(line.low)
        outline = [
            *_points(x[known], self.y(line.high[known])),
            *_points(x[known][::-1], self.y(line.low[known])[::-1]),
        ]
        yield f'<polygon points="{" ".join(outline)}" fill="{line.color}" fill-opacity=".16"/>'
        known = ~np.isnan(line.value)
        points = _points(x[known], self.y(line.value[known]))
        yield (
            f'<polyline points="{" ".join(points)}" fill="none" stroke="{line.color}" '
            'stroke-width="1.7"/>'
        )
        if len(points) == 1:
            cx, cy = points[0].split(",")
            yield f'<circle cx="{cx}" cy="{cy}" r="3" fill="{line.color}"/>'


def draw_comparison(result: CountComparison) -> str:
    """Return an SVG: pass@k with intervals, and the difference to the base with its interval."""
    keys = ["model", "benchmark"]
    curves = list(result.curves.groupby([*keys, "seed"], sort=False))
    colors = assign((_label(model, benchmark), None) for (model, benchmark, _), _ in curves)
    left = [
        _line(part, "pass_at_k", ("ci_low", "ci_high"), _label(model, benchmark), colors)
        for (model, benchmark, _), part in curves
    ]
    right = [
        _line(part, "delta", ("band_low", "band_high"), _label(model, benchmark), colors)
        for (model, benchmark), part in result.deltas.groupby(keys, sort=False)
    ]
    legend, rows = _legend(colors)
    panels = [
        Panel(0, left, "pass@k (%)"),
        Panel(WIDTH / 2, right, "difference to base (points)", zero=True),
    ]
    drawn = "\n".join(text for panel in panels for text in panel.draw())
    top = rows * LEGEND_ROW
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 {-top} {WIDTH} {HEIGHT + top}" '
        f'width="{WIDTH}" height="{HEIGHT + top}" font-family="system-ui, sans-serif" '
        'font-size="10.5" role="img" aria-label="pass@k, and the difference to the base">\n'
        f"{legend}\n{drawn}\n</svg>\n"
    )


def nice_ticks(low: float, high: float) -> Values:
    """Return three to seven round values within a range.

    >>> nice_ticks(-0.06, 0.14).tolist()
    [-0.05, 0.0, 0.05, 0.1]
    """
    size = 10.0 ** math.floor(math.log10((high - low) / 3))
    step = next(size * m for m in (1, 2, 5, 10) if (high - low) / (size * m) <= 6)  # noqa: PLR2004
    places = np.arange(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1)
    return np.round(places * step, 12)


def k_ticks(k_max: float) -> list[float]:
    """Return powers of two up to the largest k, at most `MAX_TICKS` of them.

    >>> k_ticks(5)
    [1, 2, 4]
    """
    powers = int(math.log2(k_max)) + 1
    return [2**power for power in range(0, powers, -(-powers // MAX_TICKS))]


def _line(
    part: pd.DataFrame, value: str, ends: tuple[str, str], label: str, colors: dict[str, str]
) -> Line:
    """Return the curve of some rows of a table."""
    k, values, low, high = (part[name].to_numpy(np.float64) for name in ("k", value, *ends))
    return Line(k, values, low, high, colors[label], label)


def _legend(colors: dict[str, str]) -> tuple[str, int]:
    """Return the legend, above the panels, and its number of rows."""
    parts: list[str] = []
    x, row = float(MARGINS["left"]), 0
    for label, color in colors.items():
        width = 30 + LETTER * len(label)
        if parts and x + width > WIDTH:
            x, row = float(MARGINS["left"]), row + 1
        y = -LEGEND_ROW * row - 5
        parts.append(
            f'<path d="M{x:.1f} {y - 3.5}h16" stroke="{color}" stroke-width="2.5"/>'
            + _text(x + 21, y, label, "start", INK)
        )
        x += width
    return "\n".join(parts), row + 1


def _label(model: object, benchmark: object) -> str:
    """Return what the figure calls a curve."""
    return f"{model}, {benchmark}" if benchmark else str(model)


def _text(x: float, y: float, text: str, anchor: str, color: str = MUTED, turned: str = "") -> str:
    """Return a piece of text."""
    place = f'x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{color}" {turned}'
    return f"<text {place.rstrip()}>{escape(text)}</text>"


def _points(x: Values, y: Values) -> list[str]:
    """Return points as SVG writes them."""
    return [f"{a:.2f},{b:.2f}" for a, b in zip(x, y, strict=True)]
