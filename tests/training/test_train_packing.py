"""Log-probabilities of sequences that share what they agree on equal those of each alone."""

from __future__ import annotations

import pytest

pytest.importorskip("passk.engines.transformers")

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_models import WIDE, tiny_model

from passk.engines.transformers.attention import NAME
from passk.training.packing import tree_logprobs, trees

TOKENS = st.lists(st.integers(2, 5), min_size=1, max_size=6)


@pytest.fixture(scope="module")
def model() -> torch.nn.Module:
    return tiny_model(**WIDE).requires_grad_(requires_grad=True)


def plain(model: torch.nn.Module, prompt: list[int], response: list[int]) -> torch.Tensor:
    """Log P of a response's tokens with transformers' own attention."""
    model.set_attn_implementation("eager")
    known = model(input_ids=torch.tensor([prompt + response])).logits[0].log_softmax(-1)
    model.set_attn_implementation(NAME)
    at = torch.arange(len(prompt) - 1, len(prompt) + len(response) - 1)
    return known[at, torch.tensor(response)]


def gradient(model: torch.nn.Module, value: torch.Tensor) -> torch.Tensor:
    """All gradients in one row."""
    found = torch.autograd.grad(value, list(model.parameters()))
    return torch.cat([part.flatten() for part in found])


@settings(max_examples=20, deadline=None)
@given(
    pairs=st.lists(st.tuples(TOKENS, TOKENS), min_size=1, max_size=6),
    room=st.sampled_from([1, 8, 99]),
)
def test_a_tree_gives_the_values_and_gradients_of_each_sequence_alone(
    model: torch.nn.Module, pairs: list[tuple[list[int], list[int]]], room: int
) -> None:
    model.set_attn_implementation(NAME)
    shared = torch.cat([tree_logprobs(model, tree, 1.0) for tree in trees(pairs, room)])
    alone = torch.cat([plain(model, *pair) for pair in pairs])
    assert torch.allclose(shared, alone, atol=1e-4)
    weight = torch.linspace(-1, 1, len(alone))
    ours, theirs = gradient(model, shared @ weight), gradient(model, alone @ weight)
    assert torch.allclose(ours, theirs, atol=1e-3, rtol=1e-3)


def test_a_tree_holds_what_sequences_share_once() -> None:
    pairs = [([1, 2, 3], [7, 8]), ([1, 2, 3], [7, 9]), ([1, 2, 4], [7, 8]), ([5], [])]
    (tree,) = trees(pairs)
    assert tree.tokens == [1, 2, 3, 7, 4, 7]
    assert tree.positions == [0, 1, 2, 3, 2, 3]
    assert [tree.keep[i] for i in tree.predictors] == [2, 3, 2, 3, 4, 5]
    assert tree.targets == [7, 8, 7, 9, 7, 8]
