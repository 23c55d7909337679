"""The whole DAG with the fake engine, run by the real Snakemake: what runs after which edit.

Each row of the table "What makes a file stale" in docs/design.md is a test here.
"""

from __future__ import annotations

import json
import os
import shutil
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from math import comb

import pandas as pd
import pyarrow.parquet as pq
import pytest
from conftest import REPO, Study

from passk.core import versions

DRAWN = ("--until", "draw_samples")
SCORED = ("--until", "aggregate_tables")
NOTHING: Counter[str] = Counter()
ANALYSIS = Counter(resolve_experiment=1, aggregate_tables=1, draw_figures=1, write_report=1)
TABLES = Counter(aggregate_tables=1, draw_figures=1, write_report=1)


def one_cell(shards: int) -> Counter[str]:
    """The jobs of a new cell, without its scores."""
    return Counter(resolve_cell=1, draw_samples=shards, verify_responses=shards, count_verdicts=1)


def test_from_spec_to_report(finished: Study) -> None:
    assert (
        finished.jobs
        == Counter(
            load_questions=1,
            load_problems=1,
            write_references=1,
            resolve_score=2,
            score_responses=1,
        )
        + one_cell(2)
        + one_cell(2)
        + ANALYSIS
    )
    assert "tuned" in (finished.folder / "outputs/study/report.html").read_text()
    assert finished.snakemake() == NOTHING


def test_dry_run_writes_nothing(study: Study) -> None:
    assert study.snakemake("--dry-run")["draw_samples"] == 4
    assert not (study.folder / "outputs/store/cells").exists()


def test_k_labels_and_colours_remake_the_analysis_alone(finished: Study) -> None:
    finished.spec["k"] = [1, 2, 8]
    finished.spec["models"]["tuned"] |= {"label": "After RL", "color": "#aa3377"}
    assert finished.snakemake() == ANALYSIS
    assert "After RL" in (finished.folder / "outputs/study/report.html").read_text()
    assert finished.snakemake("--dry-run") == NOTHING


def test_raising_n_adds_shards(finished: Study) -> None:
    before = samples(finished)
    finished.spec["benchmarks"]["sums"]["n"] = 12
    new_shards = Counter(draw_samples=2, verify_responses=2, count_verdicts=2)
    assert finished.snakemake() == new_shards + ANALYSIS
    after = samples(finished)
    assert {path: after[path] for path in before} == before
    assert len(after) == len(before) + 2


def test_lowering_n_remakes_tables_alone_and_raising_it_again_draws_nothing(
    finished: Study,
) -> None:
    finished.spec["benchmarks"]["sums"]["n"] = 4
    finished.spec["k"] = [1, 4]
    assert finished.snakemake() == Counter(count_verdicts=2) + ANALYSIS
    curves = pd.read_csv(finished.folder / "outputs/study/tables/pass_at_k.csv")
    assert set(curves["n"]) == {4}
    finished.spec["benchmarks"]["sums"]["n"] = 8
    assert finished.snakemake("--dry-run") == ANALYSIS


def test_adding_a_model_runs_its_cells_alone(finished: Study) -> None:
    finished.set_rates("other.jsonl", [0.2, 0.2, 0.2, 0.2])
    finished.spec["models"]["other"] = {"weights": "./other.jsonl", "engine": "fake"}
    assert finished.snakemake("--dry-run") == one_cell(2) + ANALYSIS


def test_adding_a_sampler_runs_its_cells_alone(finished: Study) -> None:
    finished.spec["samplers"]["cold"] = {"temperature": 0.5, "max_tokens": 8}
    finished.spec["perplexity"][0]["samplers"] = ["plain"]
    assert finished.snakemake("--dry-run") == one_cell(2) + one_cell(2) + ANALYSIS


OTHER_SAMPLER = one_cell(2) + one_cell(2) + Counter(resolve_score=1, score_responses=1) + ANALYSIS


def test_a_changed_sampler_makes_new_cells_and_the_old_ones_come_back(finished: Study) -> None:
    before, sampler = samples(finished), finished.spec["samplers"]["plain"]
    finished.spec["samplers"]["plain"] = sampler | {"temperature": 0.5}
    assert finished.snakemake() == OTHER_SAMPLER
    assert {path: samples(finished)[path] for path in before} == before
    finished.spec["samplers"]["plain"] = sampler
    assert finished.snakemake("--dry-run") == ANALYSIS


