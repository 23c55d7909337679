"""A small OpenAI-compatible server on 127.0.0.1 that fails on purpose, for tests.

A response is decided by its seed alone (`text_of`), so that a test can tell whether each was
asked for and kept; or it is that of a real server behind this one (`upstream`). Faults are dealt
out to completions in the order in which they arrive.
"""

from __future__ import annotations

import json
import socket
import threading
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

FAULTS = ("drop", "cut", "limit", "error", "truncated", "slow", "malformed", "page")

DOCUMENTS: dict[str, tuple[int, dict[str, Any]]] = {
    "malformed": (200, {"choices": [], "usage": None}),
    "half": (200, {"choices": [{"message": None, "finish_reason": "stop"}]}),
    "error in 200": (200, {"error": {"message": "the provider is down", "code": 502}}),
    "policy": (400, {"error": {"message": "flagged", "code": "content_policy_violation"}}),
}
"""Faults that are replies: status and content."""


def text_of(seed: int) -> str:
    """What the server answers to a seed."""
    return f" {seed} é"


class FaultyServer(ThreadingHTTPServer):
    """What it was asked is in `asked` (path, headers, body, fault, time), in order."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(
        self,
        faults: tuple[str, ...] = (),
        key: str = "",
        owner: str = "",
        port: int = 0,
        handler: type[Handler] | None = None,
    ) -> None:
        super().__init__(("127.0.0.1", port), handler or Handler)
        self.faults, self.key, self.owner = list(faults), key, owner
        self.refuse: dict[str, tuple[int, str]] = {}
        """Argument of a request -> status and message that it is refused with."""
        self.upstream = ""
        """Scheme, host and port of a real server that completions are fetched from."""
        self.seconds = 0.0
        self.finish_reason, self.usage = "stop", True
        self.rules: Callable[[dict[str, Any]], tuple[int, dict[str, Any]] | None] = lambda _: None
        """Status and error that a request is refused with, if it is (`server_rules`)."""
        self.message: dict[str, Any] = {}
        """Fields of a chat's message beside, or in place of, its own."""
        self.counts: dict[str, Any] = {"completion_tokens": 3, "total_tokens": 10}
        """Fields of the usage."""
        self.most_choices = 1000
        self.retry_after = "0"
        self.good_for: int | None = None
        self.hold: threading.Barrier | None = None
        self.asked: list[dict[str, Any]] = []
        self.at_work, self.most_at_work = 0, 0
        self.lock = threading.Lock()

    @property
    def url(self) -> str:
        """The base URL."""
        return f"http://127.0.0.1:{self.server_address[1]}/v1"

    @property
    def seeds(self) -> Counter[int]:
        """How often each seed was asked for."""
        return Counter(entry["body"]["seed"] for entry in self.asked if "seed" in entry["body"])

    def leave(self) -> None:
        """Go away: no new connection is answered, and those that are open end."""
        self.faults = ["drop"] * 1000
        self.shutdown()
        self.server_close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: a client that gives up is what tests are about."""


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    server: FaultyServer
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: Any) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        self.server.asked.append({"path": self.path, "headers": self.lowered(), "body": {}})
        if self.allowed():
            models = [{"id": "m", "object": "model", "owned_by": self.server.owner, "created": 0}]
            self.reply(200, {"object": "list", "data": models})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        server = self.server
        with server.lock:
            fault = server.faults.pop(0) if server.faults else ""
            server.asked.append(
                {
                    "path": self.path,
                    "headers": self.lowered(),
                    "body": body,
                    "fault": fault,
                    "time": time.monotonic(),
                }
            )
            server.at_work += 1
            server.most_at_work = max(server.most_at_work, server.at_work)
        if server.hold is not None:
            server.hold.wait(timeout=20)
        time.sleep(server.seconds)
        # Counted out before anything is sent: a client that gives up early cannot be seen here.
        with server.lock:
            server.at_work -= 1
        if self.allowed() and not self.refused(body):
            self.fail(fault, body) if fault else self.reply(200, self.completion(body))

    def lowered(self) -> dict[str, str]:
        """The headers, by their names in small letters."""
        return {name.lower(): value for name, value in self.headers.items()}

    def allowed(self) -> bool:
        """Refuse a wrong key, or one that was good for so many requests; tell it, as some do."""
        given = self.headers.get("Authorization", "").removeprefix("Bearer ")
        spent = self.server.good_for is not None and len(self.server.asked) > self.server.good_for
        if spent or (self.server.key and given != self.server.key):
            self.reply(401, {"error": {"message": f"Incorrect API key provided: {given}"}})
            return False
        return True

    def refused(self, body: dict[str, Any]) -> bool:
        """Refuse arguments that the server does not know."""
        for name, (status, message) in self.server.refuse.items():
            if name in body:
                self.reply(status, {"error": {"message": message}})
                return True
        if found := self.server.rules(body):
            self.reply(found[0], {"error": found[1]})
            return True
        return False

    def fail(self, fault: str, body: dict[str, Any]) -> None:
        """Fail in one of the ways of `FAULTS`."""
        whole = json.dumps(self.completion(body)).encode()
        if fault == "drop":
            self.hang_up()
        elif fault == "cut":
            self.send(200, whole[:20], length=len(whole))
            self.hang_up()
        elif fault == "limit":
            self.reply(429, {"error": {"message": "slow down"}}, self.server.retry_after)
        elif fault == "error":
            self.reply(500, {"error": {"message": "oops"}})
        elif fault == "truncated":
            self.send(200, whole[: len(whole) // 2])
        elif fault == "slow":
            self.trickle(whole)
        elif fault == "page":
            self.send(200, b"<html>busy</html>", kind="text/html")
        else:
            self.reply(*DOCUMENTS[fault])

    def trickle(self, whole: bytes) -> None:
        """Send a body byte by byte, each sooner than a timeout between bytes would notice."""
        with suppress(OSError):
            self.send(200, b"", length=len(whole))
            for index in range(len(whole)):
                self.wfile.write(whole[index : index + 1])
                time.sleep(0.1)
        self.hang_up()

    def hang_up(self) -> None:
        """Close the connection without a word."""
        self.close_connection = True
        with suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)

    def reply(self, status: int, document: Any, retry_after: str = "") -> None:
        """Send a JSON document."""
        self.send(status, json.dumps(document).encode(), retry_after=retry_after)

    def send(
        self,
        status: int,
        data: bytes,
        *,
        length: int | None = None,
        kind: str = "application/json",
        retry_after: str = "",
    ) -> None:
        """Send a body, or a part of one that is said to be longer."""
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data) if length is None else length))
        if retry_after:
            self.send_header("Retry-After", retry_after)
        self.end_headers()
        self.wfile.write(data)

    def passed_on(self, body: dict[str, Any]) -> Any:
        """What the real server answers."""
        headers = {
            "Content-Type": "application/json",
            "Authorization": self.headers.get("Authorization", ""),
        }
        request = urllib.request.Request(
            self.server.upstream + self.path, json.dumps(body).encode(), headers
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)

    def completion(self, body: dict[str, Any]) -> Any:
        """A whole answer of three tokens, or the real server's."""
        if self.server.upstream:
            return self.passed_on(body)
        text = text_of(body.get("seed", 0))
        choice: dict[str, Any] = {"index": 0, "finish_reason": self.server.finish_reason}
        if "messages" in body:
            choice["message"] = {"role": "assistant", "content": text} | self.server.message
            tokens = [{"token": "x", "logprob": -0.5, "top_logprobs": []}] * 3
            choice["logprobs"] = {"content": tokens} if body.get("logprobs") else None
        else:
            choice["text"] = text
            choice["logprobs"] = {"token_logprobs": [-0.5] * 3} if body.get("logprobs") else None
        usage = {"prompt_tokens": 7} | self.server.counts
        count = min(body.get("n", 1), self.server.most_choices)
        return {
            "id": "1",
            "object": "completion",
            "created": 0,
            "model": "m",
            "choices": [choice | {"index": index} for index in range(count)],
            **({"usage": usage} if self.server.usage else {}),
        }


@contextmanager
def serving(*faults: str, key: str = "", owner: str = "", port: int = 0) -> Iterator[FaultyServer]:
    """A server that runs in threads of its own until the block ends."""
    with FaultyServer(faults, key, owner, port) as server, running(server):
        yield server


@contextmanager
def running(server: FaultyServer) -> Iterator[None]:
    """Run a server in threads of its own until the block ends."""
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
