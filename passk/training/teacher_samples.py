"""Responses of a teacher model that a training imitates: sampled once and stored.

They are stored next to the states. Until all are there, a journal keeps what a killed process
had finished.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping

from passk.core.errors import EngineError
from passk.core.journal import Journal
from passk.core.schemas import Sample, read_rows, write_rows
from passk.engines.base import Engine, Request
from passk.engines.loader import Loader, is_made
from passk.engines.prompts import render
from passk.training.checkpointing import CheckpointManager
from passk.training.data_order import seed_of
from passk.training.task import Task

log = logging.getLogger(__name__)

FILE = "drawn.parquet"
"""In the folder of states: Sample rows, in the order of problems."""

LOG_SECONDS = 30.0
"""Seconds between log lines while sampling."""

Key = tuple[str, int]
"""A problem's id and the index of a response to it."""


def sample_teacher(manager: CheckpointManager) -> None:
    """Sample the teacher model before the student model takes the memory.

    Raises:
        EngineError: the teacher cannot be loaded, or failed while at work.
    """
    teacher = manager.task.teacher or {}
    if teacher.get("kind") == "model":
        document = {"engine": teacher["engine"], "model": teacher["model"]}
        load = Loader(manager.task.execution.get("threads"))
        sample_once(manager, lambda: load(document)[0])


def sample_once(manager: CheckpointManager, engine: Callable[[], Engine]) -> list[Sample]:
    """Return the responses to every problem, sampling those that are missing.

    Args:
        manager: the training and its folder.
        engine: loads the engine; not called if nothing is missing.

    Raises:
        EngineError: the engine failed while sampling, or left responses out.
        OutputError: they cannot be written.
    """
    task, output = manager.task, manager.folder / "state" / FILE
    with Journal(output, task.key, Sample, wait=True) as journal:
        if not is_made(output, task.fingerprint_inputs):
            _draw(task, journal, engine)
            write_rows(output, _sort_rows(task, journal.rows), _manifest(task))
            journal.rows.clear()
        journal.discard()
    return read_rows(output, Sample)


def _draw(task: Task, journal: Journal[Sample], engine: Callable[[], Engine]) -> None:
    """Sample and journal what is not in the journal."""
    total = len(task.problems) * task.settings["num_generations"]
    if requests := list(_requests(task, journal.rows)):
        log.info("%s: sampling %d responses to imitate", task.training, total - len(journal.rows))
        logged = time.monotonic()
        for row in engine().sample(requests, task.sampling):
            journal.append(row)
            if time.monotonic() - logged > LOG_SECONDS:
                logged = time.monotonic()
                log.info("%s: %d of %d responses sampled", task.training, len(journal.rows), total)
    if len(journal.rows) != total:
        missing = total - len(journal.rows)
        raise EngineError(f"{missing} of {total} responses are missing", where=task.training)


def _requests(task: Task, drawn: Mapping[Key, Sample]) -> Iterator[Request]:
    """Yield what is still to be drawn; a response's seed derives from its problem and index."""
    for problem in task.problems:
        left = [i for i in range(task.settings["num_generations"]) if (problem.id, i) not in drawn]
        if left:
            seeds = tuple(seed_of(task.key, "imitated", problem.id, i) for i in left)
            yield Request(problem.id, render(task.template, problem), tuple(left), seeds)


def _sort_rows(task: Task, rows: Mapping[Key, Sample]) -> list[Sample]:
    """Return rows in the order of problems, then of indices."""
    group = range(task.settings["num_generations"])
    return [rows[problem.id, index] for problem in task.problems for index in group]


def _manifest(task: Task) -> dict[str, object]:
    """Return what made the file of responses."""
    return {
        "stage": "train",
        "training": task.training,
        "fingerprint_inputs": task.fingerprint_inputs,
    }
