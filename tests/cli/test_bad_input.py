"""Bad input ends in one clear message, an exit status that is not 0, and nothing half-written."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from typing import Any

import pytest
import yaml
from conftest import REPO, Study
from kills import ready_to_sample

Edit = Callable[[dict[str, Any]], object]

SPEC_FAULTS: dict[str, tuple[Edit, int, str]] = {
    "unknown key": (
        lambda spec: spec["models"]["base"].update(wieghts="x"),
        2,
        r"study.yaml:\d+: models.base.wieghts: unknown key 'wieghts'; did you mean 'weights'\?",
    ),
    "unknown key at the top": (
        lambda spec: spec.update(sampler={}),
        2,
        r"study.yaml:\d+: sampler: unknown key 'sampler'; did you mean 'samplers'\?",
    ),
    "missing key": (
        lambda spec: spec["models"]["base"].pop("engine"),
        2,
        r"study.yaml:\d+: models.base: the key 'engine' is missing",
    ),
    "unknown base": (
        lambda spec: spec["models"]["tuned"].update(base="bose"),
        2,
        r"study.yaml:\d+: models.tuned.base: unknown name 'bose'; did you mean 'base'\?",
    ),
    "tuned without a base": (
        lambda spec: spec["models"]["tuned"].pop("base"),
        2,
        r"study.yaml:\d+: models.tuned: a model with role rl needs `base`",
    ),
    "unknown engine": (
        lambda spec: spec["models"]["base"].update(engine="vlm"),
        2,
        r"study.yaml:\d+: models.base.engine: unknown name 'vlm'; did you mean 'vllm'\?",
    ),
    "unknown benchmark": (
        lambda spec: spec["benchmarks"].update(math50={"n": 8}),
        2,
        r"study.yaml:\d+: benchmarks.math50: unknown benchmark 'math50'; did you mean 'math500'\?",
    ),
    "unknown prompt": (
        lambda spec: spec["benchmarks"]["sums"].update(prompt="qwen-box"),
        2,
        r"benchmarks.sums.prompt: unknown prompt 'qwen-box'; did you mean 'qwen-boxed'\?",
    ),
    "unknown scorer": (
        lambda spec: spec["perplexity"][0].update(scorer="judge"),
        2,
        r"study.yaml:\d+: perplexity\[0\].scorer: unknown name 'judge'",
    ),
    "unknown responses": (
        lambda spec: spec["perplexity"][0].update(responses_of=["reference:o1"]),
        2,
        r"study.yaml:\d+: perplexity\[0\].responses_of\[0\]: unknown name 'reference:o1'",
    ),
    "k above n": (
        lambda spec: spec.update(k=[1, 16]),
        2,
        r"study.yaml:\d+: benchmarks.sums.n: k = 16 is more than n = 8",
    ),
    "shard does not fit": (
        lambda spec: spec.update(shard=3),
        2,
        r"benchmarks.sums.n: n = 8 is not a multiple of shard = 3; take n = 6 or 9",
    ),
    "a name twice": (
        lambda spec: spec.update(k=[1, 1]),
        2,
        r"study.yaml:\d+: k: \[1, 1\] names something twice",
    ),
    "a number as text": (
        lambda spec: spec["samplers"]["plain"].update(temperature="warm"),
        2,
        r'study.yaml:\d+: samplers.plain.temperature: "warm" should be a number',
    ),
    "a path as a name": (
        lambda spec: spec.update(name="../elsewhere"),
        2,
        r"study.yaml:\d+: name: .*has a form that is not allowed",
    ),
    "a model named like a path": (
        lambda spec: spec["models"].update({"a/b": {"weights": "x", "engine": "fake"}}),
        2,
        r"study.yaml:\d+: models.a/b: a name starts with",
    ),
    "steps without a place": (
        lambda spec: spec["models"]["base"].update(steps=[1, 2]),
        2,
        r"study.yaml:\d+: models.base: a checkpoint series needs `steps`, and {step}",
    ),
    "a package that is not there": (
        lambda spec: spec["models"]["base"].update(weights="package:no-such-weights"),
        2,
        r"models.base.weights: model 'base' needs the package 'no-such-weights'",
    ),
}


@pytest.mark.parametrize("name", SPEC_FAULTS)
def test_a_bad_spec_is_refused_by_file_line_and_key(study: Study, name: str) -> None:
    edit, status, message = SPEC_FAULTS[name]
    edit(study.spec)
    study.save()
    done = study.passk("validate", study.file)
    assert done.returncode == status
    assert re.search(message, done.stderr), done.stderr
    assert not (study.folder / "outputs").exists()


YAML_FAULTS = {
    "does not parse": ("name: [1\nk: 2\n", r"bad.yaml:2: is not YAML"),
    "a tab": ("name:\n\tx: 1\n", r"bad.yaml:2: is not YAML"),
    "empty": ("", r"bad.yaml:1: holds no mapping"),
    "a key twice": ("name: a\nk: [1]\nname: b\n", r"bad.yaml:3: name: the key occurs twice"),
    "a key that is no text": ("1: a\n", r"bad.yaml:1: 1: the key 1 is not text"),
    "not text at all": ("\x00\x01", r"bad.yaml.*: is not YAML"),
}


@pytest.mark.parametrize("name", YAML_FAULTS)
def test_yaml_that_cannot_be_read_is_refused_by_line(study: Study, name: str) -> None:
    text, message = YAML_FAULTS[name]
    (study.folder / "bad.yaml").write_text(text)
    done = study.passk("plan", "bad.yaml")
    assert done.returncode == 2
    assert re.search(message, done.stderr), done.stderr


def test_every_fault_is_told_at_once(study: Study) -> None:
    study.spec["models"]["tuned"]["base"] = "x"
    study.spec["k"] = [99]
    study.save()
    message = study.passk("validate", study.file).stderr
    assert "models.tuned.base" in message
    assert "k = 99" in message


def test_snakemake_shows_the_same_message_and_starts_nothing(study: Study) -> None:
    study.spec["models"]["base"]["engine"] = "vlm"
    study.save()
    done = study.run("snakemake", "-c1", "-s", snakefile(), "--configfile", study.file)
    assert done.returncode != 0
    assert "models.base.engine: unknown name 'vlm'" in done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    assert not (study.folder / "outputs").exists()


def test_config_values_of_the_command_line_are_refused_not_lost(study: Study) -> None:
    study.save()
    done = study.run(
        "snakemake", "-c1", "-s", snakefile(), "--configfile", study.file, "--config", "seed=3"
    )
    assert done.returncode != 0
    assert "--config values would be lost" in done.stdout + done.stderr


SOURCE_FAULTS = {
    "no rows": ("", "the source has no rows"),
    "a line cut short": ('{"id": "p0", "question": "1"', "not a line of JSON"),
    "a missing column": ('{"id": "p0", "gold": "1"}\n', "has no 'question'"),
    "an id twice": ('{"id": "p0", "question": "1", "gold": "1"}\n' * 2, "the id 'p0'"),
    "not rows": ("[1]\n", "not a JSON object"),
}


@pytest.mark.parametrize("name", SOURCE_FAULTS)
def test_a_bad_benchmark_file_is_refused(study: Study, name: str) -> None:
    text, message = SOURCE_FAULTS[name]
    (study.folder / "benchmarks" / "sums.jsonl").write_text(text)
    done = study.passk("validate", study.file)
    assert done.returncode == 1
    assert message in done.stderr


def test_a_drifted_source_is_an_error_that_names_both(study: Study) -> None:
    file = study.folder / "benchmarks" / "sums.yaml"
    described = yaml.safe_load(file.read_text())
    described["source"]["sha256"] = "0" * 64
    file.write_text(yaml.safe_dump(described))
    done = study.passk("problems", str(file), "-o", "p.parquet")
    assert done.returncode == 1
    assert re.search(r"sha256 is [0-9a-f]{64}, pinned is 0{64}", done.stderr)
    assert not (study.folder / "p.parquet").exists()


def test_a_count_that_differs_is_an_error_that_names_both(study: Study) -> None:
    file = study.folder / "benchmarks" / "sums.yaml"
    file.write_text(file.read_text() + "count: 5\n")
    done = study.passk("problems", str(file), "-o", "p.parquet")
    assert "has 4 problems where `count` pins 5" in done.stderr


def test_missing_weights_stop_a_run_before_its_first_job(study: Study) -> None:
    (study.folder / "tuned.jsonl").unlink()
    assert "weights are missing: ./tuned.jsonl" in study.passk("plan", study.file).stdout
    study.save()
    done = study.run("snakemake", "-c1", "-s", snakefile(), "--configfile", study.file)
    assert done.returncode != 0
    assert "models.tuned.weights: no such file or folder" in done.stdout + done.stderr
    assert not list((study.folder / "outputs").rglob("*.parquet"))
    assert "Traceback" not in done.stdout + done.stderr


def test_a_samples_file_cut_short_is_named(finished: Study) -> None:
    path = next((finished.folder / "outputs/store/cells").glob("base.*/samples/*.parquet"))
    path.write_bytes(path.read_bytes()[:100])
    problems = next((finished.folder / "outputs/store/problems").glob("*/problems-*.parquet"))
    done = finished.passk(
        "verify", "--verifier", "number", "--problems", str(problems), "--samples", str(path),
        "-o", "v.parquet",
    )  # fmt: skip
    assert done.returncode == 1
    assert str(path) in done.stderr
    assert "its checksum is not the one in its manifest" in done.stderr
    assert not (finished.folder / "v.parquet").exists()


def test_a_file_of_other_rows_is_named_with_its_missing_columns(finished: Study) -> None:
    path = next((finished.folder / "outputs/store/cells").glob("base.*/verdicts/*/*.parquet"))
    done = finished.passk(
        "verify", "--verifier", "number", "--problems", str(path), "--samples", str(path),
        "-o", "v.parquet",
    )  # fmt: skip
    assert done.returncode == 1
    assert "missing column 'id'" in done.stderr


def test_a_folder_that_cannot_be_written_is_one_message(study: Study) -> None:
    (study.folder / "file").write_text("not a folder")
    done = study.passk("problems", "benchmarks/sums.yaml", "-o", "file/p.parquet")
    assert done.returncode == 1
    assert "cannot write" in done.stderr


@pytest.mark.parametrize(
    ("options", "message"),
    [("size=16k", "No space left on device"), ("ro", "Read-only file system")],
)
def test_a_full_or_read_only_disk_is_one_message_and_leaves_nothing_half_written(
    study: Study, options: str, message: str
) -> None:
    problems, cell = ready_to_sample(study, rates=[0.5] * 4)
    disk = study.folder / "disk"
    disk.mkdir()
    mounted = study.run("mount", "-t", "tmpfs", "-o", options, "tmpfs", str(disk))
    if mounted.returncode != 0:
        pytest.skip("this test mounts a file system, and may not here")
    try:
        done = study.passk(
            "sample", "--cell", cell, "--problems", problems, "--samples", "0-200",
            "-o", "disk/s.parquet",
        )  # fmt: skip
        assert done.returncode == 1
        assert message in done.stderr
        assert "run the same command again" in done.stderr
        assert not (disk / "s.parquet").exists()
        assert not list(disk.glob("*.tmp"))
    finally:
        study.run("umount", str(disk))


def test_two_processes_never_write_one_shard(study: Study) -> None:
    problems, cell = ready_to_sample(study, rates=[0.5] * 4, seconds=0.3)
    command = [
        "passk", "sample", "--cell", cell, "--problems", problems, "--samples", "0-8",
        "-o", "s.parquet",
    ]  # fmt: skip
    first: subprocess.Popen[str] = study.start(*command)
    study.wait_for("s.journal.jsonl")
    second = study.run(*command)
    assert second.returncode == 1
    assert "another process is writing this output" in second.stderr
    assert first.wait(timeout=240) == 0


def snakefile() -> str:
    """The workflow of this checkout."""
    return str(REPO / "Snakefile")
