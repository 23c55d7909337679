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

from passk.engines.base import Engine, ModelSource, Prompt, Request, Sampling
from passk.engines.transformers import TransformersEngine
from passk.engines.vllm import VllmEngine
from passk.training import state_store

VLLM = {"engine": "vllm"}

pytestmark = [pytest.mark.vllm, pytest.mark.filterwarnings("ignore")]  # vLLM's own


@pytest.fixture(autouse=True)
def without_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have vLLM compile nothing: tiny models start in seconds. test_engine_vllm.py compiles."""
    monkeypatch.setenv("CXX", "/no/such/compiler")
    monkeypatch.setenv("TORCHDYNAMO_DISABLE", "1")


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
    found = VllmEngine.load(ModelSource(str(weights), dtype="float32"))
    before = answers(found)
    found.reload(other)
    assert answers(found) != before
    plain = answers(TransformersEngine.load(ModelSource(str(other), dtype="float32")))
    assert [text for text, _ in plain] == [text for text, _ in answers(found)]
    assert [p for _, p in plain] == pytest.approx([p for _, p in answers(found)], abs=1e-2)
    found.reload(weights)
    assert answers(found) == before
    found.stop()


def test_where_no_draw_is_left_to_chance_the_weights_are_those_of_the_other_engine(
    tmp_path: Path,
) -> None:
    """One token is kept at each place: a draw from weights of another step would show.

    Two processes train with vLLM, each with one of its own; one trains without.
    """
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
    more["execution"] = {"threads": 1, "num_processes": 2}
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
    settings = VLLM | {"num_generations": 64, "max_tokens": 16}
    more: dict[str, Any] = {"teacher": {"kind": "self"}, "steps": [12], "weights": weights}
    training = Training(tmp_path, "SFT", settings, **more)
    training.train(12)
    losses = [row.loss for row in training.rows(12)]
    assert sum(losses[-4:]) < sum(losses[:4])  # each step has other texts


def test_it_learns_what_is_rewarded_and_killed_goes_on_as_a_straight_run(
    weights: Path, tmp_path: Path
) -> None:
    settings = VLLM | {"prompts_per_step": 4, "num_generations": 8}
    more: dict[str, Any] = {"settings": settings, "steps": [4, 20], "weights": weights}
    more["execution"] = {"threads": 1, "save_steps": 1}
    straight, killed = Training(tmp_path / "one", **more), Training(tmp_path / "two", **more)
    straight.train(20)
    rows = [*straight.rows(4), *straight.rows(20)]
    rewards = [row.reward or 0.0 for row in rows]
    assert len(rewards) == 20
    assert sum(rewards[-5:]) > 1.5 * sum(rewards[:5])
    assert [row.entropy for row in rows] == [None] * 20
    killed.write()
    job = [sys.executable, "-m", "passk", "train", "--task", str(killed.task)]
    job += ["--problems", str(killed.asked), "--step", "4", "-o", str(killed.output(4))]
    with subprocess.Popen(job, stderr=subprocess.DEVNULL) as process:
        while process.poll() is None and max(state_store.states(killed.folder), default=0) < 2:
            time.sleep(0.01)
        process.kill()
    assert process.returncode == -signal.SIGKILL
    assert not killed.output(4).exists()
    wait_until_gone(process.pid)
    subprocess.run(job, check=True, stderr=subprocess.DEVNULL)
    assert same(straight.weights_of(4), killed.weights_of(4))
    assert [row.reward for row in straight.rows(4)] == [row.reward for row in killed.rows(4)]
