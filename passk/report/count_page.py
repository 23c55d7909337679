"""The page of `passk compare`: findings, one figure, and the summary of a comparison of counts."""

from __future__ import annotations

from pathlib import Path

from markupsafe import Markup

from passk.analysis.count_comparison import CountComparison
from passk.core.artifacts import write_text
from passk.report.count_figure import draw_comparison
from passk.report.web import templates

SHOWN = ["base", "model", "benchmark", "problems", "n", "gain_at", "undecided_at", "loss_at"]
"""Columns of the summary that the page shows."""


def write_count_page(result: CountComparison, output: Path) -> None:
    """Write `comparison.html` and `comparison.svg`.

    Raises:
        OutputError: the folder cannot be written.
    """
    figure = draw_comparison(result)
    page = (
        templates("passk.report")
        .get_template("comparison.html.j2")
        .render(
            findings=result.findings,
            figure=Markup(figure),  # noqa: S704 - our own figure, its labels escaped
            columns=SHOWN,
            rows=result.summary[SHOWN].to_dict("records"),
        )
    )
    write_text(output / "comparison.svg", figure)
    write_text(output / "comparison.html", page)
