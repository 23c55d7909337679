"""Shared by all tests: shared data where present, and a small study that runs in seconds."""

from __future__ import annotations

import copy
import fcntl
import io
import json
import os
import re
import shutil
import subprocess
import sys
import time
import warnings
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, settings

from passk.cli import main

REPO = Path(__file__).resolve().parent.parent

LONGEST_FIRST = (
    *("workflow/test_workflow.py", "verifiers/test_verifier_code.py", "cli/test_run.py"),
    *("interop/test_import_export.py", "verifiers/test_sandbox.py", "workflow/test_cluster.py"),
    *("engines/test_engine_transformers.py", "training/test_train.py", "report/test_report.py"),
    *("engines/test_engine_troubles.py", "engines/test_engine_openai.py", "test_quickstart.py"),
    *("training/test_train_faults.py", "spec/test_paper_specs.py", "benchmarks/test_benchmarks.py"),
    *("training/test_train_imitation.py", "workflow/test_declared_inputs.py", "test_controls.py"),
    *("workflow/test_training_workflow.py", "review/test_review_workflow.py"),
)
"""Modules that take a minute or more are begun first: no worker is left with one at the end."""

# Threads of torch that wait for each other leave the core to another worker.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")


@pytest.hookimpl(optionalhook=True)  # vLLM's environment has no xdist
def pytest_xdist_auto_num_workers() -> int:
    """One worker more than there are cores: many tests wait for a deadline, a kill or a disk."""
    return min(4, len(os.sched_getaffinity(0)) + 1)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the longest modules."""
    places = {str(REPO / "tests" / name): place for place, name in enumerate(LONGEST_FIRST)}
    items.sort(key=lambda item: places.get(str(item.path), len(places)))


# How long an example takes says how busy the machine is, and nothing of the code.
settings.register_profile("passk", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("passk")


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real benchmarks and outputs; tests that need it skip where it is absent."""
    path = Path(os.environ.get("PASSK_DATA", REPO.parent / "shared" / "data"))
    if not path.is_dir():
        pytest.skip("no shared data")
    return path


