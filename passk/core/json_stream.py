"""Stream through a file that is one large JSON value, with one element in memory at a time.

The standard library's decoder reads each element, since the tools that we import from write with
it: NaN, Infinity and lone surrogates are read as they wrote them, which ijson's parsers refuse or
replace. Errors give file and line.
"""

from __future__ import annotations

import codecs
import json
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from passk.core.errors import DataError

CHUNK_BYTES = 1 << 16
"""Bytes per read."""

MAX_ELEMENT_CHARS = 1 << 28
"""Longest element that is read."""


class JsonStream:
    """A position in a JSON file."""

    def __init__(self, stream: IO[bytes], path: Path) -> None:
        """Start at the beginning of a stream."""
        self._stream, self._path = stream, path
        self._decode = codecs.getincrementaldecoder("utf-8")()
        self._json = json.JSONDecoder()
        self._text, self._offset, self._ended, self.line = "", 0, False, 1

    @property
    def location(self) -> str:
        """The position as `file:line`."""
        return f"{self._path}:{self.line}"

    def _fill(self, size: int = CHUNK_BYTES) -> bool:
        """Read more and drop what is consumed; False at the end of the file."""
        if self._ended:
            return False
        data = self._stream.read(size)
        self._ended = not data
        try:
            text = self._decode.decode(data, final=self._ended)
        except UnicodeDecodeError as error:
            raise DataError(f"not UTF-8: {error}", where=self.location) from error
        self.line += self._text.count("\n", 0, self._offset)
        self._text, self._offset = self._text[self._offset :] + text, 0
        return not self._ended

    def peek(self) -> str:
        """Return the next character that is not whitespace; empty at the end of the file."""
        while True:
            while self._offset < len(self._text) and self._text[self._offset] in " \t\r\n\ufeff":
                self._offset += 1
            if self._offset < len(self._text):
                self.line += self._text.count("\n", 0, self._offset)
                self._text, self._offset = self._text[self._offset :], 0
                return self._text[0]
            if not self._fill():
                return ""

    def expect(self, character: str) -> None:
        """Consume one character, or raise if another one follows."""
        found = self.peek()
        if found != character:
            raise DataError(
                f"expected '{character}', found {found!r}" if found else "the file is truncated",
                where=self.location,
                fix="is the file complete, and of this format?",
            )
        self._offset += 1

    def value(self) -> Any:
        """Read and return the next value."""
        self.peek()
        size = CHUNK_BYTES
        while True:
            try:
                value, end = self._json.raw_decode(self._text, self._offset)
                if end < len(self._text) or self._ended or not self._fill():
                    self._offset = end
                    return value
            except (ValueError, RecursionError) as error:
                size = min(2 * size, MAX_ELEMENT_CHARS)
                too_long = len(self._text) > MAX_ELEMENT_CHARS or isinstance(error, RecursionError)
                if too_long or not self._fill(size):
                    raise DataError(
                        f"not JSON: {error}", where=self.location, fix="is the file complete?"
                    ) from error

    def elements(self) -> Iterator[tuple[Any, int]]:
        """Yield each element of an array with its line."""
        self.expect("[")
        while self.peek() != "]":
            line = self.line
            yield self.value(), line
            self._comma("]")
        self._offset += 1

    def members(self) -> Iterator[tuple[str, int]]:
        """Yield each key of an object with its line; the caller reads its value."""
        self.expect("{")
        while self.peek() != "}":
            line, key = self.line, self.value()
            self.expect(":")
            yield str(key), line
            self._comma("}")
        self._offset += 1

    def _comma(self, close: str) -> None:
        """Consume the comma between two elements."""
        if self.peek() != close:
            self.expect(",")
