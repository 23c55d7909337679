"""What would allow a better isolation on this host, found by looking at its settings."""

from __future__ import annotations

import os
import re
from pathlib import Path

LANDLOCK_KERNEL = (5, 13)
"""First Linux with Landlock."""

SECCOMP_FILTER = "2"
"""Value of `Seccomp:` in a process's status where a filter is in force."""


def find_remedies(
    tool: str | None, root: Path = Path("/"), release: str | None = None
) -> dict[str, str]:
    """Return what helps, by the level that it allows: `namespaces`, `landlock`.

    Args:
        tool: the `bwrap` that is used, if any.
        root: where `proc` and `sys` are looked for.
        release: the kernel's release; this host's where it is None.
    """
    found = {}
    namespaces = _allow_namespaces(tool, root)
    if namespaces:
        found["namespaces"] = "; ".join(namespaces)
    kernel = release or os.uname().release
    numbers = tuple(map(int, re.findall(r"\d+", kernel)[:2]))
    active = _read(root / "sys/kernel/security/lsm")
    if numbers < LANDLOCK_KERNEL:
        found["landlock"] = f"a kernel of at least 5.13; this one is {kernel}"
    elif active and "landlock" not in active.split(","):
        found["landlock"] = f"the boot option lsm=landlock,{active}"
    return found


def _allow_namespaces(tool: str | None, root: Path) -> list[str]:
    """Return what would let this user make namespaces."""
    if tool is None:
        return ["apt-get install bubblewrap"]
    found = []
    system = root / "proc/sys"
    if _read(system / "kernel/apparmor_restrict_unprivileged_userns") == "1":
        found.append(
            "AppArmor restricts user namespaces: load a profile for "
            f"{tool} with `userns,` (in /etc/apparmor.d), or sysctl -w "
            "kernel.apparmor_restrict_unprivileged_userns=0"
        )
    if _read(system / "kernel/unprivileged_userns_clone") == "0":
        found.append("sysctl -w kernel.unprivileged_userns_clone=1")
    if _read(system / "user/max_user_namespaces") == "0":
        found.append("sysctl -w user.max_user_namespaces=10000")
    if _in_container(root) and _has_filter(root):
        found.append(
            "this container's seccomp profile: start it with --security-opt seccomp=unconfined"
        )
    return found


def _in_container(root: Path) -> bool:
    """Return whether this is a container."""
    marks = (root / ".dockerenv", root / "run/.containerenv")
    control = _read(root / "proc/1/cgroup")
    return any(mark.exists() for mark in marks) or "docker" in control or "kubepods" in control


def _has_filter(root: Path) -> bool:
    """Return whether a seccomp filter is in force for this process."""
    status = re.search(r"^Seccomp:\s*(\d)", _read(root / "proc/self/status"), re.MULTILINE)
    return status is not None and status[1] == SECCOMP_FILTER


def _read(path: Path) -> str:
    """Return the text of a file without blanks around it; "" where there is none."""
    try:
        return path.read_text(errors="replace").strip()
    except OSError:
        return ""
