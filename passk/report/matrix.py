"""First screen of a study of many models: a sentence per role, and a matrix by benchmark."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import pandas as pd

from passk.analysis.study import Study
from passk.report.findings import Lead, Row, interval, lead, percent, records, signed

NOUNS: Mapping[str, str] = {
    "rl": "RL model",
    "sft": "SFT model",
    "distilled": "distilled model",
    "instruct": "instruct model",
}
"""Role -> what a model of it is called in a sentence."""

Pattern = Literal["behind", "ahead", "unclear", "mixed"]
"""Who leads on all benchmarks; mixed where that differs."""

WORDS: Mapping[Pattern, str] = {
    "behind": "behind",
    "ahead": "ahead",
    "unclear": "without a significant difference",
    "mixed": "different from benchmark to benchmark",
}
"""What several models are, in the order of a sentence."""

VERBS: Mapping[Pattern, str] = {
    "behind": "is behind",
    "ahead": "is ahead",
    "unclear": "shows no significant difference",
    "mixed": "differs from benchmark to benchmark",
}
"""What one model does."""

NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")


@dataclass(frozen=True, slots=True)
class Difference:
    """A difference to the base in points: its value, its 95 % interval, and who leads by it."""

    value: str
    ends: str
    lead: Lead


@dataclass(frozen=True, slots=True)
class Comparison:
    """One model against its base on one benchmark.

    Attributes:
        cell: id of the model's cell.
        k: the largest k.
        first: the difference at k = 1.
        last: the difference at the largest k.
        lost: problems lost, at a familywise error of 5 %.
        gained: problems gained, likewise.
    """

    cell: str
    k: int
    first: Difference
    last: Difference
    lost: int
    gained: int


@dataclass(frozen=True, slots=True)
class ModelRow:
    """A model in the matrix: its comparison on each benchmark, None where there is none."""

    label: str
    role: str
    comparisons: tuple[Comparison | None, ...]


@dataclass(frozen=True, slots=True)
class BaseRow:
    """A base in the matrix: cell, pass@1 and pass@k_max on each benchmark, None without a curve."""

    label: str
    values: tuple[tuple[str, str, str] | None, ...]


@dataclass(frozen=True, slots=True)
class Overview:
    """The first screen of a study of many models.

    Attributes:
        sentences: per role at the largest k, at k = 1, and what most models show at the largest k.
        benchmarks: title of each and its largest k as text.
        bases: rows of the bases.
        models: rows of the others.
    """

    sentences: tuple[tuple[str, str, Pattern], ...]
    benchmarks: tuple[tuple[str, str], ...]
    bases: tuple[BaseRow, ...]
    models: tuple[ModelRow, ...]


def overview(
    study: Study, summary: pd.DataFrame, deltas: pd.DataFrame, cells: set[str]
) -> Overview | None:
    """Return the overview of the comparisons of some cells; None where there is none.

    Args:
        study: the study.
        summary: its table of that name.
        deltas: its table of that name.
        cells: ids of the compared cells that count.
    """
    rows = [row for row in records(summary) if row["cell"] in cells and not pd.isna(row["base"])]
    compared = {row["cell"]: found for row in rows if (found := _compare(row, deltas))}
    rows = [row for row in rows if row["cell"] in compared]
    if not rows:
        return None
    benchmarks = [name for name in study.benchmarks() if any(r["benchmark"] == name for r in rows)]
    models = tuple(
        ModelRow(label, str(own[0]["role"] or ""), _by_benchmark(own, benchmarks, compared))
        for label, own in _grouped(rows).items()
    )
    based = {row["base"] for row in rows}
    bases = _grouped([row for row in records(summary) if row["cell"] in based])
    roles = dict.fromkeys(model.role for model in models)
    return Overview(
        sentences=tuple(
            sentences([model for model in models if model.role == role]) for role in roles
        ),
        benchmarks=tuple(
            (study.title_of(name), _largest([model.comparisons[place] for model in models]))
            for place, name in enumerate(benchmarks)
        ),
        bases=tuple(BaseRow(label, _values(own, benchmarks)) for label, own in bases.items()),
        models=models,
    )


def _grouped(rows: Sequence[Row]) -> dict[str, list[Row]]:
    """Return the rows of each model and sampler, by what the matrix calls them."""
    samplers = {row["sampler"] for row in rows}
    labels: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        labels.setdefault((str(row["label"] or row["model"]), str(row["sampler"])), []).append(row)
    found: dict[str, list[Row]] = {}
    for (label, sampler), own in labels.items():
        several = len(samplers) > 1 and sampler not in label
        found.setdefault(f"{label}, {sampler}" if several else label, []).extend(own)
    return found


def _compare(row: Row, deltas: pd.DataFrame) -> Comparison | None:
    """Return the comparison of one row of the summary; None where no k is common."""
    curve = deltas[deltas["cell"] == row["cell"]].dropna(subset="delta").sort_values("k")
    if curve.empty:
        return None
    first, last = (_difference(curve.iloc[place]) for place in (0, -1))
    lost, gained = int(row["lost_significant"]), int(row["gained_significant"])
    return Comparison(str(row["cell"]), int(curve["k"].iloc[-1]), first, last, lost, gained)


def _difference(row: pd.Series[Any]) -> Difference:
    """Return the difference at one k."""
    low, high = float(row["ci_low"]), float(row["ci_high"])
    value = signed(float(row["delta"]))
    plus = "+" if float(row["delta"]) > 0 and value != "0.0" else ""
    return Difference(plus + value, interval(low, high), lead(low, high))


def _by_benchmark(
    rows: Sequence[Row], benchmarks: Sequence[str], compared: Mapping[str, Comparison]
) -> tuple[Comparison | None, ...]:
    """Return a model's comparison on each benchmark."""
    known = {row["benchmark"]: compared[row["cell"]] for row in rows}
    return tuple(known.get(name) for name in benchmarks)


