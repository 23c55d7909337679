"""Perplexity: how likely a scorer finds responses, of a model or of any other source."""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict, cast

from passk.core.artifacts import Manifest, digest, environment, read_manifest, write_manifest
from passk.core.errors import DataError, EngineError
from passk.core.journal import Journal
from passk.core.schemas import Problem, Sample, Score, read_rows, write_rows
from passk.engines.base import Engine, ScoreRequest
from passk.engines.loader import Loader, Progress, is_made, part_of, read_task, template_of
from passk.engines.prompts import render
from passk.stages.reuse import question_keys, response_key, stored_scores


class ScoreTask(TypedDict):
    """A score.json: what decides scores, and how they are computed."""

    scorer: str
    target: str
    fingerprint_inputs: Mapping[str, object]
    engine: str
    model: Mapping[str, object]
    prompt: Mapping[str, object]
    per_problem: int


OWN_TOKENS = "the sampler's own"
RETOKENISED = "the text tokenised by the scorer"


@dataclass(frozen=True, slots=True)
class Scored:
    """One file of scores to make, and what it is made from.

    Attributes:
        task: score.json, what scores, after which prompt, and how many responses per problem.
        problems: file of Problem rows (gold answers are not looked at).
        samples: file of Sample rows.
        output: file of Score rows to write, in the order of the samples.
    """

    task: Path
    problems: Path
    samples: Path
    output: Path


def perplexity(
    files: Sequence[Scored],
    *,
    threads: int | None = None,
    wait: bool = False,
    progress: Progress | None = None,
) -> None:
    """Score the first responses to each problem of several files, and write them as Score rows.

    The scorer's weights load once for all of them. A response is scored by its own tokens where
    the scorer has the sampler's vocabulary, and by its text otherwise; the manifest says
    which. An empty response has no perplexity (nan). Journals are kept until the last file
    is written, as in sampling.

    Args:
        files: what to score; one task after the other.
        threads: CPU threads, where the model's execution names none.
        wait: wait for another process that scores the same responses instead of raising, and leave
            a file that stands alone.
        progress: called with (responses done, responses in all).

    Raises:
        DataError: a file that is read is not of the form it should have.
        EngineError: the engine or its weights cannot be loaded, or failed while at work.
        OutputError: the output cannot be written, or another process is writing it.
    """
    loader = Loader(threads)
    with ExitStack() as stack:
        journals = []
        for number, one in enumerate(files):
            document = cast("ScoreTask", read_task(one.task, "scorer", "target", "per_problem"))
            rows = _responses_to_score(document, one)
            key = digest([document["fingerprint_inputs"], _content(rows)])
            journal = stack.enter_context(Journal(one.output, key, Score, wait=wait))
            journals.append(journal)
            if wait and is_made(one.output, document["fingerprint_inputs"]):
                continue
            part = part_of(progress, number, len(files))
            _score_file(document, one, rows, journal, loader, part)
            journal.rows.clear()
        for journal in journals:
            journal.discard()


def _score_file(
    document: ScoreTask,
    one: Scored,
    rows: Sequence[Sample],
    journal: Journal[Score],
    loader: Loader,
    progress: Progress | None,
) -> None:
    """Score what a file still lacks, and write it."""
    began = time.perf_counter()
    earlier = read_manifest(one.output) or {}
    known = {"engine", "vocabulary", "tokens_are"}
    facts: dict[str, object] = {name: v for name, v in earlier.items() if name in known}
    keys = _response_keys(document, one, rows)
    reused, source = _reuse(document, one, rows, keys, journal)
    facts = {name: v for name, v in source.items() if name in known} | facts
    left = [row for row in rows if (row.problem_id, row.sample) not in journal.rows]
    if left:
        facts = _score(document, one, left, keys, journal, loader, len(rows), progress)
    scores = [journal.rows[row.problem_id, row.sample] for row in rows]
    manifest = {
        "stage": "perplexity",
        "scorer": document["scorer"],
        "target": document["target"],
        "fingerprint_inputs": document["fingerprint_inputs"],
        "responses": len(scores),
        "reused": reused,
        "empty": sum(score.n_tokens == 0 for score in scores),
        "tokens": sum(score.n_tokens for score in scores),
        "seconds": round(time.perf_counter() - began, 3),
        **facts,
    }
    write_rows(one.output, scores, manifest)


def _responses_to_score(document: ScoreTask, one: Scored) -> list[Sample]:
    """Return the responses of a file that are scored."""
    return [row for row in read_rows(one.samples, Sample) if row.sample < document["per_problem"]]


