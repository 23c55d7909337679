"""Running a training: the model loaded, the method's trainer built, its state taken up."""

from __future__ import annotations

import importlib
import logging
import os
import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from passk.core.errors import EngineError, PasskError
from passk.core.install import install_module
from passk.core.registry import TRAINERS, locate
from passk.engines.load_errors import is_out_of_memory
from passk.training.checkpointing import CheckpointManager, TrainerInputs
from passk.training.reward import Grader
from passk.training.teacher_samples import sample_teacher

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedTokenizerBase, Trainer

DTYPES = ("auto", "float32", "bfloat16")
"""What a training computes in; weights and their updates are float32 in each."""


def run(manager: CheckpointManager) -> None:
    """Train on to the last checkpoint that is due, and publish each.

    Raises:
        EngineError: a package is missing, the model cannot be loaded, memory ran out, or the
            training diverged.
        OutputError: something cannot be written.
    """
    build = _builder(manager)
    from transformers import PrinterCallback

    with (
        _explain_out_of_memory(manager),
        silence_libraries(),
        tempfile.TemporaryDirectory() as scratch,
        _grader(manager) as grader,
    ):
        sample_teacher(manager)
        trainer = build(TrainerInputs(manager, *_loaded(manager), grader, Path(scratch)))
        trainer.remove_callback(PrinterCallback)
        state = manager.resume()
        _catch_up(manager, trainer, state)
        if manager.due:
            try:
                trainer.train(resume_from_checkpoint=str(state) if state else None)
            finally:
                trainer.release()


def _catch_up(manager: CheckpointManager, trainer: Trainer, state: Path | None) -> None:
    """Publish a checkpoint that was due when a process died right after its state was saved."""
    if state is None or len(manager.rows) < manager.due[0]:
        return
    trainer._load_from_checkpoint(str(state))  # noqa: SLF001 - how the trainer itself takes it up
    if trainer.args.should_save:
        manager.publish(manager.due[0], trainer.save_weights)
    manager.due = manager.due[1:]


def _builder(manager: CheckpointManager) -> Callable[[TrainerInputs], Trainer]:
    """Return what builds the method's trainer."""
    name = manager.task.method.name
    module, _, attribute = locate("training method", name, TRAINERS).partition(":")
    try:
        importlib.import_module("passk.engines.transformers")  # first: it sets how torch waits
        build: Callable[[TrainerInputs], Trainer] = getattr(
            importlib.import_module(module), attribute
        )
    except ModuleNotFoundError as error:
        raise EngineError(
            f"training needs the package '{error.name}', which is not installed",
            fix=install_module("trl"),
        ) from error
    return build


def _grader(manager: CheckpointManager) -> Grader:
    """Return the verifier, with as many workers as there are threads."""
    task = manager.task
    workers = int(task.execution.get("threads") or len(os.sched_getaffinity(0)))
    return Grader(task.verifier, task.options, workers)


def _loaded(manager: CheckpointManager) -> tuple[torch.nn.Module, PreTrainedTokenizerBase]:
    """Return model and tokenizer, the weights in float32 and ready to learn."""
    from passk.engines.transformers import loading

    _take_device()
    source = manager.task.source
    if source.dtype not in DTYPES:
        raise EngineError(
            f"a training cannot compute in {source.dtype}",
            where=manager.task.training,
            fix=f"set `dtype` of the model to one of {', '.join(DTYPES)}",
        )
    loaded = loading.load(replace(source, dtype="float32"))
    if loaded.mismatch:
        raise EngineError(
            f"{type(loaded.model).__name__} cannot be trained: packed attention does not run it "
            f"({loaded.mismatch})",
            where=source.weights,
            fix="train it with another tool, and give the checkpoint as `weights`",
        )
    if loaded.processor is not None:
        raise EngineError("models that take images cannot be trained", where=source.weights)
    return loaded.model.requires_grad_(requires_grad=True), loaded.tokenizer


def _take_device() -> None:
    """Have this process use its own GPU, where several train together."""
    import torch

    if torch.cuda.is_available() and "LOCAL_RANK" in os.environ:
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))


@contextmanager
def _explain_out_of_memory(manager: CheckpointManager) -> Iterator[None]:
    """Tell a lack of memory in one message, with the way out."""
    try:
        yield
    except PasskError:
        raise
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        raise EngineError(
            "out of memory while training",
            where=manager.task.training,
            fix="set `gradient_accumulation_steps`, `max_tokens_per_pass` "
            "or `gradient_checkpointing` under `execution` of the model; the same command resumes "
            "from the last state",
        ) from error


@contextmanager
def silence_libraries() -> Iterator[None]:
    """Keep the libraries' own progress and hints from the user's screen and log."""
    from transformers.utils import logging as bars

    names = ("transformers", "trl", "accelerate", "datasets", "torch")
    levels = {name: logging.getLogger(name).level for name in names}
    shown = bars.is_progress_bar_enabled()
    try:
        bars.disable_progress_bar()
        for name in names:
            logging.getLogger(name).setLevel(logging.ERROR)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)
        if shown:
            bars.enable_progress_bar()
