"""`passk try`: a few responses, graded, and what it warns of."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from conftest import Study

from passk.workflow import build_plan
from passk.workflow.try_study import try_study


def test_prompt_response_answer_gold_and_verdict_are_shown(study: Study) -> None:
    study.set_rates("base.jsonl", [1.0] * 4)
    study.save()
    done = study.passk("try", study.file, "--problems", "1", "--samples", "3")
    assert done.returncode == 0, done.stderr
    shown = done.stdout
    assert "== base on sums, sampler plain ==" in shown
    assert "  | 0 + 10 =" in shown
    assert shown.count("answer: 10   gold: 10   verdict: correct") >= 3
    assert shown.count("problem p0") == 2
    assert "problem p1" not in shown
    assert "6 responses: " in shown
    assert not (study.folder / "outputs/store/cells").exists()


def test_responses_that_are_cut_or_hold_no_answer_are_warned_of(study: Study) -> None:
    study.set_rates("base.jsonl", [1.0] * 4)
    study.spec["samplers"]["plain"]["max_tokens"] = 1
    study.save()
    benchmark = study.folder / "benchmarks" / "sums.yaml"
    described = yaml.safe_load(benchmark.read_text()) | {"verifier": "math"}
    benchmark.write_text(yaml.safe_dump(described))
    shown = study.passk("try", study.file).stdout
    assert "4 of 4 responses were cut at max_tokens = 1" in shown
    assert "no answer was found in 4 of 4 responses" in shown
    assert "asks for no answer that verifier 'math' reads" in shown
    assert "answer: nothing found" in shown


def test_a_model_that_the_run_trains_is_not_tried(
    study: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    (study.folder / "start").mkdir()
    trained = {
        "train": {"from": "base", "method": "GRPO", "benchmark": "sums", "prompts_per_step": 4},
        "steps": [2],
        "base": "base",
        "engine": "transformers",
    }
    base = {"weights": "./start", "engine": "transformers"}
    study.spec["models"] = {"grpo@{step}": trained, "base": base}
    study.spec["perplexity"] = []
    study.save()
    monkeypatch.chdir(study.folder)
    trial = next(try_study(build_plan(Path(study.file)), study.folder))
    assert trial.cell.model.name == "grpo@2"
    assert trial.skipped == "the run trains it first"
