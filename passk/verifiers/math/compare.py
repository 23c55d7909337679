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
    Qualified,
    Scalar,
    Text,
    Unparsed,
)
from passk.verifiers.math.evaluate import evaluate, nearly_equal
from passk.verifiers.math.expr_tree import Tree, numerator
from passk.verifiers.math.formulas import formulas_equal, test_points, value_name, variables_of
from passk.verifiers.math.lexer import LOG
from passk.verifiers.math.normalize import squeeze
from passk.verifiers.math.numbers import TooLargeError, UndefinedValueError, Value, context, inexact
from passk.verifiers.math.units import units_agree

MIN_DIGITS_OF_ROUNDED = 6
"""Significant digits from which a decimal passes for the exact value that it rounds or cuts."""

PROSE = re.compile(r"\\text ?\{[^{}]*[a-zA-Z]{2}[^{}]*\}.*[0-9]")
"""Words in front of a number."""

GENERAL = re.compile(r"^mathbb[ZR]|arbitrary|constant")
"""A condition that says of what kind a name is, and no more."""

SIMPLE_NAME = re.compile(r"\\?[a-zA-Z]+(?:_.+)?'?(?:\([^()]*\))?")
"""A name of one symbol: x, x_1, f(x)."""

PLAIN = re.compile(r"[a-zA-Z0-9 ,:'-]+")
"""Words and numbers without any LaTeX."""

MAX_ITEMS = 100
"""Most items of an unordered group that are matched with each other."""


@dataclass(frozen=True, slots=True)
class CompareOptions:
    """How strictly answers are compared; the options of the same names in `MathOptions`."""

    percent: str = "sign"
    units: str = "drop"
    relative: float = 0.0
    absolute: float = 0.0
    lists: str = "unordered"
    brackets: str = "loose"
    assume: str = "real"


def equal(gold: Answer, answer: Answer, rules: CompareOptions) -> bool | None:  # noqa: PLR0911
    """Return whether an answer says what the gold answer does, or None where it is not clear."""
    if gold == answer:
        return None if isinstance(gold, Unparsed) and not gold.text else True
    if isinstance(gold, Qualified) or isinstance(answer, Qualified):
        return _compare_qualified(gold, answer, rules)
    if isinstance(gold, Unparsed) or isinstance(answer, Unparsed):
        return _compare_unparsed(gold, answer)
    if isinstance(gold, Equation) or isinstance(answer, Equation):
        return _compare_equation_with(gold, answer, rules)
    if isinstance(gold, Assignment) or isinstance(answer, Assignment):
        return _compare_assignments(gold, answer, rules)
    if isinstance(gold, Collection) or isinstance(answer, Collection):
        return _compare_collections(_as_group(gold), _as_group(answer), rules)
    if isinstance(gold, Scalar) and isinstance(answer, Scalar):
        return _compare_scalars(gold, answer, rules)
    return _compare_text_and_letters(gold, answer)


def _compare_qualified(gold: Answer, answer: Answer, rules: CompareOptions) -> bool | None:
    """Compare answers with conditions: both have to agree, a general one may be left out."""
    conditions = [side.condition for side in (gold, answer) if isinstance(side, Qualified)]
    if len(set(conditions)) > 1 or not (len(conditions) > 1 or GENERAL.search(conditions[0])):
        return None
    bare = [side.answer if isinstance(side, Qualified) else side for side in (gold, answer)]
    return equal(bare[0], bare[1], rules)


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
        if _same_name(gold.name, answer.name):
            found = equal(gold.answer, answer.answer, rules)
            return found or _compare_equations(gold.relation, answer.relation) or found
        if _compare_equations(gold.relation, answer.relation):
            return True
        simple = SIMPLE_NAME.fullmatch(gold.name) and SIMPLE_NAME.fullmatch(answer.name)
        return False if simple else equal(gold.answer, answer.answer, rules)
    named, other = (gold, answer) if isinstance(gold, Assignment) else (answer, gold)
    assert isinstance(named, Assignment)  # noqa: S101
    if named.name.startswith("choice ") and other == Scalar(("var", named.name[-1])):
        return True
    return equal(named.answer, answer, rules) if named is gold else equal(gold, named.answer, rules)


