"""Problems and reference responses as files of rows."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from passk.benchmarks.source import identify, load_problems
from passk.core.artifacts import environment
from passk.core.errors import DataError
from passk.core.references import read_references
from passk.core.schemas import Problem, Sample, read_rows, write_rows
from passk.spec.loading import load_benchmark


def write_problems(
    benchmark: Path,
    output: Path,
    *,
    limit: int | None = None,
    only: Sequence[str] | None = None,
    questions_only: bool = False,
    expect: str | None = None,
) -> None:
    """Write a benchmark's problems as rows.

    Args:
        benchmark: the benchmark's YAML file.
        output: file of Problem rows to write; images are stored in `images/` beside it.
        limit: only the first so many.
        only: only those with these ids.
        questions_only: leave the gold answers out, for jobs that must not see them.
        expect: digest that the questions, or the answers (`Identity.answers`), must have.

    Raises:
        SpecError: the benchmark file is at fault.
        DataError: the source cannot be read, or is not what the plan was made for.
    """
    described = load_benchmark(benchmark)
    identity = identify(described, limit, only)
    found = identity.questions if questions_only else identity.answers
    if expect is not None and expect != found:
        raise DataError(
            f"the source changed after the plan was made: digest {found}, planned {expect}",
            where=str(benchmark),
            fix="start the run again",
        )
    stored = output.parent / "images"
    problems = load_problems(described, limit, only, images=stored, with_golds=not questions_only)
    if questions_only:
        problems = [dataclasses.replace(row, gold_digest="") for row in problems]
    manifest = {
        "stage": "problems",
        "benchmark": described.name,
        "sources": [dict(source) for source in described.sources],
        "problems": len(problems),
        "questions": identity.questions,
        "golds": identity.golds,
        **({"solutions": identity.solutions} if identity.solutions else {}),
        "environment": environment(),
    }
    write_rows(output, problems, manifest)


def write_references(
    problems: Path, output: Path, *, template: str | None = None, responses: Path | None = None
) -> None:
    """Write responses that no model of the spec drew as Sample rows, to be scored.

    Args:
        problems: file of Problem rows with gold answers.
        output: file of Sample rows to write; they have no tokens and no log-probability.
        template: how a gold answer reads as a response: holds `{gold}`.
        responses: JSONL file with `problem_id` and `text`, instead of the gold answers.

    Raises:
        DataError: a line lacks a field, names no problem, or says again what another says.
    """
    asked = read_rows(problems, Problem)
    texts: Sequence[tuple[str, str]]
    if responses is None:
        texts = [
            (problem.id, (template or "{gold}").replace("{gold}", _gold(problem)))
            for problem in asked
        ]
    else:
        texts = read_references(responses, {problem.id for problem in asked})
    seen: dict[str, int] = {}
    rows = []
    for problem_id, text in texts:
        index = seen[problem_id] = seen.get(problem_id, -1) + 1
        rows.append(
            Sample(
                problem_id=problem_id,
                sample=index,
                seed=0,
                text=text,
                token_ids=[],
                n_tokens=0,
                finish_reason="stop",
                sum_logprob=0.0,
                mean_entropy=0.0,
            )
        )
    manifest = {"stage": "reference", "template": template, "responses": str(responses or "")}
    write_rows(output, rows, manifest)


def _gold(problem: Problem) -> str:
    """Return a problem's gold answer as text; the first where several are right."""
    gold: Any = json.loads(problem.gold)
    return str(gold[0] if isinstance(gold, list) else gold)
