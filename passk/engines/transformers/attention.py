"""Attention over a packed batch of spans that share prompts.

The model runs on one row of tokens, `[1, N]`. Each span of it has its own positions, its own
keys and values, and may attend to keys that were computed before and that it shares with other
spans. Attention over several disjoint sets of keys is exact: each part gives its output and the
logarithm of its softmax denominator, and the parts are averaged with these as weights.

Shapes: N packed tokens, R rows, T tokens, P prompt tokens, H query heads, K key heads, D the
width of a head (values may have another one). Query heads are grouped: heads h * H / K ..
(h + 1) * H / K - 1 use key head h.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import torch
from transformers import AttentionInterface

from passk.core.errors import EngineError

NAME = "passk_packed"
"""The name under which the attention function is registered with transformers."""

QUERY_BLOCK = 512
"""Queries whose scores are held at once where there is no fused kernel."""


Inputs = Callable[[], Mapping[str, torch.Tensor]]
"""Makes what a model with images is given for a prompt: as tensors that are large, when needed."""


class Span(Protocol):
    """A stretch of packed tokens.

    Attributes:
        tokens: token ids, length T.
        positions: of the tokens.
        keep: offsets of the tokens whose next-token logits are wanted.
        inputs: the prompt with its images, where it has any: then the model runs on it alone.
    """

    @property
    def tokens(self) -> Sequence[int]: ...  # noqa: D102
    @property
    def positions(self) -> Sequence[int]: ...  # noqa: D102
    @property
    def keep(self) -> Sequence[int]: ...  # noqa: D102
    @property
    def inputs(self) -> Inputs | None: ...  # noqa: D102

    def attend(
        self, layer: int, q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, scale: float
    ) -> torch.Tensor:
        """Return the attention output [1, H, T, D] for q [1, H, T, D], k and v [1, K, T, D]."""
        ...

    def finish(self) -> None:
        """Count what was saved, once the forward pass is over."""
        ...


class Prefix:
    """Keys and values of a sequence of tokens, per layer `[1, K, P, D]`; it can be extended.

    `shift` is what the position of the next token differs by from `length`: tokens of an image
    share positions in some models.
    """

    def __init__(self) -> None:
        """Start empty."""
        self.length = self.shift = 0
        self.layers: list[tuple[torch.Tensor, torch.Tensor]] = []

    def extend(self, layer: int, k: torch.Tensor, v: torch.Tensor) -> None:
        """Append keys and values of a layer."""
        if layer == len(self.layers):
            self.layers.append((k.contiguous(), v.contiguous()))
            return
        old_k, old_v = self.layers[layer]
        self.layers[layer] = (torch.cat([old_k, k], 2), torch.cat([old_v, v], 2))


class Chunk:
    """Consecutive tokens of one sequence: a prompt, a response, or a part of either."""

    def __init__(
        self,
        tokens: Sequence[int],
        contexts: Sequence[Prefix] = (),
        *,
        save: Prefix | None = None,
        keep: Sequence[int] = (),
        inputs: Inputs | None = None,
    ) -> None:
        """Attend to `contexts` (which come before) and causally to itself; extend `save`."""
        self.tokens, self.keep, self.save, self.inputs = tokens, keep, save, inputs
        self.contexts = [context for context in contexts if context.length]
        start = sum(context.length + context.shift for context in self.contexts)
        self.positions = range(start, start + len(tokens))

    def attend(
        self, layer: int, q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, scale: float
    ) -> torch.Tensor:
        """See `Span.attend`."""
        parts = [attention(q, *context.layers[layer], scale) for context in self.contexts]
        parts.append(attention(q, k, v, scale, causal=True))
        if self.save is not None:
            self.save.extend(layer, k, v)
        return merge(parts)

    def finish(self) -> None:
        """Count the saved tokens, once the forward pass is over."""
        if self.save is not None:
            self.save.length += len(self.tokens)


class RowCache:
    """Keys and values of the responses of one problem, which grow in step.

    Row r of the cache is one distinct response so far. All rows have `length` tokens, so that
    nothing is padded. `keys` and `values` are `[layers, rows, K, T, D]` with room to grow.
    """

    def __init__(self) -> None:
        """Start with one row of no tokens, which needs no memory."""
        self.rows, self.length = 1, 0
        self.keys = self.values = torch.empty(0)  # until the first `move`

    def append(
        self, layer: int, k: torch.Tensor, v: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Store this token's k and v [1, K, R, D]; return all of the layer's, [R, K, T, D]."""
        rows, at = self.rows, self.length
        keys, values = self.keys[layer], self.values[layer]
        keys[:rows, :, at], values[:rows, :, at] = k[0].transpose(0, 1), v[0].transpose(0, 1)
        return keys[:rows, :, : at + 1], values[:rows, :, : at + 1]

    def move(self, source: Sequence[int], target: Sequence[int], rows: int, like: Prefix) -> None:
        """Copy rows `source` to rows `target` (disjoint), and have `rows` rows from now on."""
        self.keys = self._grown(self.keys, rows, [k for k, _ in like.layers])
        self.values = self._grown(self.values, rows, [v for _, v in like.layers])
        self.rows = rows
        if self.length and source:
            for cache in (self.keys, self.values):
                cache[:, target, :, : self.length] = cache[:, source, :, : self.length]

    def _grown(self, cache: torch.Tensor, rows: int, like: Sequence[torch.Tensor]) -> torch.Tensor:
        """Return `cache` or a larger copy that has room for `rows` and one more token."""
        if cache.dim() > 1 and rows <= cache.shape[1] and self.length < cache.shape[3]:
            return cache
        room = max(4, _power_of_two(max(rows, self.rows)))
        tokens = max(16, _power_of_two(self.length + 1))
        _, heads, _, width = like[0].shape
        larger = like[0].new_empty((len(like), room, heads, tokens, width))
        if cache.dim() > 1:
            larger[:, : self.rows, :, : self.length] = cache[:, : self.rows, :, : self.length]
        return larger


