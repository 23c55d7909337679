"""Rows and comparison rules of LiveCodeBench (Jain et al. 2024, arXiv 2403.07974)."""

from __future__ import annotations

import base64
import binascii
import json
import pickletools
import re
import zlib
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

WORD = re.compile(r"\S+")

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
    return tests, function_name(row)


def function_name(row: Mapping[str, Any]) -> str:
    """Return the name of the function that a row asks for; "" for a program on standard input."""
    metadata = json.loads(row.get("metadata") or "{}")
    name = metadata.get("func_name") if isinstance(metadata, dict) else None
    return str(name or "")


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
    """Return whether a value is the expected one; a tuple counts as a list, one inside does not."""
    return bool((list(value) if isinstance(value, tuple) else value) == expected)


def same_output(output: str, expected: str) -> bool:
    """Return whether standard output is as expected.

    Blanks around lines and around the whole do not matter. Lines that differ are equal where both
    are rows of decimal numbers of equal values: 1.0 is 1, and no digit is lost to rounding.
    """
    output, expected = output.strip(), expected.strip()
    if output == expected:
        return True
    if output.count("\n") != expected.count("\n"):
        return False
    return all(map(_same_line, output.split("\n"), expected.split("\n")))


def _same_line(line: str, other: str) -> bool:
    """Return whether two lines are equal, or hold the same decimal numbers."""
    line, other = line.strip(), other.strip()
    if line == other:
        return True
    try:
        words = zip(WORD.finditer(line), WORD.finditer(other), strict=True)
        return all(Decimal(one[0]) == Decimal(two[0]) for one, two in words)
    except (InvalidOperation, ValueError):  # no number, or one line is longer
        return False
