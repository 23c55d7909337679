"""Warnings: reasons to doubt a number. A warning that many curves share is one line."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

import pandas as pd

from passk.analysis.study import Study
from passk.core.artifacts import read_manifest
from passk.report.findings import Row, percent, records, with_thousands
from passk.stats import MIN_PROBLEMS

SHARE_LIMIT = 0.05
"""Share of truncated or unanswered responses above which the page warns."""

MAX_NAMED_CURVES = 3
"""Up to this many curves, a warning names each one with its own number."""

Rule = tuple[Callable[[Row], bool], Callable[[Sequence[Row]], str]]
"""Predicate on a curve's row, and the warning for one or several such rows."""


def warnings(study: Study, frames: Mapping[str, pd.DataFrame]) -> Iterator[str]:
    """Yield the warnings of a study, benchmark by benchmark."""
    summary = frames["summary"]
    suspects = set(summary.loc[summary["errors"] > 0, "cell"])
    unsampled = {name: _count_unsampled(study, name) for name in suspects}
    summary = summary.assign(unsampled=summary["cell"].map(unsampled).fillna(0).astype(int))
    yield from _by_rule(study, summary, RESPONSE_RULES)
    ends = _ends(study, frames["pass_at_k"])
    yield from _near_n(study, ends)
    yield from _by_rule(study, ends, GUESSING_RULES)
    yield from _by_rule(study, _fitted(study, frames["extrapolation"]), FIT_RULES)


def _by_rule(study: Study, table: pd.DataFrame, rules: Sequence[Rule]) -> Iterator[str]:
    """Yield the warnings of some rules: per curve, or one for all if there are many."""
    for benchmark, part in table.groupby("benchmark", sort=False):
        rows = records(part)
        for applies, words in rules:
            found = [row for row in rows if applies(row)]
            lines = [found] if len(found) > MAX_NAMED_CURVES else [[row] for row in found]
            for line in lines:
                yield f"{join_labels(line)} on {study.title_of(str(benchmark))}: {words(line)}"


def join_labels(rows: Sequence[Row]) -> str:
    """Return the labels of some curves; of many only the number and the first label."""
    labels = [str(row["label"]) for row in rows]
    if len(labels) <= MAX_NAMED_CURVES:
        return ", ".join(labels)
    return f"{len(labels)} curves ({labels[0]}, …)"


def _span(rows: Sequence[Row], name: str) -> str:
    """Return a share over several curves as text: one value, or min to max."""
    low, high = (percent(end(row[name] for row in rows)) for end in (min, max))
    return low if low == high else f"{low} to {high}"


def _few(rows: Sequence[Row]) -> str:
    return (
        f"{min(row['problems'] for row in rows)} problems; with fewer than {MIN_PROBLEMS}, "
        "intervals over problems are unreliable."
    )


def _truncated(rows: Sequence[Row]) -> str:
    return f"{_span(rows, 'truncated_share')} of the responses were truncated at the token limit."


def _unanswered(rows: Sequence[Row]) -> str:
    return f"{_span(rows, 'no_answer_share')} of the responses have no answer."


def _repeated(rows: Sequence[Row]) -> str:
    found, expected = (sum(row[name] for row in rows) for name in ("repeats", "expected_repeats"))
    return (
        f"{with_thousands(found)} responses repeat another one to the same problem; their "
        f"log-probabilities predict about {with_thousands(expected)}. Suspect the sampler: a seed "
        "used twice, or one response returned several times."
    )


def _ungraded(rows: Sequence[Row]) -> str:
    timeouts, errors = (sum(row[name] for row in rows) for name in ("timeouts", "errors"))
    errors -= sum(row["unsampled"] for row in rows)
    return (
        f"grading failed on {timeouts + errors} responses ({timeouts} timed out); they count as "
        "not correct."
    )


def _unsampled(rows: Sequence[Row]) -> str:
    return (
        f"{with_thousands(sum(row['unsampled'] for row in rows))} responses could not be sampled "
        "(the server refused or failed them); they count as not correct, and in `pass@k at most` "
        "as correct. `passk retry SPEC` samples them again."
    )


