"""Problems that belong together: a bootstrap draws them together, or not at all."""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from passk.analysis.study import Cell
from passk.core.schemas import Problem, read_table

Names = npt.NDArray[np.str_]


def with_clusters(counts: pd.DataFrame, cell: Cell) -> pd.DataFrame:
    """Return the counts with a column `cluster`, empty for a problem that is like no other.

    Problems with the same question are one cluster, and so are those that the benchmark says
    belong together.
    """
    path = cell.clusters or cell.problems
    if path is None:
        return counts.assign(cluster="")
    table = read_table(path, Problem, ["id", "question_digest", "meta"]).to_pandas()
    declared = [str(json.loads(meta or "{}").get("cluster", "")) for meta in table["meta"]]
    repeated = table["question_digest"].duplicated(keep=False) & (table["question_digest"] != "")
    same = table["question_digest"].where(repeated, "").tolist()
    names = dict(zip(table["id"], connected(declared, same), strict=True))
    return counts.assign(cluster=counts["problem_id"].map(names).fillna(""))


def connected(first: Sequence[str], second: Sequence[str]) -> list[str]:
    """Return one name per row for rows that share a name of either kind, directly or by others.

    >>> connected(["a", "a", "", "", ""], ["", "x", "x", "y", ""])
    ['a', 'a', 'a', 'y', '']
    """
    parent: dict[tuple[str, int], tuple[str, int]] = {}

    def root(key: tuple[str, int]) -> tuple[str, int]:
        while (above := parent.setdefault(key, key)) != key:
            key = above
        return key

    for one, two in zip(first, second, strict=True):
        if one and two:
            parent[root((two, 1))] = root((one, 0))
    return [
        root((one, 0) if one else (two, 1))[0] if one or two else ""
        for one, two in zip(first, second, strict=True)
    ]


def clusters_of(counts: pd.DataFrame) -> Names | None:
    """Return the cluster of each problem, shape (P,), or None where no two belong together.

    A problem without a cluster is one of its own.
    """
    named = counts["cluster"] != ""
    if not named.any():
        return None
    return np.where(named, "c " + counts["cluster"], "p " + counts["problem_id"]).astype(np.str_)
