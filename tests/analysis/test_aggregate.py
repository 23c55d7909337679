"""Counting and aggregation: exact against a plain recomputation, and loud on bad files."""

from __future__ import annotations

import json
from math import comb, isnan
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from synthetic_study import draw, make_study, problem_rows, rates, sample_rows, verdict_rows

from passk.analysis.study import TABLES, load, read_plan
from passk.analysis.tables import aggregate
from passk.core.artifacts import read_json, write_json
from passk.core.errors import DataError, OutputError
from passk.core.schemas import Count, Problem, Sample, Verdict, read_rows, write_rows
from passk.stages.count import count


@pytest.fixture(scope="module")
def plan(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_study(tmp_path_factory.mktemp("study"))


@pytest.fixture(scope="module")
def tables(plan: Path) -> Path:
    aggregate(plan, plan.parent / "tables")
    return plan.parent / "tables"


def verdicts_of(plan: Path, cell: str) -> dict[str, list[Verdict]]:
    entry = next(entry for entry in read_json(plan)["cells"] if entry["id"] == cell)
    by_problem: dict[str, list[Verdict]] = {}
    for path in entry["verdicts"]:
        for row in read_rows(Path(path), Verdict):
            by_problem.setdefault(row.problem_id, []).append(row)
    return by_problem


@pytest.mark.parametrize("cell", ["hot", "cold"])
def test_pass_at_k_equals_a_plain_recomputation_from_the_verdict_files(
    plan: Path, tables: Path, cell: str
) -> None:
    table = pd.read_csv(tables / "pass_at_k.csv").query("cell == @cell")
    problems = verdicts_of(plan, cell).values()
    for k, found in zip(table["k"], table["pass_at_k"], strict=True):
        correct = [sum(row.verdict == "correct" for row in rows) for rows in problems]
        expected = np.mean([1 - comb(64 - c, k) / comb(64, k) for c in correct])
        assert abs(found - expected) < 1e-12


def test_the_guess_floor_equals_a_plain_recomputation(plan: Path) -> None:
    study = read_plan(plan)
    cell = study.cell("hot")
    by_problem = verdicts_of(plan, "hot")
    golds = {row.id: json.loads(row.gold) for row in read_rows(cell.problems or Path(), Problem)}
    counts = read_rows(cell.counts, Count)
    group = {row.problem_id: row.group for row in counts}
    for row in counts:
        others = [
            verdict.answer_class
            for name, verdicts in by_problem.items()
            if name != row.problem_id and group[name] == row.group
            for verdict in verdicts
            if verdict.answer_class is not None
        ]
        assert row.guess_n == len(others)
        assert row.guess_correct == others.count(golds[row.problem_id])


def test_counts_hold_every_verdict_and_the_truncated(plan: Path) -> None:
    study = read_plan(plan)
    by_problem = verdicts_of(plan, "cold")
    cut = {}
    for path in study.cell("cold").samples:
        for sample in read_rows(path, Sample):
            cut[sample.problem_id, sample.sample] = sample
    for row in read_rows(study.cell("cold").counts, Count):
        verdicts = by_problem[row.problem_id]
        names = [verdict.verdict for verdict in verdicts]
        long = [v for v in verdicts if cut[v.problem_id, v.sample].finish_reason == "length"]
        assert (row.correct, row.no_answer) == (names.count("correct"), names.count("no_answer"))
        assert row.truncated == len(long)
        assert row.truncated_correct == sum(v.verdict == "correct" for v in long)
        assert row.tokens == sum(cut[row.problem_id, v.sample].n_tokens for v in verdicts)


def cell_files(folder: Path, n: int = 4) -> tuple[Path, Path, Path]:
    drawn = draw(rates(6, sharp=False), n, 1)
    paths = (folder / "problems.parquet", folder / "samples.parquet", folder / "verdicts.parquet")
    write_rows(paths[0], problem_rows(6))
    write_rows(paths[1], sample_rows(drawn, range(n)))
    write_rows(paths[2], verdict_rows(drawn, range(n)))
    return paths


def test_samples_above_n_are_left_out(tmp_path: Path) -> None:
    problems, samples, verdicts = cell_files(tmp_path, n=8)
    count(problems, [samples], [verdicts], tmp_path / "few.parquet", 3)
    rows = read_rows(tmp_path / "few.parquet", Count)
    first = [v for v in read_rows(verdicts, Verdict) if v.sample < 3]
    assert [row.n for row in rows] == [3] * 6
    assert sum(row.correct for row in rows) == sum(v.verdict == "correct" for v in first)


def test_every_gold_of_a_list_counts_towards_the_floor(tmp_path: Path) -> None:
    problems, samples, verdicts = cell_files(tmp_path)
    asked = read_rows(problems, Problem)
    given = {row.answer_class for row in read_rows(verdicts, Verdict)} - {None}
    every = json.dumps(sorted(str(name) for name in given))
    fields = ("id", "question", "images", "question_digest", "gold_digest")
    kept = [{name: getattr(row, name) for name in fields} for row in asked]
    write_rows(problems, [Problem(gold=every, meta="{}", **row) for row in kept])
    count(problems, [samples], [verdicts], tmp_path / "c.parquet", 4, canonical=str)
    for row in read_rows(tmp_path / "c.parquet", Count):
        assert row.group == ""
        assert row.guess_correct == row.guess_n > 0


def drop_last(path: Path, kind: type) -> None:
    write_rows(path, read_rows(path, kind)[:-1])


def repeat_last(path: Path, kind: type) -> None:
    rows = read_rows(path, kind)
    write_rows(path, [*rows, rows[-1]])


@pytest.mark.parametrize(
    ("which", "kind", "damage", "words"),
    [
        (1, Sample, drop_last, "sample 3 of problem 'p005' is missing (1 in all)"),
        (2, Verdict, drop_last, "sample 3 of problem 'p005' is missing (1 in all)"),
        (1, Sample, repeat_last, "sample 3 of problem 'p005' occurs a second time"),
        (2, Verdict, repeat_last, "sample 3 of problem 'p005' occurs a second time"),
        (0, Problem, drop_last, "problem 'p005' is not among the problems"),
        (0, Problem, repeat_last, "problem 'p005' occurs twice"),
    ],
)
def test_a_damaged_cell_is_refused_naming_problem_and_file(
    tmp_path: Path, which: int, kind: type, damage: object, words: str
) -> None:
    files = cell_files(tmp_path)
    damage(files[which], kind)  # type: ignore[operator]
    with pytest.raises(DataError) as caught:
        count(files[0], [files[1]], [files[2]], tmp_path / "counts.parquet", 4)
    assert words in str(caught.value)
    assert str(tmp_path) in str(caught.value)
    assert not (tmp_path / "counts.parquet").exists()


def test_a_sample_given_by_two_files_is_refused(tmp_path: Path) -> None:
    problems, samples, verdicts = cell_files(tmp_path)
    with pytest.raises(DataError, match="sample 0 of problem 'p000' occurs a second time"):
        count(problems, [samples, samples], [verdicts], tmp_path / "counts.parquet", 4)


def test_no_verdict_file_at_all_is_refused(tmp_path: Path) -> None:
    problems, samples, _ = cell_files(tmp_path)
    with pytest.raises(DataError, match=r"no files: sample 0 .* \(24 in all\)"):
        count(problems, [samples], [], tmp_path / "counts.parquet", 4)


def test_all_tables_are_written_twice_and_the_same_inputs_give_the_same_bytes(
    plan: Path, tables: Path, tmp_path: Path
) -> None:
    aggregate(plan, tmp_path / "again")
    names = sorted(path.name for path in tables.iterdir())
    assert names == sorted(f"{name}.{kind}" for name in TABLES for kind in ("csv", "parquet"))
    for name in names:
        assert (tables / name).read_bytes() == (tmp_path / "again" / name).read_bytes()


def test_csv_and_parquet_say_the_same(tables: Path) -> None:
    for name in TABLES:
        text, binary = (
            pd.read_csv(tables / f"{name}.csv"),
            pd.read_parquet(tables / f"{name}.parquet"),
        )
        assert list(text.columns) == list(binary.columns)
        numbers = binary.select_dtypes("number").columns
        read = text[numbers].astype(float)  # an empty CSV has no types
        assert np.allclose(read, binary[numbers], rtol=0, atol=0, equal_nan=True)


def test_the_summary_ties_the_tables_together(tables: Path) -> None:
    summary = pd.read_parquet(tables / "summary.parquet").set_index("cell")
    curves = pd.read_parquet(tables / "pass_at_k.parquet").set_index(["cell", "k"])
    deltas = pd.read_parquet(tables / "deltas.parquet").set_index("k")
    coverage = pd.read_parquet(tables / "coverage.parquet")["category"].value_counts()
    hot, cold = summary.loc["hot"], summary.loc["cold"]
    assert isnan(hot["se_gap_to_base"])
    assert pd.isna(hot["base"])
    assert cold["se_gap"] == pytest.approx(cold["pass_at_k_max"] - cold["pass_at_1"])
    assert cold["se_gap_to_base"] == pytest.approx(hot["pass_at_k_max"] - cold["pass_at_1"])
    assert cold["pass_at_k_max"] == curves.loc[("cold", 64), "pass_at_k"]
    for k in (1, 64):
        lead = curves.loc[("cold", k), "pass_at_k"] - curves.loc[("hot", k), "pass_at_k"]
        assert deltas.loc[k, "delta"] == pytest.approx(lead)
    assert deltas.loc[1, "ci_low"] > 0 > deltas.loc[64, "ci_high"]
    assert 1 < cold["crossover_low"] <= cold["crossover_k"] <= cold["crossover_high"] < 64
    for name, problems in coverage.items():
        assert cold[str(name)] == problems


def test_histogram_and_problems_count_every_problem_once(tables: Path) -> None:
    histogram = pd.read_parquet(tables / "histogram.parquet")
    problems = pd.read_parquet(tables / "problems.parquet")
    assert histogram.groupby("cell")["problems"].sum().tolist() == [60, 60]
    assert problems.groupby("cell")["problem_id"].nunique().tolist() == [60, 60]
    never = problems[(problems["correct"] == 0) & (problems["cell"] == "hot")]
    first = histogram[(histogram["bin"] == 0) & (histogram["cell"] == "hot")]
    assert first["problems"].item() == len(never)


def test_perplexity_is_pooled_over_tokens_and_split_by_verdict(plan: Path, tables: Path) -> None:
    table = pd.read_parquet(tables / "perplexity.parquet")
    (path,) = read_plan(plan).scores[0].files
    scores = pd.read_parquet(path).query("problem_id == 'p004'")
    row = table.query("scoring == 'tiny-of-hot' and problem_id == 'p004' and subset == 'all'").iloc[
        0
    ]
    assert row["median"] == pytest.approx(np.median(scores["perplexity"]))
    assert row["pooled"] == pytest.approx(
        np.exp(-scores["sum_logprob"].sum() / scores["n_tokens"].sum())
    )
    sizes = table.groupby("subset")["responses"].sum()
    assert sizes["all"] == sizes["correct"] + sizes["wrong"] == 2 * 60 * 8


def changed(plan: Path, target: Path, **cell: object) -> Path:
    raw = read_json(plan)
    raw["cells"][1].update(cell)
    write_json(target, raw)
    return target


def test_a_k_above_n_is_undefined_and_a_study_without_scores_or_pairs_works(
    plan: Path, tmp_path: Path
) -> None:
    raw = read_json(changed(plan, tmp_path / "plan.json", base=None))
    write_json(tmp_path / "plan.json", {**raw, "k": [1, 64, 128], "scores": []})
    aggregate(tmp_path / "plan.json", tmp_path / "tables")
    curves = pd.read_csv(tmp_path / "tables" / "pass_at_k.csv")
    assert curves[curves["k"] == 128]["pass_at_k"].isna().all()
    summary = pd.read_csv(tmp_path / "tables" / "summary.csv")
    assert summary["k_max"].tolist() == [64, 64]
    assert list(pd.read_csv(tmp_path / "tables" / "deltas.csv")["delta"]) == []


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ({"n": 32}, "counts 64 responses where the plan says 32"),
        ({"counts": "none.parquet"}, "none.parquet: no such file"),
    ],
)
def test_counts_that_do_not_fit_the_plan_are_refused(
    plan: Path, tmp_path: Path, entry: dict[str, object], words: str
) -> None:
    wrong = changed(plan, tmp_path / "plan.json", **entry)
    with pytest.raises(DataError) as caught:
        aggregate(wrong, tmp_path / "tables")
    assert words in str(caught.value)
    assert not (tmp_path / "tables").exists()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[]", "not a JSON object"),
        ("{", "not readable as JSON"),
        ('{"name": "x", "k": [1], "cells": []}', "the plan has no cells"),
        ('{"k": [1], "cells": [{"id": "a"}]}', "cells: missing field 'model'"),
    ],
)
def test_a_broken_plan_is_refused(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "plan.json").write_text(text)
    with pytest.raises(DataError) as caught:
        aggregate(tmp_path / "plan.json", tmp_path / "tables")
    assert words in str(caught.value)


