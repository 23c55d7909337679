"""The perplexity table: a row per scoring, problem and class of responses."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from passk.records import Score, Verdict, read_table
from passk.results import Scoring, Study

COLUMNS = [
    "scoring",
    "scorer",
    "scorer_label",
    "responses_of",
    "cell",
    "reference",
    "benchmark",
    "sampler",
    "problem_id",
    "subset",
    "responses",
    "tokens",
    "median",
    "pooled",
]

SUBSETS = {
    "all": None,
    "correct": ("correct",),
    "wrong": ("wrong", "no_answer"),
}
"""Which verdicts a subset takes; responses whose grading failed are in `all` alone."""


def perplexity_table(study: Study) -> pd.DataFrame:
    """Return the number of responses, and median and pooled perplexity, per scoring and problem.

    `median` is over responses; `pooled` is exp(-sum logprob / sum tokens) over all of them
    (tokens as the scorer counts them).
    """
    parts = [part for scoring in study.scores if scoring.files for part in _parts(scoring)]
    if not parts:
        return pd.DataFrame(columns=COLUMNS).astype({"median": float, "pooled": float})
    return pd.concat(parts, ignore_index=True)[COLUMNS]


def _parts(scoring: Scoring) -> Iterator[pd.DataFrame]:
    """Yield the rows of each subset of one scoring."""
    scores = _read(scoring)
    for subset, verdicts in SUBSETS.items():
        chosen = scores if verdicts is None else scores[scores["verdict"].isin(verdicts)]
        if not chosen.empty:
            yield _summarise(chosen).assign(
                scoring=scoring.id,
                scorer=scoring.scorer,
                scorer_label=scoring.scorer_label or scoring.scorer,
                responses_of=scoring.responses_of,
                cell=scoring.cell or "",
                reference=scoring.reference or "",
                benchmark=scoring.benchmark,
                sampler=scoring.sampler,
                subset=subset,
            )


def _read(scoring: Scoring) -> pd.DataFrame:
    """Return the Score rows of a scoring with the verdict on each response ("" without one)."""
    scores: pd.DataFrame = pd.concat(
        [read_table(path, Score).to_pandas() for path in scoring.files], ignore_index=True
    )
    if not scoring.verdicts:
        return scores.assign(verdict="")
    columns = ["problem_id", "sample", "verdict"]
    tables = [read_table(path, Verdict, columns).to_pandas() for path in scoring.verdicts]
    on = ["problem_id", "sample"]
    joined: pd.DataFrame = scores.merge(pd.concat(tables), on=on, how="left")
    return joined.fillna({"verdict": ""})


def _summarise(scores: pd.DataFrame) -> pd.DataFrame:
    """Return one row per problem, in order of first appearance."""
    grouped = scores.groupby("problem_id", sort=False)
    table = grouped.agg(
        responses=("sample", "size"),
        tokens=("n_tokens", "sum"),
        median=("perplexity", "median"),
        total=("sum_logprob", "sum"),
    ).reset_index()
    tokens = table["tokens"].where(table["tokens"] > 0, np.nan)
    return table.assign(pooled=np.exp(-table["total"] / tokens)).drop(columns="total")
