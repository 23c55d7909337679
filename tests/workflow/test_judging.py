"""A judge in a study: one command draws its votes, and what it says reaches tables and page."""

from __future__ import annotations

import copy
import json
import re
import shutil
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from conftest import Study, make_study, shared_folder
from faulty_server import FaultyServer, Handler, running

from passk.review.labels import LabelFile
from passk.review.queue import Key

SOUND = "10"
"""The one answer whose reasoning the judge of these tests likes."""

VOTES = 3


class Judge(Handler):
    """Answers in the form that it is asked for: sound where the right answer is `SOUND`."""

    def completion(self, body: dict[str, Any]) -> Any:
        asked = body["messages"][-1]["content"]
        code = re.findall(r"RESPONSE (\w+) ENDS", asked)[-1]
        gold = re.findall(r"RIGHT ANSWER \w+ BEGINS -----\n\| (\w+)", asked)[0]
        word = "SOUND" if gold == SOUND else "UNSOUND"
        self.server.message = {"content": f"Let me see.\n\nVERDICT {code}: {word}"}
        return super().completion(body)


@pytest.fixture(scope="module")
def server() -> Iterator[FaultyServer]:
    with FaultyServer(handler=Judge) as one, running(one):
        yield one


def write_study(folder: Path, url: str) -> Study:
    made = make_study(folder)
    made.set_rates("tuned.jsonl", [1.0, 0.5, 0.5, 0.0])
    made.spec["models"] = {
        "tuned": {"weights": "./tuned.jsonl", "engine": "fake"},
        "judge": {
            "weights": "m",
            "engine": "openai",
            "endpoint": url,
            "benchmarks": [],
            "execution": {"batch_size": 1},  # one message of the server at a time
        },
    }
    made.spec["judges"] = {"strict": {"model": "judge", "votes": VOTES}}
    made.spec["figures"] = ["judged"]
    made.spec["review"] = {"accuracy": [0, 1]}
    del made.spec["perplexity"]
    made.save()
    return made


def preview(study: Study) -> dict[str, Any]:
    study.save()
    found: dict[str, Any] = json.loads(study.passk("plan", study.file, "--json").stdout)
    return found


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory, server: FaultyServer) -> Study:
    """The study after one command."""
    with shared_folder(tmp_path_factory, "judged") as folder:
        study = write_study(folder / "study", server.url)
        if not (folder / "jobs.json").exists():
            (folder / "before.json").write_text(json.dumps(preview(study)))
            (folder / "jobs.json").write_text(json.dumps(study.snakemake()))
    study.jobs = Counter(json.loads((folder / "jobs.json").read_text()))
    return study


@pytest.fixture
def mine(judged: Study, tmp_path: Path) -> Study:
    """A copy of it that a test may change."""
    shutil.copytree(judged.folder, tmp_path, dirs_exist_ok=True)
    return replace(judged, folder=tmp_path, spec=copy.deepcopy(judged.spec))


def table(study: Study, name: str) -> pd.DataFrame:
    return pd.read_csv(study.folder / f"outputs/study/{name}.csv")


def test_one_command_does_all_that_the_plan_says(judged: Study) -> None:
    before = json.loads((judged.folder.parent / "before.json").read_text())
    assert judged.jobs == before["files_to_make"]
    assert judged.jobs["select_chains"] == judged.jobs["count_votes"] == 1
    (planned,) = before["judgings"]
    assert planned["at_most"]
    assert planned["responses_left"] == 4 * 8 * VOTES
    assert preview(judged)["files_to_make"] == {}


def test_correct_responses_are_judged_and_sound_ones_count(judged: Study) -> None:
    problems = table(judged, "tables/problems").set_index("problem_id")
    correct = problems["correct"]
    (found,) = table(judged, "tables/judged").to_dict("records")
    assert found["judged"] == correct.sum()
    assert found["sound"] == correct["p0"] == 8
    assert found["unsound"] == correct.sum() - 8
    assert found["unanimous"] == 1
    curve = table(judged, "tables/cot_pass_at_k")
    assert set(curve["cot_pass_at_k"]) == {0.25}
    assert (curve["bound_low"] == curve["bound_high"]).all()
    assert curve["pass_at_k"].iloc[-1] == (correct > 0).mean()


def test_the_page_says_that_nobody_validated_the_judge(judged: Study) -> None:
    page = (judged.folder / "outputs/study/report.html").read_text()
    assert "<h2>Judged reasoning</h2>" in page
    assert "Judge: strict (judge, not validated)" in page
    assert "CoT-pass@k on Sums, judged by strict" in page


