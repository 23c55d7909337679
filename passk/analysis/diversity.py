"""The diversity table: how many different answers a model gives, beside its token entropy."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from passk.analysis.clusters import clusters_of
from passk.analysis.columns import names
from passk.analysis.pairs import Pair
from passk.analysis.study import Cell, Study
from passk.stats import Floats, Ints
from passk.stats.bootstrap import student_interval
from passk.stats.diversity import diversity

Classes = Sequence[tuple[Ints, Ints]]
"""Per problem: responses in each class of equal answers, and the correct ones of them."""

METRICS = ("distinct_answers", "differing_pairs", "answer_entropy", "repeated_responses")


def diversity_rows(
    study: Study,
    counts: Mapping[str, pd.DataFrame],
    classes: Mapping[str, Classes],
    pairs: Sequence[Pair],
) -> Iterator[dict[str, Any]]:
    """Yield a row per cell with verdicts and metric, with the paired difference to its base.

    Args:
        study: the study.
        counts: cell id -> Count rows.
        classes: cell id -> classes of answers, problem by problem in the order of `counts`.
        pairs: the comparisons.
    """
    bases = {pair.cell.id: pair for pair in pairs}
    values = {
        cell.id: _values(counts[cell.id], classes[cell.id], _responses(study, cell, counts))
        for cell in study.cells
        if cell.id in classes
    }
    for cell in study.cells:
        if cell.id not in values:
            continue
        own, pair = values[cell.id], bases.get(cell.id)
        found = student_interval(own.to_numpy(), clusters_of(counts[cell.id]))
        delta = np.full((3, len(METRICS)), np.nan)
        if pair is not None and pair.base.id in values:
            common = pair.counts["problem_id"]
            apart = own.loc[common].to_numpy() - values[pair.base.id].loc[common].to_numpy()
            delta = np.array(student_interval(apart, clusters_of(pair.counts)))
        entropy = token_entropy(counts[cell.id])
        rows = np.vstack([np.array(found), delta]).T
        about = {
            **names(cell),
            "base": pair.base.id if pair else "",
            "responses": _responses(study, cell, counts),
            "problems": len(own),
        }
        ends = ("value", "lower", "upper", "delta", "delta_low", "delta_high")
        for metric, row in zip(METRICS, rows, strict=True):
            yield {**about, "metric": metric, **dict(zip(ends, row, strict=True))}
        if not np.isnan(entropy):
            apart = entropy - token_entropy(counts[pair.base.id]) if pair else np.nan
            yield {**about, "metric": "token_entropy", "value": entropy, "delta": apart}


def _responses(study: Study, cell: Cell, counts: Mapping[str, pd.DataFrame]) -> int:
    """Return the fewest responses to a problem that any cell of a benchmark has."""
    same = (other.id for other in study.cells if other.benchmark == cell.benchmark)
    return int(min(counts[name]["n"].min() for name in same))


def _values(table: pd.DataFrame, classes: Classes, m: int) -> pd.DataFrame:
    """Return the `METRICS` of each problem; responses without an answer are one more class."""
    whole = [
        np.append(times, [n - times.sum()] if n > times.sum() else []).astype(np.int64)
        for (times, _), n in zip(classes, table["n"].to_numpy(), strict=True)
    ]
    repeated = (table["repeats"] / table["n"]).to_numpy()
    values: Floats = np.column_stack([diversity(whole, m), repeated])
    return pd.DataFrame(values, columns=METRICS, index=table["problem_id"])


def token_entropy(table: pd.DataFrame) -> float:
    """Return the mean entropy of a cell's sampled tokens in nats; nan where it is not known.

    Args:
        table: the cell's Count rows.
    """
    tokens = table["tokens"].sum()
    return float(table["entropy"].sum(skipna=False)) / tokens if tokens else np.nan
