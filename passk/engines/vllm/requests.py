"""Requests to vLLM, and its outputs as rows."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from passk.core.errors import EngineError
from passk.core.schemas import FinishReason, Sample, Score
from passk.engines.base import Prompt, Sampling, ScoreRequest
from passk.engines.images import open_image
from passk.engines.load_errors import first_line, is_out_of_memory
from passk.engines.tokens import PromptTokenizer

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    from vllm import LLM, CompletionOutput, RequestOutput, SamplingParams
    from vllm.logprobs import FlatLogprobs


def vllm_prompt(prompt: Prompt, tokens: Sequence[int]) -> dict[str, object]:
    """Return a prompt as vLLM takes it.

    `tokens` are as the chat template gives them: vLLM itself makes room for the images.
    """
    given: dict[str, object] = {"prompt_token_ids": list(tokens)}
    if prompt.images:
        given["multi_modal_data"] = {"image": [open_image(path) for path in prompt.images]}
    return given


def sampling_params(sampling: Sampling, seed: int, *, entropy: bool = False) -> SamplingParams:
    """Return our settings as vLLM's; log-probabilities are the model's own, before any filter.

    Only finished responses are sent on, and turned into text here. For entropies, the
    log-probabilities of the whole vocabulary are sent with every token.
    """
    from vllm import SamplingParams
    from vllm.sampling_params import RequestOutputKind

    kind = RequestOutputKind.CUMULATIVE if entropy else RequestOutputKind.FINAL_ONLY
    return SamplingParams(
        n=1,
        temperature=sampling.temperature,
        top_p=sampling.top_p,
        top_k=sampling.top_k,
        min_p=sampling.min_p,
        max_tokens=sampling.max_tokens,
        stop=list(sampling.stop),
        stop_token_ids=list(sampling.stop_token_ids),
        frequency_penalty=sampling.frequency_penalty,
        seed=seed,
        logprobs=-1 if entropy else 0,
        flat_logprobs=entropy,
        detokenize=bool(sampling.stop),
        output_kind=kind,
    )


def scoring_params() -> SamplingParams:
    """Return vLLM's settings for the log-probabilities of a prompt."""
    from vllm import SamplingParams
    from vllm.sampling_params import RequestOutputKind

    kind = RequestOutputKind.FINAL_ONLY
    return SamplingParams(max_tokens=1, prompt_logprobs=0, detokenize=False, output_kind=kind)


def outputs(llm: LLM, names: Collection[str]) -> Iterator[tuple[str, RequestOutput]]:
    """Step vLLM until no request is left; yield its output of each.

    Raises:
        EngineError: vLLM failed; what was yielded before is the caller's.
    """
    engine = llm.llm_engine
    try:
        while engine.has_unfinished_requests():
            for output in engine.step():
                yield output.request_id.partition("-")[0], output
    except GeneratorExit:
        with suppress(Exception):  # else the next run would get these outputs
            engine.abort_request(list(names))
        raise
    except Exception as error:
        raise failure(error) from error


def failure(error: Exception) -> EngineError:
    """Return a failure of vLLM at work as one message with the way out."""
    if isinstance(error, EngineError):
        return error
    if is_out_of_memory(error):
        return EngineError(
            f"out of memory: {first_line(error)}",
            fix="lower batch_size, gpu_memory_utilization or max_model_len under `execution` of "
            "the model; what was finished is kept",
        )
    return EngineError(
        f"vLLM failed: {first_line(error)}", fix="see its messages above; finished rows are kept"
    )


@dataclass(slots=True)
class Entropies:
    """Sums over a response's tokens so far, from the log-probabilities of the whole vocabulary.

    Attributes:
        temperature: that of sampling; 0 is greedy, whose entropy is 0.
        logprob: sum of log P(token), in nats.
        entropy: sum of the entropies of softmax(logits / temperature), in nats.
        seen: tokens so far.
    """

    temperature: float
    logprob: float = 0.0
    entropy: float = 0.0
    seen: int = field(default=0)

    def take(self, tokens: Sequence[int], logprobs: FlatLogprobs) -> None:
        """Add the new tokens' values and free them: each is as long as the vocabulary."""
        import numpy as np

        for at in range(len(logprobs)):
            part = slice(logprobs.start_indices[at], logprobs.end_indices[at])
            # The token that was drawn comes first; it is also among all that follow.
            self.logprob += logprobs.logprobs[part.start]
            everything = np.asarray(logprobs.logprobs[part.start + 1 : part.stop])
            self.entropy += entropy(everything, self.temperature)
        self.seen = len(tokens)
        for column in ("start_indices", "end_indices", "token_ids", "logprobs", "ranks"):
            getattr(logprobs, column).clear()
        logprobs.decoded_tokens.clear()


def entropy(logprobs: npt.NDArray[np.float64], temperature: float) -> float:
    """Return the entropy in nats of softmax(logprobs / temperature); 0 for greedy decoding."""
    import numpy as np

    if temperature == 0:
        return 0.0
    cooled = logprobs / temperature
    cooled = cooled - np.logaddexp.reduce(cooled)
    weights = np.exp(cooled)
    return -float(np.dot(weights, np.where(weights > 0, cooled, 0.0)))


@dataclass(frozen=True, slots=True)
class PendingResponse:
    """A submitted response, with sums over its tokens if entropy is recorded."""

    problem_id: str
    sample: int
    seed: int
    prompt_digest: str
    entropies: Entropies | None

    def row(
        self, output: CompletionOutput, tokenizer: PromptTokenizer, sampling: Sampling
    ) -> Sample:
        """Return the finished response as a row."""
        tokens = list(output.token_ids)
        reason: FinishReason = "length" if output.finish_reason == "length" else "stop"
        if self.entropies is None:
            chosen = zip(tokens, output.logprobs, strict=True)
            logprob = math.fsum(logprobs[token].logprob for token, logprobs in chosen)
            mean = math.nan
        else:
            logprob = self.entropies.logprob
            mean = self.entropies.entropy / max(1, len(tokens))
        return Sample(
            problem_id=self.problem_id,
            sample=self.sample,
            seed=self.seed,
            text=tokenizer.cut(tokens, sampling) if tokens else "",
            token_ids=tokens,
            n_tokens=len(tokens),
            finish_reason=reason,
            sum_logprob=logprob,
            mean_entropy=mean,
            prompt_digest=self.prompt_digest,
        )


def score_row(request: ScoreRequest, count: int, output: RequestOutput | None) -> Score:
    """Return the score of a response: of the last `count` tokens that vLLM was given."""
    if output is None:
        return Score(request.problem_id, request.sample, 0, 0.0, math.nan)
    tokens = output.prompt_token_ids[-count:]
    given = zip(tokens, output.prompt_logprobs[-count:], strict=True)
    total = math.fsum(logprobs[token].logprob for token, logprobs in given)
    return Score(request.problem_id, request.sample, count, total, math.exp(-total / count))
