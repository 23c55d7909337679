"""Columns of plain tables under our names, as the command line maps them.

A path goes down by dots (`doc.id`), and `[]` stands for each element of a list:
`text=Ans[].answer verdict=Ans[].equal` makes a response of each element of `Ans`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from passk.core.errors import DataError, PasskError, did_you_mean
from passk.core.schemas import VERDICTS, VerdictName
from passk.interop.files import Row

EACH = "[]"

TRUE = frozenset({"true", "1", "1.0", "correct", "pass", "passed", "yes"})
FALSE = frozenset({"false", "0", "0.0", "wrong", "incorrect", "fail", "failed", "no"})


def read_mapping(pairs: list[str], known: tuple[str, ...]) -> dict[str, str]:
    """Return `OURS=THEIRS` pairs as a mapping.

    Raises:
        PasskError: a pair is of another form, or names no column of ours.
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


def mapped(found: Row, columns: Mapping[str, str], certain: frozenset[str]) -> Iterator[Row]:
    """Yield a row under our names, once per element where a path holds `[]`.

    Args:
        found: row and place.
        columns: our name -> path.
        certain: our names that must be there, because the user named them.
    """
    row, where = found
    lists = {path.partition(EACH)[0] for path in columns.values() if EACH in path}
    if len(lists) > 1:
        raise DataError(f"[] stands for one list, not for {', '.join(sorted(lists))}", where=where)
    elements: list[Any] = [None]
    if lists:
        (name,) = lists
        elements = _down(row, name, where, certain=True)
        if not isinstance(elements, list):
            raise DataError(f"'{name}' is {elements!r:.40}, not a list", where=where)
    for element in elements:
        values = {}
        for ours, path in columns.items():
            start, rest = (element, path.partition(EACH)[2]) if EACH in path else (row, path)
            value = _down(start, rest.removeprefix("."), where, certain=ours in certain)
            if value is not None:
                values[ours] = value
        yield values, where


def _down(value: Any, path: str, where: str, *, certain: bool) -> Any:
    """Return what stands at the end of a path; None where it is not there and need not be."""
    if isinstance(value, Mapping) and path in value:
        return value[path]
    for part in path.split(".") if path else []:
        if not isinstance(value, Mapping) or part not in value:
            if not certain:
                return None
            have = ", ".join(map(str, list(value)[:12])) if isinstance(value, Mapping) else value
            raise DataError(f"no '{path}'; present: {have}", where=where, fix="see --map")
        value = value[part]
    return value


def verdict_of(value: Any, where: str) -> VerdictName | None:
    """Return a verdict that a table gives as truth value, number or word."""
    if value is None or value == "":
        return None
    word = str(value).strip().lower()
    for name in VERDICTS:
        if word == name:
            return name
    if word in TRUE | FALSE:
        return "correct" if word in TRUE else "wrong"
    raise DataError(
        f"verdict {value!r:.40} is not known",
        where=where,
        fix="a truth value, 0 or 1, or one of: " + ", ".join(VERDICTS),
    )
