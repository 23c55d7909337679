"""What is still to be spent: tokens, hours and disk, from what earlier shards really took."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from passk.core.artifacts import Manifest, read_json, read_manifest
from passk.core.errors import DataError
from passk.spec.models import Model, Sampler
from passk.workflow.cells import Cell, Scoring
from passk.workflow.plan import Plan
from passk.workflow.trainings import Training

ASSUMED_TOKENS_PER_SECOND = {"fake": 100_000.0, "transformers": 100.0, "vllm": 2_500.0}
"""Engine -> response tokens per second of one job, assumed before anything was recorded: on one
80 GB GPU with a 7B model for vllm, on two CPU cores with a 135M model for transformers."""

ASSUMED_TOKEN_SHARE = 0.1
"""Share of max_tokens that a response is assumed to take where its benchmark does not say."""

ASSUMED_SCORED_PER_SECOND = {"fake": 100_000.0, "transformers": 500.0, "vllm": 10_000.0}
"""Engine -> response tokens that one job scores per second, assumed likewise."""

ASSUMED_TRAINED_PER_SECOND = {"transformers": 100.0, "vllm": 1_000.0}
"""Engine -> response tokens that one job draws and learns from per second, assumed likewise."""

DEFAULT_TOKENS = 1024
"""Response tokens assumed of a reference, which no sampler limits."""

BYTES_PER_TOKEN = 5.0
"""Compressed bytes on disk per response token: its id and its text."""

SHARDS_READ = 8
"""Manifests that are read per cell: enough for a mean, and quick with ten thousand shards."""


@dataclass(frozen=True, slots=True)
class Rates:
    """What one response costs.

    Attributes:
        tokens: response tokens.
        seconds: seconds of one job.
        bytes: bytes on disk.
        basis: where the numbers come from.
    """

    tokens: float
    seconds: float
    bytes: float
    basis: str


def rates(plan: Plan, work: Cell | Scoring) -> Rates:
    """Return what drawing, or scoring, a response costs.

    Recorded by the cell's own shards, else by cells of the same model and benchmark, or by scores
    under the same model; else assumed.
    """
    folder, places = Path(plan.layout.store) / "cells", dict[str, Iterable[Path]]()
    cell = work if isinstance(work, Cell) else work.cell
    if isinstance(work, Cell):
        speeds = ASSUMED_TOKENS_PER_SECOND
        near = folder.glob(f"{work.model.name}.{work.use.name}.*/samples")
        places["this cell's shards"] = [folder / work.id / "samples"]
        places["other cells of this model and benchmark"] = near
    else:
        speeds = ASSUMED_SCORED_PER_SECOND
        scored = folder.glob(f"*.{work.use.name}.*/scores/{work.model.name}-*")
        places["shards scored by this model"] = scored
    found = (_recorded(sorted(folders), basis) for basis, folders in places.items())
    return next(filter(None, found), None) or _assumed(work, cell.sampler if cell else None, speeds)


@dataclass(frozen=True, slots=True)
class StepRate:
    """What a step of training costs: seconds of one job, and where the number comes from."""

    seconds: float
    basis: str


def step_rate(plan: Plan, training: Training) -> StepRate:
    """Return what a step costs: as recorded of this training, else of its like, else assumed."""
    folder = Path(plan.layout.store) / "trainings"
    near = {
        "this training's checkpoints": [folder / training.id],
        f"other trainings of '{training.series}'": folder.glob(f"{training.series}*"),
        f"other trainings by {training.method}": folder.glob("*"),
    }
    for basis, folders in near.items():
        found = [r for one in folders for r in _trained_steps(one, training.method)]
        steps, seconds = (sum(numbers) for numbers in zip((0, 0.0), *found, strict=True))
        if steps:
            return StepRate(seconds / steps, f"recorded: {steps} steps of {basis}")
    tokens = _step_tokens(training)
    speed = ASSUMED_TRAINED_PER_SECOND.get(training.model.engine, 100.0)
    basis = f"assumed: {tokens:,.0f} tokens a step, {speed:,.0f} tokens/s"
    return StepRate(tokens / speed, basis)


def _trained_steps(folder: Path, method: str) -> Iterator[tuple[int, float]]:
    """Yield (steps, seconds) of each checkpoint of trainings by a method that says them."""
    for path in sorted(folder.glob("step-*/manifest.json"))[:SHARDS_READ]:
        try:
            manifest = read_json(path)
        except DataError:
            continue
        known = (
            isinstance(manifest, dict)
            and manifest.get("step_seconds")
            and manifest.get("trained_steps")
        )
        if known and manifest.get("fingerprint_inputs", {}).get("method") == method:
            yield int(manifest["trained_steps"]), float(manifest["step_seconds"])


def _step_tokens(training: Training) -> float:
    """Return the response tokens to expect of a step."""
    most = float(training.settings.get("max_tokens", DEFAULT_TOKENS))
    expected = training.benchmark.expected_tokens or ASSUMED_TOKEN_SHARE * most
    each = 1 if training.teacher else int(training.settings["num_generations"])
    return float(training.settings["prompts_per_step"]) * each * min(most, expected)


def _recorded(folders: Iterable[Path], basis: str) -> Rates | None:
    """Return the mean cost per response in the manifests of some folders of cells."""
    found = []
    for folder in folders:
        for path in sorted(folder.glob("*.parquet"))[:SHARDS_READ]:
            manifest = read_manifest(path)
            if manifest is not None and manifest.get("drawn_responses"):
                found.append((manifest, path.stat().st_size))
    if all(_without_tokens(manifest) == manifest["responses"] for manifest, _ in found):
        return None
    responses = sum(manifest["responses"] for manifest, _ in found)
    counted = sum(manifest["responses"] - _without_tokens(manifest) for manifest, _ in found)
    drawn = sum(manifest["drawn_responses"] for manifest, _ in found)
    return Rates(
        tokens=sum(manifest["tokens"] for manifest, _ in found) / counted,
        seconds=sum(_seconds(manifest) for manifest, _ in found) / drawn,
        bytes=sum(size for _, size in found) / responses,
        basis=f"recorded: {len(found)} of {basis}",
    )


def _without_tokens(manifest: Manifest) -> int:
    """Return how many responses of a file have no known tokens, or could not be sampled."""
    unsampled = manifest.get("refused", 0) + manifest.get("failed", 0)
    return unsampled + manifest.get("unknown_tokens", 0)


def _seconds(manifest: Manifest) -> float:
    """Return the seconds that a shard's job took, loading included."""
    return manifest.get("draw_seconds", 0.0) + manifest.get("load_seconds", 0.0)


def _assumed(work: Cell | Scoring, sampler: Sampler | None, speeds: Mapping[str, float]) -> Rates:
    """Return a cost before anything was recorded."""
    most = sampler.sampling.max_tokens if sampler else DEFAULT_TOKENS
    expected = work.use.expected_tokens or work.benchmark.expected_tokens
    tokens = min(float(most), expected or ASSUMED_TOKEN_SHARE * most)
    speed = speeds.get(work.model.engine, 1_000.0)
    basis = f"assumed: {tokens:.0f} tokens a response, {speed:,.0f} tokens/s"
    return Rates(tokens, tokens / speed, BYTES_PER_TOKEN * tokens, basis)


def gpus(model: Model) -> int:
    """Return the GPUs that a job of a model takes, where there are any."""
    count = 1
    for kind in ("tensor_parallel_size", "pipeline_parallel_size", "data_parallel_size"):
        count *= int(model.execution.get(kind, 1))
    return count
