"""Sets of real numbers as unions of intervals, overlaps merged."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

from passk.verifiers.math.answers import Answer, Collection, Scalar
from passk.verifiers.math.evaluate import evaluate, nearly_equal
from passk.verifiers.math.expr_tree import variables_of
from passk.verifiers.math.numbers import UndefinedValueError, Value, context, inexact

Interval = tuple[Value, bool, Value, bool]
"""Lower end, whether it belongs to the interval, upper end, whether that does."""


def real_set(group: Collection) -> list[Interval] | None:
    r"""Return a union of intervals (or `x \ne 0`) in order, overlaps merged; None if it is none.

    A lone interval is one of these only in comparison with a union, which `equal` sees to.
    """
    parts: list[Interval] = []
    if group.left == "ne":
        points = [value for item in group.items if (value := _value(item)) is not None]
        if not points or len(points) != len(group.items):
            return None
        ends = [-context().inf, *sorted(points, key=inexact), context().inf]
        return [(low, False, high, False) for low, high in pairwise(ends)]
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
    """Return intervals in order, with overlapping or touching ones merged."""
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


def same_real_set(a: list[Interval], b: list[Interval]) -> bool:
    """Return whether two unions of intervals are the same set."""
    return len(a) == len(b) and all(
        x[1] == y[1] and x[3] == y[3] and _same_end(x[0], y[0]) and _same_end(x[2], y[2])
        for x, y in zip(a, b, strict=True)
    )


def _same_end(a: Value, b: Value) -> bool:
    """Return whether two ends are equal; infinity is equal to itself."""
    infinite = context().isinf(inexact(a)), context().isinf(inexact(b))
    return bool(a == b) if any(infinite) else nearly_equal(a, b)
