"""The protocol that every verifier follows.

Extraction runs in the parent on untrusted text and must be linear in its length; comparing may
be arbitrarily slow or crash and runs in a worker process that can be killed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from passk.records import VerdictName


@dataclass(frozen=True, slots=True)
class Outcome:
    """What comparing one answer with the gold answer found.

    Attributes:
        verdict: `correct` or `wrong`; the pool that runs the verifier adds the other verdicts.
        detail: the rule that decided.
        answer_class: a name shared by answers found equal, canonical across files.
    """

    verdict: VerdictName
    detail: str
    answer_class: str | None


class Verifier(Protocol):
    """A way of grading, built from the options that a benchmark declares.

    `version` is raised whenever a verdict could come out differently: it is part of what makes
    verdicts stale. The constructor takes the options by keyword and refuses unknown ones.
    Instances must be picklable.
    """

    version: int

    def extract(self, response: str) -> str | None:
        """Return the final answer as the response states it, or None where there is none."""
        ...

    def compare(self, gold: str, answer: str) -> Outcome:
        """Compare an extracted answer with the gold answer (the JSON of `Problem.gold`)."""
        ...

    def canonical(self, answer: str) -> str:
        """Return a name that equal answers share as far as cheap normalisation can tell."""
        ...
