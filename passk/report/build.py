"""Build the report: collect its content from tables, figures and manifests.

`passk.report.html` renders the page. All text from specs and models is autoescaped by the template;
figures are our own SVG.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any

import pandas as pd
from markupsafe import Markup

from passk.analysis.seed_series import last_cells
from passk.analysis.study import TABLES, Study, manifests, read_plan, read_study_table
from passk.core.artifacts import read_json
from passk.core.errors import DataError
from passk.core.integrity import verify_study_file
from passk.core.schemas import DECISIONS
from passk.core.versions import __version__
from passk.report.findings import (
    Row,
    confirmation,
    findings,
    interval,
    percent,
    records,
    signed,
    with_thousands,
)
from passk.report.html import write_page
from passk.report.html.data import css_colors
from passk.report.html.summaries import describe_chart, read_review_tables, review_context
from passk.report.matrix import overview
from passk.report.redaction import Redactor
from passk.report.training_effects import effect_headlines, training_effects
from passk.report.warnings import mixed_dtypes, warnings
from passk.report.web import templates

FEW_FINDINGS = 2
"""Comparisons up to which each has a card of its own; more are shown as a matrix."""

ALWAYS = ("summary", "pass_at_k", "deltas", "problems")
"""Tables that the page contains even if they are empty."""


def report(
    plan: Path,
    tables: Path,
    figures: Path,
    output: Path,
    reviewed: Sequence[Path] = (),
    redactor: Redactor | None = None,
) -> None:
    """Write the report page, and `STEM-responses` beside it if there are too many responses.

    Args:
        plan: `plan.json` of the study.
        tables: folder that aggregation wrote.
        figures: folder that `passk figures` wrote.
        output: the HTML file.
        reviewed: files of the tables that `passk review` labels give, if any.
        redactor: removes what is private, for a page that is published.

    Raises:
        DataError: a table or figure is missing.
        OutputError: the page could not be written; no partial file remains.
    """
    study = read_plan(plan)
    frames = {name: read_study_table(tables, name) for name in TABLES}
    reviews = read_review_tables(reviewed)
    if redactor is not None:
        study = redact_study(study, redactor)
        frames = {name: redactor.table(table) for name, table in frames.items()}
        reviews = {name: redactor.table(table) for name, table in hide_reviewers(reviews).items()}
    environment = templates("passk.report")
    shown = {cell.id for cell in last_cells(study)}
    environment.filters.update(
        percent=percent,
        points=signed,
        with_thousands=with_thousands,
        duration=_duration,
        title_of=study.title_of,
    )
    sections = environment.get_template("report.html.j2").render(
        study=study,
        summary=[row for row in frames["summary"].to_dict("records") if row["cell"] in shown],
        left_out=len(study.cells) - len(shown),
        curves=list(curve_tables(study, frames)),
        confirmed=list(confirmed_rows(study, frames["confirmed"])),
        judges=list(judges_context(frames, reviews)),
        perplexity=perplexity_rows(frames["perplexity"]),
        perplexity_notes=perplexity_notes(frames["perplexity"]),
        matched=frames["summary"].dropna(subset="base_entropy").to_dict("records"),
        agreement=frames["agreement"].to_dict("records"),
        interval=interval,
    )
    kept = {name: table for name, table in frames.items() if name in ALWAYS or not table.empty}
    kept |= reviews
    write_page(
        output,
        study,
        kept,
        filters=environment.filters,
        sections=Markup(sections),  # noqa: S704 - autoescaped
        figures=list(read_figures(figures)),
        redactor=redactor,
        **_page_context(study, frames, redactor),
        **review_context(kept),
    )


def redact_study(study: Study, redactor: Redactor) -> Study:
    """Return a study whose spec and warnings are redacted; its files are still found."""
    return replace(
        study,
        spec=redactor(study.spec),
        spec_path=Path(study.spec_path).name,
        warnings=redactor(study.warnings),
    )


def hide_reviewers(frames: Mapping[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """Return tables of reviews in which reviewers, whose names are logins, are numbered."""
    columns = ("reviewer", "other")
    names = [table[column] for table in frames.values() for column in columns if column in table]
    numbers = {name: f"reviewer {i}" for i, name in enumerate(sorted({*chain(*names)}), 1)}
    return {
        name: table.assign(**{c: table[c].map(numbers) for c in columns if c in table})
        for name, table in frames.items()
    }


def _page_context(
    study: Study, frames: Mapping[str, pd.DataFrame], redactor: Redactor | None
) -> dict[str, Any]:
    """Return the template variables for the top and the end of the page."""
    found = findings(frames["summary"], frames["deltas"], frames["confirmed"], frames["design"])
    made = manifests(study)
    if redactor is not None:
        made = redactor(made)
    trained = training_effects(study, frames["series"])
    if trained:
        single = {cell.id for cell in study.cells if cell.series is None}
        found = [finding for finding in found if finding.cell in single]
    return {
        "title": study.title or study.name,
        "version": __version__,
        "findings": found,
        "overview": (
            overview(study, frames["summary"], frames["deltas"], {one.cell for one in found})
            if len(found) > FEW_FINDINGS
            else None
        ),
        "training_effects": trained,
        "drawn_again": list(drawn_again(study, frames["confirmed"])),
        "compared": bool(found or trained),
        "alternative": describe_chart(
            found, frames["summary"], list(effect_headlines(trained, study.title_of))
        ),
        "summary": frames["summary"].to_dict("records"),
        "warnings": [*study.warnings, *warnings(study, frames), *mixed_dtypes(study, made)],
        "work": list(work(made)),
        "packages": packages(made),
        "spec": json.dumps(study.spec, indent=2, ensure_ascii=False),
        "manifests": len(made),
        "manifests_text": json.dumps(made, indent=1, ensure_ascii=False),
    }


def drawn_again(study: Study, table: pd.DataFrame) -> Iterator[Row]:
    """Yield what fresh draws decided of each model that was trained here."""
    for cell, rows in table.groupby("cell", sort=False):
        compared = study.cell(str(cell))
        if compared.series is not None:
            for sentence in confirmation(rows):
                label = compared.label or compared.id
                yield {"benchmark": compared.benchmark, "label": label, "sentence": sentence}


def read_figures(folder: Path) -> Iterator[Row]:
    """Yield each figure's index entry with its SVG, adapted to the page."""
    verify_study_file(folder / "figures.json", folder.parent)
    for entry in read_json(folder / "figures.json")["figures"]:
        name = next(name for name in entry["files"] if name.endswith(".svg"))
        verify_study_file(folder / name, folder.parent)
        try:
            text = (folder / name).read_text(encoding="utf-8")
        except OSError as error:
            raise DataError(f"cannot read: {error.strerror}", where=str(folder / name)) from error
        yield {**entry, "svg": inline_svg(text, entry["name"])}


