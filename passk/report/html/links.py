"""Links from a statement to the rows behind it, in the form that the page's script reads."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlencode

from passk.analysis.study import Study
from passk.report.findings import Finding


def rows(table: str, **where: str) -> str:
    """Return the link to a table's rows with these values."""
    return f"#rows?{urlencode({'table': table, **where})}"


def responses(**where: str) -> str:
    """Return the link to responses with these properties."""
    return f"#responses?{urlencode(where)}"


def finding_links(finding: Finding) -> Iterator[tuple[str, str]]:
    """Yield text and link of the rows behind a finding."""
    cell = finding.cell
    yield "differences by k", rows("deltas", cell=cell)
    yield "problems lost", rows("coverage", cell=cell, category="base_only")
    yield "problems gained", rows("coverage", cell=cell, category="tuned_only")
    yield "solved by neither", rows("coverage", cell=cell, category="neither")
    yield "responses", responses(cell=cell)


def effect_link(benchmark: str, series: str) -> str:
    """Return the link to the rows behind one series of a training effect."""
    return rows("series", benchmark=benchmark, series=series)


def warning_link(warning: str, study: Study) -> str:
    """Return the link to the rows behind a warning; the summary if it names no cell."""
    named = [
        cell.id
        for cell in study.cells
        if warning.startswith(
            tuple(
                f"{cell.label or cell.id} on {benchmark}"
                for benchmark in (cell.benchmark, study.title_of(cell.benchmark))
            )
        )
    ]
    if not named:
        return rows("pass_at_k" if " k reaches " in warning else "summary")
    for text, filters in (
        ("token limit", {"finish": "length"}),
        ("have no answer", {"verdict": "no_answer"}),
        ("grading failed", {"verdict": "error"}),
    ):
        if text in warning:
            return responses(cell=named[0], **filters)
    return rows("pass_at_k", cell=named[0])
