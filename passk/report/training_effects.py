"""Training effects: the findings of a study that trains its own models.

One finding per benchmark with a row per series, since one per cell would be dozens.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from passk.analysis.study import Study
from passk.report.findings import (
    HEADLINES,
    Lead,
    Row,
    interval,
    lead,
    percent,
    records,
    signed,
)

ROLES = {"rl": "RL", "sft": "SFT", "distilled": "distilled"}
"""Role -> its name in a sentence."""

LEAD_WORDS: Mapping[Lead, str] = {
    "ahead": "ahead",
    "behind": "behind",
    "unclear": "without a significant difference",
}


@dataclass(frozen=True, slots=True)
class TrainingEffect:
    """The effect of training on one benchmark.

    Attributes:
        benchmark: name of the benchmark.
        base: label of the base.
        k: the largest k.
        problems: number of problems.
        seeds: maximum seeds of a series.
        headlines: a sentence per role; the first is the benchmark's headline.
        established: per headline, whether a series differs significantly from the base.
        rows: a row per series, as shown on the page.
        worse: whether a series is behind the base at the largest k.
    """

    benchmark: str
    base: str
    k: int
    problems: int
    seeds: int
    headlines: tuple[str, ...]
    established: tuple[bool, ...]
    rows: tuple[Row, ...]
    worse: bool


def training_effects(study: Study, table: pd.DataFrame) -> list[TrainingEffect]:
    """Return one effect per benchmark, sampler and base; none if the study trains nothing.

    Args:
        study: the study.
        table: its table `series`.
    """
    if not study.trainings:
        return []
    last = table[table["last"].astype(bool)]
    keys = ["benchmark", "sampler", "base"]
    return [_effect(records(part)) for _, part in last.groupby(keys, sort=False)]


def _effect(rows: Sequence[Row]) -> TrainingEffect:
    """Return the effect on one benchmark against one base."""
    first = rows[0]
    roles = dict.fromkeys(str(row["role"]) for row in rows)
    by_role = [[row for row in rows if row["role"] == role] for role in roles]
    return TrainingEffect(
        benchmark=str(first["benchmark"]),
        base=str(first["base_label"]),
        k=int(first["k"]),
        problems=int(first["problems"]),
        seeds=max(int(row["seeds"]) for row in rows),
        headlines=tuple(_headline(part) for part in by_role),
        established=tuple(any(set(_leads(row)) != {"unclear"} for row in part) for part in by_role),
        rows=tuple(_row(row) for row in rows),
        worse=any(_leads(row)[1] == "behind" for row in rows),
    )


def _leads(row: Row) -> tuple[Lead, Lead]:
    """Return whether a series leads at k = 1 and at the largest k."""
    one, most = (lead(*_ends(row, k)) for k in ("1", "k"))
    return one, most


def _ends(row: Row, k: str) -> tuple[float, float]:
    """Return the interval of a difference: over problems and seeds, or of the only checkpoint."""
    kind = "_method" if row["seeds"] > 1 else ""
    return float(row[f"delta_{k}{kind}_low"]), float(row[f"delta_{k}{kind}_high"])


def _headline(rows: Sequence[Row]) -> str:
    """Return a sentence that compares the series of one role with their base."""
    first = rows[0]
    base, k = first["base_label"], int(first["k"])
    if len(rows) == 1:
        tuned = first["label"] if first["seeds"] > 1 else f"this checkpoint of {first['label']}"
        headline = HEADLINES[_leads(first)].format(tuned=tuned, base=base, k_max=k)
        return re.sub("^this", "This", headline)  # labels stay as they are written
    one, most = zip(*map(_leads, rows), strict=True)
    role = ROLES.get(str(first["role"]), str(first["role"]))
    return (
        f"{len(rows)} {role} series against {base}: at k = 1 {_tally(one)}; at k = {k} "
        f"{_tally(most)}"
    )


def _tally(leads: Sequence[Lead]) -> str:
    """Return how many are ahead, behind, or neither.

    >>> _tally(("ahead", "ahead", "unclear"))
    '2 are ahead, 1 is without a significant difference'
    """
    counts = [(leads.count(kind), words) for kind, words in LEAD_WORDS.items()]
    present = [(number, words) for number, words in counts if number]
    if len(present) == 1:
        return f"all are {present[0][1]}"
    return ", ".join(
        f"{number} {'is' if number == 1 else 'are'} {words}" for number, words in present
    )


def _row(row: Row) -> Row:
    """Return a series as a row of the page: values, differences, problems lost and gained."""
    several = row["seeds"] > 1
    found = {
        "label": row["label"],
        "series": row["series"],
        "seeds": int(row["seeds"]),
        "step": None if pd.isna(row["step"]) else int(row["step"]),
        "lost": _count(row, "lost"),
        "gained": _count(row, "gained"),
    }
    for k in ("1", "k"):
        found[f"pass_{k}"] = percent(row[f"pass_at_{k}"])
        found[f"delta_{k}"] = signed(row[f"delta_{k}"])
        found[f"ends_{k}"] = interval(*_ends(row, k))
        checkpoints = interval(row[f"delta_{k}_low"], row[f"delta_{k}_high"])
        found[f"checkpoints_{k}"] = checkpoints if several else ""
    return found


def _count(row: Row, name: str) -> str:
    """Return a number of problems: of one seed, or from the fewest to the most of a seed."""
    fewest, most = int(row[f"{name}_min"]), int(row[f"{name}_max"])
    return str(most) if fewest == most else f"{fewest} to {most}"


def effect_headlines(
    found: Sequence[TrainingEffect], title_of: Callable[[str], str]
) -> Iterator[str]:
    """Yield the headline of each benchmark, for a caption."""
    for effect in found:
        yield f"{title_of(effect.benchmark)}: {'. '.join(effect.headlines)}."
