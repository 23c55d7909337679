"""Tables with a row per cell: curves, summary, problems, histogram."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from passk.analysis.clusters import clusters_of, with_clusters
from passk.analysis.columns import largest_k, names
from passk.analysis.pairs import Pair
from passk.analysis.study import Cell, Study
from passk.core.errors import DataError
from passk.core.integrity import read_task_file
from passk.core.schemas import Count, read_table
from passk.stats import (
    BINS,
    Curve,
    accuracy_histogram,
    estimate_curve,
    flag,
    guess_pass_at_k,
    mean_pass_at_k,
    se_gap,
    se_gap_to_base,
)
from passk.stats.sample_repeats import has_repeat_alarm

Counts = Mapping[str, pd.DataFrame]
"""Cell id -> Count rows."""


MATCHED = ("temperature_low", "temperature_high", "entropy", "base_entropy")
"""What is known of a temperature that was matched: interval, and mean token entropies in nats."""


def read_counts(cell: Cell) -> pd.DataFrame:
    """Read the Count rows of a cell, and check that they are of the n that the plan says.

    Imported problems may have fewer responses.
    """
    counts: pd.DataFrame = read_table(cell.counts, Count).to_pandas()
    fitting = counts["n"] <= cell.n if cell.imported else counts["n"] == cell.n
    if not fitting.all():
        raise DataError(
            f"counts {int(counts['n'][~fitting].min())} responses where the plan says {cell.n}",
            where=str(cell.counts),
            fix="delete it and run the workflow again: it will be remade",
        )
    return with_clusters(counts, cell)


def make_curves(study: Study, counts: Counts) -> dict[str, Curve]:
    """Return the pass@k curve of every cell at the study's k, and at 1 and the largest defined."""
    return {
        cell.id: estimate_curve(
            counts[cell.id]["n"],
            counts[cell.id]["correct"],
            sorted({1, largest_k(study, cell.n), *study.k}),
            clusters=clusters_of(counts[cell.id]),
            method=study.interval,
        )
        for cell in study.cells
    }


def pass_at_k_rows(
    study: Study, counts: Counts, curves: Mapping[str, Curve]
) -> Iterator[dict[str, Any]]:
    """Yield one row per cell and k; values are nan where k > n."""
    for cell in study.cells:
        table, curve = counts[cell.id], curves[cell.id]
        floor = guess_pass_at_k(table["guess_n"], table["guess_correct"], study.k)
        for index, k in enumerate(study.k):
            yield {
                **names(cell),
                "k": k,
                "n": cell.n,
                "problems": curve.problems,
                **curve_values(curve, k),
                "guess_floor": floor[index],
                "flag": flag("problems", k, cell.n, curve.units),
                "noise_flag": flag("noise", k, cell.n, curve.problems),
            }


def curve_values(curve: Curve, k: int) -> dict[str, float]:
    """Return pass@k with its intervals at one k."""
    index = int(np.searchsorted(curve.k, k))
    return {
        "pass_at_k": float(curve.value[index]),
        "ci_low": float(curve.low[index]),
        "ci_high": float(curve.high[index]),
        "noise_low": float(curve.noise_low[index]),
        "noise_high": float(curve.noise_high[index]),
    }


def summary_rows(
    study: Study, counts: Counts, curves: Mapping[str, Curve], pairs: Sequence[Pair]
) -> Iterator[dict[str, Any]]:
    """Yield one row per cell: ends of the curve, gaps, crossover, coverage, and what went wrong."""
    by_cell = {pair.cell.id: pair for pair in pairs}
    for cell in study.cells:
        table = counts[cell.id]
        yield {
            **names(cell),
            "label": cell.label or cell.id,
            "role": cell.role,
            "algorithm": cell.algorithm,
            "step": cell.step,
            **temperature_of(cell),
            "n": cell.n,
            "problems": len(table),
            **_ends(curves[cell.id], largest_k(study, cell.n)),
            **_against_base(study, table, by_cell.get(cell.id)),
            **_sampling_rates(table),
        }


