"""Whether two answers say the same: yes, no, or not to be told by these rules (None)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction

from passk.verifiers.math.answers import (
    Answer,
    Assignment,
    Collection,
    Equation,
    Scalar,
    Text,
    Unparsed,
)
from passk.verifiers.math.evaluate import evaluate, nearly_equal
from passk.verifiers.math.expr_tree import Tree
from passk.verifiers.math.formulas import formulas_equal, test_points, value_name, variables_of
from passk.verifiers.math.lexer import LOG
from passk.verifiers.math.normalize import squeeze
from passk.verifiers.math.numbers import TooLargeError, UndefinedValueError, Value, context, inexact

MIN_DIGITS_OF_ROUNDED = 6
"""Significant digits from which a decimal passes for the exact value that it rounds or cuts."""

PROSE = re.compile(r"\\text ?\{[^{}]*[a-zA-Z]{2}[^{}]*\}.*[0-9]")
"""Words in front of a number."""

PLAIN = re.compile(r"[a-zA-Z0-9 ,:'-]+")
"""Words and numbers without any LaTeX."""

MAX_ITEMS = 100
"""Most items of an unordered group that are matched with each other."""


@dataclass(frozen=True, slots=True)
class CompareOptions:
    """How strictly answers are compared; the options of the same names in `MathOptions`."""

    percent: str = "strict"
    units: str = "drop"
    relative: float = 0.0
    absolute: float = 0.0
    lists: str = "unordered"
    brackets: str = "loose"


def equal(gold: Answer, answer: Answer, rules: CompareOptions) -> bool | None:  # noqa: PLR0911
    """Return whether an answer says what the gold answer does, or None where it is not clear."""
    if gold == answer:
        return None if isinstance(gold, Unparsed) and not gold.text else True
    if isinstance(gold, Unparsed) or isinstance(answer, Unparsed):
        return _compare_unparsed(gold, answer)
    if isinstance(gold, Equation) or isinstance(answer, Equation):
        return _compare_equations(gold, answer)
    if isinstance(gold, Assignment) or isinstance(answer, Assignment):
        return _compare_assignments(gold, answer, rules)
    if isinstance(gold, Collection) or isinstance(answer, Collection):
        return _compare_collections(_as_group(gold), _as_group(answer), rules)
    if isinstance(gold, Scalar) and isinstance(answer, Scalar):
        return _compare_scalars(gold, answer, rules)
    return _compare_text_and_letters(gold, answer)


def _compare_unparsed(gold: Answer, answer: Answer) -> bool | None:
    r"""Compare where one is not understood: plain words by their letters, prose by its text alone.

    `12 \text{ hours and } 30 \text{ minutes}` is prose; no part of it is the answer 12.
    """
    word, other = (gold, answer) if isinstance(gold, Text) else (answer, gold)
    if isinstance(word, Text) and isinstance(other, Unparsed) and PLAIN.fullmatch(other.text):
        return word.text == squeeze(other.text)
    prose = any(isinstance(side, Unparsed) and PROSE.search(side.text) for side in (gold, answer))
    return False if prose else None


def _compare_text_and_letters(gold: Answer, answer: Answer) -> bool | None:
    """Compare words with a product of letters, as which short words are read."""
    word, other = (gold, answer) if isinstance(gold, Text) else (answer, gold)
    if not isinstance(word, Text) or not isinstance(other, Scalar):
        return False
    letters = _letters(other.tree)
    return letters is not None and letters.lower() == word.text


def _letters(tree: Tree) -> str | None:
    """Return the letters of a product of one-letter variables, in order."""
    if tree[0] == "mul":
        left, right = _letters(tree[1]), _letters(tree[2])
        return None if left is None or right is None else left + right
    if tree[0] == "var" and len(tree[1]) == 1:
        return str(tree[1])
    return str(tree[1]) if tree in (("call", "e"), ("call", "i")) else None


def _compare_assignments(gold: Answer, answer: Answer, rules: CompareOptions) -> bool | None:
    """Compare where one or both say what their answer is the value of."""
    if isinstance(gold, Assignment) and isinstance(answer, Assignment):
        same = gold.name == answer.name
        found = equal(gold.answer, answer.answer, rules) if same else None
        return found or _compare_equations(gold, answer) or found
    inner = gold.answer if isinstance(gold, Assignment) else gold
    other = answer.answer if isinstance(answer, Assignment) else answer
    return equal(inner, other, rules)


def _equation_of(answer: Answer) -> Equation | None:
    """Return an answer as an equation, if it is one."""
    return (
        answer.relation
        if isinstance(answer, Assignment)
        else (answer if isinstance(answer, Equation) else None)
    )


def _compare_equations(gold: Answer, answer: Answer) -> bool | None:
    """Compare two equations: equal where one's sides differ by a constant times the other's."""
    a, b = _equation_of(gold), _equation_of(answer)
    if a is None or b is None:
        return None
    trees = [("sub", a.left, a.right), ("sub", b.left, b.right)]
    if variables_of(trees[0]) != variables_of(trees[1]) or not variables_of(trees[0]):
        return None
    try:
        ratios = [evaluate(("div", *trees), names) for names in test_points(trees)[0]]
        return True if all(nearly_equal(ratio, ratios[0]) for ratio in ratios[1:]) else None
    except UndefinedValueError:
        return None


def _as_group(answer: Answer) -> Collection:
    """Return a lone answer as a list of one."""
    return answer if isinstance(answer, Collection) else Collection("", "", (answer,))


def _vector(answer: Collection) -> Collection:
    """Return a row or column vector as a tuple."""
    rows = [row for row in answer.items if isinstance(row, Collection)]
    if answer.left == "|" and len(rows) == len(answer.items):
        if len(rows) == 1:
            return Collection("(", ")", rows[0].items)
        if all(len(row.items) == 1 for row in rows):
            return Collection("(", ")", tuple(row.items[0] for row in rows))
    return answer


def _compare_collections(
    gold: Collection, answer: Collection, rules: CompareOptions
) -> bool | None:
    """Compare groups: brackets first, then the items in order or as a set.

    A tuple may stand for a row or a column; a row is no column.
    """
    if (gold.left, answer.left).count("|") == 1:
        gold, answer = _vector(gold), _vector(answer)
    kinds = gold.left + gold.right, answer.left + answer.right
    if kinds[0] != kinds[1] and not _brackets_agree(*kinds, rules):
        return False
    items = _items(gold), _items(answer)
    if len(items[0]) != len(items[1]):
        return None if _has_unparsed(items[0] + items[1]) else False
    if "{}" in kinds or "uu" in kinds or (kinds == ("", "") and rules.lists == "unordered"):
        return _match_unordered(*items, rules)
    return _all_equal(equal(a, b, rules) for a, b in zip(*items, strict=True))


def _brackets_agree(a: str, b: str, rules: CompareOptions) -> bool:
    """Return whether answers in these two kinds of brackets can be the same.

    A bare list is a set without its braces or a tuple without its parentheses, and bare
    intervals are a union; a set is no tuple, and an open interval no closed one.
    """
    return rules.brackets == "loose" and "" in (a, b) and {a, b} <= {"", "()", "{}", "uu"}


def _items(group: Collection) -> tuple[Answer, ...]:
    """Return what a group holds; a set holds each thing once."""
    if group.left != "{":
        return group.items
    return tuple({canonical(item): item for item in group.items}.values())


def _has_unparsed(items: Iterable[Answer]) -> bool:
    """Return whether an item was not understood."""
    return any(isinstance(item, Unparsed) for item in items)


def _all_equal(found: Iterable[bool | None]) -> bool | None:
    """Return the conjunction, of which one no decides."""
    results = list(found)
    if False in results:
        return False
    return None if None in results else True


def _match_unordered(
    gold: Sequence[Answer], answer: Sequence[Answer], rules: CompareOptions
) -> bool | None:
    """Match the items of two unordered groups one to one."""
    if len(gold) > MAX_ITEMS:
        return None
    left, unclear = list(answer), False
    for item in gold:
        found = [equal(item, other, rules) for other in left]
        if True in found:
            left.pop(found.index(True))
        elif None in found:
            unclear = True
        else:
            return False
    return None if unclear else True


def _compare_scalars(gold: Scalar, answer: Scalar, rules: CompareOptions) -> bool | None:
    """Compare numbers or formulas with their units and percent signs."""
    if not _units_agree(gold.unit, answer.unit, rules):
        return False
    found = [
        _compare_values(gold, answer, factor, rules)
        for factor in _percent_factors(gold, answer, rules)
    ]
    if True in found:
        return True
    return None if None in found else False


def _units_agree(gold: str, answer: str, rules: CompareOptions) -> bool:
    """Return whether units do not keep two answers apart.

    `keep`: a unit that the gold answer states has to be stated. A number base that both state has
    to be the same, and one that only the answer states changes its value.
    """
    if gold.startswith("_") or answer.startswith("_"):
        return gold == answer or (answer == "" and rules.units == "drop")
    return gold == answer or rules.units == "drop" or gold == ""


def _percent_factors(gold: Scalar, answer: Scalar, rules: CompareOptions) -> list[Fraction]:
    """Return the factors by which the answer may differ from the gold answer."""
    if rules.percent == "lenient":
        return [Fraction(1), Fraction(100), Fraction(1, 100)]
    if rules.percent == "sign" or gold.percent == answer.percent:
        return [Fraction(1)]
    return []


def _compare_values(
    gold: Scalar, answer: Scalar, factor: Fraction, rules: CompareOptions
) -> bool | None:
    """Compare the values of two formulas, the answer's multiplied by a factor."""
    tree = answer.tree if factor == 1 else ("mul", ("num", factor), answer.tree)
    names = variables_of(gold.tree), variables_of(tree)
    if (LOG in names[0]) != (LOG in names[1]):
        return None
    if names[0] or names[1]:
        return formulas_equal(gold.tree, tree)
    return _compare_constants(gold, answer, tree, rules)


