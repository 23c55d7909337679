"""Aggregation: the counts and scores of a study become tidy tables (CSV and Parquet).

One row per estimate, rates in [0, 1], undefined values empty. The same inputs give the same
bytes. Tables appear together or not at all.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from passk.analysis.across_benchmarks import mean_rows, significance_rows
from passk.analysis.agreement import agreement_rows, compared_verdicts, disagreement_rows
from passk.analysis.algorithms import algorithm_rows
from passk.analysis.budget import budget_rows, cost_rows, response_costs
from passk.analysis.cells import (
    histogram_rows,
    make_curves,
    pass_at_k_rows,
    problem_rows,
    read_counts,
    summary_rows,
)
from passk.analysis.confirmed import confirmed_rows
from passk.analysis.design import design_tables
from passk.analysis.difficulty import difficulty_rows
from passk.analysis.diversity import diversity_rows
from passk.analysis.estimates import answer_classes, estimate_rows
from passk.analysis.extrapolated import extrapolation_rows
from passk.analysis.judged import cot_rows, judged_rows
from passk.analysis.pairs import coverage_rows, delta_rows, flow_rows, make_pairs
from passk.analysis.perplexity import perplexity_contrasts, perplexity_table
from passk.analysis.ranks import rank_rows
from passk.analysis.series import (
    contrast_rows,
    series_curve_rows,
    series_groups,
    series_rows,
)
from passk.analysis.study import Study, read_plan
from passk.analysis.support import support_rows
from passk.analysis.table_files import write_tables
from passk.analysis.table_schemas import make_table, table_schemas
from passk.analysis.training import training_table


def aggregate(plan: Path, output: Path) -> None:
    """Write the tables named in `passk.analysis.study.TABLES` into the folder `output`.

    Args:
        plan: `plan.json` of the study.
        output: folder for `NAME.csv` and `NAME.parquet`; made where it is missing.

    Raises:
        DataError: a file that the plan names is missing or cannot be used.
        OutputError: the disk is full or the folder cannot be written.
    """
    write_tables(build(read_plan(plan)), output, table_schemas())


def build(study: Study) -> dict[str, pd.DataFrame]:
    """Return every table by name."""
    counts = {cell.id: read_counts(cell) for cell in study.cells}
    curves, pairs = make_curves(study, counts), make_pairs(study, counts)
    compared = compared_verdicts(study)
    perplexity = perplexity_table(study, pairs)
    classes = {
        cell.id: answer_classes(cell, counts[cell.id]["problem_id"].tolist())
        for cell in study.cells
        if cell.verdicts
    }
    costs = response_costs(study, counts)
    beyond = make_table("extrapolation", extrapolation_rows(study, counts, pairs))
    groups = series_groups(study, pairs)
    rows = {
        "pass_at_k": pass_at_k_rows(study, counts, curves),
        "deltas": delta_rows(pairs),
        "summary": summary_rows(study, counts, curves, pairs),
        "problems": problem_rows(study, counts),
        "coverage": coverage_rows(pairs),
        "confirmed": confirmed_rows(study),
        "judged": judged_rows(study),
        "cot_pass_at_k": cot_rows(study, counts),
        "histogram": histogram_rows(study, counts),
        "perplexity_contrasts": perplexity_contrasts(perplexity, pairs),
        "flows": flow_rows(pairs),
        "means": mean_rows(study, counts, pairs),
        "tests": significance_rows(study, pairs),
        "estimates": estimate_rows(study, counts, curves, pairs, beyond, classes),
        "algorithms": algorithm_rows(study, counts, pairs),
        "agreement": agreement_rows(study, compared),
        "disagreements": disagreement_rows(study, compared),
        "series": series_rows(study, groups),
        "series_curves": series_curve_rows(groups),
        "method_contrasts": contrast_rows(groups),
        "support": support_rows(study, pairs),
        "diversity": diversity_rows(study, counts, classes, pairs),
        "budget": budget_rows(study, curves, pairs, costs),
        "costs": cost_rows(study, counts, curves, costs),
        "difficulty": difficulty_rows(study, pairs),
        "ranks": rank_rows(study, counts),
        **design_tables(study, pairs),
    }
    whole = {"extrapolation": beyond, "perplexity": perplexity, "training": training_table(study)}
    return whole | {name: make_table(name, found) for name, found in rows.items()}
