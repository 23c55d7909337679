"""How far our verdicts on imported responses agree with those that they came with."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from passk.analysis.columns import names
from passk.analysis.study import Cell, Study
from passk.core.schemas import Verdict, read_table
from passk.stats import cohen_kappa

KEY = ["problem_id", "sample"]


def compared_verdicts(study: Study) -> dict[str, pd.DataFrame]:
    """Return, per cell that came with verdicts, a row per response that both have judged."""
    return {
        cell.id: _compared(cell, cell.foreign) for cell in study.cells if cell.foreign is not None
    }


def _compared(cell: Cell, foreign: Path) -> pd.DataFrame:
    """Return both verdicts on each response; `right` and `their_right` say whether correct."""
    theirs = _read(foreign).rename(
        columns={name: f"their_{name}" for name in ("verdict", "answer", "detail")}
    )
    parts = [_read(path).merge(theirs, on=KEY) for path in cell.verdicts]
    both = pd.concat(parts) if parts else pd.DataFrame(columns=[*KEY, "verdict", "their_verdict"])
    both = both[both["sample"] < cell.n]
    return both.assign(
        right=both["verdict"] == "correct", their_right=both["their_verdict"] == "correct"
    )


def _read(path: Path) -> pd.DataFrame:
    """Read what is compared of a file of Verdict rows."""
    columns = [*KEY, "verdict", "answer", "detail"]
    table: pd.DataFrame = read_table(path, Verdict, columns).to_pandas()
    return table


def agreement_rows(study: Study, compared: dict[str, pd.DataFrame]) -> Iterator[dict[str, Any]]:
    """Yield one row per cell that came with verdicts."""
    for cell in study.cells:
        if cell.id in compared:
            both = compared[cell.id]
            ours, theirs = both["right"].to_numpy(bool), both["their_right"].to_numpy(bool)
            yield {
                **names(cell),
                "source": cell.imported,
                "responses": len(both),
                "both_correct": int((ours & theirs).sum()),
                "ours_only": int((ours & ~theirs).sum()),
                "theirs_only": int((~ours & theirs).sum()),
                "neither": int((~ours & ~theirs).sum()),
                "agreement": float((ours == theirs).mean()) if len(both) else np.nan,
                "kappa": cohen_kappa(ours, theirs),
            }


def disagreement_rows(study: Study, compared: dict[str, pd.DataFrame]) -> Iterator[dict[str, Any]]:
    """Yield one row per response that is correct by one of the two verdicts alone."""
    for cell in study.cells:
        if cell.id in compared:
            both = compared[cell.id]
            for row in both[both["right"] != both["their_right"]].to_dict("records"):
                yield {**names(cell), **{str(name): value for name, value in row.items()}}
