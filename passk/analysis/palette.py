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
"""Distinguishable for people with any of the usual colour visions (after Okabe and Ito 2008), each
dark enough to be read as text on white."""

_HEX = re.compile(r"#(?:[0-9a-fA-F]{3}){1,2}")


def assign(labels: Iterable[tuple[str, str | None]]) -> dict[str, str]:
    """Return label -> colour: the requested hex colour, else the next of SERIES."""
    colors: dict[str, str] = {}
    for label, color in labels:
        if label in colors:
            continue
        index = len(colors) % len(SERIES)
        colors[label] = color if color and _HEX.fullmatch(color) else SERIES[index]
    return colors
