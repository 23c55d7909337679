"""Attention of responses that are scored: few large products instead of many small ones.

Short responses to one prompt are bundled: their tokens are queries of one product with the keys of
prompt and bundle, and a mask lets each token see what comes before it in its own response. Long
ones are taken in blocks of queries, so that what no query of a block may see is not computed and
the scores stay in the processor's cache.

On a CPU the fused kernel that drawing uses (`attention.attention`) takes three times as long in
bfloat16: its products are of blocks too small for the machine.

Shapes as in `attention`: n packed tokens, H query heads, K key heads, D the width of a head.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import accumulate, pairwise
from typing import Any

import torch

from passk.engines.transformers.attention import Chunk, Span

BUNDLE_TOKENS = 128
"""Tokens of the responses that are attended to together; more would mostly be masked."""

QUERIES_AT_ONCE = 128
"""Queries of a block, where the keys are few."""

SCORES_AT_ONCE = 1 << 21
"""Scores of a block over all heads, where the keys are many."""


class Bundle:
    """Chunks that follow the same keys, as one span of packed tokens (`attention.Span`)."""

    inputs = None

    def __init__(self, chunks: Sequence[Chunk]) -> None:
        """Take chunks of equal `contexts`."""
        self.chunks = chunks
        self.contexts = chunks[0].contexts
        self.tokens = [token for chunk in chunks for token in chunk.tokens]
        self.positions = [at for chunk in chunks for at in chunk.positions]
        ends = list(accumulate((len(chunk.tokens) for chunk in chunks), initial=0))
        self.pieces = [slice(*piece) for piece in pairwise(ends)]
        self.keep = [
            piece.start + offset
            for piece, chunk in zip(self.pieces, chunks, strict=True)
            for offset in chunk.keep
        ]
        self._mask: Any = None

    def attend(self, layer: int, q: Any, k: Any, v: Any, scale: float) -> Any:
        """See `Span.attend`."""
        keys, values = (
            torch.cat([*(context.layers[layer][i] for context in self.contexts), own], 2)[0]
            for i, own in enumerate((k, v))
        )
        for chunk, piece in zip(self.chunks, self.pieces, strict=True):
            if chunk.save is not None:
                chunk.save.extend(layer, k[:, :, piece], v[:, :, piece])
        blocks = self._blocks(q.shape[1], keys.shape[1])
        return torch.cat([self._block(q, keys, values, block, scale) for block in blocks], 2)

    def finish(self) -> None:
        """Count the saved tokens, once the forward pass is over."""
        for chunk in self.chunks:
            chunk.finish()

    def _blocks(self, heads: int, keys: int) -> Iterator[slice]:
        """Yield the queries that are taken at once."""
        size = max(16, min(QUERIES_AT_ONCE, SCORES_AT_ONCE // (heads * keys)))
        for start in range(0, len(self.tokens), size):
            yield slice(start, min(start + size, len(self.tokens)))

    def _block(self, q: Any, keys: Any, values: Any, block: slice, scale: float) -> Any:
        """Return the attention [1, H, n, D] of a block of queries over keys [K, S, D]."""
        queries = q[0, :, block] * scale
        heads, count, width = queries.shape
        seen = keys.shape[1] - len(self.tokens) + block.stop
        groups = queries.reshape(keys.shape[0], -1, width)
        scores = groups @ keys[:, :seen].transpose(1, 2)
        mask = self._masked(q, block)
        scores.view(heads, count, seen)[:, :, -mask.shape[1] :] += mask
        return (scores.softmax(-1) @ values[:, :seen]).view(1, heads, count, -1)

    def _masked(self, like: Any, block: slice) -> Any:
        """Return [n, m]: 0 where a query of a block sees one of the last m keys, else -infinity.

        Of one chunk the keys of the block alone can be later than a query.
        """
        alone = len(self.chunks) == 1
        if self._mask is None:
            size = min(len(self.tokens), QUERIES_AT_ONCE) if alone else len(self.tokens)
            self._mask = like.new_full((size, size), float("-inf"))
            for piece in self.pieces:
                self._mask[piece, piece].triu_(1)
        count = block.stop - block.start
        return self._mask[:count, :count] if alone else self._mask[block, : block.stop]


def bundled(chunks: Sequence[Chunk]) -> list[Span]:
    """Return the chunks as spans, in order; short neighbours that follow the same keys are one.

    A prompt with images stays a chunk, with the attention that its model was checked with.
    """
    bundles: list[list[Chunk]] = []
    size = 0
    for chunk in chunks:
        size += len(chunk.tokens)
        if bundles and size <= BUNDLE_TOKENS and _joins(chunk, bundles[-1][0]):
            bundles[-1].append(chunk)
        else:
            bundles.append([chunk])
            size = len(chunk.tokens)
    return [bundle[0] if bundle[0].inputs else Bundle(bundle) for bundle in bundles]


def _joins(chunk: Chunk, other: Chunk) -> bool:
    """Say whether two chunks can be in one bundle."""
    return chunk.contexts == other.contexts and not chunk.inputs and not other.inputs
