"""A study with a trained model: its spec, over a tiny model that trains in seconds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from conftest import Study, write_jsonl

BENCHMARK = (
    "title: {name}\nsource: {{file: {name}.jsonl}}\nverifier: number\nprompt: few-shot-direct\n"
    'shots: [["1 + 1 =", "2"], ["2 + 1 =", "3"], ["3 + 1 =", "4"], ["4 + 1 =", "5"]]\n'
    "columns: {{solution: worked}}\n"
)


def trained_study(folder: Path) -> Study:
    """Write the files of the study, all but the start model's weights (`./tiny`)."""
    study = Study(
        folder,
        {
            "name": "study",
            "k": [1, 2],
            "shard": 2,
            "figures": ["training", "curves"],
            "models": {
                "base": {"weights": "./tiny", "engine": "transformers", "dtype": "float32"},
                "grpo@{step}": {
                    "train": {
                        "from": "base",
                        "method": "GRPO",
                        "benchmark": "drill",
                        "prompts_per_step": 2,
                        "num_generations": 2,
                        "max_tokens": 4,
                        "learning_rate": 1e-3,
                    },
                    "steps": [1, 2],
                    "engine": "transformers",
                    "base": "base",
                },
            },
            "benchmarks": {"exam": {"n": 2}},
            "samplers": {"plain": {"temperature": 1.0, "max_tokens": 4}},
        },
    )
    problems(folder, "drill", range(10, 14))
    problems(folder, "exam", range(20, 22))
    study.save()
    return study


def problems(folder: Path, name: str, numbers: range) -> None:
    """Write a benchmark of sums."""
    rows = [
        {"id": f"p{i}", "question": f"{i} + 1 =", "gold": str(i + 1), "worked": str(i + 1)}
        for i in numbers
    ]
    write_jsonl(folder / "benchmarks" / f"{name}.jsonl", rows)
    (folder / "benchmarks" / f"{name}.yaml").write_text(BENCHMARK.format(name=name))


def train_of(study: Study) -> dict[str, Any]:
    """What the spec says of the training; may be changed."""
    found: dict[str, Any] = study.spec["models"]["grpo@{step}"]["train"]
    return found


def put_checkpoint(study: Study, training: str, step: int, seconds: float) -> None:
    """Leave in the store what a checkpoint is known by, as if it had been trained."""
    folder = study.folder / "outputs/store/trainings" / training
    study.passk("resolve", study.file, "--training", training, "-o", str(folder / "training.json"))
    fields = json.loads((folder / "training.json").read_text())["fingerprint_inputs"]
    manifest = {
        "fingerprint_inputs": fields,
        "step": step,
        "trained_steps": step,
        "step_seconds": seconds,
    }
    place = folder / f"step-{step:06d}"
    place.mkdir(parents=True)
    (place / "steps.parquet").touch()
    (place / "manifest.json").write_text(json.dumps(manifest))
