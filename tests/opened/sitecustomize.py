"""On the path of a run, this notes what each `passk` command reads, or which rows it finishes.

A file in $PASSK_OPENED is one command: its arguments as JSON, then the path of each file below the
run's folder that it reads. What its child processes read is noted with it. The file $PASSK_FINISHED
gets a line for each row that is appended to a journal: the journal, the problem and the index.
"""

# ruff: noqa: PTH100, PTH109, PTH118, PTH119

import json
import os
import sys

OWNER = "PASSK_OPENED_BY"
ROOT = os.getcwd() + os.sep


def note(path: str, line: str) -> None:
    """Add a line to a note."""
    file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(file, f"{line}\n".encode())
    os.close(file)


def append(line: str) -> None:
    """Add a line to the note of this process's command."""
    note(os.environ[OWNER], line)


def watch(event: str, details: tuple[object, ...]) -> None:
    """Note what is opened to be read (as strings: this runs at every file that is opened)."""
    if event != "open" or not isinstance(details[0], str | bytes | os.PathLike):
        return
    flags = details[2]
    path = os.path.abspath(os.fsdecode(details[0]))
    if path.startswith(ROOT) and isinstance(flags, int) and flags & os.O_ACCMODE != os.O_WRONLY:
        append(path.removeprefix(ROOT))


def count_rows() -> None:
    """Note every row that a journal is given."""
    from passk.core.journal import Journal

    append_row = Journal.append

    def append_and_note(self: Journal, row: object) -> None:
        append_row(self, row)
        where = os.path.abspath(self.path).removeprefix(ROOT)
        note(os.environ["PASSK_FINISHED"], f"{where} {row.problem_id} {row.sample}")

    Journal.append = append_and_note


if any(os.path.basename(word) == "passk" for word in sys.orig_argv[:3]):
    if "PASSK_OPENED" in os.environ and OWNER not in os.environ:
        os.environ[OWNER] = os.path.join(os.environ["PASSK_OPENED"], str(os.getpid()))
        append(json.dumps(sys.orig_argv))
    if "PASSK_FINISHED" in os.environ:
        count_rows()
if OWNER in os.environ:
    sys.addaudithook(watch)
