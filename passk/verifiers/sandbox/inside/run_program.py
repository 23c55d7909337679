"""One program, in a process of its own: it limits itself, runs, sends its results, and ends.

What this module captures before the program runs is what it uses afterwards: a program that
patches builtins or modules changes nothing here. All the same a program can reach anything in its
own process, so nothing that it must not know is ever in it: no expected output, no other program,
and no way to the fork server but the pipe that results go through.
"""

from __future__ import annotations

import ast
import atexit
import ctypes
import gc
import os
import random
import resource
import signal
import sys
import types
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from time import perf_counter, process_time
from typing import Any

from passk.verifiers.sandbox.inside.encode import encode

RESULTS = 3
"""Descriptor that results are written to once the program's process has been set up."""

BEGUN = b"begun\n"
"""First line of every run: the program was read and its limits are in force."""

UNPROTECTED = 97
"""Exit status of a process that could not be restricted; its program was not run."""

CPU_GRACE = 2
"""Seconds by which the kernel's own limit of processor time lies above that of the run."""

PR_SET_PDEATHSIG, PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 1, 22, 2

MAIN_GUARD = "__name__ == '__main__'"
MAIN_FUNCTION = "wrapped_function"

libc = ctypes.CDLL(None, use_errno=True)

Write = Callable[[bytes], None]


class Filter(ctypes.Structure):
    """A compiled seccomp filter as the kernel takes it (`struct sock_fprog`)."""

    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p))


def run(message: Mapping[str, Any], inputs: Sequence[Any], setup: Mapping[str, Any]) -> None:
    """Run the program that `message` announces; never returns.

    Args:
        message: the fields of `sandbox.run.RunRequest`, and the `size` of the program in bytes.
        inputs: argument lists of all tests of the problem.
        setup: `program` and `results` descriptors, the compiled `filter`, the file for standard
            input, and the counter of `started` tests that the fork server reads.
    """
    write, leave = _make_writer(RESULTS), os._exit
    try:
        source = _read(setup["program"], message["size"])
        _set_descriptors(setup["results"], message.get("stdin"), setup["stdin"])
        _restrict(setup["filter"], message["total"])
    except BaseException:  # noqa: BLE001
        # Whatever went wrong, a program that could not be restricted is not run.
        leave(UNPROTECTED)
    write(BEGUN)
    gc.enable()
    random.seed(0)  # the same program, the same numbers
    if message["kind"] == "stdin":
        _run_script(source, message, write)
    else:
        _run_calls(source, message, inputs, write, setup["started"])
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


def _set_descriptors(results: int, stdin: bytes | None, path: str) -> None:
    """Leave open the pipe of results, and nothing of the fork server's."""
    null = os.open("/dev/null", os.O_RDWR)
    source = null
    if stdin is not None:
        flags = os.O_RDWR | os.O_CREAT | os.O_TRUNC
        source = os.open(path, flags, 0o600) if path else os.memfd_create("stdin")
        _make_writer(source)(stdin)
        os.lseek(source, 0, os.SEEK_SET)
    os.dup2(source, 0)
    os.dup2(results if stdin is not None else null, 1)
    os.dup2(null, 2)
    os.dup2(results, RESULTS)
    os.closerange(RESULTS + 1, resource.getrlimit(resource.RLIMIT_NOFILE)[0])
    os.set_blocking(RESULTS, True)


def _restrict(code: bytes, seconds: float) -> None:
    """Limit processor time, and system calls for good; the fork server set the rest."""
    limit = int(seconds) + CPU_GRACE
    resource.setrlimit(resource.RLIMIT_CPU, (limit, limit + 1))
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if not code:
        os.setsid()  # a group of its own, to be killed as a whole
        return
    compiled = Filter(len(code) // 8, code)
    if libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.byref(compiled), 0, 0):
        raise OSError(ctypes.get_errno(), "seccomp")


def _make_writer(descriptor: int) -> Write:
    """Return a function that writes all of its argument, whatever is patched later."""
    put = os.write

    def write(data: bytes) -> None:
        view = memoryview(data)
        while view:
            view = view[put(descriptor, view) :]

    return write


