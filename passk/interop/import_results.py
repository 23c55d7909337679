"""`passk import`: read results of another tool into a folder that a spec names."""

from __future__ import annotations

import hashlib
import json
import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from passk.benchmarks.source import load_problems
from passk.core.artifacts import atomic_folder, environment, write_json
from passk.core.errors import DataError
from passk.core.registry import FORMATS, load
from passk.core.schemas import Count, Problem, Sample, Verdict, schema, to_table, write_table
from passk.interop.base import Reader, ReadOptions, Response
from passk.interop.column_mapping import Condition
from passk.interop.counts import Counts, key_of, read_counts
from passk.interop.duplicates import check_file_digests
from passk.interop.files import find_files
from passk.interop.import_state import ImportState
from passk.interop.problem_matching import Matcher
from passk.spec.loading import find_benchmark
from passk.spec.models import Benchmark
from passk.stages.imported import STAGE

log = logging.getLogger(__name__)

BATCH = 2048
"""Responses per batch of a Parquet file."""

MAX_LISTED = 5
"""Problems that a message lists."""


@dataclass(frozen=True, slots=True)
class ImportOptions:
    """Options of an import.

    Attributes:
        columns: our name -> the source's path, for plain tables.
        filter: filter to read (lm-evaluation-harness): its name, or its number from 1.
        correct_if: condition on a row that makes its response correct (tables, verl, TRL).
        allow_missing: accept problems without a response.
        only_known: skip responses to problems that the benchmark does not have.
        allow_duplicates: accept responses that occur twice.
        null_as_failed: count null responses as failed.
        stored_verdicts: store counts from the source's verdicts, and no responses to grade.
    """

    columns: Mapping[str, str] = field(default_factory=dict)
    filter: str | None = None
    correct_if: Condition | None = None
    allow_missing: bool = False
    only_known: bool = False
    allow_duplicates: bool = False
    null_as_failed: bool = False
    stored_verdicts: bool = False


def import_results(
    format_name: str,
    paths: Sequence[Path],
    benchmark_name: str,
    output: Path,
    *,
    model: str,
    options: ImportOptions | None = None,
) -> dict[str, Any]:
    """Read the responses of one model to one benchmark and write them as a folder.

    Args:
        format_name: name in `passk.core.registry.FORMATS`, or `counts`.
        paths: files, folders or patterns, in the order in which their responses count.
        benchmark_name: name in the catalogue, or YAML file.
        output: folder to write, whole or not at all.
        model: name of the model.
        options: what to accept and how to read it.

    Returns:
        The manifest: which files, how they matched, and how many responses.

    Raises:
        DataError: a file is not of the format, a response matches no problem, a file would count
            twice, or problems have no response; the message names file and line.
        OutputError: the folder cannot be written.
    """
    started, options = time.perf_counter(), options or ImportOptions()
    reader: Reader | None = None
    if format_name != "counts":
        reader = load("format", format_name, FORMATS)()
    files = find_files(paths, reader.endings if reader else Counts.endings)
    manifest = _source_facts(format_name, files, model, options)
    benchmark = find_benchmark(benchmark_name)
    problems = load_problems(benchmark, with_golds=False)
    read_options = _read_options(options, model, benchmark, problems)
    state = ImportState(Matcher(problems, options.only_known), options.null_as_failed)
    counts_alone = reader is None or options.stored_verdicts
    with _import_folder(output) as folder:
        if reader is None:
            for row, n, correct in read_counts(files, read_options):
                state.add_counts(key_of(row), n, correct, row.location)
        else:
            _write(state, reader.read(files, read_options), folder)
        state.matcher.finish(benchmark.name)
        _check(state, problems, files, options)
        if counts_alone:
            _write_counts(state, problems, folder)
        elif not state.verdicts:
            (folder / "foreign.parquet").unlink()
        manifest |= {
            "benchmark": benchmark.name,
            **_findings(state, problems, counts_alone=counts_alone),
            "notes": read_options.notes,
            "seconds": round(time.perf_counter() - started, 3),
            **environment(("pyarrow",)),
        }
        _finish(folder, problems, manifest)
    return manifest


