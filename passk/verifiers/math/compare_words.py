"""Whether words say the same as other words, a formula, or text that is not understood."""

from __future__ import annotations

import re
from fractions import Fraction

from passk.verifiers.math.answers import Answer, Scalar, Text, Unparsed
from passk.verifiers.math.compare_scalars import CompareOptions, compare_scalars
from passk.verifiers.math.expr_tree import Tree
from passk.verifiers.math.normalize import squeeze

PROSE = re.compile(r"\\text ?\{[^{}]*[a-zA-Z]{2}[^{}]*\}.*[0-9]")
"""Words in front of a number."""

PLAIN = re.compile(r"[a-zA-Z0-9 ,:'-]+")
"""Words and numbers without any LaTeX."""

RATIO = re.compile(r"([1-9][0-9]{0,8}):([1-9][0-9]{0,8})")
LONG_RATIO = re.compile(r"[1-9][0-9]{0,8}(?::[1-9][0-9]{0,8}){2,9}")

MAX_HOUR = 24
"""Largest first number of a time of day."""

ENDING = re.compile(r"s|[ap]m")
"""What one of two equal words may have behind it: a plural, or the half of the day."""


def compare_unparsed(gold: Answer, answer: Answer) -> bool | None:
    r"""Compare where one is not understood: plain words by their letters, prose by its text alone.

    `12 \text{ hours and } 30 \text{ minutes}` is prose; no part of it is the answer 12.
    """
    word, other = (gold, answer) if isinstance(gold, Text) else (answer, gold)
    if isinstance(word, Text) and isinstance(other, Unparsed) and PLAIN.fullmatch(other.text):
        return word.text == squeeze(other.text)
    prose = any(isinstance(side, Unparsed) and PROSE.search(side.text) for side in (gold, answer))
    return False if prose else None


def compare_words(gold: Answer, answer: Answer, rules: CompareOptions) -> bool | None:
    """Compare words with each other, a ratio with a fraction, or words with a product of letters.

    Short words are read as such a product.
    """
    if isinstance(gold, Text) and isinstance(answer, Text):
        ratios = _ratio(gold), _ratio(answer)
        if None not in ratios:
            return ratios[0] == ratios[1]
        if LONG_RATIO.fullmatch(gold.text) and LONG_RATIO.fullmatch(answer.text):
            return _shares(gold) == _shares(answer)
        shorter, longer = sorted((gold.text, answer.text), key=len)
        return ENDING.fullmatch(longer.removeprefix(shorter)) is not None and bool(
            re.match(r"[0-9]" if longer[-1] == "m" else "[a-z]{4}", shorter)
        )
    word, other = (gold, answer) if isinstance(gold, Text) else (answer, gold)
    if not isinstance(word, Text) or not isinstance(other, Scalar):
        return False
    ratio = _ratio(word)
    if ratio is not None:
        tree = other.tree[1] if other.tree[0] == "group" else other.tree
        fraction = tree[0] == "div" or (tree[0] == "num" and word is gold)
        return fraction and compare_scalars(Scalar(("num", ratio)), other, rules)
    letters = _letters(other.tree)
    return letters is not None and letters.lower() == word.text


def _ratio(answer: Text) -> Fraction | None:
    """Return the value of a ratio of two numbers, unless it could be a time of day."""
    found = RATIO.fullmatch(answer.text)
    value = Fraction(int(found[1]), int(found[2])) if found else None
    time = found and int(found[1]) <= MAX_HOUR and len(found[2]) == 2 and int(found[2]) < 60  # noqa: PLR2004
    return None if time and str(value) != answer.text.replace(":", "/") else value


def _shares(answer: Text) -> list[Fraction]:
    """Return the parts of a ratio of several numbers as shares of the first."""
    parts = [int(part) for part in answer.text.split(":")]
    return [Fraction(part, parts[0]) for part in parts]


def _letters(tree: Tree) -> str | None:
    """Return the letters of a product of one-letter variables, in order."""
    if tree[0] == "mul":
        left, right = _letters(tree[1]), _letters(tree[2])
        return None if left is None or right is None else left + right
    if tree[0] == "var" and len(tree[1]) == 1:
        return str(tree[1])
    return str(tree[1]) if tree in (("call", "e"), ("call", "i")) else None
