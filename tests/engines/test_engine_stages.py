"""Stages with real engines where something fails in the middle, and several files in one load."""

from __future__ import annotations

import resource
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from conftest import Study
from faulty_server import serving
from kills import finished_lines

pytest.importorskip("passk.engines.transformers")
pytest.importorskip("torch")
pytest.importorskip("openai", reason="pip install openai")

import torch
from kills import shard_of, wait_for_rows
from tiny_models import byte_tokenizer, save_tiny
from transformers import AutoModelForCausalLM

from passk.core.artifacts import read_json, read_manifest
from passk.core.errors import EngineError
from passk.core.integrity import read_task_file, write_task_file
from passk.core.journal import finished_rows
from passk.core.schemas import Sample, Score, read_rows, write_rows
from passk.engines.openai import client
from passk.engines.tokens import vocabulary_digest
from passk.stages.sample import sample
from passk.stages.score import Scored, perplexity

COUNT = 400


def byte_ids(text: str) -> list[int]:
    """Token ids of a text, one per byte."""
    return list(byte_tokenizer()(text)["input_ids"])


def address_space(pid: int) -> int:
    """Bytes of address space that a process has."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[0])
    return pages * resource.getpagesize()


def test_memory_that_runs_out_in_the_middle_of_a_shard(study: Study) -> None:
    """The kernel gives the process no more memory once a response is finished."""
    weights = str(save_tiny(study.folder / "tiny"))
    execution = {"batch_size": 4 * COUNT, "threads": 1}
    model = {"weights": weights, "engine": "transformers", "dtype": "float32"}
    cell, problems, output = shard_of(study, COUNT, 64, **model, execution=execution)
    command = (
        *(sys.executable, "-m", "passk", "sample", "--cell", str(cell), "--problems"),
        *(str(problems), "--samples", f"0-{COUNT}", "--log", "job.log", "-o", str(output)),
    )
    job = study.start(*command)
    wait_for_rows(output, 1)
    most = address_space(job.pid) + 1_000_000
    resource.prlimit(job.pid, resource.RLIMIT_AS, (most, resource.RLIM_INFINITY))
    assert job.wait() == 1
    told = (study.folder / "job.log").read_text()
    assert "out of memory" in told
    assert "batch_size" in told
    assert "Traceback" not in told
    kept = finished_lines(output)
    assert 1 <= len(kept) < 4 * COUNT
    assert not output.exists()
    assert finished_rows(output) == len(kept)  # from which the next run goes on


def test_each_shard_records_the_dtype_that_auto_became(study: Study) -> None:
    """The second shard is drawn as on a machine whose processor has no bfloat16."""
    weights = str(save_tiny(study.folder / "tiny"))
    half = AutoModelForCausalLM.from_pretrained(weights, dtype=torch.bfloat16)
    half.save_pretrained(weights)
    cell, problems, output = shard_of(study, 2, weights=weights, engine="transformers")
    later = output.with_name("later.parquet")
    sample(cell, problems, [(output, range(2))], threads=1)
    done = study.run(
        *("env", "ONEDNN_MAX_CPU_ISA=AVX2", sys.executable, "-m", "passk", "sample"),
        *("--cell", str(cell), "--problems", str(problems), "--samples", "2-4", "-o", str(later)),
    )
    assert done.returncode == 0, done.stderr
    native, emulated = ((read_manifest(path) or {})["dtype"] for path in (output, later))
    assert native in {"bfloat16", "float32"}
    assert emulated == "float32"
    assert native == "bfloat16" or not torch.cpu.get_capabilities().get("avx512_bf16")


def test_an_endpoint_that_goes_away_in_the_middle(
    study: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "FIRST_DELAY", 0.01)
    with serving() as server:
        model = {"weights": "m", "engine": "openai", "endpoint": server.url}
        files = shard_of(study, **model, execution={"batch_size": 4})
        shards = [(files[2], range(40))]

        def watch(done: int, _: int) -> None:
            if done == 30:
                server.leave()

        with pytest.raises(EngineError, match="no usable answer in 8 attempts") as raised:
            sample(*files[:2], shards, progress=watch)
    assert "see that the server runs" in raised.value.fix
    kept = finished_lines(files[2])
    assert 30 <= len(kept) <= 34
    assert finished_rows(files[2]) == len(kept)
    with serving(port=server.server_address[1]) as again:
        sample(*files[:2], shards)
        assert sum(again.seeds.values()) == 160 - len(kept)
    rows = [repr(row) for row in read_rows(files[2], Sample)]
    assert len(set(rows)) == len(rows) == 160
    assert {repr(row) for row in kept} <= set(rows)


def scoring_tasks(study: Study) -> list[str]:
    """Write the tasks of all scores of a study; return their names."""
    known = study.passk("resolve", study.file, "--score", "x", "y", "-o", "t.json").stderr
    names = [words.split()[:2] for words in known.split("available: ")[1].split(", ")]
    for i, (target, scorer) in enumerate(names):
        study.passk("resolve", study.file, "--score", target, scorer, "-o", f"t{i}.json")
    return [f"t{i}.json" for i in range(len(names))]


def test_several_files_of_scores_are_made_with_one_load(study: Study) -> None:
    weights = str(save_tiny(study.folder / "tiny"))
    model = {"weights": weights, "engine": "transformers", "dtype": "float32"}
    _, problems, _ = shard_of(study, 4, 6, **model, execution={"threads": 1})
    study.spec["perplexity"] = [
        {"scorer": "base", "responses_of": ["base", "reference:gold"], "per_problem": 2}
    ]
    study.save()
    tasks = scoring_tasks(study)
    drawn = [Sample(f"p{i}", 0, 0, f"{i} and more", [], 9, "stop", 0.0, 0.0) for i in range(4)]
    for i in range(len(tasks)):
        write_rows(study.folder / f"s{i}.parquet", drawn[i : i + 2])

    def score(outputs: str, *which: int) -> list[dict[str, Any]]:
        """Score some of the files in one job; return the manifests."""
        told = study.passk(
            *("perplexity", "--task", *(tasks[i] for i in which)),
            *("--problems", *[str(problems)] * len(which)),
            *("--samples", *(f"s{i}.parquet" for i in which)),
            *("-o", *(f"{outputs}{i}.parquet" for i in which)),
        )
        assert told.returncode == 0, told.stderr
        return [read_json(study.folder / f"{outputs}{i}.manifest.json") for i in which]

    first, second = score("both", 0, 1)
    assert first["load_seconds"] > 0
    assert second["load_seconds"] == 0
    score("alone", 1)
    both, alone = (
        read_rows(study.folder / f"{name}1.parquet", Score) for name in ("both", "alone")
    )
    assert [row.problem_id for row in both] == ["p1", "p2"]
    assert both == alone
    assert both != read_rows(study.folder / "both0.parquet", Score)


@pytest.mark.parametrize(("stop", "behind"), [([], [1]), (["Q:"], byte_ids("Q:")), (["Q:"], [1])])
def test_a_sampled_response_and_a_reference_end_alike(
    study: Study, stop: list[str], behind: list[int]
) -> None:
    """The same words have the same score: with the ending token, or where strings end, without."""
    weights = save_tiny(study.folder / "tiny")
    model = {"weights": str(weights), "engine": "transformers", "dtype": "float32"}
    _, problems, _ = shard_of(study, 4, 6, **model, execution={"threads": 1})
    study.spec["perplexity"] = [{"scorer": "base", "responses_of": ["base"], "per_problem": 2}]
    study.save()
    name = scoring_tasks(study)[0]
    task = read_task_file(study.folder / name)
    task["prompt"]["stop"] = stop
    write_task_file(study.folder / name, task)
    own = [*byte_ids("12"), *behind]
    drawn = Sample("p0", 0, 7, "12", own, len(own), "stop", 0.0, 0.0)
    cut = Sample("p1", 0, 8, "12", byte_ids("12"), 2, "length", 0.0, 0.0)
    known = {"stage": "sample", "vocabulary": vocabulary_digest(byte_tokenizer())}
    manifests = {"drawn": known, "reference": {"stage": "reference"}, "imported": {}}
    files = [
        Scored(
            study.folder / name,
            problems,
            *(study.folder / f"{kind}-{what}.parquet" for what in ("samples", "scores")),
        )
        for kind in manifests
    ]
    for one, manifest in zip(files, manifests.values(), strict=True):
        ids = {} if one is files[0] else {"token_ids": []}
        write_rows(one.samples, [replace(row, **ids) for row in (drawn, cut)], manifest)
    perplexity(files)
    ended, truncated = zip(*(read_rows(one.output, Score) for one in files), strict=True)
    assert {row.n_tokens for row in ended} == {2 if stop else 3}
    assert {row.n_tokens for row in truncated} == {2}
    for rows in (ended, truncated):
        assert [row.sum_logprob for row in rows] == pytest.approx([rows[0].sum_logprob] * 3)
