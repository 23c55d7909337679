"""Training: it learns, it goes on where it stopped, and it says in one message why it cannot."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("trl")

import torch
from trainings import LARGE, Training, same

from passk.spec.training_methods import METHODS
from passk.training import state_store

RL = [name for name, method in METHODS.items() if method.role == "rl"]
KL = {"beta": 0.02}


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The model that all trainings start from."""
    from tiny_models import save_tiny

    return save_tiny(tmp_path_factory.mktemp("start") / "tiny")


@pytest.mark.parametrize("method", RL)
def test_every_method_learns_and_a_stopped_training_goes_on_as_an_undisturbed_one(
    method: str, weights: Path, tmp_path: Path
) -> None:
    settings = KL | {"prompts_per_step": 4, "num_generations": 8}
    more: dict[str, Any] = {"settings": settings, "weights": weights}
    straight = Training(tmp_path / "straight", method, steps=[4, 20], **more)
    straight.train(20)
    rewards = [row.reward or 0.0 for row in (*straight.rows(4), *straight.rows(20))]
    assert len(rewards) == 20
    assert sum(rewards[-5:]) > 1.5 * sum(rewards[:5])
    short = Training(tmp_path / "short", method, steps=[2], **more)
    short.train(2)
    short.steps = [2, 4]
    short.train(4)
    assert same(short.weights_of(4), straight.weights_of(4))
    assert not same(short.weights_of(2), short.weights_of(4))
    assert [row.step for row in short.rows(4)] == [3, 4]
    assert [row.reward for row in short.rows(4)] == rewards[2:4]


def test_several_passes_are_one_step(weights: Path, tmp_path: Path) -> None:
    settings = {"num_iterations": 3, "epsilon": 0.01, "epsilon_high": 0.01}
    training = Training(tmp_path, steps=[2], settings=settings, weights=weights)
    training.train(2)
    assert [row.step for row in training.rows(2)] == [1, 2]
    assert any((row.clipped or 0.0) > 0 for row in training.rows(2))
    assert state_store.states(tmp_path).keys() == {2}


def test_a_batch_in_parts_learns_the_same(weights: Path, tmp_path: Path) -> None:
    execution = {"threads": 1, "gradient_accumulation_steps": 2, "max_tokens_per_pass": 40}
    whole = Training(tmp_path / "whole", steps=[1], weights=weights)
    parts = Training(tmp_path / "parts", steps=[1], weights=weights, execution=execution)
    whole.train(1)
    parts.train(1)
    (one,), (other,) = whole.rows(1), parts.rows(1)
    assert one.reward == other.reward
    for name, tensor in whole.weights_of(1).items():
        assert torch.allclose(tensor, parts.weights_of(1)[name], atol=2e-3)


@pytest.mark.parametrize("method", RL if LARGE else ["GRPO", "PPO"])
def test_in_bfloat16_it_learns_and_its_checkpoints_are_bfloat16(
    method: str, weights: Path, tmp_path: Path
) -> None:
    settings = KL | {"prompts_per_step": 4, "num_generations": 8}
    more: dict[str, Any] = {"steps": [20], "weights": weights, "dtype": "bfloat16"}
    training = Training(tmp_path, method, settings, **more)
    training.train(20)
    assert {tensor.dtype for tensor in training.weights_of(20).values()} == {torch.bfloat16}
    rewards = [row.reward or 0.0 for row in training.rows(20)]
    assert sum(rewards[-5:]) > 1.5 * sum(rewards[:5])


def test_activations_computed_again_change_no_weight(weights: Path, tmp_path: Path) -> None:
    execution = {"threads": 1, "gradient_checkpointing": True}
    kept = Training(tmp_path / "kept", steps=[2], weights=weights)
    again = Training(tmp_path / "again", steps=[2], weights=weights, execution=execution)
    kept.train(2)
    again.train(2)
    assert same(kept.weights_of(2), again.weights_of(2))


@pytest.mark.parametrize("method", ["GRPO", "RLOO", "PPO"])
def test_the_start_model_is_where_kl_is_measured_from(
    method: str, weights: Path, tmp_path: Path
) -> None:
    settings = KL | {"prompts_per_step": 4, "num_generations": 8}
    training = Training(tmp_path, method, steps=[2], settings=settings, weights=weights)
    training.train(2)
    first, second = (row.kl for row in training.rows(2))
    assert first == pytest.approx(0.0, abs=1e-4)
    assert second is not None
    assert abs(second) > 1e-3
