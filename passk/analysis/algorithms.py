"""Algorithms side by side: the table of Yue et al. 2025 (arXiv 2504.13837), with intervals.

Every model of a benchmark and sampler at pass@1 and at the largest k that all of them define, its
own efficiency gap and the gap to its base; models trained by RL beside distilled and SFT ones.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from passk.analysis.clusters import clusters_of
from passk.analysis.columns import largest_k, names
from passk.analysis.pairs import Pair
from passk.analysis.study import Study
from passk.stats import Floats, mean_interval, pass_at_k
from passk.stats.bootstrap import curve_interval


def algorithm_rows(
    study: Study, counts: Mapping[str, pd.DataFrame], pairs: Sequence[Pair]
) -> Iterator[dict[str, Any]]:
    """Yield one row per cell, in the order of the spec."""
    by_cell = {pair.cell.id: pair for pair in pairs}
    for cell in study.cells:
        k = common_k(study, cell.benchmark)
        table = counts[cell.id]
        yield {
            **names(cell),
            **{name: getattr(cell, name) for name in ("role", "algorithm", "step", "n")},
            "label": cell.label or cell.id,
            "base": cell.base or "",
            "problems": len(table),
            "k": k,
            **_pass_at_ends(table, k, study),
            **_to_base(by_cell.get(cell.id), k),
        }


def common_k(study: Study, benchmark: str) -> int:
    """Return the largest k that every cell of a benchmark defines."""
    return largest_k(study, min(cell.n for cell in study.cells if cell.benchmark == benchmark))


def _pass_at_ends(table: pd.DataFrame, k: int, study: Study) -> dict[str, float]:
    """Return pass@1, pass@k and the gap between them, each with its interval over problems."""
    n, c, clusters = table["n"], table["correct"], clusters_of(table)
    values = pass_at_k(n, c, [1, k])
    ends = curve_interval(n, c, [1, k], clusters, method=study.interval)
    gap = mean_interval(values[:, [1]] - values[:, [0]], clusters=clusters)
    mean = values.mean(axis=0)
    return {
        **_three("pass_at_1", mean[0], *ends[:, 0]),
        **_three("pass_at_k", mean[1], *ends[:, 1]),
        **_three("se_gap", *(part[0] for part in gap)),
    }


def _to_base(pair: Pair | None, k: int) -> dict[str, float]:
    """Return the base's pass@k minus the model's pass@1, paired; empty without a base."""
    if pair is None:
        return _three("se_gap_to_base", *[np.nan] * 3)
    found = mean_interval(gaps_to_base(pair, k), clusters=clusters_of(pair.counts))
    return _three("se_gap_to_base", *(part[0] for part in found))


def gaps_to_base(pair: Pair, k: int) -> Floats:
    """Return, per problem, the base's pass@k minus the model's pass@1; shape (P, 1)."""
    own, base = pair.counts, pair.base_counts
    ceiling = pass_at_k(base["n"], base["correct"], [k])
    gap: Floats = ceiling - pass_at_k(own["n"], own["correct"], [1])
    return gap


def _three(name: str, value: float, low: float, high: float) -> dict[str, float]:
    """Return an estimate and its interval as columns."""
    return {name: float(value), f"{name}_low": float(low), f"{name}_high": float(high)}
