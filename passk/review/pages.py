"""The pages of a review session, for the local server."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from passk.report.web.local_server import Answer, RequestError, as_json, page_asset
from passk.review.session import ReviewSession


class ReviewPages:
    """Answers the requests of the review page from a session."""

    command = "passk review"

    def __init__(self, session: ReviewSession) -> None:
        """Store the session."""
        self.session = session

    def get(self, parts: list[str]) -> Answer:
        """Return the page, its data or an image."""
        match parts:
            case [""]:
                return page_asset("passk.review", "review.html")
            case ["assets", name]:
                return page_asset("passk.review", name)
            case ["queue"]:
                return as_json(self.session.queue())
            case ["agreement"]:
                return as_json(self.session.agreement())
            case ["item", index] if index.isdecimal():
                return as_json(self.session.item(int(index)))
            case ["image", index, number] if index.isdecimal() and number.isdecimal():
                return self.session.image(int(index), int(number))
        raise RequestError(HTTPStatus.NOT_FOUND, "no such page")

    def post(self, parts: list[str], body: dict[str, Any]) -> Answer:
        """Add or undo a label."""
        match parts:
            case ["label"]:
                return as_json(self.session.add_label(body))
            case ["undo"]:
                return as_json(self.session.undo())
        raise RequestError(HTTPStatus.NOT_FOUND, "no such page")
