"""Tokens drawn from logits, each with a random number of the response that it belongs to.

The next token is the inverse of the cumulative distribution at a uniform number in [0, 1). The
uniforms of a response come from a counter-based generator keyed by its seed (Philox, Salmon et
al. 2011), so that they do not depend on what else is drawn.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from passk.engines.base import Sampling

BLOCK = 256
"""Tokens per block of the two-level cumulative sum."""

CANDIDATES = 256
"""Likeliest tokens that top_p looks at first; rows that need more are sorted in full."""

ROWS_AT_ONCE = 16
"""Rows of logits that are worked on at once, so that they stay in the processor's cache."""

BELOW_ONE = 1.0 - 2.0**-52


def uniforms(seed: int) -> np.random.Generator:
    """Return the stream of random numbers of the response with this seed."""
    return np.random.Generator(np.random.Philox(key=seed % 2**64))


@dataclass(frozen=True, slots=True)
class Draws:
    """What was drawn from some rows of logits.

    Attributes:
        tokens: per row, the token of each of its responses.
        logprobs: per row and response, log P(token) in nats at temperature 1 without a filter.
        entropies: per row, the entropy in nats of softmax(logits / temperature); 0 for greedy.
    """

    tokens: list[list[int]]
    logprobs: list[list[float]]
    entropies: list[float]


def draw(logits: torch.Tensor, numbers: Sequence[Sequence[float]], sampling: Sampling) -> Draws:
    """Draw one token for each of `numbers[row]` from each row of logits.

    Filters act in this order: temperature, top_k, top_p, min_p, each on what the one before has
    left, renormalised. top_p keeps the likeliest tokens until their mass reaches it, with the one
    that crosses it. All is computed in float32, and sums over the vocabulary in float64.

    Args:
        logits: [R, V], of any floating dtype.
        numbers: per row, one uniform number in [0, 1) for each response that shares the row.
        sampling: temperature and filters.
    """
    drawn = Draws([], [], [])
    for start in range(0, len(numbers), ROWS_AT_ONCE):
        part = numbers[start : start + ROWS_AT_ONCE]
        _draw_block(logits[start : start + ROWS_AT_ONCE].float(), part, sampling, drawn)
    return drawn


def _draw_block(
    logits: torch.Tensor, numbers: Sequence[Sequence[float]], sampling: Sampling, drawn: Draws
) -> None:
    """Draw from a few rows of float32 logits and append to `drawn`."""
    counts = torch.tensor([len(row) for row in numbers])
    row = torch.repeat_interleave(torch.arange(len(numbers)), counts).to(logits.device)
    if sampling.temperature == 0:
        tokens, entropies = logits.argmax(-1)[row], [0.0] * len(numbers)
    else:
        uniform = torch.tensor([u for row in numbers for u in row], dtype=torch.float64)
        cooled = (logits / sampling.temperature).log_softmax(-1)
        weights = cooled.exp()
        entropies = (-torch.linalg.vecdot(weights, cooled)).tolist()
        kept, index = _filtered(weights, sampling)
        position = _inverse_cdf(kept, row, uniform.to(logits.device))
        tokens = position if index is None else index[row, position]
    known = cooled if sampling.temperature == 1 else logits.log_softmax(-1)
    logprobs = known[row, tokens]
    sizes = counts.tolist()
    drawn.tokens.extend(part.tolist() for part in tokens.split(sizes))
    drawn.logprobs.extend(part.tolist() for part in logprobs.split(sizes))
    drawn.entropies.extend(entropies)


def _filtered(
    weights: torch.Tensor, sampling: Sampling
) -> tuple[torch.Tensor, torch.Tensor | None]:
    """Return weights [R, C] with what is filtered out at zero, and their token ids [R, C].

    The ids are None where the columns are the vocabulary itself. `weights` [R, V] are the
    probabilities, and are changed in place.
    """
    index = None
    if 0 < sampling.top_k < weights.shape[1] or sampling.top_p < 1:
        weights, index = _likeliest(weights, sampling)
    if sampling.min_p > 0:
        least = sampling.min_p * weights.amax(-1, keepdim=True)
        weights.masked_fill_(weights < least, 0.0)
    return weights, index


def _likeliest(weights: torch.Tensor, sampling: Sampling) -> tuple[torch.Tensor, torch.Tensor]:
    """Return what top_k and top_p keep, likeliest first, with token ids."""
    vocabulary = weights.shape[1]
    count = min(sampling.top_k or CANDIDATES, vocabulary)
    kept, index = _ordered(*weights.topk(count))
    if sampling.top_p == 1:
        return kept, index
    total = (kept if sampling.top_k else weights).sum(-1, dtype=torch.float64)
    wanted = (sampling.top_p * total).unsqueeze(-1)
    mass = kept.cumsum(-1, dtype=torch.float64)
    if not sampling.top_k and count < vocabulary and bool((mass[:, -1:] < wanted).any()):
        kept, index = weights.sort(dim=-1, descending=True, stable=True)
        mass = kept.cumsum(-1, dtype=torch.float64)
    return kept.masked_fill(mass - kept >= wanted, 0.0), index


def _ordered(weights: torch.Tensor, index: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return weights, likeliest first and equal ones by token id, so that ties fall one way."""
    index, order = index.sort(-1)
    weights, order = weights.gather(1, order).sort(dim=-1, descending=True, stable=True)
    return weights, index.gather(1, order)


def _inverse_cdf(weights: torch.Tensor, row: torch.Tensor, uniform: torch.Tensor) -> torch.Tensor:
    """Return the columns [M] at which the cumulative weights of rows `row` [M] pass `uniform` [M].

    First the block is found, then the column in it: one pass over the weights [R, C].
    """
    short = -weights.shape[1] % BLOCK
    padded = torch.nn.functional.pad(weights, (0, short)) if short else weights
    blocks = padded.view(weights.shape[0], -1, BLOCK)
    coarse = blocks.sum(-1).double().cumsum(-1)[row]
    target = (uniform * coarse[:, -1]).clamp(max=coarse[:, -1] * BELOW_ONE).unsqueeze(1)
    block = torch.searchsorted(coarse, target, right=True)
    before = torch.where(block > 0, coarse.gather(1, (block - 1).clamp(min=0)), 0.0)
    fine = blocks[row, block[:, 0]].double().cumsum(-1)
    rest = torch.minimum(target - before, fine[:, -1:] * BELOW_ONE)
    return (block * BLOCK + torch.searchsorted(fine, rest, right=True))[:, 0]
