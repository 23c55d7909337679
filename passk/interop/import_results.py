"""`passk import`: foreign files become a folder that a spec can name in place of weights."""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from passk.benchmarks.source import load_problems
from passk.core.artifacts import atomic, environment, write_json
from passk.core.errors import DataError
from passk.core.registry import FORMATS, load
from passk.core.schemas import Problem, Sample, Verdict, schema, to_table
from passk.interop.base import Format, Options, Response
from passk.interop.import_state import Taken
from passk.interop.problem_matching import Matcher
from passk.spec.loading import catalogue_file, load_benchmark
from passk.spec.models import Benchmark
from passk.stages.imported import STAGE

log = logging.getLogger(__name__)

ROWS = 2048
"""Responses that are written at once."""

MOST_LISTED = 5
"""Problems that a message names."""


def find_benchmark(name: str) -> Benchmark:
    """Return a benchmark by its name in the catalogue, or by its YAML file."""
    named = catalogue_file("benchmarks", name, Path("x")) if not name.endswith(".yaml") else None
    return load_benchmark(named or Path(name))


def import_results(
    form: str,
    files: Sequence[Path],
    benchmark: str,
    output: Path,
    *,
    model: str,
    columns: dict[str, str] | None = None,
    name_filter: str | None = None,
    allow_missing: bool = False,
) -> dict[str, Any]:
    """Read the responses of one model to one benchmark and write them as a folder.

    Args:
        form: name in `passk.core.registry.FORMATS`.
        files: foreign files, in the order in which their responses count.
        benchmark: name in the catalogue, or YAML file.
        output: folder to write; its manifest comes last.
        model: name of the model.
        columns: our name -> the source's, for plain tables.
        name_filter: filter whose rows are taken (lm-evaluation-harness).
        allow_missing: take files that answer some of the problems alone.

    Returns:
        The manifest: what was read, and how much there is of it.

    Raises:
        DataError: a file is not of the format, a response matches no problem, or problems have
            no response; the message names file and line.
        OutputError: the folder cannot be written.
    """
    began = time.perf_counter()
    described = find_benchmark(benchmark)
    problems = load_problems(described)
    options = Options(
        columns=columns or {},
        model=model,
        filter=name_filter,
        completion=bool(described.options.get("completion")),
        problems={problem.id: problem for problem in problems},
    )
    reader: Format = load("format", form, FORMATS)()
    taken = Taken(Matcher(problems))
    with ExitStack() as stack:
        samples = stack.enter_context(atomic(output / "samples.parquet"))
        verdicts = stack.enter_context(atomic(output / "foreign.parquet"))
        _write(taken, reader.read(files, options), samples, verdicts)
        taken.matcher.finish(described.name)
        _check(taken, problems, files, allow_missing=allow_missing)
        (output / "manifest.json").unlink(missing_ok=True)
    if not taken.verdicts:
        (output / "foreign.parquet").unlink()
    (output / "counts.parquet").unlink(missing_ok=True)
    manifest = {
        **about(form, files, described, model, options),
        "kind": "responses",
        **taken.facts(len(problems)),
        "seconds": round(time.perf_counter() - began, 3),
        **environment(("pyarrow",)),
    }
    finish(output, problems, manifest)
    return manifest


def _write(taken: Taken, responses: Iterator[Response], samples: Path, verdicts: Path) -> None:
    """Write responses and their verdicts, so many at a time."""
    with (
        pq.ParquetWriter(samples, schema(Sample), compression="zstd") as first,
        pq.ParquetWriter(verdicts, schema(Verdict), compression="zstd") as second,
    ):
        rows: list[Sample] = []
        judged: list[Verdict] = []
        for response in responses:
            problem_id = taken.matcher.find(response.key, response.where)
            if problem_id is None:
                continue
            rows.append(taken.sample(response, problem_id))
            found = taken.verdict(response, rows[-1])
            judged.extend([found] if found else [])
            if len(rows) >= ROWS:
                first.write_table(to_table(Sample, rows))
                second.write_table(to_table(Verdict, judged))
                rows, judged = [], []
        first.write_table(to_table(Sample, rows))
        second.write_table(to_table(Verdict, judged))


def _check(
    taken: Taken, problems: Sequence[Problem], files: Sequence[Path], *, allow_missing: bool
) -> None:
    """Raise where there is nothing, where problems have no response, or indices leave gaps."""
    where = ", ".join(map(str, files))
    if not taken.n:
        raise DataError("no responses in it", where=where, fix="is this the format that was named?")
    missing = [problem.id for problem in problems if problem.id not in taken.n]
    if missing and not allow_missing:
        raise DataError(
            f"no response to {len(missing)} of {len(problems)} problems: {_listed(missing)}",
            where=where,
            fix="name all files, or say --allow-missing: these problems are then left out",
        )
    gaps = [name for name, last in taken.highest.items() if last + 1 != taken.n[name]]
    if gaps:
        raise DataError(
            f"the responses of {_listed(gaps)} are not numbered from 0 without a gap", where=where
        )
    if taken.replaced:
        log.warning(
            "lone surrogates, which no file can hold, became '?' in %d responses", taken.replaced
        )


def _listed(names: Sequence[str]) -> str:
    """Return the first names in words."""
    more = f" and {len(names) - MOST_LISTED} more" if len(names) > MOST_LISTED else ""
    return ", ".join(map(repr, names[:MOST_LISTED])) + more


def about(
    form: str, files: Sequence[Path], benchmark: Benchmark, model: str, options: Options
) -> dict[str, Any]:
    """Return what a manifest says of where things came from."""
    return {
        "stage": STAGE,
        "format": form,
        "files": [
            {"file": str(path), "bytes": path.stat().st_size, "sha256": _sha256(path)}
            for path in files
        ],
        "benchmark": benchmark.name,
        "model": model,
        "columns": dict(options.columns),
        "filter": options.filter,
    }


def _sha256(path: Path) -> str:
    """Return the hash of a file's content."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def finish(output: Path, problems: Sequence[Problem], manifest: dict[str, Any]) -> None:
    """Write which questions were matched, then the manifest that makes the folder whole."""
    digests = {problem.id: problem.question_digest for problem in problems}
    write_json(output / "questions.json", digests)
    write_json(output / "manifest.json", manifest)
