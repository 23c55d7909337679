"""EvalPlus: `samples.jsonl`, and the verdicts of `samples_eval_results.json` where it is named.

A line has `task_id` and `solution` (a whole program) or `completion`. The results hold, per task,
the solutions in the order of their lines, with `base_status` and `plus_status`.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TextIO

from passk.core.artifacts import atomic
from passk.core.errors import DataError
from passk.core.schemas import VerdictName
from passk.interop.base import Graded, Group, Key, Options, Response
from passk.interop.code_responses import completed, program_of, response_of
from passk.interop.files import ending, field_of, json_lines, opened
from passk.interop.json_stream import Cursor
from passk.interop.roundtrip_fields import KEY, own_fields, write_lines

STATUS: Mapping[str | None, VerdictName] = {"pass": "correct", "timeout": "timeout"}
"""Status of EvalPlus -> verdict; any other is wrong."""


class EvalPlus:
    """Reads and writes the samples of EvalPlus."""

    def read(self, files: Sequence[Path], options: Options) -> Iterator[Response]:
        """Yield the solutions with their verdicts; results alone hold solutions as well."""
        results = [path for path in files if ending(path) == ".json"]
        samples = [path for path in files if ending(path) != ".json"]
        statuses: dict[str, list[tuple[VerdictName, str]]] = {}
        for path in results:
            for task, solutions in _tasks(path):
                if not samples:
                    yield from (_solution(task, *row) for row in solutions)
                else:
                    statuses.setdefault(task, []).extend(_status(*row) for row in solutions)
        seen: Counter[str] = Counter()
        for path in samples:
            for row, where in json_lines(path):
                task = field_of(row, "task_id", where, str)
                found = statuses.get(task, [])
                if results and seen[task] >= len(found):
                    raise DataError(f"no verdict on solution {seen[task]} of '{task}'", where=where)
                verdict, detail = found[seen[task]] if results else (None, "")
                seen[task] += 1
                text = _text(row, where, options)
                yield Response(
                    where, Key(id=task), text, verdict=verdict, detail=detail, own=row.get(KEY)
                )

    def write(self, groups: Iterable[Group], folder: Path) -> list[Path]:
        """Write samples.jsonl and its results side by side."""
        samples, results = folder / "samples.jsonl", folder / "samples_eval_results.json"
        with atomic(results) as temporary, temporary.open("w", encoding="ascii") as stream:
            stream.write('{"date": "", "hash": "", "eval": {')
            write_lines(samples, _lines(groups, stream))
            stream.write("}}\n")
        return [samples, results]


def _lines(groups: Iterable[Group], results: TextIO) -> Iterator[dict[str, Any]]:
    """Yield the lines of samples, and write each problem's results on the way."""
    for number, group in enumerate(groups):
        task = group.problem.id
        found = json.dumps([_result(task, row) for row in group.rows])
        results.write(f"{', ' if number else ''}{json.dumps(task)}: {found}")
        yield from (_line(task, row) for row in group.rows)


def _text(row: dict[str, Any], where: str, options: Options) -> str:
    """Return the response of a line."""
    if "solution" in row:
        solution: str = field_of(row, "solution", where, str)
        if options.completion and row.get(KEY) is None:
            raise DataError(
                "is a whole program, but this benchmark takes completions",
                where=where,
                fix="import for a benchmark without `options: {completion: true}`",
            )
        return response_of(solution)
    return completed(field_of(row, "completion", where, str), row.get("task_id"), options)


def _tasks(path: Path) -> Iterator[tuple[str, list[tuple[dict[str, Any], str]]]]:
    """Yield each task of a results file with its solutions, a task at a time."""
    with opened(path) as stream:
        cursor = Cursor(stream, path)
        cursor.take("{")
        for name, _ in cursor.pairs():
            if name != "eval":
                cursor.value()
                continue
            cursor.take("{")
            for task, where in cursor.pairs():
                value = cursor.value()
                if not isinstance(value, list) or not all(isinstance(v, dict) for v in value):
                    raise DataError(f"'{task}' holds no list of results", where=where)
                yield task, [(row, where) for row in value]


def _status(row: dict[str, Any], where: str) -> tuple[VerdictName, str]:
    """Return the verdict of one result: correct where base and extra tests pass."""
    base, plus = field_of(row, "base_status", where, (str, type(None))), row.get("plus_status")
    decisive = base if base != "pass" or plus is None else plus
    return STATUS.get(decisive, "wrong"), f"base {base}, plus {plus}"


def _solution(task: str, row: dict[str, Any], where: str) -> Response:
    """Return one result as a response."""
    verdict, detail = _status(row, where)
    text = response_of(field_of(row, "solution", where, str))
    return Response(where, Key(id=task), text, verdict=verdict, detail=detail)


def _line(task: str, row: Graded) -> dict[str, Any]:
    """Return a response as a line of samples."""
    solution = program_of(row[0])
    return {"task_id": task, "solution": solution, KEY: own_fields(row, response_of(solution))}


def _result(task: str, row: Graded) -> dict[str, Any]:
    """Return a response's verdict as a result; without the program, which the samples hold."""
    found = row[1].verdict if row[1] else "error"
    status = {"correct": "pass", "timeout": "timeout"}.get(found, "fail")
    return {
        "task_id": task,
        "solution": program_of(row[0]),
        "base_status": status,
        "plus_status": status,
        "base_fail_tests": [],
        "plus_fail_tests": [],
    }
