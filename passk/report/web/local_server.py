"""Local server of pages: loopback only, one token, one origin, no external resources.

Responses and logs are untrusted text. They travel as JSON and become text nodes in the page, under
a content security policy without inline scripts.
"""

from __future__ import annotations

import hmac
import json
import logging
import secrets
from collections.abc import Callable
from functools import partial
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from typing import Any, Protocol

from passk.core.errors import OutputError, PasskError
from passk.report import web

log = logging.getLogger(__name__)

LOOPBACK = "127.0.0.1"
MAX_BODY_BYTES = 100_000
"""Largest request body."""

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'"
)

HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}

HTML, JSON, SCRIPT, STYLE = (
    f"{kind}; charset=utf-8"
    for kind in ("text/html", "application/json", "text/javascript", "text/css")
)

Answer = tuple[bytes, str]
"""Body and content type of an answer."""


class RequestError(Exception):  # an answer to a request, not a fault of passk
    """A request that is refused, with its HTTP status."""

    def __init__(self, status: HTTPStatus, message: str) -> None:
        """Store status and message."""
        super().__init__(message)
        self.status = status


class Pages(Protocol):
    """What a server answers; requests that it gets have passed all checks.

    Attributes:
        command: the command that prints the URL, for the message on a wrong one.
    """

    command: str

    def get(self, parts: list[str]) -> Answer:
        """Answer a request for a page or data; `parts` is the path after the token."""

    def post(self, parts: list[str], body: dict[str, Any]) -> Answer:
        """Answer a request that changes something."""


class LocalServer(ThreadingHTTPServer):
    """A server on the loopback interface only.

    Args:
        pages: what it answers.
        port: the port; 0 picks a free one.

    Raises:
        OutputError: the port is in use.
    """

    daemon_threads = True

    def __init__(self, pages: Pages, port: int = 0) -> None:
        """Bind, and generate the token that every URL starts with."""
        self.token = secrets.token_urlsafe(24)
        try:
            super().__init__((LOOPBACK, port), partial(Handler, pages, self.token))
        except (OSError, OverflowError) as error:
            raise OutputError(
                f"cannot listen: {getattr(error, 'strerror', None) or error}",
                where=f"{LOOPBACK}:{port}",
                fix="choose another --port, or omit it",
            ) from error

    @property
    def url(self) -> str:
        """The URL to open."""
        return f"http://{LOOPBACK}:{self.server_port}/{self.token}/"


class Handler(BaseHTTPRequestHandler):
    """One request: checked first, then answered."""

    server_version, sys_version = "passk", ""
    protocol_version = "HTTP/1.1"
    timeout = 60

    def __init__(self, pages: Pages, token: str, *arguments: Any) -> None:
        """Store pages and token; the last argument is the server."""
        self.pages, self.token = pages, token
        port = arguments[-1].server_port
        self.hosts = {f"{LOOPBACK}:{port}", f"localhost:{port}"}
        super().__init__(*arguments)

    def do_GET(self) -> None:
        """Answer a request for a page or data."""
        self._serve(self.pages.get)

    def do_POST(self) -> None:
        """Answer a request that changes something."""
        self._serve(lambda parts: self.pages.post(parts, self._body()))

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
        """Log nothing: the URL contains the token."""

    def _serve(self, answer: Callable[[list[str]], Answer]) -> None:
        """Check and answer the request, or send the error."""
        try:
            self._check()
            body, kind = answer(self.path.split("/")[2:])
            self._send(HTTPStatus.OK, body, kind)
        except RequestError as error:
            self._send(error.status, json.dumps({"error": str(error)}).encode(), JSON)
        except PasskError as error:
            log.warning("%s", error)
            body = json.dumps({"error": str(error)}).encode()
            self._send(HTTPStatus.INTERNAL_SERVER_ERROR, body, JSON)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    def _check(self) -> None:
        """Refuse a wrong token, another host name and another origin."""
        hosts = self.hosts
        if self.headers.get("Host") not in hosts:
            raise RequestError(HTTPStatus.FORBIDDEN, "not this host")
        origin = self.headers.get("Origin")
        if origin is not None and origin not in {f"http://{host}" for host in hosts}:
            raise RequestError(HTTPStatus.FORBIDDEN, "not this origin")
        if self.command == "POST" and origin is None:
            raise RequestError(HTTPStatus.FORBIDDEN, "no origin")
        given = self.path.split("/")[1] if self.path.count("/") > 1 else ""
        if not hmac.compare_digest(given.encode(), self.token.encode()):
            raise RequestError(
                HTTPStatus.FORBIDDEN,
                f"wrong token: open the URL that `{self.pages.command}` printed",
            )

    def _body(self) -> dict[str, Any]:
        """Return the JSON object of a request."""
        length = self.headers.get("Content-Length", "")
        if not length.isdecimal() or int(length) > MAX_BODY_BYTES:
            self.close_connection = True
            raise RequestError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "too long")
        try:
            body = json.loads(self.rfile.read(int(length)) or b"{}")
        except (ValueError, RecursionError) as error:
            raise RequestError(HTTPStatus.BAD_REQUEST, "not JSON") from error
        if not isinstance(body, dict):
            raise RequestError(HTTPStatus.BAD_REQUEST, "not a JSON object")
        return body

    def _send(self, status: HTTPStatus, body: bytes, kind: str) -> None:
        """Send an answer with the security headers."""
        if status != HTTPStatus.OK:
            self.close_connection = True
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        for name, value in HEADERS.items():
            self.send_header(name, value)
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)


def as_json(value: object) -> Answer:
    """Return an answer of JSON."""
    return json.dumps(value).encode(), JSON


def page_asset(package: str, name: str) -> Answer:
    """Return a page, script or style: of a package's own `assets`, or one that all pages share.

    Raises:
        RequestError: there is none of that name.
    """
    kind = {"html": HTML, "js": SCRIPT, "css": STYLE}.get(name.rpartition(".")[2])
    own = {path.name: path for path in (files(package) / "assets").iterdir()}
    if kind and name in own:
        return own[name].read_bytes(), kind
    for names, read in (
        (("text.js", "base.css"), web.asset),
        (("katex.js", "highlight.js"), web.vendor),
    ):
        if kind and name in names:
            return read(name).encode(), kind
    raise RequestError(HTTPStatus.NOT_FOUND, "no such file")
