"""LiveCodeBench: `*_eval_all.json`, an array with a row per problem.

`output_list` has the responses, `code_list` their programs, `graded_list` true where all tests
passed, and `metadata` (JSON text, if present) the reason where not.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar

from passk.core.row_files import Row, json_array
from passk.interop.base import Group, ProblemKey, ReadOptions, Response, verdict_of
from passk.interop.code_responses import find_program
from passk.interop.roundtrip_fields import (
    KEY,
    is_correct,
    roundtrip_fields,
    roundtrip_list,
    write_array,
)


class LiveCodeBench:
    """Reads and writes the evaluated outputs of LiveCodeBench."""

    endings: ClassVar = (".json",)
    code: ClassVar = True

    def read(self, files: Sequence[Path], options: ReadOptions) -> Iterator[Response]:  # noqa: ARG002
        """Yield the responses of each problem."""
        for path in files:
            for row in json_array(path):
                yield from _responses(row)

    def write(self, groups: Iterable[Group], folder: Path) -> list[Path]:
        """Write one array."""
        return [write_array(folder / "passk_eval_all.json", map(_row, groups))]


def _responses(row: Row) -> Iterator[Response]:
    """Yield the responses of one row."""
    graded = row.values.get("graded_list")
    count = row.lists(["output_list", *(["graded_list"] if graded is not None else [])])
    content = row.values.get("question_content")
    key = ProblemKey(
        id=str(row.get("question_id", (str, int))), texts=(content,) if content else ()
    )
    details = row.values.get("metadata") or []
    stored = roundtrip_list(row, count)
    for index, text in enumerate(row.values["output_list"]):
        yield Response(
            row,
            key,
            text,
            verdict=verdict_of(graded[index]) if graded is not None else None,
            detail=str(details[index]) if index < len(details) else "",
            roundtrip=stored[index],
        )


def _row(group: Group) -> dict[str, Any]:
    """Return one problem as a row."""
    graded = [is_correct(row) for row in group.rows]
    return {
        "question_title": "",
        "question_content": group.problem.question,
        "platform": "",
        "question_id": group.problem.id,
        "contest_id": "",
        "contest_date": "",
        "starter_code": "",
        "difficulty": "",
        "output_list": [sample.text for sample, _ in group.rows],
        "code_list": [find_program(sample, group.problem) or "" for sample, _ in group.rows],
        "graded_list": graded,
        "pass@1": sum(graded) / len(graded),
        "metadata": [verdict.detail if verdict else "" for _, verdict in group.rows],
        KEY: [roundtrip_fields(row, row[0].text) for row in group.rows],
    }
