"""What a spec says once: `defaults`, `methods`, `steps: discover` and anchors, for each model.

`write_out` turns them into the plain entries that the rest of passk reads. A fault in a value that
came from `defaults` is told at the line where it stands.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

from passk.core.errors import SpecError, did_you_mean
from passk.spec.local_paths import discover_steps
from passk.spec.yaml_lines import Document, KeyPath

METHOD = "{method}"
"""Placeholder of the training method in a model's name (in lower case) and label."""

ANCHOR = "x-"
"""How a top-level key begins that only holds values for YAML anchors."""

GROUPS = {"models": (), "train": ("train",), "samplers": (), "benchmarks": ()}
"""Keys of `defaults`, and where in an entry their values belong."""

SERIES = {"steps": "{step}", "seeds": "{seed}"}
"""Defaults that only models take whose names hold the mark."""

NESTED = ("execution", "train")
"""Keys of a model whose values are taken one by one, not as a whole."""

DRAWN = (
    *("engine", "dtype", "execution", "adapters", "revision"),
    *("api", "chat_template_kwargs", "extra_body", "engine_kwargs"),
)
"""Defaults that say how responses are sampled: an imported model takes none of them."""


def write_out(document: Document) -> Document:
    """Return a spec with `defaults` and `methods` in every entry that they speak of.

    Raises:
        SpecError: `defaults` has an unknown key, or `methods` and `{method}` do not fit.
    """
    data = {key: v for key, v in document.data.items() if not key.startswith(ANCHOR)}
    defaults = data.pop("defaults", {})
    plain = dataclasses.replace(document, data=data, origins={})
    if not isinstance(defaults, dict):
        raise SpecError("should be a mapping", where=document.where(("defaults",)))
    for key, values in defaults.items():
        if key not in GROUPS:
            message = f"unknown key '{key}'; {did_you_mean(key, GROUPS)}"
            raise SpecError(message, where=document.where(("defaults", key)))
        if not isinstance(values, dict):
            raise SpecError("should be a mapping", where=document.where(("defaults", key)))
    if isinstance(data.get("models"), dict):
        data["models"] = dict(_by_method(plain))
    for group, values in defaults.items():
        section = "models" if group == "train" else group
        entries = data.get(section)
        for name, entry in entries.items() if isinstance(entries, dict) else ():
            if isinstance(entry, dict) and (group != "train" or "train" in entry):
                at = (section, name, *GROUPS[group])
                target = entry["train"] if group == "train" else entry
                fitting = _fitting(group, values, name, entry)
                _fill(plain, target, fitting, at, ("defaults", group))
    _label(data.get("models"))
    discover_steps(plain)
    return plain


def _label(models: Any) -> None:
    """Put each trained model's method into its label."""
    for entry in models.values() if isinstance(models, dict) else ():
        if isinstance(entry, dict) and isinstance(entry.get("train"), dict):
            method, label = entry["train"].get("method"), entry.get("label")
            if isinstance(label, str) and isinstance(method, str):
                entry["label"] = label.replace(METHOD, method)


def _fitting(
    group: str, values: Mapping[str, Any], name: str, entry: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the defaults that an entry can take; nothing is its own base."""
    left = {key for key, mark in SERIES.items() if mark not in name}
    if values.get("base") == name:
        left.add("base")
    if group == "models" and "imported" in entry:
        left.update(DRAWN)
    if group == "samplers" and "match_entropy" in entry:
        left.add("temperature")
    return {key: value for key, value in values.items() if key not in left}


def _fill(
    document: Document, entry: Any, values: Mapping[str, Any], path: KeyPath, origin: KeyPath
) -> None:
    """Put defaults into an entry that does not set them, and note where each comes from.

    A key of the entry without a value (`base: null`) takes no default.
    """
    if not isinstance(entry, dict):
        return
    for key, value in values.items():
        if key in entry and entry[key] is None:
            del entry[key]
        elif key in NESTED and isinstance(value, dict) and key in entry:
            _fill(document, entry[key], value, (*path, key), (*origin, key))
        elif key not in entry:
            entry[key] = _copy(value)
            document.origins[*path, key] = (*origin, key)


def _copy(value: Any) -> Any:
    """Return a value whose mappings and lists are its own."""
    if isinstance(value, dict):
        return {key: _copy(inner) for key, inner in value.items()}
    return [_copy(inner) for inner in value] if isinstance(value, list) else value


def _by_method(document: Document) -> Iterator[tuple[str, Any]]:
    """Yield every model entry, one with `methods` once for each of them."""
    for name, entry in document.data["models"].items():
        methods = entry.get("methods") if isinstance(entry, dict) else None
        if methods is None and METHOD not in name:
            yield name, _copy(entry)
            continue
        path: KeyPath = ("models", name)
        _check_methods(document, path, entry, methods)
        for method in methods or ():
            one = name.replace(METHOD, method.lower())
            own = _copy({key: value for key, value in entry.items() if key != "methods"})
            own["train"]["method"] = method
            document.origins["models", one] = path
            yield one, own


def _check_methods(document: Document, path: KeyPath, entry: Any, methods: Any) -> None:
    """Raise where `methods`, `{method}` and `train` do not fit together."""
    if not isinstance(methods, list) or not methods or not all(isinstance(m, str) for m in methods):
        what = "a name with {method} needs `methods`, a list of training methods"
        raise SpecError(what, where=document.where((*path, "methods")))
    if METHOD not in str(path[-1]):
        raise SpecError("`methods` needs {method} in the model's name", where=document.where(path))
    if not isinstance(entry.get("train"), dict) or "method" in entry["train"]:
        what = "`methods` belongs to a model with `train`, which then states no `method`"
        raise SpecError(what, where=document.where(path))
