r"""Short direct answers: the first or last number of the response, compared as exact rationals.

Example: the gold `57` and the response " 57\n12 + 46 = 58" are equal with `which: first`.
"""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from passk.verifiers.base import Outcome
from passk.verifiers.gold import gold_answers
from passk.verifiers.options import read_options, require_one_of

NUMBER = re.compile(
    r"(?<![\w.)])[-\u2212+]?(?:(?:[0-9]{1,3}(?:,[0-9]{3})+(?![0-9])|[0-9]+)(?:\.[0-9]+)?|\.[0-9]+)"
    r"(?:/[0-9]+(?![.,]?[0-9]))?"
)
"""A sign, digits (perhaps grouped by commas) with a decimal part, perhaps over an integer."""

NUMBER_WORDS = {
    word: number
    for number, word in enumerate(
        "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen "  # noqa: SIM905
        "fifteen sixteen seventeen eighteen nineteen twenty".split()
    )
}
"""Numbers as words."""

_TENS = "twenty thirty forty fifty sixty seventy eighty ninety"
TENS = {word: number for number, word in enumerate(_TENS.split(), 2)}
LARGE = {"thousand": 10**3, "million": 10**6, "billion": 10**9}
MAX_NUMBER_WORDS = 12

LIMIT = 1000
"""Longest number, in characters, that is read as one: Python refuses over 4300 digits."""


@dataclass(frozen=True, slots=True)
class NumberOptions:
    """Options of the `number` verifier.

    Attributes:
        which: which number of the response is the answer: `first` or `last`.
    """

    which: str = "first"

    def __post_init__(self) -> None:
        """Refuse values that are none of the choices."""
        require_one_of("number", "which", self.which, ("first", "last"))


def parse_number(text: str) -> Fraction | None:
    """Return the value of one number as it is written, or None.

    >>> parse_number("1,234.50"), parse_number("3/4"), parse_number("3/0")
    (Fraction(2469, 2), Fraction(3, 4), None)
    """
    plain = text.strip().replace("\u2212", "-")
    if len(plain) > LIMIT or not NUMBER.fullmatch(plain):
        return None
    above, _, below = plain.replace(",", "").partition("/")
    try:
        return Fraction(above) / int(below or "1")
    except ZeroDivisionError:
        return None


def number_in_words(text: str) -> int | None:
    """Return the value of a whole number in words, or None.

    >>> number_in_words("seventy-two"), number_in_words("two thousand five hundred and six")
    (72, 2506)
    """
    plain = re.sub(r"(hundred|thousand|million) and ", r"\1 ", text.lower())
    words = re.findall(r"[a-z]+", plain)
    if not words or len(words) > MAX_NUMBER_WORDS or not re.fullmatch(r"[a-zA-Z][a-zA-Z -]*", text):
        return None
    total, group, last = 0, 0, ""
    for word in words:
        if word in LARGE and group:
            total, group = total + group * LARGE[word], 0
        elif word == "hundred" and 0 < group < 100:  # noqa: PLR2004
            group *= 100
        elif word in TENS and group % 100 == 0:
            group += 10 * TENS[word]
        elif word in NUMBER_WORDS and (not last or last in (*LARGE, "hundred", *TENS)):
            group += NUMBER_WORDS[word]
        else:
            return None
        last = word
    return total + group


class NumberVerifier:
    """Grades short direct answers by their first or last number.

    Args:
        options: `which` (see `NumberOptions`).

    Raises:
        VerifierError: an option is unknown or has a value that is none of its choices.
    """

    version = 1
    packages: tuple[str, ...] = ()

    def __init__(self, **options: Any) -> None:
        """Check and keep the options."""
        self.options = read_options(NumberOptions, "number", options)

    def extract(self, response: str) -> str | None:
        """Return the first (or last) number of the response."""
        if self.options.which == "first":
            found = NUMBER.search(response)
            return found.group() if found else None
        last = None
        for last in NUMBER.finditer(response):  # noqa: B007
            pass
        return last.group() if last else None

    def quick_compare(self, gold: str, answer: str) -> Outcome | None:
        """Compare as exact rationals; never undecided."""
        given = self.canonical(answer)
        for text in gold_answers(gold):
            if self.canonical(text) == given:
                return Outcome("correct", "exact rational", given)
        return Outcome("wrong", "exact rational", given)

    def compare(self, gold: str, answer: str) -> Outcome:
        """Compare as `quick_compare` does."""
        outcome = self.quick_compare(gold, answer)
        assert outcome is not None  # noqa: S101
        return outcome

    def canonical(self, answer: str) -> str:
        """Return the number in lowest terms, or the text itself where it is not one."""
        return _canonical(answer)


@functools.lru_cache(maxsize=1 << 16)
def _canonical(answer: str) -> str:
    """Return `NumberVerifier.canonical`; cached because few distinct answers recur often."""
    value = parse_number(answer)
    return answer.strip() if value is None else str(value)
