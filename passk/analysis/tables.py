"""Aggregation: the counts and scores of a study become tidy tables (CSV and Parquet).

One row per estimate, rates in [0, 1], undefined values empty. The same inputs give the same
bytes. Tables appear together or not at all.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from passk.analysis.across_benchmarks import (
    MEAN_COLUMNS,
    TEST_COLUMNS,
    mean_rows,
    significance_rows,
)
from passk.analysis.agreement import (
    AGREEMENT_COLUMNS,
    DISAGREEMENT_COLUMNS,
    agreement_rows,
    compared_verdicts,
    disagreement_rows,
)
from passk.analysis.algorithms import COLUMNS as ALGORITHM_COLUMNS
from passk.analysis.algorithms import algorithm_rows
from passk.analysis.cells import (
    histogram_rows,
    make_curves,
    pass_at_k_rows,
    problem_rows,
    read_counts,
    summary_rows,
)
from passk.analysis.estimates import COLUMNS, estimate_rows
from passk.analysis.extrapolated import COLUMNS as EXTRAPOLATION_COLUMNS
from passk.analysis.extrapolated import extrapolation_rows
from passk.analysis.pairs import Pair, coverage_rows, delta_rows, flow_rows, make_pairs
from passk.analysis.perplexity import (
    CONTRAST_COLUMNS,
    perplexity_contrasts,
    perplexity_table,
)
from passk.analysis.series import series_tables
from passk.analysis.study import Study, read_plan
from passk.analysis.table_files import write_tables
from passk.analysis.table_schemas import table_schemas
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
    beyond = pd.DataFrame(extrapolation_rows(study, counts, pairs), columns=EXTRAPOLATION_COLUMNS)
    return {
        "pass_at_k": pd.DataFrame(pass_at_k_rows(study, counts, curves)),
        "deltas": pd.DataFrame(delta_rows(pairs), columns=Pair.COLUMNS),
        "summary": pd.DataFrame(summary_rows(study, counts, curves, pairs)),
        "problems": pd.DataFrame(problem_rows(study, counts)),
        "coverage": pd.DataFrame(coverage_rows(pairs), columns=Pair.COVERAGE_COLUMNS),
        "histogram": pd.DataFrame(histogram_rows(study, counts)),
        "perplexity": perplexity,
        "perplexity_contrasts": pd.DataFrame(
            perplexity_contrasts(perplexity, pairs), columns=CONTRAST_COLUMNS
        ),
        "flows": pd.DataFrame(flow_rows(pairs), columns=Pair.FLOW_COLUMNS),
        "means": pd.DataFrame(mean_rows(study, counts, pairs), columns=MEAN_COLUMNS),
        "tests": pd.DataFrame(significance_rows(study, pairs), columns=TEST_COLUMNS),
        "estimates": pd.DataFrame(
            estimate_rows(study, counts, curves, pairs, beyond), columns=COLUMNS
        ),
        "extrapolation": beyond,
        "algorithms": pd.DataFrame(algorithm_rows(study, counts, pairs), columns=ALGORITHM_COLUMNS),
        "agreement": pd.DataFrame(agreement_rows(study, compared), columns=AGREEMENT_COLUMNS),
        "disagreements": pd.DataFrame(
            disagreement_rows(study, compared), columns=DISAGREEMENT_COLUMNS
        ),
        **series_tables(study, pairs),
        "training": training_table(study),
    }
