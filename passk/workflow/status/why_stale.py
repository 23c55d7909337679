"""Why something is missing: the fields in which it differs from the nearest thing on disk."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

from passk.core.artifacts import Manifest, read_document, read_manifest
from passk.core.errors import DataError
from passk.workflow.cells import Cell
from passk.workflow.plan import Plan
from passk.workflow.trainings import Training
from passk.workflow.weights import importable_packages, verdict_inputs

MAX_DIFFERENCES = 4
"""A manifest that differs in more fields explains nothing."""

DIGESTS = {
    "questions": "the questions",
    "worked examples": "the worked examples",
    "golds": "the gold answers",
    "solutions": "the worked solutions",
    "responses": "the teacher's responses",
    "trained": "the training",
    "start trained": "the training of the start model",
}
"""Fields whose values say nothing to people -> what has changed."""


def differences(old: Mapping[str, object], new: Mapping[str, object]) -> list[str]:
    """Return the fields in which two manifests differ, as `top_p 0.95 → 0.9`."""
    names = [name for name in {**new, **old} if old.get(name) != new.get(name)]
    return [_difference(name, old.get(name), new.get(name)) for name in names]


def _difference(name: str, old: object, new: object) -> str:
    """Return one field's change in words."""
    if name in DIGESTS:
        return f"{DIGESTS[name]} changed"
    if name in {"weights", "start weights"} and all(
        str(value).startswith("local:") for value in (old, new)
    ):
        return "the content of the weights changed"
    return f"{name} {_shown(old)} → {_shown(new)}"


def _shown(value: object) -> str:
    """Return a value as it reads in a spec."""
    if value is None:
        return "none"
    return json.dumps(value, ensure_ascii=False) if not isinstance(value, str) else value


def why_cell(cell: Cell, known: Mapping[str, Mapping[str, object]]) -> str:
    """Return why a cell has no samples: what is new, or how it differs from its namesake."""
    prefix = f"{cell.id.rpartition('-')[0]}-"
    namesakes = {name: inputs for name, inputs in known.items() if name.startswith(prefix)}
    if namesakes:
        return _why(namesakes, cell.fingerprint_inputs) or "never sampled with these settings"
    model, benchmark = cell.model.name, cell.use.name
    if any(name.startswith(f"{model}.{benchmark}.") for name in known):
        return f"sampler '{cell.sampler.name}' is new"
    if any(name.startswith(f"{model}.") for name in known):
        return f"benchmark '{benchmark}' is new"
    return f"model '{model}' is new" if known else "never sampled"


def why_training(training: Training, known: Mapping[str, Mapping[str, object]]) -> str:
    """Return why a training has no checkpoint: it is new, or differs from its namesake."""
    prefix = f"{training.id.rpartition('-')[0]}-"
    namesakes = {name: inputs for name, inputs in known.items() if name.startswith(prefix)}
    if known and not namesakes:
        return f"training '{training.name}' is new"
    return _why(namesakes, training.fingerprint_inputs) or "never trained with these settings"


def _why(known: Mapping[str, Mapping[str, object]], wanted: Mapping[str, object]) -> str:
    """Return what differs from the nearest of what is known, in words; empty where none is near."""
    found = _nearest(known, wanted)
    if found is None:
        return ""
    name, changes = found
    return f"{', '.join(changes)} (nearest: {name})"


def _nearest(
    known: Mapping[str, Mapping[str, object]], wanted: Mapping[str, object]
) -> tuple[str, list[str]] | None:
    """Return the manifest with the fewest differences, and these; None where none is near."""
    found = [(differences(inputs, wanted), name) for name, inputs in sorted(known.items())]
    near = [(changes, name) for changes, name in found if 0 < len(changes) <= MAX_DIFFERENCES]
    if not near:
        return None
    changes, name = min(near, key=lambda pair: len(pair[0]))
    return name, changes


def known_cells(plan: Plan) -> dict[str, Mapping[str, object]]:
    """Return the fields of every cell on disk that has samples, by id."""
    return _known(Path(plan.layout.store), "cells/*/cell.json", "samples/*.parquet")


def known_trainings(plan: Plan) -> dict[str, Mapping[str, object]]:
    """Return the fields of every training on disk that has a checkpoint, by id."""
    return _known(Path(plan.layout.store), "trainings/*/training.json", "step-*/manifest.json")


def _known(store: Path, tasks: str, made: str) -> dict[str, Mapping[str, object]]:
    """Return the fields of the task files in folders where something was made, by folder."""
    found = {}
    for path in sorted(store.glob(tasks)):
        if not any(path.parent.glob(made)):
            continue
        try:
            found[path.parent.name] = read_document(path)["fingerprint_inputs"]
        except (DataError, KeyError, TypeError):
            continue
    return found


def why_verdicts(plan: Plan, cell: Cell) -> str:
    """Say why a cell's verdicts are missing: what differs from verdicts on the same responses."""
    folder = Path(plan.layout.store) / "cells" / cell.id / "verdicts"
    wanted = verdict_inputs(cell.benchmark, cell.identity)
    packages = importable_packages(cell.benchmark)
    found = [
        _verdict_changes(manifest, wanted, packages)
        for path in sorted(folder.glob("*/*.parquet"))
        if (manifest := read_manifest(path)) is not None
    ]
    return min(found, key=len, default="never graded")


def _verdict_changes(
    manifest: Manifest, wanted: Mapping[str, object], packages: Mapping[str, str | None]
) -> str:
    """Return what differs between a verdict file's manifest and what is wanted, in words."""
    verifier = manifest.get("verifier") or {}
    old = {
        "verifier": verifier.get("name"),
        "options": verifier.get("options"),
        "verifier version": verifier.get("version"),
        "verification version": manifest.get("version"),
    }
    installed = (manifest.get("sandbox") or {}).get("packages", {})
    installed = {**installed, "python": manifest.get("python")}
    changes = differences(old, {name: wanted[name] for name in old})
    changes += differences({name: installed.get(name) for name in packages}, packages)
    return ", ".join(changes) or "the gold answers changed"


def missing(paths: Iterable[str]) -> list[str]:
    """Return the paths at which there is no file."""
    return [path for path in paths if not Path(path).is_file()]
