"""YAML files with the line of every key, checked against a JSON Schema.

The schema is the single source of what is allowed, of the defaults and of the reference page
(docs/spec.md). A message names file, line and key path, and the nearest valid name.
"""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jsonschema
import yaml

from passk.core.errors import SpecError, did_you_mean
from passk.spec.renamed_keys import find_new_name

KeyPath = tuple[str | int, ...]


class Loader(yaml.SafeLoader):
    """YAML 1.2's numbers: `1e-5` is one, which PyYAML, after YAML 1.1, takes for text."""


Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"[-+]?\d+(?:\.\d*)?[eE][-+]?\d+$"), list("-+0123456789")
)


@dataclass(frozen=True, slots=True)
class Document:
    """A parsed YAML file: its data, and the 1-based line of every key path in it.

    `origins` says of key paths that were written out where their values stand in the file.
    """

    file: Path
    data: Any
    lines: Mapping[KeyPath, int]
    origins: dict[KeyPath, KeyPath] = field(default_factory=dict)

    def origin(self, path: KeyPath) -> KeyPath:
        """Return the position in the file of the value of a key path."""
        for length in range(len(path), 0, -1):
            if path[:length] in self.origins:
                return self.origin((*self.origins[path[:length]], *path[length:]))
        return path

    def where(self, path: KeyPath) -> str:
        """Return `file:line: key.path` for a key path, or for the nearest one above it."""
        path = known = self.origin(path)
        while known and known not in self.lines:
            known = known[:-1]
        return f"{self.file}:{self.lines.get(known, 1)}: {dotted(path)}".rstrip(": ")


def dotted(path: KeyPath) -> str:
    """Return a key path as people write it: `models.qwen.weights`, `perplexity[0].scorer`."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}"
    return text.removeprefix(".")


def read_yaml(file: Path) -> Document:
    """Parse a YAML file.

    Raises:
        SpecError: the file is missing, is not YAML, is empty, or repeats a key.
    """
    try:
        text = file.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise SpecError("no such file", where=str(file), fix="check the path") from error
    except (OSError, UnicodeDecodeError) as error:
        raise SpecError(f"cannot be read: {error}", where=str(file)) from error
    lines: dict[KeyPath, int] = {}
    try:
        loader = Loader(text)
        node = loader.get_single_node()
        data = None if node is None else _build(loader, node, (), lines, file)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        raise SpecError(
            f"is not YAML: {error.problem or error.context}",
            where=f"{file}:{line}",
            fix="check the indentation, colons and quotes on this line and the one above",
        ) from error
    except (yaml.YAMLError, RecursionError) as error:
        raise SpecError(f"is not YAML: {error}", where=str(file)) from error
    if not isinstance(data, dict):
        raise SpecError("holds no mapping of keys to values", where=f"{file}:1")
    return Document(file, data, lines)


def _build(
    loader: Loader,
    node: yaml.Node,
    path: KeyPath,
    lines: dict[KeyPath, int],
    file: Path,
) -> Any:
    """Return the value of a node and note the line of every key below it."""
    lines.setdefault(path, node.start_mark.line + 1)
    if isinstance(node, yaml.MappingNode):
        _refuse_repeats(node, path, file)
        loader.flatten_mapping(node)
        return dict(_pairs(loader, node, path, lines, file))
    if isinstance(node, yaml.SequenceNode):
        return [
            _build(loader, child, (*path, index), lines, file)
            for index, child in enumerate(node.value)
        ]
    return loader.construct_object(node)


def _pairs(
    loader: Loader,
    node: yaml.MappingNode,
    path: KeyPath,
    lines: dict[KeyPath, int],
    file: Path,
) -> Iterator[tuple[str, Any]]:
    """Yield a mapping's items, refusing keys that are not text."""
    for key_node, value_node in node.value:
        key = loader.construct_object(key_node)
        line = key_node.start_mark.line + 1
        if not isinstance(key, str):
            raise SpecError(
                f"the key {key!r} is not text",
                where=f"{file}:{line}: {dotted((*path, str(key)))}",
                fix=f"quote it: '{key}'",
            )
        lines[*path, key] = line
        yield key, _build(loader, value_node, (*path, key), lines, file)


def _refuse_repeats(node: yaml.MappingNode, path: KeyPath, file: Path) -> None:
    """Raise if a key occurs twice: YAML would silently keep the last one."""
    seen: dict[str, int] = {}
    for key_node, _ in node.value:
        key, line = str(key_node.value), key_node.start_mark.line + 1
        if key in seen:
            raise SpecError(
                f"the key occurs twice, first on line {seen[key]}",
                where=f"{file}:{line}: {dotted((*path, key))}",
                fix="remove or rename one of the two",
            )
        seen[key] = line


