"""OpenCompass: `predictions/MODEL/DATASET*.json`, one object with a key per problem.

A value has `origin_prompt`, `prediction` (a text, or a list of repeats) and `gold`. Keys count
within a file, which may be a part of the data set: prompts identify the problems.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import ClassVar

from passk.core.errors import DataError
from passk.core.json_stream import JsonStream
from passk.core.row_files import Row, open_file
from passk.interop.base import ProblemKey, ReadOptions, Response
from passk.interop.files import text_of


class OpenCompass:
    """Reads the predictions of OpenCompass."""

    endings: ClassVar = (".json",)

    def read(self, files: Sequence[Path], options: ReadOptions) -> Iterator[Response]:  # noqa: ARG002
        """Yield the responses of each problem."""
        for path in files:
            with open_file(path) as file:
                stream = JsonStream(file, path)
                for name, line in stream.members():
                    value = stream.value()
                    if not isinstance(value, dict):
                        raise DataError(f"'{name}' has no prediction", where=f"{path}:{line}")
                    yield from _responses(Row(value, path, line), name)


def _responses(row: Row, name: str) -> Iterator[Response]:
    """Yield the responses to one problem."""
    prediction = row.get("prediction", (str, list, type(None)))
    key = ProblemKey(
        prompt=text_of(row.get("origin_prompt", (str, list))) or "",
        position=int(name) if name.isdecimal() else None,
    )
    for text in prediction if isinstance(prediction, list) else [prediction]:
        yield Response(row, key, text)
