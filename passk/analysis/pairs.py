"""Tables with a row per comparison of a cell with its base, over the problems both have."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import pandas as pd

from passk.analysis.clusters import clusters_of
from passk.analysis.columns import names
from passk.analysis.study import Cell, Study
from passk.core.errors import DataError
from passk.stats import (
    BINS,
    CATEGORIES,
    FAMILYWISE_ERROR,
    Comparison,
    Counts,
    Floats,
    change_p_values,
    compare,
    coverage_categories,
    coverage_counts,
    flow_counts,
    solved_by_one_p_values,
)


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
        p_familywise: per problem that one model alone solves, p-value corrected for all that
            could be such; 1 for the others.
    """

    CATEGORIES: ClassVar = [*CATEGORIES, *(f"{name}_sd" for name in CATEGORIES)]
    cell: Cell
    base: Cell
    counts: pd.DataFrame
    base_counts: pd.DataFrame
    comparison: Comparison
    p: Floats
    p_familywise: Floats

    def both(self) -> tuple[Counts, Counts]:
        """Return (n, c) of the cell and of its base."""
        first, second = ((rows["n"], rows["correct"]) for rows in (self.counts, self.base_counts))
        return first, second

    @property
    def crossover(self) -> tuple[float, float, float]:
        """The k at which the base overtakes, with its interval; inf is none up to n."""
        return self.comparison.crossover

    def names(self) -> dict[str, Any]:
        """Return the columns that say which comparison a row is about."""
        return {**names(self.cell), "base": self.base.id}

    def categories(self) -> npt.NDArray[np.str_]:
        """Return each problem's coverage category at the n that both models have, shape (P,)."""
        tuned, base = self.both()
        return coverage_categories(base, tuned)

    def coverage_sizes(self) -> dict[str, float]:
        """Return the number of problems in each coverage category; expected ones where n differs.

        The columns `_sd` are the standard deviation that comparing at the smaller n adds.
        """
        tuned, base = self.both()
        sizes = coverage_counts(base, tuned)
        return {str(name): value for name, (value, _) in sizes.items()} | {
            f"{name}_sd": deviation for name, (_, deviation) in sizes.items()
        }

    def significant_changes(self) -> dict[str, int]:
        """Return how many problems are lost and gained at a familywise error of 5 %."""
        correct = self.counts["correct"].to_numpy()
        named = self.p_familywise <= FAMILYWISE_ERROR
        return {
            "lost_significant": int((named & (correct == 0)).sum()),
            "gained_significant": int((named & (correct > 0)).sum()),
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
    return Pair(cell, base, left, right, found, p, solved_by_one_p_values(basis, tuned))


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
        table = pair.counts[["problem_id", "n", "correct"]].assign(
            category=pair.categories(),
            base_n=pair.base_counts["n"],
            base_correct=pair.base_counts["correct"],
            common_n=np.minimum(pair.counts["n"], pair.base_counts["n"]),
            p=pair.p,
            p_familywise=pair.p_familywise,
        )
        for row in table.to_dict("records"):
            yield {**pair.names(), **{str(name): value for name, value in row.items()}}


def flow_rows(pairs: list[Pair]) -> Iterator[dict[str, Any]]:
    """Yield how many problems go from each accuracy bin of the base to each of the cell.

    Accuracies are those at the n that both have; where n differs, expected numbers.
    """
    for pair in pairs:
        tuned, base = pair.both()
        flows = flow_counts(base, tuned)
        for start, end in np.argwhere(flows > 0):
            yield {
                **pair.names(),
                "base_bin": int(start),
                "bin": int(end),
                "base_accuracy": BINS[start],
                "accuracy": BINS[end],
                "problems": float(flows[start, end]),
            }
