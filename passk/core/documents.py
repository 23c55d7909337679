"""Frozen dataclasses as JSON documents and back, so that each concept is defined once: as a class.

Fields may be plain JSON values, paths, tuples, mappings and other dataclasses.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from passk.core.errors import DataError, did_you_mean

Part = TypeVar("Part")


def to_document(value: object, *, defaults: bool = False) -> Any:
    """Return nested frozen values as plain JSON; fields at their default are left out.

    So a new field with a default changes no document that does not use it. With `defaults`, only
    None is left out.

    >>> from passk.core.schemas import Score
    >>> to_document(Score("p1", 0, n_tokens=2, sum_logprob=-1.0, perplexity=1.6))
    {'problem_id': 'p1', 'sample': 0, 'n_tokens': 2, 'sum_logprob': -1.0, 'perplexity': 1.6}
    """
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        pairs = ((field, getattr(value, field.name)) for field in dataclasses.fields(value))
        return {
            field.name: to_document(item, defaults=defaults)
            for field, item in pairs
            if (item is not None if defaults else item != default(field))
        }
    if isinstance(value, Mapping):
        return {key: to_document(item, defaults=defaults) for key, item in value.items()}
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, Iterable) and not isinstance(value, str):
        return [to_document(item, defaults=defaults) for item in value]
    return value


def from_document(
    kind: type[Part], document: Mapping[str, object], where: str, *, ignore_unknown: bool = False
) -> Part:
    """Return the frozen value that a document describes.

    Args:
        kind: a dataclass; its fields' annotations say what becomes a tuple, a path or a float.
        document: the JSON object.
        where: what an error names.
        ignore_unknown: skip keys that are no field, instead of raising.

    Raises:
        DataError: a field is missing or unknown.
    """
    fields: tuple[dataclasses.Field[Any], ...] = dataclasses.fields(kind)  # type: ignore[arg-type]
    names = {field.name for field in fields}
    for name in () if ignore_unknown else document:
        if name not in names:
            raise DataError(f"unknown field '{name}'; {did_you_mean(name, names)}", where=where)
    values = {}
    for field in fields:
        if field.name in document:
            values[field.name] = _value(str(field.type), document[field.name])
        elif default(field) is dataclasses.MISSING:
            raise DataError(f"missing field '{field.name}'", where=where)
    return kind(**values)


def default(field: dataclasses.Field[Any]) -> Any:
    """Return the default of a field; `MISSING` if it has none."""
    factory = field.default_factory
    return field.default if factory is dataclasses.MISSING else factory()


def _value(kind: str, value: object) -> Any:
    """Return a JSON value as the type that a field is annotated with."""
    if isinstance(value, str) and kind.startswith("Path"):
        return Path(value)
    if isinstance(value, list):
        return tuple(Path(item) if "Path" in kind else item for item in value)
    if isinstance(value, int) and not isinstance(value, bool) and kind.startswith("float"):
        return float(value)
    return value
