"""How large a job is: the GPUs and the memory that models and trainings take."""

from __future__ import annotations

import math
import re
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from passk.spec.models import Model
from passk.workflow.cells import Weights
from passk.workflow.resources.cost import gpus
from passk.workflow.trainings import Training

CPU_ENGINES = {"fake", "openai"}
"""Engines whose jobs need no GPU of their own."""

BASE_MB = {"fake": 1_000, "openai": 2_000}
"""Engine -> memory of a job besides weights; any other takes `LIBRARIES_MB`."""

LIBRARIES_MB = 4_000
"""Memory of torch and its kin."""

ADAM_COPIES = 4
"""Copies of the weights that training holds: themselves, gradients and AdamW's two moments."""

VLLM_COPIES = 2
"""The weights that vLLM samples from, and the copy that it receives."""

EXPANSION = 8
"""Packaged weights of 4 bits become 32 bits when they are converted."""

UNKNOWN_MB = 32_000
"""Memory where nothing tells how large weights are."""


def job_gpus(model: Model) -> int:
    """Return the GPUs of one job of a model; `execution.gpus` says it outright."""
    default = 0 if model.engine in CPU_ENGINES else gpus(model)
    return int(model.execution.get("gpus", default))


def training_gpus(model: Model) -> int:
    """Return the GPUs of a training job: one per process, or none where there are none."""
    return min(1, job_gpus(model)) * int(model.execution.get("num_processes", 1))


def job_memory(model: Model, weights: Weights) -> int:
    """Return the main memory, in MB, of one job; `execution.memory` (GB) says it outright."""
    if "memory" in model.execution:
        return math.ceil(1000 * float(model.execution["memory"]))
    base = BASE_MB.get(model.engine, LIBRARIES_MB)
    if model.engine in CPU_ENGINES:
        return base
    size = weights_bytes(weights)
    return base + (math.ceil(1.25 * size / 1e6) if size else UNKNOWN_MB)


def training_memory(training: Training) -> int:
    """Return the main memory, in MB, of a training job; `execution.memory` (GB) says it outright.

    Weights, gradients and AdamW's two moments, all in float32; the start model stays beside them
    where the divergence from it counts, and a model that teaches is loaded before. vLLM has a copy
    of its own, which is handed over through memory.
    """
    execution = training.model.execution
    if "memory" in execution:
        return math.ceil(1000 * float(execution["memory"]))
    size = trained_bytes(training, "float32")
    copies = ADAM_COPIES + bool(training.settings.get("beta"))
    if training.settings.get("engine") == "vllm":
        copies += VLLM_COPIES
    taught = training.teacher.weights if training.teacher else None
    teacher = weights_bytes(taught) if taught else 0
    if not size:
        return LIBRARIES_MB + copies * UNKNOWN_MB
    mine = LIBRARIES_MB + math.ceil(1.25 * max(copies * size, teacher) / 1e6)
    return mine * int(execution.get("num_processes", 1))


def trained_bytes(training: Training, dtype: str = "") -> int:
    """Return the size of a checkpoint, or of the weights in another dtype; 0 where nothing tells.

    Weights are taken to be of 16 bits where they start from, but for folders that say float32.
    """
    start = training.weights.start or training.weights
    wide = (
        1 if Path(start.load).exists() and training.dtype == "float32" and not start.convert else 2
    )
    return weights_bytes(start) * (1 if (dtype or training.dtype) == "bfloat16" else wide)


def weights_bytes(weights: Weights) -> int:
    """Return the size of weights: of a folder's files, or by the `7B` of a hub id; 0 if unknown.

    A checkpoint that is not there yet is as large as what its training starts from.
    """
    if weights.start is not None:
        return weights_bytes(weights.start)
    path = Path(weights.load)
    if weights.convert and not path.is_dir():
        return EXPANSION * _packaged_bytes(weights.convert[0])
    if path.is_file():
        return path.stat().st_size
    if path.is_dir():
        return sum(file.stat().st_size for file in path.iterdir() if file.is_file())
    match = re.search(r"(\d+(?:\.\d+)?)[bB]\b", weights.load.replace("_", " "))
    return int(2e9 * float(match[1])) if match else 0


def _packaged_bytes(package: str) -> int:
    """Return the size of the weights in an installed package; 0 if it is not installed."""
    try:
        files = distribution(package).files or ()
    except PackageNotFoundError:
        return 0
    paths = (Path(str(file.locate())) for file in files if file.suffix == ".gguf")
    return sum(path.stat().st_size for path in paths if path.is_file())
