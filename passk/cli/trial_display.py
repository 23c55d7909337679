"""What `passk try` prints."""

from __future__ import annotations

import textwrap
from collections import Counter

from passk.workflow.try_study import Attempt, ProblemTrial, Trial

MAX_CHARACTERS = 1500
"""Longest text that is printed whole; of a longer one, the start and the end."""


def print_trial(trial: Trial) -> None:
    """Print what one model made of one benchmark."""
    cell = trial.cell
    print(f"== {cell.model.name} on {cell.benchmark.name}, sampler {cell.sampler.name} ==\n")
    if trial.skipped:
        print(f"not tried: {trial.skipped}\n")
    for problem in trial.problems:
        _print_problem(problem)
    for warning in trial.warnings():
        print(f"warning: {warning}")
    print(flush=True)


def summary_line(trials: list[Trial]) -> str:
    """Return how many responses got which verdict."""
    attempts = [a for trial in trials for problem in trial.problems for a in problem.attempts]
    counts = Counter(attempt.grade.verdict for attempt in attempts)
    listed = ", ".join(f"{count} {name}" for name, count in counts.most_common())
    warnings = sum(len(trial.warnings()) for trial in trials)
    plural = "" if warnings == 1 else "s"
    return f"{len(attempts)} responses: {listed or 'none'}; {warnings} warning{plural}"


def _print_problem(trial: ProblemTrial) -> None:
    """Print a problem's prompt, then each response with its grade."""
    print(f"problem {trial.problem.id}, prompt:\n{_block(trial.prompt)}\n")
    for attempt in trial.attempts:
        _print_attempt(attempt, trial.problem.gold)


def _print_attempt(attempt: Attempt, gold: str) -> None:
    """Print one response and its grade."""
    row, grade = attempt.response, attempt.grade
    ended = f"{row.finish_reason}: {row.error}" if row.error else row.finish_reason
    print(f"response {row.sample}, {row.n_tokens} tokens, {ended}:")
    if row.reasoning:
        print(f"  reasoning (not graded):\n{_block(row.reasoning)}")
    print(_block(row.text))
    answer = "nothing found" if grade.answer is None else _short(grade.answer)
    print(f"  answer: {answer}   gold: {_short(gold.strip(chr(34)))}   verdict: {grade.verdict}\n")


def _block(text: str) -> str:
    """Return a text indented, without its middle where it is long."""
    half = MAX_CHARACTERS // 2
    if len(text) > MAX_CHARACTERS:
        text = f"{text[:half]}\n[... {len(text) - 2 * half} characters ...]\n{text[-half:]}"
    return textwrap.indent(text, "  | ", lambda _: True)


def _short(text: str) -> str:
    """Return a text on one line, cut where it is long."""
    return textwrap.shorten(text, 200, placeholder=" ...") if len(text) > 200 else text  # noqa: PLR2004
