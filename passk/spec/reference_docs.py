"""The reference of all spec keys (docs/spec.md), made from the schemas."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from passk.spec.loading import shipped_specs
from passk.spec.yaml_lines import resolve

KINDS = {
    "experiment": "Experiments: specs/NAME.yaml",
    "benchmark": "Benchmarks: specs/benchmarks/NAME.yaml",
    "prompt": "Prompts: specs/prompts/NAME.yaml",
}


def reference_page() -> str:
    """Return the page as Markdown."""
    lines = [
        "# Reference of spec keys",
        "",
        "Made from `specs/schema/*.json` by `passk schema`; a test fails when the two differ.",
    ]
    for kind, title in KINDS.items():
        file = shipped_specs() / "schema" / f"{kind}.schema.json"
        schema = json.loads(file.read_text(encoding="utf-8"))
        lines += ["", f"## {title}", "", schema["description"], ""]
        lines += ["| key | type | default | meaning |", "|---|---|---|---|"]
        lines += [f"| {' | '.join(row)} |" for row in _rows(schema, schema, "")]
    return "\n".join(lines) + "\n"


def _rows(
    schema: Mapping[str, Any], root: Mapping[str, Any], prefix: str
) -> Iterator[tuple[str, str, str, str]]:
    """Yield a table row per key, nested ones after the key that holds them."""
    required = schema.get("required", [])
    for key, raw in schema.get("properties", {}).items():
        inner = resolve(raw, root)
        default = "required" if key in required else _default(inner)
        yield f"`{prefix}{key}`", _type(inner, root), default, inner.get("description", "")
        yield from _rows(inner, root, f"{prefix}{key}.")
        named = inner.get("additionalProperties")
        if isinstance(named, Mapping):
            yield from _rows(resolve(named, root), root, f"{prefix}{key}.NAME.")
        if "items" in inner:
            yield from _rows(resolve(inner["items"], root), root, f"{prefix}{key}[].")
        for alternative in inner.get("oneOf", []):
            yield from _rows(alternative, root, f"{prefix}{key}.")


def _default(schema: Mapping[str, Any]) -> str:
    """Return a key's default as it would stand in YAML."""
    return f"`{json.dumps(schema['default'])}`" if "default" in schema else ""


def _type(schema: Mapping[str, Any], root: Mapping[str, Any]) -> str:
    """Return a key's type in words."""
    if "enum" in schema:
        return ", ".join(f"`{value}`" for value in schema["enum"])
    kinds = {"object": "mapping", "array": "list", "string": "text", "integer": "whole number"}
    kind = schema.get("type", "any")
    if isinstance(kind, list):
        return " or ".join(_type({**schema, "type": one}, root) for one in kind)
    if kind == "array" and "items" in schema:
        return f"list of {_type(resolve(schema['items'], root), root)}"
    return str(kinds.get(kind, kind))
