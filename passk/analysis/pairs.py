"""Tables with a row per comparison of a cell with its base, over the problems both have."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pandas as pd

from passk.analysis.clusters import clusters_of
from passk.analysis.study import Cell, Study
from passk.core.errors import DataError
from passk.stats import (
    BINS,
    CATEGORIES,
    Comparison,
    Floats,
    accuracy_bin,
    change_p_values,
    compare,
    coverage_categories,
    coverage_counts,
    false_discovery,
)

FALSE_DISCOVERY = 0.05
"""Share of wrong names that a list of lost or gained problems may hold."""


@dataclass(frozen=True)
class Pair:
    """A cell, its base, and their counts over the same problems in the same order.

    Attributes:
        cell: the cell that is compared.
        base: the cell that it is compared with.
        counts: Count rows of `cell`.
        base_counts: Count rows of `base`, row by row of the same problems.
        comparison: the paired delta curve at the study's k.
        p: per problem, exact p-value that both solve it at the same rate.
        q: the same as false-discovery rate over the problems.
    """

    COLUMNS: ClassVar = [
        "benchmark", "cell", "base", "k", "problems", "delta",
        "ci_low", "ci_high", "band_low", "band_high",
    ]  # fmt: skip
    CATEGORIES: ClassVar = list(CATEGORIES)
    FLOW_COLUMNS: ClassVar = [
        "benchmark", "cell", "base", "base_bin", "bin", "base_accuracy", "accuracy", "problems",
    ]  # fmt: skip
    COVERAGE_COLUMNS: ClassVar = [
        "benchmark", "cell", "base", "problem_id", "category",
        "n", "correct", "base_n", "base_correct", "p", "q",
    ]  # fmt: skip

    cell: Cell
    base: Cell
    counts: pd.DataFrame
    base_counts: pd.DataFrame
    comparison: Comparison
    p: Floats
    q: Floats

    def both(self) -> tuple[tuple[Any, Any], tuple[Any, Any]]:
        """Return (n, c) of the cell and of its base."""
        first, second = ((rows["n"], rows["correct"]) for rows in (self.counts, self.base_counts))
        return first, second

    @property
    def crossover(self) -> tuple[float, float, float]:
        """The k at which the base overtakes, with its interval; inf is none up to n."""
        return self.comparison.crossover

    def names(self) -> dict[str, Any]:
        """Return the columns that say which comparison a row is about."""
        return {"benchmark": self.cell.benchmark, "cell": self.cell.id, "base": self.base.id}

    def coverage_sizes(self) -> dict[str, int]:
        """Return the number of problems in each coverage category."""
        counts = coverage_counts(self.base_counts["correct"], self.counts["correct"])
        return {str(name): value for name, value in counts.items()}

    def significant_changes(self) -> dict[str, int]:
        """Return how many problems are lost and gained beyond what chance explains."""
        found = coverage_categories(self.base_counts["correct"], self.counts["correct"])
        sure = self.q <= FALSE_DISCOVERY
        return {
            "lost_significant": int((sure & (found == "base_only")).sum()),
            "gained_significant": int((sure & (found == "tuned_only")).sum()),
        }


def make_pairs(study: Study, counts: Mapping[str, pd.DataFrame]) -> list[Pair]:
    """Return every comparison of the study."""
    return [
        _make_pair(study, cell, base, counts[cell.id], counts[base.id])
        for cell, base in study.pairs()
    ]


def _make_pair(
    study: Study, cell: Cell, base: Cell, own: pd.DataFrame, other: pd.DataFrame
) -> Pair:
    """Compare one cell with its base over the problems that both have."""
    common = own.loc[own["problem_id"].isin(other["problem_id"]), "problem_id"]
    if common.empty:
        raise DataError(
            f"no problem in common with the base '{base.id}'", where=f"cell '{cell.id}'"
        )
    left = own.set_index("problem_id").loc[common].reset_index()
    right = other.set_index("problem_id").loc[common].reset_index()
    tuned, basis = ((table["n"], table["correct"]) for table in (left, right))
    p = change_p_values(basis, tuned)
    found = compare(tuned, basis, study.k, clusters=clusters_of(left))
    return Pair(cell, base, left, right, found, p, false_discovery(p))


def delta_rows(pairs: list[Pair]) -> Iterator[dict[str, Any]]:
    """Yield one row per comparison and k; nan where k is above either n."""
    for pair in pairs:
        found = pair.comparison
        for index, k in enumerate(found.k):
            yield {
                **pair.names(),
                "k": int(k),
                "problems": found.problems,
                "delta": found.delta[index],
                "ci_low": found.low[index],
                "ci_high": found.high[index],
                "band_low": found.band_low[index],
                "band_high": found.band_high[index],
            }


def coverage_rows(pairs: list[Pair]) -> Iterator[dict[str, Any]]:
    """Yield one row per comparison and problem with its coverage category."""
    for pair in pairs:
        categories = coverage_categories(pair.base_counts["correct"], pair.counts["correct"])
        table = pair.counts[["problem_id", "n", "correct"]].assign(
            category=categories,
            base_n=pair.base_counts["n"],
            base_correct=pair.base_counts["correct"],
            p=pair.p,
            q=pair.q,
        )
        for row in table.to_dict("records"):
            yield {**pair.names(), **{str(name): value for name, value in row.items()}}


def flow_rows(pairs: list[Pair]) -> Iterator[dict[str, Any]]:
    """Yield how many problems go from each accuracy bin of the base to each of the cell."""
    for pair in pairs:
        here = accuracy_bin(pair.counts["n"], pair.counts["correct"])
        there = accuracy_bin(pair.base_counts["n"], pair.base_counts["correct"])
        flows, problems = np.unique(np.stack([there, here]), axis=1, return_counts=True)
        for (start, end), number in zip(flows.T, problems, strict=True):
            yield {
                **pair.names(),
                "base_bin": int(start),
                "bin": int(end),
                "base_accuracy": BINS[start],
                "accuracy": BINS[end],
                "problems": int(number),
            }
