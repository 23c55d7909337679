"""The study that `passk init` writes: a spec, a benchmark of twelve questions, a prompt."""

from __future__ import annotations

import json
import os
import re
from importlib import resources
from pathlib import Path
from string import Template

from passk.core.artifacts import output_error
from passk.core.errors import PasskError
from passk.spec.loading import shipped_specs

FILES = {
    "spec.yaml": "experiment",
    "benchmarks/questions.yaml": "benchmark",
    "benchmarks/questions.jsonl": "",
    "prompts/final-number.yaml": "prompt",
}
"""File -> its schema."""

BASE_RATES = (0.6, 0.9, 0.3, 0.5, 0.2, 0.4, 0.3, 0.15, 0.1, 0.2, 0.05, 0.03)
TUNED_RATES = (0.95, 1.0, 0.7, 0.9, 0.5, 0.8, 0.7, 0.3, 0.1, 0.3, 0.0, 0.0)
"""Success rates of the simulated models: tuning helps where the base often succeeds already."""

SIMULATED = """\
  # Simulated models, to see a study run anywhere: no weights, no GPU. Replace them by your own:
  #   base:  {weights: Qwen/Qwen2.5-0.5B, engine: transformers}     # hub id or local folder
  #   tuned: {weights: runs/grpo/step_100, engine: transformers, role: rl, base: base}
  base:
    weights: models/base.jsonl
    engine: fake                       # fake | transformers | vllm | openai
  tuned:
    weights: models/tuned.jsonl
    engine: fake
    role: rl                           # base | rl | distilled | instruct | sft
    base: base                         # the model that it is compared with"""

ONE_MODEL = """\
  base:
    weights: $weights
    engine: $engine                    # fake | transformers | vllm | openai
  # A model that was tuned from it:
  #   tuned: {weights: runs/grpo/step_100, engine: $engine, role: rl, base: base}"""

SAMPLER = "  plain: {temperature: 1.0, top_p: 0.95, max_tokens: 512}"

SHARP_SAMPLER = "\n  sharp: {temperature: 0.6, top_p: 0.95, max_tokens: 512, base: plain}"
"""Of a single model: a second temperature to compare."""


def write_starter(folder: Path, weights: str | None, engine: str) -> Path:
    """Write a study into a new or empty folder.

    Args:
        folder: where.
        weights: of a model to study; None for two simulated models.
        engine: of that model.

    Returns:
        The spec.

    Raises:
        PasskError: the folder holds files already.
        OutputError: it cannot be written.
    """
    if folder.is_dir() and any(folder.iterdir()):
        raise PasskError("holds files already", where=str(folder), fix="name a new folder")
    shown = folder.as_posix()
    about = {
        "name": re.sub(r"[^A-Za-z0-9._-]+", "-", folder.resolve().name).strip("-._") or "study",
        "folder": shown,
        "spec": f"{shown}/spec.yaml",
        "weights": _from_folder(weights, folder) if weights else "",
        "engine": engine,
    }
    about["models"] = Template(ONE_MODEL if weights else SIMULATED).substitute(about)
    about["samplers"] = SAMPLER + (SHARP_SAMPLER if weights else "")
    try:
        for name, schema in FILES.items():
            text = resources.files(__name__).joinpath(name).read_text(encoding="utf-8")
            if schema:
                path = shipped_specs() / "schema" / f"{schema}.schema.json"
                text = Template(text).substitute(about, schema=path)
            _write(folder / name, text)
        if not weights:
            for model, rates in (("base", BASE_RATES), ("tuned", TUNED_RATES)):
                _write(folder / "models" / f"{model}.jsonl", _simulated_model(rates))
    except OSError as error:
        raise output_error(error, folder) from error
    return folder / "spec.yaml"


def _from_folder(weights: str, folder: Path) -> str:
    """Return local weights relative to the folder of the spec; a hub id or package as it is."""
    path = Path(weights)
    if path.is_absolute() or not path.exists():
        return weights
    found = os.path.relpath(path, folder)
    return found if found.startswith("..") else f"./{found}"


def _write(path: Path, text: str) -> None:
    """Write a file into a folder that may not be there yet."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def _simulated_model(rates: tuple[float, ...]) -> str:
    """Return the weights of a simulated model: its answers to each question, with probabilities."""
    questions = resources.files(__name__).joinpath("benchmarks/questions.jsonl").read_text("utf-8")
    rows = []
    for line, rate in zip(questions.splitlines(), rates, strict=True):
        problem = json.loads(line)
        gold = int(problem["gold"])
        texts = [f"Let me work it out.\n\n{gold + error}" for error in (0, 1, -1, 10)]
        row = {"problem_id": problem["id"], "rate": rate, "correct": texts[0], "wrong": texts[1:]}
        rows.append(json.dumps(row) + "\n")
    return "".join(rows)
