"""The quickstart's own model, prompts and answers, through the stages' own functions."""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path

import pytest
from conftest import REPO
from smollm2 import smollm2_folder

from passk.benchmarks.source import load_problems
from passk.cli import main
from passk.core.schemas import Sample, Score, read_rows
from passk.engines.prompts import render
from passk.spec.loading import load_benchmark, load_prompt
from passk.workflow import build_plan
from passk.workflow.task_files import cell_task, score_task_document

pytestmark = pytest.mark.model


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """SmolLM2 as a local folder."""
    return smollm2_folder(tmp_path_factory)


@pytest.fixture(scope="module")
def drawn(weights: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with 8 responses to 10 problems of the quickstart in float32, and their scores."""
    folder = tmp_path_factory.mktemp("quickstart")
    plan = build_plan(REPO / "specs/quickstart.yaml")
    cell = next(iter(plan.cells.values()))
    scoring = next(iter(plan.scorings.values()))
    for name, document in (("c", cell_task(cell)), ("s", score_task_document(scoring))):
        model = {**document["model"], "weights": str(weights), "dtype": "float32"}
        (folder / f"{name}.json").write_text(json.dumps({**document, "model": model}))
    benchmark = str(REPO / "specs/benchmarks/arithmetic.yaml")
    run("problems", benchmark, "--limit", "10", "-o", folder / "p.parquet")
    files = ("--problems", folder / "p.parquet")
    run(
        "sample",
        "--cell",
        folder / "c.json",
        *files,
        "--samples",
        "0-8",
        "-o",
        folder / "r.parquet",
    )
    run(
        "perplexity", "--task", folder / "s.json", *files, "--samples", folder / "r.parquet",
        "-o", folder / "o.parquet",
    )  # fmt: skip
    return folder


def run(*arguments: object) -> None:
    """Run a passk command in this process."""
    assert main([str(argument) for argument in arguments]) == 0


def test_perplexities_equal_a_float32_reference_one_by_one(weights: Path, drawn: Path) -> None:
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    tokenizer = transformers.AutoTokenizer.from_pretrained(weights)
    model = transformers.AutoModelForCausalLM.from_pretrained(weights, dtype=torch.float32)
    problems = {row.id: row for row in load_problems(load_benchmark(ARITHMETIC))}
    template = load_prompt(REPO / "specs/prompts/few-shot-direct.yaml")
    scores = {(row.problem_id, row.sample): row for row in read_rows(drawn / "o.parquet", Score)}
    rows = read_rows(drawn / "r.parquet", Sample)[::4]
    assert len(rows) == 20
    for row in rows:
        prompt = tokenizer(render(template, problems[row.problem_id]).text)["input_ids"]
        words = [tokenizer.decode(row.token_ids[:end]) for end in range(row.n_tokens + 1)]
        of_text = next(end for end, text in enumerate(words) if text.startswith(row.text))
        with torch.no_grad():
            logits = model(torch.tensor([[*prompt, *row.token_ids]])).logits[0].double()
        steps = logits.log_softmax(-1)[len(prompt) - 1 : -1]
        each = [step[token].item() for step, token in zip(steps, row.token_ids, strict=True)]
        if row.finish_reason != "stop":
            assert of_text == row.n_tokens
        scored = sum(each[:of_text])  # the stop string that was sampled is not
        score = scores[row.problem_id, row.sample]
        assert score.perplexity == pytest.approx(math.exp(-scored / of_text), rel=1e-3)
        assert row.sum_logprob == pytest.approx(sum(each), abs=1e-2)


def test_the_same_seeds_give_the_same_samples(drawn: Path, tmp_path: Path) -> None:
    run(
        "sample", "--cell", drawn / "c.json", "--problems", drawn / "p.parquet",
        "--samples", "0-8", "-o", tmp_path / "again.parquet",
    )  # fmt: skip
    first, again = (read_rows(f, Sample) for f in (drawn / "r.parquet", tmp_path / "again.parquet"))
    assert again == first


def test_later_samples_are_the_same_alone_as_in_one_draw(drawn: Path, tmp_path: Path) -> None:
    run(
        "sample", "--cell", drawn / "c.json", "--problems", drawn / "p.parquet",
        "--samples", "4-8", "-o", tmp_path / "late.parquet",
    )  # fmt: skip
    whole = {(row.problem_id, row.sample): row for row in read_rows(drawn / "r.parquet", Sample)}
    for row in read_rows(tmp_path / "late.parquet", Sample):
        same = whole[row.problem_id, row.sample]
        assert dataclasses.replace(row, sum_logprob=0, mean_entropy=0) == dataclasses.replace(
            same, sum_logprob=0, mean_entropy=0
        )


ARITHMETIC = REPO / "specs/benchmarks/arithmetic.yaml"
