"""Which GPUs a process may use, and how processes of one machine share them out.

A scheduler gives each job its own. Where none does, a job claims free devices by a lock that ends
with the process, and so no device ever serves two jobs, not even of two runs.
"""

from __future__ import annotations

import fcntl
import logging
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, MutableMapping, Sequence
from contextlib import ExitStack, contextmanager
from io import FileIO
from pathlib import Path
from types import MappingProxyType

from passk.core.errors import EngineError

log = logging.getLogger(__name__)

VISIBLE = "CUDA_VISIBLE_DEVICES"
"""The devices of a process, by number or UUID; empty hides all."""

ALLOCATION = "SLURM_JOB_ID"
"""Set inside a scheduler's job, which numbers its devices in a way of its own."""

WAIT = 1.0
"""Seconds between two looks for a free device."""


def visible_gpus(environment: Mapping[str, str] = MappingProxyType(os.environ)) -> list[str]:
    """Return the devices that this process may use, as CUDA_VISIBLE_DEVICES names them."""
    if VISIBLE in environment:
        return [name for name in environment[VISIBLE].split(",") if name]
    if shutil.which("nvidia-smi") is None:
        return []
    command = ("nvidia-smi", "--query-gpu=index", "--format=csv,noheader")
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True)
    except (OSError, subprocess.SubprocessError):
        return []
    return done.stdout.split()


@contextmanager
def claim_gpus(
    count: int, environment: MutableMapping[str, str] = os.environ, folder: Path | None = None
) -> Iterator[None]:
    """Give the block `count` devices of its own, in CUDA_VISIBLE_DEVICES.

    Nothing happens on a machine without GPUs, and for 0. In a scheduler's job the devices are those
    of the job, shared out among what runs inside it.

    Args:
        count: devices wanted.
        environment: where CUDA_VISIBLE_DEVICES is read and set.
        folder: where the locks are (default: one that all users of the machine share).

    Raises:
        EngineError: the machine has fewer devices.
    """
    devices = visible_gpus(environment) if count else []
    if not devices:
        yield
        return
    if count > len(devices):
        raise EngineError(
            f"the model wants {count} GPUs; {len(devices)} are visible here",
            fix=f"lower its parallelism or execution.gpus, or see {VISIBLE}",
        )
    with ExitStack() as held:
        place = (folder or _shared_folder()) / environment.get(ALLOCATION, "machine")
        chosen = _wait_for(count, devices, place, held)
        before = environment.get(VISIBLE)
        environment[VISIBLE] = ",".join(chosen)
        try:
            with _logged_use(environment):
                yield
        finally:
            environment.pop(VISIBLE) if before is None else environment.update({VISIBLE: before})


@contextmanager
def _logged_use(environment: Mapping[str, str]) -> Iterator[None]:
    """Log when the block took its devices and when it let them go."""
    job = environment.get(ALLOCATION)
    name = f"{environment.get('SLURMD_NODENAME') or os.uname().nodename} GPU "
    name += f"{environment.get(VISIBLE, 'unknown')}{f' (job {job})' if job else ''}"
    log.info("%s: taken at %.3f", name, time.time())
    try:
        yield
    finally:
        log.info("%s: let go at %.3f", name, time.time())


def _wait_for(count: int, devices: Sequence[str], place: Path, held: ExitStack) -> list[str]:
    """Wait until so many devices are free at once; names of their locks begin with `place`."""
    waited = False
    while True:
        found: list[tuple[str, FileIO]] = []
        for device in devices:
            file = _lock(place.with_name(f"{place.name}-{device}.lock"))
            if file is not None:
                found.append((device, file))
            if len(found) == count:
                for _, lock in found:
                    held.enter_context(lock)
                return [name for name, _ in found]
        for _, lock in found:
            lock.close()
        if not waited:
            log.info("waiting for %d of the GPUs %s", count, ", ".join(devices))
            waited = True
        time.sleep(WAIT)


def _lock(path: Path) -> FileIO | None:
    """Return the locked file, or None where another process has it."""
    handle = os.open(path, os.O_RDONLY | os.O_CREAT | os.O_CLOEXEC, 0o666)
    file = FileIO(handle)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        return None
    return file


def _shared_folder() -> Path:
    """Return the folder of locks that all users of this machine share."""
    folder = Path(tempfile.gettempdir()) / "passk-gpus"
    folder.mkdir(exist_ok=True)
    if folder.stat().st_uid == os.getuid():
        folder.chmod(0o1777)
    return folder
