"""Jobs that make several files with weights that load once, and what a kill leaves of them."""

from __future__ import annotations

import fcntl
import json
import os
import re
import signal
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from conftest import REPO, Study
from kills import ready_to_sample

from passk.core import registry
from passk.core.errors import EngineError
from passk.core.journal import Journal, finished_rows, journal_path
from passk.core.schemas import Sample, read_rows
from passk.engines.base import Request, Sampling
from passk.engines.fake import FakeEngine
from passk.stages.sample import sample

SHARDS = ("0-4", "4-8")
FILES = ("a.parquet", "b.parquet")


def draw(study: Study, cell: str, *files: str) -> tuple[int, str]:
    """Draw two shards in one job; its status and messages."""
    done = study.passk(
        *("sample", "--cell", cell, "--problems", "p.parquet", "--samples", *SHARDS, "-o", *files)
    )
    return done.returncode, done.stderr


def manifest(study: Study, name: str) -> dict[str, object]:
    """The manifest beside a file."""
    path = (study.folder / name).with_suffix(".manifest.json")
    found: dict[str, object] = json.loads(path.read_text())
    return found


def test_one_job_draws_what_two_draw_and_loads_once(study: Study) -> None:
    _, cell = ready_to_sample(study, rates=[0.5] * 4)
    assert draw(study, cell, *FILES)[0] == 0
    for shard, file in zip(SHARDS, FILES, strict=True):
        alone = study.passk(
            *("sample", "--cell", cell, "--problems", "p.parquet", "--samples", shard),
            *("-o", "alone.parquet"),
        )
        assert alone.returncode == 0, alone.stderr
        rows = read_rows(study.folder / file, Sample)
        assert rows == read_rows(study.folder / "alone.parquet", Sample)
        assert not journal_path(study.folder / file).exists()
    assert manifest(study, "a.parquet")["load_seconds"] != 0
    assert manifest(study, "b.parquet")["load_seconds"] == 0


def test_a_shard_that_stood_when_the_job_failed_is_not_drawn_again(study: Study) -> None:
    _, cell = ready_to_sample(study, rates=[0.5] * 4)
    held = journal_path(study.folder / "b.parquet")
    with held.open("ab") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        status, message = draw(study, cell, *FILES)
    assert status != 0
    assert "another process is writing this output" in message
    kept = read_rows(study.folder / "a.parquet", Sample)
    (study.folder / "a.parquet").unlink()  # as Snakemake does with outputs of a failed job
    assert finished_rows(study.folder / "a.parquet") == 16
    assert draw(study, cell, *FILES)[0] == 0
    assert read_rows(study.folder / "a.parquet", Sample) == kept
    assert manifest(study, "a.parquet")["resumed"] == 16
    assert manifest(study, "a.parquet")["vocabulary"] == "bytes"
    assert "drawn_responses" not in manifest(study, "a.parquet")
    assert manifest(study, "b.parquet")["drawn_responses"] == 16


def test_options_that_belong_together_must_be_as_many(study: Study) -> None:
    _, cell = ready_to_sample(study, rates=[0.5] * 4)
    status, message = draw(study, cell, "a.parquet")
    assert status != 0
    assert "1 of --output, 2 of --samples" in message


def test_runs_of_shards_are_drawn_killed_counted_and_gone_on_with(study: Study) -> None:
    study.set_rates("base.jsonl", [0.5] * 4, seconds=0.02)
    study.spec["jobs"] = {"shards": 2}
    study.save()
    snakefile = str(REPO / "Snakefile")
    command = ["snakemake", "-c1", "-s", snakefile, "--configfile", study.file]
    process = study.start(*command)
    study.wait_for("outputs/store/cells/base*/samples/000000-000004.parquet")
    study.wait_for("outputs/store/cells/base*/samples/000004-000008.journal.jsonl")
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    (first,) = (study.folder / "outputs").glob("store/cells/base*/samples/000000-000004.parquet")
    whole = first.read_bytes()
    second = first.with_name("000004-000008.parquet")
    left = 0 if second.is_file() else 16 - finished_rows(second)
    preview = json.loads(study.passk("plan", study.file, "--json").stdout)
    cell = next(cell for cell in preview["cells"] if cell["id"].startswith("base."))
    assert cell["responses_left"] == left
    assert study.run(*command, "--unlock").returncode == 0
    rows = read_rows(first, Sample)
    study.snakemake()
    assert read_rows(first, Sample) == rows
    assert first.read_bytes() == whole or "drawn_responses" not in manifest(study, str(first))
    assert not journal_path(second).exists()
    study.spec["jobs"] = {"shards": 1, "scores": 1}
    assert study.snakemake() == Counter()