def _same_name(gold: str, answer: str) -> bool:
    """Return whether two names are of one thing; `y` may stand for `f(x)`."""
    plain = [re.sub(r"\\(?:vec|mathbf|text)|[{} ]", "", name) for name in (gold, answer)]
    function = re.compile(r"[a-zA-Z]\([a-zA-Z]\)")
    return plain[0] == plain[1] or any(
        a == "y" and function.fullmatch(b) is not None for a, b in (plain, plain[::-1])
    )


def _compare_equation_with(gold: Answer, answer: Answer, rules: CompareOptions) -> bool | None:
    """Compare where one is an equation that gives no name a value.

    `a + b = 10` answers what `a + b` is; one that the gold answer states is no bare value.
    """
    sides = [_relation_of(side) for side in (gold, answer)]
    if sides[0] is not None and sides[1] is not None:
        return _compare_equations(sides[0], sides[1])
    if isinstance(answer, Equation) and isinstance(gold, Scalar) and answer.kind == "=":
        several = len(variables_of(answer.left)) > 1
        if several and not variables_of(gold.tree) and not variables_of(answer.right):
            return equal(gold, Scalar(answer.right), rules)
    return False


def _relation_of(answer: Answer) -> Equation | None:
    """Return an answer as a relation between two formulas, if it is one."""
    return (
        answer.relation
        if isinstance(answer, Assignment)
        else (answer if isinstance(answer, Equation) else None)
    )


def _compare_equations(a: Equation | None, b: Equation | None) -> bool | None:
    """Compare two relations: equal where their differences are proportional.

    The sides are brought over one denominator first, so that `xy = 1` is `y = 1/x`. The factor of
    an inequality has to be positive.
    """
    if a is None or b is None:
        return None
    if a.kind != b.kind:
        return False
    trees = [("sub", side.left, side.right) for side in (a, b)]
    if variables_of(trees[0]) != variables_of(trees[1]):
        return False
    if not variables_of(trees[0]):
        return None
    forms = [trees] if a.kind in ("lt", "le") else [trees, [numerator(tree) for tree in trees]]
    found = [_proportional(form, signed=a.kind in ("lt", "le")) for form in forms]
    if True in found:
        return True
    return None if None in found else False


def _proportional(trees: Sequence[Tree], *, signed: bool) -> bool | None:
    """Return whether two formulas differ by a constant factor."""
    try:
        ratios = [evaluate(("div", *trees), names) for names in test_points(trees)[0]]
    except UndefinedValueError:
        return None
    if ratios[0] == 0 or not all(nearly_equal(ratio, ratios[0]) for ratio in ratios[1:]):
        return False
    return not signed or (isinstance(ratios[0], Fraction) and ratios[0] > 0)


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
    union = {gold.left, answer.left} & {"u", "ne"}
    merged = (_real_set(gold), _real_set(answer)) if union else (None, None)
    if merged[0] is not None and merged[1] is not None:
        return _same_real_set(merged[0], merged[1])
    if (gold.left, answer.left).count("|") == 1:
        gold, answer = _as_matrix(gold), _as_matrix(answer)
    if _names(gold) and _names(answer) and gold.left in "[({" and answer.left in "[({":
        return _match_names(gold, answer, rules)
    kinds = gold.left + gold.right, answer.left + answer.right
    if kinds[0] != kinds[1] and not _brackets_agree(*kinds, rules):
        return False
    items = _items(gold), _items(answer)
    if len(items[0]) != len(items[1]):
        return None if _has_unparsed(items[0] + items[1]) else False
    unordered = kinds == ("", "") and rules.lists == "unordered"
    if unordered and bool(_names(gold)) != bool(_names(answer)):
        unordered = False
    if "{}" in kinds or "uu" in kinds or "cc" in kinds or unordered:
        return _match_unordered(*items, rules)
    return _all_equal(equal(a, b, rules) for a, b in zip(*items, strict=True))


