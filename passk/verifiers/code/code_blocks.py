"""Blocks of code in a response: between fences, or lines that look like code.

Everything is one pass over lines, so that hostile text costs no more than its length.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

Language = Literal["python", "", "other"]

CODE_LINE = re.compile(
    r"[ \t#@)\]}]|$|(?:def|class|import|from|async|if|elif|else|for|while|try|except|finally|with"
    r"|return|raise|assert|print|pass|global|del|match|case)\b|[\w.\[\]\"'()*, ]{1,80}"
    r"(?:[-+*/|&%^:]?=|\()"
)
"""How lines of code at the left margin begin; hardly any prose does."""

NAMES_PYTHON = frozenset({"python", "py", "python3"})

DEEPER = 4
"""Columns by which a bare fence that is text of the block lies deeper than the opening one."""


@dataclass(frozen=True, slots=True)
class Block:
    """A block of code.

    Attributes:
        text: its lines; the indentation of the opening fence is taken off.
        language: what the opening fence says: Python, nothing, or something else.
        closed: whether a closing fence follows.
    """

    text: str
    language: Language
    closed: bool


def fenced_blocks(text: str, *, nested: bool = True) -> list[Block]:
    """Return the fenced blocks of a text that hold anything, in order.

    A fence that names a language opens a block, even within another that was never closed.

    Args:
        text: the response.
        nested: whether a fence that lies much deeper than the opening one is text of the block, as
            in a docstring.
    """
    blocks: list[Block] = []
    opened: _Fence | None = None
    lines: Sequence[str] = text.split("\n")
    begin = 0
    for number, line in enumerate(lines):
        fence = _fence(line, opened is not None)
        if fence is None:
            continue
        if opened is not None:
            if nested and not fence.head and fence.indent >= opened.indent + DEEPER:
                continue
            closes = not fence.info and fence.mark.startswith(opened.mark)
            if not closes and not (fence.info and fence.mark[0] == opened.mark[0]):
                continue  # another kind of fence, within the block
            body = [*lines[begin:number], *([fence.head] if fence.head else [])]
            blocks.append(_block(body, opened, closed=closes))
            opened = None
            if closes:
                continue
        opened, begin = fence, number + 1
    if opened is not None:
        blocks.append(_block(lines[begin:], opened, closed=False))
    return [block for block in blocks if block.text.strip()]


@dataclass(frozen=True, slots=True)
class _Fence:
    """A line that is a fence: its marks, what follows them, its column, the code before it."""

    mark: str
    info: str
    indent: int
    head: str = ""


def _fence(line: str, opened: bool) -> _Fence | None:  # noqa: FBT001
    """Return the fence that a line is, or None."""
    bare = line.strip()
    for character in "`~":
        if bare.startswith(character * 3):
            info = bare.lstrip(character)
            if character in info:
                return None  # code in a line of text
            mark = character * (len(bare) - len(info))
            return _Fence(mark, info.strip(), len(line) - len(line.lstrip()))
    head, mark, tail = bare.rpartition("```")
    if not mark or head.endswith("`") or "```" in head:
        return None
    if opened and not tail:
        return _Fence(mark, "", 0, line[: line.rindex("```")])
    if not opened and tail.strip().lower() in NAMES_PYTHON:
        return _Fence(mark, tail.strip(), 0)
    return None


def _block(lines: Sequence[str], fence: _Fence, *, closed: bool) -> Block:
    """Return a block of the lines that follow a fence."""
    language = _language(fence.info)
    if not language and lines and lines[0].strip().lower() in NAMES_PYTHON:
        lines, language = lines[1:], "python"  # the name stands on a line of its own
    if fence.indent:
        lines = [line[_margin(line, fence.indent) :] for line in lines]
    return Block("\n".join(lines), language, closed)


def _margin(line: str, width: int) -> int:
    """Return how many of the first `width` characters of a line are blank."""
    return min(width, len(line) - len(line.lstrip()))


def _language(info: str) -> Language:
    """Return the language that the words after an opening fence name.

    >>> _language("{.python .numberLines}"), _language("solution.py"), _language("bash")
    ('python', 'python', 'other')
    """
    words = info.split()
    word = words[0].lower().strip("{}.") if words else ""
    if not word:
        return ""
    known = word.startswith(("py", "ipython")) or word.endswith(".py")
    return "python" if known and not word.startswith("pycon") else "other"


def unfenced_blocks(text: str) -> list[Block]:
    """Return the runs of lines that look like code, in order; fences part them."""
    return [Block("\n".join(lines), "", closed=True) for lines in _runs(text.split("\n"))]


def _runs(lines: Sequence[str]) -> Iterator[list[str]]:
    """Yield each run of lines of code; lines within triple quotes belong to it."""
    run: list[str] = []
    quote = ""
    for line in lines:
        starts = bool(run) or not line[:1].isspace()
        is_code = starts and not line.lstrip().startswith(("```", "~~~"))
        if quote or (is_code and line.strip() and CODE_LINE.match(line)):
            run.append(line)
            quote = _open_quote(line, quote)
        elif run and not line.strip():
            run.append(line)
        elif run:
            yield run
            run = []
    if run:
        yield run


def _open_quote(line: str, quote: str) -> str:
    """Return the triple quotes that are open after a line, given those before it."""
    for mark in ('"""', "'''"):
        if quote in {mark, ""} and line.count(mark) % 2:
            return "" if quote else mark
    return quote
