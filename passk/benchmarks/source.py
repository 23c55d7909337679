"""A benchmark's problems from wherever its file says they are, and what identifies them.

A benchmark may name several sources. They are alternatives: the first that is at hand is read, else
the first that can be fetched. What is read must have the pinned `count` and `digests`, so that it
never matters which one it was.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from passk.benchmarks.base import MissingSourceError, Row, Source, describe_source
from passk.benchmarks.files import check_hash
from passk.benchmarks.row_filters import matches
from passk.benchmarks.rows import RowParser, parse_problem
from passk.core import registry
from passk.core.artifacts import digest
from passk.core.errors import DataError, did_you_mean
from passk.core.row_files import read_rows
from passk.core.schemas import Problem
from passk.spec.models import Benchmark

NO_GOLD = "null"
"""Gold of a question without its answer: what a sampling job is given."""

META_DIGESTS = {"clusters": "cluster", "solutions": "solution"}
"""Parts of an identity that decide neither questions nor golds -> the columns that declare them."""


@dataclass(frozen=True, slots=True)
class Identity:
    """What decides a benchmark's contents, as digests.

    Attributes:
        questions: what models see; part of a cell's id.
        golds: what verifiers see; part of what makes verdicts stale.
        shots: the worked examples; part of a cell's id where its prompt shows any.
        problems: how many there are, or None where that is not known before loading.
        clusters: which problems belong together; part of what makes tables stale. Empty where the
            benchmark's file declares no such column.
        solutions: the worked solutions; part of a training's id where it learns from them. Empty
            where the benchmark's file declares no such column.
    """

    questions: str
    golds: str
    shots: str
    problems: int | None
    clusters: str = ""
    solutions: str = ""

    @property
    def answers(self) -> str:
        """What a file of problems with golds holds besides the questions: golds and solutions."""
        return digest([self.golds, self.solutions]) if self.solutions else self.golds


def identify(
    benchmark: Benchmark, limit: int | None = None, only: Sequence[str] | None = None
) -> Identity:
    """Return the identity of a benchmark's first `limit` problems, or of those with ids `only`.

    Problems at hand are read, so that an edited question or gold answer is noticed. A pinned
    source is known by its pin, so that planning does not need it; and so is one of the hub that
    no revision pins, by its name alone.
    """
    found = _identify(benchmark, limit, only)
    declared: dict[str, Any] = {
        name: digest([found.questions, benchmark.columns[column]])
        for name, column in META_DIGESTS.items()
        if column in benchmark.columns and not getattr(found, name)
    }
    return dataclasses.replace(found, **declared)


def _identify(
    benchmark: Benchmark, limit: int | None = None, only: Sequence[str] | None = None
) -> Identity:
    """Return the identity of a benchmark's problems; `META_DIGESTS` only if they are read."""
    part = [limit, list(only)] if only else [limit] if limit else []
    if benchmark.digests:
        questions, golds = benchmark.digests["questions"], benchmark.digests["golds"]
        if part:
            questions, golds = digest([questions, *part]), digest([golds, *part])
        return Identity(questions, golds, digest(benchmark.shots), _size(benchmark, limit, only))
    pin = _pin(benchmark)
    if pin is None:
        return identity_of(load_problems(benchmark, limit, only))
    beside = META_DIGESTS.values()
    columns = {key: name for key, name in benchmark.columns.items() if key not in beside}
    if columns == {"question": "question", "gold": "gold"}:
        columns = {}  # as where no columns are declared at all
    decided = [pin, columns, dict(benchmark.where), benchmark.adapter, *part]
    pinned = digest(decided)
    return Identity(pinned, pinned, digest(benchmark.shots), _size(benchmark, limit, only))


def _size(benchmark: Benchmark, limit: int | None, only: Sequence[str] | None) -> int | None:
    """Return the number of problems, if it is known without reading them."""
    if only:
        return len(only)
    return benchmark.count if limit is None else min(limit, benchmark.count or limit)


def _pin(benchmark: Benchmark) -> Any:
    """Return what identifies the content of a benchmark's one source, or None: it must be read."""
    source = benchmark.sources[0]
    if "hub" in source:
        return [source["hub"], source["path"], source.get("revision"), source.get("sha256")]
    return source.get("sha256")


def unpinned(benchmark: Benchmark) -> str | None:
    """Return why a benchmark could change between plan and run, or None."""
    if benchmark.digests or "hub" not in benchmark.sources[0]:
        return None
    source = benchmark.sources[0]
    if source.get("revision") or source.get("sha256"):
        return None
    return f"no revision of {source['hub']} is pinned: the hub's newest is used"


def identity_of(problems: Sequence[Problem]) -> Identity:
    """Return the identity of loaded problems."""
    return Identity(
        questions=digest([[problem.id, problem.question_digest] for problem in problems]),
        golds=digest([[problem.id, problem.gold_digest] for problem in problems]),
        shots=digest([json.loads(problem.meta).get("shots") for problem in problems]),
        problems=len(problems),
        **{name: _digest_of(key, problems) for name, key in META_DIGESTS.items()},
    )


def _digest_of(key: str, problems: Sequence[Problem]) -> str:
    """Return the digest of a key of all problems' `meta`; empty if none has it."""
    found = [[problem.id, json.loads(problem.meta).get(key)] for problem in problems]
    return digest(found) if any(value is not None for _, value in found) else ""


