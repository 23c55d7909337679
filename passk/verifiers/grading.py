"""Grading in memory: each distinct (gold, answer) pair once, whoever gave the answer.

Answers are extracted and tried by the cheap rules in this process as responses come in; the pairs
that are left go to workers that can be killed.
"""

from __future__ import annotations

import time
from array import array
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from passk.records import VerdictName
from passk.registry import VERIFIERS, load
from passk.verifiers.base import OwnPool, Verifier
from passk.verifiers.pool import Pool, Result, Setup

TOLD_EVERY = 1000
"""Responses after which progress is told."""

Progress = Callable[[int, int], None]
"""Called with (responses that have a verdict, responses in all) as grading goes on."""


@dataclass(frozen=True, slots=True)
class Graded:
    """What grading found of one response; the fields are those of `records.Verdict`."""

    verdict: VerdictName
    answer: str | None
    answer_class: str | None
    seconds: float
    detail: str


NO_ANSWER = Graded("no_answer", None, None, 0.0, "no answer found in the response")


def grade(
    responses: Iterable[tuple[str, str]],
    setup: Setup,
    *,
    total: int = 0,
    progress: Progress | None = None,
    store: Path | None = None,
) -> list[Graded]:
    """Grade (gold JSON, response) pairs in memory; the result has their order.

    Responses are let go of as soon as their answer is extracted, and equal results are one
    object, so that memory grows with the distinct answers and 16 bytes per response.

    Args:
        responses: the gold answer (JSON of `Problem.gold`) and the text of each response.
        setup: the verifier, its options and the limits.
        total: how many responses there are, for `progress`.
        progress: called with (responses that have a verdict, `total`).
        store: folder in which a verifier with a pool of its own may keep what later runs can use.

    Raises:
        VerifierError: the verifier or one of its options is not known, or it cannot be started.
        ValueError: a gold answer is not JSON of a string, a number or a list of those.
    """
    verifier: Verifier = load("verifier", setup.verifier, VERIFIERS)(**setup.options)
    ledger = _Ledger(verifier)
    tell = progress or _silent
    for gold, response in responses:
        ledger.add(gold, response)
        if len(ledger.rows) % TOLD_EVERY == 0:
            tell(ledger.known, total)
    tell(ledger.known, total or len(ledger.rows))
    own = verifier.pool(setup, store) if isinstance(verifier, OwnPool) else Pool(setup)
    with own as pool:
        for place, result in pool.run([ledger.pairs[index] for index in ledger.hard]):
            ledger.settle(ledger.hard[place], result)
            tell(ledger.known, total or len(ledger.rows))
    return ledger.graded()


def _silent(done: int, total: int) -> None:
    """Tell nobody."""


class _Ledger:
    """Distinct (gold, answer) pairs, what is known of them, and which of them each row has."""

    def __init__(self, verifier: Verifier) -> None:
        """Start with no rows."""
        self.verifier = verifier
        self.places: dict[tuple[str, str], int] = {}
        self.pairs: list[tuple[str, str]] = []
        self.found: list[Graded | None] = []
        self.rows = array("q")
        self.hard: list[int] = []
        self.waiting: Counter[int] = Counter()
        self.known = 0

    def add(self, gold: str, response: str) -> None:
        """Take a row; a pair that is seen for the first time is tried by the cheap rules."""
        answer = self.verifier.extract(response)
        place = -1
        if answer is not None:
            place = self.places.setdefault((gold, answer), len(self.pairs))
            if place == len(self.pairs):
                self._first(gold, answer)
        self.rows.append(place)
        if place >= 0 and self.found[place] is None:
            self.waiting[place] += 1
        else:
            self.known += 1

    def _first(self, gold: str, answer: str) -> None:
        """Take a new pair, and its verdict where a cheap rule has one."""
        began = time.perf_counter()
        outcome = self.verifier.quick(gold, answer)
        self.pairs.append((gold, answer))
        if outcome is None:
            self.hard.append(len(self.found))
            self.found.append(None)
            return
        seconds = time.perf_counter() - began
        self.found.append(
            Graded(outcome.verdict, answer, outcome.answer_class, seconds, outcome.detail)
        )

    def settle(self, place: int, result: Result) -> None:
        """Take the pool's verdict; an answer that could not be compared keeps its cheap name."""
        answer = self.pairs[place][1]
        name = result.answer_class or self.verifier.canonical(answer)
        self.found[place] = Graded(result.verdict, answer, name, result.seconds, result.detail)
        self.known += self.waiting.pop(place)

    def graded(self) -> list[Graded]:
        """Return the verdict of each row."""
        found = [graded for graded in self.found if graded is not None]
        return [NO_ANSWER if row < 0 else found[row] for row in self.rows]
