"""vLLM drawing the responses of a training, on real vLLM: make test-vllm."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("vllm", reason="vLLM has an environment of its own: make test-vllm")
pytest.importorskip("trl")

import torch
from safetensors.torch import load_file
from tiny_models import save_tiny
from trainings import Training, change, same
from vllm_processes import wait_until_gone

from passk.core.errors import EngineError
from passk.engines.base import Engine, ModelSource, Prompt, Request, Sampling
from passk.engines.transformers import TransformersEngine
from passk.engines.vllm import VllmEngine
from passk.training import state_store

VLLM = {"engine": "vllm"}

pytestmark = [pytest.mark.vllm, pytest.mark.filterwarnings("ignore")]  # vLLM's own


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The model that trainings start from."""
    return save_tiny(tmp_path_factory.mktemp("start") / "tiny")


def answers(engine: Engine) -> list[tuple[str, float]]:
    """Greedy responses, and their log-probabilities."""
    prompts = [Prompt(text=f"{i} + {i} =") for i in range(4)]
    asked = [Request(str(i), prompt, (0,), (1,)) for i, prompt in enumerate(prompts)]
    rows = sorted(engine.sample(asked, Sampling(0.0, max_tokens=12)), key=lambda r: r.problem_id)
    return [(row.text, row.sum_logprob) for row in rows]


def test_other_weights_are_drawn_from_as_if_loaded_at_first(weights: Path, tmp_path: Path) -> None:
    other = save_tiny(tmp_path / "other", seed=5)
    wanted = VllmEngine.load(ModelSource(str(other), dtype="float32"))
    found = VllmEngine.load(ModelSource(str(weights), dtype="float32"))
    before = answers(found)
    found.reload(other)
    assert answers(found) == answers(wanted) != before
    plain = answers(TransformersEngine.load(ModelSource(str(other), dtype="float32")))
    assert [text for text, _ in plain] == [text for text, _ in answers(found)]
    assert [p for _, p in plain] == pytest.approx([p for _, p in answers(found)], abs=1e-2)
    found.reload(weights)
    assert answers(found) == before
    found.stop()
    wanted.stop()


@pytest.mark.parametrize("method", ["GRPO", "ReMax"])
def test_it_learns_what_is_rewarded(method: str, weights: Path, tmp_path: Path) -> None:
    settings = {**VLLM, "prompts_per_step": 4, "num_generations": 8}
    training = Training(tmp_path, method, steps=[20], settings=settings, weights=weights)
    training.train(20)
    rewards = [row.reward or 0.0 for row in training.rows(20)]
    assert len(rewards) == 20
    assert sum(rewards[-5:]) > 1.5 * sum(rewards[:5])
    assert [row.entropy for row in training.rows(20)] == [None] * 20


def test_where_no_draw_is_left_to_chance_the_weights_are_those_of_the_other_engine(
    tmp_path: Path,
) -> None:
    """One token is kept at each place: a draw from weights of another step would show."""
    certain = {
        "top_p": 1e-6,
        "prompts_per_step": 6,
        "num_generations": 2,
        "max_tokens": 24,
        "learning_rate": 1e-2,
    }
    tiny = save_tiny(tmp_path / "tiny", seed=3)
    more: dict[str, Any] = {"steps": [3], "weights": tiny}
    ours = Training(tmp_path / "ours", "Reinforce++", settings=certain, **more)
    theirs = Training(tmp_path / "theirs", "Reinforce++", settings=certain | VLLM, **more)
    ours.train(3)
    theirs.train(3)
    rewards = [row.reward for row in ours.rows(3)]
    assert len(set(rewards)) == 3
    assert [row.reward for row in theirs.rows(3)] == rewards
    start = load_file(tiny / "model.safetensors")
    one, other = change(start, ours.weights_of(3)), change(start, theirs.weights_of(3))
    assert torch.nn.functional.cosine_similarity(one, other, 0) > 0.95


def test_own_correct_responses_are_drawn_by_it(weights: Path, tmp_path: Path) -> None:
    settings = VLLM | {"num_generations": 16}
    training = Training(tmp_path, "SFT", settings, teacher={"kind": "self"}, weights=weights)
    training.train(4)
    losses = [row.loss for row in training.rows(4)]
    assert losses[-1] < losses[0]


def test_each_of_two_processes_has_its_own(weights: Path, tmp_path: Path) -> None:
    settings = VLLM | {"prompts_per_step": 4}
    execution = {"threads": 1, "num_processes": 2}
    more: dict[str, Any] = {"settings": settings, "steps": [2], "weights": weights}
    shared = Training(tmp_path / "shared", "Reinforce++", execution=execution, **more)
    alone = Training(tmp_path / "alone", "Reinforce++", **more)
    shared.train(2)
    alone.train(2)
    assert [row.reward for row in shared.rows(2)] == [row.reward for row in alone.rows(2)]


def test_killed_it_leaves_no_process_and_the_weights_are_those_of_a_straight_run(
    weights: Path, tmp_path: Path
) -> None:
    more: dict[str, Any] = {"settings": VLLM, "steps": [8], "weights": weights}
    more["execution"] = {"threads": 1, "save_steps": 1}
    straight, killed = Training(tmp_path / "one", **more), Training(tmp_path / "two", **more)
    straight.train(8)
    killed.write()
    job = [sys.executable, "-m", "passk", "train", "--task", str(killed.task)]
    job += ["--problems", str(killed.asked), "--step", "8", "-o", str(killed.output(8))]
    with subprocess.Popen(job, stderr=subprocess.DEVNULL) as process:
        while process.poll() is None and max(state_store.states(killed.folder), default=0) < 3:
            time.sleep(0.01)
        process.kill()
    assert process.returncode == -signal.SIGKILL
    assert not killed.output(8).exists()
    wait_until_gone(process.pid)
    subprocess.run(job, check=True, stderr=subprocess.DEVNULL)
    assert same(straight.weights_of(8), killed.weights_of(8))
    assert [row.reward for row in straight.rows(8)] == [row.reward for row in killed.rows(8)]


def test_a_lack_of_room_for_vllm_is_told_with_the_way_out(weights: Path, tmp_path: Path) -> None:
    execution = {"threads": 1, "max_model_len": 20}
    training = Training(tmp_path, settings=VLLM, weights=weights, execution=execution)
    with pytest.raises(EngineError, match="do not fit into max_model_len = 20") as raised:
        training.train(4)
    assert "raise execution.max_model_len" in str(raised.value)
    assert not state_store.states(tmp_path)