def _values(
    rows: Sequence[Row], benchmarks: Sequence[str]
) -> tuple[tuple[str, str, str] | None, ...]:
    """Return a base's values on each benchmark."""
    known = {
        row["benchmark"]: (row["cell"], percent(row["pass_at_1"]), percent(row["pass_at_k_max"]))
        for row in rows
    }
    return tuple(known.get(name) for name in benchmarks)


def _largest(comparisons: Iterable[Comparison | None]) -> str:
    """Return the largest k of some comparisons in words."""
    found = {each.k for each in comparisons if each}
    return f"k = {found.pop()}" if len(found) == 1 else "the largest k"


def sentences(models: Sequence[ModelRow]) -> tuple[str, str, Pattern]:
    """Return the sentences on the models of one role at the largest k and at k = 1.

    The third is what most of the models show at the largest k.
    """
    found = [[each for each in model.comparisons if each] for model in models]
    last = [_pattern([each.last.lead for each in own]) for own in found]
    first = [_pattern([each.first.lead for each in own]) for own in found]
    where = _where(max(map(len, found)))
    largest = _largest(each for own in found for each in own)
    most = Counter(last).most_common(1)[0][0]
    return _sentence(models, last, largest, where), _sentence(models, first, "k = 1", where), most


def _pattern(leads: Sequence[Lead]) -> Pattern:
    """Return who leads on all benchmarks, or that they differ."""
    return leads[0] if len(set(leads)) == 1 else "mixed"


def _where(benchmarks: int) -> str:
    """Return "on all three benchmarks" for three; nothing for one.

    >>> _where(2)
    ' on both benchmarks'
    """
    if benchmarks == 1:
        return ""
    number = NUMBERS[benchmarks] if benchmarks < len(NUMBERS) else str(benchmarks)
    return " on both benchmarks" if benchmarks == 2 else f" on all {number} benchmarks"  # noqa: PLR2004 - both


def _sentence(models: Sequence[ModelRow], patterns: Sequence[Pattern], k: str, where: str) -> str:
    """Return what the models of one role show at one k."""
    counts = Counter(patterns)
    shown = [pattern for pattern in WORDS if counts[pattern]]
    if len(models) == 1:
        pattern = shown[0]
        return f"{models[0].label} {VERBS[pattern]} at {k}{'' if pattern == 'mixed' else where}"
    total, noun = len(models), NOUNS.get(models[0].role, "model")
    first = shown[0]
    verb = "is" if counts[first] == 1 else "are"
    place = "" if first == "mixed" else where
    text = f"{counts[first]} of {total} {noun}s {verb} {WORDS[first]} at {k}{place}"
    rest = [f"{counts[pattern]} {WORDS[pattern]}" for pattern in shown[1:]]
    return ", ".join([text, *rest])
