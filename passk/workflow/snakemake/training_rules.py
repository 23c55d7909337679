"""What the rules of training ask: wildcards in, paths out; `R.training` of the workflow."""

from __future__ import annotations

from typing import Any

from passk.core.artifacts import digest
from passk.workflow.plan import Plan
from passk.workflow.task_files import training_task
from passk.workflow.trainings import Training


class TrainingRules:
    """Lookups for the rules of training; every method takes Snakemake's wildcards."""

    def __init__(self, plan: Plan) -> None:
        """Keep the plan."""
        self._plan = plan

    def digest(self, wildcards: Any) -> str:
        """Return what Snakemake compares to see whether training.json must be written anew."""
        return digest(training_task(self._of(wildcards)))

    def problems(self, wildcards: Any) -> str:
        """Return the problems, with gold answers, that are trained on."""
        return self._plan.problems_of(self._of(wildcards))

    def weights(self, wildcards: Any) -> list[str]:
        """Return what says that the weights of start and teacher are there."""
        return list(self._of(wildcards).markers)

    def previous(self, wildcards: Any) -> list[str]:
        """Return what says that the checkpoint before is there; nothing for the first."""
        training = self._of(wildcards)
        step = training.before(wildcards.step)
        return [self._plan.layout.trained(training.id, step)] if step else []

    def steps(self, _wildcards: Any) -> list[str]:
        """Return what was measured at the steps of all trainings."""
        trainings = self._plan.trainings.values()
        return [path for training in trainings for path in self._plan.steps_of(training)]

    def _of(self, wildcards: Any) -> Training:
        """Return the training of a job."""
        return self._plan.training(wildcards.training)
