"""The page of `passk compare`: findings, one figure, and the summary of a comparison of counts."""

from __future__ import annotations

import importlib.util
import io
from collections.abc import Hashable
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from passk.analysis.count_comparison import CountComparison
from passk.analysis.palette import INK, assign
from passk.core.artifacts import atomic

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SHOWN = ["base", "model", "benchmark", "problems", "n", "gain_at", "undecided_at", "loss_at"]
"""Columns of the summary that the page shows."""


def write_count_page(result: CountComparison, output: Path) -> None:
    """Write `comparison.html` and, where matplotlib is installed, `comparison.svg`.

    Raises:
        OutputError: the folder cannot be written.
    """
    svg = ""
    if importlib.util.find_spec("matplotlib"):
        svg = draw_comparison(result)
        _write(output / "comparison.svg", svg)
    environment = Environment(
        loader=PackageLoader("passk.report"), autoescape=True, undefined=StrictUndefined
    )
    page = environment.get_template("comparison.html.j2").render(
        findings=result.findings,
        figure=Markup(svg[svg.find("<svg") :]) if svg else "",  # noqa: S704 - our own figure
        columns=SHOWN,
        rows=result.summary[SHOWN].to_dict("records"),
        means=result.means[result.means["k"].isin((1, result.means["k"].max()))].to_dict("records"),
    )
    _write(output / "comparison.html", page)


def _write(path: Path, text: str) -> None:
    """Write a text file under a temporary name, then rename it."""
    with atomic(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def draw_comparison(result: CountComparison) -> str:
    """Return an SVG: pass@k with intervals, and the difference to the base with its interval."""
    from passk.report.figures.style import COLUMN, canvas, styled

    with styled():
        figure = canvas(2 * COLUMN, 2.8)
        _draw(result, figure)
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    return buffer.getvalue()


def _draw(result: CountComparison, figure: Figure) -> None:
    """Draw both panels."""
    from passk.report.figures.style import set_percent_axis

    left, right = figure.subplots(1, 2)
    keys = ["model", "benchmark"]
    curves = result.curves.groupby([*keys, "seed"], sort=False)
    colors = assign((_label(key[0], key[1]), None) for key, _ in curves)
    for (model, benchmark, _), part in curves:
        color = colors[_label(model, benchmark)]
        left.fill_between(part["k"], part["ci_low"], part["ci_high"], color=color, alpha=0.15, lw=0)
        left.plot(part["k"], part["pass_at_k"], color=color, label=_label(model, benchmark))
    handles, labels = left.get_legend_handles_labels()
    left.legend(
        *zip(
            *dict(zip(labels, zip(handles, labels, strict=True), strict=True)).values(), strict=True
        )
    )
    for (model, benchmark), part in result.deltas.groupby(keys, sort=False):
        color = colors[_label(model, benchmark)]
        low, high = _shade(part)
        right.fill_between(part["k"], low, high, color=color, alpha=0.18, lw=0)
        right.plot(part["k"], part["delta"], color=color)
    right.axhline(0, color=INK, lw=0.7)
    for axes, label in ((left, "pass@k"), (right, "difference to the base\n(points)")):
        axes.set_xscale("log", base=2)
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
        axes.set_xlabel("k")
        set_percent_axis(axes, label)


def _shade(part: pd.DataFrame) -> tuple[pd.Series[float], pd.Series[float]]:
    """Return the ends of the shade: the band of a checkpoint, the interval of a method."""
    kind = "method" if part["band_low"].isna().all() else "band"
    return part[f"{kind}_low"], part[f"{kind}_high"]


def _label(model: Hashable, benchmark: Hashable) -> str:
    """Return what the figure calls a curve."""
    return f"{model}, {benchmark}" if benchmark else str(model)
