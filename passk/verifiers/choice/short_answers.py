"""Short answers: which choice, which number, which list a text gives."""

from __future__ import annotations

import re
from collections.abc import Sequence
from fractions import Fraction

from passk.verifiers.math.answers import Assignment, Collection, Scalar
from passk.verifiers.math.compare import equal
from passk.verifiers.math.compare_scalars import CompareOptions
from passk.verifiers.math.evaluate import evaluate
from passk.verifiers.math.expr_tree import variables_of
from passk.verifiers.math.numbers import TooLargeError, UndefinedValueError
from passk.verifiers.math.parse_answer import parse_answer
from passk.verifiers.number import NUMBER, parse_number

MAX_LENGTH = 1000
"""Longest text, in characters, that is searched for its one number."""

LETTER = re.compile(
    r"(?:(?:the )?(?:correct )?(?:option|choice|answer|picture|figure|image)"
    r"(?: letter)?(?: is)?\s{0,3}:?\s{0,3})?"
    r"[(\[]?([A-Z])(?:[)\].:]{1,2}(?:\s(.*))?|(?:,\s|\s(?=\())(.*))?",
    re.IGNORECASE | re.DOTALL,
)
"""A letter by itself or in front of what it stands for: `C`, `(C)`, `C. 145`, `option C`."""

HEDGE = re.compile(
    r"\b(?:than|least|most|between|cannot|can't|not|n't|need|unable|information|more|less|fewer|"
    r"either|neither|unless|unknown|except|over|"
    r"under|could|may|might|maybe|perhaps|probably|possibly)\b",
    re.IGNORECASE,
)
"""Words with which a number is no answer by itself: "values larger than 4"."""

AND = re.compile(r",(?:\s{0,3}and\s)?|\sand\s")

CLAUSE = re.compile(r"([^\W\d_]{2,20})[,.;:!]\s")
"""A word that answers, in front of why: `Yes, it is.`"""


def choice_of(answer: str, choices: Sequence[str]) -> int | None:
    """Return the index of the choice that an answer names, or None.

    The text of a choice as it stands comes first, then a letter, then the text in any case.

    >>> choice_of("(B)", ["x", "y"]), choice_of("y", ["x", "y"]), choice_of("z", ["x", "y"])
    (1, 1, None)
    """
    given = plain(answer)
    texts = [plain(choice) for choice in choices]
    if given in texts:
        return texts.index(given)
    folded = [text.casefold() for text in texts]
    letter = LETTER.fullmatch(given)
    if letter:
        index = ord(letter[1].upper()) - ord("A")
        rest = plain((letter[2] or letter[3] or "").strip("()")).casefold()
        other = rest != "" and rest in folded and folded.index(rest) != index
        unknown = letter[3] is not None and rest not in folded
        return index if index < len(choices) and not other and not unknown else None
    clause = CLAUSE.match(given)
    for text in (given.casefold(), clause[1].casefold() if clause else None):
        if text is not None and folded.count(text) == 1:
            return folded.index(text)
    return _equal_choice(answer, choices)


def _equal_choice(answer: str, choices: Sequence[str]) -> int | None:
    """Return the index of the one choice that an answer is equal to as mathematics, or None."""
    if any(len(text) > MAX_LENGTH for text in (answer, *choices)):
        return None
    given = parse_answer(answer)
    if not isinstance(given, Scalar | Collection | Assignment):
        return None
    try:
        found = [
            index
            for index, one in enumerate(choices)
            if equal(parse_answer(one), given, CompareOptions())
        ]
    except TooLargeError:
        return None
    return found[0] if len(found) == 1 else None


def plain(text: str) -> str:
    """Return a text without marks of emphasis and formulas, blanks around and a full stop."""
    inner = re.sub(r"\\(?:text|mathrm|textbf|mathbf)\s{0,3}\{([^{}]*)\}", r"\1", text)
    inner = re.sub(r"\^\s{0,3}(?:\{\s{0,3}\\circ\s{0,3}\}|\\circ)|\\degree", "°", inner)
    inner = re.sub(r"\\[()\[\]]|\\[,;! ]|[$*_`\"']", "", inner)
    return " ".join(inner.split()).rstrip(".").strip()


def single_number(text: str) -> Fraction | None:
    """Return the one number that a text holds; behind the last equals sign, where it has any.

    >>> single_number("about $25$ years"), single_number("2 + 3 = 5"), single_number("2 or 3")
    (Fraction(25, 1), Fraction(5, 1), None)
    """
    stated = plain(text.rpartition("=")[2])
    value = _exact_value(stated)
    if value is not None:
        return value
    if HEDGE.search(stated[:MAX_LENGTH]):
        return None
    found = {parse_number(match.group()) for match in NUMBER.finditer(stated[:MAX_LENGTH])}
    return found.pop() if len(found) == 1 else None


def _exact_value(text: str) -> Fraction | None:
    """Return the value of a number in any notation, where it is rational."""
    given = parse_answer(text) if len(text) <= MAX_LENGTH else None
    if not isinstance(given, Scalar) or variables_of(given.tree):
        return None
    try:
        value = evaluate(given.tree, {})
    except (TooLargeError, UndefinedValueError):
        return None
    return value if isinstance(value, Fraction) else None


def list_of(answer: str) -> str | None:
    """Return the items of a list in one spelling."""
    inside = plain(answer).strip("[](){} ")
    items = [item.strip() for item in AND.split(inside)]
    if not all(items):
        return None
    values = [parse_number(item) for item in items]
    return ", ".join(
        item.casefold() if value is None else str(value)
        for item, value in zip(items, values, strict=True)
    )
