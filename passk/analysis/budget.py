"""Tables of cost: success against tokens and seconds per problem."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from passk.analysis.cells import curve_values
from passk.analysis.clusters import clusters_of
from passk.analysis.columns import names
from passk.analysis.pairs import Pair
from passk.analysis.study import Cell, Study
from passk.core.artifacts import read_manifest
from passk.stats import Curve, k_grid, mean_pass_at_k
from passk.stats.budget import compare_within, first_k

HALF = 0.5

Costs = Mapping[str, Mapping[str, float]]
"""Cell id -> unit -> cost of a response."""


def response_costs(study: Study, counts: Mapping[str, pd.DataFrame]) -> Costs:
    """Return what a response of each cell costs, in the units that are known."""
    return {cell.id: dict(_cost(cell, counts[cell.id])) for cell in study.cells}


def _cost(cell: Cell, table: pd.DataFrame) -> Iterator[tuple[str, float]]:
    """Yield the units of a cell's cost."""
    if tokens := float(table["tokens"].sum()):
        yield "tokens", tokens / float(table["n"].sum())
    manifests = [read_manifest(path) or {} for path in cell.samples]
    drawn = sum(manifest.get("drawn_responses", 0) for manifest in manifests)
    seconds = sum(manifest.get("draw_seconds", 0.0) for manifest in manifests)
    if drawn and seconds:
        yield "seconds", seconds / drawn


def budget_rows(
    study: Study, curves: Mapping[str, Curve], pairs: Sequence[Pair], costs: Costs
) -> Iterator[dict[str, Any]]:
    """Yield a row per cell, unit and k: success within the cost of k tries, and the base's."""
    bases = {pair.cell.id: pair for pair in pairs}
    for cell in study.cells:
        ks, pair = [k for k in study.k if k <= cell.n], bases.get(cell.id)
        for unit, each in costs[cell.id].items():
            budgets = each * np.array(ks)
            empty = np.full((4, len(ks)), np.nan)
            found = _against_base(pair, unit, costs, budgets) if pair else empty
            names_of = ("base_at_budget", "delta", "delta_low", "delta_high")
            for place, k in enumerate(ks):
                values = curve_values(curves[cell.id], k)
                yield {
                    **names(cell),
                    "base": pair.base.id if pair else "",
                    "unit": unit,
                    "k": k,
                    "budget": budgets[place],
                    **{name: values[name] for name in ("pass_at_k", "ci_low", "ci_high")},
                    **dict(zip(names_of, found[:, place], strict=True)),
                }


def _against_base(pair: Pair, unit: str, costs: Costs, budgets: np.ndarray) -> np.ndarray:
    """Return the base's success within budgets and the difference with its ends, shape (4, B)."""
    own, other = costs[pair.cell.id][unit], costs[pair.base.id].get(unit)
    if other is None:
        return np.full((4, len(budgets)), np.nan)
    clusters = clusters_of(pair.counts)
    found = compare_within(*pair.both(), (own, other), budgets, clusters=clusters)
    return np.stack([found.base, found.delta, found.low, found.high])


def cost_rows(
    study: Study, counts: Mapping[str, pd.DataFrame], curves: Mapping[str, Curve], costs: Costs
) -> Iterator[dict[str, Any]]:
    """Yield a row per cell and unit with the cost at which half of the problems are solved.

    The interval is from where the upper end of the curve's interval reaches a half to where the
    lower end does, read between the study's k.
    """
    for cell in study.cells:
        table, curve = counts[cell.id], curves[cell.id]
        grid = k_grid(int(table["n"].min()))
        known = ~np.isnan(curve.value)
        ks = curve.k[known]
        half = (
            first_k(grid, mean_pass_at_k(table["n"], table["correct"], grid), HALF),
            first_k(ks, curve.high[known], HALF),
            first_k(ks, curve.low[known], HALF),
        )
        for unit, each in costs[cell.id].items():
            ends = ("to_half", "to_half_low", "to_half_high")
            found = {name: each * k for name, k in zip(ends, half, strict=True)}
            yield {**names(cell), "unit": unit, "each": each, **found}
