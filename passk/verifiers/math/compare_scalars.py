"""Whether two numbers or formulas are equal, with their units and percent signs."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from fractions import Fraction

from passk.verifiers.math.answers import Scalar
from passk.verifiers.math.evaluate import evaluate, fingerprint, nearly_equal
from passk.verifiers.math.expr_tree import Tree, has_call, rename_variables, variables_of
from passk.verifiers.math.formulas import formulas_equal
from passk.verifiers.math.lexer import LOG
from passk.verifiers.math.numbers import TooLargeError, UndefinedValueError, Value, context, inexact
from passk.verifiers.math.units import conversion, units_agree

MIN_DIGITS_OF_ROUNDED = 6
"""Significant digits from which a decimal passes for the exact value that it rounds or cuts."""


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


def compare_scalars(gold: Scalar, answer: Scalar, rules: CompareOptions) -> bool | None:
    """Compare numbers or formulas with their units and percent signs."""
    gold, answer = _read_units(gold, answer)
    answer = replace(answer, tree=_same_parameter(gold.tree, answer.tree))
    gold, answer = _in_degrees(gold, beside=answer), _in_degrees(answer, beside=gold)
    size = conversion(answer.unit, gold.unit)
    if size is not None and gold.unit != answer.unit:
        answer = Scalar(("mul", ("num", size), answer.tree), answer.percent, gold.unit)
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
    compound = gold.with_unit is not None and re.search("-|ohm", gold.with_unit[1])
    if gold.with_unit and not variables_of(answer.tree) and (answer.unit or compound):
        gold = Scalar(gold.with_unit[0], unit=gold.with_unit[1])
    return gold, answer


def _in_degrees(angle: Scalar, *, beside: Scalar) -> Scalar:
    r"""Return an angle in radians, `\pi/2`, in degrees where the other side is in degrees."""
    radians = angle.unit == "rad^1" or (not angle.unit and has_call(angle.tree, "pi"))
    if beside.unit != "degree^1" or has_call(beside.tree, "pi") or not radians:
        return angle
    factor = ("div", ("num", Fraction(180)), ("call", "pi"))
    return replace(angle, tree=("mul", angle.tree, factor), unit=beside.unit)


INTEGER_NAMES = frozenset("kmn")
"""Names that stand for any integer in general solutions."""


def _same_parameter(gold: Tree, answer: Tree) -> Tree:
    r"""Return `\pi/4 + n\pi` as `\pi/4 + k\pi` where the gold answer calls the integer so."""
    names = variables_of(gold), variables_of(answer)
    if names[0] == names[1] or not all(len(n) == 1 and n <= INTEGER_NAMES for n in names):
        return answer
    (name,), (stated,) = names
    if not (_is_general_solution(gold, name) and _is_general_solution(answer, stated)):
        return answer
    return rename_variables(answer, {stated: name})


def _is_general_solution(tree: Tree, name: str) -> bool:
    r"""Return whether a formula is an angle plus all multiples of another, in parts of pi."""
    try:
        first, second, third = (evaluate(tree, {name: Fraction(n)}) for n in range(3))
        steps = [inexact(b - a) / context().pi for a, b in ((first, second), (second, third))]
        rational = [fingerprint(step) for step in steps]
    except UndefinedValueError:
        return False
    return bool(first) and rational[0] == rational[1] and not rational[0].startswith("~")


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


def is_rounded(exact: Scalar, written: Scalar) -> bool | None:
    """Return whether a value is less than one unit of its last place from an exact value.

    None where the last place is not known, or where units or percent signs differ.
    """
    if exact.percent or written.percent or exact.unit != written.unit:
        return None
    try:
        a, b = evaluate(exact.tree, {}), evaluate(written.tree, {})
    except (UndefinedValueError, KeyError):
        return None
    if not isinstance(b, Fraction) or context().im(inexact(a)):
        return None
    if written.places is None and (b.denominator != 1 or b == 0):
        return None
    digits = str(b.numerator)
    zeros = len(digits) - len(digits.rstrip("0")) if written.places is None else -written.places
    return bool(abs(inexact(a) - inexact(b)) < context().mpf(10) ** zeros)


def _is_decimal(value: Fraction) -> bool:
    """Return whether a rational can be written as a decimal that ends."""
    below = value.denominator
    for factor in (2, 5):
        while below % factor == 0:
            below //= factor
    return below == 1
