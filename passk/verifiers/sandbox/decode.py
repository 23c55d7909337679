"""Reads what a program returned, as data: nothing of it is ever evaluated or unpickled.

The text is what `inside.encode` writes, but a hostile program may have sent anything: it is parsed
to a syntax tree, within limits of length, depth and time, and only literals and a handful of named
built-in types are made of it. Memory and time are bounded whatever the text.
"""

from __future__ import annotations

import ast
import json
import re
import time
import warnings
from collections import deque
from collections.abc import Callable, Hashable, Iterable, Sequence
from decimal import Decimal
from fractions import Fraction
from typing import Any

LIMIT = 1 << 16
"""Longest text, in characters, that is read where the caller allows no more."""

TREE_LIMIT = 1 << 19
"""Longest untrusted text, in characters, that is parsed to a syntax tree, of 300 bytes each."""

NUMBERS_LIMIT = 1 << 24
"""Longest untrusted text, in characters, of numbers in lists."""

SET_SECONDS = 2.0
"""Processor time that making one set or dict may take: keys can be chosen to collide."""

CHUNK = 256
"""Keys that are added between two looks at the clock."""


NUMBERS = re.compile(r"[\[\]0-9., e+-]*")
"""Numbers in lists: read as JSON, many times faster and in a tenth of the memory."""


class UnreadableError(Exception):
    """Text that is not a value."""


def _exact_fraction(above: int, below: int) -> Fraction:
    if not (type(above) is int and type(below) is int):
        raise UnreadableError("a fraction of something else than integers")
    return Fraction(above, below)


def _range(start: int, stop: int, step: int) -> range:
    return range(start, stop, step)


TAGS: dict[str, tuple[Callable[..., Any], int]] = {
    "set": (lambda items=(): make_set(items), 1),
    "frozenset": (lambda items=(): frozenset(make_set(items)), 1),
    "bytearray": (bytearray, 1),
    "range": (_range, 3),
    "deque": (deque, 1),
    "Decimal": (Decimal, 1),
    "Fraction": (_exact_fraction, 2),
}
"""Name -> what makes the value, and of how many arguments at most."""

ARGUMENTS = (list, set, str, bytes, int)
"""Types that arguments of tags have."""

NAMES = {"inf": float("inf"), "nan": float("nan"), "infj": complex("infj"), "nanj": complex("nanj")}


def make_set(items: Iterable[Hashable]) -> set[Any]:
    """Return a set, within `SET_SECONDS`.

    Raises:
        UnreadableError: it takes longer, because its items collide.
    """
    return set(make_dict(list(items), None))


def make_dict(keys: Sequence[Hashable], values: Sequence[Any] | None) -> dict[Any, Any]:
    """Return a dict, within `SET_SECONDS`; without `values` all are None.

    Raises:
        UnreadableError: it takes longer, because its keys collide.
    """
    made: dict[Any, Any] = {}
    due = time.process_time() + SET_SECONDS
    for start in range(0, len(keys), CHUNK):
        part = keys[start : start + CHUNK]
        if values is None:
            made.update(dict.fromkeys(part))
        else:
            made.update(zip(part, values[start : start + CHUNK], strict=True))
        if time.process_time() > due:
            raise UnreadableError("its keys collide")
    return made


def decode(text: str, limit: int = LIMIT, *, trusted: bool = False) -> Any:
    """Return the value that a text encodes.

    Args:
        text: what `inside.encode` writes, or anything else.
        limit: longest text, in characters.
        trusted: whether it comes from a reference solution, and may be as long as it is.


    >>> decode("[(1, 2.5), {'a': set([3])}, -inf]")
    [(1, 2.5), {'a': {3}}, -inf]

    Raises:
        UnreadableError: it is not a value, or too long or too deeply nested to be read.
    """
    if len(text) > limit:
        raise UnreadableError("too long")
    try:
        if trusted or len(text) <= NUMBERS_LIMIT:
            return _numbers(text)
    except (ValueError, TypeError, RecursionError):
        pass  # what is no JSON may be a literal all the same
    if len(text) > TREE_LIMIT and not trusted:
        raise UnreadableError("too long")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(text, mode="eval")
        return _value(tree.body)
    except (SyntaxError, ValueError, TypeError, ArithmeticError, AttributeError) as error:
        raise UnreadableError("not a value") from error
    except (RecursionError, MemoryError) as error:
        raise UnreadableError("too deeply nested") from error


def _numbers(text: str) -> Any:
    """Return the value of a text of nothing but numbers: nested lists, or a flat tuple or set.

    Raises:
        ValueError: it is something else.
    """
    if NUMBERS.fullmatch(text):
        return json.loads(text)
    for ends, make in (("()", tuple), ("{}", make_set)):
        inside = text[1:-1]
        if text[:1] + text[-1:] == ends and "," in inside and NUMBERS.fullmatch(inside):
            return make(json.loads(f"[{inside.rstrip(', ')}]"))
    raise ValueError("not numbers alone")


def _value(node: ast.expr | None) -> Any:  # noqa: PLR0911 (a case per kind of node)
    """Return the value of a node."""
    match node:
        case ast.Constant(value=value):
            return value
        case ast.List(elts=items):
            return [_value(item) for item in items]
        case ast.Tuple(elts=items):
            return tuple(_value(item) for item in items)
        case ast.Set(elts=items):
            return make_set(_value(item) for item in items)
        case ast.Dict(keys=keys, values=values):
            return make_dict([_value(k) for k in keys], [_value(v) for v in values])
        case ast.Name(id=name) if name in NAMES:
            return NAMES[name]
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return -_number(operand)
        case ast.BinOp(left=left, op=ast.Add() | ast.Sub() as sign, right=right):
            added = _number(right)
            return _number(left) + (added if isinstance(sign, ast.Add) else -added)
        case ast.Call(func=ast.Name(id=name), args=arguments, keywords=[]) if name in TAGS:
            return _tagged(name, [_value(argument) for argument in arguments])
    raise UnreadableError("not a value")


def _number(node: ast.expr) -> Any:
    """Return the value of a node that is a number."""
    value = _value(node)
    if isinstance(value, bool) or not isinstance(value, int | float | complex):
        raise UnreadableError("not a number")
    return value


def _tagged(name: str, arguments: list[Any]) -> Any:
    """Return the value of a tag; its arguments are of plain types alone."""
    make, most = TAGS[name]
    if len(arguments) > most or not all(type(argument) in ARGUMENTS for argument in arguments):
        raise UnreadableError(f"not a {name}")
    if name == "bytearray" and not all(type(argument) is bytes for argument in arguments):
        raise UnreadableError("not a bytearray")
    return make(*arguments)
