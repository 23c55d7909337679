"""Training: it learns, it goes on where it stopped, and it says in one message why it cannot."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("trl")

import torch
from trainings import Training

from passk.train.packing import trees


def same(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Whether two checkpoints hold the same bits."""
    return one.keys() == other.keys() and all(torch.equal(one[k], other[k]) for k in one)


def test_grpo_learns_what_is_rewarded(tmp_path: Path) -> None:
    training = Training(tmp_path / "t", steps=[24], settings={"prompts": 4, "group": 8})
    training.train(24)
    rewards = [row.reward or 0.0 for row in training.rows(24)]
    assert len(rewards) == 24
    assert sum(rewards[-5:]) > 2 * sum(rewards[:5])


def test_a_longer_training_has_the_checkpoints_of_a_shorter_one(tmp_path: Path) -> None:
    short = Training(tmp_path / "short", steps=[2, 4])
    straight = Training(tmp_path / "straight", steps=[4])
    short.train(2)
    short.train(4)
    straight.train(4)
    assert same(short.weights_of(4), straight.weights_of(4))
    assert not same(short.weights_of(2), short.weights_of(4))
    assert [row.step for row in short.rows(4)] == [3, 4]
    assert [row.reward for row in straight.rows(4)[2:]] == [row.reward for row in short.rows(4)]


def test_a_tree_holds_what_sequences_share_once() -> None:
    pairs = [([1, 2, 3], [7, 8]), ([1, 2, 3], [7, 9]), ([1, 2, 4], [7, 8])]
    (tree,) = trees(pairs)
    assert tree.tokens == [1, 2, 3, 7, 4, 7]
    assert tree.positions == [0, 1, 2, 3, 2, 3]
    assert [tree.keep[i] for i in tree.predictors] == [2, 3, 2, 3, 4, 5]
    assert tree.targets == [7, 8, 7, 9, 7, 8]
