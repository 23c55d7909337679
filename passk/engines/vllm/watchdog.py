"""vLLM's processes end with ours, however ours ends.

vLLM computes in processes of its own, which stay when the one that started them is killed: they
hold the GPU, and the next job finds no memory. A small process, which runs this file, waits until
ours is gone and then ends all that carry its mark in their environment. It needs Linux, as vLLM
does.
"""

from __future__ import annotations

import os
import secrets
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path

VARIABLE = "PASSK_VLLM_OF"
"""Environment variable that marks the processes of one job."""

PATIENCE = 3.0
"""Seconds that they have to end by themselves (they free shared memory) before they are killed."""

QUIET = 1.0
"""Seconds without a marked process after which there will be none: one may just be starting."""


@cache
def guard() -> str:
    """Have this process's marked children ended when it is gone; return the mark.

    Children must be started anew (`spawn`): those forked would hold our end of the pipe.
    """
    mark = f"{os.getpid()}-{secrets.token_hex(8)}"
    ours, theirs = os.pipe()[::-1]
    null = os.open(os.devnull, os.O_WRONLY)
    os.posix_spawn(
        sys.executable,
        [sys.executable, "-I", "-S", __file__, mark],
        {key: value for key, value in os.environ.items() if key != VARIABLE},
        file_actions=[(os.POSIX_SPAWN_DUP2, fd, at) for at, fd in enumerate((theirs, null, null))],
        setsid=True,  # an interrupt of the terminal must not end it before the others
    )
    os.close(theirs)
    os.close(null)
    os.environ[VARIABLE] = mark
    os.environ["VLLM_WORKER_MULTIPROC_METHOD"] = "spawn"
    # `ours` stays open for as long as this process lives.
    return f"{mark}:{ours}"


def marked(mark: str) -> Iterator[int]:
    """Yield the processes that carry a mark."""
    wanted = f"{VARIABLE}={mark}".encode()
    for path in Path("/proc").glob("[0-9]*/environ"):
        with suppress(OSError):
            if wanted in path.read_bytes().split(b"\0"):
                yield int(path.parent.name)


def reap(mark: str) -> None:
    """End all processes that carry a mark: SIGTERM first, then SIGKILL."""
    began = seen = time.monotonic()
    while time.monotonic() < seen + QUIET:
        kind = time.monotonic() < began + PATIENCE
        for pid in marked(mark):
            seen = time.monotonic()
            with suppress(OSError):
                # Python's tracker of shared memory tidies up when all others are gone.
                if kind or b"resource_tracker" not in Path(f"/proc/{pid}/cmdline").read_bytes():
                    os.kill(pid, signal.SIGTERM if kind else signal.SIGKILL)
        time.sleep(0.1)


if __name__ == "__main__":
    sys.stdin.buffer.read()  # ends when the process that started us is gone
    reap(sys.argv[1])
