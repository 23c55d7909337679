"""Explain one verdict: what was extracted, how both sides were read, which step decided."""

from __future__ import annotations

from passk.core.registry import VERIFIERS, load
from passk.verifiers.base import ExplainsReading, FindsAnswer, Verifier
from passk.verifiers.grading.grade import grade
from passk.verifiers.grading.worker_pool import PoolConfig


def explain(gold: str, response: str, setup: PoolConfig) -> list[tuple[str, str]]:
    """Return (label, text) lines that explain the verdict on one response.

    Args:
        gold: the gold answer, JSON of `Problem.gold`.
        response: its text.
        setup: the verifier, its options and the limits; the comparison runs as in `grade`.
    """
    verifier: Verifier = load("verifier", setup.verifier, VERIFIERS)(**setup.options)
    lines = [("gold", gold)]
    if isinstance(verifier, FindsAnswer):
        found = verifier.find_answer(response)
        lines.append(("extracted", found.answer if found else "nothing"))
        lines.append(("by rule", found.rule if found else "no rule finds an answer"))
        lines += [("note", found.note)] if found and found.note else []
        answer = found.answer if found else None
    else:
        answer = verifier.extract(response)
        lines.append(("extracted", "nothing" if answer is None else answer))
    if answer is not None and isinstance(verifier, ExplainsReading):
        lines += verifier.readings(gold, answer)
    (verdict,) = grade([(gold, response)], setup)
    return [*lines, ("decided by", verdict.detail), ("verdict", verdict.verdict)]
