"""`passk run`: what it shows of a run, and how it ends."""

from __future__ import annotations

import io
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml
from conftest import REPO, Study, environment
from rich.console import Console

from passk.cli.run_display import RunDisplay, show_end
from passk.cli.starter import write_starter
from passk.core.errors import PasskError
from passk.spec.loading import load_experiment
from passk.workflow.plan import build_plan
from passk.workflow.run import MAX_ALIKE, Event, Run, snakemake_arguments
from passk.workflow.status.logs import progress_of
from passk.workflow.status.run_progress import Missing, RunProgress, missing_outputs

TUTORIAL = (REPO / "docs/tutorial.md").read_text()


def blocks(language: str) -> list[str]:
    """The code blocks of the tutorial in a language."""
    return re.findall(rf"^```{language}\n(.*?)^```", TUTORIAL, re.MULTILINE | re.DOTALL)


def test_a_wheel_alone_and_the_tutorial_take_an_empty_folder_to_a_report(
    tmp_path: Path, wheel: Path
) -> None:
    def run(command: str) -> str:
        path = os.pathsep.join([str(wheel / "bin"), environment()["PATH"]])
        done = subprocess.run(
            ["bash", "-ec", command], cwd=tmp_path, capture_output=True, text=True, check=False,
            env=environment() | {"PATH": path, "PYTHONPATH": str(wheel), "COLUMNS": "120"},
        )  # fmt: skip
        assert done.returncode == 0, command + done.stdout + done.stderr
        return done.stdout + done.stderr

    outputs = {}
    questions = tmp_path / "study/benchmarks/questions.jsonl"
    for step in map(str.strip, blocks("sh")):
        own = blocks("json")[0] if step.startswith("passk validate") else None
        before = questions.read_text() if own else None
        if own:
            questions.write_text(own)
        outputs[step] = run(step)
        if before:
            questions.write_text(before)
    assert "8 responses: " in outputs["passk try study/spec.yaml"]
    first = outputs["passk run study/spec.yaml"]
    assert f"snakemake -s {wheel}/passk/shipped/Snakefile --cores all" in first
    assert "] draw samples base.questions.plain 000000-000064" in first
    assert "-0.083" in first
    report = tmp_path / "study/outputs/study/report.html"
    assert f"report: {report}" in first
    assert report.stat().st_size > 100_000
    assert "What is 6 times 7?" in outputs["passk validate study/benchmarks/questions.yaml"]
    assert "Nothing to be done" in outputs[blocks("sh")[-1].strip()]
    again = run("passk run study/spec.yaml")
    assert "nothing to do" in again
    assert "-0.083" in again


def test_the_models_of_the_tutorial_are_valid_in_the_spec_that_init_writes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    spec = write_starter(Path("study"), None, "transformers")
    described = yaml.safe_load(spec.read_text()) | yaml.safe_load(blocks("yaml")[0])
    spec.write_text(yaml.safe_dump(described))
    assert set(load_experiment(spec).models) == {"base", "tuned"}


