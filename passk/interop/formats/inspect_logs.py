"""Inspect: logs as `.eval` (a ZIP with a file per sample) or `.json`.

A sample has `id`, `epoch`, `input`, `target`, `output` and `scores`; epochs are repeats. One that
failed with an error has no response: a null. Long texts may be stored once in `attachments`.
"""

from __future__ import annotations

import io
import json
import os
import struct
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from passk.core.errors import DataError
from passk.core.json_stream import JsonStream
from passk.core.row_files import Row, file_ending, open_file
from passk.core.schemas import VerdictName
from passk.interop.base import FINISH_REASONS, ProblemKey, ReadOptions, Response
from passk.interop.files import text_of

ATTACHMENT = "attachment://"

ZSTANDARD = 93
"""Compression method that Python's zipfile does not know before 3.14."""

VALUES: Mapping[Any, VerdictName] = {
    "C": "correct", "I": "wrong", "N": "no_answer", True: "correct", False: "wrong",
}  # fmt: skip
"""Value of a score -> verdict; 1 and 0 are True and False. Partial scores are no verdict."""


class Inspect:
    """Reads the logs of Inspect."""

    endings: ClassVar = (".eval", ".json")

    def read(self, files: Sequence[Path], options: ReadOptions) -> Iterator[Response]:
        """Yield the response of each sample."""
        for path in files:
            rows = _zip_samples(path) if file_ending(path) == ".eval" else _json_samples(path)
            for row in rows:
                yield _response(row, options)


def _zip_samples(path: Path) -> Iterator[Row]:
    """Yield the samples of a `.eval` file, one in memory at a time."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = [name for name in archive.namelist() if name.startswith("samples/")]
            for name in sorted(dict.fromkeys(names), key=_epoch):
                value = json.loads(_read_entry(archive, name))
                if not isinstance(value, dict):
                    raise DataError("not a sample of Inspect", where=f"{path}:{name}")
                yield Row(value, path, name)
    except (OSError, ValueError, RecursionError, zipfile.BadZipFile) as error:
        raise DataError(f"not a log of Inspect: {error}", where=str(path)) from error


def _read_entry(archive: zipfile.ZipFile, name: str) -> bytes:
    """Return the content of a file in a ZIP; Inspect compresses with Zstandard since 2026."""
    info = archive.getinfo(name)
    if info.compress_type != ZSTANDARD:
        return archive.read(name)
    import pyarrow as pa

    with Path(str(archive.filename)).open("rb") as file:
        # The local header has 30 bytes, then a name and extra fields whose lengths end it.
        file.seek(info.header_offset)
        header = file.read(30)
        file.seek(sum(struct.unpack("<HH", header[26:30])), os.SEEK_CUR)
        content = file.read(info.compress_size)
    with pa.CompressedInputStream(io.BytesIO(content), "zstd") as stream:
        found: bytes = stream.read()
    return found


def _epoch(name: str) -> tuple[int, str]:
    """Return a sort key: epoch, then sample."""
    start, _, number = name.removesuffix(".json").rpartition("_epoch_")
    return (int(number) if number.isdecimal() else 0, start)


def _json_samples(path: Path) -> Iterator[Row]:
    """Yield the samples of a `.json` log."""
    with open_file(path) as file:
        stream = JsonStream(file, path)
        found = False
        for name, _ in stream.members():
            if name != "samples":
                stream.value()
                continue
            found = True
            for value, line in stream.elements():
                if not isinstance(value, dict):
                    raise DataError("not a sample of Inspect", where=f"{path}:{line}")
                yield Row(value, path, line)
        if not found:
            raise DataError("has no samples", where=str(path), fix="was it logged with samples?")


def _response(row: Row, options: ReadOptions) -> Response:
    """Return a sample as a response."""
    output = row.get("output", dict)
    choices = output.get("choices") or [{}]
    attachments = row.values.get("attachments") or {}
    text = output.get("completion")
    if text is None:
        text = text_of((choices[0].get("message") or {}).get("content"))
    if row.values.get("error"):
        text = None
    name, score = _first_score(row)
    if name:
        options.notes["scorer"] = name
    value = score.get("value")
    prompt = _resolve(text_of(row.get("input", (str, list))), attachments)
    sample_id = row.get("id", (str, int))
    return Response(
        row,
        # Inspect numbers samples that have no id: a number is no id of the benchmark.
        ProblemKey(
            id=sample_id if isinstance(sample_id, str) and sample_id in options.problems else None,
            prompt=prompt,
        ),
        _resolve(text, attachments),
        finish_reason=FINISH_REASONS.get(str(choices[0].get("stop_reason")), "unknown"),
        verdict=VALUES.get(value) if isinstance(value, str | int | float | bool) else None,
        answer=score.get("answer") if isinstance(score.get("answer"), str) else None,
        detail=str(score.get("explanation") or ""),
    )


def _first_score(row: Row) -> tuple[str, Mapping[str, Any]]:
    """Return the name and the first score of a sample; empty if it has none."""
    for name, score in (row.values.get("scores") or {}).items():
        return str(name), score
    return "", {}


def _resolve(text: Any, attachments: Mapping[str, str]) -> str | None:
    """Return a text, from the attachments if it refers to one."""
    if isinstance(text, str) and text.startswith(ATTACHMENT):
        return attachments.get(text.removeprefix(ATTACHMENT), text)
    return text if isinstance(text, str) else None
