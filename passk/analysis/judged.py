"""Tables of judged reasoning: how many responses a judge calls sound, and CoT-pass@k."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd

from passk.analysis.clusters import clusters_of
from passk.analysis.columns import names
from passk.analysis.study import Judging, Study
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

    Columns: `judged`, `sound`, `unsound` and `unclear`, in the order of `counts`.
    """
    correct = table[table["verdict"] == "correct"]
    wide = pd.crosstab(correct["problem_id"], correct["judgement"])
    wide = wide.reindex(index=counts["problem_id"], columns=list(JUDGEMENTS), fill_value=0)
    return wide.assign(judged=wide.sum(axis=1)).reset_index(drop=True)


def cot_rows(study: Study, counts: Counts) -> Iterator[dict[str, Any]]:
    """Yield CoT-pass@k per judge, cell and k, with the bounds of what is not decided."""
    for one in study.judgings:
        cell, table = study.cell(one.cell), counts[one.cell]
        found = judgements_by_problem(read_judgements(one), table)
        correct = table["correct"].to_numpy()
        unjudged = correct - found["judged"].to_numpy()
        unclear, sound = (found[name].to_numpy() for name in ("unclear", "sound"))
        ks = [k for k in study.k if k <= cell.n]
        if not ks:
            continue
        graded, least, value, most = (
            estimate_curve(table["n"], kept, ks, clusters=clusters_of(table), method=study.interval)
            for kept in (correct, sound, sound + unjudged, sound + unjudged + unclear)
        )
        for place, k in enumerate(ks):
            yield {
                **names(cell),
                "judge": one.judge,
                "label": cell.label or cell.id,
                "k": k,
                "n": cell.n,
                "problems": len(table),
                "pass_at_k": graded.value[place],
                "cot_pass_at_k": value.value[place],
                "ci_low": value.low[place],
                "ci_high": value.high[place],
                "bound_low": least.value[place],
                "bound_high": most.value[place],
                "unjudged_share": float(np.sum(unjudged) / max(1, np.sum(correct))),
            }