def test_init_writes_a_study_of_ones_own_model_and_never_into_a_full_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    experiment = load_experiment(write_starter(Path("my study"), "org/model", "vllm"))
    assert experiment.name == "my-study"
    assert experiment.models["base"].weights == "org/model"
    assert experiment.samplers["sharp"].base == "plain"
    with pytest.raises(PasskError, match="holds files already"):
        write_starter(Path("my study"), None, "fake")


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the wheel of this checkout is installed, without its dependencies."""
    built = tmp_path_factory.mktemp("wheel")
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    build = ["wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(built), str(REPO)]
    subprocess.run([*pip, *build], check=True)
    files = [str(path) for path in built.glob("passk_study-*.whl")]
    folder = built / "installed"
    subprocess.run([*pip, "install", "--no-deps", "--target", str(folder), *files], check=True)
    return folder


def test_a_failure_is_shown_once_per_cause_and_with_its_log(study: Study) -> None:
    (study.folder / "base.jsonl").write_text('{"problem_id": "p0"}\n')
    study.save()
    done = study.passk("run", study.file, "--cores", "2", "--until", "draw_samples")
    assert done.returncode == 1
    assert done.stdout.count("not a fake problem") == 1
    assert "base.jsonl:1" in done.stdout
    assert "log: outputs/store/logs/" in done.stdout
    assert "rerun the same command" in done.stderr


def test_ctrl_c_ends_the_jobs_and_says_how_to_go_on(study: Study) -> None:
    study.set_rates("base.jsonl", [0.5] * 4, seconds=2)
    study.save()
    process = subprocess.Popen(
        [sys.executable, "-m", "passk", "run", study.file, "--cores", "2"],
        cwd=study.folder, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        text=True, start_new_session=True,
    )  # fmt: skip
    study.wait_for("outputs/store/cells/base.*/samples/*.journal.jsonl")
    process.send_signal(signal.SIGINT)
    shown, errors = process.communicate(timeout=240)
    assert process.returncode == 130
    assert "the same command continues the run" in shown
    assert "interrupted; finished work is kept" in errors
    assert "failed" not in shown
    end = time.monotonic() + 60
    while children_of(study.folder):
        assert time.monotonic() < end, "a job outlived the run"
        time.sleep(0.1)


def children_of(folder: Path) -> list[str]:
    """Processes whose working directory is a folder."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if (process / "cwd").readlink() == folder:
                found.append((process / "cmdline").read_text().replace("\0", " "))
        except OSError:
            continue
    return [line for line in found if line and str(os.getpid()) not in line]


def test_a_bad_spec_ends_before_snakemake_starts(study: Study) -> None:
    study.spec["models"]["base"]["engine"] = "vlm"
    study.save()
    done = study.passk("run", study.file)
    assert done.returncode == 2
    assert "did you mean 'vllm'?" in done.stderr
    assert not (study.folder / ".snakemake").exists()


def test_an_option_that_snakemake_does_not_know_is_shown(study: Study) -> None:
    study.save()
    done = study.passk("run", study.file, "--no-such-option")
    assert done.returncode == 1
    assert "--no-such-option" in done.stdout
    assert "the run did not start" in done.stderr


def test_a_dry_run_counts_jobs_and_lists_none(study: Study) -> None:
    study.save()
    done = study.passk("run", study.file, "-n")
    assert done.returncode == 0
    assert "draw_samples" in done.stdout
    assert "wildcards:" not in done.stdout
    assert not list((study.folder / "outputs").rglob("*.parquet"))


def events(*jobs: tuple[int, str, Path | None]) -> list[Event]:
    """Events of jobs that start and fail."""
    found: list[Event] = []
    for job, rule, log in jobs:
        found += [
            {"event": "job_info", "jobid": job, "rule_name": rule, "log": [str(log)] if log else [],
             "wildcards": {"shard": str(job)}},
            {"event": "job_error", "jobid": job},
        ]  # fmt: skip
    return found


def test_failures_of_one_cause_are_one_and_a_run_of_nothing_else_is_hopeless(
    tmp_path: Path,
) -> None:
    run = Run("snakemake", tmp_path / "log")
    for job in range(MAX_ALIKE):
        assert not run.is_hopeless()
        log = tmp_path / f"{job}.log"
        log.write_text(f"sample: 1/9\npassk: error: shard {job}: bad\n  -> mend\n")
        for event in events((job, "draw_samples__x", log)):
            run.take(event)
    assert run.is_hopeless()
    (failure,) = run.failures()
    assert failure.message == "shard 0: bad\n  -> mend"
    assert len(failure.jobs) == MAX_ALIKE
    finished = {"event": "job_info", "jobid": 99, "rule_name": "draw_samples"}
    for event in (finished, {"event": "job_finished", "job_id": 99}):
        run.take(event)
    assert not run.is_hopeless()


def test_a_job_that_succeeds_on_its_second_attempt_has_not_failed(tmp_path: Path) -> None:
    run = Run("snakemake", tmp_path / "log")
    again = [*events((1, "draw_samples", None))[:1], {"event": "job_finished", "job_id": 1}]
    for event in [*events((1, "draw_samples", None)), *again]:
        run.take(event)
    assert run.failed == []
    assert len(run.finished) == 1


