"""Tables of cost: success against response tokens per problem."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from passk.analysis.cells import curve_values
from passk.analysis.clusters import clusters_of
from passk.analysis.columns import names
from passk.analysis.pairs import Pair
from passk.analysis.study import Study
from passk.stats import Curve, k_grid, mean_pass_at_k
from passk.stats.budget import compare_within, first_k

HALF = 0.5

Costs = Mapping[str, float]
"""Cell id -> response tokens of a response, mean over problems; only cells that record tokens."""


def response_costs(study: Study, counts: Mapping[str, pd.DataFrame]) -> Costs:
    """Return what a response of each cell costs, where its tokens are recorded."""
    sums = {cell.id: counts[cell.id][["tokens", "n"]].sum() for cell in study.cells}
    return {
        cell: float(total["tokens"] / total["n"]) for cell, total in sums.items() if total["tokens"]
    }


def budget_rows(
    study: Study, curves: Mapping[str, Curve], pairs: Sequence[Pair], costs: Costs
) -> Iterator[dict[str, Any]]:
    """Yield a row per cell and k: success within the cost of k tries, and the base's."""
    bases = {pair.cell.id: pair for pair in pairs}
    names_of = ("base_at_budget", "delta", "delta_low", "delta_high")
    for cell in study.cells:
        if cell.id not in costs:
            continue
        ks, pair = [k for k in study.k if k <= cell.n], bases.get(cell.id)
        budgets = costs[cell.id] * np.array(ks)
        found = np.full((4, len(ks)), np.nan)
        if pair and pair.base.id in costs:
            found = _against_base(pair, costs, budgets)
        for place, k in enumerate(ks):
            values = curve_values(curves[cell.id], k)
            yield {
                **names(cell),
                "base": pair.base.id if pair else "",
                "k": k,
                "budget": budgets[place],
                **{name: values[name] for name in ("pass_at_k", "ci_low", "ci_high")},
                **dict(zip(names_of, found[:, place], strict=True)),
            }


def _against_base(pair: Pair, costs: Costs, budgets: np.ndarray) -> np.ndarray:
    """Return the base's success within budgets and the difference with its ends, shape (4, B)."""
    both, clusters = (costs[pair.cell.id], costs[pair.base.id]), clusters_of(pair.counts)
    found = compare_within(*pair.both(), both, budgets, clusters=clusters)
    return np.stack([found.base, found.delta, found.low, found.high])


def cost_rows(
    study: Study, counts: Mapping[str, pd.DataFrame], curves: Mapping[str, Curve], costs: Costs
) -> Iterator[dict[str, Any]]:
    """Yield a row per cell with the cost at which half of the problems are solved.

    The interval is from where the upper end of the curve's interval reaches a half to where the
    lower end does, read between the study's k.
    """
    for cell in study.cells:
        if cell.id not in costs:
            continue
        each, table, curve = costs[cell.id], counts[cell.id], curves[cell.id]
        grid = k_grid(int(table["n"].min()))
        known = ~np.isnan(curve.value)
        ks = curve.k[known]
        half = (
            first_k(grid, mean_pass_at_k(table["n"], table["correct"], grid), HALF),
            first_k(ks, curve.high[known], HALF),
            first_k(ks, curve.low[known], HALF),
        )
        ends = ("to_half", "to_half_low", "to_half_high")
        found = {name: each * k for name, k in zip(ends, half, strict=True)}
        yield {**names(cell), "each": each, **found}
