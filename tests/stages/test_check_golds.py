"""`passk validate`: golds grade themselves, questions are not asked twice, forms of answer fit."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from conftest import Study, write_jsonl

from passk.core.errors import DataError
from passk.stages.validate_benchmark import check_study, examine
from passk.workflow import build_plan


def benchmark(
    folder: Path, rows: list[tuple[str, Any]], verifier: str = "number", prompt: str = ""
) -> Path:
    """A benchmark of (question, gold) rows."""
    listed = [{"id": f"p{i}", "question": q, "gold": gold} for i, (q, gold) in enumerate(rows)]
    folder = folder / "benchmarks"
    write_jsonl(folder / "b.jsonl", listed)
    text = f"title: B\nsource: {{file: b.jsonl}}\nverifier: {verifier}\n"
    (folder / "b.yaml").write_text(text + (f"prompt: {prompt}\n" if prompt else ""))
    return folder / "b.yaml"


@pytest.mark.parametrize(
    ("verifier", "gold", "reason"),
    [
        ("number", "Paris", "it finds no answer in 'Paris'"),
        ("number", "", "a gold answer is empty"),
        ("math", "  ", "a gold answer is empty"),
        ("math", [], "a gold answer is a string"),
        ("choice", {"answer": "", "choices": ["1", "2"]}, "the answer '' is none of the choices"),
    ],
)
def test_a_gold_that_its_verifier_cannot_read_is_refused(
    tmp_path: Path, verifier: str, gold: Any, reason: str
) -> None:
    file = benchmark(tmp_path, [("1 + 1 =", "2"), ("Capital of France?", gold)], verifier)
    with pytest.raises(DataError, match=r"problem 'p1' is not one that verifier") as error:
        examine(file)
    assert reason in error.value.what
    assert str(error.value.where) == str(file)


def test_golds_that_are_read_grade_themselves(tmp_path: Path) -> None:
    rows = [("a", "12"), ("b", "1,234"), ("c", "3/4"), ("d", "-0.5")]
    assert examine(benchmark(tmp_path, rows))["warnings"] == []
    rows = [("a", r"\frac{1}{2}"), ("b", r"(1, 2)"), ("c", "x^2+1"), ("d", ["7", "8"])]
    assert examine(benchmark(tmp_path, rows, "math"))["warnings"] == []


def test_the_forms_of_answer_are_those_that_the_verifier_grades(tmp_path: Path) -> None:
    found = examine(benchmark(tmp_path, [("a", "12")], "math", "qwen-boxed"))
    assert r"\boxed{...}" in found["answer_forms"]
    assert found["warnings"] == []
    (tmp_path / "prompts").mkdir()
    (tmp_path / "prompts/plain.yaml").write_text("format: text\nuser: 'Q: {question}'\n")
    found = examine(benchmark(tmp_path, [("a", r"\frac{1}{2}")], "math", "plain"))
    assert found["warnings"] == [
        "prompt 'plain' asks for none of the forms of answer that verifier 'math' finds"
    ]
    assert examine(benchmark(tmp_path, [("a", "12")], "number", "plain"))["warnings"] == []


def test_a_question_asked_twice_is_reported_and_refused_with_two_answers(tmp_path: Path) -> None:
    twice = [("a", "1"), ("b", "2"), ("a ", "1")]
    (warning,) = examine(benchmark(tmp_path, twice))["warnings"]
    assert warning == "1 of 3 problems repeat the question of another: 'p2'"
    with pytest.raises(DataError, match="'p0' and 'p2' ask the same question and have different"):
        examine(benchmark(tmp_path, [("a", "1"), ("b", "2"), ("a", "3")]))


def test_a_spec_is_validated_with_the_problems_that_it_uses(
    study: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(study.folder)
    plan = build_plan(Path(study.file))
    assert check_study(plan.experiment) == []
    study.set_golds(["10", "Paris", "12", "13"])
    with pytest.raises(DataError, match="it finds no answer in 'Paris'"):
        check_study(build_plan(Path(study.file)).experiment)
    study.spec["benchmarks"]["sums"]["problems"] = 1
    study.save()
    assert check_study(build_plan(Path(study.file)).experiment) == []


def test_settings_without_effect_are_reported(
    study: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(study.folder)
    study.spec["samplers"]["greedy"] = {"temperature": 0, "max_tokens": 8}
    study.spec["benchmarks"]["sums"]["problems"] = 50
    study.save()
    warnings = build_plan(Path(study.file)).warnings()
    assert "benchmarks.sums.problems: 50 are asked for, and there are 4" in warnings
    (greedy,) = [one for one in warnings if "temperature 0" in one]
    assert greedy.startswith("samplers.greedy: temperature 0 gives one response 8 times")
    study.spec["benchmarks"]["sums"] |= {"problems": 4, "n": 1, "k": [1], "shard": 1}
    study.save()
    text = "\n".join(build_plan(Path(study.file)).warnings())
    assert "temperature 0" not in text
    assert "are asked for" not in text


def test_the_fake_engine_needs_no_weights(study: Study) -> None:
    study.spec["models"] = {"base": {"engine": "fake"}}
    study.spec["perplexity"] = []
    study.save()
    study.snakemake()
    table = json.loads(study.passk("plan", study.file, "--json").stdout)
    assert table["cells"][0]["state"] == "present"
    study.spec["models"] = {"base": {"engine": "vllm"}}
    study.save()
    message = study.passk("validate", study.file).stderr
    assert "models.base: needs one of the keys 'weights', 'imported', 'train'" in message
