"""Tables of judged reasoning: how many responses a judge calls sound, and CoT-pass@k."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import pandas as pd

from passk.analysis.clusters import clusters_of
from passk.analysis.columns import names
from passk.analysis.pairs import make_pairs
from passk.analysis.study import Cell, Judging, Study
from passk.core.schemas import JUDGEMENTS, Judgement, read_table
from passk.stats import estimate_curve

Counts = Mapping[str, pd.DataFrame]
"""Cell id -> Count rows."""


def read_judgements(one: Judging) -> pd.DataFrame:
    """Return the Judgement rows of a judging; there may be none."""
    table: pd.DataFrame = read_table(one.judgements, Judgement, empty=True).to_pandas()
    return table


def judged_rows(study: Study) -> Iterator[dict[str, Any]]:
    """Yield one row per judge, cell and verdict of the grader: judgements counted."""
    for one in study.judgings:
        table, cell = read_judgements(one), study.cell(one.cell)
        for verdict in dict.fromkeys(["correct", *table["verdict"]]):
            rows = table[table["verdict"] == verdict]
            counted = rows["judgement"].value_counts()
            most = rows[list(JUDGEMENTS)].max(axis=1)
            yield {
                **names(cell),
                "judge": one.judge,
                "label": cell.label or cell.id,
                "verdict": verdict,
                "votes": one.votes,
                "problems": rows["problem_id"].nunique(),
                "judged": len(rows),
                **{name: int(counted.get(name, 0)) for name in JUDGEMENTS},
                "unanimous": float((most == one.votes).mean()),
            }


def judgements_by_problem(table: pd.DataFrame, counts: pd.DataFrame) -> pd.DataFrame:
    """Return, per problem of `counts`, how many correct responses are judged, and how.

    Columns: `judged`, `sound`, `unsound`, `unclear` and `unjudged`, in the order of `counts`.
    """
    correct = table[table["verdict"] == "correct"]
    wide = pd.crosstab(correct["problem_id"], correct["judgement"])
    wide = wide.reindex(index=counts["problem_id"], columns=list(JUDGEMENTS), fill_value=0)
    wide = wide.assign(judged=wide.sum(axis=1)).set_index(counts.index)
    return wide.assign(unjudged=counts["correct"] - wide["judged"])


def cot_rows(study: Study, counts: Counts) -> Iterator[dict[str, Any]]:
    """Yield CoT-pass@k per judge, cell and k, its bounds, and its difference to the base."""
    for judge in dict.fromkeys(one.judge for one in study.judgings):
        found = {
            one.cell: judgements_by_problem(read_judgements(one), counts[one.cell])
            for one in study.judgings
            if one.judge == judge
        }
        kept = {
            cell: counts[cell].assign(correct=table["sound"] + table["unjudged"])
            for cell, table in found.items()
        }
        read = replace(study, cells=tuple(cell for cell in study.cells if cell.id in kept))
        differences = {
            (pair.cell.id, int(k)): ends
            for pair in make_pairs(read, kept)
            for k, *ends in zip(
                pair.comparison.k,
                *(pair.comparison.delta, pair.comparison.low, pair.comparison.high),
                strict=True,
            )
        }
        for cell in read.cells:
            for row in _curve(read, cell, counts[cell.id], found[cell.id]):
                ends = differences.get((cell.id, row["k"]), [math.nan] * 3)
                delta = dict(zip(("delta", "delta_low", "delta_high"), ends, strict=True))
                yield {**names(cell), "judge": judge, "base": cell.base, **row, **delta}


def _curve(
    study: Study, cell: Cell, counts: pd.DataFrame, found: pd.DataFrame
) -> Iterator[dict[str, Any]]:
    """Yield the curve of one cell, at the study's k up to n."""
    ks = [k for k in study.k if k <= cell.n]
    if not ks:
        return
    sound, either = found["sound"], found["sound"] + found["unjudged"]
    graded, least, value, most = (
        estimate_curve(
            counts["n"], correct, ks, clusters=clusters_of(counts), method=study.interval
        )
        for correct in (counts["correct"], sound, either, either + found["unclear"])
    )
    for place, k in enumerate(ks):
        yield {
            "label": cell.label or cell.id,
            "k": k,
            "n": cell.n,
            "problems": len(counts),
            "pass_at_k": graded.value[place],
            "cot_pass_at_k": value.value[place],
            "ci_low": value.low[place],
            "ci_high": value.high[place],
            "bound_low": least.value[place],
            "bound_high": most.value[place],
            "unjudged_share": found["unjudged"].sum() / max(1, counts["correct"].sum()),
        }
