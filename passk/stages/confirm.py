"""Confirmation: which problems are drawn again, and what the fresh draws of each round decide."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from passk.core import versions
from passk.core.errors import DataError
from passk.core.schemas import Count, Decision, Verdict, read_table, to_table, write_table
from passk.stats import Ints
from passk.stats.confirmation import decide, is_rarely_solved, is_solved_again, select_kinds

if TYPE_CHECKING:
    import pandas as pd


def confirm(
    counts: Path,
    base_counts: Path,
    output: Path,
    *,
    verdicts: Sequence[Path] = (),
    base_verdicts: Sequence[Path] = (),
    lost: bool = False,
    gained: bool = False,
    rare: float = 0.0,
) -> None:
    """Write one `Decision` row per problem that is drawn again, in the order of `counts`.

    Args:
        counts: Count rows of a model, which select the problems.
        base_counts: Count rows of its base.
        output: file of Decision rows to write; it may have none.
        verdicts: Verdict rows of the model's fresh responses, a file per round so far.
        base_verdicts: those of its base.
        lost: select problems that the base alone solves.
        gained: select problems that the model alone solves.
        rare: also select other problems that either solves with an accuracy in (0, rare].

    Raises:
        DataError: a file cannot be read, or the models have different numbers of fresh responses.
    """
    both = _selected(counts, base_counts, lost=lost, gained=gained, rare=rare)
    ids = both.set_index("problem_id").index
    drawn, correct = _fresh(verdicts, ids)
    base_drawn, base_correct = _fresh(base_verdicts, ids)
    if not np.array_equal(drawn, base_drawn):
        raise DataError(
            "the model and its base have different numbers of fresh responses",
            where=str(output.parent),
            fix="run the workflow again: what is missing will be made",
        )
    rows = list(_rows(both, drawn.sum(axis=0), correct, base_correct, rare))
    manifest = {
        "stage": "confirm",
        "version": versions.CONFIRM,
        "rounds": len(verdicts),
        "selected": len(rows),
        "open": sum(row.decision == "open" for row in rows),
    }
    write_table(output, to_table(Decision, rows), manifest)


def open_problems(decisions: Path) -> frozenset[str]:
    """Return the ids of the problems that are not decided yet; errors as for `read_table`."""
    table = read_table(decisions, Decision, ["problem_id", "decision"], empty=True)
    return frozenset(row["problem_id"] for row in table.to_pylist() if row["decision"] == "open")


def _selected(
    counts: Path, base_counts: Path, *, lost: bool, gained: bool, rare: float
) -> pd.DataFrame:
    """Return the counts of both models, and the kind, of each problem that is drawn again."""
    columns = ["problem_id", "n", "correct"]
    own, base = (read_table(path, Count, columns).to_pandas() for path in (counts, base_counts))
    both = own.merge(base.add_prefix("base_"), left_on="problem_id", right_on="base_problem_id")
    both["kind"] = select_kinds(
        (both["n"].to_numpy(), both["correct"].to_numpy()),
        (both["base_n"].to_numpy(), both["base_correct"].to_numpy()),
        lost=lost,
        gained=gained,
        rare=rare,
    )
    selected: pd.DataFrame = both[both["kind"] != ""].reset_index(drop=True)
    return selected


def _fresh(files: Sequence[Path], ids: pd.Index[str]) -> tuple[Ints, Ints]:
    """Return drawn and correct fresh responses per round and problem, shape (R, P) each."""
    drawn, correct = (np.zeros((len(files), len(ids)), dtype=np.int64) for _ in range(2))
    for number, path in enumerate(files):
        table = read_table(path, Verdict, ["problem_id", "verdict"], empty=True).to_pandas()
        at = ids.get_indexer(table["problem_id"])
        if (at < 0).any():
            raise DataError("holds problems that were not selected", where=str(path))
        drawn[number] = np.bincount(at, minlength=len(ids))
        right = (table["verdict"] == "correct").to_numpy()
        correct[number] = np.bincount(at[right], minlength=len(ids))
    return drawn, correct


def _rows(
    both: pd.DataFrame, fresh_n: Ints, correct: Ints, base_correct: Ints, rare: float
) -> Iterator[Decision]:
    """Yield each problem's decision; `correct` and `base_correct` are per round, shape (R, P)."""
    kinds = both["kind"].to_numpy()
    tested, is_lost = kinds != "rare", kinds == "lost"
    totals = np.stack([correct.sum(axis=0), base_correct.sum(axis=0)])
    rarely = np.stack(
        [
            is_rarely_solved(both[f"{who}n"].to_numpy(), both[f"{who}correct"].to_numpy(), rare)
            for who in ("", "base_")
        ]
    )
    again = is_solved_again(rarely, totals)
    decisions = np.where(again, "confirmed", "open").astype(object)
    p, familywise = np.full((2, len(kinds)), None, dtype=object)
    solver = np.where(is_lost, base_correct, correct)[:, tested]
    other = np.where(is_lost, correct, base_correct)[:, tested]
    decisions[tested], p[tested], familywise[tested] = decide(solver, other)
    for at, row in enumerate(both.to_dict("records")):
        yield Decision(
            problem_id=row["problem_id"],
            kind=row["kind"],
            decision=decisions[at],
            n=row["n"],
            correct=row["correct"],
            base_n=row["base_n"],
            base_correct=row["base_correct"],
            fresh_n=int(fresh_n[at]),
            fresh_correct=int(totals[0, at]),
            base_fresh_correct=int(totals[1, at]),
            p=p[at],
            p_familywise=familywise[at],
        )
