"""What the tables say, in plain words: used by captions and on the report's first screen."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import pandas as pd

Lead = Literal["ahead", "behind", "unclear"]

MINUS = "\N{MINUS SIGN}"

HEADLINES: Mapping[tuple[Lead, Lead], str] = {
    ("ahead", "behind"): "{tuned} gets there in fewer tries, but reaches fewer problems",
    ("ahead", "unclear"): "{tuned} gets there in fewer tries; no difference shown at k = {k_max}",
    ("ahead", "ahead"): "{tuned} is ahead with one try and with {k_max}",
    ("behind", "behind"): "{tuned} is behind with one try and with {k_max}",
    ("behind", "unclear"): "{tuned} is behind with one try; no difference shown at k = {k_max}",
    ("behind", "ahead"): "{tuned} is behind with one try, but reaches more problems",
    ("unclear", "behind"): "{tuned} reaches fewer problems; no difference shown with one try",
    ("unclear", "ahead"): "{tuned} reaches more problems; no difference shown with one try",
    ("unclear", "unclear"): "{tuned} and {base} are not distinguishable here",
}


@dataclass(frozen=True, slots=True)
class Finding:
    """What one comparison shows.

    Attributes:
        benchmark: name of the benchmark.
        cell: id of the compared cell.
        tuned: its label.
        base: label of its base.
        headline: the finding in one line.
        sentences: the numbers behind it.
        leads: who leads at k = 1 and at k_max, as far as the interval can tell.
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


def big(number: float) -> str:
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
    """Return who is ahead, if the interval of the difference excludes zero."""
    if low > 0:
        return "ahead"
    return "behind" if high < 0 else "unclear"


def findings(summary: pd.DataFrame, deltas: pd.DataFrame) -> list[Finding]:
    """Return one finding per comparison, in the order of the summary table."""
    labels = dict(zip(summary["cell"], summary["label"], strict=True))
    compared = summary[summary["base"].notna()].to_dict("records")
    rows = ((row, deltas[deltas["cell"] == row["cell"]].dropna(subset="delta")) for row in compared)
    return [
        _finding({str(name): value for name, value in row.items()}, curve, labels)
        for row, curve in rows
        if not curve.empty
    ]


def _finding(row: Mapping[str, Any], curve: pd.DataFrame, labels: Mapping[str, str]) -> Finding:
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
        _coverage(row, tuned, base),
    )
    headline = HEADLINES[leads].format(**names)
    return Finding(row["benchmark"], row["cell"], tuned, base, headline, sentences, leads)


def _difference(row: pd.Series[Any], tuned: str) -> str:
    """Say how far apart the two are at one k."""
    delta, low, high = row["delta"], row["ci_low"], row["ci_high"]
    k = int(row["k"])
    who = lead(low, high)
    if who == "unclear":
        numbers = f"{signed(delta)} points {interval(low, high)}"
        return f"At k = {k} the two are not distinguishable ({numbers})."
    ends = (low, high) if who == "ahead" else (-high, -low)
    return f"At k = {k} {tuned} is {who} by {signed(abs(delta))} points {interval(*ends)}."


def crossing(row: Mapping[str, Any], base: str, k_max: int) -> str:
    """Say where the base overtakes, with the interval, or that it does not."""
    point, low, high = (row[f"crossover_{end}"] for end in ("k", "low", "high"))
    ends = f"[{_tries(low, k_max)}, {_tries(high, k_max)}]"
    if math.isinf(point):
        possible = "" if math.isinf(low) else f"; the interval of a crossover is {ends}"
        return f"{base} does not overtake up to k = {k_max}{possible}."
    if point <= 1:
        return f"{base} is ahead from the first try on; the interval of a crossover is {ends}."
    return f"{base} overtakes at k ≈ {int(point)} {ends}."


def _tries(k: float, k_max: int) -> str:
    """Return a crossover as a number or as none."""
    return f"none ≤ {k_max}" if math.isinf(k) else str(int(k))


def _coverage(row: Mapping[str, Any], tuned: str, base: str) -> str:
    """Say how many problems are lost and gained, and how many of them beyond chance."""
    lost, gained, neither = (int(row[name]) for name in ("base_only", "tuned_only", "neither"))
    sure_lost, sure_gained = int(row["lost_significant"]), int(row["gained_significant"])
    some = f"{sure_lost} and {sure_gained} of these are" if sure_lost + sure_gained else "none is"
    sure = f"{some} more than chance explains; "
    return (
        f"Of {int(row['both']) + lost + gained + neither} problems, {tuned} never solves {lost} "
        f"that {base} does, and solves {gained} that {base} never does; "
        f"{sure if lost + gained else ''}neither solves {neither}."
    )
