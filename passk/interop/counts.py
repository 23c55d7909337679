"""Counts per problem without responses: read into a folder, and written as CSV."""

from __future__ import annotations

import csv
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, ClassVar

from passk.benchmarks.source import load_problems
from passk.core.artifacts import atomic, environment
from passk.core.errors import DataError
from passk.core.schemas import Count, to_table, write_table
from passk.interop.base import Group, ProblemKey
from passk.interop.column_mapping import map_row
from passk.interop.files import READERS, Row, find_files, read_rows
from passk.interop.import_results import (
    ImportOptions,
    count_row,
    find_benchmark,
    finish,
    import_folder,
    source_facts,
)
from passk.interop.problem_matching import Matcher
from passk.interop.roundtrip_fields import is_correct

COLUMNS = ("problem_id", "question", "position", "model", "n", "c")
"""Columns of a table of counts: which problem, responses, and correct ones among them."""


def import_counts(
    paths: Sequence[Path],
    benchmark_name: str,
    output: Path,
    *,
    model: str,
    options: ImportOptions | None = None,
) -> dict[str, Any]:
    """Read counts of one model on one benchmark and write them as a folder.

    Rows have `n`, `c` and one of `problem_id`, `question` and `position`; where a column `model`
    is mapped or present, only rows of that model are read.

    Raises:
        DataError: a row is not of that form or matches no problem, a problem occurs twice, or
            problems are missing; the message names file and line.
        OutputError: the folder cannot be written.
    """
    started, options = time.perf_counter(), options or ImportOptions()
    files = find_files(paths, tuple(READERS))
    manifest = source_facts("counts", files, model, options)
    benchmark = find_benchmark(benchmark_name)
    problems = load_problems(benchmark, with_golds=False)
    matcher = Matcher(problems, options.only_known)
    found = _read(files, options, matcher, model)
    matcher.finish(benchmark.name)
    missing = [problem.id for problem in problems if problem.id not in found]
    if not found or (missing and not options.allow_missing):
        raise DataError(
            f"no counts of model '{model}' for {len(missing)} of {len(problems)} problems, "
            f"'{missing[0]}' for one",
            where=", ".join(map(str, files)),
            fix="name the model as the table does, or leave problems out with --allow-missing",
        )
    counted = [count_row(p, *found[p.id]) for p in problems if p.id in found]
    per_n = Counter(n for n, _ in found.values())
    manifest |= {
        "benchmark": benchmark.name,
        "kind": "counts",
        "problems": len(problems),
        "responses": sum(n for n, _ in found.values()),
        "correct": sum(c for _, c in found.values()),
        "n": {str(n): per_n[n] for n in sorted(per_n, reverse=True)},
        "verdicts": 0,
        "matched_by": dict(matcher.matched_by),
        "skipped_responses": matcher.skipped.total(),
        "skipped_problems": sorted(matcher.skipped),
        "mean_correct": sum(c / n for n, c in found.values()) / len(found),
        "foreign": {"correct": sum(c for _, c in found.values())},
        "seconds": round(time.perf_counter() - started, 3),
        **environment(("pyarrow",)),
    }
    with import_folder(output) as folder:
        write_table(folder / "counts.parquet", to_table(Count, counted))
        finish(folder, problems, manifest)
    return manifest


def _read(
    files: Sequence[Path], options: ImportOptions, matcher: Matcher, model: str
) -> dict[str, tuple[int, int]]:
    """Return n and c of each problem by id."""
    columns = {name: name for name in COLUMNS} | dict(options.columns)
    required = frozenset({"n", "c"}) | frozenset(options.columns)
    found: dict[str, tuple[int, int]] = {}
    for path in files:
        for source in read_rows(path):
            for row in map_row(source, columns, required):
                if str(row.values.get("model", model)) != model:
                    continue
                problem_id = matcher.find(_key(row), row.location)
                if problem_id in found:
                    raise DataError(
                        f"problem '{problem_id}' occurs a second time", where=row.location
                    )
                n, c = _integer(row, "n"), _integer(row, "c")
                if c > n or n == 0:
                    raise DataError(f"{c} correct of {n} responses", where=row.location)
                if problem_id is not None:
                    found[problem_id] = (n, c)
    return found


def _key(row: Row) -> ProblemKey:
    """Return how a row identifies its problem."""
    values = row.values
    return ProblemKey(
        id=str(values["problem_id"]) if "problem_id" in values else None,
        question=str(values["question"]) if "question" in values else None,
        position=_integer(row, "position") if "position" in values else None,
    )


def _integer(row: Row, name: str) -> int:
    """Return an integer of a row."""
    value = row.values.get(name)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not str(value).isdecimal():
        raise DataError(f"'{name}' is {value!r:.40}, not an integer", where=row.location)
    return int(str(value))


class Counts:
    """Writes counts per problem, which `import_counts` reads."""

    code: ClassVar[bool] = False

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
