"""pass@k beyond n, where a study asks for it: what the counts allow, labelled as such."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from passk.analysis.clusters import clusters_of
from passk.analysis.columns import names
from passk.analysis.pairs import Pair
from passk.analysis.study import Study
from passk.stats import MAX_EXTRAPOLATION, Extrapolation, extrapolate, extrapolate_difference


def extrapolation_rows(
    study: Study, counts: Mapping[str, pd.DataFrame], pairs: Sequence[Pair]
) -> Iterator[dict[str, Any]]:
    """Yield one row per cell, and per comparison, and requested k above n, up to 4n.

    The first row of each is that at n itself. n is the smallest of any problem.
    """
    for cell in study.cells:
        table = counts[cell.id]
        if ks := _beyond(study, int(table["n"].min())):
            found = extrapolate((table["n"], table["correct"]), ks, clusters=clusters_of(table))
            about = {**names(cell), "base": "", "metric": "pass@k", "problems": len(table)}
            yield from _rows(found, about)
    for pair in pairs:
        tuned, base = pair.both()
        if ks := _beyond(study, int(min(np.min(tuned[0]), np.min(base[0])))):
            found = extrapolate_difference(tuned, base, ks, clusters=clusters_of(pair.counts))
            about = {**names(pair.cell), "base": pair.base.id, "metric": "delta pass@k"}
            yield from _rows(found, {**about, "problems": len(pair.counts)})


def _beyond(study: Study, n: int) -> list[int]:
    """Return n and the requested k above it, up to 4n; nothing where there is none."""
    beyond = [k for k in study.extrapolate if n < k <= MAX_EXTRAPOLATION * n]
    return [n, *beyond] if beyond else []


def _rows(found: Extrapolation, about: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield a row per k."""
    for index, k in enumerate(found.k):
        yield {
            **about,
            "k": int(k),
            "value": found.value[index],
            "lower": found.low[index],
            "upper": found.high[index],
            "n": int(found.k[0]),
            "fits": found.fits,
        }
