"""A throw-away Slurm on this machine: one controller, nodes of our own making, GPUs that are not.

Everything lives in one folder and is stopped by pid file. A fake GPU is a link to /dev/null: Slurm
hands it out and sets CUDA_VISIBLE_DEVICES as it does for a real one. One cluster at a time, since
Slurm looks for its configuration in one place: what a killed run left is stopped first. Also a
command:
    python tests/slurm/cluster.py up|down|check FOLDER        (check: up, a job, down)
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass, field
from io import FileIO
from pathlib import Path

import psutil

INSTALL = "apt-get install -y --no-install-recommends slurm-wlm munge"
PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "squeue")
SYSTEM_CONF = Path("/etc/slurm/slurm.conf")
"""Where Slurm's commands look without SLURM_CONF, which jobs of the plugin's do not inherit."""

LOCK = Path("/tmp/passk-slurm.lock")
"""The same for all clones."""

OUTER = ("SLURM_", "SBATCH_", "SRUN_", "SALLOC_", "SQUEUE_", "SINFO_", "SCANCEL_")
"""How variables of a Slurm begin, within whose job the tests may be run."""

CONF = """\
ClusterName=passk
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={port}
SlurmUser={user}
SlurmdUser={user}
AuthInfo=socket={folder}/munge.socket
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool.%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.%n.log
# No cgroups: processes are followed and memory is measured through /proc.
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=1
JobAcctGatherParams=OverMemoryKill
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
SchedulerParameters=sched_interval=1,bf_interval=2
SlurmdParameters=config_overrides
GresTypes=gpu
MpiDefault=none
ReturnToService=2
# A dead node is noticed, and a job over its time ended, within seconds instead of minutes.
SlurmdTimeout=10
SlurmctldTimeout=10
KillWait=2
MinJobAge=300
# Jobs of a partition are ended by those of a higher tier, and not queued again by Slurm.
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
AccountingStorageType=accounting_storage/none
{nodes}
PartitionName=gpu Nodes=ALL MaxTime=1-00:00:00 PriorityTier=1 PreemptMode=CANCEL State=UP
PartitionName=cpu Nodes=ALL MaxTime=1-00:00:00 PriorityTier=1 PreemptMode=OFF Default=YES State=UP
PartitionName=urgent Nodes=ALL MaxTime=1-00:00:00 PriorityTier=9 PreemptMode=OFF State=UP
"""


@dataclass(frozen=True)
class Cluster:
    """A Slurm of `nodes` nodes, each with `cpus` CPUs and `gpus` fake GPUs.

    Attributes:
        folder: configuration, state, logs and pid files.
    """

    folder: Path
    nodes: tuple[str, ...] = ("n1", "n2")
    cpus: int = 8
    gpus: int = 2
    memory: int = 16_000
    _held: list[FileIO] = field(default_factory=list)

    def missing(self) -> str:
        """Say what keeps a Slurm from being started here; empty where nothing does."""
        absent = [name for name in PROGRAMS if _program(name) is None]
        if absent:
            return f"no {', '.join(absent)} ({INSTALL})"
        if os.geteuid() != 0:
            return "not root"
        link = SYSTEM_CONF.is_symlink() or not SYSTEM_CONF.exists()
        return "" if link else f"{SYSTEM_CONF} belongs to a Slurm of this machine"

    def up(self) -> None:
        """Start everything and wait until all nodes are idle; only one cluster at a time does."""
        self._held.append(FileIO(LOCK, "a"))
        fcntl.flock(self._held[0], fcntl.LOCK_EX)
        stop_left_over()
        self._configure()
        self._start_munge()
        self.start_controller()
        for node in self.nodes:
            self.start_node(node)
        self.wait_for_nodes()

    def down(self) -> None:
        """Cancel all jobs and stop everything."""
        with contextlib.suppress(subprocess.SubprocessError, AssertionError):
            self.empty()
        for file in sorted(self.folder.glob("*.pid"), reverse=True):
            self.stop(file.stem)
        kill_steps(self.folder)
        if SYSTEM_CONF.is_symlink() and SYSTEM_CONF.readlink() == self.conf:
            SYSTEM_CONF.unlink()
        while self._held:
            self._held.pop().close()

    def mend(self) -> None:
        """Start what a failed test left stopped, and bring back every node."""
        if not _alive(self._pid("slurmctld")):
            self.start_controller()
        for node in self.nodes:
            if not _alive(self._pid(f"slurmd.{node}")):
                self.start_node(node)
        self.wait_for_nodes()

    def _pid(self, name: str) -> int:
        """Return the number in a pid file; 0, which is no process's, without one."""
        try:
            return int((self.folder / f"{name}.pid").read_text())
        except (OSError, ValueError):
            return 0

    def forget(self) -> None:
        """Stop slurmctld and start it without its state: it knows no job any more."""
        self.stop("slurmctld")
        self._daemon("slurmctld", "-f", str(self.conf), "-c")

    def empty(self, seconds: float = 60) -> None:
        """Cancel all jobs and wait until none is left."""
        self.run("scancel", "--user=root")
        end = time.monotonic() + seconds
        while self.run("squeue", "-h").strip():
            assert time.monotonic() < end, self.tails()
            time.sleep(0.2)

    def tails(self, lines: int = 40) -> str:
        """Return the last lines of every daemon's log."""
        found = []
        for log in sorted(self.folder.glob("*.log")):
            tail = log.read_text(errors="replace").splitlines()[-lines:]
            found += [f"--- {log.name}", *tail]
        return "\n".join(found)

    @property
    def conf(self) -> Path:
        """The configuration file."""
        return self.folder / "slurm.conf"

    def run(self, *command: str) -> str:
        """Run one of Slurm's commands and return what it prints; it never blocks for long."""
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=20, check=True, env=self.environment()
        )
        return done.stdout

    def environment(self) -> dict[str, str]:
        """The environment in which Slurm's commands find this cluster and no other."""
        inner = {name: value for name, value in os.environ.items() if not name.startswith(OUTER)}
        return inner | {"SLURM_CONF": str(self.conf)}

    def start_controller(self) -> None:
        """Start slurmctld."""
        self._daemon("slurmctld", "-f", str(self.conf))

    def start_node(self, node: str) -> None:
        """Start the slurmd of a node."""
        (self.folder / f"spool.{node}").mkdir(exist_ok=True)
        self._daemon("slurmd", "-f", str(self.conf), "-N", node)

    def stop(self, name: str, how: signal.Signals = signal.SIGTERM) -> None:
        """Stop a daemon by its pid file and wait until it is gone."""
        stop_by(self.folder / f"{name}.pid", name.partition(".")[0], how)

    def wait_for_nodes(self, seconds: float = 120) -> None:
        """Wait until every node takes jobs; bring back those that are down or drained."""
        end = time.monotonic() + seconds
        while True:
            with contextlib.suppress(subprocess.SubprocessError):
                states = dict(
                    line.split() for line in self.run("sinfo", "-hNo", "%N %T").splitlines()
                )
                bad = [n for n in self.nodes if states.get(n) not in {"idle", "mixed", "allocated"}]
                if not bad:
                    return
                for node in bad:
                    if states.get(node, "").rstrip("*") in {"down", "drained", "draining"}:
                        self.run("scontrol", "update", f"NodeName={node}", "State=RESUME")
            assert time.monotonic() < end, f"the nodes did not come up\n{self.tails()}"
            time.sleep(0.2)

    def hurry(self) -> None:
        """Start jobs of a lost node now: Slurm lets them wait two minutes after it queued them."""
        with contextlib.suppress(subprocess.SubprocessError):
            for line in self.run("squeue", "-ht", "PD", "-o", "%i %r").splitlines():
                job, reason = line.split(maxsplit=1)
                if reason == "BeginTime":
                    self.run("scontrol", "update", f"JobId={job}", "StartTime=now")

    def _configure(self) -> None:
        """Write keys and configuration, and link the latter to where Slurm looks."""
        (self.folder / "state").mkdir(parents=True, exist_ok=True)
        self.folder.chmod(0o755)
        host = socket.gethostname().split(".")[0]
        port, *ports = free_ports(1 + len(self.nodes))
        lines = [
            f"NodeName={node} NodeHostname={host} NodeAddr=127.0.0.1 Port={own} "
            f"CPUs={self.cpus} RealMemory={self.memory} Gres=gpu:fake:{self.gpus} State=UNKNOWN"
            for node, own in zip(self.nodes, ports, strict=True)
        ]
        self.conf.write_text(
            CONF.format(
                host=host, port=port, user="root", folder=self.folder, nodes="\n".join(lines)
            )
        )
        devices = [self.folder / f"gpu{index}" for index in range(self.gpus)]
        for device in devices:
            device.unlink(missing_ok=True)
            device.symlink_to("/dev/null")
        (self.folder / "gres.conf").write_text(
            f"Name=gpu Type=fake File={self.folder}/gpu[0-{self.gpus - 1}]\n"
        )
        (self.folder / "cgroup.conf").write_text("CgroupPlugin=cgroup/v1\n")
        SYSTEM_CONF.parent.mkdir(exist_ok=True)
        if SYSTEM_CONF.is_symlink():
            SYSTEM_CONF.unlink()
        SYSTEM_CONF.symlink_to(self.conf)

    def _start_munge(self) -> None:
        """Start munge with a key and a socket of its own."""
        key = self.folder / "munge.key"
        if not key.exists():
            key.touch(mode=0o600)
            key.write_bytes(secrets.token_bytes(1024))
        names = ("socket", "pid-file", "log-file", "seed-file")
        files = ("munge.socket", "munged.pid", "munged.log", "munge.seed")
        paths = [f"--{n}={self.folder / f}" for n, f in zip(names, files, strict=True)]
        self._daemon("munged", "--force", f"--key-file={key}", *paths)

    def _daemon(self, name: str, *arguments: str) -> None:
        """Start a program that goes to the background by itself."""
        program = _program(name)
        assert program, name
        said = self.folder / f"{name}.start.log"
        with said.open("w") as file:
            status = subprocess.run(
                [program, *arguments],
                env=self.environment(),
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
                check=False,
                timeout=60,
            ).returncode
        assert status == 0, f"{name} ended with {status}: {said.read_text()}\n{self.tails()}"


