"""What a training reads: training.json, and the problems with their gold answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from passk.core.artifacts import digest
from passk.core.errors import DataError, PasskError, did_you_mean
from passk.core.schemas import Problem, read_rows
from passk.engines.base import ModelSource, Sampling
from passk.engines.loader import read_task, source_of, template_of
from passk.spec.models import PromptTemplate
from passk.spec.training_methods import METHODS, Method


@dataclass(frozen=True, slots=True)
class Task:
    """A training.

    Attributes:
        training: its id, as in the store's path.
        fingerprint_inputs: what decides the weights of every checkpoint.
        method: how it learns.
        source: the model that it starts from.
        template: the prompt template.
        verifier: name of the verifier whose verdict is the reward.
        options: the verifier's options.
        settings: every setting that the method reads (`passk.spec.training_methods`).
        teacher: whose texts are imitated: `kind` is self, solutions, reference or model.
        steps: the checkpoints to keep, ascending.
        problems: what is trained on, with gold answers.
    """

    training: str
    fingerprint_inputs: Mapping[str, Any]
    method: Method
    source: ModelSource
    template: PromptTemplate
    verifier: str
    options: Mapping[str, Any]
    settings: Mapping[str, Any]
    teacher: Mapping[str, Any] | None
    steps: tuple[int, ...]
    problems: Sequence[Problem]

    @property
    def key(self) -> str:
        """What every random draw of this training derives from: it holds the seed."""
        return digest(self.fingerprint_inputs)

    @property
    def execution(self) -> Mapping[str, Any]:
        """Settings that change the cost and no weight."""
        return self.source.execution

    def parts(self, rows: int) -> int:
        """Return in how many equal parts a batch of so many rows goes through the model.

        Raises:
            DataError: they cannot be equal: the batch would be another.
        """
        parts = int(self.execution.get("gradient_accumulation_steps") or 1)
        if rows % parts:
            raise DataError(
                f"a batch of {rows} cannot be cut into {parts} equal parts",
                where=self.training,
                fix=f"set `gradient_accumulation_steps` under `execution` to a divisor of {rows}",
            )
        return parts

    @property
    def sampling(self) -> Sampling:
        """How its responses are drawn."""
        names = ("temperature", "top_p", "max_tokens")
        drawn = {name: self.settings[name] for name in names if name in self.settings}
        return Sampling(**drawn, stop=self.template.stop)


def read_training(path: Path, problems: Path, threads: int | None = None) -> Task:
    """Return the training that a training.json describes.

    Args:
        path: training.json.
        problems: file of Problem rows with gold answers.
        threads: CPU threads, where the model's execution names none.

    Raises:
        DataError: a file is missing or not of its form, or has too few problems for one step.
        PasskError: the method is not known.
    """
    document = read_task(path, "training", "method", "verifier", "options", "settings", "steps")
    name = document["method"]
    if name not in METHODS:
        raise PasskError(
            f"unknown training method '{name}'", where=str(path), fix=did_you_mean(name, METHODS)
        )
    task = Task(
        training=document["training"],
        fingerprint_inputs=document["fingerprint_inputs"],
        method=METHODS[name],
        source=source_of(document, threads),
        template=template_of(document),
        verifier=document["verifier"],
        options=document["options"],
        settings=document["settings"],
        teacher=document.get("teacher"),
        steps=tuple(sorted(document["steps"])),
        problems=read_rows(problems, Problem),
    )
    _check_problems(task, problems)
    return task


def _check_problems(task: Task, path: Path) -> None:
    """Raise where one step asks more problems than there are."""
    wanted, found = task.settings["prompts_per_step"], len(task.problems)
    if found < wanted:
        raise DataError(
            f"a step trains on {wanted} problems, and the benchmark has {found}",
            where=str(path),
            fix=f"set `prompts_per_step` to {found} or less, or use a larger benchmark",
        )
