"""What is still to be spent: tokens, hours and disk, from what earlier shards really took."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from passk.plan.build import Plan
from passk.plan.cells import Cell
from passk.recipes import read_recipe

ASSUMED_TOKENS_PER_SECOND = {"fake": 100_000.0, "transformers": 100.0, "vllm": 2_500.0}
"""Engine -> response tokens per second of one job, assumed before anything was recorded: on one
80 GB GPU with a 7B model for vllm, on two CPU cores with a 135M model for transformers."""

ASSUMED_TOKEN_SHARE = 0.1
"""Share of max_tokens that a response is assumed to take where its benchmark does not say."""

BYTES_PER_TOKEN = 5.0
"""Compressed bytes on disk per response token: its id and its text."""

SHARDS_READ = 8
"""Recipes that are read per cell: enough for a mean, and quick with ten thousand shards."""


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


def rates(plan: Plan, cell: Cell, near: Iterable[str]) -> Rates:
    """Return what a response of a cell costs.

    Recorded by the cell's own shards, else by the cells `near` it (same model and benchmark),
    else assumed.
    """
    own = _recorded(plan, [cell.id], "this cell's shards")
    return own or _recorded(plan, near, "other cells of this model and benchmark") or _assumed(cell)


def _recorded(plan: Plan, cells: Iterable[str], basis: str) -> Rates | None:
    """Return the mean cost per response in the recipes of some cells."""
    found = []
    for cell in cells:
        folder = Path(plan.layout.store) / "cells" / cell / "samples"
        for path in sorted(folder.glob("*.parquet"))[:SHARDS_READ]:
            recipe = read_recipe(path)
            if recipe is not None and recipe.get("drawn_responses"):
                found.append((recipe, path.stat().st_size))
    if not found:
        return None
    responses = sum(recipe["responses"] for recipe, _ in found)
    drawn = sum(recipe["drawn_responses"] for recipe, _ in found)
    return Rates(
        tokens=sum(recipe["tokens"] for recipe, _ in found) / responses,
        seconds=sum(_seconds(recipe) for recipe, _ in found) / drawn,
        bytes=sum(size for _, size in found) / responses,
        basis=f"recorded: {len(found)} of {basis}",
    )


def _seconds(recipe: Mapping[str, Any]) -> float:
    """Return the seconds that a shard's job took, loading included."""
    return float(recipe.get("draw_seconds", 0)) + float(recipe.get("load_seconds", 0))


def _assumed(cell: Cell) -> Rates:
    """Return a cost before anything was recorded."""
    expected = cell.benchmark.expected_tokens or ASSUMED_TOKEN_SHARE * cell.sampler.max_tokens
    tokens = min(float(cell.sampler.max_tokens), expected)
    speed = ASSUMED_TOKENS_PER_SECOND.get(cell.model.engine, 1_000.0)
    basis = f"assumed: {tokens:.0f} tokens a response, {speed:,.0f} tokens/s"
    return Rates(tokens, tokens / speed, BYTES_PER_TOKEN * tokens, basis)


def gpus(cell: Cell) -> int:
    """Return the GPUs that a job of a cell takes, where there are any."""
    execution = cell.model.execution
    count = 1
    for kind in ("tensor_parallel", "pipeline_parallel", "data_parallel"):
        count *= int(execution.get(kind, 1))
    return count