def test_an_output_that_cannot_be_a_folder_is_told(plan: Path, tmp_path: Path) -> None:
    (tmp_path / "tables").write_text("in the way")
    with pytest.raises(OutputError, match="cannot write"):
        aggregate(plan, tmp_path / "tables")


def test_the_long_table_holds_every_estimate_once_with_the_kind_of_its_interval(
    tables: Path,
) -> None:
    table = load(tables)["estimates"]
    keys = ["cell", "base", "metric", "k", "interval"]
    assert not table.duplicated(keys).any()
    assert set(table["interval"]) == {"problems", "noise", "paired", "band", ""}
    curves = load(tables)["pass_at_k"].set_index(["cell", "k"])["pass_at_k"]
    wanted = table[(table["metric"] == "pass@k") & (table["interval"] == "problems")]
    for row in wanted.to_dict("records"):
        assert row["value"] == pytest.approx(curves[row["cell"], row["k"]], abs=1e-12)
    known = table.dropna(subset=["lower", "upper"])
    assert (known["lower"] <= known["value"] + 1e-9).all()
    assert (known["value"] <= known["upper"] + 1e-9).all()


def test_truncated_and_ungraded_responses_bound_the_curve(tables: Path) -> None:
    table = load(tables)["estimates"]
    hot = table[(table["cell"] == "hot") & (table["interval"] == "problems") & (table["k"] == 1)]
    value = hot.set_index("metric")["value"]
    assert value["pass@k at least"] < value["pass@k"] < value["pass@k at most"]
    problems = load(tables)["problems"].query("cell == 'hot'")
    cut = problems["truncated"].sum() - problems["truncated_correct"].sum()
    most = (problems["correct"].sum() + cut) / problems["n"].sum()
    assert value["pass@k at most"] == pytest.approx(most)
    assert value["maj@k"] == pytest.approx(value["pass@k"]) == pytest.approx(value["pass^k"])


