"""Values as text: the Python literal of plain data, and a few tags for what is no literal.

| text | value |
|---|---|
| `[(1, 2.5), {'a': None}]` | plain data: exactly the built-in types, nested in any way |
| `inf`, `nan` | floats that have no literal |
| `set()`, `frozenset({1})`, `bytearray(b'x')`, `range(0, 3, 1)` | the others of Python's own |
| `deque([1])`, `Decimal('1.5')`, `Fraction(1, 2)` | the standard library's |

The first character says how the test went: `=` plain data; `~` data whose outermost type is a
relative of a built-in one (a subclass, a NumPy number); `?` a type that is none of these, by name;
`!` an exception, by name. What is long comes as `#`, the first character, its digest, and
`floats` where it is a list or tuple of nothing else, unless the whole is asked for. A subclass
is read through the methods of its built-in base, so that no method of the program decides what is
sent.
"""

from __future__ import annotations

import itertools
import marshal
import re
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from decimal import Decimal
from fractions import Fraction
from typing import Any

DEPTH = 150
"""Deepest nesting that is followed by hand; plain data may be nested as deep as Python prints."""

KEYS: type = type({}.keys())
ITEMS: type = type({}.items())


LONG = 1 << 16
"""Longest value, in bytes, that is sent where the whole is not asked for."""


CHUNK = 4096
"""Items of a list or tuple that are looked at at a time."""


OTHER = re.compile(r"\w\(|<\w")
"""What the text of a type that has no literal holds: a call, or an address."""


class UnknownTypeError(Exception):
    """A value of a type that has no text."""


def encode(value: Any, *, whole: bool = False) -> str:
    """Return the line that encodes a value that a program returned; never raises.

    >>> encode([1, (2.0, None)]), encode(True), encode(object())
    ('=[1, (2.0, None)]', '=True', '?object')
    """
    # marshal takes NumPy's numbers for bytes: with them, values are looked at one by one.
    line = None if "numpy" in sys.modules else _encode_plain(value, whole=whole)
    if line is not None:
        return line
    line = _encode_by_hand(value)
    return line if whole or len(line) <= LONG else _digest(line[0], [line.encode()], value)


def _encode_plain(value: Any, *, whole: bool) -> str | None:
    """Return the line of a value that is plain all through, else None.

    marshal takes exactly the built-in types, in C, and far faster than text is made; version 2
    writes equal data in equal ways. What else it takes, as bytes, shows in the text.
    """
    try:
        parts = (marshal.dumps(part, 2) for part in _parts(value))
        begun, length = [], 0
        for part in parts:
            begun.append(part)
            length += len(part)
            if length > LONG and not whole:
                return _digest("=", itertools.chain(begun, parts), value)
        text = ascii(value)
    except (ValueError, TypeError):
        return None
    except (MemoryError, RecursionError):
        return "?" + type(value).__name__
    return None if OTHER.search(text) else "=" + text


def _parts(value: Any) -> Iterator[Any]:
    """Yield a value, or a long list or tuple in parts, so that no second one has to be held."""
    if type(value) not in {list, tuple} or len(value) <= CHUNK:
        yield value
        return
    for start in range(0, len(value), CHUNK):
        yield value[start : start + CHUNK]


def _digest(first: str, parts: Iterable[bytes], value: Any) -> str:
    """Return the digest line of a long value, given in parts."""
    import hashlib

    digest = hashlib.sha256()
    for part in parts:
        digest.update(part)
    floats = type(value) in {list, tuple} and all(isinstance(item, float) for item in value)
    return f"#{first}{digest.hexdigest()}{' floats' if floats else ''}"


def _encode_by_hand(value: Any) -> str:
    """Return the line of a value that is not plain all through."""
    try:
        text = _text(value, DEPTH)
        return ("=" if type(value) in EXACT else "~") + text
    except Exception as error:  # noqa: BLE001
        # Whatever a program's object does when looked at makes it one that cannot be compared.
        name = error.args[0] if isinstance(error, UnknownTypeError) else type(value).__name__
        return "?" + ascii(str(name))[1:-1]


def _text(value: Any, depth: int) -> str:
    """Return the text of a value."""
    if depth == 0:
        raise UnknownTypeError("too deeply nested")
    kind = type(value)
    for base in kind.__mro__:
        if base in WRITERS:
            return WRITERS[base](value, depth - 1)
    if kind.__module__ == "numpy" and isinstance(value, sys.modules["numpy"].generic):
        return _text(value.item(), depth - 1)
    raise UnknownTypeError(kind.__name__)


def _items(values: Any, depth: int) -> str:
    return ", ".join([_text(item, depth) for item in values])


def _int(value: Any, _depth: int) -> str:
    try:
        return int.__repr__(value)
    except ValueError:  # more digits than Python writes in base 10
        return hex(int.__index__(value))


def _list(value: Any, depth: int) -> str:
    return f"[{_items(list.__iter__(value), depth)}]"


def _tuple(value: Any, depth: int) -> str:
    return f"({_items(tuple.__iter__(value), depth)}{',' if tuple.__len__(value) == 1 else ''})"


def _set(value: Any, depth: int) -> str:
    return f"set([{_items(set.__iter__(value), depth)}])"


def _frozenset(value: Any, depth: int) -> str:
    return f"frozenset([{_items(frozenset.__iter__(value), depth)}])"


def _dict(value: Any, depth: int) -> str:
    pairs = [f"{_text(k, depth)}: {_text(v, depth)}" for k, v in dict.items(value)]
    return "{" + ", ".join(pairs) + "}"


def _view(value: Any, depth: int) -> str:
    return f"set([{_items(list(value), depth)}])"


def _deque(value: Any, depth: int) -> str:
    return f"deque([{_items(deque.__iter__(value), depth)}])"


def _range(value: Any, _depth: int) -> str:
    return f"range({value.start}, {value.stop}, {value.step})"


WRITERS: dict[type, Callable[[Any, int], str]] = {
    type(None): lambda _value, _depth: "None",
    bool: lambda value, _depth: "True" if value else "False",
    int: _int,
    float: lambda value, _depth: float.__repr__(value),
    complex: lambda value, _depth: complex.__repr__(value),
    str: lambda value, _depth: ascii(str.__str__(value)),
    bytes: lambda value, _depth: bytes.__repr__(value),
    bytearray: lambda value, _depth: f"bytearray({bytes(value)!r})",
    list: _list,
    tuple: _tuple,
    set: _set,
    frozenset: _frozenset,
    dict: _dict,
    deque: _deque,
    range: _range,
    KEYS: _view,
    ITEMS: _view,
    Decimal: lambda value, _depth: f"Decimal({Decimal.__str__(value)!r})",
    Fraction: lambda value, _depth: f"Fraction({value.numerator:d}, {value.denominator:d})",
}
"""Built-in type -> what writes it and its subclasses."""

EXACT = frozenset(WRITERS) - {KEYS, ITEMS}
