"""Inputs and comparison rules of HumanEval+ and MBPP+ (Liu et al. 2023, arXiv 2305.01210).

Verdicts equal those of `evalplus` 0.3.1, whose rules these are. It compares within the judged
process, where a tolerance, once used, holds for all later tests; here the tolerance of each test is
computed from the expected outputs first.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from passk.verifiers.sandbox.decode import make_set

Arguments = Sequence[Any]

NOT_NONE = frozenset({"check_str", "text_match_three", "text_starta_endb"})
"""Functions whose output matters only as far as it is None or not."""

AS_SETS = frozenset(
    {
        *("similar_elements", "find_char_long", "common_in_nested_lists", "extract_singly"),
        *("larg_nnum", "intersection_array", "find_dissimilar", "Diff"),
    }
)
"""Functions whose outputs are compared as sets."""

FLOAT_TOLERANCE = 1e-6
RELATIVE_TOLERANCE = 1e-7

LONGEST_RANGE = 1 << 16
"""Longest range that is turned into a set."""

NUMBER = int | float | complex
"""What is compared within a tolerance."""


def _tuples(arguments: Arguments) -> Any:
    return [tuple(argument) for argument in arguments]


def _lists_of_tuples(arguments: Arguments) -> Any:
    return [[tuple(item) for item in argument] for argument in arguments]


def _tuples_of_tuples(arguments: Arguments) -> Any:
    return [tuple(tuple(item) for item in argument) for argument in arguments]


def _first_list_of_tuples(arguments: Arguments) -> Any:
    return [[tuple(item) for item in arguments[0]], arguments[1]]


def _second_tuple(arguments: Arguments) -> Any:
    return [arguments[0], tuple(arguments[1])]


def _first_tuple(arguments: Arguments) -> Any:
    return [tuple(arguments[0]), *arguments[1:]]


def _sets(arguments: Arguments) -> Any:
    return [[set(item) if isinstance(item, list) and item else {} for item in arguments[0]]]


def _tuple_perhaps_of_tuples(arguments: Arguments) -> Any:
    return [tuple(tuple(item) if isinstance(item, list) else item for item in arguments[0])]


def _values_as_tuples(arguments: Arguments) -> Any:
    return [{key: tuple(value) for key, value in arguments[0].items()}, *arguments[1:]]


def _float_and_complex(arguments: Arguments) -> Any:
    return [float(arguments[0]), complex(arguments[1])]


def _complex(arguments: Arguments) -> Any:
    return [complex(arguments[0])]


def _deep_tuples(value: Any) -> Any:
    return tuple(_deep_tuples(item) for item in value) if isinstance(value, list) else value


SHAPES: list[tuple[Callable[[Any], Any], str]] = [
    (
        _tuples,
        "2 116 132 143 222 261 273 394 399 421 424 429 470 560 579 596 616 630 726 740 744 809",
    ),
    (_lists_of_tuples, "63 64 70 94 120 237 272 299 400 409 417 438 473 614 780"),
    (_first_list_of_tuples, "75 413 444 753"),
    (_second_tuple, "106 750"),
    (_sets, "115"),
    (_float_and_complex, "124"),
    (_first_tuple, "250 307 405 446 617 720 763 808"),
    (_tuples_of_tuples, "259 401 445"),
    (_tuple_perhaps_of_tuples, "278"),
    (_values_as_tuples, "722"),
    (_complex, "252"),
    (_deep_tuples, "580 615 791"),
]
"""What MBPP's inputs were before they became JSON, by the numbers of the tasks."""

SHAPE_OF = {f"Mbpp/{number}": shape for shape, tasks in SHAPES for number in tasks.split()}


def inputs(task_id: str, rows: Sequence[Arguments]) -> list[Any]:
    """Return argument lists as the functions take them."""
    shape = SHAPE_OF.get(task_id, list)
    return [shape(row) for row in rows]


@dataclass(frozen=True, slots=True)
class LongValue:
    """An expected output too long to be stored; `floats`: a list or tuple of floats alone."""

    floats: bool


@dataclass(frozen=True, slots=True)
class Rules:
    """What decides how outputs of a task are compared.

    Attributes:
        task_id: `HumanEval/...` or `Mbpp/...`.
        entry_point: name of the function.
        atol: absolute tolerance; 0 for none, except of floats.
        base: number of tests of the original benchmark; the others follow.
    """

    task_id: str
    entry_point: str
    atol: float
    base: int


