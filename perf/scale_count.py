"""Counting and aggregating ten million verdicts: seconds per million, and memory.

20 cells of 500 problems x 1024 responses in 16 shards each, written as the stages write them;
then `passk count` once per cell and `passk aggregate` once, each a process of its own.

    python perf/scale_count.py [--cells 20]        # about 5 minutes, 400 MB of disk
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa

from passk.core.schemas import Problem, Sample, Verdict, schema, write_rows, write_table

REPO = Path(__file__).resolve().parent.parent
PROBLEMS, N, SHARD = 500, 1024, 64


def write_cell(folder: Path, seed: int) -> tuple[list[str], list[str]]:
    """Write the shards of one cell; return the paths of samples and of verdicts."""
    draw = np.random.default_rng(seed)
    chance = draw.beta(0.5, 0.8, PROBLEMS)
    ids = np.array([f"p{i}" for i in range(PROBLEMS)], dtype=object)
    samples, verdicts = [], []
    for first in range(0, N, SHARD):
        size = PROBLEMS * SHARD
        right = draw.random(size) < np.repeat(chance, SHARD)
        answer = np.where(right, np.repeat(np.arange(PROBLEMS), SHARD), draw.integers(0, 97, size))
        columns: dict[str, object] = {
            "problem_id": np.repeat(ids, SHARD),
            "sample": np.tile(np.arange(first, first + SHARD), PROBLEMS),
            "seed": np.arange(size),
            "text": pa.array(["x"] * size),
            "token_ids": pa.array([[1]] * size, pa.list_(pa.int32())),
            "n_tokens": np.full(size, 7),
            "finish_reason": ["stop"] * size,
            "verdict": np.where(right, "correct", "wrong"),
            "answer": pa.array(answer).cast(pa.string()),
            "answer_class": pa.array(answer).cast(pa.string()),
            "detail": pa.array([""] * size),
        }
        for kind, paths in ((Sample, samples), (Verdict, verdicts)):
            wanted = schema(kind)
            filled = {
                name: columns.get(
                    name,
                    pa.array(
                        [""] * size if wanted.field(name).type == pa.string() else np.zeros(size)
                    ),
                )
                for name in wanted.names
            }
            path = folder / f"{kind.__name__}-{seed}-{first}.parquet"
            write_table(path, pa.table(filled).cast(wanted))
            paths.append(str(path))
    return samples, verdicts


def run(*command: str) -> tuple[float, float]:
    """Run a passk command; return its seconds and its peak memory in MB."""
    began = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "passk", *command],
        env=os.environ | {"PYTHONPATH": str(REPO)},
        cwd=REPO,
    )
    _, status, usage = os.wait4(process.pid, 0)
    assert status == 0, command[0]
    return time.perf_counter() - began, usage.ru_maxrss / 1000


def main() -> None:
    """Write, count, report."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cells", type=int, default=20)
    cells = parser.parse_args().cells
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        problem = Problem("p", "q", "0", [], "{}", "a", "b")
        rows = [
            dataclasses.replace(problem, id=f"p{i}", gold=json.dumps(str(i)))
            for i in range(PROBLEMS)
        ]
        write_rows(folder / "problems.parquet", rows)
        seconds, peak, millions = 0.0, 0.0, cells * PROBLEMS * N / 1e6
        for cell in range(cells):
            samples, verdicts = write_cell(folder, cell)
            took, memory = run(
                *("count", "--n", str(N), "--problems", f"{folder}/problems.parquet"),
                *("--samples", *samples, "--verdicts", *verdicts, "--verifier", "number"),
                *("--options", "{}", "-o", f"{folder}/counts-{cell}.parquet"),
            )
            seconds, peak = seconds + took, max(peak, memory)
            for path in (*samples, *verdicts):
                Path(path).unlink()
        print(
            f"counted {millions:.1f} million verdicts in {seconds:.0f} s: "
            f"{seconds / millions:.2f} s per million, {peak:.0f} MB at most"
        )


if __name__ == "__main__":
    main()
