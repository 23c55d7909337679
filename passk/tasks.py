"""The task files (cell.json, score.json) that jobs with an engine read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from passk.engines.base import ModelSource
from passk.errors import DataError
from passk.recipes import read_json
from passk.spec import PromptTemplate

Progress = Callable[[int, int], None]
"""Called with (responses done, responses in all)."""


def read_task(path: Path, *needed: str) -> dict[str, Any]:
    """Return a task file.

    Raises:
        DataError: it cannot be read, or lacks what every task or this one needs.
    """
    document = read_json(path)
    keys = ("fields", "engine", "model", "prompt", *needed)
    missing = [key for key in keys if not isinstance(document, dict) or key not in document]
    if missing:
        raise DataError(
            f"not a task file: {', '.join(missing)} missing",
            where=str(path),
            fix="`passk resolve` writes one",
        )
    return dict(document)


def template_of(document: Mapping[str, Any]) -> PromptTemplate:
    """Return the prompt template of a cell.json or score.json."""
    fields = document["prompt"]
    return PromptTemplate(**{**fields, "stop": tuple(fields["stop"])})


def source_of(document: Mapping[str, Any], threads: int | None) -> ModelSource:
    """Return the model of a cell.json or score.json, with the job's threads."""
    fields = document["model"]
    execution = ({"threads": threads} if threads else {}) | fields["execution"]
    return ModelSource(**{**fields, "adapters": tuple(fields["adapters"]), "execution": execution})