def _names(group: Collection) -> list[str]:
    """Return the names of a collection in which every item has one of its own, else nothing."""
    names = [item.name for item in group.items if isinstance(item, Assignment)]
    return names if len(names) == len(group.items) > 1 == (len(names) == len(set(names))) else []


def _match_names(gold: Collection, answer: Collection, rules: CompareOptions) -> bool | None:
    """Compare collections of named values, whatever their order."""
    stated = {item.name: item for item in answer.items if isinstance(item, Assignment)}
    pairs = [
        (item, stated[item.name])
        for item in gold.items
        if isinstance(item, Assignment) and item.name in stated
    ]
    if len(pairs) != len(gold.items) or len(stated) != len(gold.items):
        return False
    return _all_equal(equal(a, b, rules) for a, b in pairs)


def _as_matrix(group: Collection) -> Collection:
    """Return a list of lists, `[[1,2],[3,4]]`, as a matrix."""
    rows = [item for item in group.items if isinstance(item, Collection)]
    if group.left != "[" or len(rows) != len(group.items) or any(row.left != "[" for row in rows):
        return group
    return Collection("|", "|", tuple(Collection("|", "|", row.items) for row in rows))


Interval = tuple[Value, bool, Value, bool]
"""Lower end, whether it belongs to the interval, upper end, whether that does."""


def _real_set(group: Collection) -> list[Interval] | None:
    r"""Return a union of intervals (or `x \ne 0`) in order, overlaps merged; None if it is none.

    A lone interval is one of these only in comparison with a union, which `equal` sees to.
    """
    parts: list[Interval] = []
    if group.left == "ne":
        points = [_value(item) for item in group.items]
        if len(points) != 1 or points[0] is None:
            return None
        mp = context()
        return [(-mp.inf, False, points[0], False), (points[0], False, mp.inf, False)]
    members = group.items if group.left == "u" else (group,)
    for item in members:
        if not isinstance(item, Collection) or len(item.items) not in (1, 2):
            return None
        if item.left == "{" and len(item.items) == 1 and group.left == "u":
            ends = [_value(item.items[0])] * 2
            closed = True, True
        elif item.left in ("(", "[") and item.right in (")", "]") and len(item.items) == 2:  # noqa: PLR2004
            ends = [_value(end) for end in item.items]
            closed = item.left == "[", item.right == "]"
        else:
            return None
        if ends[0] is None or ends[1] is None or not inexact(ends[0]) <= inexact(ends[1]):
            return None
        parts.append((ends[0], closed[0], ends[1], closed[1]))
    return _merged(parts)


def _value(answer: Answer) -> Value | None:
    """Return the value of a real number or infinity, else None."""
    if not isinstance(answer, Scalar) or answer.percent or answer.unit:
        return None
    try:
        infinite = {name: context().inf for name in variables_of(answer.tree) if name == "infty"}
        if len(infinite) != len(variables_of(answer.tree)):
            return None
        value = evaluate(answer.tree, infinite)
    except UndefinedValueError:
        return None
    return value if isinstance(value, Fraction) or not context().im(value) else None


def _merged(parts: list[Interval]) -> list[Interval]:
    """Return intervals in order, those that overlap or touch put together."""
    ordered = sorted(parts, key=lambda part: (inexact(part[0]), not part[1]))
    whole: list[Interval] = []
    for part in ordered:
        if whole:
            low, closed, high, ends = whole[-1]
            touch = inexact(part[0]) < inexact(high) or (
                nearly_equal(part[0], high) and (part[1] or ends)
            )
            if touch:
                later = inexact(part[2]) > inexact(high)
                same = (
                    nearly_equal(part[2], high)
                    if not context().isinf(inexact(high))
                    else part[2] == high
                )
                end = (part[2], part[3]) if later else (high, ends or (same and part[3]))
                whole[-1] = (low, closed, *end)
                continue
        whole.append(part)
    return whole


