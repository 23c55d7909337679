"""Count files compared: curves, differences to the base, lost problems, and the finding in words.

The same estimators as the workflow's, on counts alone: no spec, no responses.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from passk.analysis.across_benchmarks import combine_means
from passk.analysis.clusters import connected
from passk.core.errors import DataError
from passk.stats import (
    Comparison,
    Counts,
    Floats,
    compare,
    contrast,
    coverage_categories,
    coverage_counts,
    estimate_curve,
    first_loss,
    k_grid,
    regions,
    solved_by_one_p_values,
)

FAMILYWISE_ERROR = 0.05
"""Share of studies whose list of significantly lost or gained problems may hold a wrong name."""

CURVE_COLUMNS = [
    "model", "seed", "benchmark", "k", "pass_at_k", "ci_low", "ci_high",
    "noise_low", "noise_high", "problems",
]  # fmt: skip

DELTA_COLUMNS = [
    "base", "model", "benchmark", "seeds", "k", "delta", "ci_low", "ci_high",
    "band_low", "band_high", "method_low", "method_high", "problems",
]  # fmt: skip
"""`ci` holds at one k over problems, `band` at all k at once, `method` over problems and seeds."""

SUMMARY_COLUMNS = [
    "base", "model", "benchmark", "seeds", "problems", "n", "crossover_k", "crossover_low",
    "crossover_high", "first_loss_low", "first_loss_high", "gain_at", "undecided_at", "loss_at",
    "both", "base_only", "tuned_only", "neither", "base_only_sd", "tuned_only_sd",
    "lost_significant", "gained_significant", "finding",
]  # fmt: skip

PROBLEM_COLUMNS = [
    "base", "model", "benchmark", "problem_id", "category", "n", "correct", "base_n",
    "base_correct", "p_familywise",
]  # fmt: skip

MEAN_COLUMNS = ["base", "model", "k", "delta", "ci_low", "ci_high", "benchmarks"]


@dataclass(frozen=True)
class CountSet:
    """The counts of one model, seed and benchmark, a row per problem.

    Attributes:
        model: name of the model, or of the method where it has several seeds.
        seed: its training seed; "" where there is one.
        benchmark: name of the benchmark; "" where there is one.
        table: columns problem_id, n, c, cluster; sorted by problem_id.
    """

    model: str
    seed: str
    benchmark: str
    table: pd.DataFrame

    @property
    def counts(self) -> Counts:
        """(n, c), each of shape (P,)."""
        return self.table["n"].to_numpy(), self.table["c"].to_numpy()

    def clusters(self) -> npt.NDArray[np.str_] | None:
        """Return the cluster of each problem, shape (P,); None where no two belong together."""
        named = self.table["cluster"] != ""
        if not named.any():
            return None
        names = np.where(named, "c " + self.table["cluster"], "p " + self.table["problem_id"])
        return names.astype(np.str_)

    def at(self, problems: pd.Index[Any]) -> CountSet:
        """Return the same counts of some problems, in their order."""
        table = self.table.set_index("problem_id").loc[problems].reset_index()
        return CountSet(self.model, self.seed, self.benchmark, table)


def make_count_sets(rows: Sequence[dict[str, Any]], where: str) -> list[CountSet]:
    """Return rows of counts as sets, in order of first appearance.

    Raises:
        DataError: a problem of one model, seed and benchmark occurs twice, or there is no row.
    """
    table = pd.DataFrame(rows)
    if table.empty:
        raise DataError("has no rows", where=where)
    keys = ["model", "seed", "benchmark"]
    twice = table[table.duplicated([*keys, "problem_id"])]
    if len(twice):
        row = twice.iloc[0]
        name = f"problem '{row['problem_id']}' of model '{row['model']}'"
        raise DataError(f"{name} occurs a second time", where=str(row["where"]))
    found = []
    for (model, seed, benchmark), part in table.groupby(keys, sort=False):
        repeated = part["question"].duplicated(keep=False) & (part["question"] != "")
        same = part["question"].where(repeated, "").tolist()
        rows_of_set = part.assign(cluster=connected(part["cluster"].tolist(), same))
        kept = rows_of_set[["problem_id", "n", "c", "cluster"]].sort_values("problem_id")
        found.append(CountSet(str(model), str(seed), str(benchmark), kept.reset_index(drop=True)))
    return found


@dataclass(frozen=True)
class CountComparison:
    """What two or more models' counts say: tables by name, and findings in words.

    Attributes:
        curves: pass@k of every model, seed and benchmark (`CURVE_COLUMNS`).
        deltas: differences to the base by k (`DELTA_COLUMNS`).
        summary: a row per comparison with regions, crossover, coverage (`SUMMARY_COLUMNS`).
        problems: a row per comparison and problem (`PROBLEM_COLUMNS`).
        means: mean differences over benchmarks, where there are several (`MEAN_COLUMNS`).
    """

    curves: pd.DataFrame
    deltas: pd.DataFrame
    summary: pd.DataFrame
    problems: pd.DataFrame
    means: pd.DataFrame

    @property
    def findings(self) -> list[str]:
        """The finding of each comparison in words."""
        return self.summary["finding"].tolist()

    def tables(self) -> dict[str, pd.DataFrame]:
        """Return every table by name."""
        names = ("curves", "deltas", "summary", "problems", "means")
        return {name: getattr(self, name) for name in names}


def estimate_counts(sets: Sequence[CountSet], ks: Sequence[int] | None = None) -> pd.DataFrame:
    """Return pass@k with both intervals, a row per model, seed, benchmark and k.

    Args:
        sets: counts.
        ks: values of k; without them 1..n, n being the smallest of a set (k thinned above 256).
    """
    return pd.DataFrame(_curve_rows(sets, ks), columns=CURVE_COLUMNS)


def _curve_rows(sets: Sequence[CountSet], ks: Sequence[int] | None) -> Iterator[dict[str, Any]]:
    """Yield the rows of `estimate_counts`."""
    for one in sets:
        n, c = one.counts
        grid = k_grid(int(np.min(n))) if ks is None else np.asarray(sorted(set(ks)))
        curve = estimate_curve(n, c, grid, clusters=one.clusters())
        for index, k in enumerate(curve.k):
            yield {
                "model": one.model,
                "seed": one.seed,
                "benchmark": one.benchmark,
                "k": int(k),
                "pass_at_k": curve.value[index],
                "ci_low": curve.low[index],
                "ci_high": curve.high[index],
                "noise_low": curve.noise_low[index],
                "noise_high": curve.noise_high[index],
                "problems": curve.problems,
            }


def compare_counts(sets: Sequence[CountSet], base: str | None = None) -> CountComparison:
    """Compare every model with the base, benchmark by benchmark.

    Args:
        sets: counts; sets of one model and benchmark are its seeds.
        base: name of the base; without it the model of the first set.

    Raises:
        DataError: there is no second model, or no problem in common with the base.
    """
    base = base or sets[0].model
    models = list(dict.fromkeys(one.model for one in sets if one.model != base))
    if not models:
        fix = "give a second file, or a file whose column `model` has two names"
        raise DataError(f"only one model, '{base}'", where="compare", fix=fix)
    parts = []
    for model in models:
        benchmarks = dict.fromkeys(one.benchmark for one in sets if one.model == model)
        for benchmark in benchmarks:
            tuned = [s for s in sets if (s.model, s.benchmark) == (model, benchmark)]
            basis = [s for s in sets if (s.model, s.benchmark) == (base, benchmark)]
            parts.append(_compare_one(base, model, benchmark, basis, tuned))
    deltas = pd.DataFrame([row for part in parts for row in part[0]], columns=DELTA_COLUMNS)
    return CountComparison(
        curves=estimate_counts(sets),
        deltas=deltas,
        summary=pd.DataFrame([part[1] for part in parts], columns=SUMMARY_COLUMNS),
        problems=pd.DataFrame([row for part in parts for row in part[2]], columns=PROBLEM_COLUMNS),
        means=pd.DataFrame(_mean_rows(deltas), columns=MEAN_COLUMNS),
    )


Part = tuple[list[dict[str, Any]], dict[str, Any], list[dict[str, Any]]]


def _compare_one(
    base: str, model: str, benchmark: str, basis: Sequence[CountSet], tuned: Sequence[CountSet]
) -> Part:
    """Return the rows of deltas, the row of the summary, and the rows of problems."""
    every = [*basis, *tuned]
    common = every[0].table["problem_id"]
    for one in every[1:]:
        common = common[common.isin(one.table["problem_id"])]
    if common.empty or not basis:
        where = f"'{model}' and '{base}'" + (f" on '{benchmark}'" if benchmark else "")
        raise DataError("no problem in common", where=where, fix="do the ids agree?")
    first, *others = (one.at(pd.Index(common)) for one in every)
    own = others[len(basis) - 1 :]
    names = {"base": base, "model": model, "benchmark": benchmark, "seeds": len(own)}
    n = int(min(np.min(one.counts[0]) for one in (first, *own)))
    grid = k_grid(n)
    clusters = first.clusters()
    if clusters is None:
        clusters = own[0].clusters()
    found = compare(own[0].counts, first.counts, grid, clusters=clusters)
    bases = [first, *others[: len(basis) - 1]]
    tuned_counts, base_counts = ([one.counts for one in side] for side in (own, bases))
    delta, ends, method = contrast(tuned_counts, base_counts, grid, clusters)
    several = len(own) > 1 or len(basis) > 1
    nothing = np.full(len(grid), np.nan)
    band = (nothing, nothing) if several else (found.band_low, found.band_high)
    rows = [
        {**names, "k": int(k), "delta": delta[i], "ci_low": ends[0, i], "ci_high": ends[1, i],
         "band_low": band[0][i], "band_high": band[1][i],
         "method_low": method[0, i], "method_high": method[1, i], "problems": found.problems}
        for i, k in enumerate(grid)
    ]  # fmt: skip
    p = solved_by_one_p_values(first.counts, own[0].counts)
    summary = _summary(names, found, first, own[0], p, several=several)
    words = _method_words(names, rows) if several else _words(names, summary, rows)
    return rows, {**summary, "finding": words}, list(_problem_rows(names, first, own[0], p))


def _summary(
    names: Mapping[str, Any],
    found: Comparison,
    base: CountSet,
    tuned: CountSet,
    p: Floats,
    *,
    several: bool,
) -> dict[str, Any]:
    """Return the row of a comparison; coverage and names of problems are of the first seed."""
    sizes = coverage_counts(base.counts, tuned.counts)
    runs = [] if several else regions(found.k, found.band_low, found.band_high)
    first = (np.nan,) * 2 if several else first_loss(found.k, found.band_low, found.band_high)
    crossing = (np.nan,) * 3 if several else found.crossover
    named, lost = p <= FAMILYWISE_ERROR, tuned.table["c"].to_numpy() == 0
    return {
        **names,
        "problems": found.problems,
        "n": int(found.k[-1]),
        **dict(zip(("crossover_k", "crossover_low", "crossover_high"), crossing, strict=True)),
        "first_loss_low": first[0],
        "first_loss_high": first[1],
        **{
            f"{kind}_at": ", ".join(_span(a, b) for verdict, a, b in runs if verdict == kind)
            for kind in ("gain", "undecided", "loss")
        },
        **{str(name): value for name, (value, _) in sizes.items()},
        "base_only_sd": sizes["base_only"][1],
        "tuned_only_sd": sizes["tuned_only"][1],
        "lost_significant": int((named & lost).sum()),
        "gained_significant": int((named & ~lost).sum()),
    }


def _span(first: int, last: int) -> str:
    """Return a run of k.

    >>> _span(1, 7), _span(8, 8)
    ('1-7', '8')
    """
    return str(first) if first == last else f"{first}-{last}"


def _words(
    names: Mapping[str, Any], row: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]
) -> str:
    """Return the finding of one checkpoint against its base."""
    who, base = names["model"], names["base"]
    where = f" on {names['benchmark']}" if names["benchmark"] else ""
    parts = [
        f"supported {kind} at k = {row[f'{kind}_at']}"
        for kind in ("gain", "loss")
        if row[f"{kind}_at"]
    ]
    if row["undecided_at"]:
        low = min(r["band_low"] for r in rows if r["band_low"] <= 0 <= r["band_high"])
        parts.append(
            f"undecided at k = {row['undecided_at']} (a loss of up to {-100 * low:.1f} points is "
            "not excluded)"
        )
    first = f"[{_k(row['first_loss_low'])}, {_k(row['first_loss_high'])}]"
    crossing = [_k(row[f"crossover_{end}"]) for end in ("k", "low", "high")]
    return (
        f"{who} against {base}{where}, this checkpoint, {row['problems']} problems, "
        f"n = {row['n']}, 95 % band over all k: {'; '.join(parts)}. First loss in {first}; "
        f"crossover at k = {crossing[0]} [{crossing[1]}, {crossing[2]}]. "
        + _coverage_words(names, row)
    )


def _coverage_words(names: Mapping[str, Any], row: Mapping[str, Any]) -> str:
    """Return problems lost and gained in words."""
    lost, gained = (
        f"{row[name]:.1f} ± {row[f'{name}_sd']:.1f} (expected at the smaller n)"
        if row[f"{name}_sd"] > 0
        else str(round(row[name]))
        for name in ("base_only", "tuned_only")
    )
    return (
        f"{names['base']} alone solves {lost}, {names['model']} alone {gained}; significantly "
        f"(familywise error 5 %): {row['lost_significant']} and {row['gained_significant']}."
    )


def _method_words(names: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> str:
    """Return the finding of a method with several seeds."""
    where = f" on {names['benchmark']}" if names["benchmark"] else ""
    ends = "; ".join(
        f"at k = {row['k']} {100 * row['delta']:+.1f} points "
        f"[{100 * row['method_low']:+.1f}, {100 * row['method_high']:+.1f}]"
        for row in ((rows[0], rows[-1]) if len(rows) > 1 else rows)
    )
    return (
        f"{names['model']} against {names['base']}{where}, the method over {names['seeds']} seeds, "
        f"{rows[0]['problems']} problems, 95 % interval over problems and seeds at each k: {ends}."
    )


def _k(value: float) -> str:
    """Return a k, or none for infinity."""
    return "none" if np.isinf(value) else f"{value:g}"


def _problem_rows(
    names: Mapping[str, Any], base: CountSet, tuned: CountSet, p: Floats
) -> Iterator[dict[str, Any]]:
    """Yield a row per problem with who solves it."""
    categories = coverage_categories(base.counts, tuned.counts)
    for i, problem in enumerate(base.table["problem_id"]):
        yield {
            **{key: names[key] for key in ("base", "model", "benchmark")},
            "problem_id": problem,
            "category": str(categories[i]),
            "n": int(tuned.table["n"].iloc[i]),
            "correct": int(tuned.table["c"].iloc[i]),
            "base_n": int(base.table["n"].iloc[i]),
            "base_correct": int(base.table["c"].iloc[i]),
            "p_familywise": float(p[i]),
        }


def _mean_rows(deltas: pd.DataFrame) -> Iterator[dict[str, Any]]:
    """Yield mean differences over benchmarks, at the k that all of them have."""
    for model, table in deltas.groupby("model", sort=False):
        benchmarks = [part.set_index("k") for _, part in table.groupby("benchmark", sort=False)]
        if len(benchmarks) < 2:  # noqa: PLR2004 - a mean of one is none
            continue
        ks = sorted(set.intersection(*(set(part.index) for part in benchmarks)))
        kind = "ci" if table["method_low"].isna().any() else "method"
        parts = [
            tuple(
                part.loc[ks, name].to_numpy() for name in ("delta", f"{kind}_low", f"{kind}_high")
            )
            for part in benchmarks
        ]
        value, low, high = combine_means(parts)
        for i, k in enumerate(ks):
            yield {
                "base": table["base"].iloc[0],
                "model": model,
                "k": int(k),
                "delta": value[i],
                "ci_low": low[i],
                "ci_high": high[i],
                "benchmarks": len(benchmarks),
            }