def load_checked(
    file: Path, schema_file: Path, prepare: Callable[[Document], Document] | None = None
) -> tuple[Document, dict[str, Any]]:
    """Read a YAML file, check it against a schema, and return it with its defaults filled in.

    `prepare` changes the file's data before it is checked.

    Raises:
        SpecError: one message with every fault, each with file, line and key path.
    """
    document = read_yaml(file)
    if prepare is not None:
        document = prepare(document)
    schema = json.loads(schema_file.read_text(encoding="utf-8"))
    errors = sorted(
        jsonschema.Draft202012Validator(schema).iter_errors(document.data),
        key=lambda error: document.lines.get(document.origin(tuple(error.absolute_path)), 0),
    )
    faults = [fault for error in errors for fault in _faults(document, error)]
    if faults:
        raise SpecError("\n".join(dict.fromkeys(faults)))
    return document, fill_defaults(document.data, schema, schema)


def _faults(document: Document, error: Any) -> Iterator[str]:
    """Yield one line per fault that a schema error reports."""
    path: KeyPath = tuple(error.absolute_path)
    if error.validator == "additionalProperties":
        known = error.schema.get("properties", {})
        for key in error.instance:
            if key not in known:
                new = find_new_name((*path, key))
                hint = f"its name is now `{new}`" if new else did_you_mean(key, known)
                yield f"{document.where((*path, key))}: unknown key '{key}'; {hint}"
    elif error.validator == "required":
        for key in error.validator_value:
            if key not in error.instance:
                yield f"{document.where(path)}: the key '{key}' is missing"
    elif error.validator in {"oneOf", "anyOf"}:
        yield from _one_of(document, error)
    else:
        yield f"{document.where(path)}: {_explain(error)}"


def _one_of(document: Document, error: Any) -> Iterator[str]:
    """Yield the faults of the alternative whose first key is there; else name the choices."""
    alternatives = [one for one in error.validator_value if "properties" not in one]
    for index, alternative in enumerate(alternatives):
        if alternative["required"][0] in error.instance:
            for inner in error.context or ():
                if inner.relative_schema_path[0] == index:
                    yield from _faults(document, inner)
            return
    choices = ", ".join(f"'{alternative['required'][0]}'" for alternative in alternatives)
    yield f"{document.where(tuple(error.absolute_path))}: needs one of the keys {choices}"


def _explain(error: Any) -> str:
    """Say in words what a value should have been."""
    value = json.dumps(error.instance, ensure_ascii=False, default=str)
    shown = textwrap.shorten(value, 60, placeholder="...")
    if error.schema.get("writeOnly"):  # a key may have been written there by mistake
        shown = "this value"
    kinds = {"object": "a mapping", "array": "a list", "string": "text"}
    wanted = error.validator_value
    match error.validator:
        case "type":
            article = "an" if wanted == "integer" else "a"
            reason = f"should be {kinds.get(wanted, f'{article} {wanted}')}"
        case "enum":
            reason = f"is not known; {did_you_mean(str(error.instance), map(str, wanted))}"
        case "minimum":
            reason = f"is too small: at least {wanted}"
        case "exclusiveMinimum":
            reason = f"is too small: more than {wanted}"
        case "maximum":
            reason = f"is too large: at most {wanted}"
        case "uniqueItems":
            reason = "names something twice"
        case "pattern":
            reason = f"has a form that is not allowed. {error.schema.get('description', '')}"
        case "minProperties" | "minItems" | "minLength":
            reason = "is empty"
        case _:
            return str(error.message)
    return f"{shown} {reason}"


def resolve(schema: Mapping[str, Any], root: Mapping[str, Any]) -> Mapping[str, Any]:
    """Follow a local `$ref` (`#/$defs/x`); keys beside it win."""
    reference = schema.get("$ref")
    if reference is None:
        return schema
    target: Any = root
    for part in reference.removeprefix("#/").split("/"):
        target = target[part]
    return {**target, **{key: value for key, value in schema.items() if key != "$ref"}}


def fill_defaults(data: Any, schema: Mapping[str, Any], root: Mapping[str, Any]) -> Any:
    """Return `data` with the schema's defaults where it is silent."""
    schema = resolve(schema, root)
    if isinstance(data, dict):
        properties = schema.get("properties", {})
        rest = schema.get("additionalProperties")
        filled = {
            key: fill_defaults(value, properties.get(key, rest or {}), root)
            for key, value in data.items()
        }
        for key, property_schema in properties.items():
            inner = resolve(property_schema, root)
            if key not in filled and "default" in inner:
                filled[key] = inner["default"]
        return filled
    if isinstance(data, list) and "items" in schema:
        return [fill_defaults(item, schema["items"], root) for item in data]
    return data
