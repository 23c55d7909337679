"""Log-probabilities of given responses.

Responses to one prompt share its keys and values. Response tokens are packed into forward passes
of a fixed number of positions, for which alone logits are held; a response that does not fit in
one pass goes on in the next from the keys and values that it has left.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch

from passk.engines.transformers.attention import Chunk, Inputs, Prefix
from passk.engines.transformers.passes import forward
from passk.records import Score

POSITIONS_AT_ONCE = 512
"""Positions whose logits over the vocabulary are held at once."""

PROMPT_TOKENS_AT_ONCE = 8192
"""Prompt tokens of one forward pass, unless a single prompt is longer."""

ROWS_AT_ONCE = 16
"""Positions whose logits are normalised at once, so that they stay in the processor's cache."""


@dataclass(slots=True)
class Response:
    """A response to score, and what is known of it.

    Attributes:
        tokens: its token ids.
        keys: problem and sample index of each request for it: short answers are often equal, and
            are computed once.
        prompt: attention keys and values of the prompt that it follows.
        own: attention keys and values of its tokens so far, where it goes on in a later pass.
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

    def add(self, problem_id: str, sample: int, tokens: Sequence[int]) -> None:
        """Ask for the score of a response."""
        key = tuple(tokens)
        response = self.responses.setdefault(key, Response(key, self.prefix))
        response.keys.append((problem_id, sample))


def score_responses(model: Any, problems: Iterable[Scored]) -> Iterator[Score]:
    """Yield the score of every response, each as soon as it is known."""
    for batch in _batches(problems):
        _read_prompts(model, batch)
        responses = [r for problem in batch for r in problem.responses.values()]
        for response in responses:
            if response.left <= 0:
                yield from response.scores()
        waiting = deque(r for r in responses if r.left > 0)
        while waiting:
            yield from _pass(model, waiting)


def _batches(problems: Iterable[Scored]) -> Iterator[list[Scored]]:
    """Yield problems in lists whose prompts fit in one forward pass."""
    batch: list[Scored] = []
    tokens = 0
    for problem in problems:
        if batch and tokens + len(problem.prompt) > PROMPT_TOKENS_AT_ONCE:
            yield batch
            batch, tokens = [], 0
        batch.append(problem)
        tokens += len(problem.prompt)
    if batch:
        yield batch


def _read_prompts(model: Any, batch: Sequence[Scored]) -> None:
    """Compute the prompts' keys and values, and the probability of each response's first token."""
    chunks = [
        Chunk(p.prompt, save=p.prefix, keep=[len(p.prompt) - 1], inputs=p.inputs) for p in batch
    ]
    for problem, logits in zip(batch, forward(model, chunks), strict=True):
        known = logits.float().log_softmax(-1)
        for response in problem.responses.values():
            response.logprob = known[response.tokens[0]].item() if response.tokens else 0.0


def _pass(model: Any, waiting: deque[Response]) -> Iterator[Score]:
    """Fill one forward pass from the responses that wait; yield those that are complete."""
    taken: list[tuple[Response, Chunk]] = []
    room = POSITIONS_AT_ONCE
    while waiting and room:
        response = waiting.popleft()
        taken.append((response, response.chunk(room)))
        room -= len(taken[-1][1].tokens)
    logits = forward(model, [chunk for _, chunk in taken])
    targets = [t for r, c in taken for t in r.tokens[r.done + 1 : r.done + 1 + len(c.tokens)]]
    parts = token_logprobs(logits, targets).split([len(chunk.tokens) for _, chunk in taken])
    for (response, chunk), part in zip(taken, parts, strict=True):
        response.logprob += part.sum(dtype=torch.float64).item()
        response.done += len(chunk.tokens)
        if response.left:
            waiting.appendleft(response)
        else:
            yield from response.scores()


def token_logprobs(logits: Any, targets: Sequence[int]) -> Any:
    """Return log P of each target [n] under logits [n, V], in float32."""
    wanted = torch.tensor(targets, device=logits.device).unsqueeze(1)
    blocks = zip(logits.split(ROWS_AT_ONCE), wanted.split(ROWS_AT_ONCE), strict=True)
    parts = [_picked(block.float(), target) for block, target in blocks]
    return torch.cat(parts)


def _picked(logits: Any, targets: Any) -> Any:
    """Return log P of targets [n, 1] under float32 logits [n, V]."""
    return logits.log_softmax(-1).gather(1, targets)[:, 0]
