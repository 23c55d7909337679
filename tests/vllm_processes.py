"""What tests of real vLLM share: whether its processes end."""

from __future__ import annotations

import time
from pathlib import Path

from passk.engines.vllm.watchdog import VARIABLE


def left_behind(pid: int) -> list[int]:
    """Processes that a killed job's vLLM has left."""
    mark, found = f"{VARIABLE}={pid}-".encode(), []
    for path in Path("/proc").glob("[0-9]*/environ"):
        try:
            found += [int(path.parent.name)] * (mark in path.read_bytes())
        except OSError:
            continue
    return found


def wait_until_gone(pid: int) -> None:
    """Wait until a killed job has no process left."""
    end = time.monotonic() + 120
    while left := left_behind(pid):
        assert time.monotonic() < end, left
        time.sleep(0.2)