def test_labels_validate_the_judge_and_correct_its_curve(mine: Study) -> None:
    """Labels remake tables of labels and the page, and ask the judge nothing."""
    (cell,) = set(table(mine, "tables/judged")["cell"])
    rows = table(mine, "tables/problems").set_index("problem_id")
    store = mine.folder / "outputs/store"
    (judgements,) = store.glob("judgings/*/judgements.parquet")
    with LabelFile(mine.folder / "outputs/study/labels/ada.jsonl") as labels:
        for row in pd.read_parquet(judgements).to_dict("records"):
            label = "valid" if row["problem_id"] in ("p0", "p1") else "flawed"
            labels.add(Key(cell, row["problem_id"], row["sample"]), label)
    assert mine.snakemake() == Counter(tabulate_labels=1, write_report=1)
    found = table(mine, "reviewed/judge_agreement").set_index("metric")
    assert found.loc["specificity", "value"] == 1
    assert found.loc["sensitivity", "value"] == pytest.approx(8 / (8 + rows.loc["p1", "correct"]))
    corrected = table(mine, "reviewed/cot_corrected")
    assert ((corrected["lower"] <= corrected["value"]) & (corrected["value"] <= 1)).all()
    page = (mine.folder / "outputs/study/report.html").read_text()
    assert "not validated)" not in page
    assert "sensitivity" in page[page.index("Against the labels of people") :][:400]


def test_edits_ask_the_judge_no_more_than_they_must(mine: Study) -> None:
    mine.spec["k"] = [1, 8]
    assert not {"draw_samples", "select_chains", "count_votes"} & set(
        preview(mine)["files_to_make"]
    )
    mine.spec["judges"]["strict"]["votes"] = VOTES + 2
    more = preview(mine)
    assert more["files_to_make"]["select_chains"] == more["files_to_make"]["count_votes"] == 1
    mine.spec["judges"]["strict"] |= {"accuracy": [0, 0.9], "max_characters": 100}
    mine.snakemake("--until", "count_votes")
    (fresh,) = mine.folder.glob(
        "outputs/store/cells/judge.strict.*/samples/000000-000005.manifest.json"
    )
    manifest = json.loads(fresh.read_text())
    solved = table(mine, "tables/problems")["correct"].iloc[1:].sum()  # p0 is always solved
    assert manifest["responses"] == (VOTES + 2) * solved
    assert manifest["reused"] == VOTES * solved


def test_lost_responses_are_judged_anew_only_where_judgements_are_lost_too(mine: Study) -> None:
    lose(mine, "cells/tuned.*/samples/*", "../study/tables/judged.csv")
    assert "draw_samples" not in preview(mine)["files_to_make"]
    lose(mine, "cells/judge.*/samples/*", "judgings/*/judgements.*")
    correct = table(mine, "tables/problems")["correct"].sum()
    (left,) = preview(mine)["judgings"]
    assert (left["at_most"], left["responses_left"]) == (False, VOTES * correct)
    lose(mine, "judgings/*/*")
    assert preview(mine)["files_to_make"]["draw_samples"] == 2 + 1


def lose(study: Study, *patterns: str) -> None:
    for pattern in patterns:
        for path in study.folder.glob(f"outputs/store/{pattern}"):
            path.unlink()


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"model": "jury"}, "judges.strict.model: unknown name 'jury'"),
        ({"prompt": "x"}, "judges.strict.prompt: unknown prompt 'x'"),
        ({"accuracy": [0.5, 0.1]}, "judges.strict.accuracy: [0.5, 0.1] holds no accuracy"),
        ({"votes": 0}, "judges.strict.votes"),
        ({"models": ["nobody"]}, "judges.strict.models[0]: unknown name 'nobody'"),
        ({"of": "wrong"}, "judges.strict.of"),
        (
            {"sampler": {"temperature": 0, "max_tokens": 9}},
            "judges.strict.votes: temperature 0 casts one vote several times",
        ),
        (
            {"sampler": {"max_tokens": 9, "match_entropy": {"sampler": "plain"}}},
            "judges.strict.sampler.match_entropy: unknown key 'match_entropy'",
        ),
        (
            {"sampler": {"temperature": 1, "max_tokens": 9, "frequency_penalty": 1}},
            "judges.strict.sampler.frequency_penalty: `engine: fake` does not support it",
        ),
    ],
)
def test_a_judge_that_cannot_be_is_refused(
    study: Study, entry: dict[str, Any], message: str
) -> None:
    study.spec["judges"] = {"strict": {"model": "base", **entry}}
    study.save()
    done = study.passk("plan", study.file)
    assert done.returncode
    assert message in done.stderr


def test_a_judge_of_nothing_is_refused(study: Study) -> None:
    study.spec["models"] = {"base": study.spec["models"]["base"]}
    study.spec["perplexity"] = []
    study.spec["judges"] = {"strict": {"model": "base"}}
    study.save()
    assert "reads no responses: it is the only model" in study.passk("plan", study.file).stderr
