"""Comparison rules of LiveCodeBench (Jain et al. 2024, arXiv 2403.07974)."""

from __future__ import annotations

import json
from decimal import Decimal, InvalidOperation
from typing import Any


def functional(given: Any, output: Any) -> tuple[list[Any], Any]:
    r"""Return arguments and expected value of a functional test; JSON text is read.

    >>> functional("1\n[2]", "3")
    ([1, [2]], 3)

    Raises:
        ValueError: the text is not JSON, or the arguments are no list.
    """
    if isinstance(given, str):
        return [json.loads(line) for line in given.split("\n") if line.strip()], json.loads(output)
    if not isinstance(given, list):  # whose message names the problem: one kind of error
        raise ValueError(  # noqa: TRY004
            "the input of a functional test is a list of arguments, or JSON text"
        )
    return given, output


def same_value(_test: int, value: Any, expected: Any, _exact: bool) -> bool:  # noqa: FBT001
    """Return whether a value is the expected one; a tuple will do where a list is expected."""
    return bool(_listed(value) == expected)


def _listed(value: Any) -> Any:
    """Return a value with its tuples as lists, as JSON has no tuples."""
    if isinstance(value, list | tuple):
        return [_listed(item) for item in value]
    return value


def same_output(output: str, expected: str) -> bool:
    """Return whether standard output is as expected.

    Blanks around lines and around the whole do not matter. Lines that differ are equal where both
    are rows of decimal numbers of equal values: 1.0 is 1, and no digit is lost to rounding.
    """
    lines, wanted = _lines(output), _lines(expected)
    return len(lines) == len(wanted) and all(
        line == other or _same_numbers(line, other)
        for line, other in zip(lines, wanted, strict=True)
    )


def _lines(text: str) -> list[str]:
    """Return the lines of a text without blanks around them."""
    return [line.strip() for line in text.strip().split("\n")]


def _same_numbers(line: str, other: str) -> bool:
    """Return whether two lines hold the same decimal numbers."""
    try:
        numbers = [Decimal(word) for word in line.split()]
        return numbers == [Decimal(word) for word in other.split()]
    except InvalidOperation:
        return False
