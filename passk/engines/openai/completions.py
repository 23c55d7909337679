"""Completions of one server: what it takes, what it has refused, and what it billed."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from passk.core.errors import EngineError
from passk.engines.openai.client import ATTEMPTS, ServerClient
from passk.engines.openai.errors import ExhaustedError, PolicyError, RefusedError
from passk.engines.openai.messages import Body
from passk.engines.openai.replies import Answer, Reply, read_reply
from passk.spec.server_profiles import ServerProfile

if TYPE_CHECKING:
    from openai import AsyncOpenAI

log = logging.getLogger(__name__)

OTHER_NAMES = {"max_tokens": "max_completion_tokens", "max_completion_tokens": "max_tokens"}
"""Settings that some servers know by another name."""

DISPENSABLE = frozenset({"seed", "logprobs"})
"""Settings that a request can go without: no response is distributed otherwise."""

NEUTRAL = {"temperature": 1, "top_p": 1, "top_k": -1, "min_p": 0, "repetition_penalty": 1}
"""Values of the others that change nothing, and can be left out."""


OF_THE_PROMPT = frozenset(
    {"messages", "prompt", "n", "continue_final_message", "add_generation_prompt"}
)
"""Keys of a request that belong to its prompt, not to the settings."""


class CompletionClient:
    """Requests for completions, without what the server has refused.

    Attributes:
        per_request: responses that one request may ask for.
        usage: what finished replies were billed: `responses`, `prompt_tokens`,
            `completion_tokens` and `reasoning_tokens` of the replies that say, and of how many
            responses it is unknown (`without_usage`).
    """

    def __init__(self, client: ServerClient, profile: ServerProfile, per_request: int) -> None:
        """Keep the server and what it takes."""
        self._client, self._profile, self.per_request = client, profile, per_request
        self._refused: set[str] = set()
        self._renamed: dict[str, str] = {}
        names = ("responses", "without_usage")
        tokens = ("prompt_tokens", "completion_tokens", "reasoning_tokens")
        self.usage = dict.fromkeys((*names, *tokens), 0)

    def record(self) -> dict[str, object]:
        """Return what a manifest says of the server."""
        return {
            "server": self._profile.name,
            "usage": dict(self.usage),
            **({"not_sent": sorted(self._refused)} if self._refused else {}),
        }

    async def answers(self, client: AsyncOpenAI, body: Body, max_tokens: int) -> Sequence[Answer]:
        """Ask for responses; one that cannot be had is an answer that says why.

        Raises:
            EngineError: the server refuses every request, or answers none.
        """
        try:
            reply = await self._ask(client, body, max_tokens)
        except PolicyError as error:
            return [Answer("", "refused", 0, error=error.reason)]
        except ExhaustedError as error:
            await self._check_serving(client, body, max_tokens, error)
            try:
                reply = await self._ask(client, body, max_tokens, attempts=1)
            except ExhaustedError:
                return [Answer("", "failed", 0, error=error.reason)]
        return self.count(reply)

    def count(self, reply: Reply) -> Sequence[Answer]:
        """Add what a reply was billed; return its answers."""
        self.usage["responses"] += len(reply.answers)
        if reply.usage is None:
            self.usage["without_usage"] += len(reply.answers)
        else:
            for name, tokens in dataclasses.asdict(reply.usage).items():
                self.usage[name] += tokens
        return reply.answers

    def fit(self, body: Body) -> Body:
        """Return a request without what the server has refused, under the names that it takes."""
        left_out = self._refused | ({"n"} if self.per_request == 1 else set())
        settings = {self._renamed.get(k, k): v for k, v in body.items() if k not in left_out}
        return {"model": self._client.server.model, **settings}

    async def _check_serving(
        self, client: AsyncOpenAI, body: Body, max_tokens: int, error: ExhaustedError
    ) -> None:
        """Raise the error if the server does not answer a trivial request of the same form."""
        trivial: Body = {"messages": [{"role": "user", "content": "Hi"}]}
        if "messages" not in body:
            trivial = {"prompt": "Hi"}
        settings = {k: v for k, v in body.items() if k not in OF_THE_PROMPT}
        try:
            await self._ask(client, settings | trivial, max_tokens, attempts=1)
        except EngineError:
            raise error from None

    async def _ask(
        self, client: AsyncOpenAI, body: Body, max_tokens: int, attempts: int = ATTEMPTS
    ) -> Reply:
        """Return the reply to a request, without what the server has refused."""
        chat = "messages" in body
        create = client.chat.completions.create if chat else client.completions.create
        given = "messages" if chat else "prompt"
        lessons = 0
        while True:
            settings = self.fit(body)
            known = {name: settings.pop(name) for name in ("model", given)}
            call = partial(create, **known, extra_body=settings)
            read = partial(read_reply, self._profile, max_tokens)
            try:
                return await self._client.request(call, read, attempts)
            except RefusedError as error:
                lessons += 1
                if lessons > len(body) or not self.learn(error, settings):
                    raise

    def learn(self, error: RefusedError, sent: Body) -> bool:
        """Note what the server refuses; return whether the request can go without it."""
        for name in () if isinstance(error, PolicyError) else error.names(sent):
            other = OTHER_NAMES.get(name)
            if other is not None and other in error.reason:
                change = f"sends {other} in place of {name}"
                known = self._renamed.get(name) == other
                self._renamed[name] = other
            elif name == "n":
                change, known = "asks for one response a request", self.per_request == 1
                self.per_request = 1
            elif name in DISPENSABLE or sent[name] == NEUTRAL.get(name):
                change, known = f"leaves out {name}", name in self._refused
                self._refused.add(name)
            else:
                continue
            if not known:
                log.warning(
                    "%s: %s from now on: %s", self._client.server.where, change, error.reason
                )
            return True
        return False
