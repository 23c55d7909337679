"""What real OpenAI-compatible servers refuse, for the mock server of tests.

Written from the servers' documentation and error messages, apart from the profiles of passk, so
that one can be held against the other. A rule returns the status and the error of a refusal, or
None.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Rule = Callable[[dict[str, Any]], tuple[int, dict[str, Any]] | None]

COMMON = {"model", "messages", "prompt", "temperature", "top_p", "stop", "stream"}


def unsupported(name: str, instead: str = "") -> tuple[int, dict[str, Any]]:
    """OpenAI's refusal of a parameter."""
    message = f"Unsupported parameter: '{name}' is not supported with this model.{instead}"
    return 400, {"message": message, "param": name, "code": "unsupported_parameter"}


def openai(body: dict[str, Any]) -> tuple[int, dict[str, Any]] | None:
    """Chat models: unknown arguments are refused by name."""
    known = COMMON | {
        *("max_tokens", "max_completion_tokens", "seed", "frequency_penalty", "logprobs", "n"),
        *("service_tier", "reasoning_effort"),
    }
    for name in body.keys() - known:
        return 400, {"message": f"Unrecognized request argument supplied: {name}"}
    return None


def openai_reasoning(body: dict[str, Any]) -> tuple[int, dict[str, Any]] | None:
    """The o-series and GPT-5."""
    if "max_tokens" in body:
        return unsupported("max_tokens", " Use 'max_completion_tokens' instead.")
    for name in ("logprobs", "frequency_penalty", "stop"):
        if name in body:
            return unsupported(name)
    for name in ("temperature", "top_p"):
        if body.get(name, 1) != 1:
            message = f"Unsupported value: '{name}' does not support {body[name]} with this model."
            return 400, {"message": f"{message} Only the default (1) value is supported."}
    return openai(body)


def openai_reasoning_strict(body: dict[str, Any]) -> tuple[int, dict[str, Any]] | None:
    """Deployments that refuse the parameters even at their defaults."""
    for name in ("temperature", "top_p", "seed"):
        if name in body:
            return unsupported(name)
    return openai_reasoning(body)


def anthropic(body: dict[str, Any]) -> tuple[int, dict[str, Any]] | None:
    """Recent models refuse temperature with top_p, and all of them any n but 1."""
    if {"temperature", "top_p"} <= body.keys():
        message = "`temperature` and `top_p` cannot both be specified for this model."
        return 400, {"message": message, "type": "invalid_request_error"}
    if body.get("n", 1) != 1:
        return 400, {"message": "'n' must be 1"}
    if body.get("temperature", 0) > 1:
        return 400, {"message": "the test's own: it would be capped without a word"}
    return None


def gemini(body: dict[str, Any]) -> tuple[int, dict[str, Any]] | None:
    """Unknown names are refused by the JSON parser."""
    known = COMMON | {"max_tokens", "max_completion_tokens", "n", "frequency_penalty"}
    for name in body.keys() - known:
        message = f'Invalid JSON payload received. Unknown name "{name}": Cannot find field.'
        return 400, {"message": message, "code": 400}
    return None


def deepseek(body: dict[str, Any]) -> tuple[int, dict[str, Any]] | None:
    """The reasoner refuses log-probabilities."""
    if "logprobs" in body:
        return 400, {"message": "deepseek-reasoner does not support logprobs"}
    return None


def openrouter(body: dict[str, Any]) -> tuple[int, dict[str, Any]] | None:
    """The test's own: a provider may ignore settings unless the request forbids it."""
    if not body.get("provider", {}).get("require_parameters"):
        return 400, {"message": "settings may be ignored"}
    return None


def filtering(body: dict[str, Any]) -> tuple[int, dict[str, Any]] | None:
    """The test's own: the server would filter by defaults of its own."""
    for name in ("temperature", "top_p", "top_k", "min_p"):
        if name not in body:
            return 400, {"message": f"the server's own default of {name} applies"}
    return None


def ollama(body: dict[str, Any]) -> tuple[int, dict[str, Any]] | None:
    """The test's own: it would ignore these without a word."""
    for name in ("top_k", "min_p", "n", "chat_template_kwargs"):
        if name in body:
            return 400, {"message": f"{name} would be ignored"}
    return None


RULES: dict[str, Rule] = {
    "openai": openai,
    "openai-reasoning": openai_reasoning,
    "anthropic": anthropic,
    "gemini": gemini,
    "deepseek": deepseek,
    "openrouter": openrouter,
    "vllm": filtering,
    "sglang": filtering,
    "llamacpp": filtering,
    "ollama": ollama,
}
"""Server -> what it refuses."""