def test_progress_is_read_from_the_last_line_that_has_it(tmp_path: Path) -> None:
    log = tmp_path / "1.log"
    log.write_text(
        "sample a: 1/96 responses, 3.2/s, 30 s left\n"
        "sample a: 32/96 responses, 1e+03/s, 20 s left\nx\n"
    )
    run = Run("snakemake", tmp_path / "log")
    run.take(events((1, "draw_samples", log))[0])
    found = progress_of(run.running[1].log)
    assert found is not None
    assert (found.done, found.total, found.unit, found.rest) == (32, 96, "responses", "20 s left")
    screen = io.StringIO()
    display = RunDisplay(Console(file=screen, force_terminal=True, width=120), RunProgress({}))
    with display:
        display(run)
    assert "32/96 responses, 1e+03/s, 20 s left" in screen.getvalue()


def test_the_study_line_says_how_far_how_fast_and_how_long_it_still_takes(
    study: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(study.folder)
    study.save()
    missing = missing_outputs(build_plan(Path(study.file)))
    kinds = [one.kind for one in missing.values() for _ in range(one.rows)]
    assert kinds.count("draw samples") == 2 * 4 * 8
    assert kinds.count("score responses") == 4 * 4 + 4
    finished, other, batch = Path("a"), Path("b"), "draw_samples__x_0"
    one = Missing("draw samples", 60, 60.0)
    resumed = Missing("draw samples", 40, 40.0, journaled=20, batch=batch)
    clock = iter([0.0, 1.0, 11.0])
    progress = RunProgress({finished: one, other: resumed}, lambda: next(clock))
    run = Run("snakemake", Path("log"), total=9, done=2)
    screen = io.StringIO()
    display = RunDisplay(Console(file=screen, force_terminal=True, width=160), progress)
    log = study.folder / "1.log"
    run.take(events((1, batch, log))[0])
    with display:
        display(run)
        assert "20/100 responses, 0/s; 2/9 jobs; 0 s" in screen.getvalue()
        assert "left" not in screen.getvalue()
        log.write_text("sample b: 30/40 responses, 3/s, 3 s left\n")
        finished.write_text("")
        other.write_text("")  # of a batch that is not done: its rows are those of the log
        display(run)
    assert "90/100 responses, 7/s; 2/9 jobs; 0 s; about 1 s left" in screen.getvalue()


def test_warnings_of_jobs_are_shown_once(tmp_path: Path) -> None:
    log = tmp_path / "1.log"
    log.write_text("warning: 12 % of the responses were cut\nfine\n" * 2)
    run = Run("snakemake", tmp_path / "log")
    for event in (events((1, "draw_samples", log))[0], {"event": "job_finished", "job_id": 1}):
        run.take(event)
    screen = io.StringIO()
    display = RunDisplay(Console(file=screen, width=120), RunProgress({}))
    display(run)
    display(run)
    assert screen.getvalue().count("12 % of the responses were cut") == 1


@pytest.mark.parametrize(
    "said",
    [
        'OutputError in "S", line 3:\nouts: no space\n  -> free some\n  File "S", line 3,\n',
        "passk: error: outs: no space\n  -> free some\n",
    ],
)
def test_a_run_without_a_failed_job_ends_with_the_last_error(tmp_path: Path, said: str) -> None:
    log = tmp_path / "log"
    log.write_text(f"Building DAG\n{said}")
    run = Run("snakemake", log, status=1)
    screen = io.StringIO()
    with pytest.raises(PasskError, match="the run did not start"):
        show_end(Console(file=screen), run, tmp_path / "none.html")
    assert "What failed:\n  outs: no space\n  -> free some\n" in screen.getvalue()


def test_a_profile_is_a_folder_or_one_that_is_shipped(tmp_path: Path) -> None:
    spec = Path("x.yaml")
    shipped = snakemake_arguments(spec, None, "slurm")
    assert "--cores" not in shipped
    assert shipped[shipped.index("--profile") + 1].endswith("profiles/slurm")
    own = snakemake_arguments(spec, "4", str(tmp_path), ["--quiet"])
    assert own[-1] == "--quiet"
    assert str(tmp_path) in own
    assert "--cores" in own
    with pytest.raises(PasskError, match="no such folder"):
        snakemake_arguments(spec, None, "slrum")
