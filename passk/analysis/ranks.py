"""Ranks among many models: the chance that each is the best, second, and so on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from passk.analysis.across_benchmarks import ALL
from passk.analysis.study import Cell, Study
from passk.stats import Floats, pass_at_k
from passk.stats.bayes import rank_chances


def rank_rows(study: Study, counts: Mapping[str, pd.DataFrame]) -> Iterator[dict[str, Any]]:
    """Yield a row per model at k = 1 and at the largest k of all: on each benchmark, and on all.

    Only models that were sampled alike, and only problems that all of them have.
    """
    for sampler in dict.fromkeys(cell.sampler for cell in study.cells):
        cells = [cell for cell in study.cells if cell.sampler == sampler]
        benchmarks = list(dict.fromkeys(cell.benchmark for cell in cells))
        groups = {name: [c for c in cells if c.benchmark == name] for name in benchmarks}
        everywhere = [
            model
            for model in dict.fromkeys(cell.model for cell in cells)
            if all(any(c.model == model for c in group) for group in groups.values())
        ]
        for name, group in groups.items():
            yield from _ranks(study, counts, {name: group}, name, sampler)
        if len(benchmarks) > 1:
            common = {
                name: [next(c for c in group if c.model == model) for model in everywhere]
                for name, group in groups.items()
            }
            yield from _ranks(study, counts, common, ALL, sampler)


def _ranks(
    study: Study,
    counts: Mapping[str, pd.DataFrame],
    groups: Mapping[str, Sequence[Cell]],
    benchmark: str,
    sampler: str,
) -> Iterator[dict[str, Any]]:
    """Yield the rows of the models of one benchmark, or of several together."""
    cells = [cell for group in groups.values() for cell in group]
    models = [cell.model for cell in next(iter(groups.values()))]
    if len(models) < 2:  # noqa: PLR2004 - one model has no rank
        return
    ks = [k for k in study.k if k <= min(counts[cell.id]["n"].min() for cell in cells)]
    for k in sorted({*ks[:1], *ks[-1:]}):
        tables = [_values([counts[cell.id] for cell in group], k) for group in groups.values()]
        if any(not len(table) for table in tables):
            continue
        chances, means = rank_chances(tables)
        ranks = np.arange(1, len(models) + 1)
        for model, chance, mean in zip(models, chances, means, strict=True):
            low, high = (int(np.searchsorted(np.cumsum(chance), p)) + 1 for p in (0.025, 0.975))
            yield {
                "model": model,
                "benchmark": benchmark,
                "sampler": sampler,
                "k": k,
                "models": len(models),
                "value": mean,
                "best": chance[0],
                "expected_rank": chance @ ranks,
                "rank_low": min(low, len(models)),
                "rank_high": min(high, len(models)),
            }


def _values(tables: Sequence[pd.DataFrame], k: int) -> Floats:
    """Return each model's pass@k of each problem that all have, shape (P, M)."""
    common = set.intersection(*(set(table["problem_id"]) for table in tables))
    kept = [table[table["problem_id"].isin(common)].sort_values("problem_id") for table in tables]
    return np.hstack([pass_at_k(table["n"], table["correct"], [k]) for table in kept])
