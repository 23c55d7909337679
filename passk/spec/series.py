"""Expand one model entry of a spec: one model per step and per seed."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping
from typing import Any

from passk.core.errors import SpecError
from passk.spec.models import Model, Train
from passk.spec.training_methods import METHODS
from passk.spec.yaml_lines import Document, KeyPath

STEP, SEED = "{step}", "{seed}"
"""Placeholders of the step and the seed in the names of a series."""

SOURCES = ("weights", "revision", "adapters", "imported")
"""Keys of a model, not trained here, that can hold `{step}` and `{seed}`."""

SEPARATORS = "@._+-"
"""Characters that part a step or seed from the rest of a name."""


def names_of(name: str, entry: Mapping[str, Any]) -> list[str]:
    """Return the names of the models that an entry expands to."""
    return [_put(name, *values) for values in _values(entry)]


def training_name(model: Model) -> str:
    """Return what a model's training is called: its entry without the step.

    >>> training_name(Model("grpo-1@20", entry="grpo-{seed}@{step}", seed=1, step=20))
    'grpo-1'
    """
    return str(_put(_without(model.entry, STEP), model.seed, None))


def series_name(model: Model) -> str:
    """Return what a model's repeats are called together: its entry without step and seed.

    >>> series_name(Model("grpo-1@20", entry="grpo-{seed}@{step}", seed=1, step=20))
    'grpo'
    """
    return _without(_without(model.entry, STEP), SEED)


def _without(name: str, mark: str) -> str:
    """Return a name without a mark and what parts it from the rest."""
    parts = re.sub(rf"[{re.escape(SEPARATORS)}]*{re.escape(mark)}", "", name)
    return parts.lstrip(SEPARATORS) or "model"


def expand_model(document: Document, name: str, entry: Mapping[str, Any]) -> Iterator[Model]:
    """Yield the model of an entry, or one per seed and step.

    Raises:
        SpecError: `{step}` or `{seed}` is missing where it belongs, or stands where it cannot.
    """
    fields = {key: tuple(v) if isinstance(v, list) else v for key, v in entry.items()}
    path: KeyPath = ("models", name)
    for key, mark in (("steps", STEP), ("seeds", SEED)):
        _check_mark(document, path, fields, key, mark)
    for key in ("steps", "seeds"):
        fields.pop(key, None)
    if "train" in fields:
        fields = _trained(fields, document.data["models"][name])
    for seed, step in _values(entry):
        values = {key: _put(value, seed, step) for key, value in fields.items()}
        if "train" in values:
            values["train"] = _train(values["train"], seed)
        yield Model(_put(name, seed, step), entry=name, step=step, seed=seed, **values)


def _values(entry: Mapping[str, Any]) -> Iterator[tuple[int | None, int | None]]:
    """Yield (seed, step) of each model of an entry, None where it names none."""
    yield from itertools.product(entry.get("seeds", [None]), entry.get("steps", [None]))


def _put(value: Any, seed: int | None, step: int | None) -> Any:
    """Return a text, or texts in a mapping or tuple, with seed and step in their places."""
    if isinstance(value, Mapping):
        return {key: _put(inner, seed, step) for key, inner in value.items()}
    if isinstance(value, tuple):
        return tuple(_put(inner, seed, step) for inner in value)
    if not isinstance(value, str):
        return value
    for mark, number in ((SEED, seed), (STEP, step)):
        if number is not None:
            value = value.replace(mark, str(number))
    return value


def _check_mark(
    document: Document, path: KeyPath, fields: Mapping[str, Any], key: str, mark: str
) -> None:
    """Raise where a list of steps or seeds does not fit the names that should hold its mark."""
    trained = "train" in fields
    source = " ".join(str(fields.get(one, "")) for one in SOURCES)
    holds = (mark in str(path[-1]), trained or mark in source)
    if key in fields and all(holds):
        if trained and mark == STEP and STEP in str(fields["train"]):
            message = "one training has all steps: {step} cannot stand in it"
            raise SpecError(message, where=document.where((*path, "train")))
        return
    if trained and mark == STEP:
        raise SpecError(
            "a trained model needs `steps`, the checkpoints that are kept, and {step} in its name",
            where=document.where(path),
        )
    if key not in fields and mark not in f"{path[-1]}{'' if trained else source}":
        return
    what = "checkpoint series" if mark == STEP else "series of repeats"
    where = "its name" if trained else f"both its name and one of {', '.join(SOURCES)}"
    message = f"a {what} needs `{key}`, and {mark} in {where}"
    raise SpecError(message, where=document.where(path))


def _trained(fields: Mapping[str, Any], written: Mapping[str, Any]) -> dict[str, Any]:
    """Return a trained model's fields with what follows from its method where it is silent."""
    method = METHODS.get(fields["train"]["method"])
    found = {"algorithm": fields["train"]["method"], **fields}
    if method is not None and "role" not in written:
        found["role"] = method.role
    return found


def _train(entry: Mapping[str, Any], seed: int | None) -> Train:
    """Return how a model is trained; the seed of a repeat is its training's."""
    own = ("method", "benchmark", "problems", "prompt", "teacher")
    settings = {key: v for key, v in entry.items() if key not in {*own, "from", "only"}}
    if seed is not None:
        settings.setdefault("seed", seed)
    only = entry.get("only")
    return Train(
        start=entry["from"],
        only=tuple(only) if only else None,
        settings=settings,
        **{key: entry[key] for key in own if key in entry},
    )
