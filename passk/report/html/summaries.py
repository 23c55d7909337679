"""Summaries on the page: review labels, guessable problems, and the chart's text alternative."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from passk.analysis.study import REVIEWED, read_study_table
from passk.report.findings import Finding, Row, percent, records
from passk.report.html.links import rows

Frames = Mapping[str, pd.DataFrame]


def read_review_tables(files: Sequence[Path]) -> dict[str, pd.DataFrame]:
    """Return the non-empty tables from `passk review`; none if there are no files."""
    if not files:
        return {}
    found = {name: read_study_table(files[0].parent, name) for name in REVIEWED}
    return {name: table for name, table in found.items() if not table.empty}


def review_context(frames: Frames) -> Row:
    """Return the template variables of reviews; empty values if there are none."""
    models, agreed = frames.get("reviewed_models"), frames.get("reviewed_agreement")
    labelled = models is not None and bool((models["queued"] > models["unlabelled"]).any())
    return {
        "reviewed": records(models) if models is not None and labelled else [],
        "agreed": records(agreed) if agreed is not None else [],
        "reviewers": _reviewers(agreed),
        "guessed": _guessed(frames.get("guessable")),
    }


def _reviewers(agreed: pd.DataFrame | None) -> str:
    """Return the number of reviewers in words."""
    if agreed is None or agreed.empty:
        return "one person"
    return f"{len({*agreed['reviewer'], *agreed['other']})} people"


def _guessed(table: pd.DataFrame | None) -> Row | None:
    """Return how many problems are guessable, and the link to their rows."""
    if table is None or table.empty:
        return None
    problems = table.groupby(["benchmark", "problem_id"])["dropped"].any()
    address = rows("guessable", dropped="true")
    return {"problems": len(problems), "dropped": int(problems.sum()), "address": address}


def describe_chart(
    findings: Sequence[Finding], summary: pd.DataFrame, trained: Sequence[str] = ()
) -> str:
    """Return the chart's finding in words, as caption and text alternative.

    `trained`: training effects of the study, a sentence per benchmark.
    """
    if trained:
        return " ".join(["pass@k against k.", *trained])
    if findings:
        texts = [f"{found.headline}. {found.sentences[1]}" for found in findings[:2]]
        more = len(findings) - len(texts)
        return " ".join(["pass@k against k.", *texts, *([f"{more} more above."] if more else [])])
    ends = [
        f"{row['label']} on {row['benchmark']} from {percent(row['pass_at_1'])} at k = 1 "
        f"to {percent(row['pass_at_k_max'])} at k = {row['k_max']}"
        for row in records(summary)[:6]
    ]
    return "pass@k against k: " + "; ".join(ends) + "."
