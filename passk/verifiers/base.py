"""The protocol that every verifier follows.

Extraction, `quick` and `canonical` run in the parent on untrusted text: their cost must be bounded
by its length. `compare` may be arbitrarily slow or crash: it runs in a process that can be killed.
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
    Instances must be picklable. `packages` names the distributions whose version can matter.
    """

    version: int
    packages: tuple[str, ...]

    def extract(self, response: str) -> str | None:
        """Return the final answer as the response states it, or None where there is none."""
        ...

    def quick(self, gold: str, answer: str) -> Outcome | None:
        """Decide where a cheap rule can, else None: then `compare` is asked, in a worker."""
        ...

    def compare(self, gold: str, answer: str) -> Outcome:
        """Compare an extracted answer with the gold answer (the JSON of `Problem.gold`)."""
        ...

    def canonical(self, answer: str) -> str:
        """Return a name that equal answers share as far as cheap normalisation can tell."""
        ...
