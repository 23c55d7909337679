"""Formulas with variables: whether two are equal, and a name that equal ones share.

They are compared at fixed hash_to_point points in exact or 120-digit arithmetic (Schwartz 1980 and
Zippel 1979: unequal polynomials agree at few points). Variables are positive first; only where
they agree at negative values too are formulas equal, so that |x| is not x.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction

from passk.verifiers.math.evaluate import (
    evaluate,
    fingerprint,
    hash_to_point,
    is_real,
    nearly_equal,
)
from passk.verifiers.math.expr_tree import Tree, has, variables_of
from passk.verifiers.math.numbers import UndefinedValueError, UnstableError

INTEGERS = [n for n in range(3, 40) if n not in (4, 8, 9, 16, 25, 27, 32, 36)]
"""Where formulas for integers are compared: no perfect powers, whose roots and logs are whole."""

DIVISORS = ("gcd", "lcm")
SMOOTH = [n for n in range(1, 241) if 30**7 % n == 0]
"""Integers with many common divisors."""

MORE_POINTS = 40
"""Small integers at which formulas that round are compared as well."""

NEGATIVE = 3
"""Points at which all variables are negative, and as many at which every other one is."""

POSITIVE = 2
"""Points at which all variables are positive."""

SCALES = (Fraction(1, 8), Fraction(1, 100), Fraction(50))
"""Factors of the positive points that are tried where a formula is not real at them."""


def is_integral(tree: Tree) -> bool:
    """Return whether a formula makes sense for integers above all: it rounds, or has (-1)^n."""
    return has(tree, ("floor", "ceil", *DIVISORS)) or _alternates(tree)


def _alternates(tree: Tree) -> bool:
    """Return whether a negative number is raised to a power with variables."""
    if tree[0] == "pow" and variables_of(tree[2]):
        base = tree[1]
        if base[0] == "neg" or (base[0] == "num" and base[1] < Fraction(0)):
            return True
    return any(_alternates(branch) for branch in tree[1:] if isinstance(branch, tuple))


def test_points(trees: Sequence[Tree]) -> tuple[list[dict[str, Fraction]], int]:
    """Return the values of the variables at each point, and how many points decide against.

    Formulas that round or alternate are for integers. For others the points after the first
    `POSITIVE` are negative, all variables at once and then every other one.
    """
    names = sorted(frozenset().union(*(variables_of(tree) for tree in trees)))
    if any(is_integral(tree) for tree in trees):
        count = 2 * (POSITIVE + 1)
        at = [
            [int(hash_to_point(f"{name}|{point}") * 9973) for name in names]
            for point in range(count)
        ]
        return [
            dict(zip(names, (Fraction(INTEGERS[v % len(INTEGERS)]) for v in row), strict=True))
            for row in at
        ], count
    points = [
        {name: hash_to_point(f"{name}|{point}") for name in names} for point in range(POSITIVE)
    ]
    for point in range(NEGATIVE):
        negative = {name: -hash_to_point(f"{name}|-{point or ''}") for name in names}
        mixed = {
            name: negative[name] if place % 2 == point % 2 else -negative[name]
            for place, name in enumerate(names)
        }
        points += [negative, mixed]
    return points, POSITIVE


def _more_points(gold: Tree, answer: Tree) -> Iterator[dict[str, Fraction]]:
    """Yield points that can only tell formulas for integers apart: they agree at most points.

    Where one formula rounds and the other is for any number, these are no integers.
    """
    if not (is_integral(gold) or is_integral(answer)):
        return
    names = sorted(variables_of(gold) | variables_of(answer))
    for point in range(1, MORE_POINTS + 1):
        yield {
            name: Fraction(1 + (point * (2 * place + 1) + place) % MORE_POINTS)
            for place, name in enumerate(names)
        }
    if has(gold, DIVISORS):
        for point in range(MORE_POINTS):
            yield {
                name: Fraction(SMOOTH[(point * (6 * place + 5) + place * place) % len(SMOOTH)])
                for place, name in enumerate(names)
            }
    if is_integral(gold) != is_integral(answer):
        for point in range(POSITIVE):
            yield {name: hash_to_point(f"{name}|{point}") for name in names}


def formulas_equal(gold: Tree, answer: Tree, *, positive: bool = False) -> bool | None:
    """Compare two formulas: equal at all points is equal, unequal at one is not.

    Points at which one of them is not real are passed over, except for formulas that are real at
    none, which are compared by their complex values: ln(x^2) is 2 ln(x). Bars in only one of them
    say that its variables may be negative: ln|x| is not ln(x). With `positive` all variables are
    positive, unless the gold answer has a negative term.
    """
    if has(gold, DIVISORS) != has(answer, DIVISORS):
        return False
    if any(_equal_at(names, gold, answer) is False for names in _more_points(gold, answer)):
        return False
    points, deciding = test_points([gold, answer])
    found = [_equal_at(names, gold, answer) for names in points[:deciding]]
    if False in found:
        found = [
            _equal_at(names, gold, answer)
            for names in _real_points(points[:deciding], gold, answer)
        ]
    if not (positive and not has(gold, ("neg",))) and False not in found:
        widened = has(gold, ("abs",)) != has(answer, ("abs",))
        for names in points[deciding:]:
            point = _real_point(names, gold, answer, widened=widened)
            if point is not None:
                found.append(_equal_at(point, gold, answer))
    return False if False in found else None if None in found else True


def _real_points(
    points: Sequence[Mapping[str, Fraction]], gold: Tree, answer: Tree
) -> Sequence[Mapping[str, Fraction]]:
    r"""Return the points, or smaller or larger ones if the formulas are real at those only.

    `\sqrt{1-x^2}` is real below 1, where no point stands at first.
    """
    for scale in (Fraction(1), *SCALES):
        other = [{name: value * scale for name, value in names.items()} for names in points]
        if all(is_real(tree, names) for names in other for tree in (gold, answer)):
            return other
    return points


def _real_point(
    names: Mapping[str, Fraction], gold: Tree, answer: Tree, *, widened: bool
) -> Mapping[str, Fraction] | None:
    """Return a point, or a smaller or larger one, at which both formulas are real, or None.

    If `widened`, a point at which one of them is real tells them apart.
    """
    for scale in (Fraction(1), *SCALES):
        point = {name: value * scale for name, value in names.items()}
        if all(is_real(tree, point) is not False for tree in (gold, answer)):
            return point
    one_is_real = any(is_real(tree, names) is not False for tree in (gold, answer))
    return names if widened and one_is_real else None


def _equal_at(names: Mapping[str, Fraction], gold: Tree, answer: Tree) -> bool | None:
    """Compare two formulas at one point."""
    try:
        return nearly_equal(evaluate(gold, names), evaluate(answer, names))
    except UndefinedValueError:
        return None


@functools.lru_cache(maxsize=1 << 12)
def value_name(tree: Tree) -> str:
    """Return the value of a formula as a name, or a digest of its values at the points."""
    names = variables_of(tree)
    try:
        if not names:
            return fingerprint(evaluate(tree, {}))
        if tree[0] == "var":
            return str(tree[1])
        values = [fingerprint(evaluate(tree, point)) for point in test_points([tree])[0][:POSITIVE]]
        digest = hashlib.sha256("|".join(values).encode()).hexdigest()[:12]
        return f"f({','.join(sorted(names))})#{digest}"
    except UndefinedValueError as error:
        kind = "unstable" if isinstance(error, UnstableError) else "unknown"
        return f"{kind}#{hashlib.sha256(str(tree).encode()).hexdigest()[:12]}"
