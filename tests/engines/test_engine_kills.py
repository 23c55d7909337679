"""SIGKILL at random moments, with the transformers engine: nothing finished is lost."""

from __future__ import annotations

import multiprocessing
import os
import random
import time

import pytest
from conftest import Study
from kills import (
    PRELOADED,
    RESPONSES,
    check_finished,
    finished_lines,
    missing,
    shard_of,
    wait_for_rows,
)

pytest.importorskip("passk.engines.transformers")
pytest.importorskip("torch")

from tiny_models import save_tiny

from passk.core.schemas import Sample
from passk.stages.sample import sample

KILLS = int(os.environ.get("PASSK_TEST_KILLS", "6"))


def test_kills_lose_no_finished_row(study: Study) -> None:
    save_tiny(study.folder / "tiny")
    execution = {"batch_size": 4}
    weights = str(study.folder / "tiny")
    model = {"weights": weights, "engine": "transformers", "execution": execution}
    files = shard_of(study, **model, dtype="float32")
    moments, kept, moved = random.Random(0), list[Sample](), 0
    processes = multiprocessing.get_context("forkserver")  # imports torch once, not at every kill
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
