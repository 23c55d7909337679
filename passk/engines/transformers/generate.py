"""Sampling and scoring by transformers' own attention and cache: for models that pack wrongly.

Sampling runs `model.generate`, which knows each model's cache; a logits processor draws every token
from the response's own stream of random numbers, as the packed path does. Scoring is one plain
forward pass per response. Both are slower than packed attention and right for every model.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

import torch
import transformers

from passk.core.schemas import Sample, Score
from passk.engines.base import Sampling
from passk.engines.processors import takes_images
from passk.engines.tokens import PromptTokenizer
from passk.engines.transformers.attention import NAME, Inputs
from passk.engines.transformers.boundaries import rope_limit
from passk.engines.transformers.decoding import Member, Pending, Row
from passk.engines.transformers.sampling import draw, uniforms
from passk.engines.transformers.scoring import Scored
from passk.engines.transformers.vision import attention_of


@contextmanager
def own_attention(model: torch.nn.Module) -> Iterator[None]:
    """Have a model use transformers' own attention inside the block."""
    packed = model.config._attn_implementation == NAME  # noqa: SLF001 - it has no other name
    sees = takes_images(model.config)
    if packed:
        model.set_attn_implementation(attention_of("eager", sees=sees))
    try:
        yield
    finally:
        if packed:
            model.set_attn_implementation(attention_of(NAME, sees=sees))


def plain_logits(
    model: torch.nn.Module, tokens: Sequence[int], keep: int, images: Inputs | None = None
) -> torch.Tensor:
    """Return the logits [keep, V] after the last tokens of one sequence, without a cache.

    `images` makes the model's inputs of the prompt that the tokens begin with.
    """
    known = inspect.signature(model.forward).parameters
    fewer = {"logits_to_keep": keep} if "logits_to_keep" in known else {}
    with torch.no_grad(), own_attention(model):
        given = _model_inputs(model, tokens, images)
        given.pop("attention_mask")
        logits: torch.Tensor = model(**given, use_cache=False, **fewer).logits[0, -keep:]
    return logits


def _model_inputs(
    model: torch.nn.Module, tokens: Sequence[int], images: Inputs | None
) -> dict[str, torch.Tensor]:
    """Return what a model is given for one sequence: after a prompt with images comes text."""
    ids = torch.tensor([tokens])
    given = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
    for name, value in (images() if images else {}).items():
        if name not in given:
            per_token = value.shape[0] == 1 and name.endswith("token_type_ids")
            more = (0, len(tokens) - value.shape[1]) if per_token else (0, 0)
            given[name] = torch.nn.functional.pad(value, more)
    return {name: value.to(model.device) for name, value in given.items()}


def plain_logprob(
    model: torch.nn.Module,
    prompt: Sequence[int],
    response: Sequence[int],
    images: Inputs | None = None,
) -> float:
    """Return the sum of log P in nats of a response's tokens, from one plain forward pass.

    A response that outgrows the first context of a stretched rotary embedding takes two: its first
    tokens were drawn before the embedding changed.
    """
    tokens, start = [*prompt, *response], len(prompt)
    change = rope_limit(model) + 1
    parts = [(start, len(tokens))]
    if start < change < len(tokens):
        parts = [(start, change), (change, len(tokens))]
    return sum(_sum_logprob(model, tokens[:end], end - begin, images) for begin, end in parts)


def _sum_logprob(
    model: torch.nn.Module, tokens: Sequence[int], count: int, images: Inputs | None
) -> float:
    """Return the sum of log P of the last tokens of a sequence, each after all those before."""
    logits = plain_logits(model, tokens[:-1], count, images)
    index = torch.tensor(tokens[-count:], device=logits.device).unsqueeze(1)
    return float(logits.float().log_softmax(-1).gather(1, index).sum(dtype=torch.float64))


