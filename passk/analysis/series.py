"""Tables of series: repeats of a training with other seeds as one, at each of its checkpoints.

Of a value that each seed has, the mean over seeds stands under its name, the least and the largest
of a seed under `_min` and `_max`. Of differences to the base `_low` and `_high` are the
paired 95 % interval over problems of the mean over seeds; it says nothing of other seeds.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from passk.analysis.clusters import clusters_of
from passk.analysis.columns import largest_k
from passk.analysis.pairs import Pair
from passk.analysis.seed_series import Series, series_of
from passk.analysis.study import Study
from passk.stats import (
    LEVEL,
    REPLICATES,
    SEED,
    Floats,
    mean_pass_at_k,
    mean_units,
    percentiles,
)

KEYS = ["benchmark", "sampler", "series", "label", "role", "algorithm", "step", "last", "seeds"]

SPREAD = ["pass_at_1", "pass_at_k", "se_gap", "se_gap_to_base", "delta_1", "delta_k"]
"""Columns that `_min` and `_max` of a seed go with."""

ENDS = ("", "_min", "_max")

COLUMNS = [
    *KEYS, "base", "base_label", "problems", "k", "base_pass_at_1", "base_pass_at_k",
    *(f"{name}{end}" for name in SPREAD for end in ENDS),
    "delta_1_low", "delta_1_high", "delta_k_low", "delta_k_high",
    "lost_min", "lost_max", "lost_by_all", "gained_min", "gained_max", "gained_by_all",
]  # fmt: skip
"""`lost_by_all`: those that the base solves and no seed ever does; `gained_by_all`: that the
base never solves and every seed does."""

CURVE_COLUMNS = [
    *KEYS, "k", "pass_at_k", "pass_at_k_min", "pass_at_k_max",
    "delta", "delta_min", "delta_max", "delta_low", "delta_high",
]  # fmt: skip


@dataclass(frozen=True)
class Group:
    """The cells of a series at one step, compared with the base that they share.

    Attributes:
        names: values of the columns `KEYS`.
        pairs: a comparison per seed, over the same problems in the same order.
        k: the study's numbers of tries that all of them define.
        own: pass@k of each seed, shape (S, K).
        base: pass@k of the base, shape (K,).
        low: lower end of the paired interval of the mean difference over seeds, shape (K,).
        high: its upper end.
    """

    names: Mapping[str, Any]
    pairs: tuple[Pair, ...]
    k: tuple[int, ...]
    own: Floats
    base: Floats
    low: Floats
    high: Floats


def series_groups(study: Study, pairs: Sequence[Pair]) -> list[Group]:
    """Return the series of the study at each step, as far as they have a base."""
    by_cell = {pair.cell.id: pair for pair in pairs}
    found = []
    for benchmark in study.benchmarks():
        for series in series_of(study, benchmark):
            if series.cells[0].series is None:
                continue
            for step in series.steps:
                known = tuple(by_cell[c.id] for c in series.at(step) if c.id in by_cell)
                if known:
                    found.append(_group(study, series, step, known))
    return found


def _group(study: Study, series: Series, step: int | None, pairs: tuple[Pair, ...]) -> Group:
    """Compare the seeds of one step with their base, each and on average."""
    first = pairs[0]
    most = min(min(pair.cell.n, pair.base.n) for pair in pairs)
    ks = tuple(sorted({1, largest_k(study, most), *(k for k in study.k if k <= most)}))
    own = np.stack([mean_pass_at_k(*pair.both()[0], ks) for pair in pairs])
    low, high = _interval(pairs, ks)
    cell = first.cell
    names = {
        "benchmark": cell.benchmark,
        "sampler": cell.sampler,
        "series": series.name,
        "label": series.label,
        "role": cell.role,
        "algorithm": cell.algorithm,
        "step": step,
        "last": step == series.steps[-1],
        "seeds": len(pairs),
    }
    return Group(names, pairs, ks, own, mean_pass_at_k(*first.both()[1], ks), low, high)


def _interval(pairs: Sequence[Pair], ks: tuple[int, ...]) -> tuple[Floats, Floats]:
    """Return the paired interval of the mean difference; of one seed, that of its comparison."""
    first = pairs[0]
    if len(pairs) == 1 and set(ks) <= set(first.comparison.k.tolist()):
        at = np.searchsorted(first.comparison.k, ks)
        return first.comparison.low[at], first.comparison.high[at]
    tuned = [pair.both()[0] for pair in pairs]
    units = mean_units(tuned, first.both()[1], ks, clusters_of(first.counts))
    low, high = percentiles(units.resampled(REPLICATES, SEED), LEVEL, units.number)
    return low, high


def series_rows(study: Study, groups: Sequence[Group]) -> Iterator[dict[str, Any]]:
    """Yield a row per series and step: ends of the curve, gaps, problems lost and gained."""
    labels = {cell.id: cell.label or cell.id for cell in study.cells}
    for group in groups:
        base, own, pair = group.base, group.own, group.pairs[0]
        yield {
            **group.names,
            "base": pair.base.id,
            "base_label": labels[pair.base.id],
            "problems": len(pair.counts),
            "k": group.k[-1],
            "base_pass_at_1": base[0],
            "base_pass_at_k": base[-1],
            **_spread("pass_at_1", own[:, 0]),
            **_spread("pass_at_k", own[:, -1]),
            **_spread("se_gap", own[:, -1] - own[:, 0]),
            **_spread("se_gap_to_base", base[-1] - own[:, 0]),
            **_spread("delta_1", own[:, 0] - base[0]),
            **_spread("delta_k", own[:, -1] - base[-1]),
            "delta_1_low": group.low[0],
            "delta_1_high": group.high[0],
            "delta_k_low": group.low[-1],
            "delta_k_high": group.high[-1],
            **_changes(group.pairs),
        }


def series_curve_rows(groups: Sequence[Group]) -> Iterator[dict[str, Any]]:
    """Yield a row per series, step and k: the mean over seeds and its difference to the base."""
    for group in groups:
        for place, k in enumerate(group.k):
            own = group.own[:, place]
            yield {
                **group.names,
                "k": k,
                **_spread("pass_at_k", own),
                **_spread("delta", own - group.base[place]),
                "delta_low": group.low[place],
                "delta_high": group.high[place],
            }


def _spread(name: str, values: Floats) -> dict[str, float]:
    """Return the mean over seeds, and the least and the largest of a seed."""
    found = (values.mean(), values.min(), values.max())
    return {f"{name}{end}": float(value) for end, value in zip(ENDS, found, strict=True)}


def _changes(pairs: Sequence[Pair]) -> dict[str, int]:
    """Return how many problems seeds lose and gain, and how many all of them do."""
    own = np.stack([pair.counts["correct"].to_numpy() > 0 for pair in pairs])
    base = pairs[0].base_counts["correct"].to_numpy() > 0
    found: dict[str, int] = {}
    for name, changed in (("lost", base & ~own), ("gained", ~base & own)):
        each = changed.sum(axis=1)
        found[f"{name}_min"] = int(each.min())
        found[f"{name}_max"] = int(each.max())
        found[f"{name}_by_all"] = int(changed.all(axis=0).sum())
    return found


def series_tables(study: Study, pairs: Sequence[Pair]) -> dict[str, pd.DataFrame]:
    """Return the tables `series` and `series_curves`; empty where the spec has no series."""
    groups = series_groups(study, pairs)
    return {
        "series": pd.DataFrame(series_rows(study, groups), columns=COLUMNS),
        "series_curves": pd.DataFrame(series_curve_rows(groups), columns=CURVE_COLUMNS),
    }
