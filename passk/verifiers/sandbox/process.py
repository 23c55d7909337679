"""One fork server seen from the parent: its process, its four pipes, its status lines.

Control and program text go in, status lines and results come out, each through a pipe of its own.
Results come from the program's process directly, so the fork server's memory never holds an output.
A status line is written when that process is gone: what the pipe of results holds by then is all
that there will be of this run, and nothing of it can be mistaken for another run's.
"""

from __future__ import annotations

import ctypes
import fcntl
import logging
import marshal
import os
import select
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import fields
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from passk.verifiers.sandbox import commands, seccomp_filter
from passk.verifiers.sandbox.inside import clean_folder
from passk.verifiers.sandbox.inside.clean_folder import remove_contents
from passk.verifiers.sandbox.inside.fork_server import (
    BUSY_WALL,
    CLEAN_SECONDS,
    LATE,
    TOO_MANY_FILES,
)
from passk.verifiers.sandbox.inside.run_program import BEGUN
from passk.verifiers.sandbox.isolation import Isolation
from passk.verifiers.sandbox.run import RunRequest, RunResult

log = logging.getLogger(__name__)

START_SECONDS = 60.0
"""Longest time that a fork server may take to get ready."""

GRACE_SECONDS = 10.0
"""How much later than a run's deadline a fork server may say so before it is given up."""

PIPE_BYTES = 1 << 20
"""Capacity of the pipe that programs come through, and greatest size of a program."""

PRELOAD = (
    *("typing", "math", "re", "collections", "itertools", "functools", "string", "operator"),
    *("heapq", "bisect", "copy", "random", "datetime", "statistics", "json", "io", "fractions"),
)
"""Modules that programs use most: imported once, and so for free in every program."""

LIMITS = {
    "RLIMIT_CORE": 0,
    "RLIMIT_FSIZE": commands.SCRATCH_BYTES,
    "RLIMIT_NOFILE": 128,
    "RLIMIT_NPROC": 64,
}

ENVIRONMENT = {
    "PATH": "/usr/bin:/bin",
    "LANG": "C.UTF-8",
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "PYTHONHASHSEED": commands.HASH_SEED,
}


PERSONALITY_QUERY, ADDR_NO_RANDOMIZE = 0xFFFFFFFF, 0x0040000


class SandboxStartError(Exception):
    """A fork server that did not start."""


