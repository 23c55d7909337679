"""Values of expression trees at given points, whether they are equal, and names for them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from fractions import Fraction
from typing import Any

from passk.verifiers.math.expr_tree import Tree
from passk.verifiers.math.numbers import (
    AGREEMENT,
    MAX_LOG,
    OPERATIONS,
    NotRealError,
    TooLargeError,
    UndefinedValueError,
    Value,
    binomial,
    both_exact,
    checked,
    context,
    inexact,
    overflow_sign,
    require_small,
)


def is_real(tree: Tree, names: Mapping[str, Fraction]) -> bool | None:
    """Return whether a tree and all its parts have real values; None where one is undefined."""
    try:
        _real_value(tree, names)
    except NotRealError:
        return False
    except (ZeroDivisionError, ValueError, OverflowError, TypeError, UndefinedValueError):
        return None
    return True


def _real_value(tree: Tree, names: Mapping[str, Fraction]) -> Value:
    """Evaluate a node; raise `NotRealError` where it, or one of its parts, is not real."""
    if tree[0] in ("num", "var"):
        return names[tree[1]] if tree[0] == "var" else tree[1]
    skip = 2 if tree[0] == "call" else 1
    values = [_real_value(branch, names) for branch in tree[skip:]]
    value = _call(tree[1], values) if tree[0] == "call" else OPERATIONS[tree[0]](*values)
    if not isinstance(value, Fraction) and context().im(value) != 0:
        raise NotRealError
    return value


def evaluate(tree: Tree, names: Mapping[str, Fraction]) -> Value:
    """Return the value of a tree where its variables have the given values.

    Raises:
        UndefinedValueError: it is undefined, too large or unstable there.
        KeyError: a variable has no value.
    """
    try:
        return checked(_evaluate(tree, names))
    except (ZeroDivisionError, ValueError, OverflowError, TypeError) as error:
        raise UndefinedValueError(str(error)) from error


def _evaluate(tree: Tree, names: Mapping[str, Fraction]) -> Value:
    """Evaluate a node after its operands."""
    kind = tree[0]
    if kind == "num":
        return tree[1]
    if kind == "var":
        return names[tree[1]]
    if kind == "call":
        return _call(tree[1], [_evaluate(branch, names) for branch in tree[2:]])
    return OPERATIONS[kind](*(_evaluate(branch, names) for branch in tree[1:]))


def _call(name: str, arguments: list[Value]) -> Value:
    """Evaluate a constant, a named function, or one that the text leaves undefined."""
    mp = context()
    if name in ("pi", "e"):
        return +getattr(mp, name)
    if name == "i":
        return mp.mpc(0, 1)
    if name == "binom":
        return binomial(*arguments)
    if name == "degrees":
        return inexact(arguments[0]) * mp.pi / 180
    for argument in arguments:
        require_small(argument, 60 if name not in ("ln", "log10") else MAX_LOG)
    if name.startswith("apply "):
        return hash_to_point(f"{name}({fingerprint(arguments[0])})")
    return checked(getattr(mp, MPMATH.get(name, name))(inexact(arguments[0])))


MPMATH = {
    "cis": "expj",
    "arcsin": "asin",
    "arccos": "acos",
    "arctan": "atan",
    "arcsinh": "asinh",
    "arccosh": "acosh",
    "arctanh": "atanh",
}
"""Our names of functions -> mpmath's, where they differ."""


def hash_to_point(text: str) -> Fraction:
    """Return a number in [1, 3) that depends on the text alone, for variables to stand at."""
    bits = int.from_bytes(hashlib.sha256(text.encode("utf-8", "replace")).digest()[:3], "big")
    return 1 + Fraction(bits, 1 << 23)


def nearly_equal(a: Value, b: Value) -> bool:
    """Return whether two values are equal: exactly, or to `AGREEMENT` digits."""
    if both_exact(a, b):
        return bool(a == b)
    mp, x, y = context(), inexact(a), inexact(b)
    if overflow_sign(x) or overflow_sign(y):
        if overflow_sign(x) == overflow_sign(y):
            raise TooLargeError("both are too large or too small to compare")
        return False
    return bool(abs(x - y) <= max(abs(x), abs(y)) * mp.mpf(10) ** -AGREEMENT)


def fingerprint(value: Value) -> str:
    """Return a name that equal values share.

    >>> fingerprint(Fraction(6, 8)), fingerprint(context().sqrt(2))
    ('3/4', '~1.4142135623730950488016887')
    """
    if isinstance(value, Fraction):
        if value.numerator.bit_length() + value.denominator.bit_length() <= 256:  # noqa: PLR2004
            return str(value)
        name = f"{value.numerator:x}/{value.denominator:x}"
        return f"#{hashlib.sha256(name.encode()).hexdigest()[:16]}"
    mp = context()
    real, imaginary = mp.re(value), mp.im(value)
    if abs(imaginary) <= abs(real) * mp.mpf(10) ** -AGREEMENT:
        return _plain(real)
    if abs(real) <= abs(imaginary) * mp.mpf(10) ** -AGREEMENT:
        return f"{_plain(imaginary)}i"
    return f"{_plain(real)}+{_plain(imaginary)}i"


def _plain(value: Any) -> str:
    """Return a real number to 26 digits, or the rational that it agrees with to 30."""
    mp = context()
    if overflow_sign(value):
        raise TooLargeError("too large or too small to name")
    if abs(mp.mag(value)) < 60:  # noqa: PLR2004
        scaled = Fraction(int(mp.nint(mp.ldexp(value, mp.prec))), 1 << mp.prec)
        simple = scaled.limit_denominator(1 << 20)
        if nearly_equal(simple, value):
            return str(simple)
    return "~" + str(mp.nstr(value, 26))
