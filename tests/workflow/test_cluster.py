"""What a cluster or a shared machine asks of passk, as far as it shows without one."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from conftest import REPO, Study, environment

from passk.analysis.study import load
from passk.core.errors import EngineError, OutputError
from passk.core.gpus import VISIBLE, claim_gpus, visible_gpus
from passk.core.journal import Journal
from passk.core.schemas import Sample
from passk.spec.models import Model
from passk.workflow import build_plan
from passk.workflow.cells import Weights
from passk.workflow.paths import Layout
from passk.workflow.resources.jobs import Jobs
from passk.workflow.resources.memory import job_gpus, job_memory, weights_bytes
from passk.workflow.slurm.partitions import (
    Need,
    Partition,
    minutes_of,
    misfit,
    read_partitions,
)
from passk.workflow.snakemake.locks import live_runs, lock_outputs

SMALL = Partition("small", gpus=2, memory_mb=16_000, minutes=60)
LARGE = Partition("large", gpus=8, memory_mb=500_000, minutes=1440)


@pytest.mark.parametrize(
    ("need", "reason"),
    [
        (Need(2, 16_000, 60), ""),
        (Need(8, 16_000, 60), ""),
        (Need(0, 400_000, 1440), ""),
        (Need(16, 1, 1), "16 GPUs on one node; the partition with most, 'large', has 8"),
        (Need(4, 600_000, 1), "600,000 MB; 'large' has 500,000 MB a node"),
        (Need(1, 1, 1500), "1,500 minutes; 'large' ends jobs after 1,440"),
    ],
)
def test_a_job_fits_or_one_reason_says_why_not(need: Need, reason: str) -> None:
    assert misfit(need, (SMALL, LARGE)) == reason


def test_the_profile_s_partition_file_is_read_as_the_plugin_reads_it(tmp_path: Path) -> None:
    plugin = pytest.importorskip("snakemake_executor_plugin_slurm.partitions")
    file = tmp_path / "partitions.yaml"
    file.write_text(
        "partitions:\n  gpu: {max_gpu: 4, max_runtime: 2-12:30:00, max_mem_mb: 900}\n"
        "  short: {max_runtime: 1d12h}\n  any: {max_runtime: 90}\n"
    )
    ours, theirs = read_partitions(file), plugin.read_partition_file(file)
    assert [(one.name, one.gpus, one.memory_mb, one.minutes) for one in ours] == [
        (t.name, t.limits.max_gpu, t.limits.max_mem_mb, t.limits.max_runtime) for t in theirs
    ]


@pytest.mark.parametrize(
    ("engine", "execution", "gpus"),
    [
        ("fake", {}, 0),
        ("openai", {}, 0),
        ("fake", {"gpus": 2}, 2),
        ("transformers", {}, 1),
        ("vllm", {"tensor_parallel_size": 4}, 4),
        (
            "vllm",
            {"tensor_parallel_size": 4, "pipeline_parallel_size": 2, "data_parallel_size": 2},
            16,
        ),
        ("vllm", {"tensor_parallel_size": 4, "gpus": 1}, 1),
    ],
)
def test_parallelism_becomes_gpus(engine: str, execution: dict[str, Any], gpus: int) -> None:
    assert job_gpus(Model("m", "a/b", engine, execution=execution)) == gpus


def test_memory_follows_the_size_of_weights(tmp_path: Path) -> None:
    def weights(load: str) -> Weights:
        return Weights({}, load)

    (tmp_path / "model.safetensors").write_bytes(b"0" * 4_000_000)
    assert weights_bytes(weights(str(tmp_path))) == 4_000_000
    assert weights_bytes(weights("Qwen/Qwen2.5-7B")) == 14e9
    assert weights_bytes(weights("hkust-nlp/Qwen-2.5-1.5B-SimpleRL-Zoo")) == 3e9
    large = job_memory(Model("m", "a/b", "vllm"), weights("Qwen/Qwen2.5-72B-Instruct"))
    small = job_memory(Model("m", "a/b", "vllm"), weights("Qwen/Qwen2.5-7B"))
    assert small < 25_000
    assert large > 150_000
    asked = Model("m", "a/b", "vllm", execution={"memory": 1.5})
    assert job_memory(asked, weights("Qwen/Qwen2.5-72B")) == 1500


def test_requests_grow_with_attempts_and_never_pass_the_partition(study: Study) -> None:
    study.save()
    jobs = Jobs(build_plan(study.folder / study.file))
    cell = next(iter(jobs.plan.cells))
    wildcards = SimpleNamespace(cell=cell, shard="000000-000004")
    memory = [jobs.memory(wildcards, attempt) for attempt in (1, 2, 3)]
    assert memory == [memory[0], 2 * memory[0], 4 * memory[0]]
    minutes = [jobs.minutes(wildcards, attempt) for attempt in (1, 2, 3)]
    assert minutes[0] < minutes[1] < minutes[2]
    jobs.limit([Partition("cpu", minutes=20)])
    assert jobs.minutes(wildcards, 3) == 20


def test_planning_refuses_a_job_that_no_partition_takes(study: Study) -> None:
    study.spec["models"]["tuned"]["execution"] = {"gpus": 16}
    study.save()
    (study.folder / "p.yaml").write_text("partitions: {gpu: {max_gpu: 8}}")
    done = study.passk("plan", study.file, "--partitions", "p.yaml")
    assert done.returncode == 2
    assert "model 'tuned' needs 16 GPUs on one node" in done.stderr


def test_visible_devices_are_those_of_the_variable() -> None:
    assert visible_gpus({VISIBLE: "0,GPU-abc"}) == ["0", "GPU-abc"]
    assert visible_gpus({VISIBLE: ""}) == []


def test_devices_never_serve_two_jobs_at_once(tmp_path: Path) -> None:
    holds: list[tuple[str, float, float]] = []

    def job(count: int) -> None:
        own = {VISIBLE: "0,1,2"}
        with claim_gpus(count, own, tmp_path):
            began = time.monotonic()
            time.sleep(0.05)
            holds.extend((name, began, time.monotonic()) for name in own[VISIBLE].split(","))
        assert own == {VISIBLE: "0,1,2"}

    with ThreadPoolExecutor(6) as pool:
        for done in [pool.submit(job, count) for count in (1, 2, 1, 3, 2, 1)]:
            done.result()
    assert len(holds) == 10
    for index, (device, began, ended) in enumerate(holds):
        assert all(
            device != other or ended <= other_began or other_ended <= began
            for other, other_began, other_ended in holds[index + 1 :]
        )


def test_a_machine_with_too_few_devices_says_so_and_one_without_any_does_not_mind() -> None:
    with (
        pytest.raises(EngineError, match="wants 2 GPUs; 1 are visible"),
        claim_gpus(2, {VISIBLE: "0"}),
    ):
        pass
    own = {VISIBLE: ""}
    with claim_gpus(2, own):
        assert own == {VISIBLE: ""}


def test_one_sampling_job_per_gpu_on_one_machine(
    study: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VISIBLE, "0,1")
    for name, rate in {"base": 0.5, "tuned": 0.6}.items():
        study.spec["models"][name]["execution"] = {"gpus": 1}
        study.set_rates(f"{name}.jsonl", [rate] * 4, seconds=0.02)
    study.snakemake("--until", "draw_samples")
    logs = list(study.folder.glob("outputs/store/logs/sample/*.log"))
    taken = [log.read_text().split(" GPU ")[1].split(":")[0] for log in logs]
    assert len(taken) == 4
    assert set(taken) <= {"0", "1"}


def test_what_one_run_writes_no_other_run_does(tmp_path: Path) -> None:
    layout = Layout(str(tmp_path))
    ours = [layout.samples("a.b.c-1", "0-4"), layout.samples("a.b.c-1", "4-8")]
    other = [layout.samples("d.e.f-2", "0-4")]
    program = (
        "import time; from passk.workflow.snakemake.locks import lock_outputs\n"
        "from passk.workflow.paths import Layout\n"
        f"held = lock_outputs(Layout({str(tmp_path)!r}), {ours!r}, 'first.yaml', time.time())\n"
        "print('held', flush=True); time.sleep(60)"
    )
    command = [sys.executable, "-c", program]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment()) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        with pytest.raises(OutputError, match=r"first.yaml .* is making store/cells/a.b.c-1"):
            lock_outputs(layout, ours[:1], "second.yaml", time.time())
        assert len(live_runs(layout)) == 1
        lock_outputs(layout, other, "second.yaml", time.time()).close()
        process.send_signal(signal.SIGKILL)
    assert not [run for run in live_runs(layout) if run["pid"] == process.pid]
    lock_outputs(layout, ours, "second.yaml", time.time()).close()


def test_a_run_that_looked_before_another_one_finished_is_refused(tmp_path: Path) -> None:
    layout = Layout(str(tmp_path))
    made = Path(layout.samples("a.b.c-1", "0-4"))
    made.parent.mkdir(parents=True)
    made.touch()
    with pytest.raises(OutputError, match="finished by another run, just now"):
        lock_outputs(layout, [str(made)], "late.yaml", since=made.stat().st_mtime - 1)
    lock_outputs(layout, [str(made)], "stale.yaml", since=made.stat().st_mtime + 1).close()


def test_a_second_job_waits_for_the_first_and_draws_nothing(study: Study) -> None:
    study.set_rates("base.jsonl", [0.5] * 4, seconds=0.5)
    study.snakemake("--until", "load_questions", "resolve_cell")
    cell = next(study.folder.glob("outputs/store/cells/base*/cell.json"))
    questions = next(study.folder.glob("outputs/store/problems/*/questions.parquet"))
    command = ["passk", "sample", "--cell", str(cell), "--problems", str(questions)]
    command += ["--samples", "0-4", "-o", "s.parquet"]
    first = study.start(*command)
    study.wait_for("s.journal.jsonl")
    second = study.run(*command, "--wait", "--log", "second.log")
    assert second.returncode == 0, second.stderr
    assert first.wait() == 0
    assert "waiting for it" in second.stderr
    manifest = json.loads((study.folder / "s.manifest.json").read_text())
    assert (manifest["drawn_responses"], manifest["resumed"]) == (16, 0)
    assert not list(study.folder.glob("s.journal*"))


def test_a_journal_removed_by_its_last_holder_is_not_written_to(tmp_path: Path) -> None:
    output = tmp_path / "x.parquet"
    journal = Journal(output, "key", Sample)
    with ThreadPoolExecutor(1) as pool:
        later = pool.submit(Journal, output, "key", Sample, wait=True)
        time.sleep(0.2)
        assert not later.done()
        journal.discard()
        journal.__exit__(None, None, None)
        second = later.result(timeout=10)
    second.append(Sample("p", 0, 0, "4", [1], 1, "stop", -0.5, 0.25))
    assert b'"p"' in second.path.read_bytes()
    second.__exit__(None, None, None)


def test_what_jobs_finish_after_their_snakemake_was_killed_counts(study: Study) -> None:
    study.set_rates("base.jsonl", [0.5] * 4, seconds=0.1)
    study.save()
    snakefile = str(REPO / "Snakefile")
    run = study.start("snakemake", "-c2", "-s", snakefile, "--configfile", study.file)
    study.wait_for("outputs/store/cells/base*/samples/*.journal.jsonl")
    run.kill()
    run.wait()
    pattern = "outputs/store/cells/base*/samples/*.parquet"
    study.wait_for(pattern)
    while any(study.folder.glob("outputs/store/cells/base*/samples/*.journal.jsonl")):
        time.sleep(0.05)
    made = {path: path.stat().st_mtime_ns for path in study.folder.glob(pattern)}
    assert study.snakemake("--until", "draw_samples")["draw_samples"] <= 4 - len(made)
    assert {path: path.stat().st_mtime_ns for path in made} == made


def test_status_counts_what_is_done_running_failed_and_waiting(study: Study) -> None:
    study.set_rates("base.jsonl", [0.5] * 4, seconds=0.3)
    study.set_rates("tuned.jsonl", [0.5] * 3)
    study.save()
    before = json.loads(study.passk("status", study.file, "--json").stdout)
    assert before["total"]["shards"]["waiting"] == before["total"]["shards"]["all"]
    assert not before["done"]
    run = study.start(
        *("snakemake", "--cores", "2", "--configfile", study.file, "--keep-going"),
        *("-s", str(REPO / "Snakefile")),
    )
    study.wait_for("outputs/store/cells/base*/samples/*.journal.jsonl")
    during = json.loads(study.passk("status", study.file, "--json").stdout)
    assert during["runs"][0]["pid"] == run.pid
    assert next(c for c in during["cells"] if c["name"].startswith("base"))["shards"]["running"]
    assert run.wait() == 1
    after = json.loads(study.passk("status", study.file, "--json").stdout)
    base, tuned = after["cells"]
    assert base["shards"]["done"] == 2
    assert base["responses_done"] == base["responses"] == 32
    assert tuned["shards"]["failed"] == 2
    last = after["failures"][-1]
    assert "no line for problem 'p3'" in last["message"]
    assert (study.folder / last["log"]).is_file()
    assert any("no line for problem 'p3'" in line for line in last["tail"])
    assert after["runs"] == []
    text = study.passk("status", study.file).stdout
    assert "last failure" in text
    assert f"  | {last['tail'][-1]}" in text
    assert "report: not written yet" in text
    assert re.search(r"base\S+ .*100 % +grading|base\S+ .*100 % +done", text)
    assert re.search(r"tuned\S+ .* 2 failed", text)


def test_status_names_the_failure_of_a_later_stage_until_it_is_mended(finished: Study) -> None:
    table = next(finished.folder.glob("outputs/store/problems/*/problems-*.parquet"))
    whole = table.read_bytes()
    table.write_bytes(b"PAR1 cut short")
    for pattern in ("outputs/store/cells/base*/verdicts", "outputs/store/cells/base*/counts"):
        shutil.rmtree(next(finished.folder.glob(pattern)))
    shutil.rmtree(finished.folder / "outputs" / "study")
    finished.snakemake(check=False)
    found = json.loads(finished.passk("status", finished.file, "--json").stdout)
    assert "/verify/" in found["failures"][-1]["log"]
    assert "problems-" in found["failures"][-1]["message"]
    table.write_bytes(whole)
    finished.snakemake("--until", "count_verdicts")
    assert json.loads(finished.passk("status", finished.file, "--json").stdout)["failures"] == []


def test_a_second_spec_takes_shared_cells_and_makes_its_own(finished: Study) -> None:
    finished.file = "other.yaml"
    finished.spec["name"] = "other"
    finished.spec["models"].pop("tuned")
    finished.spec["perplexity"] = []
    finished.spec["samplers"]["cold"] = {"temperature": 0.5, "max_tokens": 8}
    jobs = finished.snakemake()
    assert (jobs["draw_samples"], jobs["verify_responses"], jobs["write_report"]) == (2, 2, 1)
    assert (finished.folder / "outputs/other/report.html").is_file()


def test_status_of_a_finished_study_says_done(finished: Study) -> None:
    found = json.loads(finished.passk("status", finished.file, "--json").stdout)
    assert found["done"]
    assert found["report"].endswith("report.html")
    watched = finished.run(sys.executable, "-m", "passk", "status", finished.file, "--watch")
    assert watched.returncode == 0


def test_interim_results_are_those_of_the_report_whether_counted_or_not(finished: Study) -> None:
    columns = ["truncated_share", "no_answer_share", "pass_at_1"]
    summary = load(finished.folder / "outputs/study")["summary"].set_index("cell")
    counted = json.loads(finished.passk("status", finished.file, "--json").stdout)["cells"]
    for cell in counted:
        row = summary.loc[cell["name"]]
        assert [cell["interim"][name] for name in columns] == pytest.approx(row[columns].tolist())
        assert cell["interim"]["ci_low"] <= row["pass_at_1"] <= cell["interim"]["ci_high"]
    for folder in finished.folder.glob("outputs/store/cells/*/counts"):
        shutil.rmtree(folder)
    graded = json.loads(finished.passk("status", finished.file, "--json").stdout)["cells"]
    assert [cell["interim"] for cell in graded] == [cell["interim"] for cell in counted]
    (shard,) = finished.folder.glob("outputs/store/cells/base*/verdicts/*/000000-000004.parquet")
    shard.unlink()
    partly = json.loads(finished.passk("status", finished.file, "--json").stdout)["cells"]
    assert partly[0]["interim"]["responses"] == counted[0]["interim"]["responses"] // 2
    assert partly[0]["interim"]["problems"] == counted[0]["interim"]["problems"]


def test_cancelling_without_slurm_is_one_message(
    study: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", os.pathsep.join(["/nonexistent"]))
    done = study.passk("cancel", study.file)
    assert done.returncode == 1
    assert "squeue" in done.stderr


@pytest.mark.parametrize(
    ("text", "minutes"),
    [
        ("1-12:00:00", 2160),
        ("2-0", 2880),
        ("30:15", 30.25),
        ("1:30:00", 90),
        ("1d", 1440),
        ("2d12h", 3600),
        ("45s", 0.75),
    ],
)
def test_times_as_slurm_and_its_plugin_write_them(text: str, minutes: float) -> None:
    assert minutes_of(text) == minutes


def test_locks_of_gpus_work_for_every_name_user_and_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    states = {"GPU-aaaa1111": ("0", 0.9), "GPU-bbbb2222": ("1", 0.0)}
    monkeypatch.setattr("passk.core.gpus._device_states", lambda: states)
    environment = {VISIBLE: "0,1"}
    with claim_gpus(1, environment, tmp_path):
        assert environment[VISIBLE] == "1"  # another program fills the first one
        other = {VISIBLE: "GPU-bbbb,GPU-aaaa"}
        with claim_gpus(1, other, tmp_path):
            assert other[VISIBLE] == "GPU-aaaa"
    locks = {path.name for path in tmp_path.iterdir()}
    assert locks == {
        *("machine-GPU-aaaa1111.lock", "machine-GPU-bbbb2222.lock"),
        *("machine-GPU-aaaa1111.turn", "machine-GPU-bbbb2222.turn"),
    }
    assert all(path.stat().st_mode & 0o444 == 0o444 for path in tmp_path.iterdir())
    job = {VISIBLE: "0", "LSB_JOBID": "7"}
    with claim_gpus(1, job, tmp_path):
        assert (tmp_path / "7-GPU-aaaa1111.lock").exists()


def test_outputs_on_a_bucket_are_refused(study: Study) -> None:
    study.spec["outputs"] = "s3://bucket/outputs"
    study.save()
    done = study.passk("plan", study.file)
    assert done.returncode != 0
    assert "outputs cannot be on object storage" in done.stderr
    pytest.importorskip("snakemake_storage_plugin_fs", reason="pip install 'passk-study[dev]'")
    study.spec.pop("outputs")
    study.save()
    done = study.run(
        *("snakemake", "-c1", "-s", str(REPO / "Snakefile"), "--configfile", study.file),
        *("--default-storage-provider", "fs", "--default-storage-prefix", "bucket"),
    )
    assert done.returncode == 2
    assert done.stderr.count("outputs cannot be on object storage") == 1
    assert "copy `outputs` to the bucket after the run" in done.stderr
    assert not (study.folder / "outputs").exists()
