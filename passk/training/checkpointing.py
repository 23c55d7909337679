"""Saves training states, publishes checkpoints, and records one row per step.

`CheckpointMixin` is a base class put before a trainer of transformers or TRL; it replaces the
trainer's own saving. A state is written to a temporary folder, gets a manifest and is renamed; then
the checkpoint that is due is published from it. A loss, gradient or weight that is not finite ends
the training before anything is saved.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

from passk.core.artifacts import atomic_folder, environment, read_json, write_json
from passk.core.errors import EngineError, OutputError
from passk.core.schemas import TrainingStep, write_rows
from passk.engines.load_errors import first_line
from passk.training import state_store
from passk.training.data_order import seed_of
from passk.training.task import Task

if TYPE_CHECKING:
    import torch
    from accelerate import Accelerator
    from transformers import (
        PreTrainedTokenizerBase,
        TrainerControl,
        TrainerState,
        TrainingArguments,
    )

    from passk.training.reward import Grader

ROWS = "steps.json"
"""File of a state with the rows of all steps so far."""

VALUE_HEAD = "value_head."
"""What the names of weights that only a training needs begin with."""

PACKAGES = ("torch", "transformers", "trl", "accelerate")

Progress = Callable[[int, int, str], None]
"""Called with (steps done, steps in all, what the last one was like)."""

Notice = Callable[[Sequence[TrainingStep]], None]
"""Looks at the rows so far after each step, and warns or raises."""


class StepFacts(TypedDict, total=False):
    """What is noted of a step while it runs, for its row."""

    began: float
    losses: list[float]
    drawing: float
    grading: float
    lengths: list[int]
    reward: float | None
    reward_std: float | None
    zero_groups: float
    kl: float
    entropy: float | None
    response_tokens: float
    truncated: float


@dataclass(slots=True)
class CheckpointManager:
    """Resumes, saves and publishes one training.

    Attributes:
        task: the training.
        folder: its folder in the store.
        due: checkpoints to publish, ascending.
        rows: of the steps so far.
        facts: values of the current step that its row will hold.
        notice: called with the rows after each step; it warns or raises.
        progress: called after each step.
        began: when this process began, for the manifest.
    """

    task: Task
    folder: Path
    due: tuple[int, ...]
    rows: list[TrainingStep] = field(default_factory=list)
    facts: StepFacts = field(default_factory=StepFacts)
    notice: Notice = field(default=lambda _: None)
    progress: Progress = field(default=lambda *_: None)
    began: float = field(default_factory=time.perf_counter)

    @property
    def num_iterations(self) -> int:
        """Updates of the optimiser in one step."""
        return int(self.task.settings.get("num_iterations", 1))

    def resume(self) -> Path | None:
        """Return the state to resume from and load its rows; None for a start from scratch."""
        found = state_store.newest_state(self.folder, self.task.key, self.due[0])
        if found is None:
            return None
        step, path = found
        self.rows = [TrainingStep(**row) for row in read_json(path / ROWS)][:step]
        return path

    def is_due(self, step: int) -> bool:
        """Whether to save a state after a step."""
        every = int(self.task.execution.get("save_steps") or 0)
        return step in self.due or bool(every and step % every == 0)

    def keeps_state(self, step: int) -> bool:
        """Whether states are still needed after a step."""
        return step < self.task.steps[-1] or bool(self.task.execution.get("keep_state", True))

    def publish(self, step: int, save: Callable[[Path], None]) -> None:
        """Write a checkpoint: its weights, its rows, and last the manifest: it is complete."""
        earlier = max((kept for kept in self.task.steps if kept < step), default=0)
        rows = [row for row in self.rows if earlier < row.step <= step]
        with atomic_folder(state_store.checkpoint(self.folder, step)) as temporary:
            with explain_save_errors(temporary):
                save(temporary)
            write_rows(temporary / "steps.parquet", rows)
            write_json(temporary / state_store.MANIFEST, self._manifest(step, rows))

    def _manifest(self, step: int, rows: Sequence[TrainingStep]) -> dict[str, object]:
        """Return what made a checkpoint."""
        return {
            "stage": "train",
            "training": self.task.training,
            "fingerprint_inputs": self.task.fingerprint_inputs,
            "method": self.task.method.name,
            "step": step,
            "settings": dict(self.task.settings),
            "execution": dict(self.task.execution),
            "trained_steps": len(rows),
            "step_seconds": round(sum(map(seconds, rows)), 3),
            "seconds": round(time.perf_counter() - self.began, 3),
            "environment": environment(PACKAGES),
        }


def seconds(row: TrainingStep) -> float:
    """Return the wall-clock time of a step."""
    return row.generation_seconds + row.reward_seconds + row.update_seconds


def describe_step(row: TrainingStep) -> str:
    """Return the progress line of a step."""
    reward = "" if row.reward is None else f"reward {row.reward:.2f}, "
    return f"{reward}{seconds(row):.2g} s a step"


@contextmanager
def explain_save_errors(place: Path) -> Iterator[None]:
    """Turn any failure to write into one OutputError: each library raises its own kind."""
    try:
        yield
    except OutputError:
        raise
    except Exception as error:  # torch, safetensors and the system each raise their own
        raise OutputError(
            f"cannot save the weights: {first_line(error)}",
            where=str(place),
            fix="free some space or make the folder writable, then run the same command again; "
            "it resumes from the last state",
        ) from error


@dataclass(frozen=True, slots=True)
class TrainerInputs:
    """What a method's trainer is built from; `output` is a scratch folder for TRL."""

    manager: CheckpointManager
    model: torch.nn.Module
    tokenizer: PreTrainedTokenizerBase
    grader: Grader
    output: Path


