"""`passk import --grade`: grade imported responses, and compare with the source's verdicts."""

from __future__ import annotations

import json
import os
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

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
    benchmark = find_benchmark(benchmark_name)
    golds = {problem.id: problem.gold for problem in load_problems(benchmark, text_only=True)}
    n: Counter[str] = Counter()
    correct: Counter[str] = Counter()
    ours: list[bool] = []
    with (
        tempfile.TemporaryDirectory(prefix="passk-grade-") as scratch,
        Progress(f"grade {folder}", "responses") as progress,
    ):
        source, output = Path(scratch, "responses.jsonl"), Path(scratch, "graded.jsonl")
        with source.open("w", encoding="utf-8") as stream:
            for row in _rows(folder / "samples.parquet", ["problem_id", "text"]):
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
            for line in stream:
                graded = json.loads(line)
                ours.append(graded["verdict"] == "correct")
                n[graded["problem_id"]] += 1
                correct[graded["problem_id"]] += ours[-1]
    mean = sum(correct[name] / count for name, count in n.items()) / len(n)
    yield f"graded here: {sum(ours)} of {len(ours)} correct, pass@1 = {mean:.4f}"
    foreign = folder / "foreign.parquet"
    if foreign.is_file():
        theirs = {
            (row["problem_id"], row["sample"]): row["verdict"] == "correct"
            for row in _rows(foreign, ["problem_id", "sample", "verdict"])
        }
        keys = _rows(folder / "samples.parquet", ["problem_id", "sample"])
        pairs = [
            (mine, theirs[row["problem_id"], row["sample"]])
            for row, mine in zip(keys, ours, strict=True)
            if (row["problem_id"], row["sample"]) in theirs
        ]
        only = sum(mine and not other for mine, other in pairs)
        differ = sum(mine != other for mine, other in pairs)
        yield (
            f"the source and passk disagree on {differ} of {len(pairs)}: {only} are correct only "
            f"here, {differ - only} only there"
        )


def _rows(path: Path, columns: list[str]) -> Iterator[dict[str, object]]:
    """Yield the rows of a Parquet file, a batch in memory at a time."""
    for batch in pq.ParquetFile(path).iter_batches(BATCH, columns=columns):
        yield from batch.to_pylist()
