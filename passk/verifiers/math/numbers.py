"""Arithmetic on values: exact rationals as far as they go, then 160 digits, always bounded.

What would need a large number's digits is refused (`TooLargeError`), or is infinite where only its
size matters. A sum that loses more digits than it can afford is refused (`UnstableError`), so that
a difference which vanishes by rounding never passes as zero.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

from passk.core.errors import VerifierError
from passk.core.install import install_extra

DIGITS = 160
"""Digits that are computed."""

AGREEMENT = 100
"""Digits in which equal values agree."""

EXACT_BITS = 1 << 15
"""Largest numerator or denominator, in bits, that stays an exact rational."""

MAX_LOG = 1 << 60
"""Numbers above exp(2^60) are infinite, and those below exp(-2^60) all one tiny number."""

Value = Any
"""A Fraction, or a real or complex number of mpmath."""


class UndefinedValueError(ArithmeticError):
    """The value is not defined, or cannot be had within the limits."""


class TooLargeError(UndefinedValueError):
    """The value, or one on the way to it, has too many digits."""


class NotRealError(UndefinedValueError):
    """The value, or one on the way to it, is not real."""


class UnstableError(UndefinedValueError):
    """A sum cancels so far that its digits cannot be trusted."""


@functools.cache
def context() -> Any:
    """Return mpmath's functions at our precision; nothing global is touched."""
    try:
        from mpmath.ctx_mp import MPContext
    except ModuleNotFoundError as error:
        raise VerifierError(
            "verifier 'math' needs the package 'mpmath', which is not installed",
            fix=install_extra("math"),
        ) from error
    mp = MPContext()
    mp.dps = DIGITS
    return mp


def checked(value: Value) -> Value:
    """Return a value that is a number; make a rational of too many bits inexact."""
    if isinstance(value, Fraction):
        if value.numerator.bit_length() + value.denominator.bit_length() > 2 * EXACT_BITS:
            return inexact(value)
        return value
    if context().isnan(value):
        raise TooLargeError("infinite less infinite, or the like")
    return value


def inexact(value: Value) -> Any:
    """Return a value as a number of mpmath."""
    if isinstance(value, Fraction):
        return context().mpf(value.numerator) / value.denominator
    return value


def tiny_number() -> Any:
    """Return the number that stands for all that are too small."""
    return context().ldexp(1, -(MAX_LOG << 2))


def overflow_sign(value: Value) -> int:
    """Return 1 for what is too large, -1 for what is too small, else 0."""
    mp, number = context(), inexact(value)
    if mp.isinf(number):
        return 1
    return -1 if number and mp.mag(number) < -(MAX_LOG << 1) else 0


def both_exact(a: Value, b: Value) -> bool:
    """Return whether both values are rationals."""
    return isinstance(a, Fraction) and isinstance(b, Fraction)


def _add(a: Value, b: Value) -> Value:
    """Add; refuse where the sum keeps too few digits."""
    if both_exact(a, b):
        return checked(a + b)
    mp, x, y = context(), inexact(a), inexact(b)
    total = x + y
    if mp.isinf(total) or mp.isnan(total):
        return checked(total)
    if x and y:
        small, large = sorted((mp.mag(x), mp.mag(y)))
        if not total or mp.mag(total) < large - mp.prec // 3 or small < large - mp.prec:
            raise UnstableError("a sum that cancels, or of which a part is lost")
    return total


def _subtract(a: Value, b: Value) -> Value:
    """Subtract."""
    return _add(a, -b)


def _multiply(a: Value, b: Value) -> Value:
    """Multiply."""
    if both_exact(a, b):
        return checked(a * b)
    sizes = {overflow_sign(a), overflow_sign(b)}
    if sizes == {-1, 1}:
        raise TooLargeError("too small times too large")
    return tiny_number() if -1 in sizes else checked(inexact(a) * inexact(b))


def _divide(a: Value, b: Value) -> Value:
    """Divide."""
    if both_exact(a, b):
        return checked(a / b)
    if b == 0:
        raise UndefinedValueError("divided by zero")
    if overflow_sign(b) == 0:
        return tiny_number() if overflow_sign(a) < 0 else checked(inexact(a) / inexact(b))
    return _multiply(a, tiny_number() if overflow_sign(b) > 0 else context().inf)


def _power(a: Value, b: Value) -> Value:
    """Raise to a power: exactly where that is rational and of few enough bits."""
    if both_exact(a, b):
        exact = _exact_power(a, b)
        if exact is not None:
            return exact
        if a < 0 and b.denominator % 2 == 1 and b.denominator > 1:
            # As schools write it: (-8)^{1/3} is -2, as the cube root of -8 is.
            return -_power(-a, b) if b.numerator % 2 else _power(-a, b)
    mp, x, y = context(), inexact(a), inexact(b)
    if x in (0, 1):
        if mp.isinf(y) or mp.re(y) <= 0:
            raise UndefinedValueError("no such power of 0 or 1")
        return Fraction(int(x == 1))
    if mp.isinf(x):
        raise TooLargeError("a power of a number that is too large")
    if overflow_sign(x) < 0:
        raise TooLargeError("a power of a number that is too small")
    size = mp.log(x) * y
    if mp.isinf(size) or abs(size) > MAX_LOG:
        if mp.im(size):
            raise TooLargeError("a power that is too large or too small")
        return mp.inf if mp.re(size) > 0 else tiny_number()
    return checked(mp.power(x, y))


