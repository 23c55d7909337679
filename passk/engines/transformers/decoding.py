"""The loop that draws responses: prompts once, shared prefixes once, batches refilled as it goes.

The next-token logits depend on the tokens so far and on nothing else. The responses of one
problem that have drawn the same tokens so far are therefore one row of the batch, and part when
they draw different ones. All rows of a problem have the same number of tokens.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from passk.core.schemas import Sample
from passk.engines.base import Request, Sampling
from passk.engines.tokens import PromptTokenizer, prompt_digest
from passk.engines.transformers.attention import Chunk, Inputs, Prefix, RowCache, Rows
from passk.engines.transformers.forward import forward
from passk.engines.transformers.sampling import draw, uniforms

if TYPE_CHECKING:
    import torch

TOKENS_AT_ONCE = 8192
"""Packed tokens of one forward pass, unless a single prompt is longer."""


@dataclass(slots=True)
class Pending:
    """A problem's prompt and its responses that are not yet begun.

    `prefix` is the prompt's keys and values, and `logits` [1, V] what follows it, once computed;
    `inputs` makes what the model is given for a prompt with images.
    """

    problem_id: str
    prompt: list[int]
    responses: deque[tuple[int, int]]
    inputs: Inputs | None = None
    prefix: Prefix = field(default_factory=Prefix)
    logits: torch.Tensor | None = None


def pending(request: Request, prompt: list[int], inputs: Inputs | None) -> Pending:
    """Return a request as responses to begin."""
    responses = deque(zip(request.samples, request.seeds, strict=True))
    return Pending(request.problem_id, prompt, responses, inputs)


@dataclass(slots=True)
class Member:
    """One response under way: its index, seed, and stream of random numbers."""

    sample: int
    seed: int
    stream: np.random.Generator


@dataclass(slots=True)
class Row:
    """Responses that share all their tokens so far, with sums over these tokens."""

    tokens: list[int]
    members: list[Member]
    logprob: float = 0.0
    entropy: float = 0.0

    def split(self, tokens: list[int], logprobs: list[float], entropy: float) -> list[Row]:
        """Return one row per distinct token that the members drew, in order of first draw."""
        children: dict[int, Row] = {}
        for member, token, logprob in zip(self.members, tokens, logprobs, strict=True):
            if token not in children:
                sums = (self.logprob + logprob, self.entropy + entropy)
                children[token] = Row([*self.tokens, token], [], *sums)
            children[token].members.append(member)
        return list(children.values())

    def samples(
        self, problem: Pending, sampling: Sampling, tokenizer: PromptTokenizer, *, ended: bool
    ) -> Iterator[Sample]:
        """Yield the finished responses."""
        count = len(self.tokens)
        digest = prompt_digest(problem.prompt)
        text = tokenizer.cut(self.tokens, sampling)
        for member in self.members:
            yield Sample(
                problem_id=problem.problem_id,
                sample=member.sample,
                seed=member.seed,
                text=text,
                token_ids=list(self.tokens),
                n_tokens=count,
                finish_reason="stop" if ended else "length",
                sum_logprob=self.logprob,
                mean_entropy=self.entropy / count,
                prompt_digest=digest,
            )


class Group:
    """Some responses of one problem, decoded in step."""

    def __init__(self, problem: Pending, count: int) -> None:
        """Begin the next `count` responses of a problem."""
        chosen = [problem.responses.popleft() for _ in range(count)]
        self.problem = problem
        self.rows = [Row([], [Member(s, seed, uniforms(seed)) for s, seed in chosen])]
        self.cache = RowCache()
        self.size, self.peak = count, 1

    @property
    def is_new(self) -> bool:
        """Whether nothing has been drawn yet."""
        return bool(self.rows) and not self.rows[0].tokens

    @property
    def unfinished(self) -> int:
        """Responses under way."""
        return sum(len(row.members) for row in self.rows)

    def span(self) -> Chunk | Rows:
        """Return what the next forward pass must compute for this group."""
        if self.problem.logits is None:
            problem = self.problem
            keep = [len(problem.prompt) - 1]
            return Chunk(problem.prompt, save=problem.prefix, keep=keep, inputs=problem.inputs)
        return Rows([row.tokens[-1] for row in self.rows], self.problem.prefix, self.cache)

    def keep_prompt_logits(self, logits: torch.Tensor) -> None:
        """Keep the logits that follow the prompt for responses of the problem that begin later."""
        if self.is_new:
            self.problem.logits = logits.clone()

    def advance(
        self, logits: torch.Tensor, sampling: Sampling, tokenizer: PromptTokenizer
    ) -> Iterator[Sample]:
        """Draw every row's next tokens from logits [rows, V]; yield what is finished by them."""
        numbers = [[member.stream.random() for member in row.members] for row in self.rows]
        drawn = draw(logits, numbers, sampling)
        survivors: list[list[Row]] = []
        for row, tokens, logprobs, entropy in zip(
            self.rows, drawn.tokens, drawn.logprobs, drawn.entropies, strict=True
        ):
            survivors.append([])
            for child in row.split(tokens, logprobs, entropy):
                ended = tokenizer.ends(child.tokens, sampling)
                if ended or len(child.tokens) >= sampling.max_tokens:
                    yield from child.samples(self.problem, sampling, tokenizer, ended=ended)
                else:
                    survivors[-1].append(child)
        self._keep(survivors)

    def _keep(self, survivors: Sequence[Sequence[Row]]) -> None:
        """Lay the surviving rows out without gaps, and their keys and values with them."""
        self.rows, source, target = lay_out(survivors)
        self.peak = max(self.peak, len(self.rows))
        if self.rows:
            self.cache.move(source, target, len(self.rows), self.problem.prefix)


