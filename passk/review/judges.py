"""Judges against people: how often they agree, and CoT-pass@k corrected for a judge's errors."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

import pandas as pd

from passk.analysis.columns import names
from passk.analysis.judged import judgements_by_problem, read_judgements
from passk.analysis.study import Study
from passk.review.agreement import consensus_of
from passk.review.labels import LabelsByResponse
from passk.review.queue import Key, Row
from passk.stats.judged import JudgedCounts, LabelTable, agreement_interval, corrected_curve

METRICS = ("sensitivity", "specificity", "kappa")


def label_tables(study: Study, reviewers: Mapping[str, LabelsByResponse]) -> dict[str, LabelTable]:
    """Return judge -> its judgements on responses that people call valid or flawed."""
    found: dict[str, Counter[tuple[str, bool]]] = {}
    for one in study.judgings:
        tally = found.setdefault(one.judge, Counter())
        table = read_judgements(one)
        rows = zip(table["problem_id"], table["sample"], table["judgement"], strict=True)
        for problem, sample, judgement in rows:
            label = consensus_of(reviewers, Key(one.cell, problem, sample))
            tally[label, judgement == "sound"] += 1
    return {
        judge: LabelTable(
            tally["valid", True],
            tally["valid", False],
            tally["flawed", True],
            tally["flawed", False],
        )
        for judge, tally in found.items()
    }


def judge_rows(study: Study, reviewers: Mapping[str, LabelsByResponse]) -> Iterator[Row]:
    """Yield sensitivity, specificity and kappa of each judge of which labels say anything."""
    for judge, labels in label_tables(study, reviewers).items():
        tallies = {name: getattr(labels, name) for name in LabelTable.__dataclass_fields__}
        if not any(tallies.values()):
            continue
        ends = zip(METRICS, *agreement_interval(labels), strict=True)
        for metric, value, lower, upper in ends:
            found = {"metric": metric, "value": value, "lower": lower, "upper": upper}
            yield {"judge": judge, **found, **tallies}


def corrected_rows(
    study: Study, reviewers: Mapping[str, LabelsByResponse], counts: Mapping[str, pd.DataFrame]
) -> Iterator[Row]:
    """Yield corrected CoT-pass@k per judge, cell and k, where labels are valid and flawed ones.

    Imported problems with fewer responses than others have no corrected curve.
    """
    labels = label_tables(study, reviewers)
    for one in study.judgings:
        found, cell, table = labels[one.judge], study.cell(one.cell), counts[one.cell]
        valid = found.valid_sound + found.valid_other
        flawed = found.flawed_sound + found.flawed_other
        ks = [k for k in study.k if k <= cell.n]
        if not (valid and flawed and ks) or (table["n"] != cell.n).any():
            continue
        judged = judgements_by_problem(read_judgements(one), table)
        correct = table["correct"].to_numpy()
        sound, read = (judged[name].to_numpy() for name in ("sound", "judged"))
        curves = corrected_curve(JudgedCounts(cell.n, correct, read, sound), found, ks)
        for k, value, lower, upper in zip(ks, *curves, strict=True):
            about = {"judge": one.judge, "label": cell.label or cell.id}
            size = {"k": k, "n": cell.n, "problems": len(table)}
            yield {**names(cell), **about, **size, "value": value, "lower": lower, "upper": upper}
