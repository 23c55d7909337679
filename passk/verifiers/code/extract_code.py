"""The program of a response."""

from __future__ import annotations

import re

FENCE = re.compile(r"^[ \t]{0,12}(`{3,}|~{3,})[ \t]*([\w+#.-]*)[^\n`]*$", re.MULTILINE)
PYTHON = frozenset({"python", "py", "python3", "python2", "pycon3"})


def extract_code(response: str) -> str | None:
    r"""Return the last extract_code block of Python, or None.

    Blocks said to be Python come before blocks that say nothing; others are never taken. A block
    that the response ends within counts where no block is closed.

    >>> extract_code("So:\n```python\nx = 1\n```\nDone."), extract_code("x = 1")
    ('x = 1', None)
    """
    blocks = _blocks(response)
    for closed in (True, False):
        for languages in (PYTHON, frozenset({""})):
            found = [text for text, name, ended in blocks if ended == closed and name in languages]
            if found:
                return found[-1]
    return None


def _blocks(response: str) -> list[tuple[str, str, bool]]:
    """Return (text, language, closed) of each extract_code block, in one pass."""
    blocks, opened = [], None
    for line in FENCE.finditer(response):
        if opened is None:
            opened = line
        elif line[1][0] == opened[1][0] and len(line[1]) >= len(opened[1]) and not line[2]:
            text = response[opened.end() + 1 : max(opened.end() + 1, line.start() - 1)]
            blocks.append((text, opened[2].lower(), True))
            opened = None
    if opened is not None:
        blocks.append((response[opened.end() + 1 :], opened[2].lower(), False))
    return [block for block in blocks if block[0].strip()]
