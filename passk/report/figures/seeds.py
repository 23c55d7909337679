"""The data of a group: the rows of a single cell, or the mean over the seeds of a series."""

from __future__ import annotations

import pandas as pd

from passk.analysis.seed_series import Series
from passk.report.figures.base import BenchmarkView


def group_curve(view: BenchmarkView, group: Series) -> pd.DataFrame:
    """Return pass@k of a group by k; of several seeds the mean, with its interval as a method."""
    table = view.frames["pass_at_k"]
    cells = [cell.id for cell in group.cells]
    rows = table[table["cell"].isin(cells)].dropna(subset="pass_at_k").sort_values("k")
    if len(cells) == 1:
        return rows
    means = rows.groupby("k", as_index=False).agg(
        n=("n", "min"), pass_at_k=("pass_at_k", "mean"), guess_floor=("guess_floor", "mean")
    )
    ends = {"pass_at_k_method_low": "ci_low", "pass_at_k_method_high": "ci_high"}
    method = _series_curve(view, group).rename(columns=ends)
    return means.merge(method[["k", "ci_low", "ci_high"]], on="k", how="left")


def group_delta(view: BenchmarkView, group: Series) -> pd.DataFrame:
    """Return the difference of a group to its base by k.

    For several seeds: their mean with its interval over problems and seeds, and no band.
    """
    if len(group.cells) == 1:
        table = view.frames["deltas"]
        return table[table["cell"] == group.cells[0].id].dropna(subset="delta").sort_values("k")
    ends = {"delta_method_low": "ci_low", "delta_method_high": "ci_high"}
    rows = _series_curve(view, group).rename(columns=ends)
    return rows.assign(band_low=rows["ci_low"], band_high=rows["ci_high"])


def _series_curve(view: BenchmarkView, group: Series) -> pd.DataFrame:
    """Return the rows of `series_curves` of a series at the step that is shown."""
    table, cell = view.frames["series_curves"], group.cells[0]
    here = (table["benchmark"] == view.benchmark) & (table["sampler"] == cell.sampler)
    rows = table[here & (table["series"] == group.name)]
    same = rows["step"].isna() if cell.step is None else rows["step"] == cell.step
    return rows[same].sort_values("k")


def seed_deltas(view: BenchmarkView, group: Series) -> list[pd.DataFrame]:
    """Return the difference of each seed of a series; none for a single cell."""
    if len(group.cells) == 1:
        return []
    table = view.frames["deltas"]
    every = (table[table["cell"] == cell.id].dropna(subset="delta") for cell in group.cells)
    return [rows.sort_values("k") for rows in every]


def end_rows(view: BenchmarkView) -> pd.DataFrame:
    """Return a row per group with pass@1, pass@k and the gaps.

    Columns as in the table `algorithms`; for several seeds each value is their mean, and `_low` and
    `_high` are the interval over problems and seeds.
    """
    table = view.frames["algorithms"].set_index("cell")
    series = view.frames["series"]
    rows = []
    for group in view.groups:
        cell = group.cells[0]
        seeds = table.loc[[one.id for one in group.cells]]
        row = {**seeds.iloc[0].to_dict(), "cell": cell.id, "label": group.label}
        if len(seeds) > 1:
            here = (series["benchmark"] == view.benchmark) & (series["sampler"] == cell.sampler)
            known = series[here & (series["series"] == group.name) & series["last"].astype(bool)]
            for name in ("pass_at_1", "pass_at_k", "se_gap", "se_gap_to_base"):
                row[name] = seeds[name].mean()
                for end in ("low", "high"):
                    found = known[f"{name}_method_{end}"]
                    row[f"{name}_{end}"] = found.iloc[0] if len(found) else float("nan")
        rows.append({**row, "seeds": len(seeds)})
    return pd.DataFrame(rows)
