"""The engine itself: what `passk.engines.base.Engine` asks for."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

from passk.core.errors import EngineError
from passk.core.schemas import Sample, Score
from passk.engines.base import ModelSource, Prompt, Request, Sampling, ScoreRequest
from passk.engines.load_errors import is_out_of_memory
from passk.engines.tokens import PromptTokenizer, ending_tokens, warn_of_penalties
from passk.engines.transformers import loading
from passk.engines.transformers.attention import Inputs
from passk.engines.transformers.decoding import Scheduler, pending
from passk.engines.transformers.generate import sample_by_generate, score_by_forward
from passk.engines.transformers.packing_check import packed_limit
from passk.engines.transformers.scoring import Scored, score_responses

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedTokenizerBase, ProcessorMixin

log = logging.getLogger(__name__)

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
        packed_tokens: int | None = None,
    ) -> None:
        """Wrap a model that was loaded with this engine's attention, and what goes with it.

        `packed_tokens` is up to how many tokens packed attention is right; longer sequences run
        with transformers' own attention and cache. By default packed attention runs all that it
        is right for, and longer ones are refused: so a training samples what its loss computes.
        """
        self.model = model
        self.device: str = model.device.type
        self.tokenizer = PromptTokenizer(
            tokenizer, ending_tokens(model.generation_config, tokenizer), processor
        )
        self.execution = dict(execution or {})
        self.mismatch = ""
        self.packs = True
        self._falls_back = packed_tokens is not None
        self._packed_tokens = packed_limit(model) if packed_tokens is None else packed_tokens

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
        if loaded.mismatch:
            log.warning(
                "%s: packed attention cannot run %s (%s): using transformers' own, which is slower",
                *(model.weights, type(loaded.model).__name__, loaded.mismatch),
            )
        limit: int | None = 0 if loaded.mismatch else packed_limit(loaded.model)
        if loaded.processor is not None:
            limit = None  # images go through packed attention alone
        engine = cls(loaded.model, loaded.tokenizer, model.execution, loaded.processor, limit)
        engine.mismatch = loaded.mismatch
        return engine

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
            size = self._batch_size(sampling)
            if self._is_packed(max(map(len, prompts), default=0) + sampling.max_tokens):
                yield from Scheduler(work, size).run(self.model, sampling, self.tokenizer)
            else:
                yield from sample_by_generate(self.model, work, sampling, self.tokenizer, size)

    def score(self, requests: Sequence[ScoreRequest]) -> Iterator[Score]:
        """See `Engine.score`; responses to equal prompts are scored together."""
        problems: dict[tuple[object, ...], Scored] = {}
        longest = 0
        for request in requests:
            prompt = self.tokenizer.prompt(request.prompt)
            tokens = self.tokenizer.response(request, prompt)
            self._check_room(request.problem_id, len(prompt), len(tokens))
            longest = max(longest, len(prompt) + len(tokens))
            key = (request.prompt.images, *prompt)
            problem = problems.setdefault(key, Scored(prompt, self._inputs(request.prompt)))
            problem.add(request.problem_id, request.sample, tokens)
        with self._explained():
            if self._is_packed(longest):
                yield from score_responses(self.model, problems.values())
            else:
                yield from score_by_forward(self.model, problems.values())

    def _is_packed(self, tokens: int) -> bool:
        """Whether packed attention runs sequences of so many tokens; log once where it does not."""
        if tokens <= self._packed_tokens:
            return True
        if self._packed_tokens and self.packs:
            log.warning(
                "sequences of up to %d tokens are longer than the model's attention window or "
                "first context of %d: using transformers' own attention, which is slower",
                *(tokens, self._packed_tokens),
            )
        self.packs = False
        return False

    def _inputs(self, prompt: Prompt) -> Inputs | None:
        """Return what makes the model's inputs of a prompt with images; None for one without."""
        return partial(self.tokenizer.image_inputs, prompt) if prompt.images else None

    def _check_room(self, problem_id: str, prompt: int, response: int) -> None:
        """Raise where a prompt and its response do not fit into the model's context."""
        limit = loading.context_length(self.model)
        if not self._falls_back:
            limit = min(limit, self._packed_tokens)
        if prompt + response > limit:
            raise EngineError(
                f"a prompt of {prompt} tokens and {response} response tokens do not fit into "
                f"the model's context of {limit}",
                where=f"problem {problem_id}",
                fix=f"lower max_tokens to {max(0, limit - prompt)}, shorten the prompt, or use a "
                "model with a longer context",
            )

    def _batch_size(self, sampling: Sampling) -> int:
        """Return the target batch size: `batch_size`, or as many rows as half the memory holds."""
        configured = self.execution.get("batch_size")
        if configured:
            return int(configured)
        config = self.model.config.get_text_config()
        if not getattr(config, "num_attention_heads", None):
            return BATCH_SIZE.get(self.device, 256)
        heads = getattr(config, "num_key_value_heads", None) or config.num_attention_heads
        width = (
            getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
        )
        token = 2 * config.num_hidden_layers * heads * width * self.model.dtype.itemsize
        fitting = memory(self.device) // 2 // int(token * sampling.max_tokens)
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


def memory(device: str) -> int:
    """Return the bytes of memory that a device has in all."""
    if device == "cuda":
        import torch

        return int(torch.cuda.get_device_properties(0).total_memory)
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
