"""`passk import --grade`: grade imported responses, and compare with the source's verdicts."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq

from passk.benchmarks.source import load_problems
from passk.core.progress import Progress
from passk.interop.import_results import BATCH
from passk.spec.loading import find_benchmark
from passk.stages.verify import grade_file


def grade_import(folder: Path, benchmark_name: str) -> Iterator[str]:
    """Grade the responses of an import and yield what was found, a line each.

    Args:
        folder: folder of an import with responses.
        benchmark_name: the benchmark that it answers.

    Raises:
        VerifierError: the benchmark's verifier cannot be started.
    """
    keys = ["problem_id", "sample"]
    samples = folder / "samples.parquet"
    graded = pd.read_parquet(samples, columns=keys).assign(ours=_grade(samples, benchmark_name))
    mean = graded.groupby("problem_id")["ours"].mean().mean()
    yield f"graded here: {graded['ours'].sum()} of {len(graded)} correct, pass@1 = {mean:.4f}"
    foreign = folder / "foreign.parquet"
    if foreign.is_file():
        both = graded.merge(pd.read_parquet(foreign, columns=[*keys, "verdict"]), on=keys)
        theirs = both["verdict"] == "correct"
        here, there = (both["ours"] & ~theirs).sum(), (~both["ours"] & theirs).sum()
        yield (
            f"the source and passk disagree on {here + there} of {len(both)}: {here} are correct "
            f"only here, {there} only there"
        )


def _grade(samples: Path, benchmark_name: str) -> list[bool]:
    """Return whether each response is correct."""
    benchmark = find_benchmark(benchmark_name)
    golds = {problem.id: problem.gold for problem in load_problems(benchmark, text_only=True)}
    with (
        tempfile.TemporaryDirectory(prefix="passk-grade-") as scratch,
        Progress(f"grade {samples.parent}", "responses") as progress,
    ):
        source, output = Path(scratch, "responses.jsonl"), Path(scratch, "graded.jsonl")
        with source.open("w", encoding="utf-8") as stream:
            for row in _rows(samples, ["problem_id", "text"]):
                response = {"problem_id": row["problem_id"], "response": row["text"]}
                stream.write(json.dumps(response) + "\n")
        grade_file(
            source,
            output,
            benchmark.verifier,
            benchmark.options,
            golds=golds,
            workers=os.cpu_count() or 1,
            progress=progress,
        )
        with output.open(encoding="utf-8") as stream:
            return [json.loads(line)["verdict"] == "correct" for line in stream]


def _rows(path: Path, columns: list[str]) -> Iterator[dict[str, object]]:
    """Yield the rows of a Parquet file, a batch in memory at a time."""
    for batch in pq.ParquetFile(path).iter_batches(BATCH, columns=columns):
        yield from batch.to_pylist()
