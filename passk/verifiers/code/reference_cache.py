"""Outputs of reference solutions on disk, so that they run once.

A file per problem, named by a digest of all that decides it: the reference program, the inputs and
rules (through the problem's key), the version of Python and of the format. Nothing has to be
deleted when any of those changes, and a folder that cannot be written costs a second, not the run.
"""

from __future__ import annotations

import hashlib
import json
import platform
from contextlib import suppress
from pathlib import Path

from passk.core.artifacts import read_json, write_text
from passk.core.errors import PasskError
from passk.verifiers.code.expected_outputs import ReferenceOutputs
from passk.verifiers.code.problems import FunctionTests

FORMAT = 2
"""Raised when the file, or what `inside.encode` writes for a value, changes."""


def path_of(folder: Path, problem: FunctionTests) -> Path:
    """Return the file of the outputs of a problem's reference solution."""
    parts = [problem.key, problem.reference or "", platform.python_version(), str(FORMAT)]
    return folder / f"{hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32]}.json"


def read(folder: Path | None, problem: FunctionTests) -> ReferenceOutputs | None:
    """Return the stored outputs, or None."""
    if folder is None:
        return None
    with suppress(PasskError, KeyError, TypeError, ValueError):
        stored = read_json(path_of(folder, problem))
        lines, seconds = list(map(str, stored["lines"])), list(map(float, stored["seconds"]))
        if len(lines) == len(seconds) == len(problem.inputs):
            return ReferenceOutputs(lines, seconds)
    return None


def write(folder: Path | None, problem: FunctionTests, outputs: ReferenceOutputs) -> None:
    """Store outputs for the next run."""
    if folder is not None:
        stored = {"seconds": list(outputs.seconds), "lines": list(outputs.lines)}
        with suppress(PasskError):
            write_text(path_of(folder, problem), json.dumps(stored))