def inline_svg(text: str, name: str) -> Markup:
    """Return an SVG element with unique ids and colours that follow the page's theme."""
    svg = text[text.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r"<!--.*?-->\s*", "", svg, flags=re.DOTALL)
    svg = re.sub(r"<style.*?</style>", "", svg, flags=re.DOTALL)
    svg = re.sub(r' style="([^"]*)"', _attributes, svg)
    svg = re.sub(r'(\bid="|href="#|url\(#)', rf"\g<1>{name}-", svg)
    for color, variable in css_variables().items():
        svg = svg.replace(color, f"var(--{variable})")
    head = '<svg aria-hidden="true" focusable="false"'
    return Markup(re.sub(r"<svg", head, svg, count=1))  # noqa: S704 - drawn by passk.report.figures


def _attributes(style: re.Match[str]) -> str:
    """Return a style as attributes: the page's policy disables style attributes."""
    pairs = (part.partition(":") for part in style[1].split(";") if part.strip())
    return "".join(f' {name.strip()}="{value.strip()}"' for name, _, value in pairs)


def css_variables() -> dict[str, str]:
    """Return colour in figures -> name of its CSS variable on the page."""
    return {color: name for name, color in css_colors().items()}


def curve_tables(study: Study, frames: Mapping[str, pd.DataFrame]) -> Iterator[Row]:
    """Yield pass@k per benchmark: the values of k, and a row per curve."""
    labels = {cell.id: cell.label or cell.id for cell in last_cells(study)}
    for benchmark in study.benchmarks():
        table = frames["pass_at_k"].query("benchmark == @benchmark and cell in @labels.keys()")
        rows = [
            {"label": labels[str(cell)], "values": part.sort_values("k").to_dict("records")}
            for cell, part in table.groupby("cell", sort=False)
        ]
        yield {"benchmark": benchmark, "k": sorted(table["k"].unique()), "rows": rows}