def temperature_of(cell: Cell) -> dict[str, Any]:
    """Return the temperature of a cell; where it was matched, with its interval."""
    if cell.matched is None:
        return {"temperature": cell.temperature, **dict.fromkeys(MATCHED, np.nan)}
    found = read_task_file(cell.matched)
    low, high = found["interval"]
    return {
        "temperature": found["temperature"],
        **dict(zip(MATCHED, (low, high, found["entropy"], found["target"]), strict=True)),
    }


def _ends(curve: Curve, k_max: int) -> dict[str, float]:
    """Return pass@1 and pass@k_max with their intervals over problems, and the gap between."""
    first, last = curve_values(curve, 1), curve_values(curve, k_max)
    return {
        "pass_at_1": first["pass_at_k"],
        "pass_at_1_low": first["ci_low"],
        "pass_at_1_high": first["ci_high"],
        "k_max": k_max,
        "pass_at_k_max": last["pass_at_k"],
        "pass_at_k_max_low": last["ci_low"],
        "pass_at_k_max_high": last["ci_high"],
        "se_gap": se_gap(first["pass_at_k"], last["pass_at_k"]),
    }


def _against_base(study: Study, table: pd.DataFrame, pair: Pair | None) -> dict[str, Any]:
    """Return the gap to the base, the crossover and the coverage; all empty without a base."""
    if pair is None:
        nothing = ("se_gap_to_base", "crossover_k", "crossover_low", "crossover_high")
        sure = ("lost_significant", "gained_significant")
        return {"base": None, **dict.fromkeys((*nothing, *Pair.CATEGORIES, *sure), np.nan)}
    base = pair.base_counts
    k_max = largest_k(study, pair.base.n)
    ceiling = mean_pass_at_k(base["n"], base["correct"], [k_max])[0]
    first = mean_pass_at_k(table["n"], table["correct"], [1])[0]
    ends = dict(
        zip(("crossover_k", "crossover_low", "crossover_high"), pair.crossover, strict=True)
    )
    return {
        "base": pair.base.id,
        "se_gap_to_base": se_gap_to_base(first, ceiling),
        **ends,
        **pair.coverage_sizes(),
        **pair.significant_changes(),
    }


def _sampling_rates(table: pd.DataFrame) -> dict[str, Any]:
    """Return how the responses ended and how grading went, over all problems."""
    responses = int(table["n"].sum())
    return {
        "responses": responses,
        "truncated_share": table["truncated"].sum() / responses,
        "no_answer_share": table["no_answer"].sum() / responses,
        "timeouts": int(table["timeout"].sum()),
        "errors": int(table["error"].sum()),
        "tokens": int(table["tokens"].sum()),
        "repeats": int(table["repeats"].sum()),
        "expected_repeats": float(table["expected_repeats"].sum()),
        "repeats_alarm": has_repeat_alarm(
            zip(table["repeats"], table["expected_repeats"], strict=True)
        ),
    }


def problem_rows(study: Study, counts: Counts) -> Iterator[dict[str, Any]]:
    """Yield one row per cell and problem: its counts and its accuracy."""
    for cell in study.cells:
        table = counts[cell.id].assign(accuracy=lambda rows: rows["correct"] / rows["n"])
        for row in table.to_dict("records"):
            yield {**names(cell), **{str(name): value for name, value in row.items()}}


def histogram_rows(study: Study, counts: Counts) -> Iterator[dict[str, Any]]:
    """Yield one row per cell and accuracy bin with the number of problems in it."""
    for cell in study.cells:
        table = counts[cell.id]
        for index, problems in enumerate(accuracy_histogram(table["n"], table["correct"])):
            yield {**names(cell), "bin": index, "accuracy": BINS[index], "problems": int(problems)}
