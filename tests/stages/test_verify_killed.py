"""Whoever is killed while grading, the verdicts are those of an undisturbed run, one by one."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from passk.core.errors import VerifierError
from passk.core.journal import journal_path
from passk.core.schemas import Problem, Sample, Verdict, read_rows, write_rows
from passk.verifiers.sandbox import choose_isolation

SUM = r"\sum_{k=1}^{n} k"
FUNCTION = {"entry_point": "f", "tests": [{"input": [n], "output": n + 1} for n in range(3)]}


def math_rows() -> list[tuple[object, str]]:
    """Pairs that only Math-Verify decides about, and some that a rule does."""
    hard = [(SUM, rf"So \boxed{{\frac{{n(n+{1 + n % 2})}}{{2}} + {n} - {n}}}.") for n in range(150)]
    return [*hard, ("5", r"\boxed{5}"), ("5", "nothing"), *hard[:20]]


def code_rows() -> list[tuple[object, str]]:
    """Programs that take their time: right, wrong, raising, without a program, and one endless."""
    returns = ["x + 1", "x + 2 * (x < 2) - (x < 1)", "x // 0", "x"]
    program = "```python\nimport time\ndef f(x):\n    time.sleep(0.01)  # {}\n    return {}\n```"
    texts = [program.format(n, returns[n % 4]) for n in range(160)]
    texts.insert(40, "```python\ndef f(x):\n    while True: pass\n```")
    return [(FUNCTION, text) for text in [*texts, "no program", *texts[:20]]]


ROWS: dict[str, Callable[[], list[tuple[object, str]]]] = {"math": math_rows, "code": code_rows}


@pytest.fixture(params=ROWS)
def verifier(request: pytest.FixtureRequest) -> str:
    name = str(request.param)
    try:
        choose_isolation.choose()
    except VerifierError as error:
        if name == "code":
            pytest.skip(error.what)
    return name


def grade_command(verifier: str, folder: Path) -> tuple[list[str], Path]:
    source, output = folder / "in.jsonl", folder / "out.jsonl"
    rows = [{"problem_id": "p", "gold": g, "response": text} for g, text in ROWS[verifier]()]
    source.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return ["grade", str(source), "-o", str(output)], output


def verify_command(verifier: str, folder: Path) -> tuple[list[str], Path]:
    rows, output = ROWS[verifier](), folder / "verdicts.parquet"
    golds = list(dict.fromkeys(json.dumps(gold) for gold, _ in rows))
    problems = [Problem(g[:9], "q", g, [], "{}", "a", "b") for g in golds]
    samples = [
        Sample(json.dumps(gold)[:9], n, n, text, [], 0, "stop", 0.0, 0.0)
        for n, (gold, text) in enumerate(rows)
    ]
    write_rows(folder / "p.parquet", problems)
    write_rows(folder / "s.parquet", samples)
    files = ["--problems", str(folder / "p.parquet"), "--samples", str(folder / "s.parquet")]
    return ["verify", *files, "-o", str(output)], output


DOORS = {"grade": grade_command, "verify": verify_command}


@pytest.fixture(params=DOORS)
def door(request: pytest.FixtureRequest) -> Callable[[str, Path], tuple[list[str], Path]]:
    return DOORS[request.param]


def start(command: list[str], verifier: str) -> subprocess.Popen[bytes]:
    more = ["--verifier", verifier, "--workers", "2"]
    return subprocess.Popen(
        [sys.executable, "-m", "passk", *command, *more], stderr=subprocess.DEVNULL
    )


def verdicts(output: Path) -> list[tuple[str, str | None]]:
    if output.suffix == ".parquet":
        return [(row.verdict, row.answer_class) for row in read_rows(output, Verdict)]
    rows = [json.loads(line) for line in output.read_text().splitlines()]
    return [(row["verdict"], row["answer_class"]) for row in rows]


def expected(verifier: str) -> list[str]:
    if verifier == "math":
        hard = ["correct", "wrong"] * 75
        return [*hard, "correct", "no_answer", *hard[:20]]
    ran = ["correct", "wrong", "wrong", "wrong"] * 40
    return [*ran[:40], "timeout", *ran[40:], "no_answer", *ran[:20]]


def finished(output: Path) -> int:
    """How many comparisons the journal holds."""
    with suppress(OSError):
        return max(0, journal_path(output).read_bytes().count(b"\n") - 1)
    return 0


def wait_until(number: int, output: Path, run: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 60
    while finished(output) < number:
        assert run.poll() is None, "ended too soon"
        assert time.monotonic() < deadline, "too slow"
        time.sleep(0.01)


def test_a_run_whose_parent_is_killed_goes_on_and_says_the_same(
    verifier: str, door: Callable[[str, Path], tuple[list[str], Path]], tmp_path: Path
) -> None:
    command, output = door(verifier, tmp_path)
    done = 0
    for number in (20, 70):
        run = start(command, verifier)
        wait_until(number, output, run)
        run.kill()
        run.wait()
        assert not output.exists()
        assert finished(output) >= max(done, number)
        done = finished(output)
    with journal_path(output).open("ab") as journal:
        journal.write(b'{"problem_id":"","sample":9')  # what a kill may cut short
    assert start(command, verifier).wait() == 0
    assert [verdict for verdict, _ in verdicts(output)] == expected(verifier)
    assert not journal_path(output).exists()


def test_a_run_whose_workers_are_killed_says_the_same(verifier: str, tmp_path: Path) -> None:
    command, output = grade_command(verifier, tmp_path)
    run = start(command, verifier)
    chance = random.Random(5)
    killed = 0
    for number in range(5, 95, 15):
        wait_until(number, output, run)
        below = descendants(run.pid)
        if below:
            with suppress(ProcessLookupError):
                os.kill(chance.choice(below), signal.SIGKILL)
                killed += 1
    assert run.wait() == 0
    assert killed >= 3
    assert [verdict for verdict, _ in verdicts(output)] == expected(verifier)


def test_results_of_other_rows_or_options_are_not_taken_over(tmp_path: Path) -> None:
    command, output = grade_command("math", tmp_path)
    run = start(command, "math")
    wait_until(20, output, run)
    run.kill()
    run.wait()
    source = tmp_path / "in.jsonl"
    source.write_text(source.read_text().replace("sum_{k=1}^{n} k", "sum_{k=1}^{n} 2k"))
    assert start(command, "math").wait() == 0
    found = [verdict for verdict, _ in verdicts(output)]
    assert "correct" not in found[:150]


def descendants(pid: int) -> list[int]:
    """The processes below a process, nearest first."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            parent = int(entry.read_text().rpartition(")")[2].split()[1])
            children.setdefault(parent, []).append(int(entry.parent.name))
    found = list(children.get(pid, []))
    for child in found:
        found += children.get(child, [])
    return found
