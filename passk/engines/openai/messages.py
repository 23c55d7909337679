"""What is sent to an endpoint, as plain values."""

from __future__ import annotations

import base64
import mimetypes
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from passk.core.errors import EngineError
from passk.engines.base import Prompt, Sampling
from passk.engines.images import Part, chat_with_images
from passk.spec.server_profiles import ServerProfile

Body = dict[str, Any]
"""A part of a request, as JSON."""

SEED_RANGE = 2**31
"""Servers keep a seed in 32 bits, some with a sign: they are sent the seed modulo this."""


def prompt_body(profile: ServerProfile, prompt: Prompt) -> Body:
    """Return a prompt as `prompt` or `messages`, and what makes a server continue its prefix.

    Raises:
        EngineError: the server does not take this prompt.
    """
    if prompt.text is not None and not prompt.images:
        return {"prompt": prompt.text + prompt.prefix}
    return chat_messages(prompt, continues=profile.continues)


def settings_body(profile: ServerProfile, sampling: Sampling, *, chat: bool) -> Body:
    """Return the sampler's settings under the server's names: those that are set and taken.

    Raises:
        EngineError: the server does not take one of them.
    """
    for what in profile.unsupported(sampling):
        raise EngineError(what, fix="change the sampler; docs/engines.md says what servers take")
    found: Body = dict(profile.always)
    for name, value in sampling.document().items():
        resting = value == 0 and name != "temperature"
        if name in profile.takes and not resting and profile.server_defaults.get(name) != value:
            found[name] = value
    found[profile.max_tokens if chat else "max_tokens"] = sampling.max_tokens
    if "logprobs" in profile.takes:
        found["logprobs"] = True if chat else 1
    return found


def chat_messages(prompt: Prompt, *, continues: bool) -> Body:
    """Return a chat as `messages`, and the settings that make a server continue its prefix.

    Raises:
        EngineError: there is a prefix, and the server is not vLLM: others would close the
            assistant's turn and silently open a second one.
    """
    messages: list[Body] = [{"role": r, "content": c} for r, c in prompt.messages]
    if prompt.images:
        messages = [_with_images(role, parts) for role, parts in chat_with_images(prompt)]
    if not prompt.prefix:
        return {"messages": messages}
    if not continues:
        raise EngineError(
            "the prompt begins the assistant's turn, which of servers only vLLM's continues",
            fix="use a prompt without `prefix`, or a raw-text prompt, or `engine: vllm`",
        )
    messages.append({"role": "assistant", "content": prompt.prefix})
    return {
        "messages": messages,
        "continue_final_message": True,
        "add_generation_prompt": False,
    }


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
