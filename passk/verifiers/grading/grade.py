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
from passk.verifiers.base import ComparisonPool, CustomPool, PreparedPool, Verifier
from passk.verifiers.grading.dedup import NO_ANSWER, Grade, Grades, PairIndex, Pairs
from passk.verifiers.grading.worker_pool import Pool, PoolConfig, Result

__all__ = ["NO_ANSWER", "Grade", "Grades", "Progress", "grade"]

PROGRESS_EVERY = 1000
"""Responses after which progress is told."""

Progress = Callable[[int, int], None]
"""Called with (responses that have a verdict, responses in all) as grading goes on."""


def grade(
    responses: Iterable[tuple[str, str]],
    setup: PoolConfig,
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
            beside it, so that a killed run goes on from there; to be removed by `remove_journal`.

    Raises:
        VerifierError: the verifier or one of its options is not known, or it cannot be started.
        OutputError: the journal cannot be written, or another process has it.
        ValueError: a gold answer is not JSON of a string, a number or a list of those.
    """
    verifier: Verifier = load("verifier", setup.verifier, VERIFIERS)(**setup.options)
    pair_index = PairIndex(verifier)
    report = progress or _ignore_progress
    for gold, response in responses:
        pair_index.add(gold, response)
        if len(pair_index.rows) % PROGRESS_EVERY == 0:
            report(pair_index.n_decided, total)
    report(pair_index.n_decided, total or len(pair_index.rows))
    if pair_index.undecided:
        restart = getattr(progress, "restart", _ignore_restart)
        for prepared in _compare_undecided(pair_index, verifier, setup, store, output):
            if prepared:
                restart()
            report(pair_index.n_decided, total or len(pair_index.rows))
    return pair_index.graded()


def remove_journal(output: Path) -> None:
    """Remove the journal of an output that has been written."""
    journal_path(output).unlink(missing_ok=True)


def _ignore_progress(done: int, total: int) -> None:
    """Tell nobody."""


def _ignore_restart() -> None:
    """Measure nothing."""


def _compare_undecided(
    pair_index: PairIndex,
    verifier: Verifier,
    setup: PoolConfig,
    store: Path | None,
    output: Path | None,
) -> Iterator[bool]:
    """Compare what the cheap rules left; yield after each, True where all is prepared for more."""
    if output is None:
        yield from _compare_pairs(
            pair_index, pair_index.undecided_pairs(), _pool(verifier, setup, store), None
        )
        return
    with Journal(output, _key(pair_index, verifier, setup), Verdict) as journal:
        for row in journal.rows.values():
            result = Result(row.verdict, row.detail, row.answer_class, row.seconds)
            pair_index.record_result(row.sample, result)
        journal.rows.clear()  # the index has them now
        yield False
        left = pair_index.undecided_pairs()
        yield from _compare_pairs(pair_index, left, _pool(verifier, setup, store), journal)


def _compare_pairs(
    pair_index: PairIndex,
    pairs: Pairs,
    runs: AbstractContextManager[ComparisonPool],
    journal: Journal[Verdict] | None,
) -> Iterator[bool]:
    """Compare pairs and keep each result; yield after each, True where all is prepared for more."""
    with runs as pool:
        if isinstance(pool, PreparedPool):
            pool.prepare(pairs)
        yield True
        for task, result in pool.run(pairs):
            index = pairs.indices[task]
            pair_index.record_result(index, result)
            if journal is not None:
                found = (result.verdict, None, result.answer_class, result.seconds, result.detail)
                journal.append(Verdict("", index, *found))
                journal.rows.clear()
            yield False


def _pool(
    verifier: Verifier, setup: PoolConfig, store: Path | None
) -> AbstractContextManager[ComparisonPool]:
    """Return what compares pairs."""
    return verifier.pool(setup, store) if isinstance(verifier, CustomPool) else Pool(setup)


def _key(pair_index: PairIndex, verifier: Verifier, setup: PoolConfig) -> str:
    """Return a digest of all that decides the results: pairs, verifier, limits, isolation."""
    own: Mapping[str, Any] = verifier.manifest() if isinstance(verifier, CustomPool) else {}
    limits = [setup.verifier, verifier.version, dict(setup.options), setup.deadline, setup.memory]
    return digest([pair_index.content(), limits, environment(verifier.packages), own])
