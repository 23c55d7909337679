"""Every table has the columns and types that docs/tables.md lists, also without rows."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from conftest import REPO, Study

from passk.analysis.study import REVIEWED, TABLES, read_plan
from passk.analysis.table_files import write_tables
from passk.analysis.table_schemas import make_table, table_schemas
from passk.analysis.tables import build


def test_every_table_has_the_columns_of_the_docs(finished_once: Study) -> None:
    folder = finished_once.folder / "outputs/study"
    empty = []
    for name in TABLES:
        table = pq.read_table(folder / f"tables/{name}.parquet")
        assert table.schema.remove_metadata() == table_schemas()[name].arrow(), name
        csv = pd.read_csv(folder / f"tables/{name}.csv")
        assert list(csv.columns) == table.schema.names
        empty += [name] if table.num_rows == 0 else []
    assert {"training", "series", "agreement"} <= set(empty)
    frame = pd.read_parquet(folder / "tables/training.parquet")
    assert frame["reward"].dtype == "float64"
    assert frame["step"].dtype == "int64"


def test_no_column_is_left_out(finished_once: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(finished_once.folder)
    built = build(read_plan(Path("outputs/study/plan.json")))
    assert {name: list(table) for name, table in built.items()} == {
        name: table_schemas()[name].names for name in TABLES
    }
    assert set(table_schemas()) == {*TABLES, *REVIEWED}
    with pytest.raises(KeyError, match="p_holm"):
        make_table("tests", [{"model": "a"}])


def test_what_a_killed_run_has_left_is_removed(tmp_path: Path) -> None:
    (tmp_path / ".tables-a" / "b").mkdir(parents=True)
    write_tables({"c": pd.DataFrame({"d": [1]})}, tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["c.csv", "c.parquet"]


def test_all_tables_of_a_benchmark_say_model_and_benchmark() -> None:
    for name, table in table_schemas().items():
        if name not in ("reviewed_agreement", "judge_agreement"):  # of all benchmarks
            assert {"model", "benchmark"} <= set(table.arrow().names), name
        assert all(column.meaning for column in table.columns)
        assert pa.null() not in table.arrow().types
        assert not [column for column in table.names if "seconds" in column], "differs between runs"


def test_the_page_is_current() -> None:
    command = [sys.executable, "docs/make_tables.py"]
    page = subprocess.run(command, cwd=REPO, capture_output=True, text=True, check=True).stdout
    assert page == (REPO / "docs/tables.md").read_text(), (
        "python docs/make_tables.py > docs/tables.md"
    )
