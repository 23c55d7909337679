"""Trainings in `passk plan`: which checkpoints are missing, why, and what they would cost."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from passk.core.progress import duration
from passk.workflow.files import Build
from passk.workflow.plan import Plan
from passk.workflow.resources.cost import step_rate
from passk.workflow.resources.memory import trained_bytes
from passk.workflow.status.report_types import TrainingReport
from passk.workflow.status.why_stale import why_training
from passk.workflow.trainings import Training


def report_training(
    build: Build, training: Training, known: Mapping[str, Mapping[str, object]]
) -> TrainingReport:
    """Return one training's state; `known` are the fields of trainings on disk, by id."""
    plan = build.plan
    paths = dict(zip(training.steps, plan.checkpoints_of(training), strict=True))
    absent = [step for step, path in paths.items() if build.is_pending(path)]
    left = sum(step - _before(plan, training, step) for step in absent)
    rate = step_rate(plan, training)
    hours = left * rate.seconds / 3600
    return {
        "id": training.id,
        "method": training.method,
        "state": "present" if not absent else "missing" if len(absent) == len(paths) else "partial",
        "why": _why(training, absent, known),
        "steps": list(training.steps),
        "steps_missing": absent,
        "steps_left": left,
        "responses_reused": 0,
        "responses_left": 0,
        "tokens_left": 0,
        "hours_left": hours,
        "gpu_hours_left": hours if training.model.engine == "vllm" else 0.0,
        "bytes_left": len(absent) * trained_bytes(training),
        "basis": rate.basis,
    }


def _before(plan: Plan, training: Training, step: int) -> int:
    """Return the step that a missing checkpoint is trained on from: the kept one, or a state."""
    kept = max((other for other in training.steps if other < step), default=0)
    folder = Path(plan.layout.training(training.id)).parent / "state"
    names = (path.name.removeprefix("step-") for path in folder.glob("step-*"))
    states = [int(name) for name in names if name.isdigit() and kept < int(name) <= step]
    return max(states, default=kept)


def _why(
    training: Training, absent: list[int], known: Mapping[str, Mapping[str, object]]
) -> list[str]:
    """Return the reasons for which a training is not present."""
    there = [step for step in training.steps if step not in absent]
    if not absent:
        return []
    if there and max(there) < min(absent):
        return [f"steps {max(there)} → {max(absent)}"]
    if there or training.id in known:
        return [f"checkpoints {', '.join(map(str, absent))} were never kept"]
    return [why_training(training, known)]


def training_lines(found: TrainingReport) -> Iterator[str]:
    """Yield a training's lines for people."""
    done = len(found["steps"]) - len(found["steps_missing"])
    steps = ", ".join(map(str, found["steps"]))
    kept = f"{done}/{len(found['steps'])} checkpoints (steps {steps})"
    yield f"  {found['state']:8} training {found['id']}  {found['method']}, {kept}"
    yield from (f"           why: {reason}" for reason in found["why"])
    if found["steps_left"]:
        cost = duration(found["hours_left"] * 3600)
        size = f"{found['bytes_left'] / 1e6:,.1f} MB" if found["bytes_left"] else "size unknown"
        yield (
            f"           left: {found['steps_left']:,} steps, {cost} of one job at a time, {size}"
            f"  [{found['basis']}]"
        )
