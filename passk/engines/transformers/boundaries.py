"""Lengths at which a model begins to compute something else: windows, chunks, rotary embeddings.

Packed attention lets every token see all tokens before it, turned by their positions. That is what
a window or chunk computes up to its size, and a stretched rotary embedding up to the length of
pretraining.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from typing import Any
from weakref import WeakKeyDictionary

import torch
from transformers import AttentionMaskInterface

from passk.engines.transformers.attention import NAME, Chunk
from passk.engines.transformers.forward import forward
from passk.engines.transformers.thread_pool import STATEFUL_ROPES

NO_LIMIT = 1 << 30

LONGEST = 1 << 20
"""Positions that masks are evaluated for, where a model has no longest context."""

BOUNDARY = "model's attention window, chunk or first rotary embedding"

MaskFunction = Callable[[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor], torch.Tensor]
"""Whether a query sees a key, from the indices of batch, head, query and key (transformers')."""

_limits: WeakKeyDictionary[torch.nn.Module, int] = WeakKeyDictionary()

_masks: ContextVar[list[MaskFunction] | None] = ContextVar("masks", default=None)


def packed_limit(model: torch.nn.Module) -> int:
    """Return up to how many tokens packed attention is what the model computes.

    Windows and chunks are read off the masks that the model makes in a short forward pass, whatever
    its settings are called and however far away they are. A model whose attention cannot be packed
    at all has made them when it fails.
    """
    if model not in _limits:
        with _recorded_masks() as masks, torch.no_grad(), suppress(Exception):
            forward(model, [Chunk((0, 1), keep=[1])])
        most = context_length(model)
        window = min((_seen_throughout(m, most, model.device) for m in masks), default=NO_LIMIT)
        _limits[model] = min(window, rope_limit(model))
    return _limits[model]


def context_length(model: torch.nn.Module) -> int:
    """Return the tokens that prompt and response may have together."""
    limit = getattr(model.config.get_text_config(), "max_position_embeddings", None)
    return int(limit or NO_LIMIT)


def longest_packed(model: torch.nn.Module) -> tuple[int, str]:
    """Return how long a sequence may be without a fallback, and what limits it."""
    context, packed = context_length(model), packed_limit(model)
    return (context, "the model's context") if context <= packed else (packed, f"the {BOUNDARY}")


def rope_limit(model: torch.nn.Module) -> int:
    """Return the longest sequence whose rotary embedding is that of the first context."""
    config = model.config.get_text_config()
    name = "original_max_position_embeddings"
    limits = [
        rope.get(name) or getattr(config, name, None) or context_length(model)
        for rope in _ropes(getattr(config, "rope_parameters", None))
        if rope.get("rope_type") in STATEFUL_ROPES
    ]
    return min(map(int, limits), default=NO_LIMIT)


def _ropes(parameters: object) -> Iterable[Mapping[str, Any]]:
    """Return the rotary embeddings of a configuration: one, or one per type of layer."""
    if not isinstance(parameters, dict):
        return []
    inner = [part for part in parameters.values() if isinstance(part, dict)]
    return [parameters, *inner]


def _seen_throughout(mask: MaskFunction, most: int, device: torch.device) -> int:
    """Return the length of the longest sequence whose last token sees the first; 0 if unknown."""
    zero = torch.zeros((), dtype=torch.long, device=device)
    queries = torch.arange(min(most, LONGEST), device=device)
    try:
        blind = (~mask(zero, zero, queries, zero)).nonzero()
    except Exception:  # noqa: BLE001 - a mask may be any program
        return 0
    return int(blind[0]) if len(blind) else NO_LIMIT


@contextmanager
def _recorded_masks() -> Iterator[list[MaskFunction]]:
    """Collect the masks that a model makes inside the block."""
    masks: list[MaskFunction] = []
    token = _masks.set(masks)
    try:
        yield masks
    finally:
        _masks.reset(token)


def _no_mask(*, mask_function: MaskFunction, **_: object) -> None:
    """Make no mask, since spans see to it; note what the model's own would be."""
    if (masks := _masks.get()) is not None:
        masks.append(mask_function)


AttentionMaskInterface.register(NAME, _no_mask)