def lay_out(survivors: Sequence[Sequence[Row]]) -> tuple[list[Row], list[int], list[int]]:
    """Place the children of each old row so that few rows of the cache must be copied.

    The first child stays in its parent's place; others fill the places of rows that ended, or
    come last; places still empty are filled from the end.

    Returns:
        The rows in their places, and which old place is copied to which new one.
    """
    places: list[tuple[Row, int] | None] = [
        (children[0], at) if children else None for at, children in enumerate(survivors)
    ]
    empty = [at for at, place in enumerate(places) if place is None]
    for at, children in enumerate(survivors):
        for child in children[1:]:
            if empty:
                places[empty.pop(0)] = (child, at)
            else:
                places.append((child, at))
    for at in empty:
        while places and places[-1] is None:
            places.pop()
        if at < len(places):
            places[at] = places.pop()
    kept = [place for place in places if place is not None]
    moved = [(origin, at) for at, (_, origin) in enumerate(kept) if origin != at]
    return [row for row, _ in kept], [origin for origin, _ in moved], [at for _, at in moved]


class Scheduler:
    """Decides which responses are running.

    A problem's responses need fewer rows than there are responses while they share tokens. How
    many fewer is estimated from finished groups, so that short answers, which differ late or never,
    still fill the batch.
    """

    def __init__(self, problems: Iterable[Pending], batch_size: int) -> None:
        """Take the problems in the order given; `batch_size` rows are aimed at."""
        self.waiting = deque(problems)
        self.batch_size = batch_size
        self.groups: list[Group] = []
        self.seen_rows, self.seen_responses = batch_size, batch_size

    def run(
        self, model: torch.nn.Module, sampling: Sampling, tokenizer: PromptTokenizer
    ) -> Iterator[Sample]:
        """Yield every response, each as soon as it is finished."""
        while self.start_groups() or self.groups:
            for group in self.groups:
                if group.is_new and group.problem.logits is not None:
                    yield from group.advance(group.problem.logits, sampling, tokenizer)
            for groups in self.forward_batches():
                spans = [group.span() for group in groups]
                parts = forward(model, spans).split([len(span.keep) for span in spans])
                for group, logits in zip(groups, parts, strict=True):
                    group.keep_prompt_logits(logits)
                    yield from group.advance(logits, sampling, tokenizer)
            self.remove_finished()

    def start_groups(self) -> bool:
        """Start responses of the next problems while there is room; return whether any were."""
        begun = len(self.groups)
        while self.waiting and (count := self.free_responses()):
            problem = self.waiting[0]
            self.groups.append(Group(problem, count))
            if problem.responses:
                break  # its other responses begin once the prompt is computed
            self.waiting.popleft()
        return len(self.groups) > begun

    def free_responses(self) -> int:
        """Return how many responses of the next problem to start now.

        Fewer than a quarter of a batch are started only if no more are left, or if nothing else
        is running: each group has a small cost.
        """
        problem = self.waiting[0]
        if problem.prefix.length == 0 and any(group.problem is problem for group in self.groups):
            return 0
        free = self.batch_size - sum(
            max(len(g.rows), self.expected_rows(g.unfinished)) for g in self.groups
        )
        wanted = min(len(problem.responses), self.batch_size)
        count = min(wanted, int(free * self.seen_responses / self.seen_rows))
        enough = min(wanted, max(1, self.batch_size // 4))
        return count if count >= enough else 0 if self.groups else max(1, count)

    def expected_rows(self, responses: int) -> int:
        """Return how many rows some responses of one problem are expected to need at most."""
        return -(-responses * self.seen_rows // self.seen_responses)

    def forward_batches(self) -> Iterator[list[Group]]:
        """Yield the running groups in parts that fit into one forward pass."""
        pack: list[Group] = []
        rows = tokens = 0
        for group in [group for group in self.groups if group.rows]:
            more = len(group.span().tokens)
            if pack and (
                rows + len(group.rows) > self.batch_size or tokens + more > TOKENS_AT_ONCE
            ):
                yield pack
                pack, rows, tokens = [], 0, 0
            pack.append(group)
            rows, tokens = rows + len(group.rows), tokens + more
        if pack:
            yield pack

    def remove_finished(self) -> None:
        """Remove finished groups, and count how many rows their responses needed."""
        for group in self.groups:
            if not group.rows:
                self.seen_rows += group.peak
                self.seen_responses += group.size
        self.groups = [group for group in self.groups if group.rows]
