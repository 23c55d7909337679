"""LiveCodeBench: `*_eval_all.json`, an array with a row per problem.

`output_list` holds the responses, `code_list` their programs, `graded_list` true where all tests
passed, and `metadata` (JSON text, where present) why not.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from passk.interop.base import Group, Key, Options, Response
from passk.interop.files import field_of, json_array, same_length
from passk.interop.roundtrip_fields import KEY, is_correct, own_fields, own_list, write_array
from passk.verifiers.code.extract_code import extract_code


class LiveCodeBench:
    """Reads and writes the evaluated outputs of LiveCodeBench."""

    def read(self, files: Sequence[Path], options: Options) -> Iterator[Response]:  # noqa: ARG002
        """Yield the responses of each problem."""
        for path in files:
            for row, where in json_array(path):
                yield from _responses(row, where)

    def write(self, groups: Iterable[Group], folder: Path) -> list[Path]:
        """Write one array."""
        return [write_array(folder / "passk_eval_all.json", map(_row, groups))]


def _responses(row: dict[str, Any], where: str) -> Iterator[Response]:
    """Yield the responses of one row."""
    lists = ["output_list", *(["graded_list"] if "graded_list" in row else [])]
    for name in lists:
        field_of(row, name, where, list)
    count = same_length(row, lists, where)
    key = Key(
        id=str(field_of(row, "question_id", where, (str, int))),
        questions=tuple(filter(None, [row.get("question_content")])),
    )
    details = row.get("metadata") or []
    own = own_list(row, count, where)
    for index in range(count):
        passed = row["graded_list"][index] if "graded_list" in row else None
        yield Response(
            where,
            key,
            row["output_list"][index],
            verdict=None if passed is None else "correct" if passed else "wrong",
            detail=str(details[index]) if index < len(details) else "",
            own=own[index],
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
        "code_list": [extract_code(sample.text) or "" for sample, _ in group.rows],
        "graded_list": graded,
        "pass@1": sum(graded) / len(graded),
        "metadata": [verdict.detail if verdict else "" for _, verdict in group.rows],
        KEY: [own_fields(row, row[0].text) for row in group.rows],
    }
