"""Lost and gained problems drawn again: one command does it all, and edits cost no draws."""

from __future__ import annotations

import copy
import json
import shutil
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from conftest import Study, make_study, shared_folder

from passk.core.errors import DataError
from passk.core.schemas import Decision, read_table
from passk.stages.confirm import confirm
from passk.stages.sample import sample
from passk.stages.verify import verify

LOST, LUCK, GAINED = range(2), range(2, 8), range(8, 10)
ROUNDS = 2
ANALYSIS = Counter(resolve_experiment=1, aggregate_tables=1, draw_figures=1, write_report=1)


def write_study(folder: Path) -> Study:
    """A base and a tuned model of which two problems are lost, two gained, some lost by luck."""
    made = make_study(folder)
    made.set_golds([str(10 + i) for i in range(10)])
    made.set_rates("base.jsonl", [0.6] * 8 + [0.0] * 2)
    made.set_rates("tuned.jsonl", [0.0] * 2 + [0.15] * 6 + [0.6] * 2)
    made.spec["confirm"] = {"n": 24 * ROUNDS, "rounds": ROUNDS}
    made.spec["shard"] = 8
    del made.spec["perplexity"]
    made.save()
    return made


def preview(study: Study) -> dict[str, Any]:
    study.save()
    found: dict[str, Any] = json.loads(study.passk("plan", study.file, "--json").stdout)
    return found


