"""One program, in a process of its own: it limits itself, runs, sends what came out, and ends.

What this module captures before the program runs is what it uses afterwards: a program that
patches builtins or modules changes nothing here. All the same a program can reach anything in its
own process, so nothing that it must not know is ever in it: no expected output, no other program,
and no way to the fork server but the pipe that results go through.
"""

from __future__ import annotations

import ctypes
import gc
import os
import resource
import signal
import sys
import types
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from time import perf_counter
from typing import Any

from passk.verifiers.sandbox.inside.encode import encode

RESULTS = 3
"""Descriptor that results are written to once the program's process has been set up."""

BEGUN = b"begun\n"
"""First line of every run: the program was read and its limits are in force."""

UNPROTECTED = 97
"""Exit status of a process that could not be restricted; its program was not run."""

PR_SET_PDEATHSIG, PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 1, 22, 2

libc = ctypes.CDLL(None, use_errno=True)


class Filter(ctypes.Structure):
    """A compiled seccomp filter as the kernel takes it (`struct sock_fprog`)."""

    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p))


def run(message: Mapping[str, Any], inputs: Sequence[Any], setup: Mapping[str, Any]) -> None:
    """Run the program that `message` announces; never returns.

    Args:
        message: the fields of `sandbox.request.RunRequest`, and the `size` of the program in bytes.
        inputs: argument lists of all tests of the problem.
        setup: `program` and `results` descriptors, and the compiled `filter`.
    """
    write, leave = _writer(RESULTS), os._exit
    try:
        source = _read(setup["program"], message["size"])
        _take_descriptors(setup["results"], message.get("stdin"))
        _restrict(setup, message["seconds"])
    except BaseException:  # noqa: BLE001
        # Whatever went wrong, a program that could not be restricted is not run.
        leave(UNPROTECTED)
    write(BEGUN)
    gc.enable()
    runner = _run_script if message["kind"] == "stdin" else _run_calls
    runner(source, message, inputs, write)
    leave(0)


def _read(descriptor: int, size: int) -> bytes:
    """Read exactly `size` bytes."""
    parts = []
    while size:
        part = os.read(descriptor, size)
        if not part:
            raise EOFError
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def _take_descriptors(results: int, stdin: bytes | None) -> None:
    """Leave open the pipe of results, and nothing of the fork server's."""
    null = os.open("/dev/null", os.O_RDWR)
    source = null
    if stdin is not None:
        source = os.memfd_create("stdin")
        _writer(source)(stdin)
        os.lseek(source, 0, os.SEEK_SET)
    os.dup2(source, 0)
    os.dup2(results if stdin is not None else null, 1)
    os.dup2(null, 2)
    os.dup2(results, RESULTS)
    os.closerange(RESULTS + 1, resource.getrlimit(resource.RLIMIT_NOFILE)[0])
    os.set_blocking(RESULTS, True)


def _restrict(setup: Mapping[str, Any], seconds: float) -> None:
    """Limit processor time, and system calls for good; the fork server set the rest."""
    limit = int(seconds) + 2
    resource.setrlimit(resource.RLIMIT_CPU, (limit, limit + 1))
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    code = setup["filter"]
    if not code:
        os.setsid()  # a group of its own, to be killed as a whole
    else:
        compiled = Filter(len(code) // 8, code)
        if libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.byref(compiled), 0, 0):
            raise OSError(ctypes.get_errno(), "seccomp")


def _writer(descriptor: int) -> Callable[[bytes], None]:
    """Return a function that writes all of its argument, whatever is patched later."""
    put = os.write

    def write(data: bytes) -> None:
        view = memoryview(data)
        while view:
            view = view[put(descriptor, view) :]

    return write


def _run_calls(
    source: bytes, message: Mapping[str, Any], inputs: Sequence[Any], write: Callable[[bytes], None]
) -> None:
    """Call the entry point with each input and send a line per test, then the token."""
    text, now, error_line = encode, perf_counter, _error_line
    order, token = message["order"], message["token"]
    patience, whole = message["patience"], message["whole"]
    try:
        function = _function(_load(source, "solution"), message)
    except BaseException as error:  # noqa: BLE001
        write(b"load " + error_line(error))
        return
    lines, last = [], now()
    for test in order:
        try:
            line = text(function(*inputs[test]), whole=whole)
        except BaseException as error:  # noqa: BLE001
            line = error_line(error).decode()[:-1]
        lines.append(line)
        if now() - last > patience:
            write(("\n".join(lines) + "\n").encode())
            lines, last = [], now()
    lines.append("")
    write("\n".join(lines).encode() + token)


def _load(source: bytes, name: str) -> dict[str, Any]:
    """Execute a program as a module of its own and return its names."""
    module = types.ModuleType(name)
    sys.modules[name] = module
    exec(compile(source, "<solution>", "exec", dont_inherit=True), module.__dict__)  # noqa: S102
    return module.__dict__


def _function(names: Mapping[str, Any], message: Mapping[str, Any]) -> Callable[..., Any]:
    """Return the entry point, or where `method` allows it that of a class `Solution`."""
    name = message["entry_point"]
    if message["method"] and name not in names and "Solution" in names:
        names = {name: getattr(names["Solution"](), name)}
    if name not in names:
        raise NameError(name)
    function: Callable[..., Any] = names[name]
    return function


def _error_line(error: BaseException) -> bytes:
    """Return the line of an exception: its name alone, for its text is the program's."""
    return b"!" + ascii(type(error).__name__)[1:-1].encode() + b"\n"


def _run_script(
    source: bytes,
    message: Mapping[str, Any],
    _inputs: Sequence[Any],
    write: Callable[[bytes], None],
) -> None:
    """Run a program whose output goes to the pipe; the token follows where it ended well."""
    token, error_line = message["token"], _error_line
    sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115
    out = sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    try:
        with suppress(SystemExit):
            _load(source, "__main__")
        sys.stdout.flush()
        out.flush()
    except BaseException as error:  # noqa: BLE001
        write(b"\n" + error_line(error))
    else:
        write(token)
