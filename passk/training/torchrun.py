"""Training in several processes at once, each on a GPU of its own (or on the CPU, for tests).

torchrun starts them, accelerate (in TRL's trainers) joins them. Each draws and grades the responses
to its share of a step's problems, and takes its share of the loss; gradients are averaged. The
processes tell this one how far they are, and what went wrong, in lines of JSON.
"""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from passk.core.errors import EngineError
from passk.training.checkpointing import Progress
from passk.training.task import Task

MARK = "passk-training:"
"""What a line for the process that launched begins with."""


@dataclass(frozen=True, slots=True)
class Files:
    """What the processes read, and where they write."""

    task: Path
    problems: Path
    folder: Path


def launch_processes(
    task: Task,
    files: Files,
    due: Sequence[int],
    *,
    threads: int | None,
    progress: Progress | None,
) -> None:
    """Train in `execution.num_processes` processes up to the last checkpoint that is due.

    Raises:
        EngineError: the method cannot be shared out, or a process failed.
    """
    count = int(task.execution["num_processes"])
    _check(task, count)
    order = {name: str(path) for name, path in dataclasses.asdict(files).items()}
    message = json.dumps({**order, "due": list(due), "threads": threads})
    command = [
        *(sys.executable, "-m", "torch.distributed.run", "--standalone"),
        *("--nproc-per-node", str(count), "-m", "passk.training.distributed_worker", message),
    ]
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads or 1), "OMP_WAIT_POLICY": "passive"}
    report: dict[str, Any] = {}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as running:
        assert running.stdout is not None  # noqa: S101
        for line in running.stdout:
            _, mark, message = line.partition(MARK)
            if mark:
                report = json.loads(message)
                if progress is not None and "done" in report:
                    progress(report["done"], report["total"], report["note"])
    if running.returncode:
        raise _failure(report, task)


def _check(task: Task, count: int) -> None:
    """Raise where a training cannot be shared out."""
    prompts, parts = (
        task.settings["prompts_per_step"],
        int(task.execution.get("gradient_accumulation_steps") or 1),
    )
    if task.method.teacher is not None:
        raise EngineError(
            f"{task.method.name} trains in one process",
            where=task.training,
            fix="take `num_processes` out of the model's `execution`",
        )
    if prompts % (count * parts):
        raise EngineError(
            f"{prompts} problems a step cannot be shared out among {count} processes",
            where=task.training,
            fix="set `prompts_per_step` to a multiple of `num_processes` (times "
            "`gradient_accumulation_steps`)",
        )


def _failure(report: dict[str, Any], task: Task) -> EngineError:
    """Return what the processes said last, as an error."""
    if "what" in report:
        return EngineError(report["what"], where=report["where"], fix=report["fix"])
    return EngineError(
        "a process of the training ended without a word (out of memory, or killed)",
        where=task.training,
        fix="run the same command again: it resumes from the last state",
    )
