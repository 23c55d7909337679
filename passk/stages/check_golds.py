"""Checks of a benchmark's problems: golds that grade themselves, questions that repeat."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any

from passk.core.errors import DataError
from passk.core.registry import VERIFIERS, load
from passk.core.schemas import Problem
from passk.spec.models import Benchmark
from passk.verifiers.base import CustomGold, CustomPool, NotesGolds, Verifier
from passk.verifiers.gold import gold_answers

BARE = "the bare answer"
"""The form of an answer with nothing around it."""

FORMS = {
    r"\boxed{...}": r"So it is \boxed{{gold}}.",
    "`The answer is ...`": "The answer is {gold}",
    "`Answer: ...`": "Answer: {gold}",
    "`#### ...`": "#### {gold}",
    BARE: "{gold}",
}
"""Form of an answer, as people call it -> a response of that form."""

ASKED = {
    r"\boxed{...}": r"boxed",
    "`The answer is ...`": "answer is",
    "`Answer: ...`": r"answer\W*:",
    "`#### ...`": "####",
    "a block of code": "```|code|program|function|implement|python|solution",
    "a letter": "option|choice|letter",
}
"""Form of an answer -> a pattern of prompts that ask for it."""

MAX_NAMED = 3
"""Problems that one message names."""


def check_golds(benchmark: Benchmark, problems: Sequence[Problem]) -> list[str]:
    """Grade each gold answer against itself; return a warning for those that are not correct.

    Raises:
        DataError: a gold answer is empty, is not of the verifier's form, or holds nothing that the
            verifier finds as an answer.
    """
    verifier: Verifier = load("verifier", benchmark.verifier, VERIFIERS)(**benchmark.options)
    failed, notes = [], dict[str, list[str]]()
    for problem in problems:
        try:
            if isinstance(verifier, CustomGold):
                verifier.check_gold(problem.gold)
            graded = _grades_itself(verifier, benchmark.gold_response, problem.gold)
        except ValueError as error:
            raise DataError(
                f"the gold answer of problem '{problem.id}' is not one that verifier "
                f"'{benchmark.verifier}' reads: {error}",
                where=str(benchmark.file),
                fix="name the column of the gold answer under `columns`, or another verifier",
            ) from error
        if not graded:
            failed.append(problem.id)
        if isinstance(verifier, NotesGolds) and (note := verifier.gold_note(problem.gold)):
            notes.setdefault(note, []).append(problem.id)
    told = [
        f"{note} ({_count(ids, problems)} gold answers: {_named(ids)})"
        for note, ids in notes.items()
    ]
    if not failed:
        return told
    what = f"verifier '{benchmark.verifier}' does not grade {_count(failed, problems)} gold answers"
    return [f"{what} as equal to themselves: {_named(failed)}", *told]


def _grades_itself(verifier: Verifier, template: str, gold: str) -> bool:
    """Tell whether a gold answer, given as a response, is graded correct.

    Undecided by the quick rules counts as correct: the slow ones run in workers, at grading.

    Raises:
        ValueError: it is empty or unreadable.
    """
    if isinstance(verifier, CustomPool):
        return True  # a program: its tests are the gold, and there is no answer to compare
    answers = _answers(gold)
    found = False
    for answer in answers:
        for form in (template, *FORMS.values()):
            extracted = verifier.extract(form.replace("{gold}", answer))
            found = found or extracted is not None
            outcome = verifier.quick_compare(gold, extracted) if extracted is not None else None
            if extracted is not None and (outcome is None or outcome.verdict == "correct"):
                return True
    if not found:
        raise ValueError(f"it finds no answer in {answers[0]!r:.60}")
    return False


def _answers(gold: str) -> list[str]:
    """Return the answers of a gold: those listed, or the `answer` of one with choices."""
    value: Any = json.loads(gold, parse_float=str, parse_int=str, parse_constant=str)
    if isinstance(value, dict):
        return [str(value.get("answer", ""))]
    return gold_answers(gold)


def answer_forms(benchmark: Benchmark, problem: Problem) -> list[str]:
    """Return the forms of answer that the verifier finds, tried on a problem's gold answer."""
    verifier: Verifier = load("verifier", benchmark.verifier, VERIFIERS)(**benchmark.options)
    if isinstance(verifier, CustomPool):
        return ["a block of code"]
    answer = _answers(problem.gold)[0]
    found = []
    for name, form in FORMS.items():
        extracted = verifier.extract(form.replace("{gold}", answer))
        if extracted is None:
            continue
        outcome = verifier.quick_compare(problem.gold, extracted)
        if outcome is None or outcome.verdict == "correct":
            found.append(name)
    return found


def asks_for(prompt: str, forms: Sequence[str]) -> bool:
    """Tell whether a prompt asks for one of some forms; a bare answer needs no asking."""
    patterns = [ASKED[form] for form in forms if form in ASKED]
    return BARE in forms or any(re.search(pattern, prompt, re.IGNORECASE) for pattern in patterns)


def check_questions(benchmark: Benchmark, problems: Sequence[Problem]) -> list[str]:
    """Return a warning for questions that occur twice.

    Raises:
        DataError: two of the same question have different gold answers.
    """
    repeated = list(_repeated(problems))
    for first, again in repeated:
        if first.gold_digest != again.gold_digest:
            raise DataError(
                f"problems '{first.id}' and '{again.id}' ask the same question and have different "
                f"gold answers: {first.gold:.40} and {again.gold:.40}",
                where=str(benchmark.file),
                fix="remove or correct one of them in the source",
            )
    if not repeated:
        return []
    ids = [again.id for _, again in repeated]
    return [f"{_count(ids, problems)} problems repeat the question of another: {_named(ids)}"]


def _repeated(problems: Sequence[Problem]) -> Iterator[tuple[Problem, Problem]]:
    """Yield (first, again) for each problem whose question, with its images, occurred before."""
    seen: dict[tuple[str, tuple[str, ...]], Problem] = {}
    for problem in problems:
        first = seen.setdefault((problem.question.strip(), tuple(problem.images)), problem)
        if first is not problem:
            yield first, problem


def _count(some: Sequence[object], every: Sequence[object]) -> str:
    """Return `3 of 500`."""
    return f"{len(some)} of {len(every)}"


def _named(ids: Sequence[str]) -> str:
    """Return the first few ids in quotes."""
    more = ", ..." if len(ids) > MAX_NAMED else ""
    return ", ".join(f"'{name}'" for name in ids[:MAX_NAMED]) + more