class SeededSampler(transformers.LogitsProcessor):  # type: ignore[misc]
    """Draws the next token of each row from its own stream, and leaves `generate` no other."""

    def __init__(
        self, members: Sequence[Member], sampling: Sampling, tokenizer: PromptTokenizer
    ) -> None:
        """Begin with no token; row i of the batch is `members[i]`."""
        self.rows = [Row([], [member]) for member in members]
        self.ended = [False] * len(members)
        self.sampling, self.tokenizer = sampling, tokenizer

    def __call__(self, _: torch.LongTensor, scores: torch.Tensor) -> torch.Tensor:
        """Return scores [B, V] with all but each row's drawn token at -infinity."""
        numbers = [[row.members[0].stream.random()] for row in self.rows]
        drawn = draw(scores, numbers, self.sampling)
        forced = torch.full_like(scores, float("-inf"))
        for at, row in enumerate(self.rows):
            token = drawn.tokens[at][0]
            forced[at, token] = 0.0
            if not self.ended[at]:
                row.tokens.append(token)
                row.logprob += drawn.logprobs[at][0]
                row.entropy += drawn.entropies[at]
                self.ended[at] = self.tokenizer.ends(row.tokens, self.sampling)
        return forced

    def stopped(self, ids: torch.LongTensor, _: torch.Tensor, **__: object) -> torch.Tensor:
        """Return whether all rows have ended, once per row [B]."""
        return torch.full((ids.shape[0],), all(self.ended), device=ids.device)

    def samples(self, problem: Pending) -> Iterator[Sample]:
        """Yield the finished responses."""
        for row, ended in zip(self.rows, self.ended, strict=True):
            yield from row.samples(problem, self.sampling, self.tokenizer, ended=ended)


def sample_by_generate(
    model: torch.nn.Module,
    problems: Iterable[Pending],
    sampling: Sampling,
    tokenizer: PromptTokenizer,
    batch_size: int,
    *,
    use_cache: bool = True,
) -> Iterator[Sample]:
    """Yield every response; those to one problem are batched, so that nothing is padded."""
    for problem in problems:
        waiting = list(problem.responses)
        for start in range(0, len(waiting), batch_size):
            part = waiting[start : start + batch_size]
            members = [Member(sample, seed, uniforms(seed)) for sample, seed in part]
            sampler = SeededSampler(members, sampling, tokenizer)
            with torch.no_grad(), own_attention(model), no_generation_settings(model):
                _generate(model, problem, sampler, sampling.max_tokens, use_cache)
            yield from sampler.samples(problem)


def _generate(
    model: torch.nn.Module,
    problem: Pending,
    sampler: SeededSampler,
    max_tokens: int,
    use_cache: bool,  # noqa: FBT001 - `generate`'s own
) -> None:
    """Run `generate` on copies of a prompt, one per response.

    It draws from what `sampler` leaves, which is one token.
    """
    settings = transformers.GenerationConfig(
        max_new_tokens=max_tokens,
        do_sample=True,
        top_k=0,
        num_return_sequences=len(sampler.rows),
        pad_token_id=0,
        use_cache=use_cache,
    )
    model.generate(
        **_model_inputs(model, problem.prompt, problem.inputs),
        generation_config=settings,
        logits_processor=transformers.LogitsProcessorList([sampler]),
        stopping_criteria=transformers.StoppingCriteriaList([sampler.stopped]),
    )


@contextmanager
def no_generation_settings(model: torch.nn.Module) -> Iterator[None]:
    """Keep a model's own penalties, filters and ending tokens out of `generate`."""
    own = model.generation_config
    model.generation_config = transformers.GenerationConfig()
    try:
        yield
    finally:
        model.generation_config = own


def score_by_forward(model: torch.nn.Module, problems: Iterable[Scored]) -> Iterator[Score]:
    """Yield the score of every response, each from a forward pass of its own."""
    for problem in problems:
        for response in problem.responses.values():
            if response.tokens:
                response.logprob = plain_logprob(
                    model, problem.prompt, response.tokens, problem.inputs
                )
            yield from response.scores()
