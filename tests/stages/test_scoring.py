"""The perplexity stage: whose tokens are scored, empty responses, references, and warnings."""

from __future__ import annotations

import json
import math
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq
import pytest
from conftest import Study, write_jsonl
from kills import ready_to_sample

from passk.core.artifacts import manifest_path, read_json, read_manifest, write_manifest
from passk.core.schemas import Sample, Score, read_rows, write_rows
from passk.stages.score import OWN_TOKENS, RETOKENISED, tokens_of
from passk.workflow import build_plan
from passk.workflow.status.sample_warnings import sample_warnings


@pytest.mark.parametrize(
    ("sampled", "vocabulary", "expected"),
    [
        ({"vocabulary": "v"}, "v", OWN_TOKENS),
        ({"vocabulary": "other"}, "v", RETOKENISED),
        ({"vocabulary": ""}, "", RETOKENISED),
        ({"stage": "reference"}, "v", RETOKENISED),
        (None, "v", RETOKENISED),
    ],
)
def test_whose_tokens_are_scored(
    sampled: dict[str, Any] | None, vocabulary: str, expected: str
) -> None:
    assert tokens_of(sampled, vocabulary) == expected


def scored(study: Study, *rows: Sample) -> tuple[list[Score], dict[str, Any]]:
    """The scores of some responses under the study's base, and their manifest."""
    ready_to_sample(study, rates=[0.5] * 4)
    known = study.passk("resolve", study.file, "--score", "x", "y", "-o", "t.json").stderr
    target, scorer = next(
        words.split() for words in known.split("available: ")[1].split(", ") if "gold" in words
    )
    study.passk("resolve", study.file, "--score", target, scorer.strip(), "-o", "t.json")
    write_rows(study.folder / "s.parquet", rows)
    done = study.passk(
        *("perplexity", "--task", "t.json", "--problems", "p.parquet", "--samples", "s.parquet"),
        *("-o", "o.parquet"),
    )
    assert done.returncode == 0, done.stderr
    output = study.folder / "o.parquet"
    return read_rows(output, Score), read_json(manifest_path(output))


def test_an_empty_response_has_no_perplexity_and_is_counted(study: Study) -> None:
    row = Sample("p0", 0, 0, "10", [], 2, "stop", -1.0, 0.1)
    empty = replace(row, sample=1, text="", n_tokens=0, finish_reason="length")
    scores, manifest = scored(study, row, empty)
    assert (scores[0].n_tokens, scores[1].n_tokens) == (2, 0)
    assert math.isnan(scores[1].perplexity)
    assert manifest["empty"] == 1
    assert manifest["tokens_are"] == RETOKENISED


def test_empty_responses_are_left_out_of_the_tables_and_named(finished: Study) -> None:
    (path,) = finished.folder.glob("outputs/store/cells/tuned*/scores/*/*.parquet")
    rows = read_rows(path, Score)
    first = replace(rows[0], n_tokens=0, sum_logprob=0.0, perplexity=math.nan)
    write_rows(path, [first, *rows[1:]], read_manifest(path))
    shutil.rmtree(finished.folder / "outputs/study/tables")
    finished.snakemake()
    table = pd.read_csv(finished.folder / "outputs/study/tables/perplexity.csv")
    whole = table[(table["subset"] == "all") & (table["reference"].isna())]
    assert whole["empty"].sum() == 1
    assert whole["responses"].sum() == len(rows) - 1
    assert set(whole["tokens_are"]) == {OWN_TOKENS}
    assert not whole["median"].isna().any()
    page = (finished.folder / "outputs/study/report.html").read_text()
    assert "1 empty responses excluded" in page
    assert RETOKENISED in page


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"problem_id": "p9", "text": "x"}, "r.jsonl:2: the benchmark has no problem 'p9'"),
        ({"problem_id": "p1"}, "r.jsonl:2: a line needs `problem_id` and `text`"),
        ({"problem_id": "p0", "text": "10"}, "r.jsonl:2: the response to 'p0' is in line 1"),
    ],
)
def test_a_bad_line_of_a_reference_is_named(
    study: Study, row: dict[str, str], message: str
) -> None:
    ready_to_sample(study, rates=[0.5] * 4)
    write_jsonl(study.folder / "r.jsonl", [{"problem_id": "p0", "text": "10"}, row])
    done = study.passk(
        *("reference", "--problems", "p.parquet", "--responses", "r.jsonl", "-o", "r.parquet")
    )
    assert done.returncode != 0
    assert message in done.stderr
    assert not (study.folder / "r.parquet").exists()


def test_a_plan_warns_of_what_was_drawn(finished: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(finished.folder)
    plan = build_plan(Path(finished.file))
    assert list(sample_warnings(plan)) == []
    dtypes = iter(("bfloat16", "float32"))
    for path in Path("outputs/store/cells").glob("tuned*/samples/*.parquet"):
        changed = {"truncated": 1, "repeats": 12, "expected_repeats": 0.5, "repeats_alarm": True}
        changed |= {"prompts": "other", "dtype": next(dtypes)}
        write_manifest(path, (read_manifest(path) or {}) | changed)
    said = list(sample_warnings(plan))
    assert "6.2 % of 32 drawn responses were cut at max_tokens" in said[0]
    assert "drawn in bfloat16 and float32, whose rounding differs" in said[1]
    assert "24 responses repeat another" in said[2]
    assert "drawn after prompts of different tokens" in said[3]
    shown = json.loads(finished.passk("plan", finished.file, "--json").stdout)["warnings"]
    assert set(said) <= set(shown)


def test_a_shard_drawn_with_one_seed_is_told_in_log_and_report(finished: Study) -> None:
    for path in finished.folder.glob("outputs/store/cells/base*/samples/*.parquet"):
        rows = read_rows(path, Sample)
        same = [replace(row, token_ids=[7] * 9, text="same", sum_logprob=-40.0) for row in rows]
        manifest = read_json(manifest_path(path))
        write_rows(path, same, manifest)
        shutil.rmtree(path.parents[1] / "counts", ignore_errors=True)
    shutil.rmtree(finished.folder / "outputs/study/tables")
    finished.snakemake()
    summary = pd.read_csv(finished.folder / "outputs/study/tables/summary.csv")
    base = summary[summary["model"] == "base"].iloc[0]
    assert (base["repeats"], base["repeats_alarm"]) == (28, True)
    assert not summary[summary["model"] == "tuned"]["repeats_alarm"].item()
    page = (finished.folder / "outputs/study/report.html").read_text()
    assert "28 responses repeat another one to the same problem" in page
    assert (
        pq.read_table(next(finished.folder.glob("outputs/store/cells/base*/counts/*.parquet")))[
            "repeats"
        ].to_pylist()
        == [7] * 4
    )
