"""A place in a file that is one large JSON value, of which a piece is in memory at a time."""

from __future__ import annotations

import codecs
import json
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from passk.core.errors import DataError

CHUNK = 1 << 16
"""Bytes that are read at once."""

LONGEST_VALUE = 1 << 28
"""Characters above which one element is no longer read."""


class Cursor:
    """A place in a file that is one large JSON value, of which a piece is held at a time."""

    def __init__(self, stream: IO[bytes], path: Path) -> None:
        """Start at the beginning of a stream."""
        self._stream, self._path = stream, path
        self._decode = codecs.getincrementaldecoder("utf-8")()
        self._json = json.JSONDecoder()
        self._text, self._at, self._ended, self._line = "", 0, False, 1

    @property
    def where(self) -> str:
        """The place as `file:line`."""
        return f"{self._path}:{self._line}"

    def _more(self, size: int = CHUNK) -> bool:
        """Read on, dropping what lies behind; False at the end of the file."""
        if self._ended:
            return False
        data = self._stream.read(size)
        self._ended = not data
        try:
            text = self._decode.decode(data, final=self._ended)
        except UnicodeDecodeError as error:
            raise DataError(f"not UTF-8: {error}", where=self.where) from error
        self._line += self._text.count("\n", 0, self._at)
        self._text, self._at = self._text[self._at :] + text, 0
        return not self._ended

    def peek(self) -> str:
        """Return the next character that is not blank; empty at the end of the file."""
        while True:
            while self._at < len(self._text) and self._text[self._at] in " \t\r\n\ufeff":
                self._at += 1
            if self._at < len(self._text):
                self._line += self._text.count("\n", 0, self._at)
                self._text, self._at = self._text[self._at :], 0
                return self._text[0]
            if not self._more():
                return ""

    def take(self, wanted: str) -> None:
        """Step over a character, or raise where another one stands."""
        found = self.peek()
        if found != wanted:
            raise DataError(
                f"'{wanted}' is expected, not {found!r}" if found else "ends in the middle",
                where=self.where,
                fix="is the file whole, and of this format?",
            )
        self._at += 1

    def value(self) -> Any:
        """Return the next value, whole."""
        self.peek()
        size = CHUNK
        while True:
            try:
                value, end = self._json.raw_decode(self._text, self._at)
                if end < len(self._text) or self._ended or not self._more():
                    self._at = end
                    return value
            except (ValueError, RecursionError) as error:
                size = min(2 * size, LONGEST_VALUE)
                hopeless = len(self._text) > LONGEST_VALUE or isinstance(error, RecursionError)
                if hopeless or not self._more(size):
                    raise DataError(
                        f"not JSON: {error}", where=self.where, fix="is the file whole?"
                    ) from error

    def elements(self, close: str) -> Iterator[tuple[Any, str]]:
        """Yield each element of an array whose bracket has been taken, with its place."""
        while self.peek() != close:
            where = self.where
            yield self.value(), where
            self._between(close)
        self._at += 1

    def pairs(self) -> Iterator[tuple[str, str]]:
        """Yield each key of an object whose brace has been taken; the caller takes the value."""
        while self.peek() != "}":
            where, key = self.where, self.value()
            self.take(":")
            yield str(key), where
            self._between("}")
        self._at += 1

    def _between(self, close: str) -> None:
        """Step over the comma between two elements."""
        if self.peek() != close:
            self.take(",")
