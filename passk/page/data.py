"""What the page's script reads at once: curves, differences, cells, and what else there is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd

from passk import palette
from passk.page.responses import FINISHES, groups
from passk.page.tables import about, plain
from passk.records import VERDICTS
from passk.results import Study

Frames = Mapping[str, pd.DataFrame]

CURVE = ("pass_at_k", "ci_low", "ci_high", "noise_low", "noise_high", "floor")
DELTA = ("delta", "ci_low", "ci_high", "band_low", "band_high")


def page_data(study: Study, frames: Frames, most: int | None) -> dict[str, Any]:
    """Return the data that the page holds uncompressed; everything else is in blocks.

    Args:
        study: the study.
        frames: its tables by name.
        most: responses per problem and cell that are shown; None is all.
    """
    return {
        "name": study.name,
        "cells": list(cells(study, frames)),
        "curves": list(curves(frames["pass_at_k"])),
        "reviewed": list(reviewed(frames.get("reviewed_curves"))),
        "deltas": list(deltas(frames["deltas"])),
        "tables": [[name, *about(name), len(table)] for name, table in frames.items()],
        "verdicts": list(VERDICTS),
        "finishes": list(FINISHES),
        "most": most,
    }


def cells(study: Study, frames: Frames) -> Iterator[dict[str, Any]]:
    """Yield each cell with its colour and the blocks of its responses."""
    colors = palette.assign((cell.label or cell.id, cell.color) for cell in study.cells)
    for cell in study.cells:
        color = colors[cell.label or cell.id]
        known = color in palette.SERIES
        yield {
            "id": cell.id,
            "label": cell.label or cell.id,
            "benchmark": cell.benchmark,
            "title": study.title_of(cell.benchmark),
            "base": cell.base,
            "n": cell.n,
            "color": f"--series-{palette.SERIES.index(color)}" if known else color,
            "groups": groups(cell, frames["problems"]) if cell.samples else {},
        }


def _series(part: pd.DataFrame, names: tuple[str, ...]) -> dict[str, list[Any]]:
    """Return k and some columns of a curve as lists."""
    part = part.sort_values("k")
    known = [name for name in names if name in part]
    found = {name: [plain(value) for value in part[name].tolist()] for name in known}
    return {"k": [int(k) for k in part["k"]], **found}


def curves(table: pd.DataFrame) -> Iterator[dict[str, Any]]:
    """Yield each cell's pass@k."""
    for cell, part in table.dropna(subset="pass_at_k").groupby("cell", sort=False):
        yield {"cell": cell, **_series(part, CURVE)}


def reviewed(table: pd.DataFrame | None) -> Iterator[dict[str, Any]]:
    """Yield the curves that labels and the guessing prompt change."""
    if table is None or table.empty:
        return
    keys = ["problems_kept", "responses_kept", "cell"]
    for (problems, responses, cell), part in table.groupby(keys, sort=False):
        if (problems, responses) != ("all", "graded"):
            kept = {"problems": problems, "responses": responses}
            yield {"cell": cell, **kept, **_series(part, CURVE)}


def deltas(table: pd.DataFrame) -> Iterator[dict[str, Any]]:
    """Yield each comparison's difference."""
    for cell, part in table.dropna(subset="delta").groupby("cell", sort=False):
        yield {"cell": cell, "base": str(part["base"].iloc[0]), **_series(part, DELTA)}
