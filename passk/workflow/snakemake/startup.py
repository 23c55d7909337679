"""The last look before the first job: does it fit, is anybody else at work on the same files?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from io import FileIO
from pathlib import Path
from typing import TYPE_CHECKING

from passk.core.artifacts import canonical_json, digest, read_document
from passk.core.errors import DataError, OutputError, PasskError
from passk.core.integrity import sealed_task, write_task_file
from passk.workflow.files import Build
from passk.workflow.plan import Plan
from passk.workflow.preflight import check_run
from passk.workflow.resources.jobs import Jobs
from passk.workflow.slurm import queue
from passk.workflow.slurm.partitions import Partition, ask_slurm, read_partitions
from passk.workflow.slurm.watchdog import start_watchdog
from passk.workflow.snakemake.locks import lock_outputs
from passk.workflow.store_format import write_format
from passk.workflow.stored_names import stored_names
from passk.workflow.task_files import cell_task, score_task_document, training_task

if TYPE_CHECKING:
    from snakemake.workflow import Workflow


def start_run(jobs: Jobs, workflow: Workflow, outputs: Sequence[str], since: float) -> FileIO:
    """Check that a run can begin and hold what it will write; the file must stay open.

    A run on Slurm is watched over from here to its end.

    Args:
        jobs: what the plan's jobs ask for.
        workflow: Snakemake's; the settings of its Slurm plugin name a partition file.
        outputs: files that the run will write.
        since: when the run looked at what there was.

    Raises:
        PasskError: something would stop every job of a kind, a job fits into no partition, another
            run is at work on the same files, or jobs of a run that is gone are still in the queue.
    """
    settings = workflow.executor_settings
    on_slurm = hasattr(settings, "partition_config")
    if on_slurm:
        jobs.limit(partitions_of(settings.partition_config))
    check_run(jobs.plan, local=workflow.local_exec)
    write_format(jobs.plan.layout)
    held = lock_outputs(jobs.plan.layout, outputs, str(jobs.plan.experiment.file), since)
    _refuse_renamed(jobs.plan)
    if on_slurm:
        refuse_queued_jobs(jobs.plan)
        start_watchdog(comment_names(jobs.plan), str(jobs.plan.experiment.file), workflow)
    return held


def prepare_files(build: Build) -> None:
    """Bring task files up to date, and forget what earlier files were made for, before any job.

    Task files also say what a job costs (batch size, where weights are), so they may change
    while everything made from them stays. What must be made anew goes now, so that a kill at any
    moment leaves it missing and not out of date.
    """
    plan, layout = build.plan, build.plan.layout
    tasks = {layout.cell(cell.id): cell_task(cell) for cell in plan.all_cells.values()}
    tasks |= {layout.training(one.id): training_task(one) for one in plan.trainings.values()}
    for one in plan.scorings.values():
        tasks[layout.score_task(one.target, one.scorer)] = score_task_document(one)
    for path, document in tasks.items():
        if Path(path).exists() and not _holds(Path(path), document):
            write_task_file(Path(path), document)
    for made in build.pending.values():
        for output in map(Path, made.outputs):
            if output.parent.name == "manifests":
                for old in output.parent.glob(f"{output.name.rpartition('-')[0]}-*.json"):
                    old.unlink(missing_ok=True)
            elif output.is_file() and output.is_relative_to(layout.store):
                output.unlink()


def _holds(path: Path, document: Mapping[str, object]) -> bool:
    """Return whether a file holds a JSON document."""
    try:
        stored = canonical_json(read_document(path))
        return stored == canonical_json(sealed_task(path, document))
    except DataError:
        return False


def _refuse_renamed(plan: Plan) -> None:
    """Raise if another run has made a folder, under another name, since this plan was made."""
    name = stored_names(Path(plan.layout.store), plan.cells)
    for cell in plan.all_cells.values():
        readable, _, key = cell.id.rpartition("-")
        if name("cells", readable, key) != cell.id:
            raise OutputError(
                "another run has begun this cell under another name",
                where=cell.id,
                fix="run the same command again",
            )


def partitions_of(file: str | Path | None) -> Sequence[Partition]:
    """Return the partitions that a file names, or else those that Slurm names."""
    return read_partitions(Path(file)) if file else ask_slurm()


def comment_names(plan: Plan) -> set[str]:
    """Return what comments of a plan's jobs name: cells, references, scorers, problems, trainings.

    Jobs that make several files have a digest in place of the cell or scorer.
    """
    scorers = {scoring.model.name for scoring in plan.scorings.values()}
    runs = {f"_{digest(name)}_" for name in (*plan.cells, *scorers)}
    references = {target for target, _ in plan.scorings}
    return {*plan.all_cells, *references, *plan.problems, *plan.trainings, *runs}


def refuse_queued_jobs(plan: Plan) -> None:
    """Raise where jobs of an earlier run are still in the queue: they write the same files."""
    left = [job for job in queue.queued(comment_names(plan)) if job.state != "COMPLETING"]
    if left:
        some = ", ".join(job.id for job in left[:5]) + (", ..." if len(left) > 5 else "")  # noqa: PLR2004
        raise PasskError(
            f"{len(left)} jobs of an earlier run are still in the queue ({some})",
            where=str(plan.experiment.file),
            fix=f"passk cancel {plan.experiment.file}, then the same command again",
        )
