"""Asking a server: bounded concurrency, retries, and messages that never hold the key."""

from __future__ import annotations

import asyncio
import itertools
import logging
import random
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import TypeVar

import openai

from passk.core.errors import EngineError
from passk.engines.openai.errors import (
    ExhaustedError,
    MalformedError,
    PolicyError,
    RefusedError,
    describe_error,
    is_policy,
    is_retryable,
    no_answer_hint,
    retry_after,
)

log = logging.getLogger(__name__)

ATTEMPTS = 8
"""Attempts per response, about a minute in all, before the run stops."""

FIRST_DELAY, LONGEST_DELAY = 0.5, 60.0
"""Seconds before the second attempt, doubled for each further one, up to the longest."""

POLICY_ATTEMPTS = 3
"""Attempts of a prompt that is refused for its content."""

LONGEST_WAIT = 600.0
"""Seconds that a server may ask us to wait (Retry-After) unless execution.max_retry_after says;
more ends the run."""

MOST_CONNECTIONS = 1000
"""What the official client opens at once at the most; more would wait in its queue unseen."""

Reply = TypeVar("Reply")
Raw = TypeVar("Raw")
Row = TypeVar("Row")
Job = Callable[[openai.AsyncOpenAI], Coroutine[None, None, Row]]
"""Makes one row, given the client."""


@dataclass(frozen=True, slots=True)
class Server:
    """Whom to ask, and how.

    Attributes:
        model: the name that the server knows the model by.
        endpoint: its base URL.
        variable: name of the environment variable that the key came from, if any.
        key: the key itself, or None.
        concurrency: requests in flight at the most.
        timeout: seconds for one whole reply.
        longest_wait: seconds that it may ask us to wait.
    """

    model: str
    endpoint: str
    variable: str | None
    key: str | None = field(repr=False)
    concurrency: int
    timeout: float
    longest_wait: float = LONGEST_WAIT

    @property
    def where(self) -> str:
        """The server in a message."""
        return f"{self.model} at {self.endpoint}"

    def client(self) -> openai.AsyncOpenAI:
        """Return a client that leaves retries to us, and takes no key from the environment."""
        return openai.AsyncOpenAI(
            base_url=self.endpoint,
            api_key=self.key or "none",
            max_retries=0,
            timeout=self.timeout,
        )

    def describe(self, error: Exception) -> str:
        """Return an error as one short line without the key, whoever put it there."""
        line = " ".join(describe_error(error, self.timeout).split())
        return (line.replace(self.key, "***") if self.key else line)[:300]


class ServerClient:
    """Requests to one server; `finished` counts the replies that were read."""

    def __init__(self, server: Server) -> None:
        """Keep whom to ask."""
        self.server = server
        self.finished = 0

    def set_timeout(self, seconds: float) -> None:
        """Give the server another time for each reply from now on."""
        self.server = replace(self.server, timeout=seconds)

    def run(self, jobs: Iterable[Job[Row]]) -> Iterator[Row]:
        """Yield the result of each job, given the client, as soon as it is there.

        At most `concurrency` of them are at work at once. Where one fails, what is finished is
        yielded first and the others are dropped.
        """
        waiting = iter(jobs)
        pending: set[asyncio.Task[Row]] = set()
        with asyncio.Runner() as runner:
            client = self.server.client()
            try:
                while True:
                    free = self.server.concurrency - len(pending)
                    for job in itertools.islice(waiting, free):
                        pending.add(runner.get_loop().create_task(job(client)))
                    if not pending:
                        return
                    done, pending = runner.run(_first_of(pending))
                    yield from _results(done)
            finally:
                runner.run(_cancel(pending, client))

    async def request(
        self,
        call: Callable[[], Awaitable[Raw]],
        read: Callable[[Raw], Reply],
        attempts: int = ATTEMPTS,
    ) -> Reply:
        """Return a reply as `read` reads it; ask again while the trouble may pass.

        Raises:
            RefusedError: the server refuses the request; PolicyError: for its content.
            ExhaustedError: it did not answer, or not in a usable form, in any attempt.
            EngineError: it asks to wait for too long.
        """
        failed, seen = 0, self.finished
        while True:
            try:
                async with asyncio.timeout(self.server.timeout):
                    reply = read(await call())
            except (openai.OpenAIError, TimeoutError, MalformedError, ValueError) as error:
                failure: Exception = error
            else:
                self.finished += 1
                return reply
            # A server that limits the rate, but serves others, will come to this one.
            served = isinstance(failure, openai.RateLimitError) and self.finished > seen
            failed, seen = (1 if served else failed + 1), self.finished
            await asyncio.sleep(self._delay(failure, failed, attempts))

    def _delay(self, error: Exception, failed: int, attempts: int) -> float:
        """Return the seconds to wait before the next attempt: longer each time, with jitter.

        What is raised has no cause: the client's own errors may hold the key.

        Raises:
            EngineError: there is to be no next attempt.
        """
        server, message = self.server, self.server.describe(error)
        if is_policy(error):
            if failed >= POLICY_ATTEMPTS:
                raise PolicyError(message, where=server.where, variable=None, status=400)
        elif not is_retryable(error) and isinstance(error, openai.APIStatusError):
            raise RefusedError(
                message,
                where=server.where,
                variable=server.variable,
                status=error.status_code,
                parameter=error.param or "",
            )
        if failed >= attempts:
            fix = no_answer_hint(error)
            raise ExhaustedError(message, attempts, where=server.where, fix=fix)
        wait = retry_after(error) or 0.0
        if wait > server.longest_wait:
            raise EngineError(
                f"the server asks to wait {wait:.0f} s",
                where=server.where,
                fix="run the same command again later: what is finished is kept; or raise "
                "execution.max_retry_after to wait",
            )
        longest = min(LONGEST_DELAY, FIRST_DELAY * 2 ** (failed - 1))
        delay = wait + random.uniform(longest / 2, longest)  # noqa: S311 - spreads the load
        log.info("%s: %s; again in %.1f s", server.where, message, delay)
        return delay


async def _first_of(
    pending: set[asyncio.Task[Row]],
) -> tuple[set[asyncio.Task[Row]], set[asyncio.Task[Row]]]:
    """Wait for the first of some tasks; return those that are done, and the others."""
    return await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)


def _results(done: Iterable[asyncio.Task[Row]]) -> Iterator[Row]:
    """Yield the results of finished tasks, then raise what the first failed one raised."""
    for task in sorted(done, key=lambda task: task.exception() is not None):
        yield task.result()


async def _cancel(pending: Iterable[asyncio.Task[Row]], client: openai.AsyncOpenAI) -> None:
    """Drop what is still in flight."""
    for task in pending:
        task.cancel()
    await asyncio.gather(*pending, return_exceptions=True)
    await client.close()
