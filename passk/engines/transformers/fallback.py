"""What packed attention gets wrong, run by transformers' own attention and cache.

That is all of some models, and of others the sequences that outgrow a window, a chunk or the first
context. Slower and right: it is tried before its first use, and again before sequences first cross
that boundary, where the model's cache is most easily wrong. A model whose cache changes what it
computes runs without one.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

import torch

from passk.core.errors import EngineError
from passk.core.schemas import Sample, Score
from passk.engines.base import Sampling
from passk.engines.load_errors import first_line, is_out_of_memory, warn_once
from passk.engines.tokens import PromptTokenizer
from passk.engines.transformers.boundaries import context_length, packed_limit
from passk.engines.transformers.decoding import Pending
from passk.engines.transformers.generate import (
    plain_logprob,
    sample_by_generate,
    score_by_forward,
)
from passk.engines.transformers.loading import quiet
from passk.engines.transformers.packing_check import (
    LONG,
    SAMPLING,
    SHORT,
    is_near,
    probe_prompts,
    prompt_room,
)
from passk.engines.transformers.scoring import Scored
from passk.engines.transformers.vision import image_probe

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase, ProcessorMixin

USE_VLLM = "use `engine: vllm` for it"

CHECK_FLOP = 4e11
"""What the check of a boundary may cost while a model is loaded, about a second of a processor.

A window of a real model is thousands of tokens away: then it waits until sequences get so long,
and costs less than they do.
"""

CHECK_PASSES = 6
"""Passes over a prompt as long as the boundary that its check takes."""


class Fallback:
    """Sampling and scoring by transformers' own attention and cache."""

    def __init__(
        self,
        model: torch.nn.Module,
        tokenizer: PreTrainedTokenizerBase,
        processor: ProcessorMixin | None,
        weights: str,
    ) -> None:
        """Take a model and what goes with it; `weights` names it in errors."""
        self.model, self.tokenizer, self.weights = model, tokenizer, weights
        self.processor = processor
        self.use_cache = True
        self.limit = packed_limit(model)
        self._checked = 0

    def check_at_load(self) -> None:
        """Check what is cheap to check.

        Raises:
            EngineError: see `check`.
        """
        weights = sum(weight.numel() for weight in self.model.parameters())
        cheap = CHECK_PASSES * self.limit * 2 * weights <= CHECK_FLOP
        self.check(self.limit + 1 if cheap else 0)

    def check(self, longest: int) -> None:
        """Compare a few responses with plain forward passes, once on each side of the boundary.

        Raises:
            EngineError: transformers does not run the model, or differs from itself.
        """
        crosses = self.limit < longest <= context_length(self.model)
        if self._checked > crosses:
            return
        lengths = [SHORT, min(LONG, prompt_room(self.model))]
        if crosses:
            lengths = [SHORT, self.limit - 1, min(self.limit + 2, prompt_room(self.model))]
        problem = self._difference(lengths)
        if problem and self.use_cache:
            self.use_cache = False
            if not self._difference(lengths):
                warn_once(f"{self.weights}: {problem}; runs without its cache, which is far slower")
                problem = ""
        if problem:
            raise EngineError(problem, where=self.weights, fix=USE_VLLM)
        self._checked = 1 + crosses

    def _difference(self, lengths: Sequence[int]) -> str:
        """Return what is wrong with responses to prompts of these lengths."""
        name = type(self.model).__name__
        plain = PromptTokenizer(self.tokenizer, frozenset())
        try:
            work = {problem.problem_id: problem for problem in self._probes(lengths)}
            with quiet():
                samples = list(self.sample(work.values(), SAMPLING, plain, 2))
                known = [
                    plain_logprob(self.model, problem.prompt, sample.token_ids, problem.inputs)
                    for sample in samples
                    for problem in [work[sample.problem_id]]
                ]
        except Exception as error:
            if is_out_of_memory(error):
                raise
            return f"transformers itself cannot run {name}: {first_line(error)}"
        near = (
            is_near(sample.sum_logprob, value, sample.n_tokens, self.model.dtype)
            for sample, value in zip(samples, known, strict=True)
        )
        return "" if all(near) else f"`generate` and a forward pass of {name} differ"

    def _probes(self, lengths: Sequence[int]) -> Iterator[Pending]:
        """Yield prompts of these lengths, and one with an image where the model takes them."""
        for at, ids in enumerate(probe_prompts(self.tokenizer, *lengths)):
            seeds = range(1 if at else 2)
            yield Pending(str(at), ids, deque((seed, seed) for seed in seeds))
        if images := image_probe(self.processor):
            yield Pending("image", images()["input_ids"][0].tolist(), deque([(0, 0)]), images)

    def sample(
        self,
        problems: Iterable[Pending],
        sampling: Sampling,
        tokenizer: PromptTokenizer,
        batch_size: int,
    ) -> Iterator[Sample]:
        """Yield every response."""
        return sample_by_generate(
            self.model, problems, sampling, tokenizer, batch_size, use_cache=self.use_cache
        )

    def score(self, problems: Iterable[Scored]) -> Iterator[Score]:
        """Yield the score of every response."""
        return score_by_forward(self.model, problems)
