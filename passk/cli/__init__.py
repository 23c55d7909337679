"""The `passk` command: every stage by hand, on plain files. The only place that prints or exits."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

from passk.cli.parser import parser
from passk.core.errors import PasskError

SMALLER = "lower execution.batch_size or the shard, and run the same command again"
REPORT = "please report it, with what PASSK_TRACEBACK=1 in front of the same command shows"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status: 0 done, 1 failed, 2 bad spec or usage."""
    options = parser().parse_args(arguments)
    with _logging(getattr(options, "log", None)):
        try:
            options.handler(options)
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        except (Exception, KeyboardInterrupt) as error:
            if os.environ.get("PASSK_TRACEBACK"):
                raise
            return _fail(error)
    return 0


def _fail(error: BaseException) -> int:
    """Say what went wrong in one message and return the exit status."""
    match error:
        case PasskError():
            message, status = str(error), error.exit_status
        case KeyboardInterrupt():
            message, status = "interrupted; what was finished is kept", 130
        case MemoryError():
            message, status = f"out of memory\n  -> {SMALLER}", 1
        case OSError():
            message, status = f"{error.filename or 'system'}: {error.strerror or error}", 1
        case _:
            message, status = f"a fault of passk itself: {error!r}\n  -> {REPORT}", 1
    logging.getLogger("passk").error("passk: error: %s", message)
    return status


@contextmanager
def _logging(file: Path | None) -> Iterator[None]:
    """Send what stages say to standard error, and to a log file as well where one is named."""
    handlers: list[logging.Handler] = [logging.StreamHandler(sys.stderr)]
    if file is not None:
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            handlers.append(logging.FileHandler(file, encoding="utf-8"))
        except OSError as error:
            print(f"passk: no log: {file}: {error.strerror}", file=sys.stderr)
    root = logging.getLogger("passk")
    before, level = (root.handlers, root.propagate), root.level
    root.handlers, root.propagate = handlers, False
    root.setLevel(logging.INFO)
    try:
        yield
    finally:
        root.handlers, root.propagate = before
        root.setLevel(level)
        for handler in handlers:
            handler.close()


def entry() -> NoReturn:
    """Run as the `passk` command."""
    sys.exit(main())
