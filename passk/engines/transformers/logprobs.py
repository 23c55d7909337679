"""Log-probabilities of given tokens, without logits of the whole vocabulary at once.

Shapes: n positions, C the width of the model, V the vocabulary, B a block of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import reduce

import torch

from passk.engines.transformers.attention import Chunk, Span
from passk.engines.transformers.batched_attention import Bundle
from passk.engines.transformers.forward import forward, hidden_states

ENTRIES_AT_ONCE = 1024
"""Entries of the vocabulary whose logits are held at once, so that they stay in the cache."""

ROWS_AT_ONCE = 256
"""Rows of these logits that are widened to float32 at once, for the same reason."""

PROBE_TOKENS = (0, 1, 2, 3)


def plain_head(model: torch.nn.Module) -> torch.nn.Linear | None:
    """Return the output layer where logits are its products with hidden states; else None.

    Models whose logits are scaled, capped or biased are found out by trying.
    """
    head = model.get_output_embeddings()
    if type(head) is not torch.nn.Linear or head.bias is not None or model.base_model is model:
        return None
    logits = forward(model, [_probe()]).float()
    products = head(hidden_states(model, [_probe()])).float()
    return head if torch.allclose(products, logits, rtol=1e-3, atol=1e-3) else None


def _probe() -> Bundle:
    """Return a few tokens as a span, with all their logits kept."""
    return Bundle([Chunk(PROBE_TOKENS, keep=range(len(PROBE_TOKENS)))])


def token_logprobs(
    model: torch.nn.Module,
    head: torch.nn.Linear | None,
    spans: Sequence[Span],
    targets: Sequence[int],
) -> torch.Tensor:
    """Run the model over spans and return log P of each kept token's target [n], in float32.

    `head` is what `plain_head` returns for the model.
    """
    wanted = torch.tensor(targets, device=model.device)
    if head is None:
        logits = forward(model, spans)
        return _picked(logits, wanted) - _log_totals(logits.split(ENTRIES_AT_ONCE, 1))
    states = hidden_states(model, spans)
    picked = (states.float() * head.weight[wanted].float()).sum(1)
    return picked - _log_totals(_products(states, head.weight))


def _picked(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Return the logits [n] of targets [n], in float32."""
    return logits.gather(1, targets.unsqueeze(1))[:, 0].float()


def _products(states: torch.Tensor, weights: torch.Tensor) -> Iterator[torch.Tensor]:
    """Yield logits [n, B] of states [n, C] under weights [V, C], in one buffer for all blocks."""
    buffer = states.new_empty((len(states) * ENTRIES_AT_ONCE,))
    for block in weights.split(ENTRIES_AT_ONCE):
        room = buffer[: len(states) * len(block)].view(len(states), len(block))
        yield torch.mm(states, block.t(), out=room)


def _log_totals(blocks: Iterable[torch.Tensor]) -> torch.Tensor:
    """Return the logarithm of the sum over the vocabulary of exp(logits) [n], in float32."""
    return reduce(torch.logaddexp, map(_log_total, blocks))


def _log_total(logits: torch.Tensor) -> torch.Tensor:
    """Return the log of the sum of exp(logits) of each row [n]."""
    return torch.cat([_log_total_of_rows(rows) for rows in logits.split(ROWS_AT_ONCE)])


def _log_total_of_rows(logits: torch.Tensor) -> torch.Tensor:
    """Do the work of `_log_total`.

    torch's log_softmax takes half the time of its logsumexp, and knows the sum as well.
    """
    wide = logits.float()
    return wide[:, 0] - wide.log_softmax(1)[:, 0]
