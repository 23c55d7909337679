"""Columns of every table: `tables.yaml` says what they mean, and of which type they are."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa

TYPES: Mapping[str, pa.DataType] = {
    "text": pa.string(),
    "whole": pa.int64(),
    "number": pa.float64(),
    "truth": pa.bool_(),
}


@dataclass(frozen=True, slots=True)
class Column:
    """A column: its name, `text`, `whole`, `number` or `truth`, and what it holds."""

    name: str
    kind: str
    meaning: str


@dataclass(frozen=True, slots=True)
class TableSchema:
    """A table: what a row is, and its columns in order."""

    row: str
    columns: tuple[Column, ...]

    @property
    def names(self) -> list[str]:
        """Names of the columns in order."""
        return [column.name for column in self.columns]

    def arrow(self) -> pa.Schema:
        """Return the types of the columns, which an empty table has, too."""
        return pa.schema([(column.name, TYPES[column.kind]) for column in self.columns])


@functools.cache
def table_schemas() -> Mapping[str, TableSchema]:
    """Return the schema of every table by name."""
    import yaml  # `passk compare` needs no schema

    raw = yaml.safe_load(Path(__file__).with_name("tables.yaml").read_text(encoding="utf-8"))
    return {
        name: TableSchema(table["row"], tuple(_columns(table, raw)))
        for name, table in raw["tables"].items()
    }


def make_table(name: str, rows: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    """Return rows as a table with its columns in their order, also where there are no rows.

    Raises:
        KeyError: no row has one of the columns.
    """
    names, table = table_schemas()[name].names, pd.DataFrame([dict(row) for row in rows])
    return pd.DataFrame(columns=names) if table.empty else table[names]


def _columns(table: Mapping[str, Any], raw: Mapping[str, Any]) -> Iterator[Column]:
    """Yield the columns of a table; `name*` is one with all endings of a mean over seeds."""
    known = raw["columns"] | table.get("own", {})
    for word in table["columns"].split():
        name = word.removesuffix("*")
        if name in known:
            kind, _, meaning = known[name].partition("; ")
            yield Column(name, kind, meaning)
        endings = [end for end in raw["endings"] if name.endswith(end)] if name == word else []
        if endings and name not in known:
            end = max(endings, key=len)
            yield Column(name, "number", f"{raw['endings'][end]} of `{name.removesuffix(end)}`")
        if name != word:
            for end in ("_min", "_max", "_low", "_high", "_method_low", "_method_high"):
                yield Column(f"{name}{end}", "number", f"{raw['endings'][end]} of `{name}`")