@pytest.mark.parametrize(("key", "value"), [("top_p", 0.9), ("max_tokens", 7)])
def test_every_setting_of_a_sampler_makes_new_cells(
    finished: Study, key: str, value: float
) -> None:
    finished.spec["samplers"]["plain"][key] = value
    assert finished.snakemake("--dry-run") == OTHER_SAMPLER


def test_a_changed_seed_draws_other_samples(finished: Study) -> None:
    finished.spec["seed"] = 1
    assert finished.snakemake("--dry-run")["draw_samples"] == 4


def test_a_changed_gold_answer_remakes_verdicts_alone(finished: Study) -> None:
    before = samples(finished)
    finished.set_golds(["10", "11", "12", "1"])
    jobs = finished.snakemake()
    regraded = Counter(load_problems=1, verify_responses=4, count_verdicts=2)
    scores_of_gold = Counter(write_references=1, resolve_score=1, score_responses=1)
    assert jobs == regraded + scores_of_gold + ANALYSIS
    assert {path: samples(finished)[path] for path in before} == before
    table = pd.read_csv(finished.folder / "outputs/study/tables/problems.csv")
    assert table.query("cell.str.startswith('tuned') and problem_id == 'p3'")["correct"].item() > 0


def test_a_changed_question_draws_again(finished: Study) -> None:
    rows = [{"id": f"p{i}", "question": f"{i} + ten =", "gold": str(10 + i)} for i in range(4)]
    path = finished.folder / "benchmarks" / "sums.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert finished.snakemake("--dry-run")["draw_samples"] == 4


def test_a_new_version_of_the_verifier_remakes_verdicts_alone(finished: Study) -> None:
    finished.change_passk("verifiers/number.py", "version = 1", "version = 2")
    assert finished.snakemake() == Counter(verify_responses=4, count_verdicts=2) + ANALYSIS
    plan = finished.passk("plan", finished.file)
    assert "missing" not in plan.stdout


def test_a_new_version_of_a_stage_remakes_its_outputs_and_what_is_downstream(
    finished: Study,
) -> None:
    for stage, jobs in {
        "AGGREGATE": Counter(),
        "COUNT": Counter(count_verdicts=2),
        "SCORE": Counter(resolve_score=2, score_responses=1),
        "VERIFY": Counter(verify_responses=4, count_verdicts=2),
    }.items():
        with raised_version(finished, stage):
            assert finished.snakemake("--dry-run") == jobs + ANALYSIS, stage
    with raised_version(finished, "SAMPLE"):
        assert finished.snakemake("--dry-run")["draw_samples"] == 4


def test_what_a_run_costs_makes_nothing_stale(finished: Study) -> None:
    finished.spec["models"]["base"]["execution"] = {"batch_size": 2, "threads": 1}
    assert finished.snakemake("--dry-run") == NOTHING


def test_a_checkpoint_overwritten_in_place_is_drawn_again(finished: Study) -> None:
    before = samples(finished)
    finished.set_rates("tuned.jsonl", [1.0, 0.9, 0.1, 0.0])
    jobs = finished.snakemake()
    assert jobs == one_cell(2) + Counter(resolve_score=1, score_responses=1) + ANALYSIS
    assert {path: samples(finished)[path] for path in before} == before


def test_a_checkpoint_copied_elsewhere_is_the_same_checkpoint(finished: Study) -> None:
    weights = finished.folder / "tuned.jsonl"
    weights.rename(finished.folder / "moved.jsonl")
    finished.spec["models"]["tuned"]["weights"] = "./moved.jsonl"
    assert finished.snakemake("--dry-run")["draw_samples"] == 0


def test_two_experiments_share_their_cells(finished: Study) -> None:
    finished.spec["name"] = "second"
    finished.spec["models"].pop("tuned")
    finished.spec["perplexity"] = []
    assert finished.snakemake("--dry-run") == ANALYSIS


def test_lost_metadata_and_new_times_rerun_nothing(finished: Study) -> None:
    shutil.rmtree(finished.folder / ".snakemake")
    for number, path in enumerate(sorted((finished.folder / "outputs").rglob("*"))):
        os.utime(path, (number * 7919 % 1000, number * 7919 % 1000))
    assert finished.snakemake("--dry-run") == NOTHING
    (finished.folder / "outputs/study/plan.json").touch()
    next((finished.folder / "outputs").glob("store/cells/*/samples/*.parquet")).touch()
    assert finished.snakemake("--dry-run") == NOTHING


