"""What an earlier passk wrote stays of use: cells keep their ids, and files stay readable."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from conftest import REPO, Study

from passk.core.errors import DataError
from passk.core.schemas import Sample, read_rows, read_table, write_rows
from passk.workflow import Plan, build_plan

ROW = Sample("p", 0, 7, "4", [1, 2], 2, "stop", -0.5, 0.25, "abc")


def without(path: Path, column: str) -> Path:
    """The same file as it was before a column existed."""
    pq.write_table(pq.read_table(path).drop_columns([column]), path)
    return path


def test_a_sample_file_without_the_prompts_digest_is_read(tmp_path: Path) -> None:
    write_rows(tmp_path / "s.parquet", [ROW, ROW])
    assert read_rows(tmp_path / "s.parquet", Sample)[0].prompt_digest == "abc"
    old = without(tmp_path / "s.parquet", "prompt_digest")
    assert [row.prompt_digest for row in read_rows(old, Sample)] == ["", ""]
    assert read_table(old, Sample, ["prompt_digest"]).num_rows == 2
    assert read_table(old, Sample, ["prompt_digest", "seed"]).column_names == [
        "prompt_digest",
        "seed",
    ]


def test_a_column_without_a_default_is_still_missed(tmp_path: Path) -> None:
    write_rows(tmp_path / "s.parquet", [ROW])
    with pytest.raises(DataError, match="missing column 'seed'"):
        read_rows(without(tmp_path / "s.parquet", "seed"), Sample)


def test_the_quickstarts_cells_have_the_ids_that_they_always_had(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(REPO)
    assert list(build_plan(Path("specs/quickstart.yaml")).cells) == [
        "smollm2.arithmetic.plain-ebb59ab9",
        "smollm2.arithmetic.sharp-7c3a1bdf",
    ]


def test_stop_tokens_make_a_cell_of_their_own_and_reach_its_task(
    study: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(study.folder)
    before = set(build_plan_of(study).cells)
    study.spec["samplers"]["plain"]["stop_token_ids"] = [151643, 9]
    (cell, *_) = build_plan_of(study).cells.values()
    assert cell.id not in before
    assert cell.fields["stop_token_ids"] == [151643, 9]
    assert study.passk("resolve", study.file, "--cell", cell.id, "-o", "c.json").returncode == 0
    document = json.loads((study.folder / "c.json").read_text())
    assert document["sampling"]["stop_token_ids"] == [151643, 9]


def build_plan_of(study: Study) -> Plan:
    """The plan of a study as its spec stands."""
    study.save()
    return build_plan(Path(study.file))