def free_ports(count: int) -> list[int]:
    """Return ports that nobody listens on."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [int(one.getsockname()[1]) for one in sockets]


def stop_left_over() -> None:
    """Stop the cluster of a run that was killed: Slurm's link still names its folder."""
    if not SYSTEM_CONF.is_symlink():
        return
    folder = SYSTEM_CONF.readlink().parent
    for file in folder.glob("*.pid"):
        stop_by(file, file.stem.partition(".")[0], signal.SIGKILL)
    kill_steps(folder)


def kill_steps(folder: Path) -> None:
    """Kill the jobs of a cluster whose daemons are gone, and what watches over them."""
    for process in psutil.process_iter(["name"]):
        with contextlib.suppress(psutil.Error):
            if process.info["name"] == "slurmstepd" and process.cwd().startswith(str(folder)):
                for one in (process, *process.children(recursive=True)):
                    with contextlib.suppress(psutil.Error):
                        one.kill()


def stop_by(file: Path, program: str, how: signal.Signals) -> None:
    """Stop the program that a pid file names, and wait until it is gone.

    A number that another program has by now is left alone.
    """
    try:
        pid = int(file.read_text())
        if program not in Path(f"/proc/{pid}/cmdline").read_text():
            return
        os.kill(pid, how)
    except (OSError, ValueError):
        return
    end = time.monotonic() + 10
    while _alive(pid) and time.monotonic() < end:
        time.sleep(0.05)
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
    file.unlink(missing_ok=True)


def _program(name: str) -> str | None:
    """Find a program, daemons included."""
    return shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")


def _alive(pid: int) -> bool:
    """Tell whether a process runs (one that only awaits its parent does not)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def check(cluster: Cluster) -> None:
    """Start a cluster, run one job to its end, and stop it.

    Raises:
        AssertionError: a daemon does not start, or the job does not end well; with their logs.
        OSError: a file or program cannot be used.
        subprocess.SubprocessError: one of Slurm's commands fails.
    """
    with contextlib.ExitStack() as stack:
        stack.callback(cluster.down)
        cluster.up()
        said = cluster.run(
            *("srun", "--immediate=60", "--time=1", "-p", "gpu", "--gpus=1"),
            *("bash", "-c", "echo GPU $CUDA_VISIBLE_DEVICES"),
        )
        assert said == "GPU 0\n", f"{said}\n{cluster.tails()}"


def main() -> None:
    """Start, stop or try a cluster by hand."""
    command, folder = sys.argv[1:]
    cluster = Cluster(Path(folder).resolve())
    sys.exit(cluster.missing()) if cluster.missing() else None
    {"up": cluster.up, "down": cluster.down, "check": lambda: check(cluster)}[command]()


if __name__ == "__main__":
    main()