def _content(rows: list[Sample]) -> list[list[str | int]]:
    """Return what identifies the responses that are scored."""
    return [[row.problem_id, row.sample, row.seed, row.text] for row in rows]


def tokens_of(sampled: Manifest | None, vocabulary: str) -> str:
    """Say by which tokens responses are scored.

    These are the sampler's own where the vocabulary it recorded is the scorer's.

    Args:
        sampled: the manifest of the responses.
        vocabulary: digest of the scorer's vocabulary; empty where nobody knows it.
    """
    recorded = (sampled or {}).get("vocabulary")
    return OWN_TOKENS if recorded and recorded == vocabulary else RETOKENISED


Keys = Mapping[tuple[str, int], str]
"""(problem, index) -> `response_key` of the response."""


def _response_keys(document: ScoreTask, one: Scored, rows: Sequence[Sample]) -> Keys:
    """Return what identifies each response that is scored.

    Raises:
        DataError: a response belongs to no problem.
    """
    questions = question_keys(read_rows(one.problems, Problem), template_of(document))
    unknown = next((row.problem_id for row in rows if row.problem_id not in questions), None)
    if unknown is not None:
        raise DataError(f"no problem '{unknown}'", where=str(one.samples))
    return {
        (row.problem_id, row.sample): response_key(questions[row.problem_id], row) for row in rows
    }


def _reuse(
    document: ScoreTask,
    one: Scored,
    rows: Sequence[Sample],
    keys: Keys,
    journal: Journal[Score],
) -> tuple[int, Manifest]:
    """Add scores that other files of the store hold; return how many, and a manifest of theirs."""
    needed: dict[str, list[Sample]] = {}
    for row in rows:
        if (row.problem_id, row.sample) not in journal.rows:
            needed.setdefault(keys[row.problem_id, row.sample], []).append(row)
    count, source = 0, Manifest()
    for score, manifest in stored_scores(one.task, document["fingerprint_inputs"], needed):
        journal.rows[score.problem_id, score.sample] = score
        count, source = count + 1, manifest
    return count, source


def _requests(
    document: ScoreTask, one: Scored, rows: Sequence[Sample], *, exact: bool
) -> Iterator[ScoreRequest]:
    """Yield responses as the engine is asked to score them.

    A complete response ends with the ending token, whoever wrote it; where the prompt has stop
    strings, none does.
    """
    problems = {problem.id: problem for problem in read_rows(one.problems, Problem)}
    template = template_of(document)
    for row in rows:
        prompt = render(template, problems[row.problem_id])
        tokens = tuple(row.token_ids) if exact else ()
        complete, by_string = row.finish_reason == "stop", bool(template.stop)
        yield ScoreRequest(
            *(row.problem_id, row.sample, prompt, row.text, tokens),
            ended=complete and not by_string,
            text_only=complete and by_string,
        )


def _score(
    document: ScoreTask,
    one: Scored,
    rows: Sequence[Sample],
    keys: Keys,
    journal: Journal[Score],
    loader: Loader,
    total: int,
    progress: Progress | None,
) -> dict[str, object]:
    """Score and journal the responses; return the facts of the run for the manifest."""
    engine, load_seconds = loader(document)
    tokens_are = tokens_of(read_manifest(one.samples), engine.vocabulary)
    facts = {"engine": document["engine"], "vocabulary": engine.vocabulary}
    facts["tokens_are"] = tokens_are
    write_manifest(one.output, {"stage": "perplexity", **facts})  # a run that only resumes reads it
    began = time.perf_counter()
    requests = list(_requests(document, one, rows, exact=tokens_are == OWN_TOKENS))
    for score in _scores(engine, requests):
        response = keys[score.problem_id, score.sample]
        journal.append(dataclasses.replace(score, response=response))
        if progress is not None:
            progress(len(journal.rows), total)
    if len(journal.rows) != total:
        raise EngineError(
            f"{total - len(journal.rows)} of {total} scores never came", where=document["target"]
        )
    return {
        **facts,
        "device": engine.device,
        "dtype": engine.dtype,
        "load_seconds": round(load_seconds, 3),
        "draw_seconds": round(time.perf_counter() - began, 3),
        "drawn_responses": len(requests),
        "environment": environment(engine.packages),
    }


def _scores(engine: Engine, requests: Sequence[ScoreRequest]) -> Iterator[Score]:
    """Yield a score per request; one without any token has none (nan), and is not asked for."""
    asked = [one for one in requests if one.token_ids or one.text or one.ended]
    for one in requests:
        if not (one.token_ids or one.text or one.ended):
            yield Score(one.problem_id, one.sample, 0, 0.0, math.nan)
    if asked:
        yield from engine.score(asked)
