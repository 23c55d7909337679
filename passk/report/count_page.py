"""The page of `passk compare`: findings, one figure, and the summary of a comparison of counts."""

from __future__ import annotations

from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from passk.analysis.count_comparison import CountComparison
from passk.core.artifacts import atomic
from passk.report.count_figure import draw_comparison

SHOWN = ["base", "model", "benchmark", "problems", "n", "gain_at", "undecided_at", "loss_at"]
"""Columns of the summary that the page shows."""


def write_count_page(result: CountComparison, output: Path) -> None:
    """Write `comparison.html` and `comparison.svg`.

    Raises:
        OutputError: the folder cannot be written.
    """
    figure = draw_comparison(result)
    environment = Environment(
        loader=PackageLoader("passk.report"), autoescape=True, undefined=StrictUndefined
    )
    page = environment.get_template("comparison.html.j2").render(
        findings=result.findings,
        figure=Markup(figure),  # noqa: S704 - our own figure, its labels escaped
        columns=SHOWN,
        rows=result.summary[SHOWN].to_dict("records"),
    )
    for name, text in (("comparison.svg", figure), ("comparison.html", page)):
        with atomic(output / name) as temporary:
            temporary.write_text(text, encoding="utf-8")