def _count_unsampled(study: Study, cell: str) -> int:
    """Return how many responses of a cell could not be sampled, as the manifests say."""
    manifests = (read_manifest(path) or {} for path in study.cell(cell).samples)
    return sum(found.get("refused", 0) + found.get("failed", 0) for found in manifests)


def _guessed(rows: Sequence[Row]) -> str:
    return (
        f"at k = {max(row['k'] for row in rows)} the guess floor is "
        f"{_span(rows, 'guess_floor')}, more than half of pass@k "
        f"({_span(rows, 'pass_at_k')}): much of it may be guessing."
    )


def _unfitted(rows: Sequence[Row]) -> str:
    return (
        "not extrapolated: no mixture of success rates fits the counts of "
        f"{len(rows)} {'curve' if len(rows) == 1 else 'curves'}."
    )


RESPONSE_RULES: tuple[Rule, ...] = (
    (lambda row: row["problems"] < MIN_PROBLEMS, _few),
    (lambda row: row["truncated_share"] > SHARE_LIMIT, _truncated),
    (lambda row: row["no_answer_share"] > SHARE_LIMIT, _unanswered),
    (lambda row: bool(row["repeats_alarm"]), _repeated),
    (lambda row: bool(row["unsampled"]), _unsampled),
    (lambda row: row["timeouts"] + row["errors"] > row["unsampled"], _ungraded),
)
"""Rules on truncation, missing answers, repeats and grading; rows of the table `summary`."""

GUESSING_RULES: tuple[Rule, ...] = (
    (lambda row: row["guess_floor"] > row["pass_at_k"] / 2, _guessed),
)
"""Rules on the last defined k of each curve."""

FIT_RULES: tuple[Rule, ...] = ((lambda row: not row["fits"], _unfitted),)
"""Rules on extrapolated curves."""


def _ends(study: Study, table: pd.DataFrame) -> pd.DataFrame:
    """Return the row of each curve's last defined k with its label, in the spec's order."""
    labels = {cell.id: cell.label or cell.id for cell in study.cells}
    defined = table.dropna(subset="pass_at_k")
    last = defined.sort_values("k").groupby("cell", sort=False).tail(1)
    last = last.assign(label=last["cell"].map(labels), order=last["cell"].map(list(labels).index))
    return last.sort_values("order")


def _near_n(study: Study, ends: pd.DataFrame) -> Iterator[str]:
    """Yield warnings for k too close to n."""
    close = ends[2 * ends["k"] > ends["n"]]
    for (benchmark, *ends_at), rows in close.groupby(["benchmark", "k", "n"], sort=False):
        k, n = (int(str(end)) for end in ends_at)
        labels = [{"label": label} for label in rows["label"]]
        subject = f"{join_labels(labels)} on {study.title_of(str(benchmark))}"
        yield (
            f"{subject}: k reaches {k} with n = {n}; above k = {n // 2} the sampling noise cannot "
            f"be estimated. n = {4 * k} would be enough."
        )


def _fitted(study: Study, table: pd.DataFrame) -> pd.DataFrame:
    """Return one row per extrapolated curve, with its label."""
    labels = {cell.id: cell.label or cell.id for cell in study.cells}
    rows = table[table["metric"] == "pass@k"].drop_duplicates("cell")
    return rows.assign(label=rows["cell"].map(labels))


def mixed_dtypes(study: Study, manifests: Sequence[Row]) -> Iterator[str]:
    """Yield a warning per cell whose responses were computed in more than one dtype."""
    for cell in study.cells:
        own = [m for m in manifests if m.get("cell") == cell.id and m.get("dtype")]
        dtypes = {dtype for manifest in own for dtype in str(manifest["dtype"]).split(" and ")}
        if len(dtypes) > 1:
            yield (
                f"{cell.label or cell.id} on {study.title_of(cell.benchmark)}: responses were "
                f"drawn in {' and '.join(sorted(dtypes))}, whose rounding differs."
            )