def _read_options(
    options: ImportOptions, model: str, benchmark: Benchmark, problems: Sequence[Problem]
) -> ReadOptions:
    """Return what a format needs to know."""
    return ReadOptions(
        columns=options.columns,
        model=model,
        filter=options.filter,
        correct_if=options.correct_if,
        completion=bool(benchmark.options.get("completion")),
        code=benchmark.verifier == "code",
        problems={problem.id: problem for problem in problems},
    )


def _findings(
    state: ImportState, problems: Sequence[Problem], *, counts_alone: bool
) -> dict[str, Any]:
    """Return the part of a manifest that says what was read."""
    found = {**state.summary(len(problems)), "mean_correct": _mean_correct(state)}
    if counts_alone:
        return found | {"kind": "counts", "verdicts": 0, "correct": state.correct.total()}
    return found | {"kind": "responses"}


def _mean_correct(state: ImportState) -> float | None:
    """Return the mean over problems of the share that the source calls correct: its pass@1."""
    if state.verdicts.total() != state.n.total():
        return None
    return sum(state.correct[name] / n for name, n in state.n.items()) / len(state.n)


@contextmanager
def _import_folder(output: Path) -> Iterator[Path]:
    """Give a folder that replaces `output` when the block ends well; else nothing is left."""
    missing = [path for path in (output.parent, *output.parent.parents) if not path.exists()]
    try:
        with atomic_folder(output) as folder:
            yield folder
    finally:
        for path in missing:
            with suppress(OSError):
                path.rmdir()


def _write(state: ImportState, responses: Iterator[Response], folder: Path) -> None:
    """Write responses and their verdicts, a batch at a time."""
    with (
        pq.ParquetWriter(
            folder / "samples.parquet", schema(Sample), compression="zstd"
        ) as sample_writer,
        pq.ParquetWriter(
            folder / "foreign.parquet", schema(Verdict), compression="zstd"
        ) as verdict_writer,
    ):
        samples: list[Sample] = []
        verdicts: list[Verdict] = []
        for response in responses:
            problem_id = state.matcher.find(response.key, response.row.location)
            if problem_id is None:
                continue
            samples.append(state.make_sample(response, problem_id))
            verdict = state.make_verdict(response, samples[-1])
            verdicts.extend([verdict] if verdict else [])
            if len(samples) >= BATCH:
                sample_writer.write_table(to_table(Sample, samples))
                verdict_writer.write_table(to_table(Verdict, verdicts))
                samples, verdicts = [], []
        sample_writer.write_table(to_table(Sample, samples))
        verdict_writer.write_table(to_table(Verdict, verdicts))


def _check(
    state: ImportState, problems: Sequence[Problem], files: Sequence[Path], options: ImportOptions
) -> None:
    """Raise if there is nothing, if responses are missing or numbered with gaps, or repeat."""
    location = ", ".join(map(str, files[:MAX_LISTED]))
    if not state.n:
        raise DataError(
            "has no responses", where=location, fix="is the file of this format, and of this model?"
        )
    missing = [problem.id for problem in problems if problem.id not in state.n]
    if missing and not options.allow_missing:
        raise DataError(
            f"no response to {len(missing)} of {len(problems)} problems: {_listed(missing)}",
            where=location,
            fix="name all files, and the model as they do, or leave these problems out with "
            "--allow-missing",
        )
    gaps = [name for name, last in state.highest.items() if last + 1 != state.n[name]]
    if gaps:
        raise DataError(
            f"the responses to {_listed(gaps)} are not numbered from 0 without gaps", where=location
        )
    if not options.allow_duplicates:
        state.duplicates.finish()
    if state.replaced:
        log.warning("lone surrogates became '?' in %d responses: UTF-8 has none", state.replaced)


