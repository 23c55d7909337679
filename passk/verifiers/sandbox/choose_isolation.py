"""Isolation levels of isolation, best first: each is tried on this machine before it is used.

- `namespaces`: own user, pid, net, ipc, uts and mount namespaces; a file system that holds the
  interpreter, read-only, and a private temporary folder; no capabilities; seccomp; limits.
- `landlock`: Landlock (reads the interpreter, writes a private folder); no capabilities; seccomp;
  limits.
- `unsafe`: limits alone; only where `unsafe_code_execution: true` asks for it.

Fails closed: where neither of the first two holds, programs are not run.
"""

from __future__ import annotations

import functools
import shutil
from collections.abc import Iterator

from passk.core.errors import VerifierError
from passk.core.install import install_extra
from passk.verifiers.sandbox import commands, seccomp_filter
from passk.verifiers.sandbox.isolation import Isolation
from passk.verifiers.sandbox.process import SandboxProcess, SandboxStartError

PROBE = """
import ctypes, os, socket

def attempts():
    yield lambda: socket.socket()
    yield lambda: os.fork()
    yield lambda: os.kill(os.getppid(), 0)
    yield lambda: open("/proc/self/environ").read()
    yield lambda: os.listdir("/root" if os.getuid() == 0 else "/home")
    yield lambda: open("/passk-probe", "w")
    yield lambda: os.chmod(".", 0o777)

def probe():
    open("scratch", "w").write("x")
    held = []
    for attempt in attempts():
        try:
            attempt()
        except OSError:
            held.append(True)
        else:
            held.append(False)
    return held
"""
"""A program that tries what no program may do; `probe()` says of each try whether it failed."""


@functools.cache
def choose(*, unsafe: bool = False) -> Isolation:
    """Return the best isolation that holds on this machine; each is tried once per process.

    Args:
        unsafe: whether to go on without isolation where there is none.

    Raises:
        VerifierError: no isolation holds, and `unsafe` is false.
    """
    refused: list[tuple[str, str]] = []
    for isolation in _candidates(refused):
        reason = find_fault(isolation)
        if reason is None:
            return Isolation(isolation.level, isolation.tool, tuple(refused))
        refused.append((isolation.level, reason))
    if unsafe:
        return Isolation("unsafe", "", tuple(refused))
    listed = "; ".join(f"{name}: {reason}" for name, reason in refused)
    raise VerifierError(
        f"programs cannot be isolated on this machine ({listed})",
        fix=f"{install_extra('code')} and, for namespaces, apt-get install bubblewrap; in a "
        "throw-away container alone, the verifier's option unsafe_code_execution: true",
    )


def _candidates(refused: list[tuple[str, str]]) -> Iterator[Isolation]:
    """Yield the isolation levels whose tools are here, and note those that lack theirs."""
    try:
        seccomp_filter.compile_filter()
    except (ImportError, OSError, RuntimeError, AttributeError) as error:
        refused += [("namespaces", f"no seccomp: {error}"), ("landlock", f"no seccomp: {error}")]
        return
    for name, tool in (
        ("namespaces", commands.find_bubblewrap()),
        ("landlock", shutil.which("setpriv")),
    ):
        if tool is None:
            wanted = "bubblewrap" if name == "namespaces" else "setpriv (util-linux)"
            refused.append((name, f"{wanted} is not installed"))
        else:
            yield Isolation("namespaces" if name == "namespaces" else "landlock", tool)


def find_fault(isolation: Isolation) -> str | None:
    """Run the probe within an isolation; return why it does not hold, or None."""
    try:
        with SandboxProcess(isolation) as sandbox:
            held = sandbox.try_out(PROBE, "probe")
    except SandboxStartError as error:
        return str(error)
    if not held.startswith("=[") or "False" in held:
        return f"it does not hold: {held}"
    return None
