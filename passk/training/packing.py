"""Log-probabilities of many responses in one pass, whatever they share computed once.

The sequences of a batch (a prompt and one of its responses each) form a tree: a token is in it
once for all the sequences that agree up to it. Few-shot examples that all prompts begin with, a
prompt that eight responses follow, equal responses and equal beginnings of responses are computed
once, forward and backward. The model sees the tree's N tokens as one row; each attends to its
ancestors (tree attention, Miao et al. 2023, SpecInfer, section 4.2).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch.nn.functional import scaled_dot_product_attention

from passk.core.errors import EngineError
from passk.engines.transformers.boundaries import BOUNDARY, packed_limit

TOKENS_AT_ONCE = 4096
"""Tokens of one forward pass, unless a single sequence is longer."""

Sequences = Sequence[tuple[Sequence[int], Sequence[int]]]
"""Prompts and responses, as token ids."""


@dataclass(slots=True)
class Tree:
    """Sequences that share what they agree on.

    Attributes:
        tokens, parents: of each of the N nodes; a parent comes before its children, a root has -1.
        positions: of each node, its place in its sequences.
        keep: nodes that predict a response's token, each once.
        predictors: for each response token of all sequences in order, its place in `keep`.
        targets: for each response token, its id.
    """

    tokens: list[int] = field(default_factory=list)
    parents: list[int] = field(default_factory=list)
    positions: list[int] = field(default_factory=list)
    keep: list[int] = field(default_factory=list)
    predictors: list[int] = field(default_factory=list)
    targets: list[int] = field(default_factory=list)
    _children: dict[tuple[int, int], int] = field(default_factory=dict)
    _kept: dict[int, int] = field(default_factory=dict)

    def add(self, prompt: Sequence[int], response: Sequence[int]) -> None:
        """Add a sequence; the last token of its response predicts nothing and is left out."""
        node = -1
        for token in prompt:
            node = self._child(node, token)
        for at, token in enumerate(response):
            self.predictors.append(self._predictor(node))
            self.targets.append(token)
            if at + 1 < len(response):
                node = self._child(node, token)

    def added_nodes(self, prompt: Sequence[int], response: Sequence[int]) -> int:
        """Return how many nodes a sequence would add."""
        node, length = -1, 0
        whole = [*prompt, *response[:-1]]
        for token in whole:
            child = self._children.get((node, token))
            if child is None:
                break
            node, length = child, length + 1
        return len(whole) - length

    def attention_mask(self) -> torch.Tensor | None:
        """Return which nodes each node attends to, [N, N]; None where each sees all before it."""
        count = len(self.tokens)
        if all(parent == at - 1 for at, parent in enumerate(self.parents)):
            return None
        mask = np.zeros((count, count), dtype=bool)
        for at, parent in enumerate(self.parents):
            if parent >= 0:
                mask[at] = mask[parent]
            mask[at, at] = True
        return torch.from_numpy(mask)

    def _child(self, node: int, token: int) -> int:
        """Return the node of a token after another, made where there is none."""
        key = (node, token)
        if key not in self._children:
            self._children[key] = len(self.tokens)
            self.tokens.append(token)
            self.parents.append(node)
            self.positions.append(self.positions[node] + 1 if node >= 0 else 0)
        return self._children[key]

    def _predictor(self, node: int) -> int:
        """Return the place in `keep` of a node."""
        if node not in self._kept:
            self._kept[node] = len(self.keep)
            self.keep.append(node)
        return self._kept[node]


def trees(split_rows: Sequences, room: int = TOKENS_AT_ONCE) -> Iterator[Tree]:
    """Yield sequences in their order as trees of at most `room` nodes, or of one sequence."""
    tree = Tree()
    for prompt, response in split_rows:
        if not response:
            continue
        if tree.tokens and len(tree.tokens) + tree.added_nodes(prompt, response) > room:
            yield tree
            tree = Tree()
        tree.add(prompt, response)
    if tree.targets:
        yield tree


class TreeSpan:
    """The tree's tokens as the model's packed attention takes them (`attention.Span`)."""

    start, stride, inputs = 0, 1, None

    def __init__(self, tree: Tree, device: torch.device) -> None:
        """Keep the mask, which all layers share."""
        self.tokens, self.keep = tree.tokens, tree.keep
        mask = tree.attention_mask()
        self.mask = None if mask is None else mask.to(device)[None, None]

    def attend(
        self,
        layer: int,  # noqa: ARG002 - the protocol's
        q: torch.Tensor,
        k: torch.Tensor,
        v: torch.Tensor,
        scale: float,
    ) -> torch.Tensor:
        """Attend from every node to its ancestors: [1, H, N, D] for q [1, H, N, D]."""
        shared = q.shape[1] // k.shape[1]
        k, v = k.repeat_interleave(shared, 1), v.repeat_interleave(shared, 1)
        causal = self.mask is None
        return scaled_dot_product_attention(
            q, k, v, attn_mask=self.mask, is_causal=causal, scale=scale
        )


def tree_logits(model: torch.nn.Module, tree: Tree) -> torch.Tensor:
    """Return the logits after each node of `keep`, [K, V], with gradients if enabled.

    Raises:
        EngineError: a sequence is longer than the model's window, which the tree does not have.
    """
    longest, limit = max(tree.positions) + 1, packed_limit(getattr(model, "module", model))
    if longest > limit:
        raise EngineError(
            f"a sequence of {longest} tokens is beyond the {BOUNDARY} of {limit}",
            fix="lower max_tokens or shorten the prompts: a training cannot compute longer ones",
        )
    device = next(model.parameters()).device
    packed = torch.tensor([tree.tokens, tree.positions], device=device)
    output = model(
        input_ids=packed[:1],
        position_ids=packed[1:],
        logits_to_keep=torch.tensor(tree.keep, device=device),
        use_cache=False,
        spans=[TreeSpan(tree, device)],
    )
    return output.logits[0]


def tree_logprobs(model: torch.nn.Module, tree: Tree, temperature: float) -> torch.Tensor:
    """Return log P in nats of each response token in turn, [M], at a temperature, in float32."""
    logits = tree_logits(model, tree).float() / temperature
    known = logits.log_softmax(-1)
    predictors = torch.tensor(tree.predictors, device=logits.device)
    return known[predictors, torch.tensor(tree.targets, device=logits.device)]
