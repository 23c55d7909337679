"""Read matrices and `cases` environments."""

from __future__ import annotations

import re
from collections.abc import Callable
from fractions import Fraction

from passk.verifiers.math.answers import Answer, Collection, Parse, Scalar, Unparsed
from passk.verifiers.math.expr_tree import Tree
from passk.verifiers.math.normalize import split_top_level
from passk.verifiers.math.parser import try_parse_value

ParseSeveral = Callable[[str, str, list[str]], Collection]
"""Parses items that stand between two brackets."""

MATRIX = re.compile(r"\\begin\{([pbvBV]?matrix|array)\}(.*)\\end\{\1\}", re.DOTALL)
ANY_MATRIX = re.compile(r"\\begin\{([pbB]?matrix|array)\}(.*?)\\end\{\1\}(\^\{?T\}?)?", re.DOTALL)
TRANSPOSED = re.compile(
    r"(?:\(([^()]+,[^()]+)\)|\[([^\[\]]+,[^\[\]]+)\])"
    r"\^(?:T|\\top|\{ ?(?:\\text\{)?(?:T|\\top)\}? ?\})"
)
"""A column vector that is written as a row."""

CASES = re.compile(r"\\begin\{cases\}(.*)\\end\{cases\}", re.DOTALL)
ROW = re.compile(r"\\\\")
COLUMN = re.compile("&")
CONDITION_WORDS = re.compile(r"\\text ?\{ ?(?:if|for|when|where)? ?\}|^(?:if|for|when) |[,;]$")


def read_matrix(text: str, parse_several: ParseSeveral) -> Answer | None:
    """Read a matrix as a group of rows."""
    row = TRANSPOSED.fullmatch(text)
    if row:
        cells = split_top_level(row[1] or row[2], re.compile(","))
        return Collection("|", "|", tuple(parse_several("|", "|", [cell]) for cell in cells))
    found = MATRIX.fullmatch(text)
    if not found or text.count("\\begin") > 1:
        return None
    body = (
        re.sub(r"^\{[lcr|]*\}", "", found.group(2)) if found.group(1) == "array" else found.group(2)
    )
    rows = [row for row in split_top_level(body, ROW) if row]
    return Collection(
        "|", "|", tuple(parse_several("|", "|", split_top_level(row, COLUMN)) for row in rows)
    )


def read_matrix_sum(text: str) -> Answer | None:
    r"""Read scaled, added and transposed matrices, cell by cell."""
    found = list(ANY_MATRIX.finditer(text))
    if not found or found[-1].end() != len(text):
        return None
    total: list[list[Tree]] | None = None
    end = 0
    for match in found:
        factor = _factor(text[end : match.start()], first=end == 0)
        cells = _cells(match)
        end = match.end()
        if factor is None or cells is None:
            return None
        cells = [[("mul", factor, cell) for cell in row] for row in cells]
        if total is not None:
            if [len(row) for row in total] != [len(row) for row in cells]:
                return None
            cells = [
                [("add", a, b) for a, b in zip(above, below, strict=True)]
                for above, below in zip(total, cells, strict=True)
            ]
        total = cells
    rows = [Collection("|", "|", tuple(Scalar(cell) for cell in row)) for row in total or []]
    return Collection("|", "|", tuple(rows))


def _factor(text: str, *, first: bool) -> Tree | None:
    """Return what a matrix is multiplied by, from the text in front of it."""
    plain = re.sub(r"\\cdot|\*", "", text).strip()
    if not first and not plain.startswith(("+", "-")):
        return None
    if plain in ("", "+", "-"):
        return ("num", Fraction(-1 if plain == "-" else 1))
    return try_parse_value(plain.removeprefix("+"))


def _cells(match: re.Match[str]) -> list[list[Tree]] | None:
    """Return the cells of a matrix as trees, transposed where it says so."""
    body = re.sub(r"^\{[lcr|]*\}", "", match[2]) if match[1] == "array" else match[2]
    rows = [split_top_level(row, COLUMN) for row in split_top_level(body, ROW) if row]
    trees = [[tree for cell in row if (tree := try_parse_value(cell)) is not None] for row in rows]
    if [len(row) for row in rows] != [len(row) for row in trees] or len(set(map(len, rows))) != 1:
        return None
    return [list(column) for column in zip(*trees, strict=True)] if match[3] else trees


def read_cases(text: str, parse: Parse) -> Answer | None:
    r"""Read a `cases` environment: values with their conditions, or a system of equations."""
    found = CASES.fullmatch(text)
    if not found:
        return None
    rows = [split_top_level(row, COLUMN) for row in split_top_level(found[1], ROW) if row]
    if any(len(row) > 2 for row in rows):  # noqa: PLR2004
        return Unparsed(text)
    items: list[Answer] = []
    for row in rows:
        parts = [CONDITION_WORDS.sub("", part).strip(" ,") for part in row]
        parsed = tuple(parse(part) for part in parts)
        items.append(parsed[0] if len(parsed) == 1 else Collection("(", ")", parsed))
    kind = "{" if all(len(row) == 1 for row in rows) else "c"
    return Collection(kind, "}" if kind == "{" else "c", tuple(items))