def test_a_deleted_table_figure_or_plan_comes_back(finished: Study) -> None:
    outputs = finished.folder / "outputs/study"
    (outputs / "tables/flows.csv").unlink()
    assert finished.snakemake() == TABLES
    assert (outputs / "tables/flows.csv").is_file()
    shutil.rmtree(outputs / "figures")
    assert finished.snakemake("--dry-run") == Counter(draw_figures=1, write_report=1)
    (outputs / "plan.json").unlink()
    assert finished.snakemake("--dry-run") == ANALYSIS


def test_archived_samples_leave_a_study_finished_and_its_report_can_be_remade(
    finished: Study,
) -> None:
    for path in list((finished.folder / "outputs").glob("store/cells/*/samples/*.parquet")):
        path.unlink()
    assert finished.snakemake("--dry-run") == NOTHING
    preview = json.loads(finished.passk("plan", finished.file, "--json").stdout)
    assert {cell["state"] for cell in preview["cells"]} == {"present"}
    assert {cell["shards_archived"] for cell in preview["cells"]} == {2}
    finished.spec["models"]["tuned"]["label"] = "After RL"
    assert finished.snakemake() == ANALYSIS
    assert "After RL" in (finished.folder / "outputs/study/report.html").read_text()


def test_a_cost_edit_of_an_unfinished_study_does_not_end_the_run_early(finished: Study) -> None:
    lost = next((finished.folder / "outputs").glob("store/cells/base*/samples/*.parquet"))
    verdicts = next(lost.parent.parent.glob(f"verdicts/*/{lost.name}"))
    whole = pq.read_table(lost)
    lost.unlink()
    verdicts.unlink()
    (finished.folder / "outputs/study/report.html").unlink()
    finished.spec["models"]["base"]["execution"] = {"batch_size": 4}
    finished.spec["models"]["tuned"]["label"] = "After RL"
    jobs = finished.snakemake()
    assert jobs["draw_samples"] == jobs["verify_responses"] == jobs["write_report"] == 1
    assert pq.read_table(lost).equals(whole)
    task = json.loads((lost.parent.parent / "cell.json").read_text())
    assert task["model"]["execution"] == {"batch_size": 4}
    assert finished.snakemake("--dry-run") == NOTHING


def test_a_run_that_ends_without_its_report_fails(finished: Study) -> None:
    finished.spec["models"]["tuned"]["label"] = "After RL"
    finished.save()
    finished.change_passk(
        "report/build.py",
        "def report(",
        "def report(*_: object) -> None:\n    pass\n\n\ndef _report(",
    )
    command = ["snakemake", "-c1", "-s", snakefile(), "--configfile", finished.file]
    done = finished.run(*command)
    assert done.returncode != 0


def test_tables_equal_pass_at_k_recomputed_from_the_verdicts(finished: Study) -> None:
    curves = pd.read_csv(finished.folder / "outputs/study/tables/pass_at_k.csv")
    assert len(curves) == 8
    for cell, rows in curves.groupby("cell"):
        files = (finished.folder / "outputs/store/cells" / str(cell)).glob("verdicts/*/*.parquet")
        found = pd.concat([pq.read_table(path).to_pandas() for path in files])
        right = (found["verdict"] == "correct").groupby(found["problem_id"]).sum()
        for row in rows.itertuples():
            each = [1 - comb(8 - c, row.k) / comb(8, row.k) for c in right]
            assert row.pass_at_k == pytest.approx(sum(each) / len(each), abs=1e-12)


def test_a_failed_job_is_one_message_and_the_next_run_goes_on(study: Study) -> None:
    weights = study.folder / "tuned.jsonl"
    whole = weights.read_text()
    weights.write_text("".join(whole.splitlines(keepends=True)[:2]))
    study.save()
    failed = study.run(
        "snakemake", "-c2", "-s", snakefile(), "--configfile", study.file, "--quiet", "rules"
    )
    assert failed.returncode != 0
    assert "no line for problem 'p2'" in failed.stdout + failed.stderr
    assert "Traceback" not in failed.stdout + failed.stderr
    weights.write_text(whole)
    assert study.snakemake(*DRAWN)["draw_samples"] >= 2
    assert study.snakemake(*DRAWN, "--dry-run") == NOTHING


def test_a_second_run_on_the_same_folder_is_refused(study: Study) -> None:
    study.set_rates("base.jsonl", [0.5] * 4, seconds=0.3)
    study.save()
    command = ["snakemake", "-c1", "-s", snakefile(), "--configfile", study.file]
    first = study.start(*command)
    study.wait_for("outputs/store/cells/*/samples/*.journal.jsonl")
    second = study.run(*command)
    first.terminate()
    first.wait()
    assert second.returncode != 0
    assert "is making store/cells/" in second.stderr
    assert "wait until it is done" in second.stderr
    assert "Traceback" not in second.stderr
    assert study.snakemake(*DRAWN)["draw_samples"] > 0


