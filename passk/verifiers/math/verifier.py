"""Mathematical answers: extraction, then a cascade from cheap rules to Math-Verify.

| step | where | decides |
|---|---|---|
| normal form | parent | the same text in another spelling |
| exact rational, numeric, formula | parent | whatever both `parse_answer` and `value` understand |
| limits | parent | answers too long or too large for anything symbolic |
| symbolic | worker | the rest, by Math-Verify, its yes checked once more |
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from passk.core.errors import VerifierError
from passk.verifiers.base import Outcome
from passk.verifiers.extract import (
    DEFAULT_END_MARKS,
    DEFAULT_RULES,
    RULES,
    Extraction,
    boxed,
    find_answer,
    hashes,
)
from passk.verifiers.gold import gold_answers
from passk.verifiers.math.answers import Answer, Collection, Scalar, Text, describe, trees_of
from passk.verifiers.math.compare import canonical, equal
from passk.verifiers.math.compare_scalars import CompareOptions
from passk.verifiers.math.expr_tree import has, variables_of
from passk.verifiers.math.math_verify import can_compare, math_verify_equal
from passk.verifiers.math.normalize import normalize
from passk.verifiers.math.numbers import TooLargeError
from passk.verifiers.math.parse_answer import DOTS, parse_answer
from passk.verifiers.options import read_options, require_one_of

MAX_SYMBOLIC_LENGTH = 600
"""Longest answer, in characters of its normal form, that is compared symbolically."""

LENGTH_RATIO = 4
"""An answer beyond that limit and so many times longer than the gold answer is wrong."""

CHOICES = {
    "percent": ("sign", "strict", "fraction", "lenient"),
    "units": ("drop", "keep"),
    "several": ("any", "all"),
    "lists": ("unordered", "ordered"),
    "brackets": ("loose", "strict"),
    "assume": ("real", "positive"),
}


@dataclass(frozen=True, slots=True)
class MathOptions:
    """Options of the `math` verifier.

    Attributes:
        extract: rules of `passk.verifiers.extract`, in order of preference.
        percent: `strict`: 50 % is neither 50 nor 0.5; `sign`: the sign may be left out or added
            (50 % is 50); `lenient`: a factor of 100 either way is accepted, with or without a
            sign, as the grader of the paper does.
        units: `drop`: units are not compared; `keep`: a unit that the gold answer states has to
            be stated.
        tolerance: `relative` and `absolute` difference within which numbers are equal.
        several: what a list of gold answers means: `any` of them is right, or the answer has to
            give `all` of them.
        lists: whether the order of a bare list matters (it does in a tuple, never in a set).
        brackets: `loose`: a list may leave out its brackets; `strict`: they have to agree.
    """

    extract: Sequence[str] = DEFAULT_RULES
    end_marks: Sequence[str] = DEFAULT_END_MARKS
    percent: str = "sign"
    units: str = "drop"
    tolerance: Mapping[str, float] = field(default_factory=dict)
    several: str = "any"
    lists: str = "unordered"
    brackets: str = "loose"
    assume: str = "real"

    def __post_init__(self) -> None:
        """Refuse values that are none of the choices."""
        for option, allowed in CHOICES.items():
            require_one_of("math", option, getattr(self, option), allowed)
        if isinstance(self.extract, str) or not self.extract:
            raise VerifierError(
                f"verifier 'math': option 'extract' is {self.extract!r}",
                fix=f"a list of rules; available: {', '.join(RULES)}",
            )
        for rule in self.extract:
            require_one_of("math", "extract", rule, tuple(RULES))
        _require_tolerance(self.tolerance)

    def rules(self) -> CompareOptions:
        """Return the options that comparing two answers needs."""
        return CompareOptions(
            percent=self.percent,
            units=self.units,
            relative=float(self.tolerance.get("relative", 0.0)),
            absolute=float(self.tolerance.get("absolute", 0.0)),
            lists=self.lists,
            brackets=self.brackets,
            assume=self.assume,
        )


def _require_tolerance(tolerance: Mapping[str, float]) -> None:
    """Raise where a tolerance is not what it should be."""
    if not isinstance(tolerance, Mapping):
        raise VerifierError(
            f"verifier 'math': option 'tolerance' is {tolerance!r}",
            fix="for example tolerance: {relative: 0.01}",
        )
    for name, value in tolerance.items():
        require_one_of("math", "tolerance", name, ("relative", "absolute"))
        if isinstance(value, bool) or not isinstance(value, int | float) or not value >= 0:
            raise VerifierError(f"verifier 'math': tolerance '{name}' is {value!r}, not a number")


class MathVerifier:
    """Grades mathematical answers.

    Args:
        options: see `MathOptions`.

    Raises:
        VerifierError: an option is unknown or has a value that is none of its choices.
    """

    version = 8
    packages: tuple[str, ...] = ("math-verify", "latex2sympy2_extended", "sympy", "mpmath")

    def __init__(self, **options: Any) -> None:
        """Check and keep the options."""
        self.options = read_options(MathOptions, "math", options)
        self.rules = self.options.rules()

    def extract(self, response: str) -> str | None:
        """Return the final answer as the response states it."""
        found = self.find_answer(response)
        return found.answer if found else None

    def find_answer(self, response: str) -> Extraction | None:
        """Return the final answer, with the rule that found it."""
        return find_answer(response, self.options.extract, self.options.end_marks)

    def quick_compare(self, gold: str, answer: str) -> Outcome | None:
        """Decide by normal form, exact value, number or formula, or by the limits; else None."""
        text, given = normalize(answer), parse_answer(answer)
        golds = _parse_golds(gold, self.options.several)
        found = [_equal(*stated, text, given, self.rules) for stated in golds]
        if True in found:
            expected = golds[found.index(True)]
            detail = "same text" if expected[0] == text else _rule(given)
            return Outcome("correct", detail, canonical(expected[1]))
        note = self.gold_note(gold)
        if TOO_LARGE in found:
            return Outcome("error", "too large to compare", canonical(given))
        if None not in found:
            detail = f"{_rule(given)}; {note}" if note else _rule(given)
            return Outcome("wrong", detail, canonical(given))
        if not any(
            same is None and can_compare(s[0]) for same, s in zip(found, golds, strict=True)
        ) or not can_compare(text):
            return Outcome("wrong", "not one expression, and another text", canonical(given))
        return _check_limits(text, given, max(len(stated[0]) for stated in golds))

    def compare(self, gold: str, answer: str) -> Outcome:
        """Compare by Math-Verify where `quick_compare` could not tell; to be called in a worker."""
        text, given = normalize(answer), parse_answer(answer)
        for stated, expected in _parse_golds(gold, self.options.several):
            unclear = _equal(stated, expected, text, given, self.rules) is None
            comparable = unclear and can_compare(stated) and can_compare(text)
            if comparable and math_verify_equal(stated, text):
                return Outcome("correct", "symbolic", canonical(expected))
        return Outcome("wrong", "symbolic", canonical(given))

    def gold_note(self, gold: str) -> str:
        """Return that `assume: positive` does not apply, where a gold has a negative term."""
        if self.options.assume != "positive":
            return ""
        golds = _parse_golds(gold, self.options.several)
        trees = [tree for _, answer in golds for tree in trees_of(answer)]
        negative = any(variables_of(tree) and has(tree, ("neg",)) for tree in trees)
        return "`assume: positive` is not applied: the gold has a negative term" if negative else ""

    def readings(self, gold: str, answer: str) -> list[tuple[str, str]]:
        """Return the normal form and the reading of both sides, for `passk grade --explain`."""
        golds = _parse_golds(gold, self.options.several)
        sides = [*(("gold", *stated) for stated in golds)]
        sides.append(("answer", normalize(answer), parse_answer(answer)))
        lines = []
        for side, text, reading in sides:
            lines.append((f"{side} in normal form", text))
            lines.append((f"{side} read as", describe(reading)))
        return lines

    def canonical(self, answer: str) -> str:
        """Return a name for what the answer says, or else its normal form."""
        return canonical(parse_answer(answer))


TOO_LARGE = "too large"


def _equal(
    stated: str, expected: Answer, text: str, given: Answer, rules: CompareOptions
) -> bool | str | None:
    """Return whether an answer is the gold answer, None where it is unclear, or `TOO_LARGE`."""
    if stated == text or _same_wording(stated, text):
        return bool(text) or None
    try:
        return equal(expected, given, rules)
    except TooLargeError:
        return TOO_LARGE


WORDING = re.compile(r"[a-z0-9_,:;.()' -]*[a-z][a-z0-9_,:;.()' -]*", re.IGNORECASE)


def _same_wording(stated: str, text: str) -> bool:
    r"""Return whether texts differ only in `\text`, its braces and the blanks before a command."""
    if "\\text" not in stated + text:
        return " \\" in stated + text and stated.replace(" \\", "\\") == text.replace(" \\", "\\")
    plain = [
        re.sub(r"(?<=[a-z]{3})and(?=[0-9])", "", re.sub(r"\\text|[{} ]", "", side))
        for side in (stated, text)
    ]
    return plain[0] == plain[1] and WORDING.fullmatch(plain[0]) is not None


def _rule(given: Answer) -> str:
    """Return which kind of comparison decided about an answer."""
    if isinstance(given, Text):
        return "words"
    if not isinstance(given, Scalar):
        return "structure"
    if variables_of(given.tree):
        return "formula"
    return "numeric" if canonical(given).startswith("~") else "exact rational"


def _check_limits(text: str, given: Answer, gold_length: int) -> Outcome | None:
    """Decide about an answer that is not to be compared symbolically, else None."""
    if not text or DOTS.search(text):
        return Outcome("wrong", "another text; dots are compared as text", canonical(given))
    if len(text) <= MAX_SYMBOLIC_LENGTH:
        return None
    if len(text) > LENGTH_RATIO * gold_length:
        return Outcome("wrong", "far longer than the gold answer", canonical(given))
    return Outcome("error", "too long to compare symbolically", canonical(given))


@functools.lru_cache(maxsize=1 << 12)
def _parse_golds(gold: str, several: str) -> tuple[tuple[str, Answer], ...]:
    """Return the normal form and the meaning of each gold answer, or of all as one list."""
    stated = [_final_answer_of_gold(text) for text in gold_answers(gold)]
    if several == "all" and len(stated) > 1:
        items = Collection("", "", tuple(parse_answer(text) for text in stated))
        return ((",".join(normalize(text) for text in stated), items),)
    return tuple((normalize(text), parse_answer(text)) for text in stated)


def _final_answer_of_gold(gold: str) -> str:
    """Return the answer of a gold text, which may be a whole worked solution."""
    for rule in (boxed, hashes):
        found = rule(gold)
        if found and found.answer.strip():
            return found.answer.strip()
    return gold
