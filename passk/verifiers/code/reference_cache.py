"""Outputs of reference solutions, kept by content.

A file per problem in a folder of the outputs' store, named by a digest of all that decides it:
the reference program, the inputs and rules (through the problem's key), the version of Python
and of the encoding. Nothing has to be deleted when any of those changes, and a folder that cannot
be written costs a second, not the run.
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

ENCODING = 1
"""Raised when `inside.encode` writes a value in another way."""


def path_of(folder: Path, problem: FunctionTests) -> Path:
    """Return where the outputs of a problem's reference solution stand."""
    parts = [problem.key, problem.reference or "", platform.python_version(), str(ENCODING)]
    return folder / f"{hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32]}.json"


def read(folder: Path | None, problem: FunctionTests) -> ReferenceOutputs | None:
    """Return the outputs as kept, or None."""
    if folder is None:
        return None
    with suppress(PasskError, KeyError, TypeError, ValueError):
        kept = read_json(path_of(folder, problem))
        outputs = ReferenceOutputs([str(line) for line in kept["lines"]], float(kept["seconds"]))
        if len(outputs.lines) == len(problem.inputs):
            return outputs
    return None


def keep(folder: Path | None, problem: FunctionTests, outputs: ReferenceOutputs) -> None:
    """Keep outputs for the next run."""
    if folder is not None:
        kept = {"seconds": outputs.seconds, "lines": list(outputs.lines)}
        with suppress(PasskError):
            write_text(path_of(folder, problem), json.dumps(kept))