@dataclass
class Study:
    """A working directory with a spec over the fake engine, run by the real Snakemake."""

    folder: Path
    spec: dict[str, Any]
    file: str = "study.yaml"
    library: Path | None = None
    """Folder of another version of passk to run, if any."""
    jobs: Counter[str] = field(default_factory=Counter)
    """How many jobs of each rule its first run had, if it was run."""

    def save(self) -> None:
        """Write the spec as it stands."""
        (self.folder / self.file).write_text(yaml.safe_dump(self.spec, sort_keys=False))

    def snakemake(self, *arguments: str, check: bool = True) -> Counter[str]:
        """Run Snakemake on the spec and return how many jobs of each rule were run."""
        self.save()
        snakefile = str(REPO / "Snakefile")
        done = self.run(
            "snakemake", "--cores", "2", "-s", snakefile, "--configfile", self.file, *arguments
        )
        output = done.stdout + done.stderr
        assert "Traceback" not in output, output
        if check:
            assert done.returncode == 0, output
        jobs = re.findall(r"^(?:local)?rule (\w+):", output, flags=re.MULTILINE)
        return Counter(name.split("__")[0] for name in jobs if name != "all")

    def passk(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a passk command; it never ends in a traceback."""
        if self.library is None and arguments[0] in IN_PROCESS:
            done = run_here(self.folder, *arguments)
        else:
            done = self.run(sys.executable, "-m", "passk", *arguments)
        assert "Traceback" not in done.stderr, done.stderr
        return done

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run a command in the working directory."""
        # Snakemake puts the Snakefile's folder first, unless it is on the path already.
        path = os.pathsep.join([str(self.library), str(REPO)])
        library = {} if self.library is None else {"PYTHONPATH": path}
        return subprocess.run(
            command,
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
            env=environment() | library,
        )

    def start(self, *command: str) -> subprocess.Popen[str]:
        """Start a command in the working directory, in a process group of its own."""
        return subprocess.Popen(
            command,
            cwd=self.folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            text=True,
            env=environment(),
            start_new_session=True,
        )

    def wait_for(self, pattern: str, seconds: float = 240) -> None:
        """Wait until a file that matches is there."""
        end = time.monotonic() + seconds
        while not any(self.folder.glob(pattern)):
            assert time.monotonic() < end, f"{pattern} never came"
            time.sleep(0.02)

    def change_passk(self, file: str, old: str, new: str) -> None:
        """Run a copy of passk from now on in which a line of code is another."""
        self.library = self.folder / "lib"
        if not self.library.exists():
            shutil.copytree(REPO / "passk", self.library / "passk")
            shutil.copytree(REPO / "specs", self.library / "specs")
        path = self.library / "passk" / file
        text = path.read_text()
        assert text.count(old) == 1, f"{file} does not hold {old!r} once"
        path.write_text(text.replace(old, new))

    def set_rates(self, name: str, rates: list[float], **more: float) -> None:
        """Write weights of the fake engine: a success rate per problem."""
        rows = [
            {
                "problem_id": f"p{i}",
                "rate": rate,
                "correct": str(10 + i),
                "wrong": ["1", "2"],
                **more,
            }
            for i, rate in enumerate(rates)
        ]
        write_jsonl(self.folder / name, rows)

    def set_golds(self, golds: list[str]) -> None:
        """Write the benchmark's problems."""
        rows = [{"id": f"p{i}", "question": f"{i} + 10 =", "gold": g} for i, g in enumerate(golds)]
        write_jsonl(self.folder / "benchmarks" / "sums.jsonl", rows)


@contextmanager
def shared_folder(factory: pytest.TempPathFactory, name: str) -> Iterator[Path]:
    """A folder that all workers see, in which one at a time makes what the others then find."""
    base = factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / name
    folder.mkdir(exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield folder


IN_PROCESS = frozenset(
    {"export", "import", "plan", "problems", "resolve", "status", "validate"},
)
"""Commands that tests run in their own process, without a new Python each."""


def run_here(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a passk command in this process as if in one of its own, in a folder."""
    output, errors = io.StringIO(), io.StringIO()
    with (
        pytest.MonkeyPatch.context() as patch,
        warnings.catch_warnings(),
        redirect_stdout(output),
        redirect_stderr(errors),
    ):
        warnings.simplefilter("default")
        patch.chdir(folder)
        for name, value in environment().items():
            patch.setenv(name, value)
        try:
            status = main(arguments)
        except SystemExit as end:
            status = int(end.code or 0)
    return subprocess.CompletedProcess(arguments, status, output.getvalue(), errors.getvalue())


def environment() -> dict[str, str]:
    """The environment of child processes: the interpreter's own scripts come first."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    return os.environ | {"PATH": path, "NO_COLOR": "1"}


def write_jsonl(path: Path, rows: list[dict[str, Any]]) -> None:
    """Write rows as JSON lines."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


@pytest.fixture
def study(tmp_path: Path) -> Study:
    """A base and a tuned model, four problems, n = 8 in shards of 4; nothing run yet."""
    return make_study(tmp_path)


@pytest.fixture(scope="session")
def finished_once(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """That study, run to its report once for all tests and all workers."""
    with shared_folder(tmp_path_factory, "finished") as folder:
        jobs = folder / "jobs.json"
        if not jobs.exists():
            made = make_study(folder / "study")
            jobs.write_text(json.dumps(made.snakemake()))
    spec = yaml.safe_load((folder / "study" / "study.yaml").read_text())
    return Study(folder / "study", spec, jobs=Counter(json.loads(jobs.read_text())))


@pytest.fixture
def finished(finished_once: Study, tmp_path: Path) -> Study:
    """A copy of the finished study that a test may change."""
    shutil.copytree(finished_once.folder, tmp_path, dirs_exist_ok=True)
    return replace(finished_once, folder=tmp_path, spec=copy.deepcopy(finished_once.spec))


def make_study(folder: Path) -> Study:
    """Write the files of the study."""
    made = Study(
        folder,
        {
            "name": "study",
            "k": [1, 2, 4, 8],
            "shard": 4,
            "figures": ["curves"],  # all kinds are drawn in tests of the report
            "models": {
                "base": {"weights": "./base.jsonl", "engine": "fake"},
                "tuned": {
                    "weights": "./tuned.jsonl",
                    "engine": "fake",
                    "role": "rl",
                    "base": "base",
                },
            },
            "benchmarks": {"sums": {"n": 8}},
            "samplers": {"plain": {"temperature": 1.0, "max_tokens": 8}},
            "perplexity": [
                {"scorer": "base", "responses_of": ["tuned", "reference:gold"], "per_problem": 4}
            ],
        },
    )
    made.set_golds(["10", "11", "12", "13"])
    made.set_rates("base.jsonl", [0.9, 0.5, 0.3, 0.1])
    made.set_rates("tuned.jsonl", [1.0, 0.8, 0.1, 0.0])
    (folder / "benchmarks" / "sums.yaml").write_text(
        "title: Sums\nsource: {file: sums.jsonl}\nverifier: number\nprompt: few-shot-direct\n"
        'shots: [["1 + 1 =", "2"], ["2 + 1 =", "3"], ["3 + 1 =", "4"], ["4 + 1 =", "5"]]\n'
    )
    made.save()
    return made
