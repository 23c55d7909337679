"""What tests that kill sampling jobs share."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path
from typing import Any

from conftest import Study

from passk.core.journal import journal_path
from passk.core.schemas import Sample, read_rows
from passk.workflow.cells import shard_name

RESPONSES = 4 * 40

PRELOADED = [
    *("passk.stages.sample", "passk.engines.transformers", "passk.engines.openai"),
    *("passk.stages.train", "passk.training.run", "passk.training.sft"),
    *("transformers.models.llama.modeling_llama", "pyarrow.parquet"),
]
"""What the server that forks the jobs imports once: the first test to start it decides."""


def finished_lines(output: Path) -> list[Sample]:
    """The whole rows of a journal that a kill left behind."""
    path = journal_path(output)
    if not path.exists():
        return []
    lines = path.read_bytes().splitlines(keepends=True)[1:]
    return [Sample(**json.loads(line)) for line in lines if line.endswith(b"\n")]


def ready_to_sample(study: Study, rates: list[float], **more: float) -> tuple[str, str]:
    """Write what `passk sample` reads; return the problems and the cell."""
    study.set_rates("base.jsonl", rates, **more)
    study.save()
    study.passk("problems", "benchmarks/sums.yaml", "-o", "p.parquet")
    known = study.passk("resolve", study.file, "--cell", "base", "-o", "c.json").stderr
    cell = re.search(r"base\.sums\.plain-[0-9a-f]{8}", known)
    assert cell is not None
    study.passk("resolve", study.file, "--cell", cell.group(), "-o", "c.json")
    return "p.parquet", "c.json"


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


def wait_for_rows(output: Path, count: int) -> None:
    """Wait until a journal holds so many rows."""
    end = time.monotonic() + 600
    while len(finished_lines(output)) < count:
        assert time.monotonic() < end
        time.sleep(0.002)
