"""Short answers: which choice, which number, which list a text gives."""

from __future__ import annotations

import re
from collections.abc import Sequence
from fractions import Fraction

from passk.verifiers.number import NUMBER, exact

LONGEST = 1000
"""Longest text, in characters, that is searched for its one number."""

LETTER = re.compile(
    r"(?:(?:option|choice|answer)\s{0,3}:?\s{0,3})?[(\[]?([A-Z])(?:[)\].:]{1,2}(?:\s.*)?)?",
    re.IGNORECASE | re.DOTALL,
)
"""A letter by itself or in front of what it stands for: `C`, `(C)`, `C. 145`, `option C`."""

WORDS = {
    word: str(number)
    for number, word in enumerate(
        "zero one two three four five six seven eight nine ten eleven twelve".split()  # noqa: SIM905
    )
}


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
    letter = LETTER.fullmatch(given)
    if letter:
        index = ord(letter[1].upper()) - ord("A")
        return index if index < len(choices) else None
    folded = [text.casefold() for text in texts]
    return folded.index(given.casefold()) if folded.count(given.casefold()) == 1 else None


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
    stated = WORDS.get(stated.casefold(), stated)
    found = {exact(match.group()) for match in NUMBER.finditer(stated[:LONGEST])}
    return found.pop() if len(found) == 1 else None


def list_of(answer: str) -> str | None:
    """Return the items of a list in one spelling."""
    inside = plain(answer).strip("[](){} ")
    items = [item.strip() for item in inside.split(",")]
    if not all(items):
        return None
    values = [exact(item) for item in items]
    return ", ".join(
        item.casefold() if value is None else str(value)
        for item, value in zip(items, values, strict=True)
    )
