"""Sampling: the responses of one shard of a cell, each drawn with its own seed."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, cast

from passk.core.artifacts import Manifest, digest, environment, read_manifest, write_manifest
from passk.core.documents import from_document
from passk.core.errors import EngineError
from passk.core.journal import Journal
from passk.core.schemas import UNSAMPLED, Problem, Sample, read_rows, to_table, write_table
from passk.engines.base import Request
from passk.engines.loader import Loader, Progress, is_made, part_of, shard_key, template_of
from passk.engines.prompts import render
from passk.spec.sampling import Sampling
from passk.stages.confirm import open_problems
from passk.stages.reuse import draw_key, question_keys, response_seed, stored_samples
from passk.stages.sampling_task import SamplingTask, read_sampling_task
from passk.stats.sample_repeats import count_repeats_by_problem, fingerprints, has_repeat_alarm

log = logging.getLogger(__name__)

TRUNCATION_WARNING = 0.05
"""Share of truncated responses above which a reader must be warned."""


def sample(
    cell: Path,
    problems: Path,
    shards: Sequence[tuple[Path, range]],
    *,
    selection: Path | None = None,
    threads: int | None = None,
    wait: bool = False,
    progress: Progress | None = None,
) -> None:
    """Draw the responses of one or several shards and write each as Sample rows.

    Weights load once for all of them, and not at all where nothing is left to draw. What a killed
    job had finished is in a journal beside each output and is not drawn again; the journals go
    when the last shard is written, for Snakemake deletes every output of a job that fails.

    Args:
        cell: cell.json, what decides the responses and how they are drawn.
        problems: file of Problem rows (gold answers are not looked at).
        shards: files of Sample rows to write, in the order of problems, then of samples; each
            with the indices of the responses to each problem.
        selection: file of Decision rows; only the problems that are open in it are drawn.
        threads: CPU threads, where the cell's execution names none.
        wait: wait for another process that draws the same responses instead of raising, and leave
            a shard that stands alone.
        progress: called as responses are finished.

    Raises:
        DataError: a file that is read is not of the form it should have.
        EngineError: the engine or its weights cannot be loaded, or failed while at work.
        OutputError: the output cannot be written, or another process is writing it.
    """
    document = read_sampling_task(cell)
    asked = read_rows(problems, Problem, empty=True)  # a judge may have nothing to read
    if selection is not None:
        chosen = open_problems(selection)
        asked = [problem for problem in asked if problem.id in chosen]
    loader = Loader(threads)
    with ExitStack() as stack:
        journals = []
        for number, (output, samples) in enumerate(shards):
            key = shard_key(document["fingerprint_inputs"], samples)
            journal = stack.enter_context(Journal(output, key, Sample, wait=wait))
            journals.append(journal)
            if wait and is_made(output, document["fingerprint_inputs"]):
                continue
            _shard(
                cell,
                document,
                asked,
                samples,
                journal,
                output,
                loader,
                part_of(progress, number, len(shards)),
            )
            journal.rows.clear()
        for journal in journals:
            journal.discard()


def _shard(
    cell: Path,
    document: SamplingTask,
    problems: Sequence[Problem],
    samples: range,
    journal: Journal[Sample],
    output: Path,
    loader: Loader,
    progress: Progress | None,
) -> None:
    """Draw what a shard still lacks, and write it."""
    began = time.perf_counter()
    total, resumed = len(problems) * len(samples), len(journal.rows)
    earlier = read_manifest(output) or {}
    seeds = _seeds(document, problems, samples)
    reused, source = _reuse(cell, document, seeds, samples, journal)
    requests = _requests(document, problems, samples, seeds, journal.rows)
    known = {"engine", "vocabulary", "dtype"}
    facts: dict[str, object] = {k: v for k, v in (source | earlier).items() if k in known}
    if requests:
        facts = _draw(document, requests, journal, output, total, loader, progress)
    if resumed or reused:
        dtypes = {source.get("dtype"), earlier.get("dtype"), str(facts.get("dtype") or "")}
        facts["dtype"] = " and ".join(sorted(filter(None, dtypes)))
    rows = [journal.rows[problem.id, index] for problem in problems for index in samples]
    found = describe_samples(rows, document["sampling"])
    manifest = {
        "stage": "sample",
        "cell": document["cell"],
        "fingerprint_inputs": document["fingerprint_inputs"],
        "samples": [samples.start, samples.stop],
        "responses": len(rows),
        "tokens": sum(row.n_tokens for row in rows),
        "resumed": resumed,
        "reused": reused,
        "sampling": document["sampling"],
        **found,
        "seconds": round(time.perf_counter() - began, 3),
        **facts,
    }
    _warn(document["cell"], len(rows), found)
    write_table(output, to_table(Sample, rows), manifest)


Seeds = Mapping[tuple[str, int], int]
"""(problem, index) -> seed of the response."""


def _seeds(document: SamplingTask, problems: Sequence[Problem], samples: range) -> Seeds:
    """Return the seed of every response of a shard."""
    key = draw_key(document["fingerprint_inputs"])
    questions = question_keys(problems, template_of(document))
    return {
        (problem.id, index): response_seed(key, questions[problem.id], index)
        for problem in problems
        for index in samples
    }


def _reuse(
    cell: Path,
    document: SamplingTask,
    seeds: Seeds,
    samples: range,
    journal: Journal[Sample],
) -> tuple[int, Manifest]:
    """Add responses that other files of the store hold; return how many, and a manifest of theirs.

    They are not written to the journal: a killed job finds them again.
    """
    needed = {seed: place for place, seed in seeds.items() if place not in journal.rows}
    count, source = 0, Manifest()
    key = draw_key(document["fingerprint_inputs"])
    for row, manifest in stored_samples(cell, key, needed, samples):
        journal.rows[row.problem_id, row.sample] = row
        count, source = count + 1, manifest
    return count, source


def _requests(
    document: SamplingTask,
    problems: Sequence[Problem],
    samples: range,
    seeds: Seeds,
    done: Mapping[tuple[str, int], Sample],
) -> list[Request]:
    """Return what is still to be drawn, in the order of the problems."""
    template, requests = template_of(document), []
    for problem in problems:
        left = tuple(index for index in samples if (problem.id, index) not in done)
        if left:
            own = tuple(seeds[problem.id, index] for index in left)
            requests.append(Request(problem.id, render(template, problem), left, own))
    return requests


def _draw(
    document: SamplingTask,
    requests: Sequence[Request],
    journal: Journal[Sample],
    output: Path,
    total: int,
    loader: Loader,
    progress: Progress | None,
) -> dict[str, object]:
    """Draw and journal the requested responses; return the facts of the run for the manifest."""
    sampling = from_document(Sampling, document["sampling"], document["cell"])
    engine, load_seconds = loader(document)
    source = loader.source(document)
    facts = {
        "engine": document["engine"],
        "vocabulary": engine.vocabulary,
        "dtype": engine.dtype,
    }
    write_manifest(output, {"stage": "sample", **facts})  # a run that only resumes reads it
    began, drawn, tokens = time.perf_counter(), 0, 0
    if hasattr(engine, "workspace"):
        engine.workspace = output.with_suffix(".batch")
    for row in engine.sample(requests, sampling):
        if (row.problem_id, row.sample) in journal.rows:
            raise EngineError(
                f"response {row.sample} to problem '{row.problem_id}' came twice",
                where=document["cell"],
            )
        journal.append(row)
        drawn, tokens = drawn + 1, tokens + row.n_tokens
        if progress is not None:
            progress(len(journal.rows), total)
    if len(journal.rows) != total:
        raise EngineError(
            f"{total - len(journal.rows)} of {total} responses never came", where=document["cell"]
        )
    return {
        **facts,
        "dtype": engine.dtype,  # vLLM knows it once it has read the weights
        "device": engine.device,
        "execution": source.execution,
        **source.passed_through(),
        "load_seconds": round(load_seconds, 3),
        "draw_seconds": round(time.perf_counter() - began, 3),
        "drawn_responses": drawn,
        "drawn_tokens": tokens,
        **(engine.record() if hasattr(engine, "record") else {}),
        "environment": environment(engine.packages),
    }


def describe_samples(rows: Sequence[Sample], sampling: Mapping[str, Any]) -> Manifest:
    """Return what a plan should warn of: responses cut short, repeats, and which prompts."""
    table = to_table(Sample, rows)
    counted = count_repeats_by_problem(
        (row.problem_id for row in rows), *fingerprints(table, sampling)
    ).values()
    prompts = sorted({(row.problem_id, row.prompt_digest) for row in rows if row.prompt_digest})
    return {
        "truncated": sum(row.finish_reason == "length" for row in rows),
        **_unsampled(rows),
        "repeats": sum(found for found, _ in counted),
        "expected_repeats": round(sum(expected for _, expected in counted), 3),
        "repeats_alarm": has_repeat_alarm(counted),
        **({"prompts": digest(prompts)} if prompts else {}),
    }


def _unsampled(rows: Sequence[Sample]) -> Manifest:
    """Return how many responses were refused, failed, or have no known tokens, where any."""
    ends = Counter(row.finish_reason for row in rows)
    unknown = sum(
        not row.n_tokens and bool(row.text or row.reasoning) and row.finish_reason not in UNSAMPLED
        for row in rows
    )
    found = {"refused": ends["refused"], "failed": ends["failed"], "unknown_tokens": unknown}
    return cast("Manifest", {name: count for name, count in found.items() if count})


def _warn(cell: str, responses: int, found: Manifest) -> None:
    """Say where many responses were cut at max_tokens (their verdicts say little), or repeat."""
    share = found["truncated"] / responses if responses else 0.0
    if share > TRUNCATION_WARNING:
        log.warning("%s: %.1f %% of the responses were cut at max_tokens", cell, 100 * share)
    if unsampled := found.get("refused", 0) + found.get("failed", 0):
        log.warning("%s: %d responses could not be sampled; see `passk retry`", cell, unsampled)
    if found["repeats_alarm"]:
        log.warning(
            "%s: %d of %d responses repeat another to the same problem, where their "
            "log-probabilities allow about %.0f: the sampler is at fault (a seed used twice, or "
            "one response given for several)",
            *(cell, found["repeats"], responses, found["expected_repeats"]),
        )
