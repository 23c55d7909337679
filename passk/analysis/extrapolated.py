"""pass@k beyond n, where a study asks for it: a fitted model's word, labelled as such."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd

from passk.analysis.columns import names
from passk.analysis.study import Study
from passk.stats import MAX_EXTRAPOLATION, extrapolate

COLUMNS = [
    "model", "benchmark", "sampler", "cell", "k", "value", "lower", "upper", "n", "problems",
    "unsolvable", "shape_a", "shape_b", "fit_p", "fits",
]  # fmt: skip
"""`unsolvable`: fitted share of problems beyond any k; `fit_p`: p-value of the counts under the
model. Values are empty where it does not fit."""


def extrapolation_rows(
    study: Study, counts: Mapping[str, pd.DataFrame]
) -> Iterator[dict[str, Any]]:
    """Yield one row per cell and requested k above its n, up to 4n; the first is the model's at n.

    Cells whose problems differ in n are left out: the model is of one n.
    """
    for cell in study.cells:
        table = counts[cell.id]
        beyond = [k for k in study.extrapolate if cell.n < k <= MAX_EXTRAPOLATION * cell.n]
        ks = [cell.n, *beyond]
        if not beyond or (table["n"] != cell.n).any():
            continue
        found = extrapolate(cell.n, table["correct"], ks)
        for index, k in enumerate(ks):
            yield {
                **names(cell),
                "k": k,
                "value": found.value[index],
                "lower": found.low[index],
                "upper": found.high[index],
                "n": cell.n,
                "problems": len(table),
                "unsolvable": found.unsolvable,
                "shape_a": found.shape[0],
                "shape_b": found.shape[1],
                "fit_p": found.fit,
                "fits": found.fits,
            }
