"""SIGKILL at random moments, with the transformers engine: nothing finished is lost."""

from __future__ import annotations

import json
import multiprocessing
import random
import re
import time
from pathlib import Path
from typing import Any

import pytest
from conftest import Study
from kills import PRELOADED
from test_resume import finished_lines

pytest.importorskip("passk.engines.transformers")
pytest.importorskip("torch")

from tiny_models import save_tiny

from passk.journal import journal_path
from passk.plan.cells import shard_name
from passk.records import Sample, read_rows
from passk.sample import sample

KILLS, RESPONSES = 20, 4 * 40


def shard_of(study: Study, count: int = 40, tokens: int = 24, **model: Any) -> list[Path]:
    """Prepare one shard of responses to 4 problems; return its cell, problems and output."""
    study.spec |= {"models": {"base": model}, "perplexity": [], "shard": count, "k": [1]}
    study.spec["benchmarks"] = {"sums": {"n": count}}
    study.spec["samplers"] = {"plain": {"temperature": 1.0, "max_tokens": tokens}}
    study.save()
    problems = study.folder / "p.parquet"
    study.passk("problems", "benchmarks/sums.yaml", "-o", str(problems))
    known = study.passk("resolve", study.file, "--cell", "base", "-o", "c.json").stderr
    found = re.search(r"base\.sums\.plain-[0-9a-f]{8}", known)
    assert found is not None, known
    folder = study.folder / "outputs" / "store" / "cells" / found.group()
    study.passk("resolve", study.file, "--cell", found.group(), "-o", str(folder / "cell.json"))
    return [folder / "cell.json", problems, folder / "samples" / f"{shard_name(0, count)}.parquet"]


def missing(study: Study) -> int:
    """How many responses the plan says are missing."""
    preview = json.loads(study.passk("plan", study.file, "--json").stdout)
    (cell,) = preview["cells"]
    assert cell["responses"] == RESPONSES
    return int(cell["responses_left"])


def check_finished(output: Path, kept: list[Sample]) -> None:
    """Each response is there once, and what was finished before is as it was, byte for byte."""
    rows = read_rows(output, Sample)
    assert len({(row.problem_id, row.sample) for row in rows}) == len(rows) == RESPONSES
    assert {repr(row) for row in kept} <= {repr(row) for row in rows}
    assert not journal_path(output).exists()


def test_twenty_kills_lose_no_finished_row(study: Study) -> None:
    save_tiny(study.folder / "tiny")
    execution = {"batch_size": 4}
    weights = str(study.folder / "tiny")
    model = {"weights": weights, "engine": "transformers", "execution": execution}
    files = shard_of(study, **model, dtype="float32")
    moments, kept, moved = random.Random(0), list[Sample](), 0
    processes = multiprocessing.get_context("forkserver")  # imports torch once, not twenty times
    processes.set_forkserver_preload(PRELOADED)
    shards = [(files[2], range(40))]
    assert missing(study) == RESPONSES
    for kill in range(KILLS):
        process = processes.Process(target=sample, args=(*files[:2], shards), kwargs={"threads": 1})
        process.start()
        wait_for_rows(files[2], len(kept) + moments.randrange(1, 6))
        time.sleep(moments.uniform(0, 0.01))
        process.kill()
        process.join()
        process.close()
        before, kept = kept, finished_lines(files[2])
        assert repr(kept[: len(before)]) == repr(before)
        assert not files[2].exists()
        moved += len(kept) > len(before)
        if kill % 5 == 0:
            assert missing(study) == RESPONSES - len(kept)
    assert moved >= KILLS // 2
    assert len(kept) < RESPONSES
    last = processes.Process(target=sample, args=(*files[:2], shards))
    last.start()
    last.join()
    assert last.exitcode == 0
    check_finished(files[2], kept)
    assert missing(study) == 0


def wait_for_rows(output: Path, count: int) -> None:
    """Wait until a journal holds so many rows."""
    end = time.monotonic() + 600
    while len(finished_lines(output)) < count:
        assert time.monotonic() < end
        time.sleep(0.002)
