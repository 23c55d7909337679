"""Grading: from problems and responses to one verdict per response.

There are four ways in: `verify` (the stage, Parquet), `grade_file` (JSON lines of your own),
`grade_rows` (dictionaries) and `grade` (pairs), which does the work.
"""

from __future__ import annotations

import functools
import os
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from passk.core import versions
from passk.core.artifacts import atomic, environment, read_manifest
from passk.core.errors import DataError
from passk.core.registry import VERIFIERS, load
from passk.core.schemas import (
    UNSAMPLED,
    VERDICTS,
    Problem,
    Sample,
    Verdict,
    VerdictName,
    read_table,
    to_table,
    write_table,
)
from passk.verifiers.base import CustomGold, CustomPool, Verifier
from passk.verifiers.gold import gold_answers
from passk.verifiers.grading.explain import explain
from passk.verifiers.grading.grade import Grade, Progress, grade, remove_journal
from passk.verifiers.grading.jsonl import (
    KEYS,
    count_lines,
    gold_of_problem,
    gold_of_row,
    graded_line,
    read_rows,
    response_text,
)
from passk.verifiers.grading.worker_pool import PoolConfig

__all__ = [
    "VERSION",
    "Grade",
    "PoolConfig",
    "Progress",
    "grade",
    "grade_file",
    "grade_rows",
    "verify",
]

GRADED_KEYS = ("verdict", "answer", "answer_class", "detail")
"""What grading adds to a row."""

DEADLINE = 10.0
"""Seconds that one comparison of answers may take."""

if TYPE_CHECKING:
    import pyarrow as pa

VERSION = versions.VERIFY
"""Version of this stage: raised whenever a verdict file could come out differently."""


def verify(
    problems: Path,
    samples: Path,
    output: Path,
    verifier: str,
    options: Mapping[str, object] | None = None,
    *,
    workers: int = 1,
    deadline: float = DEADLINE,
    progress: Progress | None = None,
) -> None:
    """Grade a file of samples and write one verdict per sample, in the same order.

    The verdict on a response that could not be sampled is `error`: not correct, and unknown.

    Args:
        problems: Parquet of `Problem` rows.
        samples: Parquet of `Sample` rows.
        output: Parquet of `Verdict` rows to write, its manifest beside it.
        verifier: name in `passk.core.registry.VERIFIERS`.
        options: the verifier's options, as the benchmark declares them.
        workers: processes that compare at the same time.
        deadline: seconds that one comparison may take.
        progress: called as grading goes on.

    Raises:
        DataError: a file cannot be read, or a sample belongs to none of the problems.
        VerifierError: the verifier or one of its options is not known, or it cannot be started.
        OutputError: the output cannot be written.
    """
    began = time.perf_counter()
    setup = PoolConfig(verifier, options or {}, workers=workers, deadline=deadline)
    loaded = load("verifier", verifier, VERIFIERS)(**setup.options)
    golds = _golds(problems, _gold_check(loaded))
    columns = ["problem_id", "sample", "text", "finish_reason", "error"]
    none_open = (read_manifest(samples) or {}).get("responses") == 0  # of a confirmation's round
    table = read_table(samples, Sample, columns, empty=none_open)
    ids = table.column("problem_id").to_pylist()
    _require_known(ids, golds, samples, problems)
    responses = zip((golds[name] for name in ids), _values(table, "text"), strict=True)
    store = problems.parent / "expected"
    graded = grade(responses, setup, total=len(ids), progress=progress, store=store, output=output)
    verdicts = [
        Verdict(name, sample, g.verdict, g.answer, g.answer_class, g.seconds, g.detail)
        for name, sample, g in zip(ids, _values(table, "sample"), graded, strict=True)
    ]
    ends = zip(_values(table, "finish_reason"), _values(table, "error"), strict=True)
    for index, (ended, why) in enumerate(ends):
        if ended in UNSAMPLED:
            one = verdicts[index]
            detail = f"not sampled ({ended}): {why}"
            verdicts[index] = Verdict(one.problem_id, one.sample, "error", None, None, 0.0, detail)
    counts = Counter(one.verdict for one in verdicts)
    manifest = _manifest(setup, counts, time.perf_counter() - began)
    more = loaded.manifest() if isinstance(loaded, CustomPool) else {}
    write_table(output, to_table(Verdict, verdicts), manifest | more)
    remove_journal(output)


