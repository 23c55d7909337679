"""Commands as forks of one process that has imported passk and Snakemake: real runs, started fast.

`Preloaded(folder)` starts that process. Its `environment` puts a `passk` and a `snakemake` first on
PATH that hand their arguments, folder, environment and open files to it, and wait for the fork.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import traceback
from pathlib import Path
from types import TracebackType
from typing import Self

SOCKET = "PASSK_TEST_SOCKET"

CLIENT = f"""#!{sys.executable} -IS
import json, os, socket, sys
server = socket.socket(socket.AF_UNIX)
server.connect(os.environ["{SOCKET}"])
asked = json.dumps([sys.argv, os.getcwd(), dict(os.environ)]).encode()
socket.send_fds(server, [len(asked).to_bytes(8, "big")], [0, 1, 2])
server.sendall(asked)
sys.exit(int(server.recv(8) or b"137"))
"""

MODULES = (
    *("passk.cli.stages", "passk.cli.study", "passk.workflow.snakemake.rules"),
    *("passk.stages.sample", "passk.stages.score", "passk.stages.verify", "passk.stages.count"),
    *("passk.engines.fake", "passk.verifiers.number", "passk.analysis.tables"),
    *("passk.report.figures", "passk.report.build", "snakemake.cli", "snakemake.api"),
    *("pyarrow.dataset", "pyarrow.parquet", "matplotlib.figure", "matplotlib.backends.backend_svg"),
)


class Preloaded:
    """The process that forks; it ends with the block."""

    def __init__(self, folder: Path) -> None:
        """Write the two commands into a folder, and start the process."""
        folder.mkdir(parents=True, exist_ok=True)
        for name in ("passk", "snakemake"):
            (folder / name).write_text(CLIENT)
            (folder / name).chmod(0o755)
        path = folder / "socket"
        self.environment = {
            "PATH": os.pathsep.join(
                map(str, (folder, Path(sys.executable).parent, "/usr/bin", "/bin"))
            ),
            SOCKET: str(path),
            "NO_COLOR": "1",
        }
        self._process = subprocess.Popen(
            [sys.executable, __file__, str(path)],
            stdout=subprocess.PIPE,
            env=os.environ | {"OPENBLAS_NUM_THREADS": "1"},
        )
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == b"ready\n"

    def __enter__(self) -> Self:
        """Return this."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End the process, and fail where it ended before."""
        status = self._process.poll()
        self._process.terminate()
        self._process.communicate()
        assert status is None, f"the process that forks commands had ended with {status}"


def serve(path: str) -> None:
    """Import everything, then fork for every connection."""
    for module in MODULES:
        __import__(module)
    warm_up()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    server = socket.socket(socket.AF_UNIX)
    server.bind(path)
    server.listen(64)
    os.write(sys.stdout.fileno(), b"ready\n")
    while True:
        connection, _ = server.accept()
        with connection:
            if fork() == 0:
                os.setpgid(0, 0)  # what ends a command's group leaves this process alone
                server.close()
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                answer(connection)


def fork() -> int:
    """Fork; a machine that is full for a moment is waited for."""
    for _ in range(60):
        try:
            return os.fork()
        except OSError as error:
            os.write(2, f"cannot fork a command: {error}\n".encode())
            time.sleep(1)
    return os.fork()


def warm_up() -> None:
    """Let Snakemake import what it only does when it runs: three quarters of a small dry run."""
    with tempfile.TemporaryDirectory() as folder, Path(os.devnull).open("w") as nowhere:
        Path(folder, "Snakefile").touch()
        with contextlib.redirect_stdout(nowhere), contextlib.redirect_stderr(nowhere):
            run(["snakemake", "-n", "-d", folder])


def answer(connection: socket.socket) -> None:
    """Run the command of a connection in this process, and end with its status."""
    size, files, _, _ = socket.recv_fds(connection, 8, 3)
    left, asked = int.from_bytes(size, "big"), b""
    while len(asked) < left:
        asked += connection.recv(1 << 16)
    arguments, folder, environment = json.loads(asked)
    for number, file in enumerate(files):
        os.dup2(file, number)
        os.close(file)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    status = 1
    try:
        status = run(arguments)
    except Exception:  # noqa: BLE001 - whatever ends a command, its caller waits for a status
        traceback.print_exc()
    finally:
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError):
                stream.flush()
        connection.sendall(str(status).encode())
        os._exit(0)


def run(arguments: list[str]) -> int:
    """Return the exit status of a command."""
    if Path(arguments[0]).name == "passk":
        from passk.cli import main

        return main(arguments[1:])
    import snakemake.cli

    sys.argv = arguments
    try:
        snakemake.cli.main(arguments[1:])
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    return 0


if __name__ == "__main__":
    serve(sys.argv[1])
