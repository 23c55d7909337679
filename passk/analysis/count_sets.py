"""Counts of one model, seed and benchmark, and their curves: no spec, no responses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from passk.analysis.clusters import Names, clusters_of, connected
from passk.core.errors import DataError
from passk.stats import Counts, estimate_curve, k_grid

CURVE_COLUMNS = [
    "model", "seed", "benchmark", "k", "pass_at_k", "ci_low", "ci_high",
    "noise_low", "noise_high", "problems",
]  # fmt: skip


@dataclass(frozen=True)
class CountSet:
    """The counts of one model, seed and benchmark, a row per problem.

    Attributes:
        model: name of the model, or of the method where it has several seeds.
        seed: its training seed; "" where there is one.
        benchmark: name of the benchmark; "" where there is one.
        table: columns problem_id, n, c, cluster; sorted by problem_id.
    """

    model: str
    seed: str
    benchmark: str
    table: pd.DataFrame

    @property
    def counts(self) -> Counts:
        """(n, c), each of shape (P,)."""
        return self.table["n"].to_numpy(), self.table["c"].to_numpy()

    def clusters(self) -> Names | None:
        """Return the cluster of each problem, shape (P,); None where no two belong together."""
        return clusters_of(self.table)

    def at(self, problems: pd.Index[str]) -> CountSet:
        """Return the same counts of some problems, in their order."""
        table = self.table.set_index("problem_id").loc[problems].reset_index()
        return CountSet(self.model, self.seed, self.benchmark, table)


def make_count_sets(rows: Sequence[Mapping[str, object]], where: str) -> list[CountSet]:
    """Return rows of counts as sets, in order of first appearance.

    Raises:
        DataError: a problem of one model, seed and benchmark occurs twice, or there is no row.
    """
    table = pd.DataFrame(rows)
    if table.empty:
        raise DataError("has no rows", where=where)
    keys = ["model", "seed", "benchmark"]
    twice = table[table.duplicated([*keys, "problem_id"])]
    if len(twice):
        row = twice.iloc[0]
        name = f"problem '{row['problem_id']}' of model '{row['model']}'"
        raise DataError(f"{name} occurs a second time", where=str(row["where"]))
    found = []
    for (model, seed, benchmark), part in table.groupby(keys, sort=False):
        repeated = part["question"].duplicated(keep=False) & (part["question"] != "")
        same = part["question"].where(repeated, "").tolist()
        rows_of_set = part.assign(cluster=connected(part["cluster"].tolist(), same))
        kept = rows_of_set[["problem_id", "n", "c", "cluster"]].sort_values("problem_id")
        found.append(CountSet(str(model), str(seed), str(benchmark), kept.reset_index(drop=True)))
    return found


def estimate_counts(sets: Sequence[CountSet], ks: Sequence[int] | None = None) -> pd.DataFrame:
    """Return pass@k with both intervals, a row per model, seed, benchmark and k.

    Args:
        sets: counts.
        ks: values of k; without them 1..n, n being the smallest of a set (k thinned above 256).

    Raises:
        DataError: every k is above every n.
    """
    largest = max(int(one.table["n"].min()) for one in sets)
    if ks is not None and min(ks, default=1) > largest:
        fix = f"k is at most the number of responses: {largest}"
        raise DataError(f"k = {min(ks)} is above n", where=sets[0].model, fix=fix)
    return pd.concat([_curve(one, ks) for one in sets], ignore_index=True)[CURVE_COLUMNS]


def _curve(one: CountSet, ks: Sequence[int] | None) -> pd.DataFrame:
    """Return the rows of `estimate_counts` of one set."""
    n, c = one.counts
    grid = k_grid(int(np.min(n))) if ks is None else np.asarray(sorted(set(ks)))
    curve = estimate_curve(n, c, grid, clusters=one.clusters())
    return pd.DataFrame(
        {
            "model": one.model,
            "seed": one.seed,
            "benchmark": one.benchmark,
            "k": curve.k,
            "pass_at_k": curve.value,
            "ci_low": curve.low,
            "ci_high": curve.high,
            "noise_low": curve.noise_low,
            "noise_high": curve.noise_high,
            "problems": curve.problems,
        }
    )