def test_new_shards_alone_are_drawn_where_some_of_a_run_stand(finished: Study) -> None:
    finished.spec["jobs"] = {"shards": 8}
    finished.spec["benchmarks"]["sums"]["n"] = 16
    jobs = finished.snakemake("--dry-run")
    assert (jobs["draw_samples"], jobs["verify_responses"]) == (2, 4)


def test_options_that_name_a_rule_hold_for_its_batches(study: Study) -> None:
    study.spec["jobs"] = {"shards": 2}
    assert study.snakemake("--dry-run", "--omit-from", "draw_samples")["draw_samples"] == 0
    command = ("snakemake", "-c2", "-s", str(REPO / "Snakefile"), "--configfile", study.file)
    asked = ("--set-resources", "draw_samples:mem_mb=77", "--set-threads", "draw_samples=2")
    done = study.run(*command, "--until", "draw_samples", *asked)
    assert done.returncode == 0, done.stderr
    jobs = re.findall(
        r"^(?:local)?rule draw_samples__.*\n(?:    .*\n)+", done.stderr, flags=re.MULTILINE
    )
    assert len(jobs) == 2
    assert all("threads: 2" in job and "mem_mb=77" in job for job in jobs)
    assert len(list(study.folder.glob("outputs/store/cells/*/samples/*.parquet"))) == 4
    assert not list(study.folder.glob("outputs/store/cells/*/verdicts"))


class Failing(FakeEngine):
    """Yields five responses, and then fails in the way that the test sets."""

    error: Exception = EngineError("the server cannot be reached")

    def sample(self, requests: Sequence[Request], sampling: Sampling) -> Iterator[Sample]:
        """Yield five responses and raise."""
        for number, row in enumerate(super().sample(requests, sampling)):
            if number == 5:
                raise self.error
            yield row


@pytest.mark.parametrize("error", [EngineError("no memory"), MemoryError(), RuntimeError("gone")])
def test_whatever_ends_an_engine_its_finished_rows_stay(
    study: Study, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    _, cell = ready_to_sample(study, rates=[0.5] * 4)
    monkeypatch.chdir(study.folder)
    monkeypatch.setattr(Failing, "error", error)
    monkeypatch.setitem(registry.ENGINES, "fake", f"{__name__}:Failing")
    output = Path("s.parquet")
    with pytest.raises(type(error)):
        sample(Path(cell), Path("p.parquet"), [(output, range(4))])
    assert not output.exists()
    assert finished_rows(output) == 5
    monkeypatch.setitem(registry.ENGINES, "fake", "passk.engines.fake:FakeEngine")
    sample(Path(cell), Path("p.parquet"), [(output, range(4))])
    rows = read_rows(output, Sample)
    assert len({(row.problem_id, row.sample) for row in rows}) == len(rows) == 16
    assert manifest(study, "s.parquet")["resumed"] == 5


def test_the_journal_of_a_shard_belongs_to_its_cell_and_indices(tmp_path: Path) -> None:
    output = tmp_path / "x.parquet"
    with Journal(output, "one", Sample) as journal:
        journal.append(Sample("p", 0, 0, "4", [1], 1, "stop", -1.0, 0.0))
    assert finished_rows(output) == 1
    assert finished_rows(output, "one") == 1
    assert finished_rows(output, "other") == 0
