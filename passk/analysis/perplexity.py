"""The perplexity table: a row per scoring, problem and class of responses.

Classes are of responses (correct, wrong) and of problems: solved by both, by the base alone, by
the tuned model alone, or by neither, for each comparison that the scored responses take part in.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd

from passk.analysis.clusters import clusters_of
from passk.analysis.pairs import Pair
from passk.analysis.study import Scoring, Study
from passk.analysis.table_schemas import table_schemas
from passk.core.artifacts import read_manifest
from passk.core.schemas import Score, Verdict, read_table
from passk.stats import unbounded_mean

SUBSETS = {
    "all": None,
    "correct": ("correct",),
    "wrong": ("wrong", "no_answer"),
}
"""Which verdicts a subset takes; responses whose grading failed are in `all` alone."""

SOLVED = {
    "both": "solved by both",
    "base_only": "solved by base alone",
    "tuned_only": "solved by tuned alone",
    "neither": "solved by neither",
}
"""Coverage category -> subset of the problems that fall into it, at n tries."""


def perplexity_table(study: Study, pairs: Sequence[Pair]) -> pd.DataFrame:
    """Return the number of responses, and median and pooled perplexity, per scoring and problem.

    `median` is over responses; `pooled` is exp(-sum logprob / sum tokens) over all of them
    (tokens as the scorer counts them). In subsets by who solves a problem, `against` is the tuned
    cell of the comparison. `empty` responses have no perplexity and count in nothing else;
    `tokens_are` says whether the sampler's own tokens were scored or the text tokenised again.
    """
    scorings = [scoring for scoring in study.scores if scoring.files]
    parts = [part for scoring in scorings for part in _parts(study, scoring, pairs)]
    columns = table_schemas()["perplexity"].names
    return pd.concat(parts, ignore_index=True)[columns] if parts else pd.DataFrame(columns=columns)


def _parts(study: Study, scoring: Scoring, pairs: Sequence[Pair]) -> Iterator[pd.DataFrame]:
    """Yield the rows of each subset of one scoring."""
    cell = next((cell for cell in study.cells if cell.id == scoring.cell), None)
    step = cell.step if cell else None
    for subset, against, chosen in _subsets(scoring, _read(scoring), pairs):
        if not chosen.empty:
            yield _summarise(chosen).assign(
                scoring=scoring.id,
                scorer=scoring.scorer,
                scorer_label=scoring.scorer_label or scoring.scorer,
                responses_of=scoring.responses_of,
                model=cell.model if cell else "",
                cell=scoring.cell or "",
                reference=scoring.reference or "",
                benchmark=scoring.benchmark,
                tokens_are=_tokens_are(scoring),
                sampler=scoring.sampler,
                step=np.nan if step is None else float(step),
                subset=subset,
                against=against,
            )


def _tokens_are(scoring: Scoring) -> str:
    """Return by which tokens the responses of a scoring were scored, as the manifests say."""
    found = ((read_manifest(path) or {}).get("tokens_are", "") for path in scoring.files)
    return "; ".join(sorted({str(words) for words in found if words}))


def _subsets(
    scoring: Scoring, scores: pd.DataFrame, pairs: Sequence[Pair]
) -> Iterator[tuple[str, str, pd.DataFrame]]:
    """Yield (subset, tuned cell of the comparison that it is of, scores)."""
    for subset, verdicts in SUBSETS.items():
        yield subset, "", scores if verdicts is None else scores[scores["verdict"].isin(verdicts)]
    for pair in pairs:
        if pair.cell.benchmark == scoring.benchmark and (
            scoring.cell in (None, pair.cell.id, pair.base.id)
        ):
            who = pd.Series(pair.categories(), index=pair.counts["problem_id"])
            category = scores["problem_id"].map(who)
            for name, subset in SOLVED.items():
                yield subset, pair.cell.id, scores[category == name]


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
    """Return one row per problem, in order of first appearance; empty responses are left out."""
    grouped = scores.assign(empty=scores["n_tokens"] == 0).groupby("problem_id", sort=False)
    table = grouped.agg(
        responses=("perplexity", "count"),
        empty=("empty", "sum"),
        tokens=("n_tokens", "sum"),
        median=("perplexity", "median"),
        total=("sum_logprob", "sum"),
    ).reset_index()
    tokens = table["tokens"].where(table["tokens"] > 0, np.nan)
    return table.assign(pooled=np.exp(-table["total"] / tokens)).drop(columns="total")


def perplexity_contrasts(
    table: pd.DataFrame, pairs: Sequence[Pair]
) -> Iterator[dict[str, str | int | float]]:
    """Yield, per comparison and scorer, how likely tuned responses are beside the base's.

    The geometric mean over problems of the ratio of median perplexities, problem by problem, with
    its interval over problems; 1 inside it: no difference shown.

    Args:
        table: what `perplexity_table` returned.
        pairs: comparisons of the study.
    """
    every = table[(table["subset"] == "all") & (table["responses"] > 0)]
    for pair in pairs:
        own, base = (every[every["cell"] == cell.id] for cell in (pair.cell, pair.base))
        for scorer in dict.fromkeys(own["scorer"]):
            both = own[own["scorer"] == scorer].merge(
                base[base["scorer"] == scorer], on="problem_id", suffixes=("", "_base")
            )
            if both.empty:
                continue
            names = clusters_of(pair.counts)
            cluster = None
            if names is not None:
                by_problem = dict(zip(pair.counts["problem_id"], names, strict=True))
                cluster = both["problem_id"].map(by_problem).to_numpy()
            logs = np.log(both["median"] / both["median_base"]).to_numpy()[:, None]
            mean, low, high = (float(np.exp(part[0])) for part in unbounded_mean(logs, cluster))
            first = both.iloc[0]
            yield {
                **{name: first[name] for name in ("benchmark", "sampler", "scorer")},
                "scorer_label": first["scorer_label"],
                "model": pair.cell.model,
                "cell": pair.cell.id,
                "base": pair.base.id,
                "problems": len(both),
                "ratio": mean,
                "ratio_low": low,
                "ratio_high": high,
            }
