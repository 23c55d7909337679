"""Counts that have the paper's numbers: models of Yue et al. 2025, MATH500."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from passk.core.artifacts import write_json
from passk.core.schemas import Count, Score, write_rows

N, PROBLEMS = 256, 500

MATH500 = {
    # model: (role, algorithm, step, pass@1, pass@256) in percent
    "qwen2.5-7b": ("base", None, None, 34.5, 96.2),
    "grpo@150": ("rl", "GRPO", 150, 74.4, 97.2),
    "grpo@300": ("rl", "GRPO", 300, 75.4, 96.0),
    "grpo@450": ("rl", "GRPO", 450, 76.3, 95.4),
    "ppo": ("rl", "PPO", None, 75.2, 97.2),
    "remax": ("rl", "ReMax", None, 73.5, 96.6),
    "rloo": ("rl", "RLOO", None, 75.0, 97.4),
    "reinforce++": ("rl", "Reinforce++", None, 75.4, 96.8),
    "dapo": ("rl", "DAPO", None, 75.6, 96.4),
    "sft": ("sft", "SFT", None, 70.0, 97.0),
    "distilled": ("distilled", None, None, 92.0, 99.2),
}
"""The last two are not of that table: they stand for SFT and distillation beside RL."""


def correct_counts(first: float, last: float, seed: int = 0) -> np.ndarray:
    """Counts of `PROBLEMS` problems with these pass@1 and pass@256, in percent."""
    solved = round(last * PROBLEMS / 100)
    wanted = round(first * PROBLEMS * N / 100)
    rates = np.linspace(0.02, 1.0, solved) ** np.linspace(0.05, 12, 400)[:, None]
    power = int(np.argmin(np.abs(rates.sum(axis=1) * N - wanted)))
    counts = np.clip(np.rint(rates[power] * N).astype(int), 1, N)
    for index in np.random.default_rng(seed).permutation(solved * 40) % solved:
        gap = wanted - int(counts.sum())
        if gap and 1 <= counts[index] + np.sign(gap) <= N:
            counts[index] += int(np.sign(gap))
    shown = np.concatenate([np.zeros(PROBLEMS - solved, dtype=int), counts])
    assert shown.sum() == wanted
    return shown


def make_paper_study(folder: Path, **more: object) -> Path:
    """Write counts, scores of the series and a plan.json; return its path."""
    cells, scores = [], []
    for name, (role, algorithm, step, first, last) in MATH500.items():
        cell = f"{name}.math500.paper-0"
        path = folder / "counts" / f"{name}.parquet"
        counts = correct_counts(first, last)
        rows = [
            Count(f"p{i:03d}", "", N, int(c), 0, 0, 0, 0, 0, 300 * N, 0, 0)
            for i, c in enumerate(counts)
        ]
        write_rows(path, rows)
        base = None if role == "base" else "qwen2.5-7b.math500.paper-0"
        cells.append(
            {
                "id": cell, "model": name, "benchmark": "math500", "benchmark_title": "MATH-500",
                "sampler": "paper", "label": name, "role": role, "algorithm": algorithm,
                "step": step, "series": None if step is None else algorithm, "n": N, "base": base,
                "counts": str(path), "temperature": 0.6,
            }
        )  # fmt: skip
        if step is not None or role in ("base", "distilled"):
            scores.append(_scoring(folder, cell, name, 0.5 - 0.0006 * (step or 0)))
    plan = folder / "plan.json"
    k = [1, 2, 4, 8, 16, 32, 64, 128, 256]
    study = {"name": "paper", "title": "Algorithms", "k": k, "cells": cells, "scores": scores}
    write_json(plan, {**study, **more})
    return plan


def _scoring(folder: Path, cell: str, name: str, shift: float) -> dict[str, object]:
    """Write scores of 30 problems' responses under the base, and return their entry."""
    rng = np.random.default_rng(len(name))
    difficulty = np.random.default_rng(5).normal(0, 0.4, 30)
    values = np.exp(shift + 0.4 + difficulty[:, None] + rng.normal(0, 0.15, (30, 8)))
    path = folder / "scores" / f"{name}.parquet"
    rows = [
        Score(f"p{i:03d}", j, 10, -10 * float(np.log(values[i, j])), float(values[i, j]))
        for i in range(30)
        for j in range(8)
    ]
    write_rows(path, rows)
    return {
        "id": f"{cell}/base", "scorer": "qwen2.5-7b", "scorer_label": "qwen2.5-7b",
        "responses_of": name, "cell": cell, "reference": None, "benchmark": "math500",
        "sampler": "paper", "files": [str(path)],
    }  # fmt: skip
