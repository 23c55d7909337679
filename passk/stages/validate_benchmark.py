"""Check one benchmark file: whether it can be used, and what a model and a verifier get from it."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import TypedDict

from passk.benchmarks.base import MissingSourceError, describe_source
from passk.benchmarks.source import find_source, identity_of, load_problems, unpinned
from passk.core.errors import SpecError
from passk.core.schemas import Problem
from passk.engines.base import Prompt
from passk.engines.prompts import as_text, render
from passk.spec.loading import catalogue_file, load_benchmark, load_prompt
from passk.spec.models import Benchmark, Experiment
from passk.stages.check_golds import answer_forms, asks_for, check_golds, check_questions


class Examined(TypedDict):
    """What a benchmark's file holds."""

    file: str
    title: str
    source: str
    problems: int
    digests: dict[str, str]
    prompt: str | None
    id: str
    rendered: str
    images: list[str]
    gold: str
    verifier: str
    answer_forms: list[str]
    warnings: list[str]


def with_source(benchmark: Benchmark, source: Path | None) -> Benchmark:
    """Return a benchmark that is read from a file in place of its own sources."""
    if source is None:
        return benchmark
    own = next((s for s in benchmark.sources if "file" in s), {})
    kept = {key: own[key] for key in ("images", "columns") if key in own}
    return dataclasses.replace(benchmark, sources=({**kept, "file": str(source.absolute())},))


def examine(file: Path, source: Path | None = None, *, text_only: bool = False) -> Examined:
    """Return what a benchmark holds, with its first prompt and gold answer, as plain JSON.

    Args:
        file: the benchmark's YAML file.
        source: a data file to read in place of the sources that it names.
        text_only: leave images out.

    Raises:
        SpecError: the file, its prompt or the options of its verifier are at fault.
        DataError: the source cannot be read, has drifted, or has a gold answer of another form
            than its verifier reads.
    """
    benchmark = with_source(load_benchmark(file), source)
    problems = load_problems(benchmark, text_only=text_only)
    warnings = [warning] if (warning := unpinned(benchmark)) else []
    warnings += check_problems(benchmark, problems)
    identity, first = identity_of(problems), problems[0]
    shown, forms = as_text(_rendered(benchmark, first)), answer_forms(benchmark, first)
    asked = benchmark.prompt is None or asks_for(shown, forms)
    if not asked:
        warnings.append(
            f"prompt '{benchmark.prompt}' asks for none of the forms of answer that verifier "
            f"'{benchmark.verifier}' finds"
        )
    return {
        "file": str(file),
        "title": benchmark.title,
        "source": describe_source(benchmark, find_source(benchmark, fetch=False)[0]),
        "problems": len(problems),
        "digests": {"questions": identity.questions, "golds": identity.golds},
        "prompt": benchmark.prompt,
        "id": first.id,
        "rendered": shown,
        "images": first.images,
        "gold": first.gold,
        "verifier": benchmark.verifier,
        "answer_forms": forms,
        "warnings": warnings,
    }


def check_problems(benchmark: Benchmark, problems: Sequence[Problem]) -> list[str]:
    """Return warnings about golds and questions; errors as for `examine`."""
    return [*check_golds(benchmark, problems), *check_questions(benchmark, problems)]


def check_study(experiment: Experiment) -> list[str]:
    """Return warnings about the problems of every benchmark of a spec that needs no download.

    Raises:
        DataError: a gold answer cannot be read, or equal questions have different ones.
    """
    found = []
    for use in experiment.benchmarks.values():
        benchmark = experiment.catalogue[use.name]
        try:
            find_source(benchmark, fetch=False)
        except MissingSourceError:
            continue
        problems = load_problems(benchmark, use.problems, use.only)
        found += [f"benchmark '{use.name}': {one}" for one in check_problems(benchmark, problems)]
    return found


def _rendered(benchmark: Benchmark, problem: Problem) -> Prompt:
    """Return a problem as the benchmark's prompt asks it; its bare question without one."""
    if benchmark.prompt is None:
        return Prompt(text=problem.question)
    try:
        file = catalogue_file("prompts", benchmark.prompt, benchmark.file.parent)
    except SpecError as error:
        raise SpecError(error.what, where=f"{benchmark.file}: prompt") from error
    return render(load_prompt(file), problem)
