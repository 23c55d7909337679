"""Forward passes of the model over packed spans."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch

from passk.engines.transformers.attention import Chunk, Span


def forward(model: torch.nn.Module, spans: Sequence[Span]) -> torch.Tensor:
    """Run the model over packed spans; return the kept tokens' next-token logits [n, V].

    Prompts with images go through it alone, one by one, since it works out their embeddings and
    positions itself. Keys and values that the spans save are complete when it returns.
    """
    packed = [span for span in spans if span.inputs is None]
    if len(packed) == len(spans):
        return _packed(model, packed)
    parts = {
        id(s): _forward_image(model, s, s.inputs())
        for s in spans
        if isinstance(s, Chunk) and s.inputs
    }
    if packed:
        kept = _packed(model, packed).split([len(span.keep) for span in packed])
        parts.update(zip(map(id, packed), kept, strict=True))
    return torch.cat([parts[id(span)] for span in spans])


def hidden_states(model: torch.nn.Module, spans: Sequence[Span]) -> torch.Tensor:
    """Run the model over spans of text without its last layer; return [n, C] for kept tokens."""
    inputs, keep = _inputs(model, spans)
    states = model.base_model(**inputs).last_hidden_state[0]
    for span in spans:
        span.finish()
    return states if len(keep) == len(states) else states[keep]


def _packed(model: torch.nn.Module, spans: Sequence[Span]) -> torch.Tensor:
    """Run the model once over packed spans of text."""
    inputs, keep = _inputs(model, spans)
    output = model(**inputs, logits_to_keep=keep)
    for span in spans:
        span.finish()
    return output.logits[0]


def _inputs(
    model: torch.nn.Module, spans: Sequence[Span]
) -> tuple[dict[str, object], torch.Tensor]:
    """Return what the model is given for packed spans of text, and where the kept tokens are."""
    tokens: list[int] = []
    positions: list[int] = []
    keep: list[int] = []
    for span in spans:
        keep += [len(tokens) + offset for offset in span.keep]
        positions += span.positions
        tokens += span.tokens
    packed = torch.tensor([tokens, positions, keep + [0] * (len(tokens) - len(keep))])
    packed = packed.to(model.device)
    given = {"input_ids": packed[:1], "position_ids": packed[1:2]}
    return given | {"use_cache": False, "spans": spans}, packed[2, : len(keep)]


def _forward_image(
    model: torch.nn.Module, span: Chunk, inputs: Mapping[str, torch.Tensor]
) -> torch.Tensor:
    """Run the model on one prompt with images; note how far it shifts the positions after it."""
    placed = {k: v.to(model.device) for k, v in inputs.items() if k != "attention_mask"}
    keep = torch.tensor(span.keep, device=model.device)
    output = model(**placed, logits_to_keep=keep, use_cache=False, spans=[span])
    span.finish()
    shift = getattr(getattr(model, "model", model), "rope_deltas", None)
    if span.save is not None and shift is not None:
        span.save.shift = int(shift)
    return output.logits[0]
