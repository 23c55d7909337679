"""Time and peak memory of counting and aggregating many verdict rows.

    python perf/count_memory.py --problems 10000 --n 1024

Writes samples and verdicts of one cell (ten million rows as given above) in shards to a temporary
folder, counts them and makes all tables, each in a process of its own, and prints seconds and the
peak of resident memory of each.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa

from passk.analysis.tables import aggregate
from passk.core.artifacts import write_json
from passk.core.schemas import Problem, Sample, Verdict, schema, write_rows, write_table
from passk.stages.count import count

SHARD = 1024


def filled(kind: type, rows: int, columns: dict[str, object]) -> pa.Table:
    """A table of `rows` rows with these columns, and zeros or nothing in the others."""
    wanted = schema(kind)
    made = {}
    for field in wanted:
        if field.name in columns:
            made[field.name] = pa.array(columns[field.name])
        elif pa.types.is_list(field.type):
            made[field.name] = pa.array([[]] * rows, type=field.type)
        else:
            zero = "" if pa.types.is_string(field.type) else 0
            made[field.name] = pa.array([zero] * rows).cast(field.type)
    return pa.table(made).select(wanted.names).cast(wanted)


def write_cell(folder: Path, problems: int, n: int) -> dict[str, list[str]]:
    """Write problems, samples and verdicts, a shard at a time."""
    rng = np.random.default_rng(0)
    rates = rng.beta(0.5, 1, problems)
    asked = [Problem(f"p{i}", "", json.dumps("1"), [], "{}", "", "") for i in range(problems)]
    write_rows(folder / "problems.parquet", asked)
    files: dict[str, list[str]] = {"samples": [], "verdicts": []}
    for first in range(0, n, SHARD):
        size = min(SHARD, n - first)
        ids = np.repeat([f"p{i}" for i in range(problems)], size)
        sample = np.tile(np.arange(first, first + size), problems)
        right = rng.random(len(ids)) < np.repeat(rates, size)
        answer = np.where(right, "1", rng.integers(2, 40, len(ids)).astype(str))
        verdict = np.where(right, "correct", "wrong")
        common = {"problem_id": ids, "sample": sample}
        length = {"finish_reason": np.full(len(ids), "stop"), "n_tokens": np.full(len(ids), 300)}
        told = {"verdict": verdict, "answer": answer, "answer_class": answer}
        for kind, row, columns in (("samples", Sample, length), ("verdicts", Verdict, told)):
            path = folder / kind / f"{first:06d}.parquet"
            write_table(path, filled(row, len(ids), {**common, **columns}), {})
            files[kind].append(str(path))
    return files


def measured(work: Callable[[], None], report: multiprocessing.SimpleQueue) -> None:  # type: ignore[type-arg]
    """Run `work` and report its seconds and this process's peak of resident memory in MB."""
    began = time.perf_counter()
    work()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    report.put((time.perf_counter() - began, peak))


def run(name: str, work: Callable[[], None]) -> None:
    """Measure `work` in a child process that starts anew."""
    report = multiprocessing.SimpleQueue()
    child = multiprocessing.Process(target=measured, args=(work, report))
    child.start()
    child.join()
    seconds, peak = report.get()
    print(f"{name:10} {seconds:8.1f} s   peak {peak:8.0f} MB")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--problems", type=int, default=10_000)
    parser.add_argument("--n", type=int, default=1024)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        writer = multiprocessing.get_context("fork").Pool(1)
        files = writer.apply(write_cell, (folder, options.problems, options.n))
        writer.close()
        counts, plan = folder / "counts.parquet", folder / "plan.json"
        cell = {
            "id": "m.b.s", "model": "m", "benchmark": "b", "sampler": "s", "n": options.n,
            "counts": str(counts), "problems": str(folder / "problems.parquet"), **files,
        }  # fmt: skip
        k = [2**i for i in range(options.n.bit_length()) if 2**i <= options.n]
        write_json(plan, {"name": "many", "k": k, "cells": [cell]})
        print(f"{options.problems * options.n:,} verdict rows")
        paths = {kind: [Path(file) for file in files[kind]] for kind in files}
        asked = folder / "problems.parquet"
        run(
            "count",
            lambda: count(
                asked, paths["samples"], paths["verdicts"], counts, options.n, canonical=str
            ),
        )
        run("aggregate", lambda: aggregate(plan, folder / "tables"))


if __name__ == "__main__":
    multiprocessing.set_start_method("fork")
    main()
