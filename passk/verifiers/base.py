"""The protocol that every verifier follows.

`extract`, `quick_compare` and `canonical` run in the parent process on untrusted text: their cost
must be bounded by its length. `compare` may be slow or crash: it runs in a worker process.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from passk.core.schemas import VerdictName

if TYPE_CHECKING:
    from passk.verifiers.extract import Extraction
    from passk.verifiers.grading.worker_pool import PoolConfig, Result


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

    def quick_compare(self, gold: str, answer: str) -> Outcome | None:
        """Decide where a cheap rule can, else return None: then `compare` runs in a worker."""
        ...

    def compare(self, gold: str, answer: str) -> Outcome:
        """Compare an extracted answer with the gold answer (the JSON of `Problem.gold`)."""
        ...

    def canonical(self, answer: str) -> str:
        """Return a name that equal answers share as far as cheap normalisation can tell."""
        ...


@runtime_checkable
class FindsAnswer(Protocol):
    """A verifier that says which rule found an answer, and what text it ignored."""

    def find_answer(self, response: str) -> Extraction | None:
        """Return the final answer as `extract` does, with the rule and a note."""
        ...


@runtime_checkable
class CustomExtraction(Protocol):
    """A verifier that needs the gold answer to find the answer in a response.

    `code` is one: of several programs in a response, it takes the one that the problem asks for.
    """

    def extract_for(self, gold: str, response: str) -> str | None:
        """Return the answer that a response gives to a problem, or None where there is none."""
        ...


@runtime_checkable
class ExplainsReading(Protocol):
    """A verifier that can show how it reads a gold answer and an answer."""

    def readings(self, gold: str, answer: str) -> list[tuple[str, str]]:
        """Return (label, text) lines: what each side was read as."""
        ...


@runtime_checkable
class RunsPrograms(Protocol):
    """A verifier whose verdicts depend on what the programs that it runs can import."""

    def importable(self) -> dict[str, str | None]:
        """Return the version of Python and of each package that decides; None: not installed."""
        ...


class ComparisonPool(Protocol):
    """Compares pairs, as `passk.verifiers.grading.worker_pool.Pool` does."""

    def run(self, pairs: Sequence[tuple[str, str]]) -> Iterator[tuple[int, Result]]:
        """Yield (index, result) of each (gold JSON, answer) pair, in the order they finish."""
        ...


@runtime_checkable
class PreparedPool(Protocol):
    """A pool that has work to do before the first pair, such as running reference solutions."""

    def prepare(self, pairs: Sequence[tuple[str, str]]) -> None:
        """Do it for these pairs."""
        ...


@runtime_checkable
class CustomGold(Protocol):
    """A verifier whose gold is more than answers: choices of a question, tests of a program."""

    def check_gold(self, gold: str) -> None:
        """Raise ValueError where the gold of a problem is not of the verifier's form."""
        ...


@runtime_checkable
class NotesGolds(Protocol):
    """A verifier that grades some golds by other rules than its options say."""

    def gold_note(self, gold: str) -> str:
        """Return which option does not apply to a gold, and why; empty where all do."""
        ...


@runtime_checkable
class CustomPool(Protocol):
    """A verifier that needs its own pool of workers.

    `code` is one: it runs a program against the tests of its problem, in a sandbox.
    """

    def pool(
        self, setup: PoolConfig, store: Path | None = None
    ) -> AbstractContextManager[ComparisonPool]:
        """Return the pool that replaces `Pool`; `store`: a folder for cached results."""
        ...

    def timeout_options(self, seconds: float) -> dict[str, Any]:
        """Return the options that limit each test, or comparison, to so many seconds."""
        ...

    def manifest(self) -> dict[str, Any]:
        """Return what else a manifest has to record."""
        ...
