"""The page of `passk serve`: a run as it goes, on the local server."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from http import HTTPStatus
from threading import Lock
from typing import Any

from passk.report.web.local_server import Answer, RequestError, as_json, page_asset

REUSED_SECONDS = 3.0
"""A status that is younger than this answers a further page, too."""


class LivePages:
    """Answers the requests of the page.

    Args:
        state: returns the status of the run as JSON values.
    """

    command = "passk serve"

    def __init__(self, state: Callable[[], Mapping[str, Any]]) -> None:
        """Store where the status comes from; a lock lets one request at a time look."""
        self._state, self._lock = state, Lock()
        self._answer: Answer | None = None
        self._looked = 0.0

    def get(self, parts: list[str]) -> Answer:
        """Return the page or the status."""
        match parts:
            case [""]:
                return page_asset("passk.report.live", "live.html")
            case ["assets", name]:
                return page_asset("passk.report.live", name)
            case ["status"]:
                return self._status()
        raise RequestError(HTTPStatus.NOT_FOUND, "no such page")

    def post(self, parts: list[str], body: dict[str, Any]) -> Answer:  # noqa: ARG002
        """Refuse: the page changes nothing."""
        raise RequestError(HTTPStatus.METHOD_NOT_ALLOWED, "nothing can be changed here")

    def _status(self) -> Answer:
        """Return the status, a new one if the last is old."""
        with self._lock:
            if self._answer is None or time.monotonic() - self._looked > REUSED_SECONDS:
                self._answer, self._looked = as_json(self._state()), time.monotonic()
            return self._answer
