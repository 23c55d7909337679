"""Interim results of cells: pass@1, truncation and missing answers of what is graded so far."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from passk.core.artifacts import read_manifest
from passk.core.errors import DataError
from passk.core.schemas import Count, Verdict, read_table
from passk.stats.curves import LEVEL
from passk.stats.intervals import expanded_z
from passk.stats.resampling import value_units
from passk.stats.score_intervals import rate_interval
from passk.workflow.cells import Cell
from passk.workflow.plan import Plan
from passk.workflow.status.report_types import Interim

COLUMNS = ("problem_id", "n", "correct", "no_answer", "truncated")
"""Of a tally: a row per problem, possibly several."""

File = tuple[Path, float]
"""A file and its time of change."""


class InterimResults:
    """Computes the interim results of cells; each file is read once, however often it is called."""

    def __init__(self) -> None:
        """Start with nothing read."""
        self._tallies: dict[File, pa.Table | None] = {}
        self._results: dict[tuple[File, ...], Interim | None] = {}

    def __call__(self, plan: Plan, cell: Cell) -> Interim | None:
        """Return a cell's results so far; None before anything is graded."""
        read: list[tuple[File, Path | None]]
        if counts := _present(Path(plan.counts_of(cell))):
            read = [(counts, None)]
        else:
            shards = zip(plan.samples_of(cell), plan.verdicts_of(cell), strict=True)
            read = [(file, Path(one)) for one, own in shards if (file := _present(Path(own)))]
        key = tuple(file for file, _ in read)
        if key not in self._results:
            tallies = [self._tally(*one) for one in read]
            known = [tally for tally in tallies if tally is not None]
            self._results[key] = summarize(pa.concat_tables(known)) if known else None
        return self._results[key]

    def _tally(self, file: File, samples: Path | None) -> pa.Table | None:
        """Return the tally of a file of verdicts on `samples`, or of counts; None if unreadable."""
        if file not in self._tallies:
            try:
                self._tallies[file] = (
                    read_table(file[0], Count, COLUMNS)
                    if samples is None
                    else _tally_verdicts(file[0], samples)
                )
            except DataError:
                self._tallies[file] = None
        return self._tallies[file]


def _present(path: Path) -> File | None:
    """Return a file with its time of change, if it is there."""
    try:
        return path, path.stat().st_mtime
    except OSError:
        return None


def _tally_verdicts(path: Path, samples: Path) -> pa.Table:
    """Return a shard's verdicts per problem; all its truncated responses are in the first row."""
    verdicts = read_table(path, Verdict, ["problem_id", "verdict"])
    flags = {
        "n": pc.is_valid(verdicts["verdict"]),
        "correct": pc.equal(verdicts["verdict"], "correct"),
        "no_answer": pc.equal(verdicts["verdict"], "no_answer"),
    }
    numbers = {name: pc.cast(flag, pa.int64()) for name, flag in flags.items()}
    summed = _sum(pa.table({"problem_id": verdicts["problem_id"], **numbers}))
    truncated = np.zeros(summed.num_rows, dtype=np.int64)
    truncated[:1] = int((read_manifest(samples) or {}).get("truncated") or 0)
    return summed.append_column("truncated", pa.array(truncated))


def _sum(table: pa.Table) -> pa.Table:
    """Return the sums of all columns per problem."""
    names = [name for name in table.column_names if name != "problem_id"]
    found = table.group_by("problem_id").aggregate([(name, "sum") for name in names])
    columns = {name: pc.cast(found[f"{name}_sum"], pa.int64()) for name in names}
    return pa.table({"problem_id": found["problem_id"], **columns})


def summarize(tally: pa.Table) -> Interim:
    """Return the results of a tally with the columns `COLUMNS`.

    pass@1 is the mean over problems of the share of correct responses, with its 95 % score interval
    over problems: a bootstrap, as in the report, would take seconds for hundreds of cells.
    """
    whole = _sum(tally)
    n, correct, no_answer, truncated = (whole[name].to_numpy() for name in COLUMNS[1:])
    units = value_units((correct / n)[:, None])
    (low,), (high,) = rate_interval(units, expanded_z(LEVEL, units.number))
    return {
        "problems": len(n),
        "responses": int(n.sum()),
        "pass_at_1": float((correct / n).mean()),
        "ci_low": float(low),
        "ci_high": float(high),
        "truncated_share": float(truncated.sum() / n.sum()),
        "no_answer_share": float(no_answer.sum() / n.sum()),
    }
