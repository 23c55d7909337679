"""The training stage: from a task to its next checkpoints."""

from __future__ import annotations

import logging
from pathlib import Path

from passk.core.errors import DataError
from passk.training import state_store
from passk.training.checkpointing import CheckpointManager, Progress
from passk.training.task import Task, read_training
from passk.training.torchrun import Files, launch_processes

log = logging.getLogger(__name__)


def train(
    task: Path,
    problems: Path,
    step: int,
    output: Path,
    *,
    threads: int | None = None,
    progress: Progress | None = None,
) -> None:
    """Train up to a step, and publish every checkpoint up to it that is not there.

    It goes on from the newest usable state; where there is none, from the start model. On one
    machine, in float32 on the CPU, the weights are the same bit for bit, however often it was
    stopped.

    Args:
        task: training.json.
        problems: file of Problem rows with gold answers.
        step: the checkpoint that is asked for; one of the task's steps.
        output: the checkpoint's manifest, `…/step-000020/manifest.json`, in the training's folder,
            where states and the other checkpoints are.
        threads: CPU threads, where the model's execution names none.
        progress: called with (steps done, steps in all, what the last one was like).

    Raises:
        DataError: a file that is read is not of the form it should have.
        EngineError: the model cannot be loaded, memory ran out, or the training diverged.
        OutputError: something cannot be written, or another process is at this training.
    """
    read = read_training(task, problems, threads)
    folder = _folder(read, step, output)
    with state_store.lock_training(folder):
        due = tuple(
            kept
            for kept in read.steps
            if kept <= step and not state_store.is_published(folder, kept)
        )
        if not due:
            return
        if int(read.execution.get("num_processes") or 1) > 1:
            launch_processes(
                read, Files(task, problems, folder), due, threads=threads, progress=progress
            )
            return
        manager = CheckpointManager(read, folder, due)
        if progress is not None:
            manager.progress = progress
        from passk.training.run import run

        run(manager)


def _folder(task: Task, step: int, output: Path) -> Path:
    """Return the training's folder; raise where the output is not the step's place in it."""
    if step not in task.steps:
        raise DataError(
            f"step {step} is none of the checkpoints to keep: {', '.join(map(str, task.steps))}",
            where=task.training,
        )
    folder = output.parent.parent
    if output != state_store.checkpoint(folder, step) / state_store.MANIFEST:
        raise DataError(
            f"the checkpoint of step {step} goes to step-{step:06d}/{state_store.MANIFEST}",
            where=str(output),
        )
    return folder
