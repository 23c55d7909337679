"""A benchmark's problems from wherever its file says they are, and what identifies them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from passk import registry
from passk.errors import DataError, did_you_mean
from passk.recipes import digest
from passk.records import Problem
from passk.spec import Benchmark

WHOLE_ROW = "*"
"""Gold column of benchmarks whose verifier reads the row: tests, inputs, a reference solution."""


@dataclass(frozen=True, slots=True)
class Identity:
    """What decides a benchmark's contents, as digests.

    Attributes:
        questions: what models see; part of a cell's id.
        golds: what verifiers see; part of what makes verdicts stale.
        shots: the worked examples; part of a cell's id where its prompt shows any.
        problems: how many there are, or None where that is not known before loading.
    """

    questions: str
    golds: str
    shots: str
    problems: int | None


def identify(benchmark: Benchmark, limit: int | None = None) -> Identity:
    """Return the identity of a benchmark's first `limit` problems.

    Problems at hand are read, so that an edited question or gold answer is noticed. A pinned
    source (a hub revision, a sha256) is known by its pin, so that planning does not need it.
    """
    pin = benchmark.source.get("sha256") or benchmark.source.get("revision")
    if pin is None:
        return identity_of(load_problems(benchmark, limit))
    pinned = [pin, dict(benchmark.columns), limit]
    count = benchmark.count if limit is None else min(limit, benchmark.count or limit)
    return Identity(digest(pinned), digest(pinned), digest(benchmark.shots), count)


def identity_of(problems: Sequence[Problem]) -> Identity:
    """Return the identity of problems at hand."""
    return Identity(
        questions=digest([[problem.id, problem.question_digest] for problem in problems]),
        golds=digest([[problem.id, problem.gold_digest] for problem in problems]),
        shots=digest([json.loads(problem.meta).get("shots") for problem in problems]),
        problems=len(problems),
    )


def load_problems(benchmark: Benchmark, limit: int | None = None) -> list[Problem]:
    """Return the first `limit` problems of a benchmark.

    Raises:
        DataError: the source is missing or drifted, has no rows, or lacks a column or an id.
    """
    kind = next(kind for kind in ("generator", "file", "hub") if kind in benchmark.source)
    rows = registry.load("benchmark source", kind, registry.SOURCES)(benchmark)
    problems = [
        _problem(benchmark, row, number) for number, row in enumerate(rows) if row is not None
    ]
    _check(benchmark, problems)
    return problems[:limit]


def _problem(benchmark: Benchmark, row: Mapping[str, Any], number: int) -> Problem:
    """Return one row of a source as a problem."""
    columns = {"question": "question", "gold": "gold"} | dict(benchmark.columns)
    question = str(_column(benchmark, row, number, columns["question"]))
    gold = _gold(benchmark, row, number, columns["gold"])
    id_column = columns.get("id", "id")
    if "id" in columns:
        _column(benchmark, row, number, id_column)
    images = _images(benchmark, row, columns)
    meta: dict[str, Any] = {}
    group = row.get(columns.get("group", "group"))
    if group is not None:
        meta["group"] = str(group)
    shots = row.get("shots") or [list(shot) for shot in benchmark.shots]
    if shots:
        meta["shots"] = shots
    return Problem(
        id=str(row.get(id_column, number)),
        question=question,
        gold=gold,
        images=images,
        meta=json.dumps(meta, ensure_ascii=False, sort_keys=True),
        question_digest=digest([question, *map(_image_digest, images)]),
        gold_digest=digest(gold),
    )


def _column(benchmark: Benchmark, row: Mapping[str, Any], number: int, column: str) -> Any:
    """Return a row's value in a column, or raise saying which row lacks it."""
    if row.get(column) is None:
        raise DataError(
            f"problem {number + 1} of {benchmark.source_name} has no '{column}'; "
            + did_you_mean(column, row),
            where=f"{benchmark.file}: columns",
            fix="name the source's own columns under `columns`",
        )
    return row[column]


def _gold(benchmark: Benchmark, row: Mapping[str, Any], number: int, column: str) -> str:
    """Return a row's gold answer as JSON: of its column, or the row itself where that is `*`."""
    if column == WHOLE_ROW:
        return json.dumps(row, ensure_ascii=False, sort_keys=True)
    return json.dumps(_plain(_column(benchmark, row, number, column)), ensure_ascii=False)


def _plain(gold: Any) -> Any:
    """Return a gold answer as text, or as a list of texts where several are right."""
    if isinstance(gold, (list, tuple)):
        return [str(item) for item in gold]
    return str(gold)


def _images(benchmark: Benchmark, row: Mapping[str, Any], columns: Mapping[str, str]) -> list[str]:
    """Return the paths of a row's images, which stand relative to the source file."""
    value = row.get(columns["images"]) if "images" in columns else None
    if not value:
        return []
    names = value if isinstance(value, (list, tuple)) else [value]
    folder = benchmark.source_file.parent if "file" in benchmark.source else Path()
    return [str(folder / str(name)) for name in names]


def _image_digest(image: str) -> str:
    """Return the digest of an image's bytes."""
    try:
        return hashlib.sha256(Path(image).read_bytes()).hexdigest()
    except OSError as error:
        raise DataError(f"an image cannot be read: {error.strerror}", where=image) from error


def _check(benchmark: Benchmark, problems: Sequence[Problem]) -> None:
    """Raise where a source is empty, has another count than pinned, or repeats an id."""
    where = f"{benchmark.file}: {benchmark.source_name}"
    if not problems:
        raise DataError("the source has no rows", where=where, fix="check the file it reads")
    if benchmark.count is not None and len(problems) != benchmark.count:
        raise DataError(
            f"has {len(problems)} problems where `count` pins {benchmark.count}",
            where=where,
            fix="the source has drifted: take the pinned one, or change `count`",
        )
    repeated = _first_repeated(problem.id for problem in problems)
    if repeated is not None:
        raise DataError(f"two problems have the id '{repeated}'", where=where)


def _first_repeated(names: Iterable[str]) -> str | None:
    """Return the first name that stands twice, if any does."""
    seen: set[str] = set()
    for name in names:
        if name in seen:
            return name
        seen.add(name)
    return None