def _compare_constants(
    gold: Scalar, answer: Scalar, tree: Tree, rules: CompareOptions
) -> bool | None:
    """Compare two constants, within the tolerance that the benchmark declares."""
    try:
        a, b = evaluate(gold.tree, {}), evaluate(tree, {})
        if nearly_equal(a, b):
            return True
        if rules.relative or rules.absolute:
            return _within_tolerance(a, b, rules)
        return _is_rounding_of(a, answer, b) or _is_rounding_of(b, gold, a)
    except TooLargeError:
        raise
    except UndefinedValueError:
        return None


def _within_tolerance(gold: Value, answer: Value, rules: CompareOptions) -> bool:
    """Return whether an answer is within the declared tolerance of the gold answer."""
    mp, a, b = context(), inexact(gold), inexact(answer)
    return bool(abs(a - b) <= max(mp.mpf(rules.absolute), mp.mpf(rules.relative) * abs(a)))


def _is_rounding_of(exact: Value, written: Scalar, value: Value) -> bool:
    """Return whether a decimal of enough digits is an exact value rounded or cut off.

    0.333333 stands for 1/3, but 419.999844 does not stand for 420, which needs no decimals.
    """
    if written.places is None or written.digits < MIN_DIGITS_OF_ROUNDED:
        return False
    if not isinstance(value, Fraction) or (not isinstance(exact, Fraction) and context().im(exact)):
        return False
    scale = 10**written.places
    if isinstance(exact, Fraction) and _is_decimal(exact):
        return False
    return bool(abs(inexact(exact) - inexact(value)) * scale < 1)


def _is_decimal(value: Fraction) -> bool:
    """Return whether a rational can be written as a decimal that ends."""
    below = value.denominator
    for factor in (2, 5):
        while below % factor == 0:
            below //= factor
    return below == 1


def canonical(answer: Answer) -> str:
    """Return a name that equal answers share: exact values, or values at the points."""
    if isinstance(answer, Scalar):
        name = value_name(answer.tree)
        return (
            name
            + ("%" if answer.percent else "")
            + (answer.unit if answer.unit.startswith("_") else "")
        )
    if isinstance(answer, Assignment):
        return canonical(answer.answer)
    if isinstance(answer, Equation):
        return f"{value_name(answer.left)}={value_name(answer.right)}"
    if isinstance(answer, Collection):
        items = [canonical(item) for item in _items(answer)]
        ordered = items if answer.left in ("(", "[", "|") else sorted(items)
        return answer.left + ",".join(ordered) + answer.right
    return answer.text
