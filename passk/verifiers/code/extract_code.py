"""The program of a response: its fenced blocks, and which of them is the solution.

Everything is one pass over lines, so that hostile text costs no more than its length.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

PYTHON = frozenset({"python", "py", "python3", "python2", "pycon3", "py3"})

THINK_END = "</think>"

READS_INPUT = re.compile(
    r"\binput\s*\(|\bstdin\s*\.|\bin\s+(?:sys\.)?stdin\b|\bimport\s+stdin\b|\bopen\(0|/dev/stdin"
)
"""What a program that reads standard input holds."""

CODE_START = re.compile(r"(?:def|class|import|from|async def)\s+\w|@\w")
"""How the first line of code begins in a response without fences."""

CODE_LINE = re.compile(
    r"[ \t#@)\]}]|$|(?:def|class|import|from|async|if|elif|else|for|while|try|except|finally|with"
    r"|return|raise|assert|print|pass|global|del|match|case)\b|[\w.\[\]\"'()*, ]{1,80}"
    r"(?:[-+*/|&%^:]?=|\()"
)
"""How lines of code at the left margin begin; prose does not."""


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block.

    Attributes:
        text: what is between the fences.
        language: the word after the opening fence, in lower case, or "".
        closed: whether a closing fence follows.
    """

    text: str
    language: str
    closed: bool


def extract_code(response: str, entry_point: str = "") -> str | None:
    r"""Return the program that a response gives as its solution, or None.

    Of the blocks of Python, and of those that name no language, it is the last one that defines
    `entry_point`; without an entry point the last one that reads standard input, else the last one.
    Where none does, blocks said to be Python come first; closed ones always do. Thinking that ends
    by `</think>` counts only where nothing follows. Without any fence, it is the part of the
    response that looks like code.

    >>> extract_code("So:\n```python\nx = 1\n```\nDone."), extract_code("x = 1")
    ('x = 1', None)
    >>> extract_code("```\ndef f(x): return x\n```\nOutput:\n```\n5\n```", "f")
    'def f(x): return x'
    """
    before, mark, after = response.rpartition(THINK_END)
    if mark and (found := _extract(after, entry_point)) is not None:
        return found
    return _extract(before if mark else response, entry_point)


def _extract(text: str, entry_point: str) -> str | None:
    """Return the program of a text without marks of thinking."""
    blocks = [block for block in find_blocks(text) if block.language in {*PYTHON, ""}]
    if not blocks:
        return _unfenced(text, entry_point)
    wanted = _definition_of(entry_point) if entry_point else READS_INPUT
    solutions = [block for block in blocks if wanted.search(block.text)]
    tagged = [block for block in blocks if block.language]
    for group in (solutions, tagged, blocks):
        if group:
            return next((block.text for block in reversed(group) if block.closed), group[-1].text)
    return None


def _definition_of(name: str) -> re.Pattern[str]:
    """Return a pattern of what defines a name."""
    name = re.escape(name)
    return re.compile(
        rf"^[ \t]*(?:async[ \t]+)?(?:def|class)[ \t]+{name}\b|^{name}[ \t]*(?::[^=\n]*)?=(?!=)",
        re.MULTILINE,
    )


def find_blocks(text: str) -> list[Block]:
    """Return the fenced blocks of a text that hold anything, in order.

    A fence that names a language opens a block, even within another that was never closed.
    """
    blocks: list[Block] = []
    opened: tuple[str, str] | None = None
    lines: Sequence[str] = text.split("\n")
    begin = 0
    for number, line in enumerate(lines):
        fence = _fence(line, opened is not None)
        if fence is None:
            continue
        mark, language, head = fence
        if opened is not None and (language or not mark.startswith(opened[0])):
            if not (language and mark[0] == opened[0][0]):
                continue  # another kind of fence, within the block
            blocks.append(Block("\n".join(lines[begin:number]), opened[1], closed=False))
            opened = None
        if opened is None:
            opened, begin = (mark, language), number + 1
        else:
            body = [*lines[begin:number], *([head] if head else [])]
            blocks.append(Block("\n".join(body), opened[1], closed=True))
            opened = None
    if opened is not None:
        blocks.append(Block("\n".join(lines[begin:]), opened[1], closed=False))
    return [block for block in blocks if block.text.strip()]


def _fence(line: str, opened: bool) -> tuple[str, str, str] | None:  # noqa: FBT001
    """Return (mark, language, the text before it) of a line that is a fence, else None."""
    bare = line.strip()
    for character in "`~":
        if bare.startswith(character * 3):
            rest = bare.lstrip(character)
            if character in rest:
                return None  # code in a line of text
            words = rest.split()
            return character * (len(bare) - len(rest)), words[0].lower() if words else "", ""
    head, mark, tail = bare.rpartition("```")
    if not mark or head.endswith("`") or "```" in head:
        return None
    if opened and not tail:
        return mark, "", line[: line.rindex("```")]
    if not opened and tail.strip().lower() in PYTHON:
        return mark, tail.strip().lower(), ""
    return None


def _unfenced(text: str, entry_point: str) -> str | None:
    """Return the code of a response without fences, or None."""
    if "```" in text or "~~~" in text:
        return None
    lines = text.split("\n")
    begin = next((n for n, line in enumerate(lines) if CODE_START.match(line)), None)
    if begin is None:
        return None
    end = next((n for n in range(begin, len(lines)) if not CODE_LINE.match(lines[n])), len(lines))
    code = "\n".join(lines[begin:end]).rstrip()
    wanted = _definition_of(entry_point) if entry_point else READS_INPUT
    return code if wanted.search(code) else None
