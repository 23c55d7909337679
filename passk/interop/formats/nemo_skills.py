"""NeMo-Skills: `output-rs*.jsonl`, a file per seed with a line per problem.

A line has `problem` (or `question`), `generation` (in 2024-03 `generated_solution`), and after
judging `predicted_answer` with `symbolic_correct` (until 2025-05 `is_correct`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import ClassVar

from passk.core.row_files import Row, json_lines
from passk.interop.base import FINISH_REASONS, ProblemKey, ReadOptions, Response, verdict_of

VERDICTS = ("symbolic_correct", "is_correct")


class NemoSkills:
    """Reads the outputs of NeMo-Skills."""

    endings: ClassVar = (".jsonl",)

    def read(self, files: Sequence[Path], options: ReadOptions) -> Iterator[Response]:  # noqa: ARG002
        """Yield the response of each line."""
        for path in files:
            yield from map(_response, json_lines(path))


def _response(row: Row) -> Response:
    """Return a line as a response."""
    values = row.values
    question = values.get("problem", values.get("question"))
    correct = next((values[name] for name in VERDICTS if values.get(name) is not None), None)
    answer = values.get("predicted_answer")
    text = "generated_solution" if "generated_solution" in values else "generation"
    return Response(
        row,
        ProblemKey(question=question if isinstance(question, str) else row.get("problem", str)),
        row.get(text, (str, type(None))),
        finish_reason=FINISH_REASONS.get(str(values.get("finish_reason")), "unknown"),
        verdict=verdict_of(correct),
        answer=None if answer is None else str(answer),
    )
