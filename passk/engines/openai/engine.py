"""Sampling and scoring through an OpenAI-compatible endpoint."""

from __future__ import annotations

import logging
import math
import os
from collections.abc import Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING

from passk.core.errors import EngineError
from passk.core.schemas import Sample, Score
from passk.engines.base import ModelSource, Request, Sampling, ScoreRequest
from passk.engines.openai.client import MOST_CONNECTIONS, Job, Server, ServerClient
from passk.engines.openai.errors import RefusedError
from passk.engines.openai.messages import Answer, Body, read_answer, request_body
from passk.engines.openai.scoring import score_response

if TYPE_CHECKING:
    from openai import AsyncOpenAI
    from openai.pagination import AsyncPage
    from openai.types import Model

log = logging.getLogger(__name__)

CONCURRENCY = 32
"""Requests in flight where execution.batch_size does not say."""

TIMEOUT = 600.0
"""Seconds for one reply where execution.timeout does not say."""

SLOWEST = 10.0
"""Tokens per second: a long response is given the time that it takes at this speed."""

LOAD_ATTEMPTS, LOAD_TIMEOUT = 3, 30.0
"""Attempts, and seconds each, to list a server's models at the start: a missing server should be
reported soon."""


class OpenAIEngine:
    """A model behind an endpoint.

    A response's `seed` is its own; the server is sent it modulo 2^31. `token_ids` and
    `prompt_digest` are empty, since the server tokenises and does not say how; `mean_entropy` is
    nan, and so is `sum_logprob` where the server gives no log-probabilities.

    Attributes:
        usage: tokens that finished responses were billed, by `prompt_tokens` and
            `completion_tokens`, and `responses`.
    """

    packages: tuple[str, ...] = ("openai",)
    device = "endpoint"
    dtype = ""
    vocabulary = ""

    def __init__(self, server_client: ServerClient, owner: str, timeout: float | None) -> None:
        """Keep the server; `owner` is what its list of models says that it is."""
        self._client, self._owner, self._timeout = server_client, owner, timeout
        self._logprobs = True
        self.usage = {"responses": 0, "prompt_tokens": 0, "completion_tokens": 0}

    @classmethod
    def load(cls, model: ModelSource) -> OpenAIEngine:
        """See `Engine.load`: the server must answer.

        Raises:
            EngineError: no endpoint is named, the variable of the key is not set, or the server
                cannot be reached.
        """
        if model.endpoint is None:
            raise EngineError(
                "no endpoint is named",
                where=model.weights,
                fix="give the model `endpoint: URL`, such as http://127.0.0.1:8000/v1",
            )
        server = Server(
            model=model.weights,
            endpoint=model.endpoint,
            variable=model.api_key_env,
            key=_read_key(model.api_key_env, model.weights),
            concurrency=min(model.execution.get("batch_size", CONCURRENCY), MOST_CONNECTIONS),
            timeout=LOAD_TIMEOUT,
        )
        server_client = ServerClient(server)
        return cls(server_client, _owner(server_client), model.execution.get("timeout"))

    def sample(self, requests: Sequence[Request], sampling: Sampling) -> Iterator[Sample]:
        """See `Engine.sample`."""
        self._client.set_timeout(self._timeout or max(TIMEOUT, sampling.max_tokens / SLOWEST))
        return self._client.run(self._jobs(requests, sampling))

    def score(self, requests: Sequence[ScoreRequest]) -> Iterator[Score]:
        """See `Engine.score`; it takes vLLM's server.

        Raises:
            EngineError: the server is another.
        """
        if self._owner != "vllm":
            raise EngineError(
                "this server gives no log-probabilities of a given response",
                where=self._client.server.where,
                fix="score with `engine: transformers`, `engine: vllm`, or vLLM's own server",
            )
        self._client.set_timeout(self._timeout or TIMEOUT)
        return self._client.run(partial(score_response, self._client, r) for r in requests)

    def _jobs(self, requests: Sequence[Request], sampling: Sampling) -> Iterator[Job[Sample]]:
        """Yield one job per response."""
        model = self._client.server.model
        for request in requests:
            for sample, seed in zip(request.samples, request.seeds, strict=True):
                body = request_body(model, self._owner, request.prompt, sampling, seed)
                yield partial(self._draw, request.problem_id, sample, seed, body)

    async def _draw(
        self, problem_id: str, sample: int, seed: int, body: Body, client: AsyncOpenAI
    ) -> Sample:
        """Return one response."""
        answer = await self._answer(client, body)
        self.usage["responses"] += 1
        self.usage["prompt_tokens"] += answer.prompt_tokens
        self.usage["completion_tokens"] += answer.n_tokens
        if answer.finish_reason == "length" and answer.n_tokens < body["max_tokens"]:
            log.warning(
                "problem %s, response %d: the server cut it at %d of %d tokens; its context may "
                "be too short",
                *(problem_id, sample, answer.n_tokens, body["max_tokens"]),
            )
        return Sample(
            problem_id=problem_id,
            sample=sample,
            seed=seed,
            text=answer.text,
            token_ids=[],
            n_tokens=answer.n_tokens,
            finish_reason=answer.finish_reason,
            sum_logprob=answer.sum_logprob,
            mean_entropy=math.nan,
        )

    async def _answer(self, client: AsyncOpenAI, body: Body) -> Answer:
        """Ask for a response, without log-probabilities where the server refuses them."""
        chat = "messages" in body
        create = client.chat.completions.create if chat else client.completions.create
        if self._logprobs:
            wanted = {"logprobs": True if chat else 1}
            try:
                return await self._client.request(partial(create, **body, **wanted), read_answer)
            except RefusedError as error:
                if error.status not in {400, 422} or "logprob" not in error.reason.lower():
                    raise
                if self._logprobs:
                    log.warning("the server gives no log-probabilities: %s", error.reason)
                self._logprobs = False
        return await self._client.request(partial(create, **body), read_answer)


def _read_key(variable: str | None, where: str) -> str | None:
    """Return the key that an environment variable holds; None where none is named.

    Raises:
        EngineError: the variable is not set or holds no key; the message never shows it.
    """
    if variable is None:
        return None
    key = os.environ.get(variable, "").strip()
    if not key:
        raise EngineError(
            f"the environment variable {variable}, which should hold the key, is not set",
            where=where,
            fix=f"export {variable}=..., or leave `api_key_env` out where the server needs none",
        )
    if not (key.isascii() and key.isprintable()):
        raise EngineError(
            f"the environment variable {variable} holds characters that no key has", where=where
        )
    return key


def _owner(server_client: ServerClient) -> str:
    """Return what a server says that it is (`vllm`, `llamacpp`, ...); empty where it does not.

    Raises:
        EngineError: it cannot be reached.
    """

    def read(models: AsyncPage[Model]) -> str:
        listed = getattr(models, "data", None) or ()
        owners = {getattr(m, "id", None): getattr(m, "owned_by", None) for m in listed}
        return str(owners.get(server_client.server.model) or "")

    async def ask(client: AsyncOpenAI) -> str:
        return await server_client.request(client.models.list, read, LOAD_ATTEMPTS)

    try:
        return next(server_client.run([ask]))
    except RefusedError:  # not every server lists its models, nor to every key
        return ""