def judge(
    rules: Rules, arguments: Sequence[Arguments], expected: Sequence[Any]
) -> Callable[[int, Any, Any, bool], bool]:
    """Return the function that compares an output of a test with the expected one."""
    tolerances = _tolerances(rules, expected)
    special = _special(rules)

    def same(test: int, value: Any, wanted: Any, exact: bool) -> bool:  # noqa: FBT001
        if rules.task_id == "HumanEval/32":
            return abs(_polynomial(arguments[test][0], value)) <= rules.atol
        if rules.entry_point in NOT_NONE and rules.task_id.startswith("Mbpp"):
            wanted = wanted is not None
        equal = special(arguments[test], value, wanted) if special else value == wanted
        if equal or not tolerances[test]:
            return equal
        return exact and _close(value, wanted, tolerances[test])

    def safely(test: int, value: Any, wanted: Any, exact: bool) -> bool:  # noqa: FBT001
        try:
            return bool(same(test, value, wanted, exact))
        except (TypeError, ValueError, ArithmeticError, AttributeError, LookupError):
            return False  # what cannot be compared is not equal

    return safely


def _tolerances(rules: Rules, expected: Sequence[Any]) -> list[float]:
    """Return the absolute tolerance of each test.

    Where a task declares none, floats have one, and so have all later tests of the same half.
    """
    found, atol = [], rules.atol
    for test, wanted in enumerate(expected):
        if test == rules.base:
            atol = rules.atol
        if atol == 0 and _are_floats(wanted):
            atol = FLOAT_TOLERANCE
        found.append(atol)
    return found


def _are_floats(value: Any) -> bool:
    """Return whether a value is a float, or a list or tuple of nothing else and not empty."""
    if isinstance(value, LongValue):
        return value.floats
    if isinstance(value, list | tuple) and value:
        return all(isinstance(item, float) for item in value)
    return isinstance(value, float)


def _close(value: Any, wanted: Any, tolerance: float) -> bool:
    """Return whether two values of one type are close to each other, as NumPy sees it.

    Only numbers in lists of the expected shape reach NumPy, which would make arrays of anything.
    """
    if type(value) is not type(wanted) or not _same_shape(value, wanted):
        return False
    import numpy as np

    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        return bool(np.allclose(value, wanted, rtol=RELATIVE_TOLERANCE, atol=tolerance))


def _same_shape(value: Any, wanted: Any) -> bool:
    """Return whether both are numbers, or lists or tuples of values of the same shape."""
    if isinstance(wanted, list | tuple):
        return (
            isinstance(value, list | tuple)
            and len(value) == len(wanted)
            and all(map(_same_shape, value, wanted))
        )
    return isinstance(value, NUMBER) and isinstance(wanted, NUMBER)


def _special(rules: Rules) -> Callable[[Arguments, Any, Any], bool] | None:
    """Return the rule of a task of MBPP+ that has one of its own."""
    if not rules.task_id.startswith("Mbpp"):
        return None
    if rules.entry_point in AS_SETS:
        return lambda _arguments, value, wanted: _as_set(value) == set(wanted)
    if rules.entry_point in NOT_NONE:
        return _not_none
    return {
        "are_equivalent": lambda _arguments, _value, _wanted: True,
        "sum_div": lambda _arguments, value, wanted: value in (wanted, 0),
        "surface_Area": lambda arguments, value, wanted: (
            value == wanted or abs(value - _pyramid(*arguments)) <= rules.atol
        ),
        "digit_distance_nums": lambda arguments, value, wanted: (
            value in (wanted, _digit_distance(*arguments))
        ),
    }.get(rules.entry_point)


def _as_set(value: Any) -> set[Any]:
    """Return the items of a value; a range is small to send and may be endless to hold."""
    if isinstance(value, range) and len(value) > LONGEST_RANGE:
        raise ValueError("a range that is too long")
    return make_set(value)


def _not_none(_arguments: Arguments, value: Any, wanted: Any) -> bool:
    """Return whether an output is a match where one is expected: as a bool, or as not None."""
    return bool((value if isinstance(value, bool) else value is not None) == wanted)


def _polynomial(coefficients: Sequence[float], x: float) -> float:
    """Return the value at x of a polynomial, lowest coefficient first (HumanEval/32)."""
    return sum(factor * math.pow(x, power) for power, factor in enumerate(coefficients))


def _pyramid(base: float, height: float) -> int:
    """Return the surface of a square pyramid, its height being perpendicular (Mbpp/581)."""
    slant = math.sqrt((base / 2) ** 2 + height**2)
    return round(base**2 + 2 * base * slant)


def _digit_distance(first: int, second: int) -> int:
    """Return the sum of differences of digits, the shorter padded with zeros (Mbpp/558)."""
    one, other = str(first), str(second)
    width = max(len(one), len(other))
    digits = zip(one.zfill(width), other.zfill(width), strict=True)
    return sum(abs(int(a) - int(b)) for a, b in digits)
