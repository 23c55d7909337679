"""Tables across benchmarks: means of curves, and tests corrected for their number."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np
import pandas as pd

from passk.analysis.clusters import clusters_of
from passk.analysis.columns import largest_k
from passk.analysis.pairs import Pair
from passk.analysis.study import Study
from passk.stats import (
    Floats,
    holm,
    mean_pass_at_k,
    paired_units,
    sign_flip_p_values,
)
from passk.stats.bootstrap import curve_interval

Item = TypeVar("Item")
Key = TypeVar("Key")

ALL = "all"
"""What stands for the benchmark in a mean over them."""


def mean_rows(
    study: Study, counts: Mapping[str, pd.DataFrame], pairs: Sequence[Pair]
) -> Iterator[dict[str, Any]]:
    """Yield the mean over benchmarks of pass@k and of the difference to the base.

    Benchmarks count alike, however many problems they have. Only k that every one of the
    benchmarks defines. Margins of the benchmarks' own intervals are combined by square-and-add.
    """
    for (model, sampler), cells in _group_by(study.cells, lambda cell: (cell.model, cell.sampler)):
        ks = [k for k in study.k if all(k <= cell.n for cell in cells)]
        tables = [counts[cell.id] for cell in cells]
        parts = [
            (
                mean_pass_at_k(*counts_of, ks),
                *curve_interval(*counts_of, ks, c, method=study.interval),
            )
            for counts_of, c in (((t["n"], t["correct"]), clusters_of(t)) for t in tables)
        ]
        about = {"model": model, "sampler": sampler, "base_model": "", "base_sampler": ""}
        yield from _means(parts, ks, {**about, "metric": "pass@k"})
    for key, group in _group_by(pairs, _compared):
        ks = [k for k in study.k if all(k <= min(p.cell.n, p.base.n) for p in group)]
        found = [pair.comparison for pair in group]
        at = np.searchsorted(study.k, ks)
        parts = [(one.delta[at], one.low[at], one.high[at]) for one in found]
        yield from _means(parts, ks, {**_about(key), "metric": "delta pass@k"})


def _means(
    parts: Sequence[tuple[Floats, Floats, Floats]], ks: Sequence[int], about: Mapping[str, Any]
) -> Iterator[dict[str, Any]]:
    """Yield one row per k: the mean over benchmarks of (value, low, high), each of shape (K,)."""
    value, low, high = combine_means(parts)
    for index, k in enumerate(ks):
        ends = {"value": value[index], "ci_low": low[index], "ci_high": high[index]}
        yield {**about, "benchmark": ALL, "k": k, **ends, "benchmarks": len(parts)}


def combine_means(
    parts: Sequence[tuple[Floats, Floats, Floats] | Floats],
) -> tuple[Floats, Floats, Floats]:
    """Return the mean of independent estimates, and its interval by square-and-add, shape (K,).

    Args:
        parts: (value, low, high) of each, each of shape (K,).
    """
    values, lows, highs = (np.stack(part) for part in zip(*parts, strict=True))
    value = values.mean(axis=0)
    margins = [
        np.sqrt((side**2).sum(axis=0)) / len(parts) for side in (values - lows, highs - values)
    ]
    return value, value - margins[0], value + margins[1]


def significance_rows(study: Study, pairs: Sequence[Pair]) -> Iterator[dict[str, Any]]:
    """Yield, at k = 1 and k_max, a paired test per benchmark, and Holm's correction over them.

    A family is the tests of one tuned model over all its benchmarks at one end of the curve.
    """
    for key, group in _group_by(pairs, _compared, least=1):
        for end in ("first", "last"):
            rows = [_test(study, pair, end) for pair in group]
            adjusted = holm([row["p"] for row in rows])
            for row, p in zip(rows, adjusted, strict=True):
                yield {**_about(key), **row, "p_holm": p}


def _test(study: Study, pair: Pair, end: str) -> dict[str, Any]:
    """Return the test of one comparison at one end of the curve."""
    k = 1 if end == "first" else largest_k(study, min(pair.cell.n, pair.base.n))
    units = paired_units(*pair.both(), ks=[k], clusters=clusters_of(pair.counts))
    p = float(sign_flip_p_values(units)[0])
    return {**pair.names(), "k": k, "delta": float(units.mean()[0]), "p": p}


def _compared(pair: Pair) -> tuple[str, str, str, str]:
    """Return who is compared with whom, whatever the benchmark."""
    return pair.cell.model, pair.cell.sampler, pair.base.model, pair.base.sampler


def _about(key: tuple[str, str, str, str]) -> dict[str, str]:
    """Return `_compared` as columns."""
    return dict(zip(("model", "sampler", "base_model", "base_sampler"), key, strict=True))


def _group_by(
    items: Sequence[Item], key: Callable[[Item], Key], least: int = 2
) -> Iterator[tuple[Key, list[Item]]]:
    """Yield groups of `least` items or more that share a key, in order of first appearance."""
    groups: dict[Key, list[Item]] = {}
    for item in items:
        groups.setdefault(key(item), []).append(item)
    yield from ((name, group) for name, group in groups.items() if len(group) >= least)
