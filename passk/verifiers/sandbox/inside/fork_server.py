"""The fork server: a Python that starts once within the sandbox and forks a process per program.

It is told what to do by its parent alone, in frames of marshalled data on descriptor 0, and says
one line per run on descriptor 1. It never sees a program's text, which the forked process reads
itself, nor an output, which goes to the parent directly: a later program that searches its memory
finds nothing of an earlier one.
"""

from __future__ import annotations

import _sitebuiltins
import builtins
import ctypes
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
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, NoReturn

from passk.verifiers.sandbox.inside import run_program
from passk.verifiers.sandbox.inside.clean_folder import remove_contents

CONTROL, STATUS = 0, 1
PR_SET_PDEATHSIG, PR_SET_NO_NEW_PRIVS = 1, 38

PAGE = mmap.PAGESIZE


def main() -> None:
    """Serve until the parent is gone."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # the first process of a namespace ignores it
    setup = _frame()
    _prepare(setup)
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
    if setup["landlock"]:
        _landlock(setup["landlock"], setup["scratch"])
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
    os.environ.clear()
    os.environ.update(setup["environment"])
    gc.collect()
    gc.disable()
    gc.freeze()


def _landlock(readable: list[str], scratch: str) -> None:
    """Allow reading below `readable` and writing below `scratch`, and nothing else, for good."""
    from py_landlock import AccessFs, Landlock

    rules = Landlock(strict=False).allow_read_write(scratch)
    rules.add_path_rule("/dev/null", access=AccessFs.READ_FILE | AccessFs.WRITE_FILE)
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
    """Fork a program's process, see it to its end, clean up, and say how it ended."""
    began = time.monotonic()
    child = os.fork()
    if child == 0:
        run_program.run(message, inputs, setup)
    late = _watch(child, message["run"], began + message["seconds"])
    _, status, usage = os.wait4(child, 0)
    _kill_rest(child, setup)
    clean = _cleaned(setup["scratch"])
    seconds = time.monotonic() - began
    processor = usage.ru_utime + usage.ru_stime
    line = f"{message['run']} {int(late)} {status} {seconds:.6f} {processor:.6f} {clean:d}\n"
    os.write(STATUS, line.encode())


def _watch(child: int, run: int, due: float) -> bool:
    """Wait until the process has ended; kill it where it is late or the parent says so."""
    handle = os.pidfd_open(child)
    poller = select.poll()
    poller.register(handle, select.POLLIN)
    poller.register(CONTROL, select.POLLIN)
    late = False
    while True:
        patience = None if late else max(0, int((due - time.monotonic()) * 1000) + 1)
        ready = [descriptor for descriptor, _ in poller.poll(patience)]
        if handle in ready:
            os.close(handle)
            return late
        if CONTROL in ready:
            if _frame().get("stop") == run:
                os.kill(child, signal.SIGKILL)
        elif time.monotonic() >= due:
            late = True
            os.kill(child, signal.SIGKILL)


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


def _cleaned(folder: str) -> bool:
    """Remove what the program wrote; where that fails, the parent takes a fresh fork server."""
    try:
        remove_contents(folder)
    except OSError:
        return False
    return True
