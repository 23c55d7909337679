"""Scores of given responses through vLLM's server, which tokenises and returns log-probabilities.

The response's own tokens follow the prompt's. A salt keeps each request out of the prefix cache:
log-probabilities of cached prompts were seen stale (vllm 42019).
"""

from __future__ import annotations

import math
import secrets
from functools import partial
from typing import TYPE_CHECKING, Any

from passk.core.schemas import Score
from passk.engines.base import ScoreRequest
from passk.engines.openai.client import ServerClient
from passk.engines.openai.errors import MalformedError
from passk.engines.openai.messages import Body, chat_messages

if TYPE_CHECKING:
    from openai import AsyncOpenAI
    from openai.types import Completion


async def score_response(
    server_client: ServerClient, request: ScoreRequest, template: Body, client: AsyncOpenAI
) -> Score:
    """Return the score of one response; `template` holds variables of the chat template.

    Eq.: perplexity = exp(-(1/T) sum_t log P(y_t | x, y_<t)) over its T tokens; nan without any.
    """
    prompt = await _prompt_tokens(server_client, request, client, template)
    response = await _response_tokens(server_client, request, prompt, client)
    if not response:
        return Score(request.problem_id, request.sample, 0, 0.0, math.nan)
    call = partial(
        client.completions.create,
        model=server_client.server.model,
        prompt=[*prompt, *response],
        max_tokens=1,
        temperature=0.0,
        extra_body={"prompt_logprobs": 0, "cache_salt": secrets.token_hex(16)},
    )
    total = await server_client.request(call, partial(_read_logprobs, response))
    perplexity = math.exp(-total / len(response))
    return Score(request.problem_id, request.sample, len(response), total, perplexity)


def _read_logprobs(response: list[int], reply: Completion) -> float:
    """Return the sum of the log-probabilities of a prompt's last tokens, the response."""
    try:
        given = reply.choices[0].prompt_logprobs[-len(response) :]
        pairs = zip(response, given, strict=True)
        return math.fsum(float(entry[str(token)]["logprob"]) for token, entry in pairs)
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        raise MalformedError(f"it lacks prompt_logprobs: {error!r}") from error


async def _prompt_tokens(
    server_client: ServerClient, request: ScoreRequest, client: AsyncOpenAI, template: Body
) -> list[int]:
    """Return a prompt's token ids, through the chat template where it is a chat."""
    prompt = request.prompt
    if prompt.text is not None:
        return await _tokenise(server_client, client, prompt=prompt.text + prompt.prefix)
    body = chat_messages(prompt, continues=True)
    return await _tokenise(server_client, client, **body, **template)


async def _response_tokens(
    server_client: ServerClient, request: ScoreRequest, prompt: list[int], client: AsyncOpenAI
) -> list[int]:
    """Return a response's token ids: what follows the prompt's in the whole, where that holds."""
    if request.token_ids:
        return list(request.token_ids)
    if not request.text:
        return []
    text, raw = request.prompt.text, request.prompt.text is not None
    if text is None:
        shown = await _post(server_client, client, "detokenize", {"tokens": prompt}, "prompt")
    else:
        shown = text + request.prompt.prefix
    joined = shown + request.text
    whole = await _tokenise(server_client, client, prompt=joined, add_special_tokens=raw)
    if whole[: len(prompt)] == prompt:
        return whole[len(prompt) :]
    return await _tokenise(server_client, client, prompt=request.text, add_special_tokens=False)


async def _tokenise(server_client: ServerClient, client: AsyncOpenAI, **body: object) -> list[int]:
    """Return the token ids of a text or chat."""
    return list(await _post(server_client, client, "tokenize", body, "tokens"))


async def _post(
    server_client: ServerClient, client: AsyncOpenAI, path: str, body: Body, wanted: str
) -> Any:
    """Return one value of a reply of vLLM's own paths, which are beside /v1."""
    root = server_client.server.endpoint.rstrip("/").removesuffix("/v1")
    body = {"model": server_client.server.model, **body}

    def read(reply: object) -> Any:
        if not isinstance(reply, dict) or wanted not in reply:
            raise MalformedError(f"it lacks '{wanted}'")
        return reply[wanted]

    call = partial(client.post, f"{root}/{path}", cast_to=object, body=body)
    return await server_client.request(call, read)
