"""Whether two equations or inequalities say the same."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from passk.verifiers.math.answers import Equation
from passk.verifiers.math.evaluate import evaluate, nearly_equal
from passk.verifiers.math.expr_tree import Tree, numerator, variables_of
from passk.verifiers.math.formulas import test_points
from passk.verifiers.math.numbers import UndefinedValueError


def compare_equations(a: Equation | None, b: Equation | None) -> bool | None:
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
