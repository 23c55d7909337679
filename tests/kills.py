"""What tests that kill jobs and runs share."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import random
import re
import signal
import subprocess
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from conftest import REPO, Study

from passk.core.journal import journal_path
from passk.core.schemas import Sample, read_rows
from passk.workflow.cells import shard_name

log = logging.getLogger(__name__)

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
    found = [json.loads(line) for line in lines if line.endswith(b"\n")]
    return [Sample(**{k: v for k, v in row.items() if k != "crc32"}) for row in found]


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


def begin(study: Study, *more: str) -> subprocess.Popen[str]:
    """Start the study's run, in a process group of its own."""
    study.save()
    command = ("snakemake", "-c2", "-s", str(REPO / "Snakefile"), "--configfile", study.file)
    return study.start(*command, *more)


def kill(process: subprocess.Popen[str], number: signal.Signals) -> Counter[str]:
    """Send a signal to a whole run; return which `passk` commands were at work."""
    killed = Counter(commands_of(process.pid).values())
    os.killpg(process.pid, number)
    process.wait()
    return killed


def commands_of(group: int) -> dict[int, str]:
    """The `passk` commands of a process group, by process id."""
    found = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
            words = path.with_name("cmdline").read_bytes().decode().split("\0")
        except OSError:
            continue
        if int(fields[2]) == group and len(words) > 2 and words[1].endswith("/passk"):
            found[int(path.parent.name)] = words[2]
    return found


def seeded() -> random.Random:
    """What draws random moments; a failed test's log says with which seed it draws them again."""
    seed = int(os.environ.get("PASSK_TEST_SEED", random.randrange(2**32)))
    log.warning("PASSK_TEST_SEED=%d", seed)
    return random.Random(seed)


def at_random_moment(
    process: subprocess.Popen[str], draw: random.Random, jobs: int, seconds: float
) -> bool:
    """Wait until up to so many of a run's jobs have begun, and then up to so many seconds.

    Return whether it still runs.
    """
    begun, wanted = set[int](), draw.randint(1, jobs)
    while process.poll() is None and len(begun) < wanted:
        begun |= commands_of(process.pid).keys()
        time.sleep(0.05)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(draw.uniform(0, seconds))
    return process.poll() is None


def run_killed(
    study: Study, draw: random.Random, jobs: int, seconds: float, most: int
) -> Counter[str]:
    """Run a study to its report and kill it so often; return the commands that were at work.

    Args:
        study: with its spec.
        draw: when a run is killed.
        jobs: so many of a run's jobs have begun by then, at most.
        seconds: so long ago, at most.
        most: kills.
    """
    killed: Counter[str] = Counter()
    while True:
        process = begin(study)
        if killed["runs"] < most and at_random_moment(process, draw, jobs, seconds):
            killed += kill(process, signal.SIGKILL) + Counter(runs=1)
            log.info("killed %s", dict(killed))
        elif process.wait() == 0:
            return killed
        else:
            pytest.fail(f"a run after {dict(killed)} ended with {process.returncode}")


def tables(study: Study) -> dict[str, bytes]:
    """The tables of a finished study."""
    paths = sorted((study.folder / "outputs/study/tables").iterdir())
    assert len(paths) > 10
    return {path.name: path.read_bytes() for path in paths}


def finished_twice(note: Path) -> list[str]:
    """The rows that were appended to a journal more than once."""
    counts = Counter(note.read_text().splitlines())
    assert counts
    return [line for line, times in counts.items() if times > 1]
