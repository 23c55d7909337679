"""Sampling: the responses of one shard of a cell, each drawn with its own seed."""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from passk.engines.base import Engine, Request, Sampling
from passk.errors import EngineError
from passk.journal import Journal
from passk.prompts import render
from passk.recipes import digest, environment
from passk.records import Problem, Sample, read_rows, write_rows
from passk.registry import ENGINES, load
from passk.tasks import Progress, read_task, source_of, template_of

log = logging.getLogger(__name__)

TRUNCATION_WARNING = 0.05
"""Share of truncated responses above which a reader must be told."""


def response_seed(key: str, problem_id: str, sample: int) -> int:
    """Return the seed of one response, in [0, 2^63): a hash of cell and problem, plus the index.

    It depends on nothing else, so a shard can be resumed, split or enlarged. Consecutive samples
    have consecutive seeds, which is how vLLM seeds the n responses of one request.
    """
    start = hashlib.sha256(f"{key}\0{problem_id}".encode()).digest()
    return (int.from_bytes(start[:8], "big") + sample) % 2**63


def sample(
    cell: Path,
    problems: Path,
    output: Path,
    samples: range,
    *,
    threads: int | None = None,
    progress: Progress | None = None,
) -> None:
    """Draw the responses `samples` to every problem and write them as Sample rows.

    What a killed job had finished is in a journal beside the output and is not drawn again.

    Args:
        cell: cell.json, what decides the responses and how they are drawn.
        problems: file of Problem rows (gold answers are not looked at).
        output: file of Sample rows to write, in the order of problems, then of samples.
        samples: indices of the responses to each problem.
        threads: CPU threads, where the cell's execution names none.
        progress: called as responses are finished.

    Raises:
        DataError: a file that is read is not of the form it should have.
        EngineError: the engine or its weights cannot be loaded, or failed while at work.
        OutputError: the output cannot be written, or another process is writing it.
    """
    began = time.perf_counter()
    document = read_task(cell, "cell", "sampling")
    asked = read_rows(problems, Problem)
    key = digest(document["fields"])
    with Journal(output, digest([key, samples.start, samples.stop]), Sample) as journal:
        requests = _requests(document, asked, samples, key, journal.rows)
        total, resumed = len(asked) * len(samples), len(journal.rows)
        facts: dict[str, Any] = {}
        if requests:
            facts = _draw(document, requests, journal, total, threads, progress)
        rows = [journal.rows[problem.id, index] for problem in asked for index in samples]
        _warn(document["cell"], rows)
        tokens = sum(row.n_tokens for row in rows)
        recipe = {
            "stage": "sample",
            "cell": document["cell"],
            "fields": document["fields"],
            "samples": [samples.start, samples.stop],
            "responses": len(rows),
            "tokens": tokens,
            "resumed": resumed,
            "seconds": round(time.perf_counter() - began, 3),
            **facts,
        }
        write_rows(output, rows, recipe)
        journal.discard()


def _requests(
    document: Mapping[str, Any],
    problems: Sequence[Problem],
    samples: range,
    key: str,
    done: Mapping[tuple[str, int], Sample],
) -> list[Request]:
    """Return what is still to be drawn, in the order of the problems."""
    template, requests = template_of(document), []
    for problem in problems:
        left = tuple(index for index in samples if (problem.id, index) not in done)
        if left:
            seeds = tuple(response_seed(key, problem.id, index) for index in left)
            requests.append(Request(problem.id, render(template, problem), left, seeds))
    return requests


def _draw(
    document: Mapping[str, Any],
    requests: Sequence[Request],
    journal: Journal[Sample],
    total: int,
    threads: int | None,
    progress: Progress | None,
) -> dict[str, Any]:
    """Draw and journal the requested responses; return the facts of the run for the recipe."""
    began = time.perf_counter()
    engine: Engine = load("engine", document["engine"], ENGINES).load(source_of(document, threads))
    loaded = time.perf_counter()
    sampling = document["sampling"]
    drawn = tokens = 0
    for row in engine.sample(requests, _sampling(document)):
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
        "engine": document["engine"],
        "device": engine.device,
        "sampling": sampling,
        "execution": source_of(document, threads).execution,
        "load_seconds": round(loaded - began, 3),
        "draw_seconds": round(time.perf_counter() - loaded, 3),
        "drawn_responses": drawn,
        "drawn_tokens": tokens,
        **({"usage": engine.usage} if hasattr(engine, "usage") else {}),
        "environment": environment(engine.packages),
    }


def _sampling(document: Mapping[str, Any]) -> Sampling:
    """Return how a cell.json has its responses drawn."""
    lists = {k: tuple(v) for k, v in document["sampling"].items() if isinstance(v, list)}
    return Sampling(**{**document["sampling"], **lists})


def _warn(cell: str, rows: Sequence[Sample]) -> None:
    """Say where many responses were cut at max_tokens: their verdicts say little."""
    share = sum(row.finish_reason == "length" for row in rows) / len(rows)
    if share > TRUNCATION_WARNING:
        log.warning("%s: %.1f %% of the responses were cut at max_tokens", cell, 100 * share)
