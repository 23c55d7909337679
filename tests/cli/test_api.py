"""The Python API: its names and signatures are pinned, and each does its work."""

from __future__ import annotations

import inspect
from pathlib import Path

import pytest
from conftest import Study

import passk
from passk.core.errors import DataError, PasskError

SIGNATURES = {
    "compare": ["base", "tuned"],
    "estimate": ["counts", "k"],
    "grade": ["rows", "verifier", "options", "workers", "timeout"],
    "load": ["folder"],
    "pass_at_k": ["n", "c", "k"],
    "run": ["spec", "cores", "profile", "snakemake"],
}


def test_names_and_parameters_are_pinned() -> None:
    assert passk.__all__ == ["__version__", *SIGNATURES]
    assert dir(passk) == passk.__all__
    for name, parameters in SIGNATURES.items():
        assert list(inspect.signature(getattr(passk, name)).parameters) == parameters
        assert inspect.getdoc(getattr(passk, name))
    with pytest.raises(AttributeError, match="has no attribute 'grades'"):
        passk.grades  # noqa: B018


def test_grade_keeps_the_rows_in_order_and_adds_what_it_found() -> None:
    rows = [
        {"gold": 7, "response": "It is 7.", "mine": 1},
        {"gold": ["8", "9"], "response": "9"},
        {"gold": "8", "response": "none"},
    ]
    found = passk.grade(rows, verifier="number")
    assert [row["verdict"] for row in found] == ["correct", "correct", "no_answer"]
    assert found[0]["answer"] == "7"
    assert found[0]["mine"] == 1
    assert "verdict" not in rows[0]
    assert passk.grade([], verifier="number") == []
    with pytest.raises(DataError, match=r"rows\[0\]: missing key response"):
        passk.grade([{"gold": "8"}], verifier="number")


def test_run_ends_in_a_folder_that_load_reads(
    finished: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(finished.folder)
    folder = passk.run(finished.file, cores=2)
    assert folder == Path("outputs/study")
    assert (folder / "report.html").is_file()
    assert len(passk.load(folder)["summary"]) == 2


def test_run_raises_with_the_cause(study: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    study.save()
    monkeypatch.chdir(study.folder)
    with pytest.raises(PasskError, match="--no-such-option"):
        passk.run(study.file, cores=2, snakemake=["--no-such-option"])
