"""What can go wrong with a request: whether it may pass, how to say it, and the way out."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus

import openai

from passk.core.errors import EngineError

TRANSIENT = frozenset({408, 409, 425, 429, *range(500, 600)})
"""HTTP statuses worth a retry."""


POLICY_CODES = frozenset(
    {"content_filter", "content_policy_violation", "invalid_prompt", "moderation_blocked"}
)
"""Codes of errors with which servers refuse one prompt for its content (OpenAI, Azure)."""

POLICY_WORDS = ("content policy", "content management policy", "usage policy", "moderation")
"""Phrases of such errors without a code (Azure, OpenRouter)."""

NAMED = re.compile(r"[a-z_]+")


class MalformedError(Exception):
    """A reply that is whole at first sight, but not of the form it should have."""

    def __init__(self, what: str, code: str = "") -> None:
        """Keep the code of the error that it holds, if it is one."""
        super().__init__(what)
        self.code = code


class ExhaustedError(EngineError):
    """A request without a usable answer in any attempt; `reason` is the last trouble."""

    def __init__(self, reason: str, attempts: int, *, where: str, fix: str) -> None:
        """Keep the reason for callers that can do without this one response."""
        super().__init__(f"no usable answer in {attempts} attempts: {reason}", where=where, fix=fix)
        self.reason = reason


class RefusedError(EngineError):
    """A request that the server refuses on every attempt; `reason` is its own message."""

    def __init__(
        self, reason: str, *, where: str, variable: str | None, status: int, parameter: str = ""
    ) -> None:
        """Keep the reason for callers that can do without what was refused."""
        super().__init__(
            f"the server refuses the request ({status}): {reason}",
            where=where,
            fix=_hint(status, variable),
        )
        self.status, self.reason, self.parameter = status, reason, parameter

    def names(self, keys: Iterable[str]) -> list[str]:
        """Return which keys of the request it names, in their order; none if it is no such refusal.

        A single letter counts only in quotes, or as the error's own `param`.
        """
        if self.status not in {HTTPStatus.BAD_REQUEST, HTTPStatus.UNPROCESSABLE_ENTITY}:
            return []
        words = {word for word in NAMED.findall(self.reason.lower()) if len(word) > 1}
        words |= {"logprobs"} if any("logprob" in word for word in words) else set()
        quoted = {word[1:-1] for word in re.findall(r"['\"`][a-z]['\"`]", self.reason)}
        return [key for key in keys if key in words | quoted | {self.parameter}]


class PolicyError(RefusedError):
    """A prompt that the server refuses for its content."""


def is_policy(error: Exception) -> bool:
    """Return whether a server refuses a prompt for its content."""
    if isinstance(error, MalformedError):
        return error.code in POLICY_CODES
    if not isinstance(error, openai.APIStatusError):
        return False
    refused = error.status_code in {HTTPStatus.BAD_REQUEST, HTTPStatus.FORBIDDEN}
    message = describe_error(error, 0).lower()
    return refused and (
        error.code in POLICY_CODES or any(words in message for words in POLICY_WORDS)
    )


def is_retryable(error: Exception) -> bool:
    """Return whether a retry may help."""
    if not isinstance(error, openai.APIStatusError):
        return True
    return error.status_code in TRANSIENT and error.code != "insufficient_quota"


def describe_error(error: Exception, timeout: float) -> str:
    """Return an error in words: the server's own where it gave any."""
    if isinstance(error, TimeoutError | openai.APITimeoutError):
        return f"no whole reply within {timeout:g} s"
    if isinstance(error, openai.APIStatusError):
        message = error.body.get("message") if isinstance(error.body, dict) else error.body
        return str(message or error.message)
    if isinstance(error, openai.APIConnectionError):
        return f"the connection failed ({error.__cause__ or error})"
    return f"the reply is not as it should be ({error})"


def retry_after(error: Exception) -> float | None:
    """Return the seconds that a server says to wait, as a number or until a date (RFC 9110)."""
    if not isinstance(error, openai.APIStatusError):
        return None
    value = error.response.headers.get("retry-after", "")
    try:
        return max(0.0, float(value))
    except ValueError:
        return _until(value)


def _until(date: str) -> float | None:
    """Return the seconds until a date as HTTP writes it, or None where it is none."""
    try:
        return max(0.0, (parsedate_to_datetime(date) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError):
        return None


def no_answer_hint(error: Exception) -> str:
    """Return what a user can do about a server that gave no usable answer."""
    if isinstance(error, openai.APIConnectionError | TimeoutError):
        return (
            "see that the server runs and that `endpoint` is its base URL (it often ends in /v1); "
            "for slow servers lower execution.batch_size or raise execution.timeout"
        )
    return "see the server's own log, then run the same command again: what is finished is kept"


def _hint(status: int, variable: str | None) -> str:
    """Return what a user can do about a refusal."""
    match status:
        case HTTPStatus.UNAUTHORIZED | HTTPStatus.FORBIDDEN if variable is None:
            return (
                "name the environment variable that holds the key: `api_key_env: NAME` in the model"
            )
        case HTTPStatus.UNAUTHORIZED | HTTPStatus.FORBIDDEN:
            return f"put a key that this server accepts into the environment variable {variable}"
        case HTTPStatus.NOT_FOUND:
            return (
                "check `weights` (the name that the server knows) and `endpoint` (often ending in "
                "/v1); a raw-text prompt needs a server with /completions"
            )
        case HTTPStatus.TOO_MANY_REQUESTS:
            return "the account has no quota left: raise it, then run the same command again"
    return "change what it refuses in the sampler or prompt, or start the server with room for it"
