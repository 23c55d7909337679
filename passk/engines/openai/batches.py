"""OpenAI's Batch API: a file of requests that is answered within a day, at half the price.

A folder beside the output holds the requests that were sent (`requests.jsonl`) and which batch they
became (`batch.json`). A run that was killed, or stopped for days, takes the batch up from there.
"""

from __future__ import annotations

import json
import logging
from asyncio import sleep
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any

from openai.types import Completion
from openai.types.chat import ChatCompletion

from passk.core.artifacts import digest, read_json, write_json, write_text
from passk.core.errors import EngineError
from passk.core.schemas import FinishReason
from passk.engines.openai.client import ServerClient
from passk.engines.openai.completions import CompletionClient
from passk.engines.openai.errors import POLICY_CODES, MalformedError, RefusedError
from passk.engines.openai.messages import Body
from passk.engines.openai.replies import Answer, read_reply
from passk.spec.server_profiles import ServerProfile

if TYPE_CHECKING:
    from openai import AsyncOpenAI
    from openai.types import Batch

log = logging.getLogger(__name__)

MAX_REQUESTS = 50_000
"""Requests of one batch at the most (https://platform.openai.com/docs/guides/batch)."""

POLL_SECONDS = 60.0
"""Seconds between two looks at a batch."""

ROUNDS = 3
"""Batches that a request is in before its response counts as refused or failed."""

REFUSALS = frozenset({HTTPStatus.BAD_REQUEST, HTTPStatus.UNPROCESSABLE_ENTITY})

FINAL = frozenset({"completed", "failed", "expired", "cancelled"})
"""States of a batch that do not change any more."""


@dataclass(frozen=True, slots=True)
class BatchRequest:
    """One response to ask for."""

    problem_id: str
    sample: int
    seed: int
    body: Body

    @property
    def name(self) -> str:
        """Its `custom_id` in a batch."""
        return digest([self.problem_id, self.sample, self.seed])


