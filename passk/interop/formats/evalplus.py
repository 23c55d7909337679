"""EvalPlus: `samples.jsonl` or a folder of programs, with the verdicts of `*_eval_results.json`.

A line has `task_id` and `solution` (a whole program) or `completion`; a folder has
`HumanEval_0/0.py`. Results have, per task, the solutions in the order of their lines with
`base_status` and `plus_status`, which are `pass`, `fail` or `timeout`. Up to 0.2.0 they have `base`
and `plus`, lists of `[status, details]`, and a status is `success`, `failed` or `timed out`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from passk.core.errors import DataError
from passk.core.json_stream import JsonStream
from passk.core.row_files import Row, file_ending, json_lines, open_file
from passk.core.schemas import Problem, VerdictName
from passk.interop.base import Graded, Group, ProblemKey, ReadOptions, Response
from passk.interop.code_responses import fence_completion, fence_program, program_of
from passk.interop.roundtrip_fields import KEY, roundtrip_fields, write_lines

STATUS: Mapping[str | None, VerdictName] = {
    "pass": "correct", "success": "correct", "timeout": "timeout", "timed out": "timeout",
}  # fmt: skip
"""Status of EvalPlus -> verdict; any other is wrong."""


class EvalPlus:
    """Reads the samples and results of EvalPlus, and writes samples.

    Results are not written: passk has one verdict per response, and EvalPlus two, of the base
    tests and of all tests. `evalplus.evaluate --samples FILE` finds both.
    """

    endings: ClassVar = (".jsonl", ".json", ".py")
    code: ClassVar = True

    def read(self, files: Sequence[Path], options: ReadOptions) -> Iterator[Response]:
        """Yield the solutions with their verdicts; results alone have solutions as well."""
        results = [path for path in files if file_ending(path) == ".json"]
        samples = [path for path in files if file_ending(path) != ".json"]
        if not samples:
            for path in results:
                for task, rows in _tasks(path):
                    yield from (_solution(task, row, options, _status(row)) for row in rows)
            return
        found: dict[str, list[tuple[VerdictName, str]]] = {}
        for path in results:
            for task, rows in _tasks(path):
                found.setdefault(task, []).extend(map(_status, rows))
        seen: Counter[str] = Counter()
        for row in _samples(samples):
            task = row.get("task_id", str)
            if results and seen[task] >= len(found.get(task, [])):
                raise DataError(
                    f"no verdict on solution {seen[task]} of '{task}'", where=row.location
                )
            graded = found[task][seen[task]] if results else (None, "")
            yield _solution(task, row, options, graded)
            seen[task] += 1

    def write(self, groups: Iterable[Group], folder: Path) -> list[Path]:
        """Write samples.jsonl."""
        rows = (_line(group.problem, row) for group in groups for row in group.rows)
        return [write_lines(folder / "samples.jsonl", rows)]


def _samples(files: Sequence[Path]) -> Iterator[Row]:
    """Yield lines of JSON-lines files, and files of programs as such lines."""
    for path in files:
        if path.suffix == ".py":
            with open_file(path) as stream:
                program = stream.read().decode("utf-8", "replace")
            task = path.parent.name.replace("_", "/", 1)
            yield Row({"task_id": task, "solution": program}, path, 1)
        else:
            yield from json_lines(path)


def _text(row: Row, options: ReadOptions) -> str:
    """Return the response of a line."""
    if "solution" not in row.values and "base_status" in row.values:
        raise DataError(
            "has verdicts only", where=row.location, fix="name the file of samples as well"
        )
    if "solution" not in row.values:
        return fence_completion(row.get("completion", str), row.values["task_id"], options)
    if options.completion and row.values.get(KEY) is None:
        raise DataError(
            "is a whole program, but this benchmark asks for completions",
            where=row.location,
            fix="import for a benchmark without `options: {completion: true}`",
        )
    return fence_program(row.get("solution", str))


def _tasks(path: Path) -> Iterator[tuple[str, list[Row]]]:
    """Yield each task of a results file with its solutions, a task at a time."""
    with open_file(path) as file:
        stream = JsonStream(file, path)
        for name, _ in stream.members():
            if name != "eval":
                stream.value()
                continue
            for task, line in stream.members():
                value = stream.value()
                if isinstance(value, Mapping) and isinstance(value.get("base"), list):
                    value = _modern(value)
                if not isinstance(value, list) or not all(isinstance(v, dict) for v in value):
                    raise DataError(f"'{task}' has no list of results", where=f"{path}:{line}")
                yield task, [Row(row, path, line) for row in value]


def _modern(task: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return results from before 2024-02 in the present form."""
    plus = task.get("plus") or [[None]] * len(task["base"])
    return [
        {"base_status": base[0], "plus_status": extra[0]}
        for base, extra in zip(task["base"], plus, strict=True)
    ]


def _status(row: Row) -> tuple[VerdictName, str]:
    """Return the verdict of one result: correct if base and extra tests pass."""
    base, plus = row.get("base_status", (str, type(None))), row.values.get("plus_status")
    decisive = base if STATUS.get(base) != "correct" or plus is None else plus
    return STATUS.get(decisive, "wrong"), f"base {base}, plus {plus}"


def _solution(
    task: str, row: Row, options: ReadOptions, graded: tuple[VerdictName | None, str]
) -> Response:
    """Return a solution with its verdict and what explains it."""
    verdict, detail = graded
    key, stored = ProblemKey(id=task), row.values.get(KEY)
    text = _text(row, options)
    return Response(row, key, text, verdict=verdict, detail=detail, roundtrip=stored)


def _line(problem: Problem, row: Graded) -> dict[str, Any]:
    """Return a response as a line of samples."""
    solution = program_of(row[0], problem)
    stored = roundtrip_fields(row, fence_program(solution))
    return {"task_id": problem.id, "solution": solution, KEY: stored}
