"""The colours of figures and of the report page, which swaps them for its dark variant."""

from __future__ import annotations

import re
from collections.abc import Iterable

INK = "#1b1f24"
MUTED = "#68707a"
GRID = "#dfe3e8"

SERIES = (
    *("#0072b2", "#d55e00", "#009e73", "#b1579a", "#56a0d3", "#c68a00"),
    *("#7a5c3e", "#4d5566", "#6a48c9", "#748c00", "#b0123c", "#00818f"),
)
"""Told apart by people with any of the usual colour visions (after Okabe and Ito 2008), each
dark enough to be read as text on white."""

_HEX = re.compile(r"#(?:[0-9a-fA-F]{3}){1,2}")


def assign(labels: Iterable[tuple[str, str | None]]) -> dict[str, str]:
    """Return label -> colour: the wanted one where it is a hex colour, else the next of SERIES."""
    colors: dict[str, str] = {}
    for label, wanted in labels:
        if label in colors:
            continue
        taken = len(colors) % len(SERIES)
        colors[label] = wanted if wanted and _HEX.fullmatch(wanted) else SERIES[taken]
    return colors