class SandboxProcess:
    """A fork server; use as a context manager, or call `close`.

    Args:
        isolation: how it is isolated.
        memory: bytes that a program may take above the fork server's own size.

    Raises:
        SandboxStartError: it does not start; the message says why.
    """

    def __init__(self, isolation: Isolation, memory: int = 1 << 30) -> None:
        """Start the process and wait until it is ready."""
        self.isolation = isolation
        self.runs = 0
        self.key: object = None
        self.due = float("inf")
        self.begun = False
        self.folder = tempfile.TemporaryDirectory(
            prefix="passk-sandbox-", ignore_cleanup_errors=True
        )
        self.process: subprocess.Popen[bytes] | None = None
        self._open_pipes()
        try:
            self._start()
            self._set_up(memory)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        """Return the sandbox."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Kill the fork server."""
        self.close()

    def _open_pipes(self) -> None:
        """Open the four pipes; the capacity of that for programs bounds their size."""
        control, self.control = os.pipe()
        program, self.programs = os.pipe()
        self.results, results = os.pipe()
        self.status, status = os.pipe()
        self.ends = {"control": control, "program": program, "results": results, "status": status}
        with suppress(OSError):
            fcntl.fcntl(self.programs, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
        self.capacity = fcntl.fcntl(self.programs, fcntl.F_GETPIPE_SZ)
        os.set_blocking(self.results, False)

    def _start(self) -> None:
        """Start the fork server's process."""
        errors = Path(self.folder.name, "errors")
        inherited = (self.ends["program"], self.ends["results"])
        with errors.open("wb") as file, _fixed_addresses():
            try:
                self.process = subprocess.Popen(
                    self._command(),
                    stdin=self.ends["control"],
                    stdout=self.ends["status"],
                    stderr=file,
                    pass_fds=inherited,
                    env={"PATH": os.environ.get("PATH", ""), "PYTHONHASHSEED": commands.HASH_SEED},
                )
            except OSError as error:
                raise SandboxStartError(str(error)) from error
            finally:
                for end in self.ends.values():
                    os.close(end)

    def _command(self) -> list[str]:
        """Return the command for the isolation, after making the folders that it needs."""
        if self.isolation.level == "namespaces":
            return commands.bwrap_command(self.isolation.tool)
        root = commands.make_root(Path(self.folder.name))
        Path(self.folder.name, "scratch").mkdir()
        if self.isolation.level == "landlock":
            return commands.setpriv_command(self.isolation.tool, root)
        return commands.python_command(root)

    def _set_up(self, memory: int) -> None:
        """Tell the fork server what to prepare, and wait until it has."""
        level = self.isolation.level
        in_namespaces, landlock = level == "namespaces", level == "landlock"
        scratch = Path(commands.SCRATCH if in_namespaces else f"{self.folder.name}/scratch")
        root = "/passk" if in_namespaces else str(Path(self.folder.name, "import"))
        readable = [*commands.readable_paths(), *commands.SYSTEM, *commands.DEVICES]
        readable += [root, str(commands.INSIDE)]
        whole, listable = commands.split_readable(readable) if landlock else ([], [])
        # Elsewhere processes of the user are counted, not those of the sandbox.
        limits = {k: v for k, v in LIMITS.items() if in_namespaces or k != "RLIMIT_NPROC"}
        self.send(
            {
                "root": root,
                "scratch": str(scratch),
                "site": commands.package_folders(),
                "landlock": whole,
                "listable": listable,
                "filter": b"" if level == "unsafe" else seccomp_filter.compile_filter(),
                "stdin": commands.STDIN if in_namespaces else "",
                "own_scratch": in_namespaces,
                "preload": list(PRELOAD),
                "limits": limits,
                "memory": memory,
                "environment": {**ENVIRONMENT, "HOME": str(scratch), "TMPDIR": str(scratch)},
                "program": self.ends["program"],
                "results": self.ends["results"],
            }
        )
        ready, _, _ = select.select([self.status], [], [], START_SECONDS)
        if not ready or os.read(self.status, 64) != b"ready\n":
            raise SandboxStartError(self._reason())

    def _reason(self) -> str:
        """Return the last line of what the fork server or its tool wrote to standard error."""
        lines = Path(self.folder.name, "errors").read_text(errors="replace").split("\n")
        written = [line.strip() for line in lines if line.strip()]
        return written[-1][:200] if written else "it did not get ready"

    def send(self, frame: Mapping[str, Any]) -> None:
        """Send a frame; a fork server that is gone shows as the end of its status lines."""
        data = marshal.dumps(dict(frame))
        view = memoryview(len(data).to_bytes(4, "little") + data)
        with suppress(BrokenPipeError):
            while view:
                view = view[os.write(self.control, view) :]

    def begin(self, request: RunRequest, key: object, inputs: Sequence[Any]) -> None:
        """Start a run; `inputs` are sent where the fork server has those of another `key`."""
        if request.order and self.key != key:
            self.send({"inputs": list(inputs)})
            self.key = key
        self.runs += 1
        self.begun = False
        self.due = time.monotonic() + BUSY_WALL * request.total + GRACE_SECONDS
        message = {field.name: getattr(request, field.name) for field in fields(request)}
        message |= {"run": self.runs, "size": len(message.pop("program"))}
        message |= {"order": list(request.order), "limits": list(request.limits)}
        self.send(message)
        with suppress(BrokenPipeError):
            os.write(self.programs, request.program)

    def stop(self) -> None:
        """Have the run under way killed."""
        self.send({"stop": self.runs})

    def read(self) -> bytes:
        """Return what has come of the program's results; empty where there is nothing now."""
        try:
            data = os.read(self.results, 1 << 18)
        except BlockingIOError:
            return b""
        if data and not self.begun:
            self.begun = data.startswith(BEGUN)
            data = data.removeprefix(BEGUN) or self.read()
        return data

    def has_ended(self) -> bool:
        """Return whether `ended` has something to read."""
        return bool(select.select([self.status], [], [], 0)[0])

    def ended(self) -> RunResult | None:
        """Read the status line of the run under way; None where the fork server is gone.

        To be called when `status` can be read. What `read` gives afterwards is the run's rest.
        """
        line = os.read(self.status, 256).decode("ascii", "replace").split()
        if len(line) != 6 or line[0] != str(self.runs):  # noqa: PLR2004
            return None
        self.due = float("inf")
        how, status = int(line[1]), os.waitstatus_to_exitcode(int(line[2]))
        times = float(line[3]), float(line[4])
        late, flooded = how == LATE, how == TOO_MANY_FILES
        return RunResult(late, flooded, status, *times, self.begun, clean=line[5] == "1")

    def try_out(self, program: str, entry_point: str) -> str:
        """Call one function of a program and return the line that came of it; for probes."""
        token = b"end\n"
        limits = (10.0,)
        request = RunRequest(program.encode(), "call", token, limits, 10.0, entry_point, order=(0,))
        self.begin(request, 0, [()])
        ready, _, _ = select.select([self.status], [], [], 10.0 + GRACE_SECONDS)
        end = self.ended() if ready else None
        output = self.read()
        if end is None or not self.begun:
            raise SandboxStartError(self._reason() if end is None else "seccomp was refused")
        return output.removesuffix(token).decode("ascii", "replace").strip()

    def close(self) -> None:
        """Kill the fork server, and with it whatever runs in it."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None
        for descriptor in (self.control, self.programs, self.results, self.status):
            with suppress(OSError):
                os.close(descriptor)
        self.control = self.programs = self.results = self.status = -1
        scratch = Path(self.folder.name, "scratch")
        if scratch.is_dir():
            _remove(scratch)
        self.folder.cleanup()


@contextmanager
def _fixed_addresses() -> Iterator[None]:
    """Start processes without random addresses, if the kernel lets this thread do so.

    Objects without a hash of their own are hashed by address, which orders sets of them.
    """
    libc = ctypes.CDLL(None)
    before = libc.personality(PERSONALITY_QUERY)  # -1 where it is refused, which asks again below
    libc.personality(before | ADDR_NO_RANDOMIZE)
    try:
        yield
    finally:
        libc.personality(before)


def _remove(scratch: Path) -> None:
    """Empty a folder; what takes longer than `CLEAN_SECONDS` is left to a process of its own."""
    try:
        remove_contents(str(scratch), CLEAN_SECONDS)
    except TimeoutError:
        left = scratch.rename(f"{scratch.parent}-left")
        command = ["setsid", "--fork", commands.interpreter_path(), "-S", clean_folder.__file__]
        with suppress(OSError):
            subprocess.run([*command, str(left)], stdin=subprocess.DEVNULL, check=False)
    except OSError as error:
        log.warning("a folder of the sandbox cannot be removed: %s: %s", scratch, error)
