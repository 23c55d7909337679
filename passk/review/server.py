"""Review server: loopback only, one token, one origin, no external resources.

Responses are untrusted text. They travel as JSON and become text nodes in the page, under a content
security policy without inline scripts.
"""

from __future__ import annotations

import hmac
import json
import logging
import secrets
from collections.abc import Callable, Iterable
from functools import partial
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from typing import Any

from passk.core.errors import OutputError, PasskError
from passk.report import web
from passk.review.session import IMAGES, RequestError, ReviewSession

log = logging.getLogger(__name__)

LOOPBACK = "127.0.0.1"
MAX_BODY_BYTES = 100_000
"""Largest request body: a label with its note."""

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

JSON, SCRIPT, STYLE = "application/json", "text/javascript", "text/css"


class Server(ThreadingHTTPServer):
    """The server of one review session, on the loopback interface only.

    Args:
        session: the session to serve.
        port: the port; 0 picks a free one.

    Raises:
        OutputError: the port is in use.
    """

    daemon_threads = True

    def __init__(self, session: ReviewSession, port: int = 0) -> None:
        """Bind, and generate the token that every URL starts with."""
        self.token = secrets.token_urlsafe(24)
        try:
            super().__init__((LOOPBACK, port), partial(Handler, session, self.token))
        except OSError as error:
            raise OutputError(
                f"cannot listen: {error.strerror}",
                where=f"{LOOPBACK}:{port}",
                fix="choose another --port, or omit it",
            ) from error

    @property
    def url(self) -> str:
        """The URL to open."""
        return f"http://{LOOPBACK}:{self.server_port}/{self.token}/"


class Handler(BaseHTTPRequestHandler):
    """One request: checked first, then answered from the session."""

    server_version, sys_version = "passk", ""
    protocol_version = "HTTP/1.1"
    timeout = 60

    def __init__(self, session: ReviewSession, token: str, *arguments: Any) -> None:
        """Store session and token; the last argument is the server."""
        self.session, self.token = session, token
        port = arguments[-1].server_port
        self.hosts = {f"{LOOPBACK}:{port}", f"localhost:{port}"}
        super().__init__(*arguments)

    def do_GET(self) -> None:
        """Answer a request for a page or data."""
        self._serve(self._get)

    def do_POST(self) -> None:
        """Answer a request that changes a label."""
        self._serve(self._post)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
        """Log nothing: the URL contains the token."""

    def _serve(self, answer: Callable[[list[str]], tuple[bytes, str]]) -> None:
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
                HTTPStatus.FORBIDDEN, "wrong token: open the URL that `passk review` printed"
            )

    def _get(self, parts: list[str]) -> tuple[bytes, str]:
        """Return body and content type of a page or data request."""
        match parts:
            case [""]:
                return _page_file("review.html").encode(), "text/html"
            case ["assets", name]:
                return _asset(name)
            case ["queue"]:
                return json.dumps(self.session.queue()).encode(), JSON
            case ["agreement"]:
                return json.dumps(self.session.agreement()).encode(), JSON
            case ["item", index] if index.isdecimal():
                return json.dumps(self.session.item(int(index))).encode(), JSON
            case ["image", index, number] if index.isdecimal() and number.isdecimal():
                return self.session.image(int(index), int(number))
        raise RequestError(HTTPStatus.NOT_FOUND, "no such page")

    def _post(self, parts: list[str]) -> tuple[bytes, str]:
        """Add or undo a label."""
        match parts:
            case ["label"]:
                return json.dumps(self.session.add_label(self._body())).encode(), JSON
            case ["undo"]:
                self._body()
                return json.dumps(self.session.undo()).encode(), JSON
        raise RequestError(HTTPStatus.NOT_FOUND, "no such page")

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
        self.send_header(
            "Content-Type", kind if kind in IMAGES.values() else f"{kind}; charset=utf-8"
        )
        self.send_header("Content-Length", str(len(body)))
        for name, value in HEADERS.items():
            self.send_header(name, value)
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)


def _page_file(name: str) -> str:
    """Return a file of the review page."""
    return (files("passk.review") / "assets" / name).read_text(encoding="utf-8")


def _asset(name: str) -> tuple[bytes, str]:
    """Return a script or style by name; only known names are looked up."""
    sources: Iterable[tuple[tuple[str, ...], Callable[[str], str]]] = (
        (("review.js", "review.css"), _page_file),
        (("text.js", "base.css"), web.asset),
        (("katex.js", "highlight.js"), web.vendor),
    )
    for names, read in sources:
        if name in names:
            return read(name).encode(), SCRIPT if name.endswith(".js") else STYLE
    raise RequestError(HTTPStatus.NOT_FOUND, "no such file")
