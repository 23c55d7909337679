"""The study in miniature: problems that can teach and be held out, and its specs."""

from __future__ import annotations

import json
import re
import subprocess
from collections import Counter
from pathlib import Path

import pytest
from conftest import REPO
from hypothesis import given, settings
from hypothesis import strategies as st

from passk.benchmarks.arithmetic import LEVELS, Split, generate, half_of
from passk.benchmarks.source import load_problems
from passk.core.errors import SpecError
from passk.spec.loading import load_benchmark, load_prompt
from passk.spec.models import Benchmark
from passk.spec.training_methods import METHODS
from passk.verifiers.number import NumberVerifier
from passk.workflow import build_plan

SUMS, TRAIN = (load_benchmark(REPO / f"specs/benchmarks/{n}.yaml") for n in ("sums", "sums-train"))


def summands(question: str) -> frozenset[str]:
    return frozenset(re.findall(r"\d+", question))


def test_what_is_held_out_is_not_trained_on_in_either_order() -> None:
    rows = [load_problems(benchmark) for benchmark in (SUMS, TRAIN)]
    assert [len(part) for part in rows] == [100, 200]
    held, trained = ({summands(row.question) for row in part} for part in rows)
    assert not held & trained
    shown = (json.loads(row.meta)["shots"] for part in rows for row in part)
    shots = {summands(question) for examples in shown for question, _ in examples}
    assert len(shots) == 4
    assert not shots & (held | trained)


@settings(max_examples=20)
@given(st.sampled_from(["sum2", "product21", "word2"]), st.integers(0, 2**32), st.integers(1, 60))
def test_the_halves_have_nothing_in_common_whatever_is_drawn(
    level: str, seed: int, count: int
) -> None:
    halves: dict[Split, list[str]] = {
        split: [
            row["question"]
            for row in generate(seed=seed, per_level=count, levels=[level], split=split)
        ]
        for split in ("train", "test")
    }
    for split, questions in halves.items():
        assert {half_of(question) for question in questions} == {split}
        assert len(set(questions)) == count
    assert not set(halves["train"]) & set(halves["test"])


@pytest.mark.parametrize("level", LEVELS)
def test_every_worked_solution_is_right_at_each_step_and_one_line(level: str) -> None:
    verifier = NumberVerifier(which="last")
    (stop,) = load_prompt(REPO / "specs/prompts/few-shot-direct.yaml").stop
    for row in generate(seed=5, per_level=25, levels=[level]):
        working = row["solution"]
        assert stop not in working
        answer = verifier.extract(working)
        assert answer is not None
        assert verifier.compare(f'"{row["gold"]}"', answer).verdict == "correct"
        for step in working.split("=")[:-1]:
            assert eval(step) == int(row["gold"])


def test_an_unknown_split_and_too_many_problems_are_told() -> None:
    with pytest.raises(SpecError, match=r"unknown split 'tran'; did you mean 'train'"):
        generate(split="tran")  # type: ignore[arg-type]
    with pytest.raises(SpecError, match="level 'lcm' has fewer than 104 distinct items"):
        generate(levels=["lcm"], per_level=100, split="test")


@pytest.mark.parametrize("benchmark", [SUMS, TRAIN], ids=lambda benchmark: benchmark.name)
def test_the_worked_solutions_stand_with_the_problems(benchmark: Benchmark) -> None:
    verifier = NumberVerifier(**benchmark.options)
    for row in load_problems(benchmark):
        answer = verifier.extract(json.loads(row.meta)["solution"])
        assert answer is not None
        assert verifier.compare(json.loads(row.gold), answer).verdict == "correct"


# The specs -------------------------------------------------------------------------------------


def test_the_miniature_has_every_method_three_seeds_each_and_one_protocol() -> None:
    plan = build_plan(REPO / "specs/miniature.yaml")
    trainings = list(plan.trainings.values())
    assert Counter(training.method for training in trainings) == dict.fromkeys(METHODS, 3)
    assert {training.settings["seed"] for training in trainings} == {1, 2, 3}
    assert {training.steps[-1] for training in trainings} == {12}
    rewarded = [training for training in trainings if METHODS[training.method].teacher is None]
    for name in (
        "learning_rate",
        "prompts_per_step",
        "num_generations",
        "max_tokens",
        "temperature",
    ):
        assert len({training.settings[name] for training in rewarded}) == 1
    assert {training.use.name for training in trainings} == {"sums-train"}
    measured = {cell.use.name for cell in plan.cells.values()}
    assert measured == {"sums", "sums-train"}
    assert any("trained on" in warning for warning in plan.warnings())
    assert max(plan.experiment.k) == 256


def test_the_demo_trains_what_the_miniature_trains() -> None:
    demo, whole = (
        build_plan(REPO / f"specs/{name}.yaml") for name in ("miniature-demo", "miniature")
    )
    settings_of = {
        training.method: (training.settings, training.steps[-1])
        for training in whole.trainings.values()
        if training.settings["seed"] == 1
    }
    assert {training.method for training in demo.trainings.values()} == {"GRPO", "distillation"}
    for training in demo.trainings.values():
        assert (training.settings, training.steps[-1]) == settings_of[training.method]
    assert {cell.use.name for cell in demo.cells.values()} == {"sums"}


@pytest.mark.parametrize("name", ["miniature", "miniature-demo"])
def test_it_dry_runs_from_nothing(tmp_path: Path, name: str) -> None:
    for part in ("specs", "rules", "Snakefile"):
        (tmp_path / part).symlink_to(REPO / part)
    done = subprocess.run(
        ["snakemake", "-n", "--cores", "2", "--quiet", "rules",
         "--configfile", f"specs/{name}.yaml"],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    jobs = dict(re.findall(r"^(\w+) +(\d+)$", done.stdout + done.stderr, flags=re.MULTILINE))
    plan = build_plan(REPO / f"specs/{name}.yaml")
    assert int(jobs["train_model"]) == sum(len(t.steps) for t in plan.trainings.values())
    assert int(jobs["count_verdicts"]) == len(plan.cells)
