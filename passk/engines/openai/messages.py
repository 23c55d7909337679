"""What is sent to an endpoint and what comes back, as plain values."""

from __future__ import annotations

import base64
import logging
import math
import mimetypes
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from passk.core.errors import EngineError
from passk.core.schemas import FinishReason
from passk.engines.base import Prompt, Sampling
from passk.engines.images import Part, chat_with_images
from passk.engines.openai.errors import MalformedError

if TYPE_CHECKING:
    from openai.types import Completion, CompletionChoice
    from openai.types.chat import ChatCompletion
    from openai.types.chat.chat_completion import Choice

log = logging.getLogger(__name__)

Body = dict[str, Any]
"""A part of a request, as JSON."""

SEED_RANGE = 2**31
"""Servers keep a seed in 32 bits, some with a sign: they are sent the seed modulo this."""

OPEN_SERVERS = frozenset({"vllm", "llamacpp", "sglang"})
"""Servers (as their list of models says) that know settings beyond OpenAI's own."""

NEUTRAL = {"top_k": -1, "min_p": 0.0, "repetition_penalty": 1.0}
"""No filter. Always sent to these servers, since their defaults filter: vLLM and SGLang
take those of the model's generation_config.json, llama.cpp has top_k 40 and min_p 0.05."""

REASONS: Mapping[str, FinishReason] = {
    "stop": "stop",
    "eos_token": "stop",
    "stop_sequence": "stop",
    "content_filter": "stop",
    "length": "length",
    "model_length": "length",
}
"""Servers' finish reasons -> ours."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One reply: its text, why it ended, its tokens, and the prompt's tokens."""

    text: str
    finish_reason: FinishReason
    n_tokens: int
    sum_logprob: float
    prompt_tokens: int


def request_body(model: str, owner: str, prompt: Prompt, sampling: Sampling, seed: int) -> Body:
    """Return the arguments of a chat or text completion, without log-probabilities.

    Raises:
        EngineError: the server does not take this prompt.
    """
    extra: Body = dict(NEUTRAL) if owner in OPEN_SERVERS else {}
    extra |= {"top_k": sampling.top_k} if sampling.top_k else {}
    extra |= {"min_p": sampling.min_p} if sampling.min_p else {}
    extra |= _stop_tokens(sampling, owner)
    continued: Body = {}
    if prompt.text is not None and not prompt.images:
        body: Body = {"prompt": prompt.text + prompt.prefix}
    else:
        body, continued = chat_messages(prompt, owner)
    return {
        "model": model,
        **body,
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "max_tokens": sampling.max_tokens,
        "seed": seed % SEED_RANGE,
        **({"stop": list(sampling.stop)} if sampling.stop else {}),
        **({"frequency_penalty": penalty} if (penalty := sampling.frequency_penalty) else {}),
        "extra_body": extra | continued,
    }


def _stop_tokens(sampling: Sampling, owner: str) -> Body:
    """Return the setting for tokens that end a response.

    Raises:
        EngineError: the server would not look at it: it is vLLM's and SGLang's alone.
    """
    if not sampling.stop_token_ids:
        return {}
    if owner not in {"vllm", "sglang"}:
        raise EngineError(
            "stop_token_ids are known to vLLM's and SGLang's servers alone",
            fix="use `stop` with the text of these tokens",
        )
    return {"stop_token_ids": list(sampling.stop_token_ids)}


def chat_messages(prompt: Prompt, owner: str) -> tuple[Body, Body]:
    """Return a chat as `messages`, and the settings that make a server continue its prefix.

    Raises:
        EngineError: there is a prefix, and the server is not vLLM: others would close the
            assistant's turn and silently open a second one.
    """
    messages: list[Body] = [{"role": r, "content": c} for r, c in prompt.messages]
    if prompt.images:
        messages = [_with_images(role, parts) for role, parts in chat_with_images(prompt)]
    if not prompt.prefix:
        return {"messages": messages}, {}
    if owner != "vllm":
        raise EngineError(
            "the prompt begins the assistant's turn, which of servers only vLLM's continues",
            fix="use a prompt without `prefix`, or a raw-text prompt, or `engine: vllm`",
        )
    messages.append({"role": "assistant", "content": prompt.prefix})
    settings = {"continue_final_message": True, "add_generation_prompt": False}
    return {"messages": messages}, settings


def _with_images(role: str, parts: Sequence[Part]) -> Body:
    """Return a message with images; one without is sent as text, which every server takes."""
    if all(kind == "text" for kind, _ in parts):
        return {"role": role, "content": "".join(words for _, words in parts)}
    content = [{"type": k, "text": v} if k == "text" else _image_part(v) for k, v in parts]
    return {"role": role, "content": content}


def _image_part(path: str) -> Body:
    """Return an image file as a part of a message."""
    kind = mimetypes.guess_type(path)[0] or "image/png"
    try:
        data = base64.b64encode(Path(path).read_bytes()).decode()
    except OSError as error:
        raise EngineError(f"image cannot be read: {error.strerror}", where=path) from error
    return {"type": "image_url", "image_url": {"url": f"data:{kind};base64,{data}"}}


def read_answer(reply: ChatCompletion | Completion) -> Answer:
    """Read a chat or text completion.

    Raises:
        MalformedError: something is missing or of another type.
    """
    try:
        choice, usage = reply.choices[0], reply.usage
        chat = hasattr(choice, "message")
        text = (choice.message.content or "") if chat else choice.text
        logprobs = _logprobs(choice, chat=chat)
        n_tokens = usage.completion_tokens if usage is not None else len(logprobs)
        prompt_tokens = usage.prompt_tokens if usage is not None else 0
        reason = REASONS.get(choice.finish_reason)
    except (AttributeError, IndexError, KeyError, TypeError) as error:
        raise MalformedError(f"it lacks what a completion has: {error}") from error
    if not isinstance(text, str) or not isinstance(n_tokens, int):
        raise MalformedError("its text or its count of tokens is missing")
    if reason is None:
        raise MalformedError(f"finish_reason is {choice.finish_reason!r}")
    if choice.finish_reason == "content_filter":
        log.warning("the server's content filter ended a response")
    total = math.fsum(logprobs) if logprobs else math.nan
    return Answer(text, reason, n_tokens, total, int(prompt_tokens))


def _logprobs(choice: Choice | CompletionChoice, *, chat: bool) -> list[float]:
    """Return the log-probability of each token; empty where the server does not give them all."""
    given = getattr(choice, "logprobs", None)
    if given is None:
        return []
    if chat:
        values = [token.logprob for token in given.content or ()]
    else:
        values = list(given.token_logprobs or ())
    return [] if None in values else values
