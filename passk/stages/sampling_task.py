"""A cell whose temperature is matched by entropy: its sampling task, once the match is made."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NotRequired, TypedDict, cast

from passk.core.errors import DataError
from passk.core.integrity import read_task_file
from passk.engines.loader import read_task

FILE = "temperature.json"
"""Name, beside a cell.json, of what entropy matching found."""


class SamplingTask(TypedDict):
    """A cell.json: what decides a cell's responses, and how they are drawn."""

    cell: str
    fingerprint_inputs: Mapping[str, object]
    engine: str
    model: Mapping[str, object]
    prompt: Mapping[str, object]
    sampling: Mapping[str, Any]
    match: NotRequired[Mapping[str, float]]


def read_sampling_task(cell: Path) -> SamplingTask:
    """Return a cell.json with its temperature, matched where the spec says so.

    The fields then hold the temperature that was found, and how it was as `temperature matched`.

    Raises:
        DataError: it is no task file, or the temperature has not been matched yet.
    """
    document = cast("SamplingTask", read_task(cell, "cell", "sampling"))
    if document["sampling"]["temperature"] is not None:
        return document
    path = cell.with_name(FILE)
    if not path.is_file():
        raise DataError(
            "the temperature of this cell has not been matched yet",
            where=str(path),
            fix=f"passk match-entropy --cell {cell} --base BASE.json --problems FILE -o {path}",
        )
    found = read_task_file(path)["temperature"]
    fields = {
        **document["fingerprint_inputs"],
        "temperature": found,
        "temperature matched": document["fingerprint_inputs"]["temperature"],
    }
    sampling = {**document["sampling"], "temperature": found}
    return {**document, "fingerprint_inputs": fields, "sampling": sampling}
