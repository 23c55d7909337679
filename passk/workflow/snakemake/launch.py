"""Run Snakemake in a process of its own that reports its events.

`python -m passk.workflow.snakemake.launch ARGUMENTS` is `snakemake ARGUMENTS`: the same parser, the
same scheduler. It also writes one JSON line per event to the file descriptor in `EVENTS`, so that
whoever started it can show progress without parsing text.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import logging
import os
import signal
import sys
import threading
from pathlib import Path

EVENTS = "PASSK_RUN_EVENTS"
"""Environment variable: the file descriptor that events are written to."""

DIE_WITH_PARENT = 1
"""`PR_SET_PDEATHSIG` of prctl(2)."""

KEPT = ("jobid", "job_id", "rule_name", "log", "wildcards", "done", "total")
"""Attributes of Snakemake's log records that are passed on."""


def snakefile() -> Path:
    """Return the workflow that passk ships: of its package, or of its checkout."""
    package = Path(__file__).resolve().parents[2]
    places = (package / "shipped" / "Snakefile", package.parent / "Snakefile")
    return next(path for path in places if path.is_file())


class EventFilter(logging.Filter):
    """Passes every record, and writes those with an event as JSON lines.

    A filter, since Snakemake removes the handlers that it finds on its logger.
    """

    def __init__(self, descriptor: int) -> None:
        """Take the file descriptor to write to."""
        super().__init__()
        self._descriptor = descriptor
        self._lock = threading.Lock()

    def filter(self, record: logging.LogRecord) -> bool:
        """Write the record's event, if it has one, and keep the record."""
        event = getattr(record, "event", None)
        if event is not None:
            found = {name: getattr(record, name) for name in KEPT if hasattr(record, name)}
            line = {"event": str(getattr(event, "value", event)), **_plain(found)}
            # The run continues even if no one reads its events.
            with self._lock, contextlib.suppress(OSError):
                os.write(self._descriptor, (json.dumps(line) + "\n").encode())
        return True


def _plain(values: dict[str, object]) -> dict[str, object]:
    """Return values as plain JSON: Snakemake's lists and mappings are classes of its own."""
    plain: dict[str, object] = {}
    for name, value in values.items():
        if isinstance(value, list | tuple):
            plain[name] = [item if isinstance(item, int) else str(item) for item in value]
        elif hasattr(value, "items"):
            plain[name] = {str(key): str(item) for key, item in value.items()}
        else:
            plain[name] = value if isinstance(value, int | None) else str(value)
    return plain


def main() -> None:
    """Run Snakemake with this process's arguments."""
    from snakemake.cli import main as snakemake
    from snakemake.logging import logger

    ctypes.CDLL(None).prctl(DIE_WITH_PARENT, signal.SIGTERM)
    descriptor = os.environ.pop(EVENTS, None)
    if descriptor is not None:
        logger.addFilter(EventFilter(int(descriptor)))
    sys.argv[0] = "snakemake"
    snakemake(sys.argv[1:])


if __name__ == "__main__":
    main()
