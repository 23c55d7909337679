"""Tables of methods: repeats of a training with other seeds as one, at each checkpoint.

Of a value that each seed has, the mean over seeds stands under its name, the smallest and largest
seed under `_min` and `_max`: a range, no interval. `_low` and `_high` are the 95 % interval
over problems, which speaks of these very checkpoints; `_method_low` and `_method_high` that over
problems and seeds, which speaks of the method; empty with one seed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np

from passk.analysis.clusters import clusters_of
from passk.analysis.columns import largest_k
from passk.analysis.pairs import Pair
from passk.analysis.seed_series import Series, series_of
from passk.analysis.study import Study
from passk.stats import Floats, add_seed_spread, contrast, mean_interval, pass_at_k

KEYS = [
    "model", "benchmark", "sampler", "series", "label", "role", "algorithm", "step", "last",
    "seeds",
]  # fmt: skip

VALUES = ["pass_at_1", "pass_at_k", "se_gap", "se_gap_to_base", "delta_1", "delta_k"]

ENDS = ("", "_min", "_max", "_low", "_high", "_method_low", "_method_high")


@dataclass(frozen=True, slots=True)
class SeedMean:
    """A value of several seeds at each k: arrays of shape (K,), intervals of shape (2, K).

    Attributes:
        value: mean over seeds.
        seeds: the value of each seed, shape (S, K).
        problems: interval over problems, for these checkpoints.
        method: interval over problems and seeds; nan with one seed.
    """

    value: Floats
    seeds: Floats
    problems: Floats
    method: Floats

    def columns(self, name: str, place: int) -> dict[str, float]:
        """Return the value at one k with its range and its intervals, as columns."""
        seeds = self.seeds[:, place]
        found = (
            self.value[place], seeds.min(), seeds.max(),
            *self.problems[:, place], *self.method[:, place],
        )  # fmt: skip
        return {f"{name}{end}": float(value) for end, value in zip(ENDS, found, strict=True)}


@dataclass(frozen=True)
class Group:
    """The cells of a series at one step, compared with the base that they share.

    Attributes:
        names: values of the columns `KEYS`.
        pairs: a comparison per seed, over the same problems in the same order.
        k: the study's k that all of them define.
        base: pass@k of the base, shape (K,).
        own: pass@k of the series.
        delta: its difference to the base.
        gap: its own pass@k_max - pass@1, one column.
        gap_to_base: the base's pass@k_max - its pass@1, one column.
    """

    names: Mapping[str, Any]
    pairs: tuple[Pair, ...]
    k: tuple[int, ...]
    base: Floats
    own: SeedMean
    delta: SeedMean
    gap: SeedMean
    gap_to_base: SeedMean


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
    cell = pairs[0].cell
    k_max = min(min(pair.cell.n, pair.base.n) for pair in pairs)
    ks = tuple(sorted({1, largest_k(study, k_max), *(k for k in study.k if k <= k_max)}))
    tuned, base = [pair.both()[0] for pair in pairs], pairs[0].both()[1]
    values, base_values = np.stack([pass_at_k(n, c, ks) for n, c in tuned]), pass_at_k(*base, ks)
    clusters = clusters_of(pairs[0].counts)
    delta, *intervals = contrast(tuned, [base], ks, clusters)
    seeds = values.mean(axis=1) - base_values.mean(axis=0)
    names = {
        "model": series.name,
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
    first, last = values[:, :, [0]], values[:, :, [-1]]
    return Group(
        names=names,
        pairs=pairs,
        k=ks,
        base=base_values.mean(axis=0),
        own=_seed_mean(values, clusters),
        delta=SeedMean(delta, seeds, *intervals),
        gap=_seed_mean(last - first, clusters),
        gap_to_base=_seed_mean(base_values[:, [-1]] - first, clusters),
    )


def _seed_mean(values: Floats, clusters: np.ndarray | None) -> SeedMean:
    """Return the mean over seeds of values per seed, problem and k, shape (S, P, K)."""
    mean, *ends = mean_interval(values.mean(axis=0), clusters=clusters)
    seeds, over_problems = values.mean(axis=1), np.stack(ends)
    return SeedMean(mean, seeds, over_problems, add_seed_spread(mean, over_problems, [seeds]))


def series_rows(study: Study, groups: Sequence[Group]) -> Iterator[dict[str, Any]]:
    """Yield a row per series and step: ends of the curve, gaps, problems lost and gained."""
    labels = {cell.id: cell.label or cell.id for cell in study.cells}
    for group in groups:
        pair = group.pairs[0]
        yield {
            **group.names,
            "base": pair.base.id,
            "base_label": labels[pair.base.id],
            "problems": len(pair.counts),
            "k": group.k[-1],
            "base_pass_at_1": group.base[0],
            "base_pass_at_k": group.base[-1],
            **group.own.columns("pass_at_1", 0),
            **group.own.columns("pass_at_k", -1),
            **group.gap.columns("se_gap", 0),
            **group.gap_to_base.columns("se_gap_to_base", 0),
            **group.delta.columns("delta_1", 0),
            **group.delta.columns("delta_k", -1),
            **_changes(group.pairs),
        }


def series_curve_rows(groups: Sequence[Group]) -> Iterator[dict[str, Any]]:
    """Yield a row per series, step and k: the mean over seeds and its difference to the base."""
    for group in groups:
        for place, k in enumerate(group.k):
            own = group.own.columns("pass_at_k", place)
            yield {**group.names, "k": k, **own, **group.delta.columns("delta", place)}


def contrast_rows(groups: Sequence[Group]) -> Iterator[dict[str, Any]]:
    """Yield two rows, at k = 1 and k_max, for any two methods with the same base."""
    last = [group for group in groups if group.names["last"]]
    for one, other in combinations(last, 2):
        first, second = one.pairs[0], other.pairs[0]
        problems = first.counts["problem_id"].tolist()
        if first.base.id != second.base.id or problems != second.counts["problem_id"].tolist():
            continue
        tuned, rival = ([pair.both()[0] for pair in group.pairs] for group in (one, other))
        ks = sorted({1, min(one.k[-1], other.k[-1])})
        delta, over_problems, method = contrast(tuned, rival, ks, clusters_of(first.counts))
        for place, k in enumerate(ks):
            yield {
                **{name: one.names[name] for name in (*KEYS[:4], "label")},
                "base": first.base.id,
                "seeds": one.names["seeds"],
                "other": other.names["series"],
                "other_label": other.names["label"],
                "other_seeds": other.names["seeds"],
                "k": k,
                "problems": len(problems),
                "delta": delta[place],
                "delta_low": over_problems[0, place],
                "delta_high": over_problems[1, place],
                "delta_method_low": method[0, place],
                "delta_method_high": method[1, place],
            }


def _changes(pairs: Sequence[Pair]) -> dict[str, int]:
    """Return how many problems seeds lose and gain, and how many all of them do."""
    found: dict[str, int] = {}
    categories = np.stack([pair.categories() for pair in pairs])
    for name, category in (("lost", "base_only"), ("gained", "tuned_only")):
        changed = categories == category
        each = changed.sum(axis=1)
        found[f"{name}_min"] = int(each.min())
        found[f"{name}_max"] = int(each.max())
        found[f"{name}_by_all"] = int(changed.all(axis=0).sum())
    return found
