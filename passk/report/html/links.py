"""From a sentence to the rows behind it, as the addresses that the page's script understands."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlencode

from passk.analysis.study import Study
from passk.report.findings import Finding


def rows(table: str, **where: str) -> str:
    """Return the address of a table's rows with these values."""
    return f"#rows?{urlencode({'table': table, **where})}"


def responses(**where: str) -> str:
    """Return the address of responses with these traits."""
    return f"#responses?{urlencode(where)}"


def finding_links(finding: Finding) -> Iterator[tuple[str, str]]:
    """Yield words and address of the rows that a finding is made of."""
    cell = finding.cell
    yield "differences by k", rows("deltas", cell=cell)
    yield "problems lost", rows("coverage", cell=cell, category="base_only")
    yield "problems gained", rows("coverage", cell=cell, category="tuned_only")
    yield "solved by neither", rows("coverage", cell=cell, category="neither")
    yield "responses", responses(cell=cell)


def outcome_link(benchmark: str, series: str) -> str:
    """Return the address of the rows that a series' row of an outcome is made of."""
    return rows("series", benchmark=benchmark, series=series)


def warning_link(warning: str, study: Study) -> str:
    """Return the address of what a warning speaks of; the summary where it names no cell."""
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
    for words, traits in (
        ("token limit", {"finish": "length"}),
        ("state no answer", {"verdict": "no_answer"}),
        ("grading failed", {"verdict": "error"}),
    ):
        if words in warning:
            return responses(cell=named[0], **traits)
    return rows("pass_at_k", cell=named[0])