def test_flows_and_significant_losses_agree_with_the_coverage(tables: Path) -> None:
    found = load(tables)
    summary = found["summary"].set_index("cell").loc["cold"]
    assert found["flows"]["problems"].sum() == 60
    stays = found["flows"].query("base_bin == 0 and bin == 0")["problems"].sum()
    assert stays == summary["neither"]
    coverage = found["coverage"]
    assert (coverage["p_familywise"] <= 1).all()
    lost = coverage.query("category == 'base_only' and p_familywise <= 0.05")
    assert summary["lost_significant"] == len(lost) <= summary["base_only"]


def test_several_benchmarks_get_a_mean_and_holms_correction(plan: Path, tmp_path: Path) -> None:
    raw = read_json(plan)
    again = [
        {**cell, "id": f"{cell['id']}2", "benchmark": "again", "base": cell["base"] and "hot2"}
        for cell in raw["cells"]
    ]
    write_json(tmp_path / "plan.json", {**raw, "cells": [*raw["cells"], *again], "scores": []})
    aggregate(tmp_path / "plan.json", tmp_path / "tables")
    found = load(tmp_path)
    curve = found["pass_at_k"].query("cell == 'hot'").set_index("k")
    mean = found["means"].query("metric == 'pass@k' and sampler == 'hot'").set_index("k")
    assert mean["benchmarks"].tolist() == [2] * 7
    assert np.allclose(mean["value"], curve["pass_at_k"])
    width = curve["ci_high"] - curve["ci_low"]
    assert np.allclose(mean["ci_high"] - mean["ci_low"], width / np.sqrt(2), rtol=0.15)
    tests = found["tests"]
    assert (tests["p_holm"] >= tests["p"]).all()
    assert tests.groupby("k").size().tolist() == [2, 2]