def confirmed_rows(study: Study, table: pd.DataFrame) -> Iterator[Row]:
    """Yield, per comparison and kind of problem, how many fresh draws decide, and how."""
    for (cell, kind), rows in table.groupby(["cell", "kind"], sort=False):
        compared = study.cell(str(cell))
        yield {
            "label": compared.label or compared.id,
            "benchmark": compared.benchmark,
            "kind": kind,
            "problems": len(rows),
            **{name: int((rows["decision"] == name).sum()) for name in DECISIONS},
            "drawn": 2 * int(rows["fresh_n"].sum()),
            "most": 2 * int(rows["fresh_n_max"].sum()),
        }


def judges_context(
    frames: Mapping[str, pd.DataFrame], reviews: Mapping[str, pd.DataFrame]
) -> Iterator[Row]:
    """Yield each judge: a row per curve, and its agreement with labels, if there are any."""
    largest = frames["cot_pass_at_k"].sort_values("k").groupby(["judge", "cell"], sort=False)
    ends = {(row["judge"], row["cell"]): row for row in records(largest.tail(1))}
    corrected = {
        (row["judge"], row["cell"], row["k"]): row
        for row in records(reviews.get("cot_corrected", pd.DataFrame()))
    }
    agreed = records(reviews.get("judge_agreement", pd.DataFrame()))
    table = frames["judged"][frames["judged"]["verdict"] == "correct"]
    for judge, counted in table.groupby("judge", sort=False):
        rows = [{**row, **ends.get((row["judge"], row["cell"]), {})} for row in records(counted)]
        yield {
            "name": judge,
            "rows": [
                {**row, "corrected": corrected.get((row["judge"], row["cell"], row.get("k")))}
                for row in rows
            ],
            "agreement": [row for row in agreed if row["judge"] == judge],
        }


def perplexity_rows(table: pd.DataFrame) -> list[Row]:
    """Return, per scoring and subset, problems, responses, and the median of the medians.

    Of the classes by who solves a problem, only those of a tuned model's own comparison.
    """
    table = table[(table["against"] == "") | (table["against"] == table["cell"])]
    keys = ["benchmark", "scoring", "scorer_label", "responses_of", "subset"]
    grouped = table.groupby(keys, sort=False)
    found = grouped.agg(
        problems=("problem_id", "size"), responses=("responses", "sum"), median=("median", "median")
    )
    return records(found.reset_index())


def perplexity_notes(table: pd.DataFrame) -> list[str]:
    """Return the notes below the perplexities: responses_of tokens, and what is excluded."""
    whole = table[table["subset"] == "all"]
    keys = ["scorer_label", "responses_of"]
    notes = []
    for (scorer, responses_of), rows in whole.groupby(keys, sort=False):
        own = set(rows["tokens_are"]) == {"the sampler's own"}
        if not own and any(rows["tokens_are"]):
            notes.append(
                f"{responses_of} under {scorer}: scored by {'; '.join(set(rows['tokens_are']))}."
            )
        if rows["empty"].sum():
            notes.append(
                f"{responses_of} under {scorer}: {rows['empty'].sum()} empty responses excluded."
            )
    return notes


def work(found: Sequence[Row]) -> Iterator[Row]:
    """Yield responses, tokens and seconds per engine and device, from the manifests."""
    totals: dict[tuple[str, str], Counter[str]] = {}
    for manifest in found:
        where = (str(manifest.get("engine", "unknown")), str(manifest.get("device", "unknown")))
        total = totals.setdefault(where, Counter())
        for key in ("responses", "tokens", "seconds"):
            total[key] += manifest.get(key) or 0
    for (engine, device), total in totals.items():
        numbers = {key: total[key] for key in ("responses", "tokens", "seconds")}
        yield {"engine": engine, "device": device, **numbers}


def packages(found: Sequence[Row]) -> list[str]:
    """Return "name version" of every package in the manifests."""
    named = {
        f"{name} {version}"
        for manifest in found
        for name, version in (manifest.get("packages") or {}).items()
    }
    return sorted(named)


def _duration(seconds: float) -> str:
    """Return a duration in s, min or h."""
    if seconds < 120:  # noqa: PLR2004 - two minutes
        return f"{seconds:.0f} s"
    if seconds < 7200:  # noqa: PLR2004 - two hours
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"
