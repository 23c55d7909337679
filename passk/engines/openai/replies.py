"""What comes back from an endpoint, as plain values."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from passk.core.schemas import FinishReason
from passk.engines.openai.errors import MalformedError
from passk.spec.server_profiles import ServerProfile

if TYPE_CHECKING:
    from openai.types import Completion, CompletionChoice, CompletionUsage
    from openai.types.chat import ChatCompletion
    from openai.types.chat.chat_completion import Choice

REASONS: Mapping[str, FinishReason] = {
    "stop": "stop",
    "eos_token": "stop",
    "stop_sequence": "stop",
    "length": "length",
    "model_length": "length",
    "content_filter": "refused",
    "tool_calls": "failed",
    "function_call": "failed",
}
"""Servers' finish reasons -> ours."""

WORDS = {
    "content_filter": "the server's content filter ended the response",
    "tool_calls": "the model called a tool, though none was offered",
    "function_call": "the model called a function, though none was offered",
}
"""What is said of the finish reasons of responses that are none."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One response: its text and reasoning, why it ended, and its tokens (None: unknown).

    `error` says why there is none, if it was refused or failed.
    """

    text: str
    finish_reason: FinishReason
    n_tokens: int | None
    sum_logprob: float = math.nan
    reasoning: str | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens that a reply was billed."""

    prompt_tokens: int
    completion_tokens: int
    reasoning_tokens: int


@dataclass(frozen=True, slots=True)
class Reply:
    """The responses of one reply; `usage` is None where the server does not say."""

    answers: tuple[Answer, ...]
    usage: Usage | None


def read_reply(
    profile: ServerProfile, max_tokens: int, reply: ChatCompletion | Completion
) -> Reply:
    """Read a chat or text completion.

    Raises:
        MalformedError: something is missing or of another type, or it is an error.
    """
    _check_error(reply)
    try:
        usage = _usage(reply.usage)
        answers = [_answer(profile, choice, usage) for choice in reply.choices]
    except (AttributeError, IndexError, KeyError, TypeError) as error:
        raise MalformedError(f"it lacks what a completion has: {error}") from error
    if not answers:
        raise MalformedError("it lacks what a completion has: choices")
    if usage is not None:
        answers = _with_tokens(answers, usage.completion_tokens)
    return Reply(tuple(_with_length(answer, usage, max_tokens) for answer in answers), usage)


def _check_error(reply: ChatCompletion | Completion) -> None:
    """Raise where a reply of status 200 is an error, or its first choice is."""
    choices = getattr(reply, "choices", None) or [None]
    for part in (reply, choices[0]):
        error = getattr(part, "error", None)
        if isinstance(error, dict):
            message = str(error.get("message") or error)
            raise MalformedError(f"it is an error: {message}", code=str(error.get("code") or ""))


def _usage(given: CompletionUsage | None) -> Usage | None:
    """Return the tokens of a reply.

    Some servers leave reasoning out of `completion_tokens`, and none out of `total_tokens`.
    """
    if given is None:
        return None
    prompt, completion = given.prompt_tokens, given.completion_tokens
    if not isinstance(prompt, int) or not isinstance(completion, int):
        return None
    details = getattr(given, "completion_tokens_details", None)
    hidden = getattr(details, "reasoning_tokens", None) or 0
    return Usage(prompt, max(completion, (given.total_tokens or 0) - prompt), int(hidden))


def _answer(
    profile: ServerProfile, choice: Choice | CompletionChoice, usage: Usage | None
) -> Answer:
    """Return the response of a choice; its tokens are those that have a log-probability."""
    chat = hasattr(choice, "message")
    reasoning = None
    if chat:
        message = choice.message
        text = message.content or getattr(message, "refusal", None) or ""
        fields = (getattr(message, name, None) for name in profile.reasoning)
        reasoning = next((found for found in fields if found and isinstance(found, str)), None)
    else:
        text = choice.text
    if not isinstance(text, str):
        raise MalformedError("its text is missing")
    ended = str(choice.finish_reason)
    if ended not in REASONS:
        raise MalformedError(f"finish_reason is {choice.finish_reason!r}")
    logprobs = _logprobs(choice, chat=chat)
    thought = bool(reasoning) or (usage is not None and usage.reasoning_tokens > 0)
    known = logprobs and not thought  # log-probabilities are those of the text alone
    return Answer(
        text=text,
        finish_reason=REASONS[ended],
        n_tokens=len(logprobs) if known else None,
        sum_logprob=math.fsum(logprobs) if known else math.nan,
        reasoning=reasoning,
        error=WORDS.get(ended),
    )


def _with_tokens(answers: list[Answer], total: int) -> list[Answer]:
    """Return the responses of one reply with their shares of the tokens that were billed."""
    if len(answers) > 1 and all(answer.n_tokens is not None for answer in answers):
        return answers
    lengths = [1 + len(answer.text) + len(answer.reasoning or "") for answer in answers]
    ends = [round(total * sum(lengths[: i + 1]) / sum(lengths)) for i in range(len(lengths))]
    starts = [0, *ends[:-1]]
    shares = [end - start for start, end in zip(starts, ends, strict=True)]
    return [replace(a, n_tokens=n) for a, n in zip(answers, shares, strict=True)]


def _with_length(answer: Answer, usage: Usage | None, max_tokens: int) -> Answer:
    """Return an answer as `length` if only reasoning came, and reached the limit."""
    thought = answer.reasoning or (usage is not None and usage.reasoning_tokens)
    if thought and not answer.text and (answer.n_tokens or 0) >= max_tokens:
        return replace(answer, finish_reason="length", error=None)
    return answer


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
