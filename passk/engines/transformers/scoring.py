"""Log-probabilities of given responses.

Responses to one prompt share its keys and values. Responses are packed into forward passes of a
limited number of positions; one that does not fit continues in the next pass from its keys and
values. Passes run in parallel (`thread_pool`), attention uses few large products
(`batched_attention`), and logits are never held for the whole vocabulary (`logprobs`).
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

import torch

from passk.core.schemas import Score
from passk.engines.transformers.attention import Chunk, Inputs, Prefix
from passk.engines.transformers.batched_attention import bundle_chunks
from passk.engines.transformers.forward import forward
from passk.engines.transformers.logprobs import plain_head, token_logprobs
from passk.engines.transformers.thread_pool import map_parallel, max_workers

POSITIONS_AT_ONCE = 1024
"""Positions of one forward pass."""

PASSES_PER_WORKER = 2
"""Passes that one worker fills completely with its responses.

Products of a size that was never seen before take time to prepare.
"""

PROMPT_TOKENS_AT_ONCE = 8192
"""Prompt tokens whose keys and values are held at once, unless a single prompt is longer."""

Item = TypeVar("Item")


@dataclass(slots=True)
class Response:
    """A response to score, and what is known of it.

    Attributes:
        tokens: its token ids.
        keys: problem and sample index of each request for it: short answers are often equal, and
            are computed once.
        prompt: attention keys and values of the prompt that it follows.
        own: attention keys and values of its tokens so far, if it continues in a later pass.
        done: how many of its tokens have been through the model.
        logprob: sum of log P in nats over the tokens predicted so far.
    """

    tokens: tuple[int, ...]
    prompt: Prefix
    keys: list[tuple[str, int]] = field(default_factory=list)
    own: Prefix = field(default_factory=Prefix)
    done: int = 0
    logprob: float = 0.0

    @property
    def left(self) -> int:
        """Tokens that still have to go through the model; the last predicts nothing of ours."""
        return len(self.tokens) - 1 - self.done

    def chunk(self, room: int) -> Chunk:
        """Return the next tokens, `room` at the most, as a span that predicts at each."""
        piece = self.tokens[self.done : self.done + min(room, self.left)]
        save = self.own if len(piece) < self.left else None
        return Chunk(piece, [self.prompt, self.own], save=save, keep=range(len(piece)))

    def following(self, chunk: Chunk) -> tuple[int, ...]:
        """Return the tokens that are predicted at the tokens of the newest chunk."""
        return self.tokens[self.done + 1 : self.done + 1 + len(chunk.tokens)]

    def scores(self) -> Iterator[Score]:
        """Yield the score for each request; a response of no tokens has no perplexity (NaN)."""
        count = len(self.tokens)
        perplexity = math.exp(-self.logprob / count) if count else math.nan
        for problem_id, sample in self.keys:
            yield Score(problem_id, sample, count, self.logprob, perplexity)


@dataclass(frozen=True, slots=True)
class Scored:
    """A prompt's token ids and the responses that are scored after it, by their token ids.

    `inputs` makes what the model is given for a prompt with images.
    """

    prompt: list[int]
    inputs: Inputs | None = None
    prefix: Prefix = field(default_factory=Prefix)
    responses: dict[tuple[int, ...], Response] = field(default_factory=dict)

    @property
    def longest(self) -> int:
        """Tokens of the prompt and its longest response."""
        return len(self.prompt) + max(map(len, self.responses), default=0)

    def add(self, problem_id: str, sample: int, tokens: Sequence[int]) -> None:
        """Add a response to score."""
        key = tuple(tokens)
        response = self.responses.setdefault(key, Response(key, self.prefix))
        response.keys.append((problem_id, sample))


def score_responses(model: torch.nn.Module, problems: Iterable[Scored]) -> Iterator[Score]:
    """Yield the score of every response, each as soon as it is known."""
    workers, head = max_workers(model), plain_head(model)
    for batch in _batches(problems):
        seen = any(problem.inputs for problem in batch)  # a model with images keeps state then
        prompts = list(_packs(batch, lambda problem: len(problem.prompt), POSITIONS_AT_ONCE))
        deque(
            map_parallel(partial(_read_prompts, model), prompts, 1 if seen else workers), maxlen=0
        )
        responses = [r for problem in batch for r in problem.responses.values()]
        for response in responses:
            if response.left <= 0:
                yield from response.scores()
        loads = _worker_batches([response for response in responses if response.left > 0])
        for load in map_parallel(partial(_read_responses, model, head), loads, workers):
            for response in load:
                yield from response.scores()


def _batches(problems: Iterable[Scored]) -> Iterator[list[Scored]]:
    """Yield problems in lists whose prompts' keys and values are held together."""
    return _packs(problems, lambda problem: len(problem.prompt), PROMPT_TOKENS_AT_ONCE)


def _worker_batches(responses: Iterable[Response]) -> list[list[Response]]:
    """Return what one worker takes at a time, the largest first."""
    limit = POSITIONS_AT_ONCE * PASSES_PER_WORKER
    loads = _packs(responses, lambda response: response.left, limit)
    return sorted(loads, key=lambda load: -sum(response.left for response in load))


def _packs(
    items: Iterable[Item], tokens: Callable[[Item], int], limit: int
) -> Iterator[list[Item]]:
    """Yield neighbours in lists of `limit` tokens at the most, or of one item."""
    pack: list[Item] = []
    size = 0
    for item in items:
        if pack and size + tokens(item) > limit:
            yield pack
            pack, size = [], 0
        pack.append(item)
        size += tokens(item)
    if pack:
        yield pack


def _read_prompts(model: torch.nn.Module, load: Sequence[Scored]) -> None:
    """Compute the prompts' keys and values, and the probability of each response's first token."""
    chunks = [
        Chunk(p.prompt, save=p.prefix, keep=[len(p.prompt) - 1], inputs=p.inputs) for p in load
    ]
    for problem, logits in zip(load, forward(model, bundle_chunks(chunks)), strict=True):
        known = logits.float().log_softmax(-1)
        for response in problem.responses.values():
            response.logprob = known[response.tokens[0]].item() if response.tokens else 0.0


def _read_responses(
    model: torch.nn.Module, head: torch.nn.Linear | None, load: list[Response]
) -> list[Response]:
    """Run the model over responses until all are scored."""
    waiting = deque(load)
    while waiting:
        _pass(model, head, waiting)
    return load


def _pass(model: torch.nn.Module, head: torch.nn.Linear | None, waiting: deque[Response]) -> None:
    """Fill one forward pass from the responses that wait; one that is cut short waits again."""
    taken: list[tuple[Response, Chunk]] = []
    room = POSITIONS_AT_ONCE
    while waiting and room:
        response = waiting.popleft()
        taken.append((response, response.chunk(room)))
        room -= len(taken[-1][1].tokens)
    targets = [token for response, chunk in taken for token in response.following(chunk)]
    known = token_logprobs(model, head, bundle_chunks([chunk for _, chunk in taken]), targets)
    parts = known.split([len(chunk.tokens) for _, chunk in taken])
    for (response, chunk), part in zip(taken, parts, strict=True):
        response.logprob += part.sum(dtype=torch.float64).item()
        response.done += len(chunk.tokens)
    waiting.extendleft(response for response, _ in taken[-1:] if response.left)
