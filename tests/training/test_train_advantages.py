"""Advantages and losses against cases worked out by hand."""

from __future__ import annotations

import pytest

pytest.importorskip("torch")

import torch
from hypothesis import given
from hypothesis import strategies as st

from passk.training import advantages

MASK = torch.tensor([[1.0, 1.0, 1.0], [1.0, 1.0, 0.0]])


def close(found: torch.Tensor, wanted: list[list[float]] | list[float]) -> bool:
    return torch.allclose(found, torch.tensor(wanted), atol=1e-5)


def test_a_response_is_rewarded_on_its_last_token_less_the_penalty() -> None:
    kl = torch.tensor([[0.1, 0.2, 0.3], [0.4, 0.5, 9.0]])
    found = advantages.token_rewards(torch.tensor([1.0, 2.0]), MASK, kl, 0.5)
    assert close(found, [[-0.05, -0.1, 0.85], [-0.2, 1.75, 0.0]])


def test_returns_are_sums_of_what_follows() -> None:
    rewards = torch.tensor([[1.0, 2.0, 4.0], [3.0, 5.0, 0.0]])
    assert close(advantages.returns(rewards, MASK), [[7.0, 6.0, 4.0], [8.0, 5.0, 0.0]])
    assert close(advantages.returns(rewards, MASK, 0.5), [[3.0, 4.0, 4.0], [5.5, 5.0, 0.0]])


def test_whitening_is_over_all_tokens_of_the_batch() -> None:
    values = torch.tensor([[1.0, 1.0, 1.0], [6.0, 6.0, 99.0]])
    # mean 3, variance (3 * 4 + 2 * 9) / 5 = 6
    root = 6.0**0.5
    low, high = -2 / root, 3 / root
    assert close(advantages.whiten(values, MASK), [[low, low, low], [high, high, 0.0]])


def test_equal_rewards_have_no_advantage_after_whitening() -> None:
    assert close(advantages.whiten(torch.ones(2, 3), MASK), [[0.0] * 3] * 2)


def test_remax_subtracts_the_greedy_response() -> None:
    sums = torch.tensor([[1.0, 1.0, 1.0], [0.0, 0.0, 0.0]])
    found = advantages.subtract_greedy(sums, torch.tensor([1.0, 1.0]), MASK)
    assert close(found, [[0.0, 0.0, 0.0], [-1.0, -1.0, 0.0]])


def test_gae_by_hand() -> None:
    rewards = torch.tensor([[0.0, 0.0, 1.0], [0.0, 1.0, 0.0]])
    values = torch.tensor([[0.5, 0.25, 0.75], [0.5, 0.25, 7.0]])
    # row 1: d = (0.9 * .25 - .5, 0.9 * .75 - .25, 1 - .75) = (-.275, .425, .25), factor .9 * .8
    third = 0.25
    second = 0.425 + 0.72 * third
    first = -0.275 + 0.72 * second
    # row 2: d = (.9 * .25 - .5, 1 - .25)
    fifth = 0.75
    fourth = -0.275 + 0.72 * fifth
    found = advantages.gae(rewards, values, MASK, 0.9, 0.8)
    assert close(found, [[first, second, third], [fourth, fifth, 0.0]])


@given(st.lists(st.floats(-2, 2), min_size=3, max_size=3))
def test_gae_with_lambda_1_is_the_return_less_the_value(values: list[float]) -> None:
    rewards = torch.tensor([[0.5, -1.0, 2.0]])
    mask, known = torch.ones(1, 3), torch.tensor([values])
    found = advantages.gae(rewards, known, mask, 0.9, 1.0)
    assert torch.allclose(found, advantages.returns(rewards, mask, 0.9) - known, atol=1e-4)


def test_the_value_loss_takes_the_worse_of_the_clipped_and_the_free_error() -> None:
    values = torch.tensor([[1.0, 0.1, 0.0], [0.5, 0.0, 0.0]])
    old, targets = torch.zeros(2, 3), torch.tensor([[1.0, 0.0, 1.0], [0.0, 0.0, 9.0]])
    # 1.0 is clipped to 0.2: (0.2 - 1)^2 = .64 > 0; .1: .01; 0: 1; .5: max(.25, .04); 0
    found = advantages.value_loss(values, old, targets, MASK, 0.2)
    assert found.item() == pytest.approx(0.5 * (0.64 + 0.01 + 1.0 + 0.25) / 5)


def test_the_penalty_on_length_falls_in_a_straight_line() -> None:
    lengths = torch.tensor([0, 6, 8, 9, 10])
    assert close(advantages.overlong_penalty(lengths, 10, 4), [0.0, 0.0, -0.5, -0.75, -1.0])
    assert close(advantages.overlong_penalty(lengths, 10, 0), [0.0] * 5)
