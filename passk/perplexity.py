"""Perplexity: how likely a scorer finds responses that some model, or nobody's model, wrote."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from passk.engines.base import Engine, ScoreRequest
from passk.errors import DataError, EngineError
from passk.journal import Journal
from passk.prompts import render
from passk.recipes import digest, environment, read_recipe
from passk.records import Problem, Sample, Score, read_rows, write_rows
from passk.registry import ENGINES, load
from passk.tasks import Progress, read_task, source_of, template_of


def perplexity(
    task: Path,
    problems: Path,
    samples: Path,
    output: Path,
    *,
    threads: int | None = None,
    progress: Progress | None = None,
) -> None:
    """Score a file's first responses to each problem and write them as Score rows.

    A response is scored by its own tokens where the scorer drew it, and by its text otherwise.

    Args:
        task: score.json, what scores, after which prompt, and how many responses per problem.
        problems: file of Problem rows (gold answers are not looked at).
        samples: file of Sample rows.
        output: file of Score rows to write, in the order of the samples.
        threads: CPU threads, where the model's execution names none.
        progress: called with (responses done, responses in all).

    Raises:
        DataError: a file that is read is not of the form it should have.
        EngineError: the engine or its weights cannot be loaded, or failed while at work.
        OutputError: the output cannot be written, or another process is writing it.
    """
    began = time.perf_counter()
    document = read_task(task, "scorer", "target", "per_problem")
    by_id = {problem.id: problem for problem in read_rows(problems, Problem)}
    rows = [row for row in read_rows(samples, Sample) if row.sample < document["per_problem"]]
    exact = _same_tokens(document, samples)
    key = digest([document["fields"], _content(rows)])
    with Journal(output, key, Score) as journal:
        left = [row for row in rows if (row.problem_id, row.sample) not in journal.rows]
        requests = [_request(document, by_id, row, samples, exact=exact) for row in left]
        facts = _score(document, requests, journal, len(rows), threads, progress) if left else {}
        scores = [journal.rows[row.problem_id, row.sample] for row in rows]
        recipe = {
            "stage": "perplexity",
            "scorer": document["scorer"],
            "target": document["target"],
            "fields": document["fields"],
            "tokens_are": "the sampler's own" if exact else "the text tokenised by the scorer",
            "responses": len(scores),
            "tokens": sum(score.n_tokens for score in scores),
            "seconds": round(time.perf_counter() - began, 3),
            **facts,
        }
        write_rows(output, scores, recipe)
        journal.discard()


def _content(rows: list[Sample]) -> list[list[Any]]:
    """Return what identifies the responses that are scored."""
    return [[row.problem_id, row.sample, row.seed, row.text] for row in rows]


def _same_tokens(document: Mapping[str, Any], samples: Path) -> bool:
    """Tell whether the samples' tokens are the scorer's: the same weights and engine drew them."""
    fields = (read_recipe(samples) or {}).get("fields", {})
    return bool(fields) and all(
        fields.get(name) == document["fields"].get(name)
        for name in ("weights", "revision", "engine")
    )


def _request(
    document: Mapping[str, Any],
    problems: Mapping[str, Problem],
    row: Sample,
    samples: Path,
    *,
    exact: bool,
) -> ScoreRequest:
    """Return one response as the engine is asked to score it."""
    if row.problem_id not in problems:
        raise DataError(f"no problem '{row.problem_id}'", where=str(samples))
    prompt = render(template_of(document), problems[row.problem_id])
    tokens = tuple(row.token_ids) if exact else ()
    return ScoreRequest(row.problem_id, row.sample, prompt, row.text, tokens)


def _score(
    document: Mapping[str, Any],
    requests: list[ScoreRequest],
    journal: Journal[Score],
    total: int,
    threads: int | None,
    progress: Progress | None,
) -> dict[str, Any]:
    """Score and journal the responses; return the facts of the run for the recipe."""
    began = time.perf_counter()
    engine: Engine = load("engine", document["engine"], ENGINES).load(source_of(document, threads))
    loaded = time.perf_counter()
    for score in engine.score(requests):
        journal.append(score)
        if progress is not None:
            progress(len(journal.rows), total)
    if len(journal.rows) != total:
        raise EngineError(
            f"{total - len(journal.rows)} of {total} scores never came", where=document["target"]
        )
    return {
        "engine": document["engine"],
        "device": engine.device,
        "load_seconds": round(loaded - began, 3),
        "draw_seconds": round(time.perf_counter() - loaded, 3),
        "drawn_responses": len(requests),
        "environment": environment(engine.packages),
    }
