"""Count files compared: differences to the base, lost problems, and the finding in words.

The same estimators as the workflow's, on counts alone: no spec, no responses.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from passk.analysis.across_benchmarks import combine_means
from passk.analysis.count_findings import describe_comparison, describe_mean
from passk.analysis.count_sets import CountSet, estimate_counts
from passk.core.errors import DataError
from passk.stats import (
    FAMILYWISE_ERROR,
    Floats,
    Ints,
    compare,
    contrast,
    coverage_categories,
    coverage_counts,
    crossover,
    first_loss,
    k_grid,
    method_band,
    regions,
    solved_by_one_p_values,
)

KEYS = ["base", "model", "benchmark"]

DELTA_COLUMNS = [
    *KEYS, "seeds", "k", "delta", "ci_low", "ci_high",
    "band_low", "band_high", "method_low", "method_high", "problems",
]  # fmt: skip
"""At one k: `ci` over problems, `method` over problems and seeds (empty with one seed). `band`
holds at all k at once: over problems for one checkpoint, over problems and seeds for several."""

SUMMARY_COLUMNS = [
    *KEYS, "seeds", "problems", "n", "crossover_k", "crossover_low",
    "crossover_high", "first_loss_low", "first_loss_high", "gain_at", "undecided_at", "loss_at",
    "both", "base_only", "tuned_only", "neither", "base_only_sd", "tuned_only_sd",
    "lost_significant", "gained_significant", "finding",
]  # fmt: skip

PROBLEM_COLUMNS = [
    *KEYS, "problem_id", "category", "n", "correct", "base_n", "base_correct", "p_familywise",
]  # fmt: skip

MEAN_COLUMNS = [
    "base", "model", "k", "delta", "ci_low", "ci_high", "method_low", "method_high", "benchmarks",
    "finding",
]  # fmt: skip


@dataclass(frozen=True)
class CountComparison:
    """What two or more models' counts say: tables by name, and findings in words.

    Attributes:
        curves: pass@k of every model, seed and benchmark (`CURVE_COLUMNS`).
        deltas: differences to the base by k (`DELTA_COLUMNS`).
        summary: a row per comparison with regions, crossover, coverage (`SUMMARY_COLUMNS`).
        problems: a row per comparison and problem (`PROBLEM_COLUMNS`).
        means: mean differences over benchmarks, where there are several (`MEAN_COLUMNS`).
        findings: each comparison in words, and each mean over benchmarks.
    """

    curves: pd.DataFrame
    deltas: pd.DataFrame
    summary: pd.DataFrame
    problems: pd.DataFrame
    means: pd.DataFrame
    findings: list[str]

    def tables(self) -> dict[str, pd.DataFrame]:
        """Return every table by name."""
        names = ("curves", "deltas", "summary", "problems", "means")
        return {name: getattr(self, name) for name in names}


@dataclass(frozen=True)
class SideBySide:
    """The seeds of a model and of its base on one benchmark, over the same problems in order.

    The first seed of either stands for its problems: coverage, and which problems are lost.
    `left_out` are problems that not all of them have.
    """

    base: Sequence[CountSet]
    tuned: Sequence[CountSet]
    left_out: int

    @property
    def names(self) -> dict[str, str]:
        """Who is compared with whom."""
        base, tuned = self.base[0], self.tuned[0]
        return {"base": base.model, "model": tuned.model, "benchmark": tuned.benchmark}

    @property
    def several(self) -> bool:
        """Whether either side has several seeds."""
        return len(self.base) > 1 or len(self.tuned) > 1


def compare_counts(sets: Sequence[CountSet], base: str | None = None) -> CountComparison:
    """Compare every model with the base, benchmark by benchmark.

    Args:
        sets: counts; sets of one model and benchmark are its seeds.
        base: name of the base; without it the model of the first set.

    Raises:
        DataError: there is no second model, or no problem in common with the base.
    """
    pairs = pair_counts(sets, base)
    deltas = [_deltas(pair) for pair in pairs]
    problems = [_problems(pair) for pair in pairs]
    rows = [
        _summary(pair, table, named, crossing)
        for pair, (table, crossing), named in zip(pairs, deltas, problems, strict=True)
    ]
    means = _means(pd.concat([table for table, _ in deltas]))
    return CountComparison(
        curves=estimate_counts(sets),
        deltas=pd.concat([table for table, _ in deltas], ignore_index=True),
        summary=pd.DataFrame(rows, columns=SUMMARY_COLUMNS),
        problems=pd.concat(problems, ignore_index=True),
        means=means,
        findings=[*(str(row["finding"]) for row in rows), *means["finding"].unique()],
    )


def pair_counts(sets: Sequence[CountSet], base: str | None = None) -> list[SideBySide]:
    """Return every model beside the base, per benchmark; errors as for `compare_counts`."""
    base = base or sets[0].model
    pairs = [
        _side_by_side(sets, base, model, benchmark)
        for model in dict.fromkeys(one.model for one in sets if one.model != base)
        for benchmark in dict.fromkeys(one.benchmark for one in sets if one.model == model)
    ]
    if not pairs:
        fix = "give a second file, or a file whose column `model` has two names"
        raise DataError(f"only one model, '{base}'", where="compare", fix=fix)
    return pairs


def _side_by_side(sets: Sequence[CountSet], base: str, model: str, benchmark: str) -> SideBySide:
    """Return the counts of a model and of its base at the problems that all their seeds have."""
    basis, tuned = (
        [one for one in sets if (one.model, one.benchmark) == (name, benchmark)]
        for name in (base, model)
    )
    common = tuned[0].table["problem_id"]
    for one in (*basis, *tuned):
        common = common[common.isin(one.table["problem_id"])]
    if common.empty or not basis:
        where = f"'{model}' and '{base}'" + (f" on '{benchmark}'" if benchmark else "")
        raise DataError("no problem in common", where=where, fix="do the ids agree?")
    problems = pd.Index(common)
    every = {name for one in (*basis, *tuned) for name in one.table["problem_id"]}
    first, second = ([one.at(problems) for one in side] for side in (basis, tuned))
    return SideBySide(first, second, len(every) - len(problems))


def _deltas(pair: SideBySide) -> tuple[pd.DataFrame, tuple[float, float, float]]:
    """Return the differences by k, and the crossover with its interval."""
    tuned, base = ([one.counts for one in side] for side in (pair.tuned, pair.base))
    grid = k_grid(int(min(np.min(n) for n, _ in (*tuned, *base))))
    clusters = pair.base[0].clusters()
    if clusters is None:
        clusters = pair.tuned[0].clusters()
    if pair.several:
        delta, ends, method = contrast(tuned, base, grid, clusters)
        band = method_band(tuned, base, grid, clusters)
        crossing = (float(crossover(grid, delta[None])[0]), np.nan, np.nan)
    else:
        found = compare(tuned[0], base[0], grid, clusters=clusters)
        delta, crossing = found.delta, found.crossover
        ends, band = (
            np.stack(two) for two in ((found.low, found.high), (found.band_low, found.band_high))
        )
        method = np.full_like(ends, np.nan)
    table = _table(pair, grid, delta, {"ci": ends, "band": band, "method": method})
    return table.assign(seeds=len(tuned), problems=len(pair.tuned[0].table))[
        DELTA_COLUMNS
    ], crossing


def _table(pair: SideBySide, k: Ints, delta: Floats, ends: dict[str, Floats]) -> pd.DataFrame:
    """Return a row per k with each interval, of shape (2, K), as two columns."""
    sides = {
        f"{name}_{side}": values[i]
        for name, values in ends.items()
        for i, side in enumerate(("low", "high"))
    }
    return pd.DataFrame({**pair.names, "k": k, "delta": delta, **sides})


def _problems(pair: SideBySide) -> pd.DataFrame:
    """Return a row per problem with who solves it."""
    base, tuned = pair.base[0], pair.tuned[0]
    columns = {
        **pair.names,
        "problem_id": base.table["problem_id"],
        "category": coverage_categories(base.counts, tuned.counts),
        **dict(zip(("n", "correct"), tuned.counts, strict=True)),
        **dict(zip(("base_n", "base_correct"), base.counts, strict=True)),
        "p_familywise": solved_by_one_p_values(base.counts, tuned.counts),
    }
    return pd.DataFrame(columns)[PROBLEM_COLUMNS]


def _summary(
    pair: SideBySide,
    deltas: pd.DataFrame,
    problems: pd.DataFrame,
    crossing: tuple[float, float, float],
) -> dict[str, object]:
    """Return the row of a comparison; coverage and names of problems are of the first seed."""
    sizes = coverage_counts(pair.base[0].counts, pair.tuned[0].counts)
    band = [deltas[name].to_numpy() for name in ("band_low", "band_high")]
    runs = regions(deltas["k"].tolist(), *band)
    named, lost = problems["p_familywise"] <= FAMILYWISE_ERROR, problems["correct"] == 0
    row: dict[str, object] = {
        **pair.names,
        "seeds": len(pair.tuned),
        "problems": len(problems),
        "n": int(deltas["k"].iloc[-1]),
        **dict(zip(("crossover_k", "crossover_low", "crossover_high"), crossing, strict=True)),
        **dict(
            zip(
                ("first_loss_low", "first_loss_high"),
                first_loss(deltas["k"].tolist(), *band),
                strict=True,
            )
        ),
        **{
            f"{kind}_at": ", ".join(_span(a, b) for verdict, a, b in runs if verdict == kind)
            for kind in ("gain", "undecided", "loss")
        },
        **{name: value for name, (value, _) in sizes.items()},
        "base_only_sd": sizes["base_only"][1],
        "tuned_only_sd": sizes["tuned_only"][1],
        "lost_significant": int((named & lost).sum()),
        "gained_significant": int((named & ~lost).sum()),
    }
    return {**row, "finding": describe_comparison(row, deltas, pair.left_out, several=pair.several)}


def _span(first: int, last: int) -> str:
    """Return a run of k.

    >>> _span(1, 7), _span(8, 8)
    ('1-7', '8')
    """
    return str(first) if first == last else f"{first}-{last}"


def _means(deltas: pd.DataFrame) -> pd.DataFrame:
    """Return mean differences over benchmarks, at the k that all of them have."""
    tables = [pd.DataFrame(columns=MEAN_COLUMNS)]
    for (base, model), table in deltas.groupby(["base", "model"], sort=False):
        parts = [part.set_index("k") for _, part in table.groupby("benchmark", sort=False)]
        if len(parts) < 2:  # noqa: PLR2004 - a mean of one is none
            continue
        ks = sorted(set.intersection(*(set(part.index) for part in parts)))
        found = pd.DataFrame(
            {"base": base, "model": model, "k": ks, "benchmarks": len(parts)},
        )
        for kind in ("ci", "method"):
            columns = ["delta", f"{kind}_low", f"{kind}_high"]
            values = combine_means([part.loc[ks, columns].to_numpy().T for part in parts])
            found = found.assign(**dict(zip(columns, values, strict=True)))
        tables.append(found.assign(finding=describe_mean(found))[MEAN_COLUMNS])
    return pd.concat(tables[1:] or tables, ignore_index=True)
