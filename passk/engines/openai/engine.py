"""Sampling and scoring through an OpenAI-compatible endpoint."""

from __future__ import annotations

import logging
import math
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from passk.core.errors import EngineError
from passk.core.schemas import Sample, Score
from passk.engines.base import ModelSource, Request, Sampling, ScoreRequest
from passk.engines.openai.batches import MAX_REQUESTS, BatchClient, BatchRequest
from passk.engines.openai.client import (
    LONGEST_WAIT,
    MOST_CONNECTIONS,
    Job,
    Server,
    ServerClient,
)
from passk.engines.openai.completions import CompletionClient
from passk.engines.openai.errors import RefusedError
from passk.engines.openai.messages import SEED_RANGE, Body, prompt_body, settings_body
from passk.engines.openai.replies import Answer
from passk.engines.openai.scoring import score_response
from passk.spec.server_profiles import OTHER, ServerProfile, profile_of, server_profiles

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

SELF_NAMED = frozenset({"vllm", "llamacpp", "sglang"})
"""Servers whose list of models says what they are."""

LOAD_ATTEMPTS, LOAD_TIMEOUT = 3, 30.0
"""Attempts, and seconds each, to list a server's models at the start: a missing server should be
reported soon."""


class OpenAIEngine:
    """A model behind an endpoint.

    A response's `seed` is its own; the server is sent it modulo 2^31 (that of the first one, if a
    request asks for several). `token_ids` and `prompt_digest` are empty, since the server tokenises
    and does not say how; `mean_entropy` is nan, and so is `sum_logprob` where the server gives no
    log-probabilities, or none of its reasoning.

    Attributes:
        workspace: folder that may keep what a later run can take up (a batch that is under way).

    """

    packages: tuple[str, ...] = ("openai",)
    device = "endpoint"
    dtype = ""
    vocabulary = ""

    def __init__(
        self, server_client: ServerClient, profile: ServerProfile, model: ModelSource
    ) -> None:
        """Keep the server, what it takes, and what the spec passes on to it."""
        self.workspace: Path | None = None
        self._client, self._profile, self._model = server_client, profile, model
        per_request = model.execution.get("responses_per_request", 1)
        self._completions = CompletionClient(server_client, profile, min(per_request, profile.n))

    @classmethod
    def load(cls, model: ModelSource) -> OpenAIEngine:
        """See `Engine.load`: the server must answer.

        Raises:
            EngineError: no endpoint is named, the variable of the key is not set, the server
                cannot be reached, or is another than `api` says.
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
            longest_wait=model.execution.get("max_retry_after", LONGEST_WAIT),
        )
        server_client = ServerClient(server)
        return cls(server_client, _profile(model, _owner(server_client)), model)

    def record(self) -> dict[str, object]:
        """Return what a manifest says of the server."""
        return self._completions.record()

    def sample(self, requests: Sequence[Request], sampling: Sampling) -> Iterator[Sample]:
        """See `Engine.sample`.

        A response that the server refuses for its content, or that fails while the server answers
        others, is a row that says so.
        """
        timeout = self._model.execution.get("timeout")
        self._client.set_timeout(timeout or max(TIMEOUT, sampling.max_tokens / SLOWEST))
        if self._model.execution.get("batch_api"):
            yield from self._sample_by_batch(requests, sampling)
            return
        for rows in self._client.run(self._jobs(requests, sampling)):
            yield from rows

    def _sample_by_batch(self, requests: Sequence[Request], sampling: Sampling) -> Iterator[Sample]:
        """Yield responses that OpenAI's Batch API gives.

        Raises:
            EngineError: the server has none, or refuses the requests.
        """
        if not self._profile.batch:
            raise EngineError(
                f"the server ('{self._profile.name}') has no Batch API",
                where=self._client.server.where,
                fix="leave `execution.batch_api` out, or say `api: openai`",
            )
        jobs = []
        for request in requests:
            body = self._body(request, sampling)
            for sample, seed in zip(request.samples, request.seeds, strict=True):
                own = body | self._seed(seed)
                jobs.append(BatchRequest(request.problem_id, sample, seed, own))
        folder = self.workspace or Path(tempfile.mkdtemp(prefix="passk-batch-"))
        batches = BatchClient(self._client, self._completions, self._profile, folder)
        for first in range(0, len(jobs), MAX_REQUESTS):
            some = jobs[first : first + MAX_REQUESTS]
            for answered in self._client.run([partial(batches.run, some, sampling.max_tokens)]):
                for job, answer in answered:
                    yield _row(job.problem_id, job.sample, job.seed, answer)
        shutil.rmtree(folder, ignore_errors=True)

    def _body(self, request: Request, sampling: Sampling) -> Body:
        """Return a request to the server, but for the seed."""
        body = prompt_body(self._profile, request.prompt)
        chat = "messages" in body
        body |= settings_body(self._profile, sampling, chat=chat)
        return body | self._template(chat=chat) | dict(self._model.extra_body)

    def _seed(self, seed: int) -> Body:
        """Return a response's seed as the server takes it, if it takes any."""
        return {"seed": seed % SEED_RANGE} if "seed" in self._profile.takes else {}

    def score(self, requests: Sequence[ScoreRequest]) -> Iterator[Score]:
        """See `Engine.score`; it takes vLLM's server.

        Raises:
            EngineError: the server is another.
        """
        if self._profile.name != "vllm":
            raise EngineError(
                "this server gives no log-probabilities of a given response",
                where=self._client.server.where,
                fix="score with `engine: transformers`, `engine: vllm`, or vLLM's own server",
            )
        self._client.set_timeout(self._model.execution.get("timeout") or TIMEOUT)
        template = self._template(chat=True)
        return self._client.run(
            partial(score_response, self._client, request, template) for request in requests
        )

    def _jobs(self, requests: Sequence[Request], sampling: Sampling) -> Iterator[Job[list[Sample]]]:
        """Yield one job per request to the server."""
        for request in requests:
            body = self._body(request, sampling)
            pairs = zip(request.samples, request.seeds, strict=True)
            for some in batched(pairs, self._completions.per_request):
                yield partial(self._draw, request.problem_id, some, body, sampling)

    def _template(self, *, chat: bool) -> Body:
        """Return the variables of the chat template as servers take them."""
        kwargs = dict(self._model.chat_template_kwargs)
        return {"chat_template_kwargs": kwargs} if chat and kwargs else {}

    async def _draw(
        self,
        problem_id: str,
        wanted: Sequence[tuple[int, int]],
        body: Body,
        sampling: Sampling,
        client: AsyncOpenAI,
    ) -> list[Sample]:
        """Return the responses with some (sample, seed); a server may give fewer at a time."""
        rows: list[Sample] = []
        while len(rows) < len(wanted):
            left = wanted[len(rows) :]
            own = self._seed(left[0][1])
            if self._completions.per_request > 1 and len(left) > 1:
                own["n"] = len(left)
            answers = await self._completions.answers(client, body | own, sampling.max_tokens)
            for (sample, seed), answer in zip(left, answers, strict=False):
                if (
                    answer.finish_reason == "length"
                    and 0 < (answer.n_tokens or 0) < sampling.max_tokens
                ):
                    log.warning(
                        "problem %s, response %d: the server cut it at %d of %d tokens; its "
                        "context may be too short",
                        *(problem_id, sample, answer.n_tokens, sampling.max_tokens),
                    )
                rows.append(_row(problem_id, sample, seed, answer))
        return rows


