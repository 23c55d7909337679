"""Weight sync to vLLM, which samples for a training in its own processes.

Before sampling, the current weights are saved in transformers' format (in memory if there is room)
and vLLM reloads them.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

from accelerate import Accelerator
from accelerate.utils import broadcast_object_list

from passk.core.errors import EngineError
from passk.core.gpus import VISIBLE
from passk.core.install import install_module
from passk.engines.base import ModelSource
from passk.engines.vllm import VllmEngine
from passk.engines.vllm.data_parallel import hardware_of
from passk.engines.vllm.engine import SingleVllmEngine
from passk.training.checkpointing import explain_save_errors
from passk.training.task import Task

GPU_SHARE = 0.3
"""Share of a GPU's memory that vLLM takes beside the training, where the spec says none."""

PASSED_ON = ("threads", "batch_size", "max_model_len", "entropy")
"""What `execution` says to vLLM here; GPUs are the training's, one a process."""

SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 - a folder of a name of its own is made in it
"""Where files are kept in memory."""

RANK_VARIABLES = ("RANK", "LOCAL_RANK", "GROUP_RANK", "ROLE_RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE")
"""Variables, beside those that begin as in `TORCHRUN`, that mark a process as one of several."""

TORCHRUN = ("MASTER_", "TORCHELASTIC_")

CORES = "VLLM_CPU_OMP_THREADS_BIND"
"""The cores that vLLM's CPU build computes on."""


class VllmWeights:
    """The weights in vLLM, of a training or of one of its processes; vLLM starts at first use."""

    def __init__(self, task: Task, size: int, accelerator: Accelerator) -> None:
        """Start nothing yet; `size` is that of the weights in bytes."""
        self._task, self._size, self._accelerator = task, size, accelerator
        self._engine: SingleVllmEngine | None = None
        self._step: int | None = None

    def with_weights_of(self, step: int, save: Callable[[Path], None]) -> SingleVllmEngine:
        """Return the engine with the weights after a step.

        Args:
            step: completed steps: the weights are reloaded if it changed since the last call.
            save: writes model and tokenizer to a folder.

        Raises:
            EngineError: vLLM is not there, cannot start, or failed.
            OutputError: the weights cannot be saved for it.
        """
        if self._engine is None:
            self._engine = start(self._task)
        if step != self._step:
            with self._saved(save) as folder:
                self._engine.reload(folder)
            self._step = step
        return self._engine

    def stop(self) -> None:
        """Stop vLLM; the next use starts it again."""
        if self._engine is not None:
            self._engine.stop()
        self._engine = self._step = None

    @contextmanager
    def _saved(self, save: Callable[[Path], None]) -> Iterator[Path]:
        """Lend a folder with the weights: the first of the processes saves them for all."""
        name = [""]
        with ExitStack() as after:
            if self._accelerator.is_main_process:
                lent = tempfile.TemporaryDirectory(prefix="passk-", dir=memory_folder(self._size))
                name = [after.enter_context(lent)]
                with explain_save_errors(Path(name[0])):
                    save(Path(name[0]))
            broadcast_object_list(name)
            yield Path(name[0])
            self._accelerator.wait_for_everyone()


def start(task: Task) -> SingleVllmEngine:
    """Return vLLM with the weights that a training starts from."""
    try:
        engine = VllmEngine.load(source_of(task))
    except ModuleNotFoundError as error:
        raise EngineError(
            "`train.engine: vllm` needs vLLM beside the packages of training",
            where=task.training,
            fix=f"{install_module('vllm')}, and there {install_module('trl')}",
        ) from error
    with single_process_env():
        engine.start(scoring=False)
    return engine


def source_of(task: Task) -> ModelSource:
    """Return the start model as vLLM loads it for a training."""
    execution = {k: task.execution[k] for k in PASSED_ON if k in task.execution}
    execution["gpu_memory_utilization"] = task.execution.get(
        "vllm_gpu_memory_utilization", GPU_SHARE
    )
    dtype = "bfloat16" if task.source.dtype == "bfloat16" else "float32"
    return replace(task.source, dtype=dtype, execution=execution)


@contextmanager
def single_process_env() -> Iterator[None]:
    """Hide the other processes of this training from what is started inside the block.

    Under torchrun vLLM would otherwise join its process group and use the first GPU.
    """
    before = dict(os.environ)
    rank, count = int(before.get("LOCAL_RANK", 0)), int(before.get("LOCAL_WORLD_SIZE", 1))
    if count > 1:
        gpus, cores = hardware_of(ModelSource(""), rank, count)
        os.environ[VISIBLE] = ",".join(gpus)
        os.environ[CORES] = ",".join(map(str, cores))
    for name in before:
        if name in RANK_VARIABLES or name.startswith(TORCHRUN):
            del os.environ[name]
    try:
        yield
    finally:
        for name in (VISIBLE, CORES):
            os.environ.pop(name, None)
        os.environ |= before


def memory_folder(size: int) -> str | None:
    """Return a folder in memory with ample room for so many bytes, or None for the usual place."""
    ample = SHARED_MEMORY.is_dir() and 2 * size < shutil.disk_usage(SHARED_MEMORY).free
    return str(SHARED_MEMORY) if ample else None
