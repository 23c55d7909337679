"""GPUs of one machine between users, between schedulers' jobs, and for jobs that want several."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from passk.core import gpus
from passk.core.gpus import VISIBLE, claim_gpus

HOLD = """
import os, sys
from pathlib import Path
from passk.core import gpus
gpus.FOLDER, gpus.WAIT = Path(sys.argv[2]), 0.02
os.umask(0o077)
os.setgroups([])
os.setgid(int(sys.argv[1]))
os.setuid(int(sys.argv[1]))
with gpus.claim_gpus(int(sys.argv[3])):
    print(os.environ[gpus.VISIBLE], flush=True)
    sys.stdin.read()
"""
"""A process that becomes another user, claims devices, names them, and holds them until told."""

NVIDIA_SMI = """#!/bin/sh
case "$1" in
*uuid*) printf 'GPU-aaaa1111, 0, 10, 100\\nGPU-bbbb2222, 1, 10, 100\\n' ;;
*) printf '0\\n1\\n' ;;
esac
"""


@pytest.fixture
def machine() -> Iterator[Path]:
    """A folder that every user may enter, with an `nvidia-smi` that knows two devices."""
    folder = Path(tempfile.mkdtemp(dir="/tmp"))
    folder.chmod(0o1777)
    (folder / "nvidia-smi").write_text(NVIDIA_SMI)
    (folder / "nvidia-smi").chmod(0o755)
    yield folder
    shutil.rmtree(folder)


def hold(machine: Path, user: int, visible: str, count: int = 1) -> subprocess.Popen[str]:
    """Start a process of a user, with a TMPDIR of its own, that claims devices."""
    temporary = machine / f"tmp-{user}"
    temporary.mkdir(exist_ok=True)
    path = os.pathsep.join([str(machine), os.environ["PATH"]])
    own = {VISIBLE: visible, "TMPDIR": str(temporary), "PATH": path}
    return subprocess.Popen(
        [sys.executable, "-c", HOLD, str(user), str(machine / "locks"), str(count)],
        env={k: v for k, v in os.environ.items() if k not in gpus.ALLOCATIONS} | own,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def device(process: subprocess.Popen[str]) -> str:
    """What a process claimed."""
    assert process.stdout is not None
    return process.stdout.readline().strip()


@pytest.mark.skipif(os.getuid() != 0, reason="only root may start processes of other users")
def test_users_of_one_machine_share_its_devices_by_any_name(machine: Path) -> None:
    first = hold(machine, 65534, "0,1")
    assert device(first) == "0"
    second = hold(machine, 65533, "GPU-aaaa,GPU-bbbb")
    assert device(second) == "GPU-bbbb"
    fourth = hold(machine, 0, "0")
    time.sleep(0.3)
    third = hold(machine, 65532, "1")  # the job that waits for another device is not in its way
    second.communicate()
    assert device(third) == "1"
    first.communicate()
    assert device(fourth) == "0"
    for process in (third, fourth):
        process.communicate()
        assert process.returncode == 0


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look often for free devices, of which nothing more is known."""
    monkeypatch.setattr(gpus, "WAIT", 0.005)
    monkeypatch.setattr(gpus, "_device_states", dict)


@pytest.mark.usefixtures("soon")
@pytest.mark.parametrize(
    "jobs",
    [
        ({"LSB_JOBID": "7"}, {"LSB_JOBID": "8"}),
        ({"LSB_JOBID": "7", "LSB_JOBINDEX": "1"}, {"LSB_JOBID": "7", "LSB_JOBINDEX": "2"}),
        ({"PBS_JOBID": "7.server"}, {"PBS_JOBID": "8.server"}),
        ({"JOB_ID": "7", "SGE_TASK_ID": "1"}, {"JOB_ID": "7", "SGE_TASK_ID": "2"}),
    ],
)
def test_jobs_whose_devices_their_scheduler_numbers_do_not_wait_for_each_other(
    tmp_path: Path, jobs: tuple[dict[str, str], ...]
) -> None:
    claimed = threading.Semaphore(0)
    end = threading.Event()

    def run(job: dict[str, str]) -> None:
        with claim_gpus(1, {VISIBLE: "0"} | job, tmp_path):
            claimed.release()
            end.wait()

    threads = [threading.Thread(target=run, args=(job,), daemon=True) for job in jobs]
    for thread in threads:
        thread.start()
    both = all(claimed.acquire(timeout=5) for _ in jobs)
    end.set()
    for thread in threads:
        thread.join()
    assert both


@pytest.mark.usefixtures("soon")
def test_a_job_for_four_devices_is_not_passed_for_ever_by_jobs_for_one(tmp_path: Path) -> None:
    done = threading.Event()
    passed = []

    def ones() -> None:
        while not done.is_set():
            with claim_gpus(1, {VISIBLE: "0,1,2,3"}, tmp_path):
                passed.append(time.monotonic())
                time.sleep(0.02)

    threads = [threading.Thread(target=ones, daemon=True) for _ in range(8)]
    for thread in threads:
        thread.start()
    time.sleep(0.2)
    asked = time.monotonic()

    def four() -> None:
        with claim_gpus(4, {VISIBLE: "0,1,2,3"}, tmp_path):
            done.set()

    threads.append(threading.Thread(target=four, daemon=True))
    threads[-1].start()
    in_time = done.wait(20)
    done.set()
    assert in_time, f"{sum(at > asked for at in passed)} jobs passed it"
    for thread in threads:
        thread.join()


@pytest.mark.usefixtures("soon")
def test_jobs_for_several_devices_never_wait_for_each_other_for_ever(tmp_path: Path) -> None:
    def gather() -> None:
        for _ in range(40):
            with claim_gpus(3, {VISIBLE: "0,1,2,3"}, tmp_path):
                time.sleep(0.001)

    threads = [threading.Thread(target=gather, daemon=True) for _ in range(6)]
    for thread in threads:
        thread.start()
    end = time.monotonic() + 15
    for thread in threads:
        thread.join(max(0, end - time.monotonic()))
    assert not any(thread.is_alive() for thread in threads)
