"""Training in the real workflow, on a tiny model: what is trained, drawn and remade after an edit.

Each row about training of the table "What makes a file stale" in docs/design.md is a test here.
"""

from __future__ import annotations

import copy
import shutil
from collections import Counter
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from conftest import Study, write_jsonl
from opened_files import noted, rules_that_read_what_they_declare
from tiny_models import save_tiny
from trained_study import train_of, trained_study

pytest.importorskip("trl")

NOTHING: Counter[str] = Counter()
ANALYSIS = Counter(resolve_experiment=1, aggregate_tables=1, draw_figures=1, write_report=1)
TRAINED = Counter(resolve_training=1, train_model=2)


def cells(count: int) -> Counter[str]:
    """The jobs of new cells of one shard."""
    jobs = ("resolve_cell", "draw_samples", "verify_responses", "count_verdicts")
    return Counter(dict.fromkeys(jobs, count))


@pytest.fixture(scope="session")
def trained_once(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """The study, trained and run to its report once for all tests."""
    study = trained_study(tmp_path_factory.mktemp("trained"))
    save_tiny(study.folder / "tiny")
    study.spec["perplexity"] = [{"scorer": "grpo@2", "responses_of": ["base"], "per_problem": 1}]
    with noted(study):
        jobs = study.snakemake()
    loaded = Counter(load_questions=1, load_problems=2, resolve_score=1, score_responses=1)
    assert jobs == loaded + TRAINED + cells(3) + ANALYSIS
    return study


@pytest.fixture
def trained(trained_once: Study, tmp_path: Path) -> Study:
    """A copy of the trained study that a test may change."""
    shutil.copytree(trained_once.folder, tmp_path, dirs_exist_ok=True)
    return Study(tmp_path, copy.deepcopy(trained_once.spec))


def folder(study: Study) -> Path:
    """The folder of the one training."""
    (found,) = (study.folder / "outputs/store/trainings").iterdir()
    return found


def test_a_trained_model_is_measured_like_any_other(trained: Study) -> None:
    assert trained.snakemake("--dry-run") == NOTHING
    assert "grpo@2" in (trained.folder / "outputs/study/report.html").read_text()
    steps = [pq.read_table(path) for path in sorted(folder(trained).glob("step-*/steps.parquet"))]
    assert [table["step"].to_pylist() for table in steps] == [[1], [2]]
    assert (folder(trained) / "step-000002/model.safetensors").is_file()


def test_trainings_read_nothing_but_declared_inputs(trained_once: Study) -> None:
    rules = rules_that_read_what_they_declare(trained_once, trained_once.folder / "opened")
    assert {"resolve_training", "train_model", "draw_samples", "score_responses"} <= rules


def test_raising_the_steps_trains_on_and_draws_the_new_checkpoint_alone(trained: Study) -> None:
    before = {p: p.read_bytes() for p in folder(trained).glob("step-*/*") if p.is_file()}
    trained.spec["models"]["grpo@{step}"]["steps"] = [1, 2, 3]
    more = Counter(train_model=1)
    assert trained.snakemake() == more + cells(1) + ANALYSIS
    assert {path: path.read_bytes() for path in before} == before
    log = next((trained.folder / "outputs/store/logs/train").glob("*.000003.log")).read_text()
    assert "3/3 steps" in log
    trained.spec["models"]["grpo@{step}"]["steps"] = [1, 2]
    assert trained.snakemake("--dry-run")["train_model"] == 0


def test_a_changed_training_trains_anew_and_the_old_one_comes_back(trained: Study) -> None:
    train_of(trained)["learning_rate"] = 1e-4
    scores = Counter(resolve_score=1, score_responses=1)
    assert trained.snakemake("--dry-run") == TRAINED + cells(2) + scores + ANALYSIS
    train_of(trained)["learning_rate"] = 1e-3
    assert trained.snakemake("--dry-run") == NOTHING


def test_a_start_model_overwritten_in_place_is_trained_anew(trained: Study) -> None:
    save_tiny(trained.folder / "tiny", seed=5)
    scores = Counter(resolve_score=1, score_responses=1)
    assert trained.snakemake("--dry-run") == TRAINED + cells(3) + scores + ANALYSIS


def test_a_gold_answer_that_is_trained_on_trains_anew(trained: Study) -> None:
    rows = [{"id": f"p{i}", "question": f"{i} + 1 =", "gold": "7", "worked": "7"} for i in range(4)]
    write_jsonl(trained.folder / "benchmarks/drill.jsonl", rows)
    assert trained.snakemake("--dry-run")["train_model"] == 2


def test_what_a_training_costs_makes_nothing_stale(trained: Study) -> None:
    trained.spec["models"]["grpo@{step}"]["execution"] = {"threads": 1, "save_steps": 1}
    assert trained.snakemake("--dry-run") == NOTHING


def test_a_new_version_of_training_trains_anew(trained: Study) -> None:
    trained.change_passk("core/versions.py", "\nTRAIN = 1\n", "\nTRAIN = 2\n")
    assert trained.snakemake("--dry-run")["train_model"] == 2


def test_states_may_go_and_nothing_is_trained_again(trained: Study) -> None:
    shutil.rmtree(folder(trained) / "state")
    assert trained.snakemake("--dry-run") == NOTHING


def test_a_model_trained_from_a_trained_one_waits_for_it(trained: Study) -> None:
    entry = copy.deepcopy(trained.spec["models"]["grpo@{step}"])
    entry["train"] |= {"from": "grpo@3", "seed": 1}
    trained.spec["models"]["more@{step}"] = entry | {"steps": [1]}
    trained.spec["models"]["grpo@{step}"]["steps"] = [1, 2, 3]
    trained.spec["samplers"]["matched"] = {
        "match_entropy": {"sampler": "plain", "problems": 2, "responses": 1},
        "max_tokens": 4,
    }
    jobs = trained.snakemake("--dry-run")
    assert (jobs["resolve_training"], jobs["train_model"], jobs["match_entropy"]) == (1, 2, 4)
