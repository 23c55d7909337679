"""Columns of plain tables under our names, as `--map OURS=THEIRS` maps them.

A path follows keys by dots (`doc.id`), and `[]` stands for each element of a list:
`text=Ans[].answer verdict=Ans[].equal` makes a response of each element of `Ans`, and
`text=samples[] verdict=is_corrects[]` pairs the elements of two lists.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from passk.core.errors import DataError, PasskError, did_you_mean
from passk.core.row_files import Row
from passk.core.schemas import VERDICTS, VerdictName

EACH = "[]"

TRUE = frozenset({"true", "1", "1.0", "correct", "pass", "passed", "yes", "c"})
FALSE = frozenset({"false", "0", "0.0", "wrong", "incorrect", "fail", "failed", "no", "i"})

OPERATORS: Mapping[str, Callable[[Any, Any], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    "==": operator.eq,
    "!=": operator.ne,
    ">": operator.gt,
    "<": operator.lt,
}


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition on a row: `score > 0`."""

    path: str
    symbol: str
    value: float

    def verdict(self, row: Row) -> VerdictName:
        """Return `correct` where the condition holds.

        Raises:
            DataError: the row has no such number.
        """
        found = follow_path(row.values, self.path, row.location, required=True)
        try:
            number = float(found)
        except (TypeError, ValueError) as error:
            raise DataError(
                f"'{self.path}' is {found!r:.40}, not a number",
                where=row.location,
                fix="--correct-if compares numbers; --map verdict=COLUMN reads words",
            ) from error
        return "correct" if OPERATORS[self.symbol](number, self.value) else "wrong"


def parse_condition(text: str) -> Condition:
    """Return a condition: COLUMN OPERATOR NUMBER.

    >>> parse_condition("score >= 0.5")
    Condition(path='score', symbol='>=', value=0.5)

    Raises:
        PasskError: the text is of another form.
    """
    found = re.fullmatch(r"\s*([^<>=!]+?)\s*(>=|<=|==|!=|>|<)\s*(-?[\d.]+(?:e-?\d+)?)\s*", text)
    if found is None:
        raise PasskError(
            f"--correct-if '{text}': not COLUMN OPERATOR NUMBER", fix="--correct-if 'score > 0'"
        )
    return Condition(found[1], found[2], float(found[3]))


def read_mapping(pairs: list[str], known: tuple[str, ...]) -> dict[str, str]:
    """Return `OURS=THEIRS` pairs as a mapping.

    Raises:
        PasskError: a pair is of another form, or its left side is unknown.
    """
    mapping = {}
    for pair in pairs:
        ours, equals, theirs = pair.partition("=")
        if not equals or not theirs:
            raise PasskError(f"--map {pair}: not OURS=THEIRS", fix="--map text=response")
        if ours not in known:
            raise PasskError(f"--map {pair}: unknown '{ours}'", fix=did_you_mean(ours, known))
        mapping[ours] = theirs
    return mapping


def map_row(row: Row, columns: Mapping[str, str], required: frozenset[str]) -> Iterator[Row]:
    """Yield a row under our names, once per element where paths contain `[]`.

    Args:
        row: the row.
        columns: our name -> path.
        required: our names that must be present, because the user mapped them.
    """
    names = dict.fromkeys(path.partition(EACH)[0] for path in columns.values() if EACH in path)
    lists = {name: follow_path(row.values, name, row.location, required=True) for name in names}
    for name, elements in lists.items():
        if not isinstance(elements, list):
            raise DataError(f"'{name}' is {elements!r:.40}, not a list", where=row.location)
    lengths = {name: len(elements) for name, elements in lists.items()}
    if len(set(lengths.values())) > 1:
        listed = ", ".join(f"{length} in '{name}'" for name, length in lengths.items())
        raise DataError(f"lists of different lengths: {listed}", where=row.location)
    for index in range(max(lengths.values(), default=1) if lists else 1):
        values = {}
        for ours, path in columns.items():
            name, each, rest = path.partition(EACH)
            start = lists[name][index] if each else row.values
            value = follow_path(
                start,
                rest.removeprefix(".") if each else path,
                row.location,
                required=ours in required,
            )
            if value is not None:
                values[ours] = value
        yield Row(values, row.file, row.line)


def follow_path(value: Any, path: str, location: str, *, required: bool) -> Any:
    """Return the value at the end of a path; None if it is missing and not required."""
    if isinstance(value, Mapping) and path in value:
        return value[path]
    for part in path.split(".") if path else []:
        if not isinstance(value, Mapping) or part not in value:
            if not required:
                return None
            have = ", ".join(map(str, list(value)[:12])) if isinstance(value, Mapping) else value
            raise DataError(f"no '{path}'; present: {have}", where=location, fix="see --map")
        value = value[part]
    return value


def parse_verdict(value: Any, location: str) -> VerdictName | None:
    """Return a verdict that a table has as truth value, 0 or 1, or word."""
    if value is None or value == "":
        return None
    word = str(value).strip().lower()
    for name in VERDICTS:
        if word == name:
            return name
    if word in TRUE | FALSE:
        return "correct" if word in TRUE else "wrong"
    raise DataError(
        f"unknown verdict {value!r:.40}",
        where=location,
        fix="use a truth value, 0 or 1, or one of: "
        + ", ".join(VERDICTS)
        + "; for scores --correct-if 'COLUMN > 0'",
    )