def batched(pairs: Iterable[tuple[int, int]], size: int) -> Iterator[list[tuple[int, int]]]:
    """Yield (sample, seed) pairs, `size` at a time."""
    left = list(pairs)
    yield from (left[start : start + size] for start in range(0, len(left), size))


def _row(problem_id: str, sample: int, seed: int, answer: Answer) -> Sample:
    """Return an answer as a row; unknown tokens are 0."""
    return Sample(
        problem_id=problem_id,
        sample=sample,
        seed=seed,
        text=answer.text,
        token_ids=[],
        n_tokens=answer.n_tokens or 0,
        finish_reason=answer.finish_reason,
        sum_logprob=answer.sum_logprob,
        mean_entropy=math.nan,
        reasoning=answer.reasoning,
        error=answer.error,
    )


def _profile(model: ModelSource, owner: str) -> ServerProfile:
    """Return what the server takes: as the spec says, as its host, or its list of models.

    Raises:
        EngineError: the list of models says that it is another server than `api`.
    """
    profiles = server_profiles()
    own = profiles.get(owner) if owner in SELF_NAMED else None
    stated = profile_of(model.api, model.endpoint)
    if own is not None and model.api not in {None, own.name}:
        raise EngineError(
            f"the server says that it is {own.name}, and the spec says `api: {model.api}`",
            where=str(model.endpoint),
            fix=f"say `api: {own.name}`, or leave `api` out",
        )
    found = stated or own or profiles[OTHER]
    if model.chat_template_kwargs and not found.chat_template_kwargs:
        raise EngineError(
            f"the server ('{found.name}') takes no chat_template_kwargs",
            where=str(model.endpoint),
            fix="leave it out, or say what the server takes under `extra_body`",
        )
    return found


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
