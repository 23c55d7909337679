"""The long table: one row per estimate, whatever its metric, with the interval's kind beside it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from passk.analysis.algorithms import gaps_to_base
from passk.analysis.clusters import Names, clusters_of
from passk.analysis.columns import largest_k, names
from passk.analysis.pairs import Pair
from passk.analysis.study import Cell, Study
from passk.core.schemas import Verdict, read_table
from passk.stats import (
    SEED,
    THRESHOLDS,
    Curve,
    cover_at,
    estimate_curve,
    flag,
    g_pass_at_k,
    guess_pass_at_k,
    majority_at_k,
    mean_interval,
    mg_pass_at_k,
    pass_at_k,
    pass_hat_k,
)

Values = tuple[str, Sequence[float], np.ndarray]
"""Metric, its k (nan where it has none), and a value per problem and k, shape (P, K)."""


def estimate_rows(
    study: Study,
    counts: Mapping[str, pd.DataFrame],
    curves: Mapping[str, Curve],
    pairs: Sequence[Pair],
    beyond: pd.DataFrame,
    classes: Mapping[str, Sequence[tuple[np.ndarray, np.ndarray]]],
) -> Iterator[dict[str, Any]]:
    """Yield every estimate of every cell and comparison.

    `beyond` is the extrapolation, `classes` the `answer_classes` of each cell with verdicts.
    """
    for cell in study.cells:
        table, units = counts[cell.id], curves[cell.id].units
        about = {**names(cell), "base": "", "n": cell.n, "problems": len(table)}
        for row in _cell_rows(study, cell, table, curves[cell.id], classes.get(cell.id)):
            drawn = len(table) if row["interval"] == "noise" else units
            yield {**about, **row, "flag": flag(row["interval"], row["k"], cell.n, drawn)}
    for pair in pairs:
        units = curves[pair.cell.id].units
        for row in _pair_rows(study, pair):
            mark = flag(row["interval"], row["k"], pair.cell.n, min(units, row["problems"]))
            named = {**names(pair.cell), "base": pair.base.id, "n": pair.cell.n}
            yield {**named, **row, "flag": mark}
    for found in beyond[beyond["k"] > beyond["n"]].dropna(subset="value").to_dict("records"):
        mark = flag("extrapolated", found["k"], found["n"], found["problems"])
        known = {str(name): value for name, value in found.items()}
        metric = f"{found['metric']} extrapolated"
        yield {**known, "metric": metric, "interval": "extrapolated", "flag": mark}


def _cell_rows(
    study: Study,
    cell: Cell,
    table: pd.DataFrame,
    curve: Curve,
    classes: Sequence[tuple[np.ndarray, np.ndarray]] | None,
) -> Iterator[dict[str, Any]]:
    """Yield the estimates of one cell."""
    yield from _curve_rows("pass@k", curve)
    for metric, correct in bounds(table).items():
        same = np.array_equal(correct, table["correct"])
        bound = curve if same else _bound(study, table, correct)
        yield from _curve_rows(metric, bound)
    floor = guess_pass_at_k(table["guess_n"], table["guess_correct"], study.k)
    yield from _rows("guess_floor@k", study.k, floor)
    yield from _mean_rows(list(_reliability(study, cell, table, classes)), clusters_of(table))


def _bound(study: Study, table: pd.DataFrame, correct: np.ndarray) -> Curve:
    """Return the curve that other counts of correct responses give."""
    clusters = clusters_of(table)
    return estimate_curve(table["n"], correct, study.k, clusters=clusters, method=study.interval)


def _mean_rows(metrics: Sequence[Values], clusters: Names | None) -> Iterator[dict[str, Any]]:
    """Yield the means of per-problem values; all are drawn again together."""
    values = np.hstack([values for _, _, values in metrics])
    together = mean_interval(values, clusters=clusters)
    start = 0
    for metric, ks, _ in metrics:
        columns = slice(start, start := start + len(ks))
        yield from _rows(metric, ks, *(part[columns] for part in together), interval="problems")


def bounds(table: pd.DataFrame) -> dict[str, np.ndarray]:
    """Return the correct responses of each problem at the least and at the most.

    At the least, a truncated response is wrong even where it states the right answer. At the most,
    every truncated response and every one that could not be graded would have been correct.
    """
    correct, cut = table["correct"].to_numpy(), table["truncated_correct"].to_numpy()
    unknown = (table["truncated"] + table["timeout"] + table["error"]).to_numpy() - cut
    most = np.minimum(correct + unknown, table["n"].to_numpy())
    return {"pass@k at least": correct - cut, "pass@k at most": most}


def _reliability(
    study: Study,
    cell: Cell,
    table: pd.DataFrame,
    classes: Sequence[tuple[np.ndarray, np.ndarray]] | None,
) -> Iterator[Values]:
    """Yield the metrics that tell how reliably problems are solved."""
    n, c, ks = table["n"].to_numpy(), table["correct"].to_numpy(), study.k
    yield "avg@n", [cell.n], (c / n)[:, None]
    yield "pass^k", ks, pass_hat_k(n, c, ks)
    for tau in THRESHOLDS:
        yield f"g-pass@k_{tau:g}", ks, g_pass_at_k(n, c, ks, tau)
    yield "mg-pass@k", ks, mg_pass_at_k(n, c, ks)
    covered = cover_at(n, c)
    for column, tau in enumerate(THRESHOLDS):
        yield f"cover@{tau:g}", [np.nan], covered[:, [column]]
    if classes is not None:
        yield "maj@k", ks, majority_at_k(classes, n, ks, SEED)
    ends = pass_at_k(n, c, [1, largest_k(study, cell.n)])
    yield "se_gap", [largest_k(study, cell.n)], ends[:, [1]] - ends[:, [0]]


def answer_classes(cell: Cell, problems: Sequence[str]) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return, per problem, the responses in each answer class and the correct ones of them."""
    parts = [_class_counts(path, cell.n) for path in cell.verdicts]
    keys = ["problem_id", "answer_class"]
    table = pd.concat(parts).groupby(keys, sort=True)[["times", "correct"]].sum()
    found = {str(name): part for name, part in table.groupby(level="problem_id")}
    nothing = np.zeros(0, dtype=np.int64)
    return [
        (found[name]["times"].to_numpy(), found[name]["correct"].to_numpy())
        if name in found
        else (nothing, nothing)
        for name in problems
    ]


