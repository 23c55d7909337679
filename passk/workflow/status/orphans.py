"""`passk clean`: files of the store that no spec refers to."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path

from passk.core.errors import OutputError
from passk.workflow.plan import Plan, build_plan
from passk.workflow.trainings import Training

FOLDERS = (
    *("cells/*", "cells/*/verdicts/*", "cells/*/scores/*", "problems/*", "weights/*"),
    *("confirmations/*", "judgings/*"),
    *("trainings/*", "trainings/*/step-*", "trainings/*/state"),
)
"""Folders of the store that belong to something a spec names."""


def find_orphans(specs: Sequence[Path]) -> list[tuple[Path, int]]:
    """Return (folder, bytes) of every folder of the store that none of the specs needs.

    All specs in use must be named: what only another spec needs counts as an orphan.

    Raises:
        PasskError: a spec is at fault; nothing is called an orphan then.
    """
    plans = [build_plan(spec) for spec in specs]
    needed = {path.resolve() for plan in plans for path in _needed(plan)}
    stores = {Path(plan.layout.store) for plan in plans}
    found = [
        path
        for store in sorted(stores)
        for pattern in FOLDERS
        for path in sorted(store.glob(pattern))
        if path.is_dir() and path.resolve() not in needed
    ]
    outermost = [path for path in found if not any(parent in found for parent in path.parents)]
    return [(path, _size(path)) for path in outermost]


def _needed(plan: Plan) -> Iterable[Path]:
    """Yield every folder of the store that a plan needs."""
    for cell in plan.all_cells.values():
        yield Path(plan.layout.cell(cell.id)).parent
        yield Path(plan.layout.verdicts(cell.id, cell.verdicts, "x")).parent
        yield Path(plan.layout.questions(cell.problems)).parent
    for confirmation in plan.confirmations:
        yield Path(plan.layout.decisions(confirmation, "0")).parent
    for judging in plan.judgings:
        yield Path(plan.layout.chains(judging)).parent
    for weights in plan.weights.values():
        yield from (Path(marker).parent for marker in weights.markers)
    for training in plan.trainings.values():
        yield Path(plan.layout.training(training.id)).parent
        yield Path(plan.layout.questions(training.problems)).parent
        if _needs_state(plan, training):
            yield Path(plan.layout.training(training.id)).parent / "state"
    for scoring in plan.scorings.values():
        yield Path(plan.layout.cell(scoring.target)).parent
        yield Path(plan.layout.score_task(scoring.target, scoring.scorer)).parent


def _needs_state(plan: Plan, training: Training) -> bool:
    """Tell whether a training has yet to go on, or its spec keeps what a longer one would need."""
    unfinished = any(not Path(path).is_file() for path in plan.checkpoints_of(training))
    return unfinished or bool(training.model.execution.get("keep_state", True))


def _size(folder: Path) -> int:
    """Return the bytes of all files below a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def remove(folders: Iterable[Path]) -> None:
    """Remove folders.

    Raises:
        OutputError: one cannot be removed; the ones before it are gone.
    """
    for folder in folders:
        try:
            shutil.rmtree(folder)
        except OSError as error:
            raise OutputError(f"cannot be removed: {error.strerror}", where=str(folder)) from error
