"""Emptying a folder that a hostile program wrote to, once it has ended."""

from __future__ import annotations

import math
import os
import stat
import sys
import time


def remove_contents(folder: str, seconds: float = math.inf) -> None:
    """Remove everything below a folder, however deep, whatever its modes; follow no link.

    Folders are moved up before they are entered, so that neither recursion nor the length of a
    path grows with the depth.

    Raises:
        OSError: something cannot be removed, or it takes longer than `seconds`.
    """
    moved, due = 0, time.monotonic() + seconds
    while names := os.listdir(folder):  # noqa: PTH208
        for name in names:
            if time.monotonic() > due:
                raise TimeoutError
            path = f"{folder}/{name}"
            if not _is_folder(path):
                os.unlink(path)  # noqa: PTH108
                continue
            for child in os.listdir(path):  # noqa: PTH208
                _is_folder(f"{path}/{child}")
                moved += 1
                os.rename(f"{path}/{child}", f"{folder}/{os.urandom(8).hex()}-{moved}")  # noqa: PTH104
            os.rmdir(path)  # noqa: PTH106


def _is_folder(path: str) -> bool:
    """Return whether a path is a folder, and make it one that can be entered and moved."""
    if not stat.S_ISDIR(os.lstat(path).st_mode):
        return False
    os.chmod(path, 0o700)  # noqa: PTH101
    return True


if __name__ == "__main__":
    remove_contents(sys.argv[1])
    os.rmdir(sys.argv[1])  # noqa: PTH106
