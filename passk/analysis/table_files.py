"""Tables as files: CSV and Parquet, all together or none."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pandas as pd

from passk.core.artifacts import output_error

DECIMALS = 13
"""Decimals of every number: finer than any error that matters, coarser than summation order."""


def write_tables(tables: dict[str, pd.DataFrame], output: Path) -> None:
    """Write all tables as CSV and Parquet: all into a temporary folder first, then moved."""
    try:
        output.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=output, prefix=".tables-") as folder:
            for name, table in tables.items():
                _write_one(table.round(DECIMALS), Path(folder) / name)
            for path in sorted(Path(folder).iterdir()):
                path.replace(output / path.name)
    except OSError as error:
        raise output_error(error, output) from error


def _write_one(table: pd.DataFrame, stem: Path) -> None:
    """Write one table as CSV and as Parquet."""
    table.to_csv(stem.with_suffix(".csv"), index=False, lineterminator="\n")
    table.to_parquet(stem.with_suffix(".parquet"), index=False, compression="zstd")
