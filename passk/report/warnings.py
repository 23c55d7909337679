"""What a reader should know before believing a number; what many curves share is one line."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import pandas as pd

from passk.analysis.study import Study
from passk.report.findings import big, percent
from passk.stats import MIN_PROBLEMS

SHARE_LIMIT = 0.05
"""Share of truncated or unanswered responses from which on the page warns."""

ALONE = 3
"""Curves of a benchmark up to which a warning names each with its own number."""

Row = Mapping[str, Any]
Rule = tuple[Callable[[Row], bool], Callable[[Sequence[Row]], str]]
"""Whether a row of a curve is warned of, and what is said of one or of several."""


def warnings(study: Study, frames: Mapping[str, pd.DataFrame]) -> Iterator[str]:
    """Yield the warnings of a study, benchmark by benchmark."""
    yield from _by_rule(study, frames["summary"], CONDUCT)
    ends = _ends(study, frames["pass_at_k"])
    yield from _near_n(study, ends)
    yield from _by_rule(study, ends, GUESSING)
    yield from _by_rule(study, _fitted(study, frames["extrapolation"]), FITTING)


def _by_rule(study: Study, table: pd.DataFrame, rules: Sequence[Rule]) -> Iterator[str]:
    """Yield what the rules say of each curve, or of all that one applies to where they are many."""
    for benchmark, part in table.groupby("benchmark", sort=False):
        rows = [
            {str(name): value for name, value in row.items()} for row in part.to_dict("records")
        ]
        for applies, words in rules:
            found = [row for row in rows if applies(row)]
            lines = [found] if len(found) > ALONE else [[row] for row in found]
            for line in lines:
                yield f"{named(line)} on {study.title_of(str(benchmark))}: {words(line)}"


def named(rows: Sequence[Row]) -> str:
    """Return the labels of some curves: all of a few, else how many they are and the first."""
    labels = [str(row["label"]) for row in rows]
    if len(labels) <= ALONE:
        return ", ".join(labels)
    return f"{len(labels)} curves ({labels[0]}, …)"


def _span(rows: Sequence[Row], name: str) -> str:
    """Return a share that several curves have: one value, or from the least to the largest."""
    low, high = (percent(end(row[name] for row in rows)) for end in (min, max))
    return low if low == high else f"{low} to {high}"


def _few(rows: Sequence[Row]) -> str:
    return (
        f"{min(row['problems'] for row in rows)} problems; below {MIN_PROBLEMS} no interval over "
        "problems is to be leaned on."
    )


def _truncated(rows: Sequence[Row]) -> str:
    return f"{_span(rows, 'truncated_share')} of the responses were cut at the token limit."


def _unanswered(rows: Sequence[Row]) -> str:
    return f"{_span(rows, 'no_answer_share')} of the responses state no answer."


def _repeated(rows: Sequence[Row]) -> str:
    found, expected = (sum(row[name] for row in rows) for name in ("repeats", "expected_repeats"))
    return (
        f"{big(found)} responses repeat another to the same problem, where their "
        f"log-probabilities allow about {big(expected)}: the sampler is at fault (a seed used "
        "twice, or one response given for several)."
    )


def _ungraded(rows: Sequence[Row]) -> str:
    timeouts, errors = (sum(row[name] for row in rows) for name in ("timeouts", "errors"))
    return (
        f"grading failed on {timeouts + errors} responses ({timeouts} timed out); they count as "
        "not correct."
    )


def _guessed(rows: Sequence[Row]) -> str:
    return (
        f"at k = {max(row['k'] for row in rows)} the guess floor is "
        f"{_span(rows, 'guess_floor')}, more than half of pass@k "
        f"({_span(rows, 'pass_at_k')}): much of it may be guessing."
    )


def _unfitted(rows: Sequence[Row]) -> str:
    return (
        "nothing is extrapolated; the counts do not fit the model "
        f"(p = {max(row['fit_p'] for row in rows):.2g})."
    )


CONDUCT: tuple[Rule, ...] = (
    (lambda row: row["problems"] < MIN_PROBLEMS, _few),
    (lambda row: row["truncated_share"] > SHARE_LIMIT, _truncated),
    (lambda row: row["no_answer_share"] > SHARE_LIMIT, _unanswered),
    (lambda row: bool(row["repeats_alarm"]), _repeated),
    (lambda row: bool(row["timeouts"] or row["errors"]), _ungraded),
)
"""Of how responses ended and how grading went; rows of the table `summary`."""

GUESSING: tuple[Rule, ...] = ((lambda row: row["guess_floor"] > row["pass_at_k"] / 2, _guessed),)
"""Of the last defined k of each curve."""

FITTING: tuple[Rule, ...] = ((lambda row: not row["fits"], _unfitted),)
"""Of what was to be extrapolated."""


def _ends(study: Study, table: pd.DataFrame) -> pd.DataFrame:
    """Return the row of the last defined k of each curve with its label, in the spec's order."""
    labels = {cell.id: cell.label or cell.id for cell in study.cells}
    defined = table.dropna(subset="pass_at_k")
    last = defined.sort_values("k").groupby("cell", sort=False).tail(1)
    last = last.assign(label=last["cell"].map(labels), place=last["cell"].map(list(labels).index))
    return last.sort_values("place")


def _near_n(study: Study, ends: pd.DataFrame) -> Iterator[str]:
    """Yield where k is too close to n."""
    close = ends[2 * ends["k"] > ends["n"]]
    for (benchmark, *ends_at), rows in close.groupby(["benchmark", "k", "n"], sort=False):
        k, n = (int(str(end)) for end in ends_at)
        labels = [{"label": label} for label in rows["label"]]
        yield (
            f"{named(labels)} on {study.title_of(str(benchmark))}: k reaches {k} with n = {n}; "
            f"above k = {n // 2} the sampling noise cannot be told from the data. n = {4 * k} "
            "would be ample."
        )


def _fitted(study: Study, table: pd.DataFrame) -> pd.DataFrame:
    """Return what was extrapolated, a row per curve with its label."""
    labels = {cell.id: cell.label or cell.id for cell in study.cells}
    rows = table.drop_duplicates("cell")
    return rows.assign(label=rows["cell"].map(labels))
