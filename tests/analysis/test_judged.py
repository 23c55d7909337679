"""CoT-pass@k of a base and a tuned model, as one judge finds their reasoning."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from passk.analysis.judged import cot_rows, judged_rows
from passk.analysis.study import Cell, Judging, Study
from passk.analysis.table_schemas import make_table
from passk.core.schemas import Judgement, JudgementName, VerdictName, write_rows

N, PROBLEMS = 4, 30


@pytest.fixture
def study(tmp_path: Path) -> Study:
    """The base solves all problems, but half of them unsoundly; the tuned model 20, all soundly.

    One response of each is unclear on problem 0, and problem 1 was not judged.
    """
    cells = tuple(
        Cell(name, name, "b", "s", N, Path("x"), base="base" if name == "tuned" else None)
        for name in ("base", "tuned")
    )
    for cell in cells:
        rows = [
            Judgement(f"p{i}", sample, verdict, judgement, 1, 0, 0)
            for i in range(PROBLEMS if cell.id == "base" else 20)
            for sample in range(N)
            for verdict, judgement in [verdict_of(cell.id, i, sample)]
            if i != 1
        ]
        write_rows(tmp_path / f"{cell.id}.parquet", rows)
    judgings = tuple(Judging("j", c.id, 1, tmp_path / f"{c.id}.parquet") for c in cells)
    return Study("s", (1, 4, 8), cells, judgings=judgings)


def verdict_of(cell: str, problem: int, sample: int) -> tuple[VerdictName, JudgementName]:
    if problem == 0 and sample == 0:
        return "correct", "unclear"
    return "correct", "unsound" if cell == "base" and problem >= PROBLEMS // 2 else "sound"


def counts() -> dict[str, pd.DataFrame]:
    solved = {"base": PROBLEMS, "tuned": 20}
    return {
        cell: pd.DataFrame(
            {
                "problem_id": [f"p{i}" for i in range(PROBLEMS)],
                "n": N,
                "correct": [N * (i < number) for i in range(PROBLEMS)],
                "cluster": "",
            }
        )
        for cell, number in solved.items()
    }


def test_the_difference_to_the_base_is_that_of_sound_responses(study: Study) -> None:
    table = make_table("cot_pass_at_k", cot_rows(study, counts()))
    assert table["k"].tolist() == [1, 4, 1, 4]  # k = 8 is above n
    base, tuned = (table[table["cell"] == name].set_index("k") for name in ("base", "tuned"))
    assert base["pass_at_k"].tolist() == [1, 1]
    assert base.loc[1, "cot_pass_at_k"] == pytest.approx((14 + 0.75) / 30)
    assert base.loc[1, "bound_low"] == pytest.approx((13 + 0.75) / 30)
    assert base.loc[1, "bound_high"] == pytest.approx(15 / 30)
    assert base["unjudged_share"].tolist() == pytest.approx([1 / 30] * 2)
    assert base["delta"].isna().all()
    assert tuned.loc[4, "delta"] == pytest.approx(5 / 30)
    assert (tuned["delta_low"] > 0).all()
    assert (tuned["delta_low"] < tuned["delta"]).all()
    assert (tuned["delta"] < tuned["delta_high"]).all()


def test_judgements_are_counted_per_curve(study: Study) -> None:
    base, tuned = make_table("judged", judged_rows(study)).to_dict("records")
    assert [base[name] for name in ("judged", "sound", "unsound", "unclear")] == [116, 55, 60, 1]
    assert [tuned[name] for name in ("problems", "judged", "unsound")] == [19, 76, 0]
    assert base["unanimous"] == 1
