"""The fork server: a Python that starts once within the sandbox and forks a process per program.

Its parent alone gives it commands, in frames of marshalled data on descriptor 0; it writes one
status line per run to descriptor 1. It never sees a program's text, which the forked process reads
itself, nor an output, which goes to the parent directly: a later program that searches its memory
finds nothing of an earlier one.
"""

from __future__ import annotations

import _sitebuiltins
import builtins
import ctypes
import fcntl
import gc
import importlib
import marshal
import mmap
import os
import resource
import select
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, NoReturn

from passk.verifiers.sandbox.inside import run_program
from passk.verifiers.sandbox.inside.clean_folder import remove_contents

CONTROL, STATUS = 0, 1
PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_NO_NEW_PRIVS = 1, 4, 38

PAGE = mmap.PAGESIZE

POLL_SECONDS = 0.05
"""How often a run is compared with its limits."""

IDLE_WALL = 1.1
IDLE_SHARE = 0.05
"""A run that uses less than this share of a core is idle, not starved: its wall clock counts."""

BUSY_WALL = 10.0
"""Longest wall-clock time of a run on a busy machine, in units of its limit."""

CLEAN_SECONDS = 2.0
"""Longest time that cleaning up after a program may take."""

MAX_FILES = 20_000
"""Most files that a program may leave in a folder that is a file system of its own."""

IN_TIME, LATE, TOO_MANY_FILES = 0, 1, 2
"""How a run ended: by itself, killed for its time, or killed for its files."""


def main() -> None:
    """Serve until the parent is gone."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # the first process of a namespace ignores it
    setup = _frame()
    _prepare(setup)
    setup["page"] = mmap.mmap(-1, PAGE)
    setup["started"] = memoryview(setup["page"]).cast("Q")
    os.write(STATUS, b"ready\n")
    inputs: list[Any] = []
    while True:
        message = _frame()
        if "inputs" in message:
            inputs = message["inputs"]
        elif "run" in message:
            _serve(message, inputs, setup)


def _frame() -> dict[str, Any]:
    """Read one frame of the parent's; end where there is none."""
    length = int.from_bytes(_exactly(4), "little")
    frame: dict[str, Any] = marshal.loads(_exactly(length))  # noqa: S302
    return frame


def _exactly(size: int) -> bytes:
    """Read exactly `size` bytes of the parent's; end where it is gone."""
    parts = []
    while size:
        part = os.read(CONTROL, min(size, 1 << 20))
        if not part:
            _end()
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def _end() -> NoReturn:
    """End at once, and with the first process of a namespace all that is in it."""
    os._exit(0)


def _prepare(setup: Mapping[str, Any]) -> None:
    """Do once what every program inherits: imports, Landlock, limits."""
    sys.path[:] = [entry for entry in sys.path if entry != setup["root"]] + setup["site"]
    run_program.libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    # Else a program, which Landlock does not keep from its relatives, opens these pipes in /proc.
    if run_program.libc.prctl(PR_SET_DUMPABLE, 0, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "not dumpable")
    if setup["landlock"]:
        _landlock(setup["landlock"], setup["listable"], setup["scratch"])
    if run_program.libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "no_new_privs")
    os.chdir(setup["scratch"])
    for name in setup["preload"]:
        importlib.import_module(name)
    for name in ("exit", "quit"):  # what `site` would have added
        setattr(builtins, name, _sitebuiltins.Quitter(name, ""))
    for name, value in setup["limits"].items():
        _limit(getattr(resource, name), value)
    _limit(resource.RLIMIT_AS, _address_space() + setup["memory"])
    sys.argv[:] = ["solution.py"]
    os.environ.clear()
    os.environ.update(setup["environment"])
    gc.collect()
    gc.disable()
    gc.freeze()


def _landlock(readable: list[str], listable: list[str], scratch: str) -> None:
    """Allow reading `readable`, names in `listable`, writing below `scratch`, and no more."""
    from py_landlock import AccessFs, Landlock

    rules = Landlock(strict=False).allow_read_write(scratch)
    rules.add_path_rule("/dev/null", access=AccessFs.READ_FILE | AccessFs.WRITE_FILE)
    for path in listable:
        rules.add_path_rule(path, access=AccessFs.READ_DIR)
    for path in readable:
        folder = AccessFs.READ_DIR if os.path.isdir(path) else AccessFs(0)  # noqa: PTH112
        rules.add_path_rule(path, access=AccessFs.READ_FILE | folder)
    rules.apply()


def _limit(kind: int, value: int) -> None:
    """Set a limit, within the hard one."""
    _, hard = resource.getrlimit(kind)
    clamped = value if hard == resource.RLIM_INFINITY else min(value, hard)
    resource.setrlimit(kind, (clamped, clamped))


