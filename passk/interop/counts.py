"""Counts per problem where no responses exist: read into a folder, and written as CSV."""

from __future__ import annotations

import csv
import json
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from passk.benchmarks.source import load_problems
from passk.core.artifacts import atomic, environment
from passk.core.errors import DataError
from passk.core.schemas import Count, Problem, to_table, write_table
from passk.interop.base import Group, Key, Options
from passk.interop.column_mapping import mapped
from passk.interop.files import rows_of
from passk.interop.import_results import about, find_benchmark, finish
from passk.interop.problem_matching import Matcher
from passk.interop.roundtrip_fields import is_correct

COLUMNS = ("problem_id", "question", "position", "model", "n", "c")
"""What a table tells of a problem: which one, responses, and correct ones among them."""


def import_counts(
    files: Sequence[Path],
    benchmark: str,
    output: Path,
    *,
    model: str,
    columns: dict[str, str] | None = None,
    allow_missing: bool = False,
) -> dict[str, Any]:
    """Read counts of one model on one benchmark and write them as a folder.

    Rows are of CSV, JSONL, JSON or Parquet with `n`, `c` and one of `problem_id`, `question` and
    `position`; where there is a `model`, the rows of that model are taken.

    Raises:
        DataError: a row is not of that form or matches no problem, a problem occurs twice, or
            problems are missing; the message names file and line.
        OutputError: the folder cannot be written.
    """
    began = time.perf_counter()
    described = find_benchmark(benchmark)
    problems = load_problems(described)
    options = Options(columns=columns or {}, model=model)
    found = _read(files, options, Matcher(problems), described.name)
    missing = [problem.id for problem in problems if problem.id not in found]
    if not found or (missing and not allow_missing):
        raise DataError(
            f"no counts of model '{model}' for {len(missing)} of {len(problems)} problems, "
            f"'{missing[0]}' for one",
            where=", ".join(map(str, files)),
            fix="name the model as the table does, or say --allow-missing",
        )
    rows = [_row(problem, *found[problem.id]) for problem in problems if problem.id in found]
    (output / "manifest.json").unlink(missing_ok=True)
    write_table(output / "counts.parquet", to_table(Count, rows))
    for name in ("samples", "foreign"):
        (output / f"{name}.parquet").unlink(missing_ok=True)
    per_n = Counter(n for n, _ in found.values())
    manifest = {
        **about("counts", files, described, model, options),
        "kind": "counts",
        "problems": len(problems),
        "responses": sum(n for n, _ in found.values()),
        "correct": sum(c for _, c in found.values()),
        "n": {str(n): per_n[n] for n in sorted(per_n, reverse=True)},
        "verdicts": 0,
        "seconds": round(time.perf_counter() - began, 3),
        **environment(("pyarrow",)),
    }
    finish(output, problems, manifest)
    return manifest


def _read(
    files: Sequence[Path], options: Options, matcher: Matcher, benchmark: str
) -> dict[str, tuple[int, int]]:
    """Return n and c of each problem by id."""
    columns = {name: name for name in COLUMNS} | dict(options.columns)
    certain = frozenset({"n", "c"}) | frozenset(options.columns)
    found: dict[str, tuple[int, int]] = {}
    for path in files:
        for source in rows_of(path):
            for row, where in mapped(source, columns, certain):
                if str(row.get("model", options.model)) != options.model:
                    continue
                problem_id = matcher.find(_key(row, where), where)
                if problem_id in found:
                    raise DataError(f"problem '{problem_id}' occurs a second time", where=where)
                n, c = _whole(row, "n", where), _whole(row, "c", where)
                if c > n or n == 0:
                    raise DataError(f"{c} correct of {n} responses", where=where)
                if problem_id is not None:
                    found[problem_id] = (n, c)
    matcher.finish(benchmark)
    return found


def _key(row: Mapping[str, Any], where: str) -> Key:
    """Return how a row names its problem."""
    return Key(
        id=str(row["problem_id"]) if "problem_id" in row else None,
        questions=(str(row["question"]),) if "question" in row else (),
        position=_whole(row, "position", where) if "position" in row else None,
    )


def _whole(row: Mapping[str, Any], name: str, where: str) -> int:
    """Return a whole number of a row."""
    value = row.get(name)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not str(value).isdecimal():
        raise DataError(f"'{name}' is {value!r:.40}, not a whole number", where=where)
    return int(str(value))


def _row(problem: Problem, n: int, c: int) -> Count:
    """Return counts as a row; nothing is known of other verdicts, tokens and guesses."""
    group = str(json.loads(problem.meta).get("group", ""))
    return Count(problem.id, group, n, c, 0, 0, 0, 0, 0, 0, 0, 0)


class Counts:
    """Writes counts per problem; they are read by `import_counts`."""

    def write(self, groups: Iterable[Group], folder: Path) -> list[Path]:
        """Write one CSV row per problem; the model's name is the folder's."""
        path = folder / "counts.csv"
        with atomic(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(["model", "problem_id", "n", "c"])
            for group in groups:
                model = folder.name.partition(".")[0]
                correct = sum(map(is_correct, group.rows))
                writer.writerow([model, group.problem.id, len(group.rows), correct])
        return [path]