def grade_file(
    source: Path,
    output: Path,
    verifier: str,
    options: Mapping[str, object] | None = None,
    *,
    golds: Mapping[str, str] | None = None,
    workers: int = 1,
    timeout: float | None = None,
    progress: Progress | None = None,
) -> Counter[str]:
    """Grade rows of JSON lines and write the same rows with what was found.

    Args:
        source: rows with at least `problem_id`, `gold` (string, number or list) and `response`.
        output: the same rows in the same order, all keys kept, with `verdict`, `answer`,
            `answer_class` and `detail`, and for programs their `isolation`; written whole or not
            at all.
        verifier: name in `passk.core.registry.VERIFIERS`.
        options: the verifier's options.
        golds: gold answer (JSON) of each problem, where the rows have none of their own.
        workers: processes that compare at the same time.
        timeout: seconds that one comparison, or one test of a program, may take.
        progress: called as grading goes on.

    Returns:
        How many rows there are of each verdict.

    Raises:
        DataError: a line is not a JSON object or lacks a key; the message names file and line.
        VerifierError: the verifier or one of its options is not known, or it cannot be started.
        OutputError: the output cannot be written.
    """
    loaded, setup = _configure(verifier, options, workers, timeout)
    check = _gold_check(loaded)
    needed = ("problem_id", "response") if golds is not None else KEYS
    responses = (
        (
            gold_of_row(row, where, check)
            if golds is None
            else gold_of_problem(row, where, golds, check),
            response_text(row, where),
        )
        for row, where in read_rows(source, needed)
    )
    total = count_lines(source)
    graded = grade(responses, setup, total=total, progress=progress, store=_cache(), output=output)
    if not graded:
        raise DataError("has no rows", where=str(source))
    more = _row_fields(loaded)
    with atomic(output) as temporary, temporary.open("wb") as file:
        for (row, _), found in zip(read_rows(source, needed), graded, strict=True):
            file.write(graded_line(row | more, found))
    remove_journal(output)
    return Counter(graded.verdicts())


def grade_rows(
    rows: Iterable[Mapping[str, object]],
    verifier: str,
    options: Mapping[str, object] | None = None,
    *,
    workers: int = 1,
    timeout: float | None = None,
) -> list[dict[str, object]]:
    """Grade responses in memory, as `passk grade` does a file: `passk.grade` of the Python API.

    Example: `passk.grade([{"gold": "1/2", "response": "so 0.5"}], verifier="number")`.

    Args:
        rows: each with `gold` (string, number or list) and `response`; other keys are kept.
        verifier: name in `passk.core.registry.VERIFIERS`.
        options: the verifier's options.
        workers: processes that compare at the same time.
        timeout: seconds that one comparison, or one test of a program, may take.

    Returns:
        The rows in the same order, with `verdict`, `answer`, `answer_class` and `detail`, and for
        programs their `isolation`.

    Raises:
        DataError: a row lacks a key, or its gold answer is not one that the verifier reads.
        VerifierError: the verifier or one of its options is not known, or it cannot be started.
    """
    loaded, setup = _configure(verifier, options, workers, timeout)
    check = _gold_check(loaded)
    kept = [dict(row) for row in rows]
    pairs = []
    for number, row in enumerate(kept):
        where = f"rows[{number}]"
        if missing := [key for key in ("gold", "response") if key not in row]:
            raise DataError(f"missing key {', '.join(missing)}", where=where)
        pairs.append((gold_of_row(row, where, check), response_text(row, where)))
    graded = grade(pairs, setup, total=len(pairs), store=_cache()) if pairs else []
    for row, found in zip(kept, graded, strict=True):
        row.update({key: getattr(found, key) for key in GRADED_KEYS}, **_row_fields(loaded))
    return kept


