"""A training that takes seconds: a tiny random model that is rewarded for writing one digit."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tiny_models import save_tiny

from passk.core.artifacts import digest, write_json
from passk.core.schemas import Problem, TrainingStep, read_rows, write_rows
from passk.spec.training_methods import METHODS, settings

LARGE = bool(os.environ.get("PASSK_TEST_LARGE"))
"""Whether tests take their large numbers: every method, more kills."""

DIGITS = json.dumps([str(i) for i in range(10)])
SMALL = {
    "prompts_per_step": 2,
    "num_generations": 4,
    "max_tokens": 10,
    "learning_rate": 3e-3,
    "seed": 1,
}


@dataclass
class Training:
    """A training in a folder of its own; `settings`, `execution` and `steps` may be changed."""

    folder: Path
    method: str = "GRPO"
    settings: dict[str, Any] = field(default_factory=dict)
    execution: dict[str, Any] = field(default_factory=lambda: {"threads": 1})
    steps: list[int] = field(default_factory=lambda: [4])
    teacher: dict[str, Any] | None = None
    gold: str = DIGITS
    problems: int = 6
    dtype: str = "float32"
    weights: Path | None = None

    @property
    def task(self) -> Path:
        """training.json."""
        return self.folder / "training.json"

    @property
    def asked(self) -> Path:
        """The problems."""
        return self.folder / "problems.parquet"

    def output(self, step: int) -> Path:
        """The manifest of a checkpoint."""
        return self.folder / f"step-{step:06d}" / "manifest.json"

    def document(self) -> dict[str, Any]:
        """What training.json says."""
        method = METHODS[self.method]
        kind = (self.teacher or {}).get("kind")
        filled = settings(method, SMALL | self.settings, kind)
        fields = {"method": self.method, "settings": filled, "from": "tiny", "gold": self.gold}
        return {
            "training": f"tiny-{digest(fields)}",
            "fingerprint_inputs": fields,
            "method": self.method,
            "model": {
                "weights": str(self.weights),
                "revision": None,
                "dtype": self.dtype,
                "adapters": [],
                "execution": self.execution,
            },
            "engine": "transformers",
            "prompt": {
                "name": "plain",
                "format": "text",
                "user": "Examples: 1 + 1 = 2. {question}",
                "stop": ["~"],
            },
            "verifier": "number",
            "options": {},
            "settings": filled,
            "teacher": self.teacher,
            "steps": self.steps,
        }

    def write(self) -> None:
        """Write the task and its problems, and the start model where there is none."""
        self.folder.mkdir(parents=True, exist_ok=True)
        if self.weights is None:
            self.weights = save_tiny(self.folder.parent / "tiny")
        write_rows(self.asked, self.rows_of_problems())
        write_json(self.task, self.document())

    def rows_of_problems(self) -> list[Problem]:
        """What is trained on."""
        return [
            Problem(f"p{i}", f"{i} + {i} =", self.gold, [], "{}", str(i), "g")
            for i in range(self.problems)
        ]

    def train(self, step: int) -> None:
        """Train up to a step, in this process."""
        from passk.stages.train import train

        self.write()
        train(self.task, self.asked, step, self.output(step))

    def weights_of(self, step: int) -> dict[str, Any]:
        """The tensors of a checkpoint."""
        from safetensors.torch import load_file

        return load_file(self.output(step).parent / "model.safetensors")

    def rows(self, step: int) -> list[TrainingStep]:
        """The rows of a checkpoint."""
        return read_rows(self.output(step).parent / "steps.parquet", TrainingStep)


def same(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Whether two checkpoints hold the same bits."""
    return one.keys() == other.keys() and all(one[key].equal(other[key]) for key in one)


def change(start: dict[str, Any], end: dict[str, Any]) -> Any:
    """How all weights changed, in one row."""
    import torch

    return torch.cat([(end[name] - start[name]).flatten() for name in start])
