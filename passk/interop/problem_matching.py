"""Which problem of a benchmark a foreign response belongs to."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field

from passk.core.errors import DataError
from passk.core.schemas import Problem
from passk.interop.base import Key

MOST_LISTED = 10
"""Responses that a message names."""


def normal(text: str) -> str:
    """Return a question in one form: Unicode NFC, every run of blanks as one space."""
    return " ".join(unicodedata.normalize("NFC", text).split())


@dataclass
class Matcher:
    """Finds problems by id, by question, or by place; notes what it does not find.

    An id or a question decides; a place alone does where the source has nothing else, and is
    checked against the question where it has one.
    """

    problems: Sequence[Problem]
    faults: list[str] = field(default_factory=list)
    unmatched: int = 0

    def __post_init__(self) -> None:
        """Index the problems."""
        self._ids = {problem.id for problem in self.problems}
        self._normal = [normal(problem.question) for problem in self.problems]
        self._places: dict[str, list[int]] = {}
        for place, question in enumerate(self._normal):
            self._places.setdefault(question, []).append(place)

    def find(self, key: Key, where: str) -> str | None:
        """Return the id of the problem that is meant, or None, which `finish` tells."""
        if key.id is not None and key.id in self._ids:
            return key.id
        places = self._places_of(key)
        if len(places) == 1:
            return self.problems[places[0]].id
        self.unmatched += 1
        if len(self.faults) < MOST_LISTED:
            self.faults.append(f"{where}: {_why(key, [self.problems[p].id for p in places])}")
        return None

    def _places_of(self, key: Key) -> list[int]:
        """Return the places of the problems that may be meant."""
        places = list(
            dict.fromkeys(
                place for text in key.questions for place in self._places.get(normal(text), ())
            )
        )
        if len(places) > 1 and key.position in places:
            return [key.position]
        if places or key.position is None or not 0 <= key.position < len(self.problems):
            return places
        if key.prompt is not None:
            return [key.position] if self._normal[key.position] in normal(key.prompt) else []
        return [] if key.questions or key.id is not None else [key.position]

    def finish(self, benchmark: str) -> None:
        """Raise one message that names what was not matched.

        Raises:
            DataError: there was something.
        """
        if self.faults:
            rest = self.unmatched - len(self.faults)
            more = [f"and {rest} more"] if rest else []
            head = f"{self.unmatched} responses match no single problem of '{benchmark}'"
            raise DataError(
                "\n  ".join([head, *self.faults, *more]),
                fix="name the benchmark they answer, or the columns that hold id or question",
            )


def _why(key: Key, candidates: Sequence[str]) -> str:
    """Say why a key was not matched."""
    if candidates:
        return f"ambiguous: the question of {', '.join(map(repr, candidates[:3]))}"
    if key.id is not None:
        return f"no problem '{key.id:.60}'"
    if key.questions:
        return f"no problem with the question {key.questions[0]!r:.60}"
    return f"no problem at place {key.position} with this question"
