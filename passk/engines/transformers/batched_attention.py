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

import torch

from passk.engines.transformers.attention import Chunk, Span

BUNDLE_TOKENS = 128
"""Tokens of the responses that are attended to together; more would mostly be masked."""

QUERIES_AT_ONCE = 128
"""Queries of a block, where the keys are few."""

SCORES_AT_ONCE = 1 << 21
"""Scores of a block over all heads, where the keys are many."""

KEYS_MULTIPLE = 32
"""What the number of keys is rounded up to, with keys that no query sees.

Softmax is slow over what is left of a row after whole vectors, and products of a size that was
never seen before take time to prepare.
"""


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
        self._mask: torch.Tensor | None = None

    def attend(
        self, layer: int, q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, scale: float
    ) -> torch.Tensor:
        """See `Span.attend`."""
        before = sum(context.length for context in self.contexts)
        length = before + len(self.tokens)
        earlier = [context.layers[layer] for context in self.contexts]
        keys, values = (
            torch.cat([*parts, own, _padding(own, _rounded(length) - length)], 2)[0]
            for own, *parts in zip((k, v), *earlier, strict=True)
        )
        for chunk, piece in zip(self.chunks, self.pieces, strict=True):
            if chunk.save is not None:
                chunk.save.extend(layer, k[:, :, piece], v[:, :, piece])
        outputs = []
        for block in self._blocks(q.shape[1], length):
            seen = _rounded(before + block.stop)
            mask = self._mask_of(q, block, seen - before - block.stop)
            outputs.append(
                _attended(q[:, :, block] * scale, keys[:, :seen], values[:, :seen], mask)
            )
        return torch.cat(outputs, 2)

    def finish(self) -> None:
        """Count the saved tokens, once the forward pass is over."""
        for chunk in self.chunks:
            chunk.finish()

    def _blocks(self, heads: int, keys: int) -> Iterator[slice]:
        """Yield the queries that are taken at once."""
        size = max(16, min(QUERIES_AT_ONCE, SCORES_AT_ONCE // (heads * keys)))
        for start in range(0, len(self.tokens), size):
            yield slice(start, min(start + size, len(self.tokens)))

    def _mask_of(self, like: torch.Tensor, block: slice, unseen: int) -> torch.Tensor:
        """Return [n, m]: 0 where a query of a block sees one of the last m keys, else -infinity.

        m is a multiple of KEYS_MULTIPLE; all queries see the keys before. The last `unseen` keys
        are later tokens or none. Of one chunk the keys of the block alone can be later than a
        query.
        """
        alone = len(self.chunks) == 1
        if self._mask is None:
            size = min(len(self.tokens), QUERIES_AT_ONCE) if alone else len(self.tokens)
            self._mask = like.new_full((size, size + 2 * KEYS_MULTIPLE), float("-inf"))
            self._mask[:, :KEYS_MULTIPLE] = 0
            own = self._mask[:, KEYS_MULTIPLE:]
            for piece in self.pieces:
                own[piece, piece].triu_(1)
        rows = slice(0, block.stop - block.start) if alone else block
        end = KEYS_MULTIPLE + rows.stop + unseen
        return self._mask[rows, end - _rounded(rows.stop + unseen) : end]


def _rounded(keys: int) -> int:
    """Return the number of keys, rounded up."""
    return keys + -keys % KEYS_MULTIPLE


def _padding(like: torch.Tensor, count: int) -> torch.Tensor:
    """Return keys or values [1, K, count, D] that no query sees."""
    return like.new_zeros(*like.shape[:2], count, like.shape[3])


def _attended(
    q: torch.Tensor, keys: torch.Tensor, values: torch.Tensor, mask: torch.Tensor
) -> torch.Tensor:
    """Return the attention [1, H, n, D] of scaled queries over keys [K, S, D], the last masked."""
    _, heads, count, width = q.shape
    scores = q.reshape(len(keys), -1, width) @ keys.transpose(1, 2)
    scores.view(heads, count, -1)[:, :, -mask.shape[1] :] += mask
    return (scores.softmax(-1) @ values).view(1, heads, count, -1)


def bundle_chunks(chunks: Sequence[Chunk]) -> list[Span]:
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
    """Return whether two chunks can be in one bundle."""
    return chunk.contexts == other.contexts and not chunk.inputs and not other.inputs