def _configure(
    verifier: str, options: Mapping[str, object] | None, workers: int, timeout: float | None
) -> tuple[Verifier, PoolConfig]:
    """Return a verifier and the configuration of its pool, with a time limit if one is given."""
    kind, options = load("verifier", verifier, VERIFIERS), dict(options or {})
    if timeout is not None and hasattr(kind, "timeout_options"):
        options |= kind.timeout_options(timeout)
    config = PoolConfig(verifier, options, workers=workers, deadline=timeout or DEADLINE)
    return kind(**options), config


def _row_fields(verifier: Verifier) -> dict[str, str]:
    """Return what each graded row says besides: how its program was isolated."""
    sandbox = verifier.manifest().get("sandbox", {}) if isinstance(verifier, CustomPool) else {}
    return {"isolation": sandbox["isolation"]} if sandbox else {}


def explain_line(
    source: Path,
    line: int,
    verifier: str,
    options: Mapping[str, object] | None = None,
    golds: Mapping[str, str] | None = None,
) -> list[tuple[str, str]]:
    """Return (label, text) lines that explain the verdict on one line of a JSON-lines file.

    Raises:
        DataError: the file has no such row, or the row lacks a key.
        VerifierError: the verifier or one of its options is not known.
    """
    setup = PoolConfig(verifier, options or {})
    check = _gold_check(load("verifier", verifier, VERIFIERS)(**setup.options))
    needed = ("problem_id", "response") if golds is not None else KEYS
    for row, where in read_rows(source, needed):
        if where == f"{source}:{line}":
            if golds is None:
                gold = gold_of_row(row, where, check)
            else:
                gold = gold_of_problem(row, where, golds, check)
            return explain(gold, response_text(row, where), setup)
    raise DataError(f"has no row on line {line}", where=str(source))


def _cache() -> Path | None:
    """Return the user's folder for what later runs can use, by content; None without a home."""
    with suppress(RuntimeError):
        home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
        return Path(home, "passk", "expected")
    return None


def _gold_check(verifier: Verifier) -> Callable[[str], object]:
    """Return what raises ValueError where a gold answer is not one that the verifier takes."""
    return functools.cache(
        verifier.check_gold if isinstance(verifier, CustomGold) else gold_answers
    )


def _golds(problems: Path, check: Callable[[str], object]) -> dict[str, str]:
    """Return the gold answer (JSON) of each problem."""
    table = read_table(problems, Problem, ["id", "gold"])
    golds = dict(zip(_values(table, "id"), _values(table, "gold"), strict=True))
    for name, gold in golds.items():
        try:
            check(gold)
        except ValueError as error:
            raise DataError(f"gold of problem '{name}': {error}", where=str(problems)) from error
    return golds


def _values(table: pa.Table, column: str) -> Iterator[Any]:
    """Yield the values of a column, a chunk at a time, so that texts are not all held twice."""
    for chunk in table.column(column).chunks:
        yield from chunk.to_pylist()


def _require_known(ids: list[str], golds: Mapping[str, str], samples: Path, problems: Path) -> None:
    """Raise where samples belong to no problem of the problems file."""
    unknown = sorted(set(ids) - set(golds))
    if unknown:
        listed = ", ".join(unknown[:5]) + (f" and {len(unknown) - 5} more" if unknown[5:] else "")
        raise DataError(
            f"samples of problems that are not in {problems}: {listed}",
            where=str(samples),
            fix="the samples were drawn from other problems: remake them, or name their file",
        )


def _manifest(setup: PoolConfig, counts: Counter[VerdictName], seconds: float) -> dict[str, object]:
    """Return what made a verdict file."""
    kind = load("verifier", setup.verifier, VERIFIERS)
    return {
        "stage": "verify",
        "version": VERSION,
        "verifier": {
            "name": setup.verifier,
            "version": kind.version,
            "options": dict(setup.options),
        },
        "deadline": setup.deadline,
        "workers": setup.workers,
        "seconds": round(seconds, 3),
        "verdicts": {name: counts[name] for name in VERDICTS},
        **environment(kind.packages),
    }
