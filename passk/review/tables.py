"""Tables from labels: corrected curves, and problems with a valid solution per model.

A response without a label, or on which reviewers disagree, is neither valid nor flawed. So each
curve has two bounds: "valid at least" counts only valid responses as correct, "valid at most" all
but the flawed ones. The bounds meet once every response in the queue is decided.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from passk.analysis.cells import read_counts
from passk.analysis.study import REVIEWED, Cell, Study, read_plan
from passk.analysis.table_files import write_tables
from passk.analysis.table_schemas import make_table, table_schemas
from passk.review.agreement import agreement_rows, consensus_of
from passk.review.judges import corrected_rows, judge_rows
from passk.review.labels import LabelsByResponse, read_all
from passk.review.queue import (
    ReviewSettings,
    Row,
    in_open_interval,
    queued_responses,
    review_settings,
    reviewed_cells,
)
from passk.stats import estimate_curve

COUNTED = ("queued", "valid", "flawed", "unsure", "unlabelled")
"""What responses of a problem are counted by: waiting for reviewers, and their labels."""


def review_tables(plan: Path, labels: Sequence[Path], output: Path) -> None:
    """Write the tables named in `passk.analysis.study.REVIEWED` into the folder `output`.

    Args:
        plan: `plan.json` of the study.
        labels: label files, one per reviewer.
        output: folder for `NAME.csv` and `NAME.parquet`.

    Raises:
        DataError: a file is missing or cannot be used.
        OutputError: the folder cannot be written.
    """
    write_tables(build(read_plan(plan), read_all(labels)), output, table_schemas())


def build(study: Study, reviewers: Mapping[str, LabelsByResponse]) -> dict[str, pd.DataFrame]:
    """Return every table by name."""
    settings = review_settings(study.review)
    counts = {cell.id: read_counts(cell) for cell in study.cells}
    guessable = list(guess_rows(study, settings, counts))
    problems = list(problem_rows(study, settings, reviewers, counts))
    rows = {
        "reviewed_curves": list(curve_rows(study, settings, counts, problems, guessable)),
        "reviewed_models": list(model_rows(study, settings, counts, problems)),
        "reviewed_problems": problems,
        "reviewed_agreement": list(agreement_rows(reviewers)),
        "judge_agreement": list(judge_rows(study, reviewers)),
        "cot_corrected": list(corrected_rows(study, reviewers, counts)),
        "guessable": guessable,
    }
    return {name: make_table(name, rows[name]) for name in REVIEWED}


def _names(cell: Cell) -> Row:
    """Return the columns that identify a cell."""
    found = {name: getattr(cell, name) for name in ("model", "benchmark", "sampler", "label")}
    return {**found, "cell": cell.id}


def guess_rows(
    study: Study, settings: ReviewSettings, counts: Mapping[str, pd.DataFrame]
) -> Iterator[Row]:
    """Yield one row per cell of the guessing model and problem, with whether it is dropped."""
    for cell in study.cells:
        if cell.model == settings.guessing:
            table = counts[cell.id].assign(
                dropped=in_open_interval(counts[cell.id], settings.guess_accuracy)
            )
            for row in table.to_dict("records"):
                yield {
                    "model": cell.model,
                    "benchmark": cell.benchmark,
                    "cell": cell.id,
                    **{name: row[name] for name in ("problem_id", "n", "correct", "dropped")},
                    "accuracy": row["correct"] / row["n"],
                }


def problem_rows(
    study: Study,
    settings: ReviewSettings,
    reviewers: Mapping[str, LabelsByResponse],
    counts: Mapping[str, pd.DataFrame],
) -> Iterator[Row]:
    """Yield one row per cell and reviewed problem: its responses by label."""
    for cell in reviewed_cells(study, settings):
        found: dict[str, dict[str, int]] = {}
        for key in queued_responses(cell, settings):
            tally = found.setdefault(key.problem_id, dict.fromkeys(COUNTED, 0))
            tally["queued"] += 1
            tally[consensus_of(reviewers, key)] += 1
        table = counts[cell.id]
        rows = zip(table["problem_id"], table["n"], table["correct"], strict=True)
        for problem, n, correct in rows:
            if problem in found:
                about = {"problem_id": problem, "n": n, "correct": correct, "accuracy": correct / n}
                yield {**_names(cell), **about, **found[problem]}


def model_rows(
    study: Study,
    settings: ReviewSettings,
    counts: Mapping[str, pd.DataFrame],
    problems: Sequence[Row],
) -> Iterator[Row]:
    """Yield one row per reviewed cell: problems with a valid solution, and all flawed."""
    for cell in reviewed_cells(study, settings):
        own = [row for row in problems if row["cell"] == cell.id]
        valid = sum(row["valid"] > 0 for row in own)
        flawed = sum(row["flawed"] == row["correct"] for row in own)
        yield {
            **_names(cell),
            "problems": len(counts[cell.id]),
            "solved": int((counts[cell.id]["correct"] > 0).sum()),
            "problems_read": len(own),
            "with_valid": valid,
            "all_flawed": flawed,
            "open": len(own) - valid - flawed,
            **{name: sum(row[name] for row in own) for name in COUNTED},
        }


def curve_rows(
    study: Study,
    settings: ReviewSettings,
    counts: Mapping[str, pd.DataFrame],
    problems: Sequence[Row],
    guessable: Sequence[Row],
) -> Iterator[Row]:
    """Yield pass@k of every cell as graded and by label, with and without guessable problems."""
    dropped = {(row["benchmark"], row["problem_id"]) for row in guessable if row["dropped"]}
    read = {cell.id for cell in reviewed_cells(study, settings)}
    for cell in study.cells:
        if cell.model == settings.guessing:
            continue
        table = counts[cell.id]
        own = [row for row in problems if row["cell"] == cell.id] if cell.id in read else []
        out = {problem for benchmark, problem in dropped if benchmark == cell.benchmark}
        kept = ~table["problem_id"].isin(out)
        for responses, correct in _corrected(table, own).items():
            yield from _curve(study, cell, table.assign(correct=correct), "all", responses)
            if settings.guessing and kept.any():
                part = table.assign(correct=correct)[kept]
                yield from _curve(study, cell, part, "without guessable", responses)


def _corrected(table: pd.DataFrame, problems: Sequence[Row]) -> dict[str, pd.Series[int]]:
    """Return correct responses per problem: as graded, and the bounds that the labels give."""
    found = {"graded": table["correct"]}
    if any(row["queued"] > row["unlabelled"] for row in problems):
        least = {row["problem_id"]: row["valid"] for row in problems}
        most = {row["problem_id"]: row["correct"] - row["flawed"] for row in problems}
        for name, changed in (("valid at least", least), ("valid at most", most)):
            replaced = table["problem_id"].map(changed)
            found[name] = replaced.fillna(table["correct"]).astype(np.int64)
    return found


def _curve(
    study: Study, cell: Cell, table: pd.DataFrame, problems_kept: str, responses_kept: str
) -> Iterator[Row]:
    """Yield one curve at the study's k up to n."""
    ks = [k for k in study.k if k <= cell.n]
    if not ks:
        return
    curve = estimate_curve(table["n"], table["correct"], ks)
    for index, k in enumerate(curve.k):
        yield {
            **_names(cell),
            "problems_kept": problems_kept,
            "responses_kept": responses_kept,
            "k": int(k),
            "pass_at_k": curve.value[index],
            "ci_low": curve.low[index],
            "ci_high": curve.high[index],
            "noise_low": curve.noise_low[index],
            "noise_high": curve.noise_high[index],
            "n": cell.n,
            "problems": curve.problems,
        }
