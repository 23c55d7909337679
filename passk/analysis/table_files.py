"""Tables as files: CSV and Parquet, all together or none."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

import pandas as pd
import pyarrow as pa

from passk.analysis.table_schemas import TableSchema
from passk.core.artifacts import output_error

DECIMALS = 13
"""Decimals of every number: finer than any error that matters, coarser than summation order."""


def write_tables(
    tables: Mapping[str, pd.DataFrame],
    output: Path,
    schemas: Mapping[str, TableSchema] | None = None,
) -> None:
    """Write all tables as CSV and Parquet: all into a temporary folder first, then moved.

    Args:
        tables: by name.
        output: folder for `NAME.csv` and `NAME.parquet`.
        schemas: order and types of their columns.
    """
    try:
        output.mkdir(parents=True, exist_ok=True)
        for left in output.glob(".tables-*"):  # by a run that was killed
            shutil.rmtree(left)
        with tempfile.TemporaryDirectory(dir=output, prefix=".tables-") as folder:
            for name, table in tables.items():
                schema = schemas[name].arrow() if schemas else None
                _write_one(table.round(DECIMALS), Path(folder) / name, schema)
            for path in sorted(Path(folder).iterdir()):
                path.replace(output / path.name)
    except OSError as error:
        raise output_error(error, output) from error


def _write_one(table: pd.DataFrame, stem: Path, schema: pa.Schema | None) -> None:
    """Write one table as CSV and as Parquet."""
    text = table
    if schema is not None:
        text = table = table[schema.names]
        whole = [column.name for column in schema if column.type == pa.int64()]
        text = table.astype(dict.fromkeys(whole, "Int64"))  # a 12 stays 12 beside missing values
    text.to_csv(stem.with_suffix(".csv"), index=False, lineterminator="\n")
    table.to_parquet(stem.with_suffix(".parquet"), index=False, compression="zstd", schema=schema)
