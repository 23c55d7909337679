"""Findings: each comparison in words, for captions and the top of the report."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import pandas as pd

from passk.core.schemas import DECISIONS, KINDS
from passk.stats import CATEGORIES

Lead = Literal["ahead", "behind", "unclear"]

MINUS = "\N{MINUS SIGN}"

HEADLINES: Mapping[tuple[Lead, Lead], str] = {
    ("ahead", "behind"): "{tuned} needs fewer tries, but solves fewer problems at k = {k_max}",
    ("ahead", "unclear"): "{tuned} needs fewer tries; no significant difference at k = {k_max}",
    ("ahead", "ahead"): "{tuned} is ahead at k = 1 and at k = {k_max}",
    ("behind", "behind"): "{tuned} is behind at k = 1 and at k = {k_max}",
    ("behind", "unclear"): "{tuned} is behind at k = 1; no significant difference at k = {k_max}",
    ("behind", "ahead"): "{tuned} is behind at k = 1, but solves more problems at k = {k_max}",
    (
        "unclear",
        "behind",
    ): "{tuned} solves fewer problems at k = {k_max}; no significant difference at k = 1",
    (
        "unclear",
        "ahead",
    ): "{tuned} solves more problems at k = {k_max}; no significant difference at k = 1",
    ("unclear", "unclear"): "No significant difference between {tuned} and {base}",
}


Row = Mapping[str, Any]
"""A row of a table: its columns by name."""


def records(table: pd.DataFrame) -> list[Row]:
    """Return the rows of a table."""
    return [{str(name): value for name, value in row.items()} for row in table.to_dict("records")]


@dataclass(frozen=True, slots=True)
class Finding:
    """The finding of one comparison.

    Attributes:
        benchmark: name of the benchmark.
        cell: id of the compared cell.
        tuned: its label.
        base: label of its base.
        headline: the finding in one line.
        sentences: the numbers behind it.
        leads: whether the tuned model leads at k = 1 and at k_max, by the 95 % interval.
    """

    benchmark: str
    cell: str
    tuned: str
    base: str
    headline: str
    sentences: tuple[str, ...]
    leads: tuple[Lead, Lead]


def percent(value: float) -> str:
    """Return a rate as a percentage with one decimal.

    >>> percent(0.1234)
    '12.3 %'
    """
    return "undefined" if math.isnan(value) else f"{100 * value:.1f} %"


def with_thousands(number: float) -> str:
    """Return a count with thin spaces between thousands."""
    return f"{int(number):,}".replace(",", "\N{NARROW NO-BREAK SPACE}")


def interval(low: float, high: float) -> str:
    """Return an interval of rates in percentage points."""
    return f"[{signed(low)}, {signed(high)}]"


def signed(value: float) -> str:
    """Return a rate in points with one decimal and a true minus sign, never "-0.0"."""
    text = f"{100 * value:.1f}"
    return text.removeprefix("-") if float(text) == 0 else text.replace("-", MINUS)


def lead(low: float, high: float) -> Lead:
    """Return whether the tuned model is ahead: unclear if the interval contains zero."""
    if low > 0:
        return "ahead"
    return "behind" if high < 0 else "unclear"


def findings(
    summary: pd.DataFrame,
    deltas: pd.DataFrame,
    confirmed: pd.DataFrame,
    design: pd.DataFrame | None = None,
) -> list[Finding]:
    """Return one finding per comparison, in the order of the summary table.

    With the table `design` a finding says what the study could have shown.
    """
    labels = dict(zip(summary["cell"], summary["label"], strict=True))
    compared = records(summary[summary["base"].notna()])
    rows = ((row, deltas[deltas["cell"] == row["cell"]].dropna(subset="delta")) for row in compared)
    shown = {} if design is None else {row["cell"]: row for row in records(design)}
    return [
        _finding(
            row,
            curve,
            labels,
            confirmed[confirmed["cell"] == row["cell"]],
            shown.get(row["cell"]),
        )
        for row, curve in rows
        if not curve.empty
    ]


def _finding(
    row: Row,
    curve: pd.DataFrame,
    labels: Mapping[str, str],
    confirmed: pd.DataFrame,
    design: Row | None,
) -> Finding:
    """Return the finding of one comparison."""
    curve = curve.sort_values("k")
    tuned, base = labels[row["cell"]], labels[row["base"]]
    first, last = curve.iloc[0], curve.iloc[-1]
    leads = (lead(first["ci_low"], first["ci_high"]), lead(last["ci_low"], last["ci_high"]))
    names = {"tuned": tuned, "base": base, "k_max": int(last["k"])}
    sentences = (
        _difference(first, tuned),
        crossing(row, base, int(last["k"])),
        *([_difference(last, tuned)] if len(curve) > 1 else []),
        *([describe_detectable(design)] if design else []),
        _coverage(row, tuned, base),
        *confirmation(confirmed),
    )
    headline = HEADLINES[leads].format(**names)
    return Finding(row["benchmark"], row["cell"], tuned, base, headline, sentences, leads)


def _difference(row: pd.Series[Any], tuned: str) -> str:
    """Return the difference at one k in words."""
    delta, low, high = row["delta"], row["ci_low"], row["ci_high"]
    k = int(row["k"])
    who = lead(low, high)
    if who == "unclear":
        numbers = f"{signed(delta)} points {interval(low, high)}"
        return f"At k = {k}, there is no significant difference ({numbers})."
    ends = (low, high) if who == "ahead" else (-high, -low)
    return f"At k = {k}, {tuned} is {who} by {signed(abs(delta))} points {interval(*ends)}."


def describe_detectable(row: Row) -> str:
    """Return what a study can show at one k in words.

    >>> row = {"k": 8, "problems": 30, "n": 16}
    >>> describe_detectable(row | {"detectable_loss": -0.1, "detectable_gain": math.nan})
    'With power 0.8, 30 problems x 16 responses show a loss of 10.0 points at k = 8, but no gain.'
    """
    loss, gain = row["detectable_loss"], row["detectable_gain"]
    sides = [
        f"a {word} of {signed(abs(size))} points"
        for word, size in (("loss", loss), ("gain", gain))
        if not math.isnan(size)
    ]
    missing = [word for word, size in (("loss", loss), ("gain", gain)) if math.isnan(size)]
    size = f"{row['problems']} problems x {row['n']} responses"
    if not sides:
        return f"{size} show no difference with power 0.8 at k = {row['k']}."
    but = f", but no {missing[0]}" if missing else ""
    return f"With power 0.8, {size} show {' or '.join(sides)} at k = {row['k']}{but}."


def crossing(row: Row, base: str, k_max: int) -> str:
    """Return in words where the base overtakes, with its interval, or that it does not."""
    point, low, high = (row[f"crossover_{end}"] for end in ("k", "low", "high"))
    ends = f"[{_tries(low, k_max)}, {_tries(high, k_max)}]"
    if math.isinf(point):
        possible = "" if math.isinf(low) else f"; the interval of a crossover is {ends}"
        return f"{base} does not overtake up to k = {k_max}{possible}."
    if point <= 1:
        return f"{base} is ahead from k = 1 on; the interval of the crossover is {ends}."
    return f"{base} overtakes at k ≈ {int(point)} {ends}."


def _tries(k: float, k_max: int) -> str:
    """Return a crossover as a number or as none."""
    return f"none ≤ {k_max}" if math.isinf(k) else str(int(k))


def _coverage(row: Row, tuned: str, base: str) -> str:
    """Return problems lost and gained in words, and how many significantly."""
    lost, gained, neither = (
        _problems(row, name) for name in ("base_only", "tuned_only", "neither")
    )
    sure_lost, sure_gained = int(row["lost_significant"]), int(row["gained_significant"])
    named = f"{sure_lost} and {sure_gained} of these" if sure_lost + sure_gained else "none"
    problems = round(sum(row[name] for name in CATEGORIES))
    where = " at the smaller n of both (expected numbers)" if _expected(row) else ""
    some = row["base_only"] + row["tuned_only"] > 0
    return (
        f"Of {problems} problems, {base} alone solves {lost} and {tuned} alone {gained}{where}; "
        f"{f'{named} significantly (familywise error 5 %); ' if some else ''}"
        f"neither solves {neither}."
    )


def confirmation(confirmed: pd.DataFrame) -> Iterator[str]:
    """Yield what fresh draws decide of one comparison's lost, gained and rare problems."""
    if confirmed.empty:
        return
    parts = []
    for kind in (kind for kind in KINDS if (confirmed["kind"] == kind).any()):
        sizes = confirmed.loc[confirmed["kind"] == kind, "decision"].value_counts()
        rare = kind == "rare"
        words = {"confirmed": "solved again", "open": "not again"} if rare else {}
        decisions = [d for d in DECISIONS if not (rare and d == "refuted")]
        listed = ", ".join(f"{words.get(d, d)} {sizes.get(d, 0)}" for d in decisions)
        parts.append(f"{kind} {sizes.sum()}: {listed}")
    drawn, most = (2 * int(confirmed[name].sum()) for name in ("fresh_n", "fresh_n_max"))
    saved = f" of {with_thousands(most)}" if drawn < most else ""
    stopped = ": decided problems stop early" if saved else ""
    yield (
        f"Drawn again with fresh seeds: {'; '.join(parts)} (familywise error 5 %; "
        f"{with_thousands(drawn)}{saved} responses{stopped})."
    )


def _expected(row: Row) -> bool:
    """Return whether problems are counted at a smaller n than one model has."""
    return any(row.get(f"{name}_sd", 0) > 0 for name in CATEGORIES)


def _problems(row: Row, name: str) -> str:
    """Return a number of problems; an expected one with its standard deviation.

    >>> _problems({"base_only": 3.0, "base_only_sd": 0.0}, "base_only")
    '3'
    """
    deviation = row.get(f"{name}_sd", 0)
    return f"{row[name]:.1f} ± {deviation:.1f}" if deviation > 0 else str(round(row[name]))