def _same_real_set(a: list[Interval], b: list[Interval]) -> bool:
    """Return whether two unions of intervals are the same set."""
    return len(a) == len(b) and all(
        x[1] == y[1] and x[3] == y[3] and _same_end(x[0], y[0]) and _same_end(x[2], y[2])
        for x, y in zip(a, b, strict=True)
    )


def _same_end(a: Value, b: Value) -> bool:
    """Return whether two ends are equal; infinity is equal to itself."""
    infinite = context().isinf(inexact(a)), context().isinf(inexact(b))
    return bool(a == b) if any(infinite) else nearly_equal(a, b)


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
    gold, answer = _read_units(gold, answer)
    if not _units_agree(gold.unit, answer.unit, rules):
        return False
    found = [
        _compare_values(gold, answer, factor, rules)
        for factor in _percent_factors(gold, answer, rules)
    ]
    if True in found:
        return True
    return None if None in found else False


def _read_units(gold: Scalar, answer: Scalar) -> tuple[Scalar, Scalar]:
    """Read the `m` of `15 m` as a unit where the other side has no such variable."""
    if answer.with_unit and not variables_of(gold.tree):
        answer = Scalar(answer.with_unit[0], unit=answer.with_unit[1])
    compound = gold.with_unit is not None and "-" in gold.with_unit[1]
    if gold.with_unit and not variables_of(answer.tree) and (answer.unit or compound):
        gold = Scalar(gold.with_unit[0], unit=gold.with_unit[1])
    return gold, answer


def _units_agree(gold: str, answer: str, rules: CompareOptions) -> bool:
    """Return whether units do not keep two answers apart.

    `keep`: a unit that the gold answer states has to be stated. A number base that both state has
    to be the same, and one that only the answer states changes its value.
    """
    if gold.startswith("_") or answer.startswith("_"):
        return gold == answer or (answer == "" and rules.units == "drop")
    if gold and answer:
        return units_agree(gold, answer)
    return rules.units == "drop" or gold == ""


def _percent_factors(gold: Scalar, answer: Scalar, rules: CompareOptions) -> list[Fraction]:
    """Return the factors by which the answer may differ from the gold answer."""
    if rules.percent == "lenient":
        return [Fraction(1), Fraction(100), Fraction(1, 100)]
    if rules.percent == "fraction" and gold.percent != answer.percent:
        return [Fraction(1), Fraction(100) if gold.percent else Fraction(1, 100)]
    return [Fraction(1)] if rules.percent != "strict" or gold.percent == answer.percent else []


def _compare_values(
    gold: Scalar, answer: Scalar, factor: Fraction, rules: CompareOptions
) -> bool | None:
    """Compare the values of two formulas, the answer's multiplied by a factor."""
    tree = answer.tree if factor == 1 else ("mul", ("num", factor), answer.tree)
    names = variables_of(gold.tree), variables_of(tree)
    if (LOG in names[0]) != (LOG in names[1]):
        return None
    if names[0] or names[1]:
        return formulas_equal(gold.tree, tree, positive=rules.assume == "positive")
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
    if isinstance(answer, Assignment | Qualified):
        return canonical(answer.answer)
    if isinstance(answer, Equation):
        return f"{value_name(answer.left)}={value_name(answer.right)}"
    if isinstance(answer, Collection):
        items = [canonical(item) for item in _items(answer)]
        ordered = items if answer.left in ("(", "[", "|") else sorted(items)
        return answer.left + ",".join(ordered) + answer.right
    return answer.text
