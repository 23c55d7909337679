"""Runs that are killed or edited at random moments end in the tables of a straight run."""

from __future__ import annotations

import copy
import logging
import os
import random
import shutil
import signal
from collections import Counter
from pathlib import Path

import pytest
from conftest import REPO, Study, make_study
from kills import at_random_moment, begin, finished_twice, kill, run_killed, seeded, tables
from tiny_models import save_tiny
from trained_study import trained_study

LARGE = bool(os.environ.get("PASSK_TEST_LARGE"))
KILLS, TRAINING_KILLS, EDITS = (70, 30, 20) if LARGE else (1, 0, 2)
STUDY_KILLS, STUDY_EDITS = 10, 4
"""At most so many of one study."""

log = logging.getLogger(__name__)


@pytest.fixture
def note(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where every finished row is noted."""
    path = os.pathsep.join([str(REPO / "tests/opened"), os.environ.get("PYTHONPATH", "")])
    monkeypatch.setenv("PYTHONPATH", path.rstrip(os.pathsep))
    monkeypatch.setenv("PASSK_FINISHED", str(tmp_path / "finished"))
    return tmp_path / "finished"


def test_killed_runs_end_in_the_tables_of_a_straight_run(
    finished_once: Study, tmp_path: Path, note: Path
) -> None:
    draw, killed = seeded(), Counter[str]()
    while killed["runs"] < KILLS:
        shutil.rmtree(tmp_path / "study", ignore_errors=True)
        (tmp_path / "study").mkdir()
        note.unlink(missing_ok=True)
        study = make_study(tmp_path / "study")
        study.spec["figures"] = ["curves"]
        killed += run_killed(study, draw, 6, 0.8, most=min(STUDY_KILLS, KILLS - killed["runs"]))
        assert tables(study) == tables(finished_once)
        assert not finished_twice(note)
        log.info("killed %s", dict(killed))


@pytest.mark.skipif(not TRAINING_KILLS, reason="PASSK_TEST_LARGE=1")
def test_killed_trainings_end_in_the_tables_of_a_straight_run(tmp_path: Path) -> None:
    draw, killed = seeded(), Counter[str]()
    (tmp_path / "whole").mkdir()
    whole = trained_study(tmp_path / "whole")
    save_tiny(whole.folder / "tiny")
    whole.spec["figures"] = ["curves"]
    shutil.copytree(whole.folder, tmp_path / "fresh")
    whole.snakemake()
    while killed["runs"] < TRAINING_KILLS:
        shutil.rmtree(tmp_path / "study", ignore_errors=True)
        shutil.copytree(tmp_path / "fresh", tmp_path / "study")
        study = Study(tmp_path / "study", copy.deepcopy(whole.spec))
        most = min(STUDY_KILLS, TRAINING_KILLS - killed["runs"])
        killed += run_killed(study, draw, 3, 10.0, most=most)
        assert tables(study) == tables(whole)
        log.info("killed %s", dict(killed))


def test_edits_of_execution_at_any_moment_end_in_the_report(
    finished_once: Study, tmp_path: Path, note: Path
) -> None:
    draw, edits = seeded(), 0
    while edits < EDITS:
        shutil.rmtree(tmp_path / "study", ignore_errors=True)
        (tmp_path / "study").mkdir()
        note.unlink(missing_ok=True)
        study = make_study(tmp_path / "study")
        study.spec["figures"] = ["curves"]
        for _ in range(min(STUDY_EDITS, EDITS - edits)):
            process = begin(study)
            if at_random_moment(process, draw, 8, 0.8):
                edit_execution(study, draw)
                edits += 1
                if draw.random() < 0.7:
                    kill(process, draw.choice([signal.SIGKILL, signal.SIGINT]))
            if process.wait() == 0:
                break
        study.snakemake()
        assert (study.folder / "outputs/study/report.html").is_file()
        assert tables(study) == tables(finished_once)
        assert not finished_twice(note)
        log.info("%d edits", edits)


def edit_execution(study: Study, draw: random.Random) -> None:
    """Change what a random model costs, which decides nothing."""
    model = study.spec["models"][draw.choice(["base", "tuned"])]
    model["execution"] = {"batch_size": draw.randrange(1, 9)}
    study.save()
