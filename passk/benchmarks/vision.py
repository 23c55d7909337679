"""Adapters for MathVista and MathVision: choices, units and answer types as text."""

from __future__ import annotations

from typing import Any

from passk.benchmarks.base import Row

KINDS = {
    "integer": "Answer with a whole number.",
    "list": "Answer with a list of numbers in brackets.",
}
"""MathVista's type of a free-form answer -> the instruction that the question gets."""


def mathvista(row: Row) -> Row:
    """Return a row of MathVista (Lu et al. 2024, arXiv 2310.02255) with `id` and a typed `gold`.

    The question names unit, kind and precision of a free-form answer, which it is graded by, and
    the choices where there are any.
    """
    choices = [str(choice) for choice in row.get("choices") or []]
    kind, precision = row["answer_type"], int(float(row.get("precision") or 0))
    question = str(row["question"]).rstrip()
    if row.get("unit"):
        question += f" (Unit: {row['unit']})"
    if choices:
        gold: dict[str, Any] = {"answer": str(row["answer"]), "choices": choices}
        question += _listed(choices)
    else:
        gold = {"answer": str(row["answer"]), "type": kind}
        if kind == "float":
            gold["precision"] = precision
            places = "1 decimal place" if precision == 1 else f"{precision} decimal places"
            question += f"\nAnswer with a number of {places}."
        elif kind in KINDS:
            question += f"\n{KINDS[kind]}"
    return {**row, "id": row["pid"], "question": question, "gold": gold}


def mathvision(row: Row) -> Row:
    """Return a row of MathVision (Wang et al. 2024, arXiv 2402.14804) with its options.

    Free-form answers are graded as mathematics.
    """
    options = [str(option) for option in row.get("options") or []]
    if not options:
        return {**row, "gold": str(row["answer"])}
    question = str(row["question"]).rstrip() + _listed(options)
    return {**row, "question": question, "gold": {"answer": str(row["answer"]), "choices": options}}


def _listed(choices: list[str]) -> str:
    """Return choices as lines, each with its letter."""
    lines = [f"({chr(ord('A') + index)}) {choice}" for index, choice in enumerate(choices)]
    return "\nChoices:\n" + "\n".join(lines)
