"""`passk check`: read everything that a study rests on, and verify its checksums."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from passk.core.artifacts import canonical_json, file_digest, read_document, read_output_manifest
from passk.core.errors import DataError
from passk.core.integrity import verify
from passk.workflow.files import Build
from passk.workflow.plan import Plan
from passk.workflow.task_files import cell_task, plan_document, score_task_document, training_task

STUDY = ("plan", "tables", "figures", "reviewed", "report")
"""Parts of a study's own folder that have a manifest."""


@dataclass(frozen=True, slots=True)
class Check:
    """What reading found.

    Attributes:
        read: files that were read and are whole.
        damaged: a message per file that is not; those of the store have been set aside.
        pending: files that must be made, set-aside ones included.
    """

    read: int
    damaged: tuple[str, ...]
    pending: int


def check_study(plan: Plan) -> Check:
    """Read every stored file of a plan and compare it with its checksum.

    Fingerprint inputs of task files and the digests of the study's own files are compared too.
    """
    build = Build(plan)
    read, damaged = 0, []
    for path in dict.fromkeys(build.files):
        if path.endswith(".parquet") and "/store/" in f"/{path}" and Path(path).exists():
            try:
                verify(Path(path))
                read += 1
            except DataError as error:
                damaged.append(str(error))
    for file, problem in (*_tasks(plan), *_study_files(build)):
        if problem is None:
            read += 1
        elif file.exists():
            file.replace(file.with_name(f"{file.name}.damaged"))
            damaged.append(f"{file}: {problem}; set aside")
    return Check(read, tuple(damaged), len(Build(plan).pending))


def _tasks(plan: Plan) -> Iterator[tuple[Path, str | None]]:
    """Yield every task file that exists, and what is wrong with what decides its outputs."""
    layout = plan.layout
    tasks = {layout.cell(cell.id): cell_task(cell) for cell in plan.all_cells.values()}
    tasks |= {layout.training(one.id): training_task(one) for one in plan.trainings.values()}
    for one in plan.scorings.values():
        tasks[layout.score_task(one.target, one.scorer)] = score_task_document(one)
    for path, document in tasks.items():
        if Path(path).exists():
            key = "fingerprint_inputs"
            try:
                found = read_document(Path(path))[key]
                same = canonical_json(found) == canonical_json(document[key])
                yield Path(path), None if same else "it decides something else than its path says"
            except (DataError, KeyError, TypeError):
                yield Path(path), "it is not a task file"


def _study_files(build: Build) -> Iterator[tuple[Path, str | None]]:
    """Yield every file that a current manifest of the study names, and what is wrong with it."""
    plan, study = build.plan, build.study
    root = Path(study.plan_file).parent
    for what in STUDY:
        manifest = Path(study.manifest(what))
        if not manifest.is_file():
            continue
        try:
            digests = read_output_manifest(manifest)
        except DataError as error:
            yield manifest, error.what
            continue
        for name, digest in digests.items():
            if (root / name).is_file():
                same = file_digest(root / name) == digest
                yield root / name, None if same else "its checksum is not the one in its manifest"
    path = Path(study.plan_file)
    if path.is_file() and Path(study.manifest("plan")).is_file():
        try:
            same = canonical_json(read_document(path)) == canonical_json(plan_document(plan))
        except DataError:
            same = False
        yield path, None if same else "it is not the plan of this spec"
