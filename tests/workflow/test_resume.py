"""A job killed at any moment loses nothing that was finished, and the next run draws the rest."""

from __future__ import annotations

import json
import os
import random
import signal
import time
from pathlib import Path

import pytest
from conftest import REPO, Study
from hypothesis import example, given, settings
from hypothesis import strategies as st
from kills import finished_lines, ready_to_sample

from passk.core.journal import Journal, finished_rows, journal_path
from passk.core.schemas import Sample, read_rows
from passk.stages.reuse import response_seed

COMMAND = ("passk", "sample", "--problems", "p.parquet", "--samples", "0-64", "-o", "s.parquet")


def row(index: int, text: str = "4") -> Sample:
    """A response."""
    return Sample("p", index, index, text, [1, 2], 2, "stop", -0.5, 0.25)


KILLS = int(os.environ.get("PASSK_TEST_KILLS", "5"))


def test_kills_lose_no_finished_row(study: Study) -> None:
    _, cell = ready_to_sample(study, rates=[0.5] * 4, seconds=0.001)
    undisturbed = study.run(*COMMAND[:-1], "whole.parquet", "--cell", cell)
    assert undisturbed.returncode == 0, undisturbed.stderr
    expected = read_rows(study.folder / "whole.parquet", Sample)
    output = study.folder / "s.parquet"
    moments = random.Random(0)
    for _ in range(KILLS):
        output.unlink(missing_ok=True)
        process = study.start(*COMMAND, "--cell", cell)
        study.wait_for("s.journal.jsonl")
        time.sleep(moments.uniform(0, 0.3))
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        before = finished_lines(output)
        again = study.run(*COMMAND, "--cell", cell)
        assert again.returncode == 0, again.stderr
        rows = read_rows(output, Sample)
        assert rows == expected
        kept = {(row.problem_id, row.sample): row for row in rows}
        assert all(kept[row.problem_id, row.sample] == row for row in before)
        assert not journal_path(output).exists()


@settings(max_examples=60, deadline=None)
@given(cut=st.integers(min_value=0, max_value=2000))
@example(cut=len('{"journal":"key"}'))
def test_a_journal_cut_at_any_byte_keeps_every_whole_row(
    tmp_path_factory: pytest.TempPathFactory, cut: int
) -> None:
    output = tmp_path_factory.mktemp("journal") / "x.parquet"
    with Journal(output, "key", Sample) as journal:
        for index in range(8):
            journal.append(row(index, "é\n\x00"))
    path = journal_path(output)
    whole = path.read_bytes()
    path.write_bytes(whole[:cut])
    with Journal(output, "key", Sample) as journal:
        survived = len(journal.rows)
        assert survived == max(0, whole[:cut].count(b"\n") - 1)
        assert all(journal.rows["p", index] == row(index, "é\n\x00") for index in range(survived))
        for index in range(survived, 8):
            journal.append(row(index, "é\n\x00"))
    assert path.read_bytes() == whole
    assert finished_rows(output) == 8


def test_rows_of_another_manifest_are_not_taken_over(tmp_path: Path) -> None:
    with Journal(tmp_path / "x.parquet", "old", Sample) as journal:
        journal.append(row(0))
    with Journal(tmp_path / "x.parquet", "new", Sample) as journal:
        assert journal.rows == {}


def test_a_line_damaged_in_the_middle_is_drawn_again_with_what_follows(tmp_path: Path) -> None:
    output = tmp_path / "x.parquet"
    with Journal(output, "key", Sample) as journal:
        for index in range(3):
            journal.append(row(index))
    path = journal_path(output)
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(lines[0] + lines[1] + b"{garbage}\n" + lines[3])
    with Journal(output, "key", Sample) as journal:
        assert set(journal.rows) == {("p", 0)}


def test_killed_workflow_goes_on_where_it_was(study: Study) -> None:
    study.set_rates("base.jsonl", [0.5] * 4, seconds=0.05)
    study.save()
    snakefile = str(REPO / "Snakefile")
    command = ["snakemake", "-c1", "-s", snakefile, "--configfile", study.file]
    process = study.start(*command)
    study.wait_for("outputs/store/cells/base*/samples/*.journal.jsonl")
    time.sleep(0.3)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    journal = next((study.folder / "outputs").glob("store/cells/base*/samples/*.journal.jsonl"))
    finished = [json.loads(line) for line in journal.read_text().splitlines()[1:-1]]
    preview = json.loads(study.passk("plan", study.file, "--json").stdout)
    cell = next(cell for cell in preview["cells"] if cell["id"].startswith("base."))
    assert cell["responses_journaled"] >= len(finished)
    assert cell["responses_left"] == cell["responses"] - cell["responses_journaled"]
    assert study.run(*command, "--unlock").returncode == 0
    assert study.snakemake("--until", "draw_samples")["draw_samples"] >= 1
    rows = read_rows(journal.with_name(journal.name.replace(".journal.jsonl", ".parquet")), Sample)
    drawn = {(row.problem_id, row.sample): row.text for row in rows}
    assert len(rows) == len(drawn)
    assert all(drawn[line["problem_id"], line["sample"]] == line["text"] for line in finished)


def test_seeds_of_one_problem_never_repeat_and_problems_differ() -> None:
    seeds = {response_seed("cell", f"p{i}", sample) for i in range(50) for sample in range(1024)}
    assert len(seeds) == 50 * 1024
    assert all(0 <= seed < 2**63 for seed in seeds)
    assert response_seed("cell", "p", 8) == response_seed("cell", "p", 7) + 1
