"""Isolation levels, best first: each is tried on this machine before it is used.

- `namespaces`: own user, pid, net, ipc, uts and mount namespaces; a file system that holds the
  interpreter, read-only, and a private temporary folder; no capabilities; seccomp; limits.
- `landlock`: Landlock (reads the interpreter, writes a private folder); no capabilities; seccomp;
  limits.
- `unsafe`: limits alone; only where `unsafe_code_execution: true` asks for it.

Fails closed: where neither of the first two holds, programs are not run.
"""

from __future__ import annotations

import functools
import logging
import shutil
from collections.abc import Iterator

from passk.core.errors import VerifierError
from passk.core.install import install_extra
from passk.verifiers.sandbox import commands, seccomp_filter
from passk.verifiers.sandbox.host_remedies import find_remedies
from passk.verifiers.sandbox.isolation import Isolation
from passk.verifiers.sandbox.process import SandboxProcess, SandboxStartError

log = logging.getLogger(__name__)

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

    A level that is weaker than `namespaces` is a warning in the log, with what helps.

    Args:
        unsafe: whether to go on without isolation where there is none.

    Raises:
        VerifierError: no level holds, and `unsafe` is false.
    """
    refused: list[tuple[str, str]] = []
    chosen = Isolation("unsafe")
    for isolation in _candidates(refused):
        reason = find_fault(isolation)
        if reason is None:
            chosen = isolation
            break
        refused.append((isolation.level, reason))
    if chosen.level == "namespaces":
        return chosen
    remedies = find_remedies(commands.find_bubblewrap())
    helps = "; ".join(f"for {level}: {text}" for level, text in remedies.items())
    listed = "; ".join(f"{level}: {reason}" for level, reason in refused)
    if chosen.level == "unsafe" and not unsafe:
        raise VerifierError(
            f"programs cannot be isolated on this machine ({listed})",
            fix=f"{install_extra('code')}{f'; {helps}' if helps else ''}; in a throw-away "
            "container alone, the verifier's option unsafe_code_execution: true",
        )
    log.warning(
        "programs run at isolation level '%s', weaker than namespaces (%s)%s",
        chosen.level,
        listed,
        f"; what helps: {helps}" if helps else "",
    )
    return Isolation(chosen.level, chosen.tool, tuple(refused))


def _candidates(refused: list[tuple[str, str]]) -> Iterator[Isolation]:
    """Yield the levels whose tools are installed, and add the others to `refused`."""
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
