"""Progress of long work, as lines: what, how far, how fast, time left.

Lines, not a bar, because jobs of a workflow run side by side and their output goes to logs.
"""

from __future__ import annotations

import logging
import time
from types import TracebackType
from typing import Self

log = logging.getLogger(__name__)

INTERVAL = 5.0
"""Seconds between two lines."""


class Progress:
    """Called with (done, total); says so at most every few seconds, and once at the end."""

    def __init__(self, what: str, unit: str, interval: float = INTERVAL) -> None:
        """Name the work and its unit."""
        self._what, self._unit, self._interval = what, unit, interval
        self._began = self._said = time.monotonic()
        self._first: int | None = None
        self._done = self._total = 0
        self._note = ""

    def __enter__(self) -> Self:
        """Start the clock."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Say the last word where the work ended well."""
        if kind is None and self._total:
            self._log()

    def restart(self) -> None:
        """Measure the rate from the next call on: what came before was preparation."""
        self._first = None

    def __call__(self, done: int, total: int, note: str = "") -> None:
        """Take note of how far the work is, and of what else a line is to say."""
        if self._first is None:
            self._first, self._began = max(0, done - 1), time.monotonic()
            self._said = self._began
        self._done, self._total, self._note = done, total, note
        if time.monotonic() - self._said >= self._interval:
            self._log()

    def _log(self) -> None:
        """Write one line."""
        now = time.monotonic()
        self._said = now
        fresh, seconds = self._done - (self._first or 0), max(now - self._began, 1e-9)
        rate = fresh / seconds
        left = (self._total - self._done) / rate if rate else float("inf")
        log.info(
            "%s: %d/%d %s, %s/s, %s%s",
            self._what,
            self._done,
            self._total,
            self._unit,
            f"{rate:.3g}" if rate < 100 else f"{rate:.0f}",  # noqa: PLR2004 - three digits
            f"{duration(left)} left"
            if self._done < self._total
            else f"done in {duration(seconds)}",
            f", {self._note}" if self._note else "",
        )


def duration(seconds: float) -> str:
    """Return a length of time in two units at most.

    >>> duration(3725)
    '1 h 2 min'
    """
    if seconds == float("inf"):
        return "unknown time"
    if seconds < 60:  # noqa: PLR2004 - a minute
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:  # noqa: PLR2004 - an hour
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"
