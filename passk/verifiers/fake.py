"""A verifier for tests and for trying the pool: the answer says what comparing it does."""

from __future__ import annotations

import os
import signal
import time
from dataclasses import dataclass
from typing import Any

from passk.verifiers.base import Outcome
from passk.verifiers.gold import gold_answers
from passk.verifiers.options import read_options


@dataclass(frozen=True, slots=True)
class FakeOptions:
    """The fake verifier takes no options."""


class FakeVerifier:
    """Finds equal text correct, in a worker always, and misbehaves where an answer says so.

    `hang` never ends, `die` ends its process, `eat` takes memory without end, `raise` raises,
    `sleep` takes a second, and `print` writes to standard output.
    The detail is the number of the process that compared.
    """

    version = 1
    packages: tuple[str, ...] = ()

    def __init__(self, **options: Any) -> None:
        """Refuse all options."""
        read_options(FakeOptions, "fake", options)

    def extract(self, response: str) -> str | None:
        """Return the whole response."""
        return response or None

    def quick_compare(self, gold: str, answer: str) -> Outcome | None:  # noqa: ARG002
        """Decide nothing."""
        return None

    def compare(self, gold: str, answer: str) -> Outcome:
        """Compare as text, or misbehave."""
        misbehave(answer)
        correct = answer in gold_answers(gold)
        return Outcome("correct" if correct else "wrong", str(os.getpid()), answer)

    def canonical(self, answer: str) -> str:
        """Return the answer itself."""
        return answer


def misbehave(how: str) -> None:
    """Do what a hostile answer could make a comparison do."""
    if how == "hang":
        while True:
            pass
    if how == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    if how == "raise":
        raise RuntimeError(how)
    if how == "print":
        os.write(1, b'{"id": 0, "verdict": "correct"}\n' * 100)
    if how == "sleep":
        time.sleep(1.0)
    kept = []
    while how == "eat":
        kept.append(bytearray(1 << 26))
