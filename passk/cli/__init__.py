"""The `passk` command: the only place that prints or exits."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.abc import MetaPathFinder
from pathlib import Path
from typing import NoReturn

from passk.cli.command import parse
from passk.core.errors import PasskError

PER_SHARD = ("sample", "verify", "perplexity")
"""Commands of which a study runs one per shard."""

SMALLER = "lower execution.batch_size or the shard, then rerun the same command"
REPORT = "please report it, with the output of the same command under PASSK_TRACEBACK=1"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status: 0 done, 1 failed, 2 bad spec or usage."""
    command, options = parse(arguments)
    with _logging(options.pop("log", None)):
        try:
            command.handler(**options)
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        except (Exception, KeyboardInterrupt) as error:
            if os.environ.get("PASSK_TRACEBACK"):
                raise
            return _fail(error)
    return 0


def _fail(error: BaseException) -> int:
    """Print one message that says what went wrong, and return the exit status."""
    match error:
        case PasskError():
            message, status = str(error), error.exit_status
        case KeyboardInterrupt():
            message, status = "interrupted; finished work is kept", 130
        case MemoryError():
            message, status = f"out of memory\n  -> {SMALLER}", 1
        case OSError():
            message, status = f"{error.filename or 'system'}: {error.strerror or error}", 1
        case _:
            message, status = f"a bug in passk: {error!r}\n  -> {REPORT}", 1
    logging.getLogger("passk").error("passk: error: %s", message)
    return status


class _MessageFormatter(logging.Formatter):
    """The message alone; a warning says that it is one."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the text of a record."""
        text = super().format(record)
        return f"warning: {text}" if record.levelno == logging.WARNING else text


@contextmanager
def _logging(file: Path | None) -> Iterator[None]:
    """Send messages to standard error, and to a log file if there is one."""
    handlers: list[logging.Handler] = [logging.StreamHandler(sys.stderr)]
    if file is not None:
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            handlers.append(logging.FileHandler(file, encoding="utf-8"))
        except OSError as error:
            print(f"passk: no log: {file}: {error.strerror}", file=sys.stderr)
    for handler in handlers:
        handler.setFormatter(_MessageFormatter())
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
    if sys.argv[1:2] and sys.argv[1] in PER_SHARD:
        _keep_pandas_out()
    sys.exit(main())


def _keep_pandas_out() -> None:
    """Let pyarrow go without pandas, which its first conversion of a list would import.

    That is a third of the processor time of a small job. This process can still import pandas, but
    not turn Arrow tables into its own.
    """
    import pyarrow as pa

    class WithoutPandas(MetaPathFinder):
        def find_spec(self, name: str, *_: object) -> None:
            if name == "pandas":
                raise ModuleNotFoundError(name)

    finder = WithoutPandas()
    sys.meta_path.insert(0, finder)
    try:
        pa.array([0])
    finally:
        sys.meta_path.remove(finder)
