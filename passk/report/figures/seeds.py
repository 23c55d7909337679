"""The data of a group: the rows of a single cell, or the mean over the seeds of a series."""

from __future__ import annotations

import pandas as pd

from passk.analysis.seed_series import Series
from passk.report.figures.base import BenchmarkView


def group_curve(view: BenchmarkView, group: Series) -> pd.DataFrame:
    """Return pass@k of a group by k; for several seeds their mean, with their range as interval."""
    table = view.frames["pass_at_k"]
    cells = [cell.id for cell in group.cells]
    rows = table[table["cell"].isin(cells)].dropna(subset="pass_at_k").sort_values("k")
    if len(cells) == 1:
        return rows
    return rows.groupby("k", as_index=False).agg(
        n=("n", "min"),
        pass_at_k=("pass_at_k", "mean"),
        ci_low=("pass_at_k", "min"),
        ci_high=("pass_at_k", "max"),
        guess_floor=("guess_floor", "mean"),
    )


def group_delta(view: BenchmarkView, group: Series) -> pd.DataFrame:
    """Return the difference of a group to its base by k.

    For several seeds: their mean with its paired interval, without a band over all k.
    """
    if len(group.cells) == 1:
        table = view.frames["deltas"]
        return table[table["cell"] == group.cells[0].id].dropna(subset="delta").sort_values("k")
    table, cell = view.frames["series_curves"], group.cells[0]
    here = (table["benchmark"] == view.benchmark) & (table["sampler"] == cell.sampler)
    rows = table[here & (table["series"] == group.name) & (table["step"] == cell.step)]
    rows = rows.rename(columns={"delta_low": "ci_low", "delta_high": "ci_high"}).sort_values("k")
    return rows.assign(band_low=rows["delta_min"], band_high=rows["delta_max"])


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
    `_high` are the minimum and maximum over seeds.
    """
    table = view.frames["algorithms"].set_index("cell")
    rows = []
    for group in view.groups:
        seeds = table.loc[[cell.id for cell in group.cells]]
        row = {**seeds.iloc[0].to_dict(), "cell": group.cells[0].id, "label": group.label}
        if len(seeds) > 1:
            for name in ("pass_at_1", "pass_at_k", "se_gap", "se_gap_to_base"):
                row[name] = seeds[name].mean()
                row[f"{name}_low"], row[f"{name}_high"] = seeds[name].min(), seeds[name].max()
        rows.append({**row, "seeds": len(seeds)})
    return pd.DataFrame(rows)
