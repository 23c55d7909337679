"""Shared script and style of the report and the review page, and the libraries in `vendor/`.

Nothing is downloaded: a page contains these files, or the local server serves them.
"""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files

from jinja2 import Environment, PackageLoader, StrictUndefined

LIBRARIES = ("uplot.js", "katex.js", "highlight.js", "table-core.js")
"""Vendored libraries, unchanged; `vendor/NOTICE` says which versions and under which licences."""

_MAP = re.compile(r"^//# sourceMappingURL=.*$", re.MULTILINE)


def templates(package: str, folder: str = "templates") -> Environment:
    """Return the templates in a folder of a package; they escape all text of specs and models."""
    return Environment(
        loader=PackageLoader(package, folder),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )


@cache
def asset(name: str) -> str:
    """Return a script or style that both pages use."""
    return (files("passk.report.web") / "assets" / name).read_text(encoding="utf-8")


@cache
def vendor(name: str) -> str:
    """Return a vendored library, without its source map comment."""
    text = (files("passk.report.web") / "vendor" / name).read_text(encoding="utf-8")
    return _MAP.sub("", text)