class CheckpointMixin:
    """Put before a Trainer: `class X(CheckpointMixin, GRPOTrainer)`; `manager` is set later.

    The trainer's step numbers count updates of the optimiser; ours count steps, of which each has
    `CheckpointManager.num_iterations` updates.
    """

    manager: CheckpointManager
    state: TrainerState
    model: torch.nn.Module
    args: TrainingArguments
    control: TrainerControl
    accelerator: Accelerator
    processing_class: PreTrainedTokenizerBase

    def release(self) -> None:
        """Stop what was started for the training."""

    def _send_telemetry(self) -> None:
        """Send nothing."""

    @property
    def step(self) -> int:
        """Completed steps."""
        return int(self.state.global_step) // self.manager.num_iterations

    def training_step(
        self, model: torch.nn.Module, inputs: dict[str, torch.Tensor], *rest: object
    ) -> torch.Tensor:
        """Run one pass over a part of the batch; raise if the loss is not finite."""
        facts = self.manager.facts
        if not facts:
            self._begin(facts)
        loss = super().training_step(model, inputs, *rest)  # type: ignore[misc]
        facts["losses"].append(self._require_finite(float(loss), "loss"))
        return loss

    def _begin(self, facts: StepFacts) -> None:
        """Seed what the libraries draw in this step, such as dropout."""
        import torch

        torch.manual_seed(seed_of(self.manager.task.key, "step", self.step))
        facts["began"], facts["losses"] = time.perf_counter(), []

    def _get_grad_norm(
        self, model: torch.nn.Module, grad_norm: float | torch.Tensor | None = None
    ) -> float | torch.Tensor | None:
        """Return the gradient's norm; raise where it is not finite."""
        norm = super()._get_grad_norm(model, grad_norm=grad_norm)  # type: ignore[misc]
        if norm is not None:
            self._require_finite(float(norm), "gradient")
        return norm

    def _require_finite(self, value: float, what: str) -> float:
        """Return a value, or raise: the training cannot continue."""
        if math.isfinite(value):
            return value
        step = self.step + (what != "weights")
        raise EngineError(
            f"the {what} of step {step} became {value}: the training has diverged",
            where=self.manager.task.training,
            fix="lower `learning_rate`, or set `warmup_steps`; nothing of this step was saved, and "
            "earlier checkpoints are kept",
        )

    def log(self, logs: dict[str, float], *rest: object) -> None:
        """Take the row of a finished step from what the trainer logs of it."""
        super().log(logs, *rest)  # type: ignore[misc]
        manager = self.manager
        if manager.facts and int(self.state.global_step) % manager.num_iterations == 0:
            manager.rows.append(row(self.step, logs, manager.facts, manager.num_iterations))
            manager.facts = StepFacts()
            manager.progress(self.step, manager.due[-1], describe_step(manager.rows[-1]))
            manager.notice(manager.rows)
            self.control.should_save = manager.is_due(self.step)

    def _save_checkpoint(self, model: torch.nn.Module, trial: object) -> None:  # noqa: ARG002
        """Save a state, then publish the checkpoint that is due."""
        manager, step = self.manager, self.step
        for tensor in self.model.parameters():
            self._require_finite(float(tensor.detach().sum()), "weights")
        if self.args.should_save:
            if manager.keeps_state(step):
                with atomic_folder(
                    state_store.checkpoint(manager.folder / "state", step)
                ) as temporary:
                    with explain_save_errors(temporary):
                        self._save_state(temporary)
                    state_store.write_state_manifest(temporary, manager.task.key)
            if step in manager.due:
                manager.publish(step, self.save_weights)
            state_store.prune(
                manager.folder, state_store.NEWEST if manager.keeps_state(step) else 0
            )
        self.accelerator.wait_for_everyone()

    def _save_state(self, folder: Path) -> None:
        """Save all that the trainer needs to resume."""
        from safetensors.torch import save_model

        save_model(self.model, str(folder / "model.safetensors"))
        self._save_optimizer_and_scheduler(str(folder))  # type: ignore[attr-defined]
        self.state.save_to_json(str(folder / "trainer_state.json"))
        write_json(folder / ROWS, [asdict(row) for row in self.manager.rows])

    def save_weights(self, folder: Path) -> None:
        """Save model and tokenizer as transformers loads them."""
        dtype = self.manager.task.source.dtype
        model = self.accelerator.unwrap_model(self.model)
        model.save_pretrained(folder, state_dict=checkpoint_weights(model.state_dict(), dtype))
        self.processing_class.save_pretrained(folder)