def _power_of_two(count: int) -> int:
    """Return the least power of two that is at least `count`."""
    return 1 << (count - 1).bit_length()


class Rows:
    """The newest token of each row of a `RowCache`, after the prompt that all rows share."""

    inputs = None

    def __init__(self, tokens: Sequence[int], prompt: Prefix, cache: RowCache) -> None:
        """Take one token per row."""
        self.tokens, self.prompt, self.cache = tokens, prompt, cache
        self.positions = [prompt.length + prompt.shift + cache.length] * len(tokens)
        self.keep = range(len(tokens))

    def attend(
        self, layer: int, q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, scale: float
    ) -> torch.Tensor:
        """See `Span.attend`.

        The prompt is attended to by all rows at once, as if they were queries of one sequence;
        its own tokens by each row alone, with the heads of a group in the place of queries.
        """
        rows, heads, width = q.shape[2], k.shape[1], q.shape[3]
        shape = (*q.shape[:3], v.shape[3])
        grouped = q.reshape(1, heads, -1, width)
        shared, shared_mass = attention(grouped, *self.prompt.layers[layer], scale)
        by_row = q.reshape(heads, -1, rows, width).permute(2, 0, 1, 3)
        own, own_mass = attention(by_row, *self.cache.append(layer, k, v), scale)
        parts = [
            (shared.reshape(shape), shared_mass.reshape(shape[:3])),
            (
                own.permute(1, 2, 0, 3).reshape(shape),
                own_mass.permute(1, 2, 0).reshape(shape[:3]),
            ),
        ]
        return merge(parts)

    def finish(self) -> None:
        """Count the token, once the forward pass is over."""
        self.cache.length += 1


def merge(parts: Sequence[tuple[torch.Tensor, torch.Tensor]]) -> torch.Tensor:
    """Return the attention over all parts' keys from (output, log denominator) of each part."""
    output, mass = parts[0]
    for other, other_mass in parts[1:]:
        share = torch.sigmoid(other_mass - mass).unsqueeze(-1).to(output.dtype)
        output, mass = torch.lerp(output, other, share), torch.logaddexp(mass, other_mass)
    return output


def attention(
    q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, scale: float, *, causal: bool = False
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return softmax(q k' scale) v and the logarithm of the softmax's denominator.

    Args:
        q: queries [B, H, T, D].
        k: keys [B, K, S, D] with H a multiple of K.
        v: values [B, K, S, D].
        scale: factor on the scores.
        causal: query t sees keys 0..t alone (T = S).

    Returns:
        The output [B, H, T, D] and the log denominators [B, H, T] in float32.
    """
    if q.device.type == "cpu" and k.shape[3] == v.shape[3]:
        fused = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu  # noqa: SLF001
        output, mass = fused(q, k, v, 0.0, causal, scale=scale)
        return output, mass
    return plain_attention(q, k, v, scale, causal=causal)


def plain_attention(
    q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, scale: float, *, causal: bool = False
) -> tuple[torch.Tensor, torch.Tensor]:
    """Do the work of `attention` in plain tensor operations, for any device."""
    repeat = q.shape[1] // k.shape[1]
    k, v = k.repeat_interleave(repeat, 1), v.repeat_interleave(repeat, 1)
    outputs, masses = [], []
    for start in range(0, q.shape[2], QUERY_BLOCK):
        block = q[:, :, start : start + QUERY_BLOCK]
        scores = (block @ k.transpose(2, 3)).float() * scale
        if causal:
            seen = torch.ones(scores.shape[2:], dtype=torch.bool, device=q.device).tril(start)
            scores = scores.masked_fill(~seen, float("-inf"))
        outputs.append(scores.softmax(-1).to(v.dtype) @ v)
        masses.append(scores.logsumexp(-1))
    return torch.cat(outputs, 2), torch.cat(masses, 2)


def packed_attention(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    scaling: float,
    spans: Sequence[Span],
    softcap: float | None = None,
    s_aux: torch.Tensor | None = None,
    **_: object,
) -> tuple[torch.Tensor, None]:
    """Attend span by span; the form is that of transformers' attention functions.

    Raises:
        EngineError: the model's attention is not a plain softmax over all tokens before.
    """
    if attention_mask is not None:  # transformers makes none for this function (`boundaries`)
        raise EngineError("this model makes a mask of its own")
    if softcap is not None or s_aux is not None:
        raise EngineError("this model's attention has soft caps or sinks")
    # Under autocast the rotation of queries and keys is in float32, and values are not.
    query, key = query.to(value.dtype), key.to(value.dtype)
    outputs, start = [], 0
    for span in spans:
        piece = slice(start, start + len(span.tokens))
        q, k, v = query[:, :, piece], key[:, :, piece], value[:, :, piece]
        outputs.append(span.attend(module.layer_idx, q, k, v, scaling))
        start = piece.stop
    return torch.cat(outputs, 2).transpose(1, 2).contiguous(), None


AttentionInterface.register(NAME, packed_attention)
