"""Expected outputs of a problem, and how a program's outputs compare with them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from passk.verifiers.code.evalplus import LongValue
from passk.verifiers.code.problems import FunctionTests, Judge
from passk.verifiers.sandbox.decode import LIMIT, UnreadableError, decode
from passk.verifiers.sandbox.inside.encode import encode


@dataclass(frozen=True, slots=True)
class ReferenceOutputs:
    """What a reference solution returned: a line of `inside.encode` per test, or a fault.

    Attributes:
        lines: one line per test.
        seconds: processor time of each test.
        fault: why there are no lines, or "".
    """

    lines: Sequence[str]
    seconds: Sequence[float]
    fault: str = ""


class Opaque:
    """An output that could not be sent as data; it equals nothing."""


def value_of(line: str, limit: int = LIMIT, *, trusted: bool = False) -> Any:
    """Return the value of a line of at most `limit` characters; a trusted one may be long.

    Raises:
        UnreadableError: it is neither a value nor the name of a type.
    """
    if line.startswith("?"):
        return Opaque()
    if line.startswith("#"):
        return LongValue(line.endswith(" floats"))
    if not line.startswith(("=", "~")):
        raise UnreadableError(line[:40])
    return decode(line[1:], limit, trusted=trusted)


class ExpectedOutputs:
    """Expected outputs of a problem.

    Args:
        problem: the tests.
        outputs: what the reference solution returned, where the problem has one.

    Raises:
        UnreadableError: a reference output cannot be read.
    """

    def __init__(self, problem: FunctionTests, outputs: ReferenceOutputs | None) -> None:
        """Read the expected outputs."""
        self.problem = problem
        self.seconds = list(outputs.seconds) if outputs else None
        if outputs is None:
            self.values: Sequence[Any] = problem.expected or ()
            self.lines = [encode(value) for value in self.values]
        else:
            self.lines = list(outputs.lines)
            self.values = [value_of(line, len(line), trusted=True) for line in self.lines]
        self.comparable = all(line[:1] in {"=", "~", "#"} for line in self.lines)
        self.same: Judge = problem.judge_of(self.values)

    def passes(self, test: int, line: str) -> bool:
        """Return whether a line says the same as the expected one."""
        return line == self.lines[test] and line[:1] in {"=", "~", "#"}

    def all_pass(self, start: int, lines: list[str]) -> bool:
        """Return whether the lines from a test on say the same as the expected ones."""
        return self.comparable and lines == self.lines[start : start + len(lines)]

    def whole(self, test: int) -> str:
        """Return the expected line in full, where the problem itself gives it."""
        return encode(self.values[test], whole=True)

    def unclear(self, test: int, line: str) -> bool:
        """Return whether a line can be compared only in full."""
        return line.startswith("#") or (line[:1] in "=~" and self.lines[test].startswith("#"))

    def fault(self, test: int, line: str, wanted: str | None = None) -> str | None:
        """Return what is wrong with a line that a program sent for a test, or None.

        Args:
            test: the test.
            line: what the program sent.
            wanted: the expected line in full, where it is too long to be stored.
        """
        if line.startswith("!"):
            return f"raised {line[1:61]}"
        if wanted is not None and line == wanted and line[:1] in {"=", "~"}:
            return None
        limit = LIMIT + 4 * len(wanted or self.lines[test])
        try:
            value = value_of(line, limit)
            expected = (
                self.values[test] if wanted is None else value_of(wanted, len(wanted), trusted=True)
            )
        except UnreadableError as error:
            return f"returned a value that cannot be read: {error}"
        exact = line[:1] == (wanted or self.lines[test])[:1]
        if self._equal(test, value, expected, exact=exact):
            return None
        if isinstance(value, Opaque):
            return f"returned a {line[1:61]}, which cannot be compared"
        return "returned another value"

    def _equal(self, test: int, value: Any, expected: Any, *, exact: bool) -> bool:
        """Return whether two values are equal; what cannot be compared is not."""
        try:
            return self.same(test, value, expected, exact)
        except (TypeError, ValueError, ArithmeticError, AttributeError, LookupError):
            return False
        except (RecursionError, MemoryError, UnreadableError):  # nested too deeply, or too large
            return False

    def name(self, test: int) -> str:
        """Return a test's name: its index and kind."""
        return f"test {test} ({self.problem.kinds[test]})"
