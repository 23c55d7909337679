"""Match responses to the problems of a benchmark."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from passk.core.errors import DataError
from passk.core.schemas import Problem
from passk.interop.base import ProblemKey

MAX_LISTED = 10
"""Responses that a message lists."""


def normalize(text: str) -> str:
    """Return a question in one form: Unicode NFC, each run of whitespace as one space."""
    return " ".join(unicodedata.normalize("NFC", text).split())


@dataclass
class Matcher:
    """Finds problems by id, question, prompt or position, and collects the rows without a match.

    An id never overrides a contradicting question: where a source has both, both must agree. A
    position counts only where there is nothing else, or to tell equal questions apart.

    Attributes:
        problems: the problems of the benchmark.
        only_known: skip responses to problems that the benchmark does not have.
        faults: messages on the first responses that could not be matched.
        failed: number of such responses.
        skipped: key of an unknown problem -> number of its responses, with `only_known`.
        matched_by: part of the key that identified the problem -> number of responses.
    """

    problems: Sequence[Problem]
    only_known: bool = False
    faults: list[str] = field(default_factory=list)
    failed: int = 0
    skipped: Counter[str] = field(default_factory=Counter)
    matched_by: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        """Index the problems."""
        self._by_id = {problem.id: index for index, problem in enumerate(self.problems)}
        self._questions = [normalize(problem.question) for problem in self.problems]
        self._by_question: dict[str, list[int]] = {}
        for index, question in enumerate(self._questions):
            self._by_question.setdefault(question, []).append(index)
        self._contained: dict[str, list[int]] = {}

    def find(self, key: ProblemKey, location: str) -> str | None:
        """Return the id of the problem; None if there is none, which `finish` reports."""
        how, found = self._find(key)
        if len(found) == 1 and not how.startswith("!"):
            self.matched_by[how] += 1
            return self.problems[found[0]].id
        if not found and self.only_known:
            self.skipped[_name(key)] += 1
            return None
        self.failed += 1
        if len(self.faults) < MAX_LISTED:
            self.faults.append(f"{location}: {self._why(key, how, found)}")
        return None

    def _find(self, key: ProblemKey) -> tuple[str, list[int]]:
        """Return which part of a key decides and the matching problems; `!` for a contradiction."""
        texts = [key.question] if key.question is not None else list(key.texts)
        same = list(
            dict.fromkeys(i for text in texts for i in self._by_question.get(normalize(text), ()))
        )
        index = self._by_id.get(key.id) if key.id is not None else None
        if index is not None:
            if not texts and key.prompt is not None:
                same = self._by_prompt(key.prompt, None)[1]
            contradicts = index not in same and (same or key.question is not None)
            return ("!question" if contradicts else "id"), [index]
        if len(same) > 1 and key.position in same:
            return "question and position", [key.position]
        if same or key.question is not None:
            return "question", same
        if key.prompt is not None and not texts and key.id is None:
            return self._by_prompt(key.prompt, key.position)
        return "position", self._by_position(key)

    def _by_prompt(self, prompt: str, position: int | None) -> tuple[str, list[int]]:
        """Return the problems whose question a prompt contains, without parts of longer ones."""
        text = normalize(prompt)
        if text not in self._contained:
            found = [i for i, question in enumerate(self._questions) if question in text]
            longest = max((self._questions[i] for i in found), key=len, default="")
            whole = [i for i in found if self._questions[i] == longest]
            others = [i for i in found if self._questions[i] not in longest]
            if len(self._contained) > 2 * len(self.problems):
                self._contained.clear()
            self._contained[text] = whole + others
        found = self._contained[text]
        if len(found) > 1 and position in found:
            return "prompt and position", [position]
        return "prompt", found

    def _by_position(self, key: ProblemKey) -> list[int]:
        """Return the problem at a position, unless other parts of the key speak against it."""
        if key.position is None or not 0 <= key.position < len(self.problems):
            return []
        if key.prompt is not None:
            return [key.position] * (self._questions[key.position] in normalize(key.prompt))
        return [] if key.texts or key.id is not None else [key.position]

    def _why(self, key: ProblemKey, how: str, found: Sequence[int]) -> str:
        """Return why a key was not matched."""
        names = ", ".join(repr(self.problems[i].id) for i in found[:3])
        if how == "!question":
            return f"id {names}, but the question of another problem"
        if found:
            return f"ambiguous: the question of {names}"
        return f"no problem {_name(key)}"

    def finish(self, benchmark: str) -> None:
        """Raise one error that lists what was not matched.

        Raises:
            DataError: a response was not matched.
        """
        if self.faults:
            rest = self.failed - len(self.faults)
            more = [f"and {rest} more"] if rest else []
            head = f"{self.failed} responses match no single problem of '{benchmark}'"
            raise DataError(
                "\n  ".join([head, *self.faults, *more]),
                fix="choose the benchmark they answer, or map the id or question column (--map); "
                "--only-known skips responses to problems that the benchmark does not have",
            )


def _name(key: ProblemKey) -> str:
    """Return a key in words."""
    if key.id is not None:
        return f"'{key.id:.60}'"
    for text in (key.question, *key.texts):
        if text is not None:
            return f"with the question {text!r:.60}"
    if key.position is not None:
        return f"at position {key.position} with this question"
    return f"in the prompt {key.prompt!r:.60}"
