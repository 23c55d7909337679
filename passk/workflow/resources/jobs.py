"""What a job with an engine asks of a cluster: GPUs, memory and time, from the plan alone.

Rules name methods of `Jobs` as their `resources:`. A machine without a scheduler ignores them.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from passk.core.errors import SpecError
from passk.core.gpus import visible_gpus
from passk.spec.models import Model
from passk.workflow.cells import Cell, Scoring, shard_range
from passk.workflow.plan import Plan
from passk.workflow.resources.cost import rates, scoring_rates, step_rate
from passk.workflow.resources.memory import job_gpus, job_memory, training_gpus, training_memory
from passk.workflow.slurm.partitions import Need, Partition, longest, misfit
from passk.workflow.snakemake.batches import Batch
from passk.workflow.snakemake.parameters import known_parameters
from passk.workflow.trainings import Training

START_MINUTES = 15
"""Time for queues of a file system and for loading weights, before the first response."""

MARGIN = 2.0
"""A job may take so many times longer than was estimated."""


class Jobs:
    """Resources of the jobs of a plan; every method takes Snakemake's wildcards."""

    def __init__(self, plan: Plan) -> None:
        """Keep the plan; partitions are those of `limit`, or none."""
        self.plan = plan
        self.partitions: Sequence[Partition] = ()
        self._seconds: dict[str, float] = {}

    def limit(self, partitions: Sequence[Partition]) -> None:
        """Take note of the partitions, so that no job asks for more time than they give.

        Raises:
            SpecError: a job fits into none of them.
        """
        self.partitions = partitions
        drawn = (cell for cell in self.plan.cells.values() if cell.imported is None)
        items: list[Cell | Scoring | Training] = [*drawn, *self.plan.scorings.values()]
        for item in [*items, *self.plan.trainings.values()]:
            reason = misfit(self._need(item), partitions)
            if reason:
                raise SpecError(
                    f"a job of model '{item.model.name}' needs {reason}",
                    where=str(self.plan.experiment.file),
                    fix="change its `execution` or the shard, or name a partition that has it",
                )

    def _need(self, item: Cell | Scoring | Training) -> Need:
        """Return what a job of one shard, or a training of one step, needs, without any margin."""
        if isinstance(item, Training):  # whatever time it is given, a killed one goes on
            return Need(training_gpus(item.model), training_memory(item), START_MINUTES)
        shards = item.shards() if isinstance(item, Cell) else item.shards
        seconds = max((self._job_seconds(item, shard) for shard in shards[:1]), default=0.0)
        memory = job_memory(item.model, item.weights)
        return Need(job_gpus(item.model), memory, math.ceil(seconds / 60))

    @cached_property
    def local_gpus(self) -> int:
        """The GPUs that this process may use."""
        return len(visible_gpus())

    def threads(self, model: Model) -> int | None:
        """Return a GPU job's share of this machine's cores; None where it has no GPU.

        One core a GPU is left to jobs without an engine, where there are many.
        """
        wanted = min(job_gpus(model), self.local_gpus)
        if wanted == 0:
            return None
        share = len(os.sched_getaffinity(0)) // self.local_gpus
        return max(1, share - 1 if share > 2 else share) * wanted  # noqa: PLR2004

    @property
    def sample_gpus(self) -> int | Callable[[Any], int]:
        """The GPUs of a sampling job; a number where all jobs ask for the same."""
        counts = {job_gpus(cell.model) for cell in self.plan.cells.values()}
        return self._gpus_of_cell if len(counts) > 1 else sum(counts)

    @property
    def sample_gpu_model(self) -> Callable[[Any], str | None] | None:
        """The kind of GPU of a sampling job, where it matters to any."""
        return self._gpu_model_of_cell if self._models_differ else None

    @known_parameters
    def _gpus_of_cell(self, wildcards: Any) -> int:
        """Return the GPUs of a sampling job."""
        return job_gpus(self.plan.cell(wildcards.cell).model)

    @known_parameters
    def _gpu_model_of_cell(self, wildcards: Any) -> str | None:
        """Return the kind of GPU of a sampling job."""
        return self.batch_gpu_model(self.plan.cell(wildcards.cell))

    @property
    def _models_differ(self) -> bool:
        """Whether any model names a kind of GPU. Snakemake calls a function once per job."""
        return any("gpu_model" in m.execution for m in self.plan.experiment.models.values())

    @known_parameters
    def sample_memory(self, wildcards: Any, attempt: int) -> int:
        """Return the memory of a sampling job in MB, doubled with each attempt."""
        return self._memory(self.plan.cell(wildcards.cell), attempt)

    @known_parameters
    def sample_minutes(self, wildcards: Any, attempt: int) -> int:
        """Return the time limit of a sampling job, longer with each attempt."""
        return self._minutes([(self.plan.cell(wildcards.cell), wildcards.shard)], attempt)

    @known_parameters
    def score_gpus(self, wildcards: Any) -> int:
        """Return the GPUs of a perplexity job."""
        return job_gpus(self._scoring(wildcards).model)

    @property
    def score_gpu_model(self) -> Callable[[Any], str | None] | None:
        """The kind of GPU of a perplexity job, where it matters to any."""
        return self._gpu_model_of_scoring if self._models_differ else None

    @known_parameters
    def _gpu_model_of_scoring(self, wildcards: Any) -> str | None:
        """Return the kind of GPU of a perplexity job."""
        return self.batch_gpu_model(self._scoring(wildcards))

    @known_parameters
    def score_memory(self, wildcards: Any, attempt: int) -> int:
        """Return the memory of a perplexity job in MB, doubled with each attempt."""
        return self._memory(self._scoring(wildcards), attempt)

    @known_parameters
    def score_minutes(self, wildcards: Any, attempt: int) -> int:
        """Return the time limit of a perplexity job, longer with each attempt."""
        return self._minutes([(self._scoring(wildcards), wildcards.shard)], attempt)

    def batch_gpus(self, batch: Batch) -> int:
        """Return the GPUs of a job that makes several files."""
        return job_gpus(batch.model)

    def batch_gpu_model(self, job: Batch | Cell | Scoring | Training) -> str | None:
        """Return the kind of GPU that a job of a model asks for; None takes any."""
        model = job.model.execution.get("gpu_model")
        return str(model) if model and job_gpus(job.model) else None

    def batch_memory(self, batch: Batch) -> Callable[[Any, int], int]:
        """Return what Snakemake asks for that job's memory in MB, doubled with each attempt."""

        @known_parameters
        def memory(_wildcards: Any, attempt: int) -> int:
            return self._memory(self._part(batch.outputs[0])[0], attempt)

        return memory

    def batch_minutes(self, batch: Batch) -> Callable[[Any, int], int]:
        """Return what Snakemake asks for that job's time limit, longer with each attempt."""

        @known_parameters
        def minutes(_wildcards: Any, attempt: int) -> int:
            return self._minutes([self._part(path) for path in batch.outputs], attempt)

        return minutes

    def train_gpus(self, wildcards: Any) -> int:
        """Return the GPUs of a training job."""
        return training_gpus(self.plan.training(wildcards.training).model)

    @property
    def train_gpu_model(self) -> Callable[[Any], str | None] | None:
        """The kind of GPU of a training job, where it matters to any."""
        return self._gpu_model_of_training if self._models_differ else None

    def _gpu_model_of_training(self, wildcards: Any) -> str | None:
        """Return the kind of GPU of a training job."""
        return self.batch_gpu_model(self.plan.training(wildcards.training))

    def train_memory(self, wildcards: Any, attempt: int) -> int:
        """Return the memory of a training job in MB, doubled with each attempt."""
        return training_memory(self.plan.training(wildcards.training)) << (attempt - 1)

    def train_minutes(self, wildcards: Any, attempt: int) -> int:
        """Return the time limit of a training job, longer with each attempt."""
        training = self.plan.training(wildcards.training)
        steps = int(wildcards.step) - int(training.before(wildcards.step) or 0)
        seconds = steps * step_rate(self.plan, training).seconds
        return self._limited(seconds, training.model, attempt)

    def _scoring(self, wildcards: Any) -> Scoring:
        """Return the scoring task of a job."""
        return self.plan.scoring(wildcards.cell, wildcards.scorer)

    def _part(self, output: str) -> tuple[Cell | Scoring, str]:
        """Return what a file of samples or scores belongs to, and its shard."""
        path = Path(output)
        if path.parent.name == "samples":
            return self.plan.cell(path.parts[-3]), path.stem
        return self.plan.scoring(path.parts[-4], path.parts[-2]), path.stem

    def _memory(self, item: Cell | Scoring, attempt: int) -> int:
        """Return the memory of a job in MB, doubled with each attempt."""
        return job_memory(item.model, item.weights) << (attempt - 1)

    def _minutes(self, parts: Sequence[tuple[Cell | Scoring, str]], attempt: int) -> int:
        """Return a time limit: with a margin, longer with each attempt, within the partition's.

        A job that its partition ends is no loss: the journal keeps what it had finished.
        """
        seconds = sum(self._job_seconds(item, shard) for item, shard in parts)
        return self._limited(seconds, parts[0][0].model, attempt)

    def _limited(self, seconds: float, model: Model, attempt: int) -> int:
        """Return the minutes that a job of so many seconds asks for."""
        asked = (START_MINUTES + MARGIN * seconds / 60) * attempt
        return math.ceil(min(asked, longest(job_gpus(model), self.partitions)))

    def _job_seconds(self, item: Cell | Scoring, shard: str) -> float:
        """Return the estimated seconds of one job's work."""
        problems = item.identity.problems or 0
        each = len(shard_range(shard)) if shard != "all" else 1
        if isinstance(item, Scoring):
            each = min(each, item.per_problem)
        return problems * each * self._seconds_each(item)

    def _seconds_each(self, item: Cell | Scoring) -> float:
        """Return the estimated seconds of one response, looked up once per cell."""
        key = item.id if isinstance(item, Cell) else f"{item.target}/{item.scorer}"
        if key not in self._seconds:
            if isinstance(item, Cell):
                cells = Path(self.plan.layout.store) / "cells"
                near = cells.glob(f"{item.model.name}.{item.use.name}.*")
                self._seconds[key] = rates(self.plan, item, [path.name for path in near]).seconds
            else:
                self._seconds[key] = scoring_rates(self.plan, item).seconds
        return self._seconds[key]
