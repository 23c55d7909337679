"""Grading in memory: each distinct (gold, answer) pair once, whoever gave the answer.

Answers are extracted and tried by the cheap rules in this process as responses come in; the pairs
that are left go to workers that can be killed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from passk.core.artifacts import digest, environment
from passk.core.journal import Journal, journal_path
from passk.core.registry import VERIFIERS, load
from passk.core.schemas import Verdict
from passk.verifiers.base import OwnPool, Runs, Verifier
from passk.verifiers.grading.dedup import NO_ANSWER, Graded, Grades, Ledger, Pairs
from passk.verifiers.grading.worker_pool import Pool, Result, Setup

__all__ = ["NO_ANSWER", "Graded", "Grades", "Progress", "grade"]

TOLD_EVERY = 1000
"""Responses after which progress is told."""

Progress = Callable[[int, int], None]
"""Called with (responses that have a verdict, responses in all) as grading goes on."""


def grade(
    responses: Iterable[tuple[str, str]],
    setup: Setup,
    *,
    total: int = 0,
    progress: Progress | None = None,
    store: Path | None = None,
    output: Path | None = None,
) -> Grades:
    """Grade (gold JSON, response) pairs in memory; the result has their order.

    Responses are let go of as soon as their answer is extracted, and answers wait in a temporary
    file, so that memory grows with some 700 bytes per distinct answer and 8 per response.

    Args:
        responses: the gold answer (JSON of `Problem.gold`) and the text of each response.
        setup: the verifier, its options and the limits.
        total: how many responses there are, for `progress`.
        progress: called with (responses that have a verdict, `total`).
        store: folder in which a verifier with a pool of its own may keep what later runs can use.
        output: the file that the verdicts will go into: what is compared is kept in a journal
            beside it, so that a killed run goes on from there; to be removed by `forget`.

    Raises:
        VerifierError: the verifier or one of its options is not known, or it cannot be started.
        OutputError: the journal cannot be written, or another process has it.
        ValueError: a gold answer is not JSON of a string, a number or a list of those.
    """
    verifier: Verifier = load("verifier", setup.verifier, VERIFIERS)(**setup.options)
    ledger = Ledger(verifier)
    tell = progress or _silent
    for gold, response in responses:
        ledger.add(gold, response)
        if len(ledger.rows) % TOLD_EVERY == 0:
            tell(ledger.known, total)
    tell(ledger.known, total or len(ledger.rows))
    if ledger.hard:
        for _ in _settled(ledger, verifier, setup, store, output):
            tell(ledger.known, total or len(ledger.rows))
    return ledger.graded()


def forget(output: Path) -> None:
    """Remove the journal of an output that has been written."""
    journal_path(output).unlink(missing_ok=True)


def _silent(done: int, total: int) -> None:
    """Tell nobody."""


def _settled(
    ledger: Ledger, verifier: Verifier, setup: Setup, store: Path | None, output: Path | None
) -> Iterator[None]:
    """Compare what the cheap rules left, and yield whenever more is settled."""
    if output is None:
        yield from _compared(ledger, ledger.unsettled(), _pool(verifier, setup, store), None)
        return
    with Journal(output, _key(ledger, verifier, setup), Verdict) as journal:
        for row in journal.rows.values():
            result = Result(row.verdict, row.detail, row.answer_class, row.seconds)
            ledger.settle(row.sample, result)
        journal.rows.clear()  # the ledger has them now
        yield
        left = ledger.unsettled()
        yield from _compared(ledger, left, _pool(verifier, setup, store), journal)


def _compared(
    ledger: Ledger,
    pairs: Pairs,
    runs: AbstractContextManager[Runs],
    journal: Journal[Verdict] | None,
) -> Iterator[None]:
    """Compare pairs, keep each result, and yield after each."""
    with runs as pool:
        for index, result in pool.run(pairs):
            place = pairs.places[index]
            ledger.settle(place, result)
            if journal is not None:
                found = (result.verdict, None, result.answer_class, result.seconds, result.detail)
                journal.append(Verdict("", place, *found))
                journal.rows.clear()
            yield


def _pool(verifier: Verifier, setup: Setup, store: Path | None) -> AbstractContextManager[Runs]:
    """Return what compares pairs."""
    return verifier.pool(setup, store) if isinstance(verifier, OwnPool) else Pool(setup)


def _key(ledger: Ledger, verifier: Verifier, setup: Setup) -> str:
    """Return a digest of all that decides the results: pairs, verifier, limits, isolation."""
    own: Mapping[str, Any] = verifier.manifest() if isinstance(verifier, OwnPool) else {}
    limits = [setup.verifier, verifier.version, dict(setup.options), setup.deadline, setup.memory]
    return digest([ledger.content(), limits, environment(verifier.packages), own])
