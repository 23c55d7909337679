"""Controls: a model against itself shows nothing, and taught answers are named, no others."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from conftest import write_jsonl

pytest.importorskip("torch")

from control_study import HELD, REPEATS, TAUGHT, ControlStudy, against_itself, named
from tiny_models import WIDE, byte_tokenizer, save_tiny, tiny_model

from passk.stats import FAMILYWISE_ERROR

BLOCK, KS = 4, [1, 4]


def write_catalogue(folder: Path, name: str, rows: list[dict[str, Any]]) -> None:
    """Write a benchmark and the plain prompt that it is asked with."""
    write_jsonl(folder / "benchmarks" / f"{name}.jsonl", rows)
    benchmark = {
        "title": name,
        "source": {"file": f"{name}.jsonl"},
        "columns": {"solution": "solution"},
        "verifier": "number",
        "prompt": "plain",
    }
    (folder / "benchmarks" / f"{name}.yaml").write_text(yaml.safe_dump(benchmark))
    prompt = {"format": "text", "user": "{question}", "stop": ["~"]}
    (folder / "prompts").mkdir(exist_ok=True)
    (folder / "prompts" / "plain.yaml").write_text(yaml.safe_dump(prompt))


def save_digits(folder: Path) -> Path:
    """A tiny model that says a digit first more often than anything else."""
    model, tokenizer = tiny_model(**WIDE), byte_tokenizer()
    digits = tokenizer.convert_tokens_to_ids(list("0123456789"))
    mute = [token for token in range(len(model.lm_head.weight)) if token not in digits]
    model.lm_head.weight[mute] = 0
    model.lm_head.weight[digits] *= 2
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def test_a_model_against_itself_shows_no_difference(tmp_path: Path) -> None:
    golds = np.random.default_rng(1).integers(10, size=40)
    rows = [
        {"id": f"p{i:02d}", "question": f"{i} and {7 * i % 40}:", "gold": str(gold), "solution": ""}
        for i, gold in enumerate(golds)
    ]
    write_catalogue(tmp_path, "digits", rows)
    drawn = 2 * REPEATS * BLOCK
    study = ControlStudy(
        tmp_path,
        {
            "name": "itself",
            "k": KS,
            "shard": drawn,
            "models": {
                "base": {
                    "weights": str(save_digits(tmp_path / "tiny")),
                    "engine": "transformers",
                    "dtype": "float32",
                    "execution": {"threads": 1},
                }
            },
            "benchmarks": {"digits": {"n": drawn}},
            "samplers": {"plain": {"temperature": 1.0, "max_tokens": 1}},
        },
    )
    (cell,) = study.plan().cells.values()
    counts = study.counted(cell)
    correct = study.correct(cell)
    assert correct.sum() == counts["correct"].sum() > 1000
    held = against_itself(correct, BLOCK, KS, replicates=1000)
    assert held.shape == (REPEATS, len(KS))
    assert (held.sum(axis=0) >= HELD).all(), held.sum(axis=0)


def test_taught_answers_are_named_as_gained_and_no_others(tmp_path: Path) -> None:
    pytest.importorskip("trl")
    letters = "abcdefghijklmnopqrstuvwx"
    rows = [
        {"id": f"p{letter}", "question": f"{letter * 3} is", "gold": str(311 + 29 * i)}
        for i, letter in enumerate(letters)
    ]
    rows[-4:] = [row | {"gold": list("0123456789")} for row in rows[-4:]]  # what it may well say
    for row in rows:
        row["solution"] = f" {row['gold']}"
    write_catalogue(tmp_path, "codes", rows)
    write_catalogue(tmp_path, "taught", rows[: 2 * TAUGHT : 2])
    weights = str(save_tiny(tmp_path / "tiny"))
    model = {"engine": "transformers", "dtype": "float32", "execution": {"threads": 1}}
    train = {
        "from": "base",
        "method": "distillation",
        "benchmark": "taught",
        "teacher": "solutions",
    }
    train |= {"prompts_per_step": TAUGHT, "learning_rate": 2e-3, "seed": 1}
    study = ControlStudy(
        tmp_path,
        {
            "name": "taught",
            "k": [1, 16],
            "shard": 32,
            "models": {
                "base": {"weights": weights, **model},
                "taught@{step}": {"train": train, "steps": [80], "base": "base", **model},
            },
            "benchmarks": {"codes": {"n": 32}},
            "samplers": {"plain": {"temperature": 1.0, "max_tokens": 8}},
        },
    )
    study.train()
    counts = {cell.model.name: study.counted(cell) for cell in study.plan().cells.values()}
    solved = counts["base"].set_index("problem_id")["correct"]
    taught = {row["id"] for row in rows[: 2 * TAUGHT : 2]}
    assert solved[sorted(taught)].sum() == 0
    assert solved.sum() > 0
    gained = named(study.tables(), "tuned_only")
    assert set(gained.index) == taught
    assert (gained["p_familywise"] <= FAMILYWISE_ERROR).all()
    summary = json.loads((study.folder / "outputs/taught/plan.json").read_text())
    assert len(summary["trainings"]) == 1
