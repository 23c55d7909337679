"""Trainings in specs and plans: what is refused, what decides weights, what is missing and why."""

from __future__ import annotations

import fcntl
import json
import re
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from conftest import REPO, Study
from trained_study import problems, put_checkpoint, train_of, trained_study

from passk.core.errors import SpecError
from passk.spec.loading import load_experiment
from passk.spec.training_methods import METHODS, SOLUTIONS, settings
from passk.workflow import Plan, build_plan
from passk.workflow.contamination import unseen_overlap
from passk.workflow.resources.jobs import Jobs
from passk.workflow.slurm.partitions import Partition
from passk.workflow.task_files import plan_document, training_task

Edit = Callable[[dict[str, Any]], object]


@pytest.fixture
def trained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Study:
    """The study, of which nothing was made, in the working directory."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tiny").mkdir()
    (tmp_path / "tiny/model.safetensors").write_bytes(b"0" * 4_000_000)
    return trained_study(tmp_path)


def plan_of(study: Study) -> Plan:
    """The plan of a study as its spec stands."""
    study.save()
    return build_plan(Path(study.file))


def train(spec: dict[str, Any], **changes: Any) -> None:
    """Change the training of a spec."""
    spec["models"]["grpo@{step}"]["train"].update(changes)


def second(spec: dict[str, Any], **changes: Any) -> None:
    """Add a second trained model."""
    entry = {**spec["models"]["grpo@{step}"]}
    entry["train"] = {**entry["train"], **changes}
    spec["models"]["more@{step}"] = entry


FAULTS: dict[str, tuple[Edit, str]] = {
    "unknown method": (
        lambda s: train(s, method="GPRO"),
        "train.method: unknown method 'GPRO'; did you mean 'GRPO'",
    ),
    "unknown start": (
        lambda s: train(s, **{"from": "bsae"}),
        "train.from: unknown name 'bsae'; did you mean 'base'",
    ),
    "unknown benchmark": (
        lambda s: train(s, benchmark="dril"),
        "train.benchmark: unknown benchmark 'dril'; did you mean 'drill'",
    ),
    "unknown prompt": (
        lambda s: train(s, prompt="few-shot"),
        "train.prompt: unknown prompt 'few-shot'; did you mean 'few-shot-direct'",
    ),
    "unknown key": (
        lambda s: train(s, lerning_rate=1),
        "train.lerning_rate: unknown key 'lerning_rate'; did you mean 'learning_rate'",
    ),
    "an old key": (
        lambda s: train(s, group=4),
        "train.group: unknown key 'group'; its name is now `num_generations`",
    ),
    "an old key of execution": (
        lambda s: s["models"]["grpo@{step}"].update(execution={"processes": 2}),
        "execution.processes: unknown key 'processes'; its name is now `num_processes`",
    ),
    "no method": (
        lambda s: s["models"]["grpo@{step}"]["train"].pop("method"),
        "train: the key 'method' is missing",
    ),
    "no steps": (
        lambda s: s["models"]["grpo@{step}"].pop("steps"),
        "a trained model needs `steps`, the checkpoints that are kept, and {step} in its name",
    ),
    "step 0": (
        lambda s: s["models"]["grpo@{step}"].update(steps=[0, 1]),
        "steps: step 0 is the model that training starts from",
    ),
    "a step in the training": (
        lambda s: train(s, prompt="at-{step}"),
        "one training has all steps: {step} cannot stand in it",
    ),
    "a field the method does not read": (
        lambda s: train(s, max_resamples=2),
        "train.max_resamples: GRPO does not read it; it reads: prompts_per_step, ",
    ),
    "an engine that is handed no weights": (
        lambda s: train(s, engine="openai"),
        'train.engine: "openai" is not known; available: transformers, vllm',
    ),
    "an engine beside a teacher": (
        lambda s: second(s, method="distillation", teacher="base", engine="vllm"),
        "train.engine: distillation does not read it",
    ),
    "a group of one": (
        lambda s: train(s, num_generations=1),
        "train.num_generations: GRPO compares a problem's responses: at least 2",
    ),
    "a teacher of rewards": (
        lambda s: train(s, teacher="base"),
        "train.teacher: GRPO learns from rewards and has no teacher",
    ),
    "SFT with a teacher": (
        lambda s: second(s, method="SFT", teacher="base"),
        "train.teacher: SFT learns from own responses; `distillation` takes a teacher",
    ),
    "unknown teacher": (
        lambda s: second(s, method="distillation", teacher="bass"),
        "train.teacher: unknown teacher 'bass'; did you mean 'base'",
    ),
    "unknown reference": (
        lambda s: second(s, method="distillation", teacher="reference:o1"),
        "train.teacher: unknown reference 'o1'; available: none",
    ),
    "drawing where none is drawn": (
        lambda s: second(s, method="distillation"),
        "train.num_generations: no responses are drawn where the teacher is `solutions`",
    ),
    "weights, too": (
        lambda s: s["models"]["grpo@{step}"].update(weights="./tiny"),
        "weights: weights come from training: leave `weights` or `train`",
    ),
    "an engine without weights": (
        lambda s: s["models"]["grpo@{step}"].update(engine="fake"),
        "engine: 'fake' holds no weights that are trained here",
    ),
    "a start without weights": (
        lambda s: s["models"]["base"].update(engine="openai", endpoint="http://x/v1", dtype="auto"),
        "train.from: 'base' has engine 'openai': there are no weights to train",
    ),
    "a start with adapters": (
        lambda s: s["models"]["base"].update(adapters=["./lora"]),
        "train.from: 'base' has adapters: merge them into its weights first",
    ),
    "itself": (
        lambda s: train(s, **{"from": "grpo@2"}),
        "train.from: goes round in a circle: grpo@2 -> grpo@2",
    ),
    "a circle": (
        lambda s: (second(s, **{"from": "grpo@2"}), train(s, **{"from": "more@1"})),
        "train.from: goes round in a circle: grpo@2 -> more@1 -> grpo@2",
    ),
    "half the precision": (
        lambda s: s["models"]["grpo@{step}"].update(dtype="float16"),
        "dtype: training computes in float32 or bfloat16",
    ),
    "uneven processes": (
        lambda s: s["models"]["grpo@{step}"].update(execution={"num_processes": 4}),
        "execution.num_processes: does not divide the 2 problems of a step",
    ),
    "uneven parts": (
        lambda s: s["models"]["grpo@{step}"].update(execution={"gradient_accumulation_steps": 3}),
        "execution.gradient_accumulation_steps: does not divide the 2 problems of a step",
    ),
    "no base": (
        lambda s: s["models"]["grpo@{step}"].pop("base"),
        "a model with role rl needs `base`",
    ),
    "seeds without a place": (
        lambda s: s["models"]["grpo@{step}"].update(seeds=[1, 2]),
        "a series of repeats needs `seeds`, and {seed} in its name",
    ),
    "too few problems": (
        lambda s: train(s, prompts_per_step=5),
        "train.prompts_per_step: a step takes 5 problems, and there are 4",
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_told_with_file_line_and_key(trained: Study, name: str) -> None:
    edit, message = FAULTS[name]
    edit(trained.spec)
    with pytest.raises(SpecError) as raised:
        plan_of(trained)
    told = str(raised.value)
    assert told.count(message) == 1, told
    assert told.startswith("study.yaml:")


def test_worked_solutions_must_be_there(trained: Study) -> None:
    entry = trained.spec["models"].pop("grpo@{step}")
    entry["train"] = {
        "from": "base",
        "method": "distillation",
        "benchmark": "drill",
        "prompts_per_step": 2,
    }
    trained.spec["models"]["taught@{step}"] = entry
    (training,) = plan_of(trained).trainings.values()
    assert training.fingerprint_inputs["solutions"]
    assert training_task(training)["teacher"] == {"kind": "solutions"}
    file = trained.folder / "benchmarks/drill.yaml"
    file.write_text(file.read_text().replace("columns: {solution: worked}\n", ""))
    with pytest.raises(SpecError, match="'drill' has no worked solutions"):
        plan_of(trained)


def test_the_schema_has_what_the_methods_read() -> None:
    schema = json.loads((REPO / "specs/schema/experiment.schema.json").read_text())
    keys = set(schema["$defs"]["train"]["properties"])
    own = {"from", "method", "benchmark", "problems", "only", "prompt", "teacher"}
    assert keys - own == {name for method in METHODS.values() for name in method.defaults}


def test_settings_are_what_the_spec_says_over_the_methods_defaults() -> None:
    given = {"epsilon": 0.1, "beta": 0.5}
    assert settings(METHODS["GRPO"], given, None)["epsilon_high"] == 0.1
    assert settings(METHODS["DAPO"], given, None)["epsilon_high"] == 0.28
    assert settings(METHODS["GRPO"], given, None)["beta"] == 0.5
    assert "num_generations" in settings(METHODS["distillation"], {}, "large")
    assert "num_generations" not in settings(METHODS["distillation"], {}, SOLUTIONS)


def test_series_of_seeds_and_steps_are_models(trained: Study) -> None:
    entry = trained.spec["models"].pop("grpo@{step}")
    entry |= {"seeds": [3, 5], "label": "GRPO {seed}"}
    trained.spec["models"]["grpo-{seed}@{step}"] = entry
    trained.spec["perplexity"] = [
        {"scorer": "base", "responses_of": ["base", "grpo-{seed}@{step}"], "per_problem": 1}
    ]
    plan = plan_of(trained)
    names = ["grpo-3@1", "grpo-3@2", "grpo-5@1", "grpo-5@2"]
    assert list(plan.experiment.models) == ["base", *names]
    assert plan.experiment.perplexity[0].responses_of == ("base", *names)
    model = plan.experiment.models["grpo-5@2"]
    assert (model.role, model.algorithm, model.label) == ("rl", "GRPO", "GRPO 5")
    assert [one.settings["seed"] for one in plan.trainings.values()] == [3, 5]
    document = plan_document(plan)
    assert [(one["model"], one["series"], one["seed"]) for one in document["trainings"]] == [
        ("grpo-3", "grpo", 3),
        ("grpo-5", "grpo", 5),
    ]
    cell = document["cells"][-1]
    assert (cell["series"], cell["seed"], cell["step"]) == ("grpo", 5, 2)
    assert cell["training"] == document["trainings"][1]["training"]
    assert document["trainings"][1]["steps"][1].endswith("/step-000002/steps.parquet")
    assert "series" not in document["cells"][0]


def test_series_of_seeds_need_no_training(trained: Study) -> None:
    trained.spec["models"] = {
        "rl-{seed}": {"weights": "./tiny-{seed}", "engine": "transformers", "seeds": [1, 2]}
    }
    plan = plan_of(trained)
    assert [model.weights for model in plan.experiment.models.values()] == ["./tiny-1", "./tiny-2"]
    assert [cell["series"] for cell in plan_document(plan)["cells"]] == ["rl", "rl"]
    assert "trainings" not in plan_document(plan)


def ids(study: Study) -> tuple[str, set[str]]:
    """The id of the one training, and those of the cells of its checkpoints."""
    plan = plan_of(study)
    (training,) = plan.trainings
    return training, {cell for cell in plan.cells if cell.startswith("grpo")}


@pytest.mark.parametrize(
    "edit",
    [
        lambda study: train_of(study).update(learning_rate=2e-3),
        lambda study: train_of(study).update(seed=7),
        lambda study: train_of(study).update(method="RLOO"),
        lambda study: train_of(study).update(engine="vllm"),
        lambda study: train_of(study).update(problems=3),
        lambda study: train_of(study).update(only=["p10", "p11"]),
        lambda study: study.spec["models"]["grpo@{step}"].update(dtype="bfloat16"),
        lambda study: (study.folder / "tiny/model.safetensors").write_bytes(b"1" * 4_000_000),
        lambda study: problems(study.folder, "drill", range(11, 15)),
    ],
    ids=["rate", "seed", "method", "engine", "problems", "only", "dtype", "start", "questions"],
)
def test_what_decides_the_weights_makes_another_training(
    trained: Study, edit: Callable[[Study], object]
) -> None:
    before, cells = ids(trained)
    edit(trained)
    after, other = ids(trained)
    assert before != after
    assert not cells & other


@pytest.mark.parametrize(
    "edit",
    [
        lambda study: study.spec["models"]["grpo@{step}"].update(steps=[1, 2, 30]),
        lambda study: study.spec["models"]["grpo@{step}"].update(
            execution={"threads": 1, "save_steps": 5, "keep_state": False}, label="x"
        ),
        lambda study: train_of(study).update(
            temperature=1, beta=0, epsilon_high=0.2, engine="transformers"
        ),
        lambda study: study.spec.update(seed=9, k=[1]),
    ],
    ids=["steps", "execution", "defaults", "experiment"],
)
def test_what_does_not_decide_the_weights_leaves_the_training(
    trained: Study, edit: Callable[[Study], object]
) -> None:
    before, _ = ids(trained)
    edit(trained)
    assert ids(trained)[0] == before


def test_a_training_starts_from_a_trained_model_and_follows_it(trained: Study) -> None:
    second(trained.spec, **{"from": "grpo@2", "method": "SFT"})
    plan = plan_of(trained)
    first, after = plan.trainings.values()
    assert after.fingerprint_inputs["start trained"] == first.id.rpartition("-")[2]
    assert after.markers == (f"outputs/store/trainings/{first.id}/step-000002/manifest.json",)
    assert training_task(after)["model"]["weights"].endswith("/step-000002")
    assert after.dtype == "float32"
    train_of(trained)["learning_rate"] = 1e-4
    assert set(plan_of(trained).trainings).isdisjoint(plan.trainings)


def test_a_trained_model_teaches(trained: Study) -> None:
    second(trained.spec, method="distillation", teacher="grpo@1")
    first, taught = plan_of(trained).trainings.values()
    assert taught.markers == (f"outputs/store/trainings/{first.id}/step-000001/manifest.json",)
    teacher = training_task(taught)["teacher"]
    assert (teacher["kind"], teacher["engine"]) == ("model", "transformers")
    assert teacher["model"]["weights"].endswith(f"{first.id}/step-000001")
    assert (taught.model.role, taught.settings["num_generations"]) == ("distilled", 2)


def test_two_entries_of_one_training_keep_the_steps_of_both(trained: Study) -> None:
    entry = trained.spec["models"]["grpo@{step}"]
    trained.spec["models"]["grpo.{step}"] = entry | {"steps": [2, 5]}
    (training,) = plan_of(trained).trainings.values()
    assert training.steps == (1, 2, 5)
    assert [training.before(step) for step in training.checkpoints()] == [
        None,
        "000001",
        "000002",
    ]


def test_questions_that_are_trained_on_and_measured_are_warned_of(trained: Study) -> None:
    assert not plan_of(trained).warnings()
    problems(trained.folder, "exam", range(13, 15))
    (warning,) = plan_of(trained).warnings()
    assert warning.startswith("benchmark 'exam': 1 of its 2 questions are trained on (grpo, ")
    trained.spec["benchmarks"]["drill"] = {"n": 2}
    assert any("'drill': 4 of its 4 questions" in text for text in plan_of(trained).warnings())


def test_a_benchmark_that_is_not_at_hand_is_not_called_clean(trained: Study) -> None:
    file = trained.folder / "benchmarks/exam.yaml"
    file.write_text(
        "title: Exam\nsource: {file: gone.jsonl, sha256: " + "a" * 64 + "}\nverifier: number\n"
        "prompt: few-shot-direct\ncount: 2\n"
        'shots: [["1 + 1 =", "2"], ["2 + 1 =", "3"], ["3 + 1 =", "4"], ["4 + 1 =", "5"]]\n'
    )
    plan = plan_of(trained)
    (text,) = unseen_overlap(plan.cells.values(), plan.trainings.values())
    assert text.startswith("benchmark 'exam' is not at hand")


def test_plan_says_what_is_missing_why_and_what_it_costs(trained: Study) -> None:
    (training,) = plan_of(trained).trainings
    text = trained.passk("plan", trained.file).stdout
    assert f"missing  training {training}  GRPO, 0/2 checkpoints (steps 1, 2)" in text
    assert "why: never trained" in text
    put_checkpoint(trained, training, 1, seconds=30.0)
    found = json.loads(trained.passk("plan", trained.file, "--json").stdout)["trainings"][0]
    assert (found["state"], found["why"], found["steps_left"]) == ("partial", ["steps 1 → 2"], 1)
    assert found["hours_left"] == pytest.approx(30 / 3600)
    assert found["basis"] == "recorded: 1 steps of this training's checkpoints"
    train_of(trained)["learning_rate"] = 2e-3
    trained.save()
    text = trained.passk("plan", trained.file).stdout
    assert f"why: learning_rate 0.001 → 0.002 (nearest: {training})" in text
    assert "2 steps of training" in text


def test_where_names_the_folder_of_a_trained_model(trained: Study) -> None:
    (training,) = plan_of(trained).trainings
    missing = trained.passk("where", trained.file, "--model", "grpo@1")
    assert missing.returncode == 1
    assert "the weights of 'grpo@1' do not exist yet" in missing.stderr
    put_checkpoint(trained, training, 1, seconds=1.0)
    found = trained.passk("where", trained.file, "--model", "grpo@1")
    assert found.stdout == f"outputs/store/trainings/{training}/step-000001\n"
    unknown = trained.passk("where", trained.file, "--model", "grpo@7")
    assert "no model 'grpo@7' in this spec; did you mean 'grpo@" in unknown.stderr


def test_status_counts_checkpoints_and_steps(trained: Study) -> None:
    (training,) = plan_of(trained).trainings
    put_checkpoint(trained, training, 1, seconds=1.0)
    found = json.loads(trained.passk("status", trained.file, "--json").stdout)
    (state,) = found["trainings"]
    assert (state["steps"], state["steps_done"]) == (2, 1)
    assert (state["shards"]["done"], state["shards"]["waiting"]) == (1, 1)
    assert not found["done"]
    shown = trained.passk("status", trained.file).stdout
    assert re.search(rf"training {training.rpartition('-')[0]} .* 1/2 +waiting", shown)


def test_status_sees_a_training_at_work_and_how_far_its_state_is(trained: Study) -> None:
    trained.spec["models"]["grpo@{step}"]["steps"] = [1, 10]
    (training,) = plan_of(trained).trainings
    put_checkpoint(trained, training, 1, seconds=1.0)
    state = trained.folder / f"outputs/store/trainings/{training}/state"
    (state / "step-000006").mkdir(parents=True)
    (state / "lock").touch()
    log = trained.folder / f"outputs/store/logs/train/{training}.000010.log"
    with (state / "lock").open("rb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        found = json.loads(trained.passk("status", trained.file, "--json").stdout)
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_text(
            f"train {training} step-000010: 8/10 steps, 0.5/s, 4 s left, reward 0.25, 2 s a step\n"
        )
        (logged,) = json.loads(trained.passk("status", trained.file, "--json").stdout)["trainings"]
    assert (logged["steps_done"], logged["per_second"], logged["seconds_left"]) == (8, 0.5, 4.0)
    assert logged["reward"] == 0.25
    (at_work,) = found["trainings"]
    assert (at_work["steps_done"], at_work["shards"]["running"]) == (6, 1)
    assert (at_work["seconds_left"], at_work["reward"]) == (None, None)
    found = json.loads(trained.passk("plan", trained.file, "--json").stdout)
    assert found["trainings"][0]["steps_left"] == 4


def test_trainings_that_no_spec_names_are_orphans(trained: Study) -> None:
    (training,) = plan_of(trained).trainings
    put_checkpoint(trained, training, 1, seconds=1.0)
    put_checkpoint(trained, training, 2, seconds=1.0)
    state = trained.folder / f"outputs/store/trainings/{training}/state"
    state.mkdir()
    assert orphans(trained) == []
    trained.spec["models"]["grpo@{step}"]["execution"] = {"keep_state": False}
    assert orphans(trained) == [f"{training}/state"]
    trained.spec["models"]["grpo@{step}"]["steps"] = [1]
    assert orphans(trained) == [f"{training}/step-000002", f"{training}/state"]
    train_of(trained)["seed"] = 4
    assert orphans(trained) == [training]


def orphans(study: Study) -> list[str]:
    """The folders of trainings that `passk clean` lists."""
    study.save()
    lines = study.passk("clean", "--orphans", study.file).stdout.splitlines()
    return [line.partition("/trainings/")[2] for line in lines if "/trainings/" in line]


def test_fetch_brings_the_problems_that_are_trained_on(trained: Study) -> None:
    done = trained.passk("fetch", trained.file)
    assert done.returncode == 0, done.stderr
    assert [line.split("  ")[0].split()[0] for line in done.stdout.splitlines()] == ["fetched"] * 2
    assert list((trained.folder / "outputs/store/problems").glob("drill-*/problems-*.parquet"))


def test_a_training_asks_for_four_copies_of_its_weights_and_time_for_its_steps(
    trained: Study,
) -> None:
    plan = plan_of(trained)
    (training,) = plan.trainings
    put_checkpoint(trained, training, 1, seconds=3600.0)
    jobs = Jobs(plan)
    wildcards = SimpleNamespace(training=training, step="000002")
    assert jobs.memory(wildcards, 1) == 4_000 + 4 * 4 * 1.25
    assert jobs.memory(wildcards, 2) == 2 * jobs.memory(wildcards, 1)
    assert jobs.minutes(wildcards, 1) == 15 + 2 * 60
    assert jobs.gpus == 1
    with pytest.raises(SpecError, match="a job of model 'grpo@1' needs 4,020 MB"):
        jobs.limit([Partition("small", gpus=1, memory_mb=4_010)])


def test_defaults_of_a_model_that_is_not_trained_are_what_they_were(study: Study) -> None:
    model = load_experiment(study.folder / study.file).models["base"]
    assert (model.train, model.seed, model.algorithm, model.role) == (None, None, None, "base")