def _class_counts(path: Any, n: int) -> pd.DataFrame:
    """Return responses and correct ones per problem and answer class of one verdict file."""
    columns = ["problem_id", "sample", "verdict", "answer_class"]
    table = read_table(path, Verdict, columns)
    answered = table.filter(
        pc.and_(pc.less(table["sample"], n), pc.is_valid(table["answer_class"]))
    )
    right = pc.cast(pc.equal(answered["verdict"], "correct"), pa.int64())
    grouped = answered.append_column("right", right).group_by(["problem_id", "answer_class"])
    counted = grouped.aggregate([("sample", "count"), ("right", "sum")]).to_pandas()
    renamed: pd.DataFrame = counted.rename(
        columns={"sample_count": "times", "right_sum": "correct"}
    )
    return renamed


def _pair_rows(study: Study, pair: Pair) -> Iterator[dict[str, Any]]:
    """Yield the estimates of one comparison."""
    found = pair.comparison
    about = {"problems": found.problems}
    ends = {"paired": (found.low, found.high), "band": (found.band_low, found.band_high)}
    for kind, (low, high) in ends.items():
        for row in _rows("delta pass@k", found.k, found.delta, low, high, interval=kind):
            yield {**row, **about}
    crossing = ([value] for value in found.crossover)
    for row in _rows("crossover_k", [np.nan], *crossing, interval="paired"):
        yield {**row, **about}
    k_max = largest_k(study, pair.base.n)
    gap = mean_interval(gaps_to_base(pair, k_max), clusters=clusters_of(pair.counts))
    for row in _rows("se_gap_to_base", [k_max], *gap, interval="paired"):
        yield {**row, **about}


def _curve_rows(metric: str, curve: Curve) -> Iterator[dict[str, Any]]:
    """Yield a curve with its interval over problems, then with that of sampling noise."""
    yield from _rows(metric, curve.k, curve.value, curve.low, curve.high, interval="problems")
    noise = (curve.noise_low, curve.noise_high)
    yield from _rows(metric, curve.k, curve.value, *noise, interval="noise")


def _rows(
    metric: str,
    ks: Sequence[float] | np.ndarray,
    value: Sequence[float] | np.ndarray,
    lower: Sequence[float] | np.ndarray | None = None,
    upper: Sequence[float] | np.ndarray | None = None,
    *,
    interval: str = "",
) -> Iterator[dict[str, Any]]:
    """Yield one row per k that has a value."""
    for index, k in enumerate(ks):
        if not np.isnan(value[index]):
            yield {
                "metric": metric,
                "k": float(k),
                "value": float(value[index]),
                "lower": np.nan if lower is None else float(lower[index]),
                "upper": np.nan if upper is None else float(upper[index]),
                "interval": interval,
            }