@pytest.fixture(scope="module")
def confirmed(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """The study after one command."""
    with shared_folder(tmp_path_factory, "confirmed") as folder:
        study = write_study(folder / "study")
        if not (folder / "jobs.json").exists():
            (folder / "before.json").write_text(json.dumps(preview(study)))
            (folder / "jobs.json").write_text(json.dumps(study.snakemake()))
    study.jobs = Counter(json.loads((folder / "jobs.json").read_text()))
    return study


@pytest.fixture
def mine(confirmed: Study, tmp_path: Path) -> Study:
    """A copy that a test may change."""
    shutil.copytree(confirmed.folder, tmp_path, dirs_exist_ok=True)
    return replace(confirmed, folder=tmp_path, spec=copy.deepcopy(confirmed.spec))


def decisions(study: Study) -> pd.DataFrame:
    return pd.read_csv(study.folder / "outputs/study/tables/confirmed.csv", index_col="problem_id")


def test_one_command_does_all_that_the_plan_says(confirmed: Study) -> None:
    before = json.loads((confirmed.folder.parent / "before.json").read_text())
    assert confirmed.jobs == before["files_to_make"]
    assert confirmed.jobs["decide_problems"] == ROUNDS + 1
    assert confirmed.jobs["draw_samples"] == 2 * (1 + ROUNDS)
    assert preview(confirmed)["files_to_make"] == {}


def test_decisions_are_those_of_the_true_rates(confirmed: Study) -> None:
    found = decisions(confirmed)
    assert found.loc[[f"p{i}" for i in LOST], "decision"].tolist() == ["confirmed"] * 2
    assert found.loc[[f"p{i}" for i in GAINED], "kind"].tolist() == ["gained"] * 2
    luck = found[found.index.isin([f"p{i}" for i in LUCK])]
    assert set(luck["decision"]) == {"refuted"}
    assert (luck["correct"] == 0).all()
    assert (luck["fresh_correct"] > 0).all()
    assert (found["fresh_n"] < found["fresh_n_max"]).any()


def test_the_report_says_how_many_are_confirmed(confirmed: Study) -> None:
    page = (confirmed.folder / "outputs/study/report.html").read_text()
    found = decisions(confirmed)
    lost = found[found["kind"] == "lost"]["decision"].value_counts()
    words = f"lost {lost.sum()}: confirmed {lost['confirmed']}, refuted {lost['refuted']}, open 0"
    assert words in page
    assert "<h2>Problems drawn again</h2>" in page


def test_rounds_hold_fresh_responses_to_open_problems_alone(confirmed: Study) -> None:
    first = responses(confirmed, "tuned.sums.plain-*")
    fresh = responses(confirmed, "tuned.sums.plain.confirm-*")
    assert not set(first["seed"]) & set(fresh["seed"])
    found = decisions(confirmed)
    sizes = fresh["problem_id"].value_counts()
    assert sizes.to_dict() == found["fresh_n"].to_dict()


def responses(study: Study, cell: str) -> pd.DataFrame:
    """Return the stored responses of a cell."""
    files = study.folder.glob(f"outputs/store/cells/{cell}/samples/*.parquet")
    return pd.concat(map(pd.read_parquet, files))


def test_the_preview_bounds_fresh_draws_and_knows_them_once_problems_are_selected(
    confirmed: Study, mine: Study
) -> None:
    before = json.loads((confirmed.folder.parent / "before.json").read_text())
    assert [cell["at_most"] for cell in before["confirmations"]] == [True, True]
    assert before["total"]["responses_left"] == 2 * 10 * 8
    assert sum(cell["responses_left"] for cell in before["confirmations"]) == 2 * 10 * 24 * ROUNDS
    selected = len(decisions(mine))
    shutil.rmtree(next(mine.folder.glob("outputs/store/cells/tuned.sums.plain.confirm-*")))
    (mine.folder / "outputs/study/tables/confirmed.csv").unlink()
    after = preview(mine)
    assert after["total"]["responses_left"] == 0  # nothing but tables is missing
    for path in mine.folder.glob("outputs/store/confirmations/*/decisions-[1-9].parquet"):
        path.unlink()
    after = preview(mine)
    assert after["confirmations"][0]["problems"] == selected < 10
    assert after["total"]["responses_left"] == selected * 24 * ROUNDS


def test_edits_of_the_analysis_draw_nothing_again(mine: Study) -> None:
    mine.spec["k"] = [1, 8]
    assert Counter(preview(mine)["files_to_make"]) == ANALYSIS


def test_another_selection_uses_fresh_responses_again(mine: Study) -> None:
    """What decides a selection may change; what was drawn is not drawn a second time."""
    mine.spec["confirm"]["gained"] = False
    after = preview(mine)["confirmations"]
    assert [cell["at_most"] for cell in after] == [True, True]
    drawn = len(responses(mine, "*.confirm-*"))
    assert sum(cell["responses_reused"] for cell in after) == drawn


def test_selection_rounds_and_decisions_may_be_empty(mine: Study, tmp_path: Path) -> None:
    """Where nothing is selected, a round has no responses and no verdicts, and no weights load."""
    (counts,) = tmp_path.glob("outputs/store/cells/tuned.sums.plain-*/counts/*.parquet")
    (cell,) = tmp_path.glob("outputs/store/cells/tuned.sums.plain.confirm-*/cell.json")
    (questions,) = tmp_path.glob("outputs/store/problems/*/questions.parquet")
    (problems,) = tmp_path.glob("outputs/store/problems/*/problems-*.parquet")
    (mine.folder / "tuned.jsonl").unlink()
    kept, drawn, graded, decided = (tmp_path / f"{name}.parquet" for name in "abcd")
    confirm(counts, counts, kept, lost=True, gained=True)
    sample(cell, questions, [(drawn, range(4))], selection=kept)
    verify(problems, drawn, graded, "number")
    rounds = {"verdicts": [graded], "base_verdicts": [graded]}
    confirm(counts, counts, decided, lost=True, gained=True, **rounds)
    assert read_table(decided, Decision, empty=True).num_rows == 0


def test_models_have_equally_many_fresh_responses(mine: Study, tmp_path: Path) -> None:
    base, tuned = (
        next(tmp_path.glob(f"outputs/store/cells/{name}.sums.plain-*/counts/*.parquet"))
        for name in ("base", "tuned")
    )
    (fresh,) = tmp_path.glob("outputs/store/cells/tuned.*.confirm-*/verdicts/*/000000-*.parquet")
    with pytest.raises(DataError, match="different numbers of fresh responses"):
        confirm(tuned, base, tmp_path / "x.parquet", lost=True, gained=True, verdicts=[fresh])
    assert mine.folder == tmp_path


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"n": 10}, "confirm.n: n = 10 is not a multiple of rounds = 4"),
        ({"n": 8, "lost": False, "gained": False}, "selects no problems"),
    ],
)
def test_a_confirmation_that_cannot_be_is_refused(
    study: Study, settings: dict[str, Any], message: str
) -> None:
    study.spec["confirm"] = settings
    study.save()
    done = study.passk("plan", study.file)
    assert done.returncode != 0
    assert message in done.stderr


def test_a_spec_that_compares_nothing_confirms_nothing(study: Study) -> None:
    del study.spec["models"]["tuned"], study.spec["perplexity"]
    study.spec["confirm"] = {"n": 8}
    study.save()
    assert "nothing is compared" in study.passk("plan", study.file).stderr
