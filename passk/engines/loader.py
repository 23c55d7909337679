"""The task files (cell.json, score.json) that jobs with an engine read."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from passk.core.artifacts import canonical_json, digest, read_manifest
from passk.core.documents import from_document
from passk.core.errors import DataError, PasskError
from passk.core.install import install_module
from passk.core.integrity import read_task_file
from passk.core.registry import ENGINES, load
from passk.engines.base import Engine, ModelSource
from passk.spec.models import PromptTemplate

Document = Mapping[str, Any]
"""A task file, or a part of one, as read from JSON."""

Progress = Callable[[int, int], None]
"""Called with (responses done, responses in all)."""


def part_of(progress: Progress | None, number: int, parts: int) -> Progress | None:
    """Return the progress of one of several parts of about equal size, as that of all of them."""
    if progress is None or parts == 1:
        return progress
    return lambda done, total: progress(number * total + done, parts * total)


def read_task(path: Path, *needed: str) -> dict[str, Any]:
    """Return a task file.

    Raises:
        DataError: it cannot be read, or lacks what every task or this one needs.
    """
    document = read_task_file(path)
    keys = ("fingerprint_inputs", "engine", "model", "prompt", *needed)
    missing = [key for key in keys if key not in document]
    if missing:
        raise DataError(
            f"not a task file: {', '.join(missing)} missing",
            where=str(path),
            fix="`passk resolve` writes one",
        )
    return document


def template_of(document: Document) -> PromptTemplate:
    """Return the prompt template of a cell.json or score.json."""
    return from_document(PromptTemplate, document["prompt"], "prompt")


def source_of(document: Document, threads: int | None) -> ModelSource:
    """Return the model of a cell.json or score.json, with the job's threads."""
    source = from_document(ModelSource, document["model"], "model")
    execution = ({"threads": threads} if threads else {}) | dict(source.execution)
    return dataclasses.replace(source, execution=execution)


def shard_key(fingerprint_inputs: Document, samples: range) -> str:
    """Return what the journal of a shard of samples belongs to."""
    return digest([digest(fingerprint_inputs), samples.start, samples.stop])


def is_made(output: Path, fingerprint_inputs: Document) -> bool:
    """Return whether an output is complete and was made from `fingerprint_inputs`.

    A workflow removes outputs before a job, so another process has made it meanwhile.
    """
    return (
        output.is_file()
        and (read_manifest(output) or {}).get("fingerprint_inputs") == fingerprint_inputs
    )


def load_engine(name: str, source: ModelSource) -> Engine:
    """Load a model with an engine.

    Raises:
        PasskError: the engine is unknown, or a package that it needs is not installed.
        EngineError: the model cannot be loaded.
    """
    kind: type[Engine] = load("engine", name, ENGINES)
    try:
        return kind.load(source)
    except ModuleNotFoundError as error:
        module = (error.name or name).partition(".")[0]
        raise PasskError(
            f"engine '{name}' needs the package '{module}', which is not installed",
            fix=install_module(module),
        ) from error


class Loader:
    """Engines of one job, each loaded when it is first needed, and kept.

    Args:
        threads: CPU threads, where a task's execution names none.
    """

    def __init__(self, threads: int | None) -> None:
        """Load nothing yet."""
        self._threads = threads
        self._loaded: dict[str, Engine] = {}

    def source(self, document: Document) -> ModelSource:
        """Return the model of a cell.json or score.json, with the job's threads."""
        return source_of(document, self._threads)

    def __call__(self, document: Document) -> tuple[Engine, float]:
        """Return the engine of a task, and the seconds that loading it took just now."""
        key = canonical_json([document["engine"], document["model"]])
        if key in self._loaded:
            return self._loaded[key], 0.0
        began = time.perf_counter()
        self._loaded.clear()  # one model at a time: memory is the other's
        self._loaded[key] = load_engine(document["engine"], self.source(document))
        return self._loaded[key], time.perf_counter() - began