def load_problems(
    benchmark: Benchmark,
    limit: int | None = None,
    only: Sequence[str] | None = None,
    *,
    images: Path | None = None,
    text_only: bool = False,
    with_golds: bool = True,
) -> list[Problem]:
    """Return the first `limit` problems of a benchmark, or those with ids `only`.

    Args:
        benchmark: the description of the benchmark.
        limit: return only the first so many.
        only: return only those with these ids, in the benchmark's order.
        images: folder to store images in, under the digests of their contents.
        text_only: ignore images (and do not check the digest of questions, which covers them).
        with_golds: include the gold answers, which may be gigabytes of tests.

    Raises:
        DataError: no source is available, or it has drifted, has no rows, or lacks a column or an
            id.
    """
    source, files = find_source(benchmark, fetch=True)
    parser = RowParser(benchmark, source, images, text_only)
    rows = enumerate(_rows(benchmark, source, files))
    read = (parse_problem(parser, row, number) for number, row in rows)
    problems = list(read if with_golds else map(_without_gold, read))
    _check(benchmark, source, problems, digests=("golds",) if text_only else ("golds", "questions"))
    return _select(benchmark, problems, only)[:limit]


def _without_gold(problem: Problem) -> Problem:
    """Return a problem without gold answer and solution; their digests remain."""
    if '"solution"' not in problem.meta:
        return dataclasses.replace(problem, gold=NO_GOLD)
    shown = {key: value for key, value in json.loads(problem.meta).items() if key != "solution"}
    meta = json.dumps(shown, ensure_ascii=False, sort_keys=True)
    return dataclasses.replace(problem, gold=NO_GOLD, meta=meta)


def find_source(benchmark: Benchmark, *, fetch: bool) -> tuple[Source, list[Path]]:
    """Return the source to read and its files: the first local one, else the first to download.

    Raises:
        MissingSourceError: there is none; the message has the reason for each.
        DataError: a source exists and differs from what is pinned.
    """
    missing: dict[str, MissingSourceError] = {}
    for allowed in (False, True) if fetch else (False,):
        for source in benchmark.sources:
            try:
                return source, _located(benchmark, source, fetch=allowed)
            except MissingSourceError as error:
                missing[describe_source(benchmark, source)] = error
    if len(missing) == 1:
        raise next(iter(missing.values()))
    raise MissingSourceError(
        "none of its sources is available:"
        + "".join(f"\n  - {error.what}" for error in missing.values()),
        where=str(benchmark.file),
        fix="; or ".join(dict.fromkeys(error.fix for error in missing.values())),
    )


def _located(benchmark: Benchmark, source: Source, *, fetch: bool) -> list[Path]:
    """Return the files of one source, checked against pins; none if it is generated."""
    kind = next(kind for kind in registry.SOURCES if kind in source)
    files: list[Path] = registry.load("benchmark source", kind, registry.SOURCES)(
        benchmark, source, fetch=fetch
    )
    if "sha256" in source:
        if len(files) != 1:
            raise DataError(
                f"`sha256` pins one file, but these are {len(files)}",
                where=f"{benchmark.file}: {describe_source(benchmark, source)}",
                fix="name one file, or pin by `revision` or `digests`",
            )
        check_hash(files[0], source["sha256"])
    return files


def _rows(benchmark: Benchmark, source: Source, files: Sequence[Path]) -> Iterator[Row]:
    """Yield the rows of a benchmark: adapted, then filtered by `where`."""
    adapt = None
    if benchmark.adapter is not None:
        adapt = registry.load("adapter", benchmark.adapter, registry.ADAPTERS)
    for row in _all_rows(benchmark, source, files):
        adapted = adapt(row) if adapt else row
        if matches(adapted, benchmark.where):
            yield adapted


def _all_rows(benchmark: Benchmark, source: Source, files: Sequence[Path]) -> Iterable[Row]:
    """Return every row of a source."""
    if "generator" in source:
        from passk.benchmarks.generators import generate_rows

        return generate_rows(benchmark, source)
    return (row.values for path in files for row in read_rows(path))


def _select(
    benchmark: Benchmark, problems: list[Problem], only: Sequence[str] | None
) -> list[Problem]:
    """Return the problems with the given ids."""
    if only is None:
        return problems
    known = {problem.id for problem in problems}
    for wanted in only:
        if wanted not in known:
            raise DataError(
                f"has no problem '{wanted}'; {did_you_mean(wanted, sorted(known)[:20])}",
                where=str(benchmark.file),
                fix="`only` names ids of problems",
            )
    return [problem for problem in problems if problem.id in set(only)]


def _check(
    benchmark: Benchmark, source: Source, problems: Sequence[Problem], *, digests: Sequence[str]
) -> None:
    """Raise if problems differ from what is pinned, are none, or repeat an id."""
    where = f"{benchmark.file}: {describe_source(benchmark, source)}"
    if not problems:
        raise DataError("the source has no rows", where=where, fix="check the file it reads")
    if benchmark.count is not None and len(problems) != benchmark.count:
        raise DataError(
            f"has {len(problems)} problems where `count` pins {benchmark.count}",
            where=where,
            fix="the source has drifted: use the pinned one, or change `count`",
        )
    repeated = _first_repeated(problem.id for problem in problems)
    if repeated is not None:
        raise DataError(f"two problems have the id '{repeated}'", where=where)
    if benchmark.digests:
        found = dataclasses.asdict(identity_of(problems))
        _check_digests(benchmark, where, {name: found[name] for name in digests})


def _check_digests(benchmark: Benchmark, where: str, digests: Mapping[str, str]) -> None:
    """Raise if questions or gold answers differ from the pinned ones."""
    for name, found in digests.items():
        pinned = benchmark.digests[name]
        if found != pinned:
            raise DataError(
                f"the source has drifted: the digest of its {name} is {found}, pinned is {pinned}",
                where=where,
                fix="use the pinned source, or change `digests`",
            )


def _first_repeated(names: Iterable[str]) -> str | None:
    """Return the first name that occurs twice, if any."""
    seen: set[str] = set()
    for name in names:
        if name in seen:
            return name
        seen.add(name)
    return None
