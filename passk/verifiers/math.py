"""Mathematical answers: extraction, then a cascade from cheap rules to Math-Verify."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from passk.errors import VerifierError, did_you_mean
from passk.verifiers.base import Outcome
from passk.verifiers.extract import DEFAULT_RULES, RULES, boxed, extract_answer, hashes
from passk.verifiers.gold import gold_answers
from passk.verifiers.latex import normal
from passk.verifiers.number import exact
from passk.verifiers.options import read_options, require_one_of
from passk.verifiers.symbolic import symbolic_equal


@dataclass(frozen=True, slots=True)
class MathOptions:
    """Options of the `math` verifier.

    Attributes:
        extract: rules of `passk.verifiers.extract`, in order of preference.
        percent: `strict`: 50 % is neither 50 nor 0.5; `lenient`: it is, as in the paper's grader.
    """

    extract: Sequence[str] = DEFAULT_RULES
    percent: str = "strict"

    def __post_init__(self) -> None:
        """Refuse values that are none of the choices."""
        require_one_of("math", "percent", self.percent, ("strict", "lenient"))
        for rule in self.extract:
            if rule not in RULES:
                raise VerifierError(
                    f"verifier 'math' has no extraction rule '{rule}'",
                    fix=did_you_mean(rule, RULES),
                )


class MathVerifier:
    """Grades mathematical answers.

    Args:
        options: see `MathOptions`.

    Raises:
        VerifierError: an option is unknown or has a value that is none of its choices.
    """

    version = 1
    packages: tuple[str, ...] = ("math-verify", "latex2sympy2_extended", "sympy")

    def __init__(self, **options: Any) -> None:
        """Check and keep the options."""
        self.options = read_options(MathOptions, "math", options)

    def extract(self, response: str) -> str | None:
        """Return the final answer as the response states it."""
        return extract_answer(response, self.options.extract)

    def quick(self, gold: str, answer: str) -> Outcome | None:
        """Decide by normal form or exact value, else None."""
        name = self.canonical(answer)
        golds = [self.canonical(_stated(text)) for text in gold_answers(gold)]
        if name in golds:
            return Outcome("correct", "normal form", name)
        if exact(name) is not None and all(exact(text) is not None for text in golds):
            return Outcome("wrong", "exact rational", name)
        return None

    def compare(self, gold: str, answer: str) -> Outcome:
        """Compare by Math-Verify; to be called in a worker."""
        for text in gold_answers(gold):
            if symbolic_equal(normal(_stated(text)), normal(answer)):
                return Outcome("correct", "symbolic", self.canonical(_stated(text)))
        return Outcome("wrong", "symbolic", self.canonical(answer))

    def canonical(self, answer: str) -> str:
        """Return the exact value, or else the normal form."""
        name = normal(answer)
        value = exact(name)
        return name if value is None else str(value)


def _stated(gold: str) -> str:
    """Return the answer of a gold text, which may be a whole worked solution."""
    for rule in (boxed, hashes):
        found = rule(gold)
        if found and found.strip():
            return found.strip()
    return gold
