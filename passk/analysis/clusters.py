"""Problems that belong together: a bootstrap draws them together, or not at all."""

from __future__ import annotations

import json

import numpy as np
import numpy.typing as npt
import pandas as pd

from passk.analysis.study import Cell
from passk.core.schemas import Problem, read_table

Names = npt.NDArray[np.str_]


def with_clusters(counts: pd.DataFrame, cell: Cell) -> pd.DataFrame:
    """Return the counts with a column `cluster`, empty where the benchmark declares none."""
    if cell.clusters is None:
        return counts.assign(cluster="")
    table = read_table(cell.clusters, Problem, ["id", "meta"]).to_pydict()
    pairs = zip(table["id"], table["meta"], strict=True)
    names = {problem: str(json.loads(meta or "{}").get("cluster", "")) for problem, meta in pairs}
    return counts.assign(cluster=counts["problem_id"].map(names).fillna(""))


def clusters_of(counts: pd.DataFrame) -> Names | None:
    """Return the cluster of each problem, shape (P,), or None where no two belong together.

    A problem without a cluster is one of its own.
    """
    named = counts["cluster"] != ""
    if not named.any():
        return None
    return np.where(named, "c " + counts["cluster"], "p " + counts["problem_id"]).astype(np.str_)
