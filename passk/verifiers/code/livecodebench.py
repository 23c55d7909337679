"""Rows and comparison rules of LiveCodeBench (Jain et al. 2024, arXiv 2403.07974)."""

from __future__ import annotations

import base64
import binascii
import json
import pickletools
import zlib
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

PRIVATE_BYTES = 1 << 30
"""Most bytes that packed tests may unfold to; the largest that are published take a fifth."""

AROUND_TEXT = frozenset({"PROTO", "FRAME", "MEMOIZE", "BINPUT", "LONG_BINPUT", "PUT", "STOP"})
"""Operations of a pickle that carry nothing."""

TEXT = frozenset({"UNICODE", "SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8"})
"""Operations of a pickle that carry a text."""


def published(row: Mapping[str, Any]) -> tuple[list[Any], str]:
    """Return the tests of a row as it is published, public ones first, and the entry point.

    Args:
        row: `public_test_cases` and `metadata` are JSON text, `private_test_cases` is JSON text
            or packed (`unpacked`); a row without a function's name is about standard input.

    Raises:
        ValueError: one of those is not what it should be.
    """
    tests: list[Any] = []
    for key in ("public_test_cases", "private_test_cases"):
        text = row.get(key) or "[]"
        if not isinstance(text, str):
            raise ValueError(f"{key!r} is text")  # noqa: TRY004
        found = json.loads(text if text.lstrip().startswith("[") else unpacked(text))
        if not isinstance(found, list):
            raise ValueError(f"{key!r} is not a list of tests")  # noqa: TRY004
        tests += found
    metadata = json.loads(row.get("metadata") or "{}")
    name = metadata.get("func_name") if isinstance(metadata, dict) else None
    return tests, str(name or "")


def unpacked(text: str) -> str:
    """Return the text that is packed as a pickle, deflated, in base 64.

    A pickle is a program, so this one is read, not run: it may hold one text and nothing else.

    Raises:
        ValueError: it is none, too large, or does more than to hold a text.
    """
    try:
        inflate = zlib.decompressobj()
        data = inflate.decompress(base64.b64decode(text, validate=True), PRIVATE_BYTES)
    except (binascii.Error, zlib.error) as error:
        raise ValueError(f"packed tests cannot be read: {error}") from error
    if not inflate.eof:
        raise ValueError(f"packed tests are cut short, or larger than {PRIVATE_BYTES} bytes")
    texts = []
    for operation, argument, _ in pickletools.genops(data):
        if operation.name in TEXT:
            texts.append(argument)
        elif operation.name not in AROUND_TEXT:
            raise ValueError(f"packed tests hold more than a text: {operation.name}")
    if len(texts) != 1:
        raise ValueError(f"packed tests hold {len(texts)} texts")
    return str(texts[0])


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
