"""The engine itself: what `passk.engines.base.Engine` asks for."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from passk.core.errors import EngineError
from passk.core.schemas import Sample, Score
from passk.engines.base import ModelSource, Prompt, Request, Sampling, ScoreRequest
from passk.engines.load_errors import is_out_of_memory, warn_once
from passk.engines.tokens import PromptTokenizer, ending_tokens, warn_of_penalties
from passk.engines.transformers import loading
from passk.engines.transformers.attention import Inputs
from passk.engines.transformers.boundaries import (
    BOUNDARY,
    context_length,
    longest_packed,
    packed_limit,
)
from passk.engines.transformers.decoding import Pending, Scheduler, pending
from passk.engines.transformers.fallback import Fallback
from passk.engines.transformers.scoring import Scored, score_responses

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedTokenizerBase, ProcessorMixin

log = logging.getLogger(__name__)

Problem = TypeVar("Problem", Pending, Scored)

BATCH_SIZE = {"cpu": 256, "cuda": 512}
"""Rows of one forward pass where `execution` does not say and memory suffices."""


class TransformersEngine:
    """A model loaded with transformers, on the GPU where there is one, else on the CPU.

    A response is decided by its prompt, the settings and its own seed, up to the rounding of the
    model's arithmetic: the matrix product of a row is rounded differently in batches of different
    size, which moves the edge between two tokens (docs/engines.md says how often). The same
    requests on the same machine give the same responses.

    `execution` settings: `batch_size` (rows of one forward pass), `threads` (default: the cores
    that the process may use).
    """

    packages: tuple[str, ...] = ("torch", "transformers", "tokenizers")

    def __init__(
        self,
        model: torch.nn.Module,
        tokenizer: PreTrainedTokenizerBase,
        execution: Mapping[str, Any] | None = None,
        processor: ProcessorMixin | None = None,
        fallback: Fallback | None = None,
        mismatch: str = "",
        template: Mapping[str, Any] | None = None,
    ) -> None:
        """Wrap a model that was loaded with this engine's attention, and what goes with it.

        `fallback` runs what packed attention gets wrong: all sequences where `mismatch` says why,
        else those beyond the model's windows. Without it these are refused: so a training samples
        what its loss computes.
        """
        self.model = model
        self.device: str = model.device.type
        self.tokenizer = PromptTokenizer(
            tokenizer, ending_tokens(model.generation_config, tokenizer), processor, template
        )
        self.execution = dict(execution or {})
        self.fallback, self.mismatch = fallback, mismatch

    @property
    def dtype(self) -> str:
        """See `Engine`."""
        return str(self.model.dtype).removeprefix("torch.")

    @property
    def vocabulary(self) -> str:
        """See `Engine.vocabulary`."""
        return self.tokenizer.vocabulary

    @classmethod
    def load(cls, model: ModelSource) -> TransformersEngine:
        """See `Engine.load`."""
        loaded = loading.load(model)
        warn_of_penalties(loaded.model.generation_config, model.weights)
        fallback = Fallback(loaded.model, loaded.tokenizer, loaded.processor, model.weights)
        if loaded.mismatch or packed_limit(loaded.model) < context_length(loaded.model):
            fallback.check_at_load()
        if loaded.mismatch:
            log.warning(
                "%s: packed attention cannot run %s (%s): using transformers' own, which is slower",
                *(model.weights, type(loaded.model).__name__, loaded.mismatch),
            )
        return cls(
            loaded.model,
            loaded.tokenizer,
            model.execution,
            loaded.processor,
            fallback,
            loaded.mismatch,
            model.chat_template_kwargs,
        )

    def sample(self, requests: Sequence[Request], sampling: Sampling) -> Iterator[Sample]:
        """See `Engine.sample`; problems are begun in the order given."""
        prompts = [self.tokenizer.prompt(request.prompt) for request in requests]
        for request, prompt in zip(requests, prompts, strict=True):
            self._check_room(request.problem_id, len(prompt), sampling.max_tokens)
        work = [
            pending(request, prompt, self._inputs(request.prompt))
            for request, prompt in zip(requests, prompts, strict=True)
        ]
        with self._explained():
            packed, longer = self._split(
                work, lambda problem: len(problem.prompt) + sampling.max_tokens
            )
            if packed:
                scheduler = Scheduler(packed, self._batch_size(sampling.max_tokens))
                yield from scheduler.run(self.model, sampling, self.tokenizer)
            if longer:
                longest = max(len(problem.prompt) for problem in longer)
                size = self._batch_size(longest + sampling.max_tokens, copied=longest)
                yield from self._own.sample(longer, sampling, self.tokenizer, size)

    def score(self, requests: Sequence[ScoreRequest]) -> Iterator[Score]:
        """See `Engine.score`; responses to equal prompts are scored together."""
        problems: dict[tuple[object, ...], Scored] = {}
        for request in requests:
            prompt = self.tokenizer.prompt(request.prompt)
            tokens = self.tokenizer.response(request, prompt)
            self._check_room(request.problem_id, len(prompt), len(tokens))
            key = (request.prompt.images, *prompt)
            problem = problems.setdefault(key, Scored(prompt, self._inputs(request.prompt)))
            problem.add(request.problem_id, request.sample, tokens)
        with self._explained():
            packed, longer = self._split(problems.values(), lambda problem: problem.longest)
            if packed:
                yield from score_responses(self.model, packed)
            if longer:
                yield from self._own.score(longer)

    def _split(
        self, problems: Iterable[Problem], tokens: Callable[[Problem], int]
    ) -> tuple[list[Problem], list[Problem]]:
        """Return the problems that packed attention runs, and those that transformers' own does."""
        limit = 0 if self.mismatch else packed_limit(self.model)
        parts: tuple[list[Problem], list[Problem]] = ([], [])
        for problem in problems:
            parts[tokens(problem) > limit].append(problem)
        if parts[1]:
            self._own.check(max(map(tokens, parts[1])))
            if not self.mismatch:
                warn_once(
                    f"sequences of more than {limit} tokens are beyond the {BOUNDARY}: "
                    "transformers' own attention runs them, which is slower"
                )
        return parts

    @property
    def _own(self) -> Fallback:
        """Transformers' own attention; `_check_room` has refused what needs it where it is None."""
        assert self.fallback is not None  # noqa: S101
        return self.fallback

    def _inputs(self, prompt: Prompt) -> Inputs | None:
        """Return what makes the model's inputs of a prompt with images; None for one without."""
        return partial(self.tokenizer.image_inputs, prompt) if prompt.images else None

    def _check_room(self, problem_id: str, prompt: int, response: int) -> None:
        """Raise where a prompt and its response are longer than the engine computes."""
        limit, what = longest_packed(self.model)
        if self.fallback is not None:
            limit, what = context_length(self.model), "the model's context"
        if prompt + response > limit:
            raise EngineError(
                f"a prompt of {prompt} tokens and {response} response tokens do not fit into "
                f"{what} of {limit}",
                where=f"problem {problem_id}",
                fix=f"lower max_tokens to {max(0, limit - prompt)}, shorten the prompt, or use "
                + ("a model with a longer context" if "context" in what else "`engine: vllm`"),
            )

    def _batch_size(self, tokens: int, copied: int = 0) -> int:
        """Return the target batch size: `batch_size`, or as many rows as half the memory holds.

        Args:
            tokens: whose keys and values each row has for itself.
            copied: those among them that go through the model at once, with a table of scores.
        """
        configured = self.execution.get("batch_size")
        if configured:
            return int(configured)
        try:
            row = _cache_bytes(self.model, tokens) + _score_bytes(self.model, copied)
        except Exception:  # noqa: BLE001 - settings by layer, or other names
            return BATCH_SIZE.get(self.device, 256)
        fitting = memory(self.device) // 2 // max(1, row)
        return max(1, min(BATCH_SIZE.get(self.device, 256), fitting))

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """Turn a lack of memory into an EngineError with the way out."""
        try:
            yield
        except (MemoryError, RuntimeError) as error:
            if not is_out_of_memory(error):
                raise
            raise EngineError(
                f"out of memory on {self.device}",
                fix="set a smaller `batch_size` under `execution` of the model; what was "
                "finished is kept",
            ) from error


def _cache_bytes(model: torch.nn.Module, tokens: int) -> int:
    """Return the bytes of keys and values of so many tokens."""
    config = model.config.get_text_config()
    heads = getattr(config, "num_key_value_heads", None) or config.num_attention_heads
    width = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    return int(2 * config.num_hidden_layers * heads * width * model.dtype.itemsize * tokens)


def _score_bytes(model: torch.nn.Module, tokens: int) -> int:
    """Return the bytes of one layer's scores and weights over so many tokens, in float32."""
    return int(8 * model.config.get_text_config().num_attention_heads * tokens**2)


def memory(device: str) -> int:
    """Return the bytes of memory that a device has in all."""
    if device == "cuda":
        import torch

        return int(torch.cuda.get_device_properties(0).total_memory)
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