@contextmanager
def raised_version(study: Study, stage: str) -> Iterator[None]:
    """Run a passk inside the block in which a stage has the next version."""
    now = getattr(versions, stage)
    lines = [f"\n{stage} = {version}\n" for version in (now, now + 1)]
    study.change_passk("core/versions.py", *lines)
    yield
    study.change_passk("core/versions.py", *reversed(lines))


def snakefile() -> str:
    """The workflow of this checkout."""
    return str(REPO / "Snakefile")


def samples(study: Study) -> dict[str, bytes]:
    """Every sample file of the store and its content."""
    files = (study.folder / "outputs/store/cells").glob("*/samples/*.parquet")
    return {str(path): path.read_bytes() for path in files}


def test_declaring_clusters_remakes_tables_alone(finished: Study) -> None:
    before = pd.read_csv(finished.folder / "outputs/study/tables/pass_at_k.csv")
    source = finished.folder / "benchmarks/sums.jsonl"
    rows = [json.loads(line) for line in source.read_text().splitlines()]
    for number, row in enumerate(rows):
        row["exam"] = f"e{number // 2}"
    text = "".join(json.dumps(row) + "\n" for row in rows)
    source.write_text(text)
    assert finished.snakemake() == NOTHING
    file = finished.folder / "benchmarks/sums.yaml"
    file.write_text(file.read_text() + "columns: {cluster: exam}\n")
    assert finished.snakemake() == Counter(load_clusters=1) + ANALYSIS
    after = pd.read_csv(finished.folder / "outputs/study/tables/pass_at_k.csv")
    assert after["pass_at_k"].tolist() == before["pass_at_k"].tolist()
    assert after["ci_low"].tolist() != before["ci_low"].tolist()
    problems = pd.read_csv(finished.folder / "outputs/study/tables/problems.csv")
    assert set(problems["cluster"]) == {"e0", "e1"}
    assert finished.snakemake("--dry-run") == NOTHING


def drawn_rows(study: Study, what: str, since: float) -> tuple[int, int]:
    """How many rows of `samples` or `scores` files were made and reused since a time."""
    made = reused = 0
    for path in (study.folder / "outputs/store/cells").glob(f"*/{what}/**/*.manifest.json"):
        output = path.with_name(path.name.replace(".manifest.json", ".parquet"))
        if output.is_file() and output.stat().st_mtime > since:
            manifest = json.loads(path.read_text())
            made += manifest.get("drawn_responses", 0)
            reused += manifest.get("reused", 0)  # references are not drawn
    return made, reused


def texts(study: Study) -> set[tuple[int, str]]:
    """Seed and text of every response of the store."""
    files = (study.folder / "outputs/store/cells").glob("*.sums.*/samples/*.parquet")
    tables = [pq.read_table(path, columns=["seed", "text"]).to_pylist() for path in files]
    return {(row["seed"], row["text"]) for table in tables for row in table}


def test_a_new_cut_into_shards_and_other_problems_draw_only_what_is_new(finished: Study) -> None:
    before = texts(finished)
    finished.spec["shard"] = 8
    began = time.time()
    assert finished.snakemake(*SCORED)["draw_samples"] == 2
    assert drawn_rows(finished, "samples", began) == (0, 64)
    assert drawn_rows(finished, "scores", began)[0] == 0
    assert texts(finished) == before
    source = finished.folder / "benchmarks/sums.jsonl"
    source.write_text("".join(reversed(source.read_text().splitlines(keepends=True)[1:])))
    began = time.time()
    assert finished.snakemake(*DRAWN)["draw_samples"] == 2
    assert drawn_rows(finished, "samples", began) == (0, 48)
    assert texts(finished) == before


def test_more_scores_per_problem_score_only_the_new_ones(finished: Study) -> None:
    finished.spec["perplexity"][0]["per_problem"] = 6
    began = time.time()
    assert finished.snakemake(*SCORED)["score_responses"] >= 1
    assert drawn_rows(finished, "scores", began)[1] >= 16
    finished.spec["perplexity"][0]["per_problem"] = 2
    began = time.time()
    finished.snakemake(*SCORED)
    assert drawn_rows(finished, "scores", began)[0] == 0
