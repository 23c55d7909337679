"""A study with trainings made of random numbers: a base, and series over seeds and steps."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from synthetic_study import draw, problem_rows, rates, write_cell

from passk.core.artifacts import read_json, write_json
from passk.core.schemas import TrainingStep, write_rows

METHODS = ("GRPO", "RLOO", "PPO", "ReMax", "DAPO", "Reinforce++", "SFT", "distillation")
ROLES = {"SFT": "sft", "distillation": "distilled"}


def reward_rows(method: str, seed: int, steps: range) -> list[TrainingStep]:
    """Rows of a training whose reward rises with the step; imitation has a loss alone."""
    rng = np.random.default_rng([seed, len(method), steps.start])
    rewarded = method not in ROLES
    return [
        TrainingStep(
            step=step,
            reward=min(1.0, 0.2 + 0.01 * step + 0.05 * float(rng.random())) if rewarded else None,
            reward_std=0.4 if rewarded else None,
            zero_groups=0.1 if rewarded else None,
            kl=None,
            entropy=1.0 if rewarded else None,
            clipped=0.0 if rewarded else None,
            loss=2.0 / step + 0.05 * float(rng.random()),
            response_tokens=5.0,
            truncated=0.0,
            generation_seconds=0.5,
            reward_seconds=0.01,
            update_seconds=2.0,
            learning_rate=1e-5,
        )
        for step in steps
    ]


def make_trained_study(
    folder: Path,
    methods: Sequence[str] = METHODS,
    seeds: Sequence[int] = (1, 2, 3),
    steps: Sequence[int] = (10, 20),
    problems: int = 24,
    n: int = 32,
) -> Path:
    """Write a base and a series per method into `folder`, and return the path of plan.json."""
    asked = folder / "problems.parquet"
    write_rows(asked, problem_rows(problems))
    about = {"benchmark": "sums", "benchmark_title": "Sums, held out", "sampler": "plain"}
    base = write_cell(
        folder, "base", draw(rates(problems, sharp=False), n, 1),
        {**about, "label": "SmolLM2", "model": "base", "base": None, "series": None}, asked,
    )  # fmt: skip
    cells, trainings = [base], []
    for method in methods:
        for seed in seeds:
            name = f"{method.lower()}-{seed}"
            for step in steps:
                drawn = draw(rates(problems, sharp=True), n, 100 * seed + step + len(method))
                cells.append(
                    write_cell(
                        folder, f"{name}@{step}", drawn,
                        {**about, "model": f"{name}@{step}", "base": "base", "step": step,
                         "label": f"{method}, seed {seed}, step {step}", "algorithm": method,
                         "role": ROLES.get(method, "rl"), "series": method.lower(), "seed": seed},
                        asked,
                    )
                )  # fmt: skip
            trainings.append(write_training(folder, method, seed, steps))
    plan = folder / "plan.json"
    spec = {"name": "trained"}
    write_json(plan, {"name": "trained", "title": "Trained and measured", "k": [1, 2, 4, 8, 16],
                      "cells": cells, "trainings": trainings, "spec": spec})  # fmt: skip
    return plan


def write_training(folder: Path, method: str, seed: int, steps: Sequence[int]) -> dict[str, object]:
    """Write the steps of one training, a file per checkpoint, and return its entry of the plan."""
    name = f"{method.lower()}-{seed}"
    files = []
    for start, stop in zip([0, *steps], steps, strict=False):
        path = folder / "trainings" / f"{name}-{stop}.parquet"
        write_rows(path, reward_rows(method, seed, range(start + 1, stop + 1)))
        files.append(str(path))
    return {
        "training": f"{name}-ab12cd34", "model": name, "label": f"{method}, seed {seed}",
        "method": method, "role": ROLES.get(method, "rl"), "base": "base", "seed": seed,
        "series": method.lower(), "steps": files,
    }  # fmt: skip


def without_series(plan: Path) -> None:
    """Take what says which cells belong together out of a plan."""
    raw = read_json(plan)
    for cell in raw["cells"]:
        cell["series"] = cell["seed"] = None
    write_json(plan, {**raw, "trainings": []})
