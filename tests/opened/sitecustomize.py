"""On the path of a run, this notes which files below its folder each `passk` command reads.

A file in $PASSK_OPENED is one command: its arguments as JSON, then a path a line. What its child
processes read is noted with it.
"""

# ruff: noqa: PTH100, PTH109, PTH118, PTH119

import json
import os
import sys

OWNER = "PASSK_OPENED_BY"
ROOT = os.getcwd() + os.sep


def append(line: str) -> None:
    """Add a line to the note of this process's command."""
    file = os.open(os.environ[OWNER], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(file, f"{line}\n".encode())
    os.close(file)


def watch(event: str, details: tuple[object, ...]) -> None:
    """Note what is opened to be read (as strings: this runs at every file that is opened)."""
    if event != "open" or not isinstance(details[0], str | bytes | os.PathLike):
        return
    flags = details[2]
    path = os.path.abspath(os.fsdecode(details[0]))
    if path.startswith(ROOT) and isinstance(flags, int) and flags & os.O_ACCMODE != os.O_WRONLY:
        append(path.removeprefix(ROOT))


if any(os.path.basename(word) == "passk" for word in sys.orig_argv[:3]) and OWNER not in os.environ:
    os.environ[OWNER] = os.path.join(os.environ["PASSK_OPENED"], str(os.getpid()))
    append(json.dumps(sys.orig_argv))
if OWNER in os.environ:
    sys.addaudithook(watch)
