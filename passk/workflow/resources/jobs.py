"""What a job with an engine asks of a cluster: GPUs, memory and time, from the plan alone.

Rules name methods of `Jobs` as their `resources:`. A machine without a scheduler ignores them.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from passk.core.errors import SpecError
from passk.core.gpus import visible_gpus
from passk.spec.models import Model
from passk.workflow.cells import Cell, Scoring
from passk.workflow.plan import Plan
from passk.workflow.resources.cost import rates, step_rate
from passk.workflow.resources.memory import job_gpus, job_memory, training_gpus, training_memory
from passk.workflow.slurm.partitions import Need, Partition, longest, misfit
from passk.workflow.snakemake.batches import Batch
from passk.workflow.snakemake.parameters import known_parameters
from passk.workflow.trainings import Training

if TYPE_CHECKING:
    from snakemake.io import Wildcards

START_MINUTES = 15
"""Time for queues of a file system and for loading weights, before the first response."""

MARGIN = 2.0
"""A job may take so many times longer than was estimated."""

Part = Cell | Scoring | Training
"""What a job with an engine works on."""


class Jobs:
    """Resources of the jobs of a plan: by Snakemake's wildcards, or of a batch."""

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
        for part in self.parts():
            reason = misfit(self._need(part), partitions)
            if reason:
                raise SpecError(
                    f"a job of model '{part.model.name}' needs {reason}",
                    where=str(self.plan.experiment.file),
                    fix="change its `execution` or the shard, or name a partition that has it",
                )

    def parts(self) -> Iterator[Part]:
        """Yield what jobs with an engine work on."""
        yield from (cell for cell in self.plan.cells.values() if cell.imported is None)
        yield from self.plan.scorings.values()
        yield from (judging.replies for judging in self.plan.judgings.values())
        yield from self.plan.trainings.values()

    def _need(self, part: Part) -> Need:
        """Return what a job of one shard, or a training of one step, needs, without any margin."""
        if isinstance(part, Training):  # any time limit works: a killed one continues
            minutes = START_MINUTES
        else:
            shards = part.shards() if isinstance(part, Cell) else part.shards
            seconds = max((self._job_seconds(part, shard) for shard in shards[:1]), default=0.0)
            minutes = math.ceil(seconds / 60)
        return Need(_gpus(part), _memory(part), minutes)

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

    def part(self, wildcards: Wildcards) -> Part:
        """Return what the job with some wildcards works on."""
        if training := getattr(wildcards, "training", None):
            return self.plan.training(training)
        if scorer := getattr(wildcards, "scorer", None):
            return self.plan.scoring(wildcards.cell, scorer)
        return self.plan.cell(wildcards.cell)

    @cached_property
    def gpus(self) -> int | Callable[[Wildcards], int]:
        """The GPUs of a job; a number where all ask for the same: functions cost time per job."""
        counts = {_gpus(part) for part in self.parts()}
        if len(counts) <= 1:
            return sum(counts)
        return known_parameters(lambda wildcards: _gpus(self.part(wildcards)))

    @cached_property
    def gpu_model(self) -> Callable[[Wildcards], str | None] | None:
        """The kind of GPU of a job, where it matters to any."""
        models = self.plan.experiment.models.values()
        if not any("gpu_model" in model.execution for model in models):
            return None
        return known_parameters(lambda wildcards: self.batch_gpu_model(self.part(wildcards)))

    @known_parameters
    def memory(self, wildcards: Wildcards, attempt: int) -> int:
        """Return the memory of a job in MB, doubled with each attempt."""
        return _memory(self.part(wildcards)) << (attempt - 1)

    @known_parameters
    def minutes(self, wildcards: Wildcards, attempt: int) -> int:
        """Return the time limit of a job, longer with each attempt."""
        part = self.part(wildcards)
        unit = wildcards.step if isinstance(part, Training) else wildcards.shard
        return self._limited(self._job_seconds(part, unit), part.model, attempt)

    def batch_gpus(self, batch: Batch) -> int:
        """Return the GPUs of a job that makes several files."""
        return job_gpus(batch.model)

    def batch_gpu_model(self, job: Batch | Part) -> str | None:
        """Return the kind of GPU that a job of a model asks for; None takes any."""
        model = job.model.execution.get("gpu_model")
        return str(model) if model and job_gpus(job.model) else None

    def batch_memory(self, batch: Batch) -> Callable[[Wildcards, int], int]:
        """Return what Snakemake calls for that job's memory."""

        @known_parameters
        def memory(_wildcards: Wildcards, attempt: int) -> int:
            return _memory(self._of(batch.outputs[0])) << (attempt - 1)

        return memory

    def batch_minutes(self, batch: Batch) -> Callable[[Wildcards, int], int]:
        """Return what Snakemake calls for that job's time limit."""

        @known_parameters
        def minutes(_wildcards: Wildcards, attempt: int) -> int:
            outputs = batch.outputs
            seconds = sum(self._job_seconds(self._of(path), Path(path).stem) for path in outputs)
            return self._limited(seconds, batch.model, attempt)

        return minutes

    def _of(self, output: str) -> Cell | Scoring:
        """Return what a file of samples or scores belongs to."""
        path = Path(output)
        if path.parent.name == "samples":
            return self.plan.cell(path.parts[-3])
        return self.plan.scoring(path.parts[-4], path.parts[-2])

    def _limited(self, seconds: float, model: Model, attempt: int) -> int:
        """Return a time limit: with a margin, longer with each attempt, within the partition's.

        A job that its partition ends is no loss: the journal keeps what it had finished.
        """
        wanted = (START_MINUTES + MARGIN * seconds / 60) * attempt
        return math.ceil(min(wanted, longest(job_gpus(model), self.partitions)))

    def _job_seconds(self, part: Part, unit: str) -> float:
        """Return the estimated seconds of a shard, or of the steps up to a checkpoint."""
        if isinstance(part, Training):
            steps = int(unit) - int(part.before(unit) or 0)
            return steps * step_rate(self.plan, part).seconds
        return part.responses_in(unit) * self._seconds_each(part)

    def _seconds_each(self, part: Cell | Scoring) -> float:
        """Return the estimated seconds of one response, looked up once per cell."""
        key = part.id if isinstance(part, Cell) else f"{part.target}/{part.scorer}"
        if key not in self._seconds:
            self._seconds[key] = rates(self.plan, part).seconds
        return self._seconds[key]


def _gpus(part: Part) -> int:
    """Return the GPUs of a job."""
    return training_gpus(part.model) if isinstance(part, Training) else job_gpus(part.model)


def _memory(part: Part) -> int:
    """Return the memory of a job in MB."""
    if isinstance(part, Training):
        return training_memory(part)
    return job_memory(part.model, part.weights)
