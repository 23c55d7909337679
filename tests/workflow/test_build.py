"""What must be made after an edit or a loss, by the plan alone: no Snakemake is started."""

from __future__ import annotations

import contextlib
import json
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from conftest import Study, write_jsonl

from passk.workflow import build_plan
from passk.workflow.check import check_study
from passk.workflow.files import Build
from passk.workflow.snakemake.startup import prepare_files

NOTHING: Counter[str] = Counter()
REPORT = Counter(write_report=1)
FIGURES = REPORT + Counter(draw_figures=1)
TABLES = FIGURES + Counter(aggregate_tables=1)
ANALYSIS = TABLES + Counter(resolve_experiment=1)


@contextmanager
def build_of(study: Study) -> Iterator[Build]:
    """What must be made, in the study's folder."""
    study.save()
    with contextlib.chdir(study.folder):
        yield Build(build_plan(Path(study.file)))


def pending(study: Study) -> Counter[str]:
    """How often each rule would run."""
    with build_of(study) as build:
        return Counter(made.rule for made in build.pending.values())


def lose(*patterns: str) -> Callable[[Study], None]:
    """Delete the first file that matches each pattern."""

    def edit(study: Study) -> None:
        for pattern in patterns:
            min((study.folder / "outputs").glob(pattern)).unlink()

    return edit


def more_responses(study: Study) -> None:
    """Draw twice as many."""
    study.spec["benchmarks"]["sums"]["n"] = 16


def lose_a_shard_and_draw_more(study: Study) -> None:
    """What was counted of the lost shard must be drawn again."""
    lose("store/cells/base.*/samples/000000-000004.parquet")(study)
    more_responses(study)


def label(study: Study) -> None:
    """Label responses in the reading room."""
    path = study.folder / "outputs/study/labels/ada.jsonl"
    path.parent.mkdir()
    path.write_text("{}\n")


@pytest.mark.parametrize(
    ("edit", "expected"),
    [
        (lambda _study: None, NOTHING),
        (lose("study/tables/pass_at_k.csv"), TABLES),
        (lose("study/plan.json"), ANALYSIS),
        (lose("study/report.html"), REPORT),
        (lose("study/manifests/figures-*.json"), FIGURES),
        (lose("store/cells/base.*/samples/*.parquet", "store/cells/base.*/counts/*"), NOTHING),
        (
            lose("study/report.html", "store/cells/base.*/samples/*.parquet"),
            Counter(write_report=1),
        ),
        (lose("study/tables/pass_at_k.csv", "store/cells/base.*/samples/*.parquet"), TABLES),
        (
            lose("study/tables/pass_at_k.csv", "store/cells/base.*/counts/*.parquet"),
            TABLES + Counter(count_verdicts=1),
        ),
        (
            more_responses,
            ANALYSIS + Counter(draw_samples=4, verify_responses=4, count_verdicts=2),
        ),
        (
            lose_a_shard_and_draw_more,
            ANALYSIS + Counter(draw_samples=5, verify_responses=5, count_verdicts=2),
        ),
        (lambda study: study.spec.update(k=[1, 2]), ANALYSIS),
        (label, REPORT + Counter(tabulate_labels=1)),
    ],
)
def test_only_what_an_edit_or_a_loss_affects_is_made(
    finished: Study, edit: Callable[[Study], None], expected: Counter[str]
) -> None:
    edit(finished)
    assert pending(finished) == expected


def test_what_must_be_made_anew_goes_before_the_first_job(finished: Study) -> None:
    lose_a_shard_and_draw_more(finished)
    with build_of(finished) as build:
        stale = [path for path in build.pending if "/verdicts/" in path and Path(path).exists()]
        assert len(stale) == 1
        prepare_files(build)
        assert not Path(stale[0]).exists()
        assert not list(Path("outputs/study/manifests").glob("tables-*.json"))


def test_task_files_are_brought_up_to_date_before_the_first_job(finished: Study) -> None:
    finished.spec["models"]["base"]["execution"] = {"batch_size": 3}
    with build_of(finished) as build:
        (task,) = Path("outputs/store/cells").glob("base.*/cell.json")
        prepare_files(build)
        assert json.loads(task.read_text())["model"]["execution"] == {"batch_size": 3}
        before = task.stat().st_ino
        prepare_files(build)
        assert task.stat().st_ino == before  # it is not written again


def test_a_task_file_of_another_cell_is_set_aside_by_a_check(finished: Study) -> None:
    with build_of(finished) as build:
        (one,) = Path("outputs/store/cells").glob("base.*/cell.json")
        (other,) = Path("outputs/store/cells").glob("tuned.*/cell.json")
        one.write_bytes(other.read_bytes())
        (found,) = check_study(build.plan).damaged
    assert found == f"{one}: it decides something else than its path says; set aside"


def test_verdicts_that_came_with_an_import_decide_the_tables(study: Study) -> None:
    rows = [{"id": f"p{i}", "said": "10", "ok": True} for i in range(4)] * 8
    write_jsonl(study.folder / "theirs.jsonl", rows)
    done = study.passk(
        *("import", "table", "theirs.jsonl", "--benchmark", "benchmarks/sums.yaml", "-o", "theirs"),
        *("--model", "them", "--map", "problem_id=id", "--map", "text=said", "--map", "verdict=ok"),
    )
    assert done.returncode == 0, done.stderr
    study.spec["models"]["them"] = {"imported": "theirs"}
    with build_of(study) as build:
        before = build.study.manifest("tables")
        (foreign,) = build.study.foreign
        assert build_again(build).study.manifest("tables") == before
        Path(foreign).write_bytes(Path(foreign).read_bytes() + b"\n")
        assert build_again(build).study.manifest("tables") != before


def build_again(build: Build) -> Build:
    """The same spec, looked at anew."""
    return Build(build_plan(build.plan.experiment.file))
