"""Paths that a spec holds: they are relative to the spec's own folder.

So the same spec means the same files from every working directory.
"""

from __future__ import annotations

import dataclasses
import glob
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from passk.core.errors import SpecError
from passk.spec.models import Model
from passk.spec.yaml_lines import Document

DISCOVER = "discover"
"""Value of `steps` for a series of whatever checkpoints there are."""

PACKAGE = "package:"
"""Prefix of weights that are in an installed Python package."""


def beside(spec: Path, path: str) -> str:
    """Return a path of a spec as seen from the working directory; `./x` for one below it."""
    written = Path(path).expanduser()
    if written.is_absolute():
        return str(written)
    found = os.path.relpath(spec.parent / written)
    return found if found.startswith("..") else f"./{found}"


def with_local_paths(model: Model, spec: Path) -> Model:
    """Return a model whose local files are seen from the working directory.

    These are weights, adapters, imports and vLLM's `tokenizer`.

    Hub ids, packages and names that a server knows stay as they are.
    """
    imported = model.imported and beside(spec, model.imported)
    adapters = tuple(_local(name, spec) for name in model.adapters)
    local = model.weights and not model.endpoint
    weights = _local(model.weights, spec) if local else model.weights
    kwargs = dict(model.engine_kwargs)
    if "tokenizer" in kwargs:
        kwargs["tokenizer"] = _local(str(kwargs["tokenizer"]), spec)
    return dataclasses.replace(
        model, weights=weights, adapters=adapters, imported=imported, engine_kwargs=kwargs
    )


def as_written(model: Mapping[str, Any], spec: Path) -> dict[str, Any]:
    """Return a model's record with its local paths relative to the spec again."""
    found = dict(model)
    for key in ("weights", "imported"):
        found[key] = _from_spec(model.get(key), spec)
    found["adapters"] = [_from_spec(name, spec) for name in model.get("adapters", [])]
    if tokenizer := model.get("engine_kwargs", {}).get("tokenizer"):
        own = {"tokenizer": _from_spec(tokenizer, spec)}
        found["engine_kwargs"] = {**model["engine_kwargs"], **own}
    return found


def _from_spec(path: str | None, spec: Path) -> str | None:
    """Return a local path relative to the spec; anything else as it is."""
    if not path or not path.startswith("."):
        return path
    return os.path.relpath(path, spec.parent)


def _local(name: str, spec: Path) -> str:
    """Return a local path as seen from the working directory; anything else as it is."""
    if name.startswith(PACKAGE):
        return name
    is_hub_id = name.count("/") == 1 and not name.startswith(("/", ".", "~"))
    if is_hub_id and not (spec.parent / name).exists():
        return name
    return beside(spec, name)


def discover_steps(document: Document) -> None:
    """Replace `steps: discover` of each model by the steps of the checkpoints that exist.

    Raises:
        SpecError: no local path of the model holds `{step}`, or no checkpoint exists.
    """
    models = document.data.get("models")
    for name, entry in models.items() if isinstance(models, dict) else ():
        if isinstance(entry, dict) and entry.get("steps") == DISCOVER:
            entry["steps"] = _steps(document, name, entry)


def _steps(document: Document, name: str, entry: Mapping[str, Any]) -> list[int]:
    """Return the steps for which every path of a model exists, for each of its seeds."""
    where = document.where(("models", name, "steps"))
    adapters = entry.get("adapters")
    texts = [entry.get("weights"), entry.get("imported"), *(adapters or ())]
    patterns = [text for text in texts if isinstance(text, str) and "{step}" in text]
    if "train" in entry or not patterns:
        what = "`steps: discover` needs a local path with {step}, under `weights` or `adapters`"
        raise SpecError(what, where=where)
    seeds = entry.get("seeds") or [""]
    paths = dict.fromkeys(text.replace("{seed}", str(n)) for text in patterns for n in seeds)
    found = [_existing_steps(beside(document.file, path)) for path in paths]
    common = sorted(set.intersection(*found))
    if not common:
        message = f"no checkpoint matches {' and '.join(paths)}"
        raise SpecError(message, where=where, fix="check the path: it is relative to the spec")
    return common


def _existing_steps(pattern: str) -> set[int]:
    """Return the numbers that make paths that exist when put in place of `{step}`."""
    parts = pattern.split("{step}")
    first, *others = map(re.escape, parts)
    path = re.compile(rf"{first}(?P<step>0|[1-9]\d*){'(?P=step)'.join(others)}")
    found = glob.glob("*".join(map(glob.escape, parts)))  # noqa: PTH207 - absolute patterns, too
    matches = map(path.fullmatch, found)
    return {int(match["step"]) for match in matches if match}
