"""What both pages are made of: their shared script and style, and the libraries kept in `vendor/`.

Nothing is fetched: a page holds, or a local server hands out, the files of this folder.
"""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files

LIBRARIES = ("uplot.js", "katex.js", "highlight.js", "table-core.js")
"""Kept libraries, unchanged; `vendor/NOTICE` says which versions and under which licences."""

_MAP = re.compile(r"^//# sourceMappingURL=.*$", re.MULTILINE)


@cache
def asset(name: str) -> str:
    """Return a script or style of our own that both pages use."""
    return (files("passk.report.web") / "assets" / name).read_text(encoding="utf-8")


@cache
def vendor(name: str) -> str:
    """Return a kept library, without the comment that would make a debugger look for its map."""
    text = (files("passk.report.web") / "vendor" / name).read_text(encoding="utf-8")
    return _MAP.sub("", text)