def _write_counts(state: ImportState, problems: Sequence[Problem], folder: Path) -> None:
    """Write counts from the source's verdicts in place of the responses."""
    if state.verdicts.total() != state.n.total():
        raise DataError(
            f"{state.verdicts.total()} of {state.n.total()} responses have a verdict",
            where=str(folder),
            fix="without --stored-verdicts passk grades all of them",
        )
    counted = [
        _count_row(problem, state.n[problem.id], state.correct[problem.id])
        for problem in problems
        if problem.id in state.n
    ]
    write_table(folder / "counts.parquet", to_table(Count, counted))
    for name in ("samples", "foreign"):
        (folder / f"{name}.parquet").unlink(missing_ok=True)


def _count_row(problem: Problem, n: int, correct: int) -> Count:
    """Return imported counts as a row: verdicts, tokens and guesses are unknown."""
    group = str(json.loads(problem.meta).get("group", ""))
    return Count(problem.id, group, n, correct, 0, 0, 0, 0, 0, 0, 0, 0)


def _listed(names: Sequence[str]) -> str:
    """Return the first names as text."""
    more = f" and {len(names) - MAX_LISTED} more" if len(names) > MAX_LISTED else ""
    return ", ".join(map(repr, names[:MAX_LISTED])) + more


def _source_facts(
    format_name: str, files: Sequence[Path], model: str, options: ImportOptions
) -> dict[str, Any]:
    """Return the part of a manifest that says where results came from.

    Raises:
        DataError: two files have the same content.
    """
    digests = {path: _sha256(path) for path in files}
    check_file_digests(digests)
    return {
        "stage": STAGE,
        "format": format_name,
        "files": [
            {"file": str(path), "bytes": path.stat().st_size, "sha256": digest}
            for path, digest in digests.items()
        ],
        "model": model,
        "columns": dict(options.columns),
        "filter": options.filter,
    }


def _sha256(path: Path) -> str:
    """Return the hash of a file's content; empty for a pipe, which can be read only once."""
    if not path.is_file():
        return ""
    try:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise DataError(f"cannot be read: {error.strerror}", where=str(path)) from error


def _finish(folder: Path, problems: Sequence[Problem], manifest: dict[str, Any]) -> None:
    """Write the digests of the matched questions, and the manifest last."""
    digests = {problem.id: problem.question_digest for problem in problems}
    write_json(folder / "questions.json", digests)
    write_json(folder / "manifest.json", manifest)


def describe_import(manifest: Mapping[str, Any]) -> Iterator[str]:
    """Yield what an import found, a line each: to compare with the numbers that were published."""
    counts = ", ".join(f"{problems} with n = {n}" for n, problems in manifest["n"].items())
    yield f"{manifest['model']}: {manifest['responses']} responses; problems: {counts}"
    matched = manifest.get("matched_by") or {}
    if matched:
        yield "matched by " + ", ".join(f"{how} ({count})" for how, count in matched.items())
    for name, value in (manifest.get("notes") or {}).items():
        yield f"{name}: {value}"
    if manifest.get("skipped_responses"):
        names = manifest["skipped_problems"]
        yield (
            f"skipped {manifest['skipped_responses']} responses to {len(names)} problems that the "
            f"benchmark does not have: {', '.join(names[:MAX_LISTED])}"
        )
    if manifest.get("repeated_responses"):
        yield (
            f"warning: {manifest['repeated_responses']} of {manifest['responses']} responses "
            "repeat another one to the same problem"
        )
    if manifest.get("null_responses"):
        yield f"{manifest['null_responses']} null responses count as failed"
    correct = manifest.get("foreign", {}).get("correct", 0)
    if manifest.get("mean_correct") is not None:
        yield (
            f"the source's verdicts: {correct} of {manifest['responses']} correct, "
            f"pass@1 = {manifest['mean_correct']:.4f}"
        )
    elif manifest["kind"] == "responses":
        graded = manifest["verdicts"]
        yield (
            f"the source's verdicts: {graded} responses have one"
            if graded
            else ("the source has no verdicts")
        )