def checkpoint_weights(weights: Mapping[str, torch.Tensor], dtype: str) -> dict[str, torch.Tensor]:
    """Return the weights of a checkpoint: without what only training needs, in the task's dtype."""
    import torch

    kind = torch.bfloat16 if dtype == "bfloat16" else torch.float32
    cast = {v.data_ptr(): v.to(kind) for v in weights.values()}  # tied weights stay tied
    return {k: cast[v.data_ptr()] for k, v in weights.items() if not k.startswith(VALUE_HEAD)}


def row(step: int, logs: Mapping[str, float], facts: StepFacts, passes: int) -> TrainingStep:
    """Return the row of a step from what the trainer logged and what was noted.

    The losses of a batch's parts add up to that of a pass.
    """
    drawing, grading = facts.get("drawing", 0.0), facts.get("grading", 0.0)
    updating = time.perf_counter() - facts["began"] - drawing - grading
    return TrainingStep(
        step=step,
        reward=facts.get("reward"),
        reward_std=facts.get("reward_std"),
        zero_groups=facts.get("zero_groups"),
        kl=facts.get("kl", logs.get("kl")),
        entropy=facts.get("entropy", logs.get("entropy")),
        clipped=logs.get("clip_ratio/region_mean"),
        loss=sum(facts["losses"]) / passes,
        response_tokens=facts.get("response_tokens"),
        truncated=facts.get("truncated"),
        generation_seconds=drawing,
        reward_seconds=grading,
        update_seconds=updating,
        learning_rate=logs["learning_rate"],
    )