class BatchClient:
    """Batches of one server, taken up again from a folder."""

    def __init__(
        self,
        client: ServerClient,
        completions: CompletionClient,
        profile: ServerProfile,
        folder: Path,
    ) -> None:
        """Keep the server, what it takes, and the folder."""
        self._client, self._completions, self._profile = client, completions, profile
        self._requests, self._state = folder / "requests.jsonl", folder / "batch.json"

    async def run(
        self, requests: Sequence[BatchRequest], max_tokens: int, client: AsyncOpenAI
    ) -> list[tuple[BatchRequest, Answer]]:
        """Return an answer to each request; what a batch leaves out goes into another one.

        Raises:
            EngineError: the server refuses all requests, or the batch itself.
        """
        left = {request.name: request for request in requests}
        found: list[tuple[BatchRequest, Answer]] = []
        undrawn: dict[str, Answer] = {}
        for _ in range(ROUNDS):
            sent = {name: self._completions.fit(request.body) for name, request in left.items()}
            lines = await self._batch(sent, client)
            learnt = False
            for name in lines.keys() & left.keys():
                try:
                    reply = read_reply(self._profile, max_tokens, _completion(lines[name]))
                except MalformedError as error:
                    ended: FinishReason = "refused" if error.code in POLICY_CODES else "failed"
                    undrawn[name] = Answer("", ended, 0, error=str(error))
                except RefusedError as error:
                    learnt |= self._completions.learn(error, sent[name])
                    undrawn[name] = Answer("", "failed", 0, error=error.reason)
                else:
                    found.append((left.pop(name), self._completions.count(reply)[0]))
            if not left:
                break
            if not found and not learnt and len(undrawn) == len(left):
                raise EngineError(
                    f"the server refuses every request: {next(iter(undrawn.values())).error}",
                    where=self._client.server.where,
                    fix="change what it refuses in the model, sampler or prompt",
                )
        missing = Answer("", "failed", 0, error="no batch had a reply to it")
        return found + [(request, undrawn.get(name, missing)) for name, request in left.items()]

    async def _batch(self, bodies: Mapping[str, Body], client: AsyncOpenAI) -> Mapping[str, Any]:
        """Return the lines of the batch that is under way, or of a new one, by `custom_id`.

        Raises:
            EngineError: the server refuses the batch.
        """
        batch = await self._resumed(client) or await self._submitted(bodies, client)
        while batch.status not in FINAL:
            log.info("batch %s is %s", batch.id, batch.status)
            await sleep(POLL_SECONDS)
            batch = await self._call(partial(client.batches.retrieve, batch.id))
        self._state.unlink(missing_ok=True)
        if batch.status == "failed":
            faults = (batch.errors.data if batch.errors else None) or []
            raise EngineError(
                f"batch {batch.id} failed: {'; '.join(str(one.message) for one in faults)}",
                where=self._client.server.where,
                fix="see the batch in the server's own pages, then run the same command again",
            )
        lines = {}
        for file in filter(None, (batch.output_file_id, batch.error_file_id)):
            content = await self._call(partial(client.files.content, file))
            for line in content.text.splitlines():
                entry = json.loads(line)
                lines[entry["custom_id"]] = entry
        return lines

    async def _resumed(self, client: AsyncOpenAI) -> Batch | None:
        """Return the batch that an earlier run sent, if any.

        A run may have been killed after it sent the batch and before it noted which it became.
        """
        if not self._state.is_file():
            return None
        state = read_json(self._state)
        if "batch" in state:
            log.info("taking up batch %s", state["batch"])
            return await self._call(partial(client.batches.retrieve, state["batch"]))
        page = await self._call(partial(client.batches.list, limit=100))
        same = (batch for batch in page.data if batch.input_file_id == state["file"])
        return next(same, None)

    async def _submitted(self, bodies: Mapping[str, Body], client: AsyncOpenAI) -> Batch:
        """Send a new batch; note which it is."""
        chat = any("messages" in body for body in bodies.values())
        url = "/v1/chat/completions" if chat else "/v1/completions"
        lines = (
            {"custom_id": name, "method": "POST", "url": url, "body": body}
            for name, body in bodies.items()
        )
        write_text(self._requests, "".join(json.dumps(line) + "\n" for line in lines))
        content = (self._requests.name, self._requests.read_bytes())
        file = await self._call(partial(client.files.create, file=content, purpose="batch"))
        write_json(self._state, {"file": file.id})
        create = partial(
            client.batches.create,
            input_file_id=file.id,
            endpoint=url,
            completion_window="24h",
        )
        batch = await self._call(create)
        write_json(self._state, {"file": file.id, "batch": batch.id})
        log.info("%d requests are batch %s", len(bodies), batch.id)
        return batch

    async def _call(self, call: Any) -> Any:
        """Return what a call of the official client returns, asked again while it may pass."""
        return await self._client.request(call, lambda found: found)


def _completion(line: Mapping[str, Any]) -> ChatCompletion | Completion:
    """Return the completion of a line of a batch's output.

    Raises:
        MalformedError: it holds an error that a retry may mend, or that is about the content.
        RefusedError: the server refuses the request.
    """
    response = line.get("response") or {}
    body = response.get("body") or {}
    status = int(response.get("status_code") or 0)
    fault = line.get("error") or body.get("error")
    if fault or status != HTTPStatus.OK:
        fault = fault if isinstance(fault, dict) else {"message": str(fault)}
        code, message = str(fault.get("code") or ""), str(fault.get("message"))
        if (
            status in {HTTPStatus.BAD_REQUEST, HTTPStatus.UNPROCESSABLE_ENTITY}
            and code not in POLICY_CODES
        ):
            raise RefusedError(
                message, where="", variable=None, status=status, parameter=str(fault.get("param"))
            )
        raise MalformedError(message, code)
    kind = ChatCompletion if "message" in (body.get("choices") or [{}])[0] else Completion
    return kind.construct(**body)
