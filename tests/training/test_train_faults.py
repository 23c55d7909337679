"""What can go wrong with a training: one message each, nothing lost, the same weights at last."""

from __future__ import annotations

import dataclasses
import json
import logging
import math
import multiprocessing
import random
import resource
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("trl")

from kills import PRELOADED
from tiny_models import save_tiny
from trainings import LARGE, Training, same

from passk.core.artifacts import read_json, write_json
from passk.core.errors import DataError, EngineError, OutputError, PasskError
from passk.core.install import install_extra
from passk.core.schemas import Problem, TrainingStep
from passk.spec.training_methods import METHODS
from passk.stages.train import train
from passk.training import collapse_check, state_store
from passk.training.ppo_family import append_greedy
from passk.training.reward import Grader
from passk.training.rollout import Rollout

NEVER = json.dumps("123456")
KILLED_AT, LAST = ((1, 3, 5, 7, 9), 12) if LARGE else ((1, 3, 5), 7)
KILLED_METHODS = [n for n, m in METHODS.items() if m.role == "rl"] if LARGE else ["PPO"]
"""PPO's state holds most: two groups of parameters, and weights that only training needs."""


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The model that all trainings start from."""
    return save_tiny(tmp_path_factory.mktemp("start") / "tiny")


def attempt(training: Training, step: int, limits: list[tuple[int, int]]) -> None:
    """Train under limits of the system, in a process of its own; exit as the command would."""
    for what, value in limits:
        resource.setrlimit(what, (value, resource.getrlimit(what)[1]))
    try:
        train(training.task, training.asked, step, training.output(step))
    except PasskError as error:
        (training.folder / "error").write_text(str(error))
        sys.exit(1)


def start(training: Training, step: int, *limits: tuple[int, int]) -> Any:
    """Start a training in a process of its own."""
    processes = multiprocessing.get_context("forkserver")  # imports torch once
    processes.set_forkserver_preload(PRELOADED)
    process = processes.Process(target=attempt, args=(training, step, list(limits)))
    process.start()
    return process


def finish(training: Training, step: int, *limits: tuple[int, int]) -> int | None:
    """Train in a process of its own; return how it ended."""
    process = start(training, step, *limits)
    process.join()
    code: int | None = process.exitcode
    return code


@pytest.mark.parametrize("method", KILLED_METHODS)
def test_killed_at_several_moments_the_weights_are_those_of_an_undisturbed_run(
    method: str, weights: Path, tmp_path: Path
) -> None:
    execution = {"threads": 1, "save_steps": 1}
    undisturbed = Training(
        tmp_path / "quiet", method, steps=[LAST], weights=weights, execution=execution
    )
    killed = Training(
        tmp_path / "killed", method, steps=[LAST], weights=weights, execution=execution
    )
    undisturbed.write()
    killed.write()
    assert finish(undisturbed, LAST) == 0
    moments, ended = random.Random(5), 0
    for step in KILLED_AT:
        process = start(killed, LAST)
        while process.is_alive() and max(state_store.states(killed.folder), default=0) < step:
            time.sleep(0.002)
        time.sleep(moments.uniform(0, 0.3))
        process.kill()
        process.join()
        ended += process.exitcode == -signal.SIGKILL
    assert ended >= len(KILLED_AT) - 2
    assert finish(killed, LAST) == 0
    assert same(undisturbed.weights_of(LAST), killed.weights_of(LAST))
    assert [row.loss for row in undisturbed.rows(LAST)] == [row.loss for row in killed.rows(LAST)]
    assert not list(tmp_path.rglob("*.tmp"))


def test_a_damaged_state_is_set_aside_and_the_one_before_it_serves(
    weights: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    more: dict[str, Any] = {"weights": weights, "execution": {"threads": 1, "save_steps": 1}}
    whole = Training(tmp_path / "whole", steps=[4], **more)
    whole.train(4)
    torn = Training(tmp_path / "torn", steps=[3], **more)
    torn.train(3)
    assert list(state_store.states(torn.folder)) == [3, 2]
    file = torn.folder / "state" / "step-000003" / "optimizer.pt"
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    torn.steps = [3, 4]
    torn.train(4)
    assert "optimizer.pt is damaged" in caplog.text
    assert same(whole.weights_of(4), torn.weights_of(4))


def test_without_a_state_it_trains_anew_to_the_same_weights(weights: Path, tmp_path: Path) -> None:
    kept: dict[str, Any] = {"weights": weights}
    lean = Training(
        tmp_path / "lean", steps=[2], execution={"threads": 1, "keep_state": False}, **kept
    )
    lean.train(2)
    assert not state_store.states(lean.folder)
    lean.steps = [2, 3]
    lean.train(3)
    straight = Training(tmp_path / "straight", steps=[3], **kept)
    straight.train(3)
    assert same(lean.weights_of(3), straight.weights_of(3))


def test_a_state_of_other_fields_is_not_gone_on_from(
    weights: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    training = Training(tmp_path, steps=[1], weights=weights)
    training.train(1)
    state_file = training.folder / "state" / "step-000001" / "state.json"
    write_json(state_file, read_json(state_file) | {"training": "another"})
    assert state_store.newest_state(training.folder, "this", 1) is None
    assert "belongs to another training" in caplog.text


def test_a_checkpoint_whose_process_died_before_it_was_published(
    weights: Path, tmp_path: Path
) -> None:
    training = Training(tmp_path, steps=[2], weights=weights)
    training.train(2)
    first, rows = training.weights_of(2), training.rows(2)
    training.output(2).unlink()
    training.train(2)
    assert same(first, training.weights_of(2))
    assert rows == training.rows(2)


def test_a_checkpoint_that_stands_is_left_alone(weights: Path, tmp_path: Path) -> None:
    training = Training(tmp_path, steps=[1], weights=weights)
    training.train(1)
    written = training.output(1).stat().st_mtime_ns
    training.train(1)
    assert training.output(1).stat().st_mtime_ns == written


def test_a_checkpoint_is_a_model_that_the_engine_draws_from(weights: Path, tmp_path: Path) -> None:
    from passk.engines.base import ModelSource, Prompt, Request, Sampling
    from passk.engines.transformers import TransformersEngine

    training = Training(tmp_path, "PPO", steps=[1], weights=weights)
    training.train(1)
    engine = TransformersEngine.load(ModelSource(str(training.output(1).parent)))
    request = Request("p", Prompt("1 + 1 ="), (0,), (7,))
    assert [row.n_tokens for row in engine.sample([request], Sampling(max_tokens=3))] == [3]
    assert not [name for name in training.weights_of(1) if name.startswith("value_head")]


def test_two_processes_do_not_train_the_same(weights: Path, tmp_path: Path) -> None:
    training = Training(tmp_path, weights=weights)
    with (
        state_store.lock_training(training.folder),
        pytest.raises(OutputError, match="another process is at this training"),
    ):
        training.train(4)


def test_a_training_that_diverges_stops_before_anything_is_saved(
    weights: Path, tmp_path: Path
) -> None:
    training = Training(tmp_path, steps=[1], weights=weights)
    training.train(1)
    training.steps = [1, 9]
    training.settings = {
        "prompts_per_step": 4,
        "num_generations": 8,
        "learning_rate": 1e38,
        "max_grad_norm": 0.0,
    }
    broken = Training(tmp_path / "b", steps=[9], settings=training.settings, weights=weights)
    broken.execution = {"threads": 1, "save_steps": 1}
    with pytest.raises(EngineError, match="diverged") as caught:
        broken.train(9)
    assert "learning_rate" in caught.value.fix
    assert not state_store.is_published(broken.folder, 9)
    assert not state_store.states(broken.folder)


def test_a_gradient_that_is_not_finite_stops_it(
    weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from accelerate import Accelerator

    monkeypatch.setattr(Accelerator, "clip_grad_norm_", lambda *_, **__: math.inf)
    with pytest.raises(EngineError, match="the gradient of step 1 became inf"):
        Training(tmp_path, weights=weights).train(4)


def test_a_full_disk_is_told_and_the_last_state_stays(weights: Path, tmp_path: Path) -> None:
    training = Training(tmp_path / "t", steps=[1], weights=weights)
    training.train(1)
    training.steps = [1, 2]
    training.write()
    assert finish(training, 2, (resource.RLIMIT_FSIZE, 200_000)) == 1
    message = (training.folder / "error").read_text()
    assert "cannot save the weights" in message
    assert "free some space" in message
    assert list(state_store.states(training.folder)) == [1]
    assert finish(training, 2) == 0


def test_a_lack_of_memory_is_told_with_the_way_out(weights: Path, tmp_path: Path) -> None:
    settings = {"prompts_per_step": 4, "num_generations": 512, "max_tokens": 64}
    training = Training(tmp_path / "t", settings=settings, weights=weights, problems=8)
    training.write()
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    assert finish(training, 4, (resource.RLIMIT_AS, used + (500 << 20))) == 1
    message = (training.folder / "error").read_text()
    assert "out of memory" in message
    assert "gradient_accumulation_steps" in message or "batch_size" in message


def test_equal_rewards_are_told_once(
    weights: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "passk")
    Training(tmp_path, steps=[12], weights=weights, gold=NEVER).train(12)
    told = [record.getMessage() for record in caplog.records]
    assert len(told) == 1
    assert "no learning signal in steps 1 to 10: all responses were wrong" in told[0]


def row(step: int, reward: float, zero_groups: float) -> TrainingStep:
    """A row of a step."""
    spread = math.sqrt(reward * (1 - reward))
    nothing = (None, 1.0, 0.0, 0.0, 1.0, 0.0, 1.0, 1.0, 1.0, 1e-5)
    return TrainingStep(step, reward, spread, zero_groups, *nothing)


@pytest.mark.parametrize("method", ["GRPO", "PPO"])
def test_a_training_in_which_nothing_was_ever_learned_ends(method: str) -> None:
    rows = [row(step, 0.0, 1.0) for step in range(1, collapse_check.MAX_FLAT_STEPS + 1)]
    collapse_check.check_rewards(rows[:-1], METHODS[method], "t")
    with pytest.raises(EngineError, match="nothing can be learned: in 50 steps"):
        collapse_check.check_rewards(rows, METHODS[method], "t")


def test_a_training_that_has_learned_all_goes_on() -> None:
    rows = [row(1, 0.5, 0.0), *(row(step, 1.0, 1.0) for step in range(2, 120))]
    for count in range(1, len(rows) + 1):
        collapse_check.check_rewards(rows[:count], METHODS["GRPO"], "t")


def test_differences_between_problems_teach_methods_that_do_not_compare_within_them() -> None:
    rows = [row(step, 0.5, 1.0) for step in range(1, collapse_check.MAX_FLAT_STEPS + 1)]
    collapse_check.check_rewards(rows, METHODS["Reinforce++"], "t")
    with pytest.raises(EngineError, match="rewarded equally"):
        collapse_check.check_rewards(rows, METHODS["GRPO"], "t")


def rolled(rewards: list[float], group: int) -> Rollout:
    """Responses to as many problems as there are groups."""
    return Rollout(list(range(len(rewards) // group)), [], rewards, group)


def test_what_remax_compares_has_the_greedy_response_in_it() -> None:
    drawn, greedy = rolled([0.0, 0.0, 0.0, 0.0], 2), rolled([1.0, 0.0], 1)
    assert append_greedy(drawn, greedy).mixed() == [True, False]
    taught = dataclasses.replace(row(1, 0.0, 0.5), reward_std=0.0)
    assert not collapse_check.is_flat(taught, METHODS["ReMax"])


def test_of_dapo_all_groups_that_were_drawn_count(weights: Path, tmp_path: Path) -> None:
    """Half of the problems have no answer: with max_resamples others take their places."""
    settings = {"prompts_per_step": 2, "num_generations": 8, "max_resamples": 3}
    training = Mixed(tmp_path, "DAPO", settings, steps=[6], weights=weights)
    training.train(6)
    rows = training.rows(6)
    shares = {row.zero_groups for row in rows}
    assert shares - {0.0, 0.5, 1.0}  # of more groups than the two of a step


class Mixed(Training):
    """A training of which every other problem cannot be solved."""

    def rows_of_problems(self) -> list[Problem]:
        rows = super().rows_of_problems()
        return [dataclasses.replace(r, gold=NEVER) if i % 2 else r for i, r in enumerate(rows)]


def test_a_response_that_cannot_be_graded_has_no_reward() -> None:
    with Grader("fake", {}) as grader:
        found = grader.rewards([('"a"', "a"), ('"a"', "b"), ('"a"', "raise"), ('"a"', "")])
    assert found[:2] == [1.0, 0.0]
    assert math.isnan(found[2])
    assert found[3] == 0.0


def change_document(**changes: Any) -> Callable[[Training], None]:
    """Return what changes a training.json after it was written."""
    return lambda training: write_json(training.task, training.document() | changes)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (change_document(method="GRP0"), "unknown training method 'GRP0'.*did you mean 'GRPO'"),
        (change_document(steps=[3]), "step 4 is none of the checkpoints to keep: 3"),
        (lambda t: t.task.write_text("{"), "not readable as JSON"),
        (lambda t: t.task.write_text("{}"), "not a task file"),
        (lambda t: t.asked.unlink(), "no such file"),
        (lambda t: t.asked.write_bytes(b"PAR1"), "not a readable file of Problem rows"),
    ],
)
def test_what_is_wrong_with_a_task_is_said_in_one_message(
    change: Callable[[Training], None], message: str, weights: Path, tmp_path: Path
) -> None:
    training = Training(tmp_path, weights=weights)
    training.write()
    change(training)
    with pytest.raises(PasskError, match=f"(?s){message}"):
        train(training.task, training.asked, 4, training.output(4))


def test_too_few_problems_for_a_step(weights: Path, tmp_path: Path) -> None:
    training = Training(tmp_path, settings={"prompts_per_step": 7}, weights=weights)
    with pytest.raises(DataError, match="a step trains on 7 problems, and the benchmark has 6"):
        training.train(4)


def test_an_output_elsewhere_is_refused(weights: Path, tmp_path: Path) -> None:
    training = Training(tmp_path, weights=weights)
    training.write()
    with pytest.raises(DataError, match=r"goes to step-000004/manifest\.json"):
        train(training.task, training.asked, 4, tmp_path / "elsewhere.json")


def test_float16_is_refused(weights: Path, tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="a training cannot compute in float16"):
        Training(tmp_path, weights=weights, dtype="float16").train(4)


def test_a_start_model_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="no such file or folder of weights"):
        Training(tmp_path, weights=tmp_path / "gone" / "model").train(4)


def test_a_missing_package_is_told_with_how_to_install_it(
    weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "trl", None)
    monkeypatch.delitem(sys.modules, "passk.training.grpo", raising=False)
    with pytest.raises(EngineError, match="'trl', which is not installed") as caught:
        Training(tmp_path, weights=weights).train(4)
    assert install_extra("train") in caught.value.fix


def test_without_vllm_it_is_told_where_it_is_wanted(
    weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "vllm", None)
    with pytest.raises(EngineError, match="needs vLLM beside the packages of training") as caught:
        Training(tmp_path, settings={"engine": "vllm"}, weights=weights).train(4)
    assert "pip install vllm" in caught.value.fix
    assert install_extra("train") in caught.value.fix


class Older(Training):
    """One whose task file was written before trainings named their engine."""

    def document(self) -> dict[str, Any]:
        written = super().document()
        settings = {k: v for k, v in written["settings"].items() if k != "engine"}
        return written | {"settings": settings}


def test_a_task_file_that_names_no_engine_trains_as_ever(weights: Path, tmp_path: Path) -> None:
    trained = []
    for kind, name in ((Older, "older"), (Training, "newer")):
        training = kind(tmp_path / name, steps=[1], weights=weights)
        training.train(1)
        trained.append(training.weights_of(1))
    assert same(*trained)
