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
import time
from collections.abc import Iterator, Mapping, MutableMapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from io import FileIO
from pathlib import Path
from types import MappingProxyType

from passk.core.errors import EngineError

log = logging.getLogger(__name__)

VISIBLE = "CUDA_VISIBLE_DEVICES"
"""The devices of a process, by number or UUID; empty hides all."""

ALLOCATIONS = ("SLURM_JOB_ID", "LSB_JOBID", "PBS_JOBID", "JOB_ID")
"""Set inside a job of Slurm, LSF, PBS or SGE, which may number its devices in a way of its own."""

ARRAY_TASKS = ("LSB_JOBINDEX", "SGE_TASK_ID")
"""Which task of a job array this is, where all tasks have one job id."""

FOLDER = Path("/tmp/passk-gpus")  # noqa: S108 - one folder for all users, whatever their TMPDIR
"""Locks of all users of this machine."""

FULL = 0.2
"""Share of a device's memory above which another program is taken to use it."""

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
        place = (folder or _shared_folder()) / (_allocation(environment) or "machine")
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
    job = _allocation(environment)
    name = f"{environment.get('SLURMD_NODENAME') or os.uname().nodename} GPU "
    name += f"{environment.get(VISIBLE, 'unknown')}{f' (job {job})' if job else ''}"
    log.info("%s: taken at %.3f", name, time.time())
    try:
        yield
    finally:
        log.info("%s: let go at %.3f", name, time.time())


def _allocation(environment: Mapping[str, str]) -> str | None:
    """Return the id of the scheduler's job that this process runs in, if any."""
    job = next((environment[name] for name in ALLOCATIONS if environment.get(name)), None)
    task = next((environment[name] for name in ARRAY_TASKS if environment.get(name)), None)
    return f"{job}.{task}" if job and task else job


def _wait_for(count: int, devices: Sequence[str], place: Path, held: ExitStack) -> list[str]:
    """Wait until so many devices are free; names of their locks begin with `place`.

    A job for several devices takes its turn at each of them first, in one order for all, so that it
    is not passed by jobs for one, and two such jobs never wait for each other. It keeps the devices
    that it has while it waits for more. A job for one takes any that is free and not in a turn.
    """
    states = _device_states()
    names = {device: _uuid(device, states) for device in devices}
    used = [device for device in devices if _is_used(states.get(names[device]))]
    found: list[str] = []
    waited = False
    with ExitStack() as turns:
        if count > 1:
            for name in sorted(names.values()):
                turns.enter_context(_turn(place, name))
        while len(found) < count:
            for device in sorted(set(devices) - set(found), key=lambda d: (d in used, d)):
                file = _try_to_lock(place, names[device], in_turn=count > 1)
                if file is not None:
                    held.enter_context(file)
                    found.append(device)
                if len(found) == count:
                    break
            else:
                if not waited:
                    log.info("waiting for %d of the GPUs %s", count, ", ".join(devices))
                    waited = True
                time.sleep(WAIT)
    for device in set(found) & set(used):
        log.warning("GPU %s: another program uses its memory", device)
    return sorted(found, key=list(devices).index)


@contextmanager
def _turn(place: Path, name: str) -> Iterator[None]:
    """Wait for this process's turn at a device."""
    with _open(place.with_name(f"{place.name}-{name}.turn")) as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _try_to_lock(place: Path, name: str, *, in_turn: bool) -> FileIO | None:
    """Return the locked file of a device, or None if it is taken or another's turn."""
    with ExitStack() as turn:
        if not in_turn:
            mine = _lock(place.with_name(f"{place.name}-{name}.turn"))
            if mine is None:
                return None
            turn.enter_context(mine)
        return _lock(place.with_name(f"{place.name}-{name}.lock"))


def _device_states() -> dict[str, tuple[str, float]]:
    """Return UUID -> index and share of used memory of each device; empty without nvidia-smi."""
    if shutil.which("nvidia-smi") is None:
        return {}
    query = "--query-gpu=uuid,index,memory.used,memory.total"
    command = ("nvidia-smi", query, "--format=csv,noheader,nounits")
    found = {}
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True)
        for line in done.stdout.splitlines():
            uuid, index, used, total = (part.strip() for part in line.split(","))
            found[uuid] = (index, float(used) / float(total))
    except (OSError, ValueError, ZeroDivisionError, subprocess.SubprocessError):
        return {}
    return found


def _uuid(device: str, states: Mapping[str, tuple[str, float]]) -> str:
    """Return a device's UUID: two names of one device are one lock."""
    for uuid, (index, _) in states.items():
        if device == index or (device.startswith("GPU-") and uuid.startswith(device)):
            return uuid
    return device


def _is_used(state: tuple[str, float] | None) -> bool:
    """Return whether another program fills a device."""
    return state is not None and state[1] > FULL


def _lock(path: Path) -> FileIO | None:
    """Return the locked file, or None if another process has locked it."""
    file = _open(path)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        return None
    return file


def _open(path: Path) -> FileIO:
    """Open a lock file that any user may have made.

    O_CREAT on another user's file in a sticky folder is refused by `fs.protected_regular`, so only
    a missing file is created.
    """
    while True:
        with suppress(FileNotFoundError):
            return FileIO(os.open(path, os.O_RDONLY | os.O_CLOEXEC))
        with suppress(FileExistsError):
            handle = os.open(path, os.O_RDONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
            os.fchmod(handle, 0o644)  # whatever the umask
            return FileIO(handle)


def _shared_folder() -> Path:
    """Return the folder of locks that all users of this machine share."""
    FOLDER.mkdir(exist_ok=True)
    if FOLDER.stat().st_uid == os.getuid():
        FOLDER.chmod(0o1777)
    return FOLDER