def _run_calls(
    source: bytes,
    message: Mapping[str, Any],
    inputs: Sequence[Any],
    write: Write,
    started: memoryview,
) -> None:
    """Call the entry point with each input and send a line per test, then the token."""
    text, now, used, error_line = encode, perf_counter, process_time, _error_line
    order, token, timed = message["order"], message["token"], message["timed"]
    patience, whole = message["patience"], message["whole"]
    names: dict[str, Any] = {}
    try:
        names = _new_module("solution")
        _load(source, message, names)
        function = _find_function(names, source, message)
    except BaseException as error:  # noqa: BLE001
        # Code after the solution, such as a test of its own, does not decide.
        found = _find_defined(names, source, message) if message["lenient"] else None
        if found is None:
            write(b"load " + error_line(error))
            return
        function = found
    lines, last = [], now()
    for position, test in enumerate(order, start=1):
        started[0] = position
        began = used() if timed else 0.0
        try:
            line = text(function(*inputs[test]), whole=whole)
        except BaseException as error:  # noqa: BLE001
            line = error_line(error).decode()[:-1]
        lines.append(f"{line}\t{used() - began:.6f}" if timed else line)
        if now() - last > patience:
            write(("\n".join(lines) + "\n").encode())
            lines, last = [], now()
    lines.append("")
    write("\n".join(lines).encode() + token)


def _new_module(name: str) -> dict[str, Any]:
    """Return the names of a new module, which the program fills."""
    module = types.ModuleType(name)
    sys.modules[name] = module
    return module.__dict__


def _load(source: bytes, message: Mapping[str, Any], names: dict[str, Any]) -> None:
    """Execute a program in a module, after the code that precedes it."""
    for code in (message["before"], source):
        if code:
            exec(compile(code, "<solution>", "exec", dont_inherit=True), names)  # noqa: S102


def _find_function(
    names: Mapping[str, Any], source: bytes, message: Mapping[str, Any]
) -> Callable[..., Any]:
    """Return the entry point; where `method` allows it, that of the class `Solution`."""
    name = message["entry_point"]
    if message["method"] and b"class Solution" in source:
        method: Callable[..., Any] = getattr(names["Solution"](), name)
        return method
    if name not in names:
        raise NameError(name)
    function: Callable[..., Any] = names[name]
    return function


def _find_defined(
    names: Mapping[str, Any], source: bytes, message: Mapping[str, Any]
) -> Callable[..., Any] | None:
    """Return the entry point of a program that failed after defining it, else None."""
    try:
        return _find_function(names, source, message)
    except BaseException:  # noqa: BLE001
        return None


def _error_line(error: BaseException) -> bytes:
    """Return the line of an exception: its name alone, for its text is the program's."""
    return b"!" + ascii(type(error).__name__)[1:-1].encode() + b"\n"


def _run_script(source: bytes, message: Mapping[str, Any], write: Write) -> None:
    """Run a program whose output goes to the pipe; the token and an error's name follow."""
    token, error_line, finish = message["token"], _error_line, atexit._run_exitfuncs  # noqa: SLF001
    sys.stdin = sys.__stdin__ = open(0, encoding="utf-8", closefd=False)  # type: ignore[misc]  # noqa: SIM115
    out = sys.stdout = sys.__stdout__ = open(1, "w", encoding="utf-8", closefd=False)  # type: ignore[misc]  # noqa: SIM115
    failure = b""
    try:
        if message["main_function"]:
            names = _new_module("tmp_sol")
            exec(compile(_as_function(source), "<solution>", "exec", dont_inherit=True), names)  # noqa: S102
            names[MAIN_FUNCTION]()
        else:
            _load(source, message, _new_module("__main__"))
    except SystemExit:
        pass
    except BaseException as error:  # noqa: BLE001
        failure = error_line(error)
    with suppress(BaseException):
        if "threading" in sys.modules:
            sys.modules["threading"]._shutdown()  # noqa: SLF001 (waits for threads that are left)
    with suppress(BaseException):
        finish()
    for stream in (sys.stdout, out):
        with suppress(BaseException):
            stream.flush()  # which a program may have closed, or replaced by anything
    write(token + failure)


def _as_function(source: bytes) -> ast.Module:
    """Return a program as LiveCodeBench runs it: its imports, then a function with the rest."""
    tree = ast.parse(source)
    body = tree.body
    if body and isinstance(body[-1], ast.If) and ast.unparse(body[-1].test) == MAIN_GUARD:
        body = [*body[:-1], *body[-1].body]
    imports = [node for node in body if isinstance(node, ast.Import | ast.ImportFrom)]
    rest = [node for node in body if not isinstance(node, ast.Import | ast.ImportFrom)]
    function = ast.parse(f"def {MAIN_FUNCTION}(): pass").body[0]
    assert isinstance(function, ast.FunctionDef)  # noqa: S101
    function.body = rest
    return ast.Module([*imports, function], [])