def _exact_power(a: Fraction, b: Fraction) -> Fraction | None:
    """Return a rational power that is rational, or None where it is not or has too many bits."""
    if b.denominator > 1:
        if a < 0 or b.denominator > 64:  # noqa: PLR2004
            return None
        root = _exact_root(a, b.denominator)
        return None if root is None else _exact_power(root, Fraction(b.numerator))
    bits = max(a.numerator.bit_length(), a.denominator.bit_length())
    if a in (0, 1, -1):
        if a == 0 and b <= 0:
            raise UndefinedValueError("no such power of 0")
        return a if a >= 0 or b.numerator % 2 else -a
    return a**b.numerator if abs(b.numerator) * bits <= EXACT_BITS else None


def _exact_root(a: Fraction, index: int) -> Fraction | None:
    """Return the root of a nonnegative rational where it is rational."""
    above, below = _integer_root(a.numerator, index), _integer_root(a.denominator, index)
    return None if above is None or below is None else Fraction(above, below)


def _integer_root(number: int, index: int) -> int | None:
    """Return the integer root of a nonnegative integer, or None where there is none."""
    if index == 2:  # noqa: PLR2004
        root = math.isqrt(number)
    else:
        if number.bit_length() > 900:  # noqa: PLR2004
            return None
        root = round(number ** (1 / index))
    return root if root**index == number else None


def _root(a: Value, index: Value) -> Value:
    """Take a root; odd roots of negative numbers are real, as LaTeX writes them."""
    if index == 0:
        raise UndefinedValueError("no such root")
    real = isinstance(a, Fraction) or context().im(a) == 0
    odd = isinstance(index, Fraction) and index.denominator == 1 and index.numerator % 2
    if real and odd and a < 0:
        return -_power(-a, 1 / index)
    return _power(a, 1 / index if isinstance(index, Fraction) else 1 / inexact(index))


def _factorial(a: Value) -> Value:
    """Return a!, by the gamma function where a is no small integer."""
    if isinstance(a, Fraction) and a.denominator == 1 and 0 <= a <= 3000:  # noqa: PLR2004
        return Fraction(math.factorial(int(a)))
    if overflow_sign(a) > 0 or (context().mag(inexact(a)) > 60 and context().re(inexact(a)) > 0):  # noqa: PLR2004
        return context().inf
    return checked(context().factorial(inexact(a)))


def binomial(a: Value, b: Value) -> Value:
    """Return a over b."""
    if both_exact(a, b) and a.denominator == b.denominator == 1 and 0 <= b <= a <= 3000:  # noqa: PLR2004
        return Fraction(math.comb(int(a), int(b)))
    require_small(a, 60)
    require_small(b, 60)
    return checked(context().binomial(inexact(a), inexact(b)))


def _common(function: Callable[..., int], *numbers: Value) -> Value:
    """Return the greatest common divisor, or least common multiple, of integers."""
    whole = [int(n) for n in numbers if isinstance(n, Fraction) and n.denominator == 1]
    if len(whole) != len(numbers):
        raise UndefinedValueError("of integers alone")
    return checked(Fraction(function(*whole)))


def _floor(a: Value) -> Value:
    """Round down; exact for rationals alone, for elsewhere 2.999... and 3 look the same."""
    if isinstance(a, Fraction):
        return Fraction(math.floor(a))
    if context().mag(a) > context().prec // 2:
        raise UnstableError("rounds a number of too many digits")
    down = context().floor(a)
    if abs(a - context().nint(a)) < context().mpf(10) ** -AGREEMENT:
        raise UnstableError("rounds a number that may be an integer")
    return Fraction(int(down))


def _ceil(a: Value) -> Value:
    """Round up."""
    return -_floor(-a)


def require_small(a: Value, bits: int) -> None:
    """Raise where a number is too large for what is about to be done with it."""
    mp = context()
    if mp.isinf(inexact(a)) or mp.mag(inexact(a)) > bits:
        raise TooLargeError("the argument of a function is too large")


OPERATIONS: dict[str, Callable[..., Value]] = {
    "add": _add,
    "sub": _subtract,
    "mul": _multiply,
    "div": _divide,
    "pow": _power,
    "root": _root,
    "neg": lambda a: -a,
    "abs": abs,
    "group": lambda a: a,
    "fact": _factorial,
    "floor": _floor,
    "ceil": _ceil,
    "gcd": functools.partial(_common, math.gcd),
    "lcm": functools.partial(_common, math.lcm),
}