def _address_space() -> int:
    """Return the size of this process in bytes, to the page.

    There is no /proc to read it from. A mapping of one page succeeds exactly where the limit
    leaves room for it, which a bisection over limits finds in 40 steps.
    """
    low, high = 0, 1 << 46
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    if hard != resource.RLIM_INFINITY:
        high = min(high, hard)
    while high - low > PAGE:
        middle = (low + high) // 2
        resource.setrlimit(resource.RLIMIT_AS, (middle, hard))
        try:
            mmap.mmap(-1, PAGE).close()
            high = middle
        except (OSError, MemoryError, ValueError):
            low = middle
    resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
    return high


def _serve(message: Mapping[str, Any], inputs: list[Any], setup: Mapping[str, Any]) -> None:
    """Fork a program's process, wait for its end, clean up, and report how it ended."""
    began = time.monotonic()
    fcntl.fcntl(setup["results"], fcntl.F_SETFL, 0)  # the flags that the last program has set
    setup["page"][:] = bytes(PAGE)  # and what it has written where only its count of tests belongs
    child = os.fork()
    if child == 0:
        run_program.run(message, inputs, setup)
    how = _watch(child, message, setup)
    _, status, usage = os.wait4(child, 0)
    _kill_rest(child, setup)
    clean = _clean_up(setup)
    seconds = time.monotonic() - began
    processor = usage.ru_utime + usage.ru_stime
    line = f"{message['run']} {how} {status} {seconds:.6f} {processor:.6f} {clean:d}\n"
    os.write(STATUS, line.encode())


def _watch(child: int, message: Mapping[str, Any], setup: Mapping[str, Any]) -> int:
    """Wait until the process has ended; kill it where it breaks a limit or the parent says so."""
    handle = os.pidfd_open(child)
    poller = select.poll()
    poller.register(handle, select.POLLIN)
    poller.register(CONTROL, select.POLLIN)
    clock = _Clock(child, message["limits"], message["total"], setup["started"])
    patience = int(min(POLL_SECONDS, min(message["limits"]) / 4) * 1000) + 1
    how = IN_TIME
    while True:
        ready = [descriptor for descriptor, _ in poller.poll(patience if how == IN_TIME else None)]
        if handle in ready:
            os.close(handle)
            return how
        if CONTROL in ready:
            if _frame().get("stop") == message["run"]:
                os.kill(child, signal.SIGKILL)
        elif how == IN_TIME:
            if clock.is_over():
                how = LATE
            elif setup["own_scratch"] and _count_files(setup["scratch"]) > MAX_FILES:
                how = TOO_MANY_FILES
            if how != IN_TIME:
                os.kill(child, signal.SIGKILL)


class _Clock:
    """The times of a run and of its current test, compared with their limits.

    Processor time decides, so that a busy machine fails no program. Wall-clock time bounds it
    generously, and closely where the program does nothing but wait.
    """

    def __init__(
        self, child: int, limits: Sequence[float], total: float, started: memoryview
    ) -> None:
        """Start."""
        self.clock = (~child << 3) | 2  # the processor clock of a process, as the kernel names it
        self.limits, self.total, self.started = limits, total, started
        self.test, self.began = 0, time.monotonic()
        self.test_began, self.test_used = self.began, 0.0

    def is_over(self) -> bool:
        """Return whether the run, or its current test, is over its limit."""
        now, used = time.monotonic(), 0.0
        with suppress(OSError):
            used = time.clock_gettime(self.clock)
        if self.test != self.started[0]:
            self.test, self.test_began, self.test_used = self.started[0], now, used
        limit = self.limits[min(self.test, len(self.limits) - 1)]
        return _is_over(used - self.test_used, now - self.test_began, limit) or _is_over(
            used, now - self.began, self.total
        )


def _is_over(used: float, wall: float, limit: float) -> bool:
    """Return whether processor time, or wall-clock time where that is what counts, is over."""
    idle = used < IDLE_SHARE * wall
    return used > limit or wall > (IDLE_WALL if idle else BUSY_WALL) * limit


def _count_files(folder: str) -> int:
    """Return how many files a file system holds."""
    found = os.statvfs(folder)
    return found.f_files - found.f_ffree


def _kill_rest(child: int, setup: Mapping[str, Any]) -> None:
    """Kill whatever the program may have left behind."""
    if os.getpid() == 1:
        with suppress(ProcessLookupError):
            os.kill(-1, signal.SIGKILL)
    elif not setup["filter"]:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(child, signal.SIGKILL)
    with suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def _clean_up(setup: Mapping[str, Any]) -> bool:
    """Remove what the program wrote; where that fails, the parent starts a fresh fork server."""
    try:
        remove_contents(setup["scratch"], CLEAN_SECONDS)
        if setup["stdin"]:
            remove_contents(os.path.dirname(setup["stdin"]), CLEAN_SECONDS)  # noqa: PTH120
    except OSError:
        return False
    return True
