"""Data that the page's script reads at start: curves, differences, cells, table titles."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd

from passk.analysis import palette
from passk.analysis.seed_series import Series, all_curve_groups, colors_of
from passk.analysis.study import Study
from passk.core.schemas import VERDICTS
from passk.report.findings import Row
from passk.report.html.responses import FINISH_REASONS, groups
from passk.report.html.table_titles import HEADERS, about, meanings, plain

Frames = Mapping[str, pd.DataFrame]

CURVE = ("pass_at_k", "ci_low", "ci_high", "noise_low", "noise_high", "guess_floor")
DELTA = ("delta", "ci_low", "ci_high", "band_low", "band_high")


def page_data(study: Study, frames: Frames, *, partial: bool) -> dict[str, Any]:
    """Return the uncompressed data of the page; everything else is in blocks.

    Args:
        study: the study.
        frames: its tables by name.
        partial: whether some responses are not on the page.
    """
    return {
        "name": study.name,
        "cells": list(cells(study, frames)),
        "series": list(series(study)),
        "curves": [*curves(frames["pass_at_k"]), *series_curves(study, frames)],
        "reviewed": list(reviewed(frames.get("reviewed_curves"))),
        "deltas": [*deltas(frames["deltas"]), *series_deltas(study, frames)],
        "tables": [
            [name, *about(name), len(table), meanings(name)] for name, table in frames.items()
        ],
        "headers": HEADERS,
        "colours": css_colors(),
        "verdicts": list(VERDICTS),
        "finishes": list(FINISH_REASONS),
        "partial": partial,
    }


def css_colors() -> dict[str, str]:
    """Return name of a CSS variable of figures -> its colour in the light theme."""
    series = {f"series-{index}": color for index, color in enumerate(palette.SERIES)}
    return {"ink": palette.INK, "muted": palette.MUTED, "line": palette.GRID, **series}


def cells(study: Study, frames: Frames) -> Iterator[Row]:
    """Yield each cell with its colour and the blocks of its responses."""
    colors = colors_of(study)
    drawn = {group.cells[0].id for group in all_curve_groups(study) if len(group.cells) == 1}
    for cell in study.cells:
        yield {
            "id": cell.id,
            "label": cell.label or cell.id,
            "benchmark": cell.benchmark,
            "title": study.title_of(cell.benchmark),
            "base": cell.base,
            "n": cell.n,
            "last": cell.id in drawn,
            "color": _color(colors[cell.label or cell.id]),
            "groups": groups(cell, frames["problems"]) if cell.samples else {},
        }


def _color(color: str) -> str:
    """Return a colour as CSS: the theme's variable if it is one of ours."""
    return f"--series-{palette.SERIES.index(color)}" if color in palette.SERIES else color


def series(study: Study) -> Iterator[Row]:
    """Yield each series of several seeds as one curve: the mean over seeds."""
    colors = colors_of(study)
    for group in all_curve_groups(study):
        cell = group.cells[0]
        if len(group.cells) > 1:
            yield {
                "id": _series_id(group),
                "series": group.name,
                "label": f"{group.label} ({len(group.cells)} seeds)",
                "benchmark": cell.benchmark,
                "base": cell.base,
                "n": min(seed.n for seed in group.cells),
                "last": True,
                "color": _color(colors[group.label]),
            }


def _series_id(group: Series) -> str:
    """Return the id of the mean over the seeds of a series."""
    return f"mean of {', '.join(cell.id for cell in group.cells)}"


def series_curves(study: Study, frames: Frames) -> Iterator[Row]:
    """Yield pass@k of each series: the mean, with its interval over problems and seeds."""
    floors = frames["pass_at_k"]
    for group, part in _means(study, frames):
        own = floors[floors["cell"].isin([cell.id for cell in group.cells])]
        ends = {"ci_low": part["pass_at_k_method_low"], "ci_high": part["pass_at_k_method_high"]}
        table = part.assign(
            **ends, guess_floor=part["k"].map(own.groupby("k")["guess_floor"].mean())
        )
        yield {"cell": _series_id(group), **_columns(table, CURVE)}


def series_deltas(study: Study, frames: Frames) -> Iterator[Row]:
    """Yield the difference of each series to its base, with the interval as a method."""
    for group, part in _means(study, frames):
        ends = {"ci_low": part["delta_method_low"], "ci_high": part["delta_method_high"]}
        table = part.assign(**ends)
        yield {"cell": _series_id(group), "base": group.cells[0].base, **_columns(table, DELTA)}


def _means(study: Study, frames: Frames) -> Iterator[tuple[Series, pd.DataFrame]]:
    """Yield each series of several seeds with its rows by k at the step that is shown."""
    for group in all_curve_groups(study):
        cell = group.cells[0]
        if len(group.cells) > 1:
            table = frames["series_curves"]
            here = (table["benchmark"] == cell.benchmark) & (table["sampler"] == cell.sampler)
            yield group, table[here & (table["series"] == group.name) & table["last"].astype(bool)]


def _columns(part: pd.DataFrame, names: tuple[str, ...]) -> dict[str, list[Any]]:
    """Return k and some columns of a curve as lists."""
    part = part.sort_values("k")
    known = [name for name in names if name in part]
    found = {name: [plain(value) for value in part[name].tolist()] for name in known}
    return {"k": [int(k) for k in part["k"]], **found}


def curves(table: pd.DataFrame) -> Iterator[Row]:
    """Yield each cell's pass@k."""
    for cell, part in table.dropna(subset="pass_at_k").groupby("cell", sort=False):
        yield {"cell": cell, **_columns(part, CURVE)}


def reviewed(table: pd.DataFrame | None) -> Iterator[Row]:
    """Yield the curves corrected by labels and without guessable problems."""
    if table is None or table.empty:
        return
    keys = ["problems_kept", "responses_kept", "cell"]
    for (problems, responses, cell), part in table.groupby(keys, sort=False):
        if (problems, responses) != ("all", "graded"):
            kept = {"problems": problems, "responses": responses}
            yield {"cell": cell, **kept, **_columns(part, CURVE)}


def deltas(table: pd.DataFrame) -> Iterator[Row]:
    """Yield each comparison's difference."""
    for cell, part in table.dropna(subset="delta").groupby("cell", sort=False):
        yield {"cell": cell, "base": str(part["base"].iloc[0]), **_columns(part, DELTA)}
