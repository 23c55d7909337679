from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from passk.core.errors import VerifierError
from passk.verifiers.grading.worker_pool import Pool, PoolConfig, Result
from passk.verifiers.math.verifier import MathVerifier

FAST = PoolConfig("fake", {}, deadline=1.0, memory=1 << 27)


def run(pairs: list[tuple[str, str]], setup: PoolConfig = FAST) -> dict[int, Result]:
    with Pool(setup) as pool:
        return dict(pool.run(pairs))


def equal(*answers: str) -> list[tuple[str, str]]:
    return [(f'"{answer}"', answer) for answer in answers]


def alive(pid: int) -> bool:
    """Whether a process runs; one that is dead but not waited for does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_every_pair_is_answered_once_in_any_order() -> None:
    answers = [str(i) for i in range(300)]
    found = run(equal(*answers), PoolConfig("fake", {}, workers=2))
    assert sorted(found) == list(range(300))
    assert {result.verdict for result in found.values()} == {"correct"}


def test_workers_are_recycled_and_none_of_their_pairs_is_lost() -> None:
    found = run(equal(*"abcdefghij"), PoolConfig("fake", {}, max_tasks_per_child=3))
    assert {result.verdict for result in found.values()} == {"correct"}
    assert len({result.detail for result in found.values()}) == 4


def test_failures_are_tried_again_and_the_rest_goes_on() -> None:
    found = run(equal("a", "hang", "die", "b", "raise", "eat", "c"))
    verdicts = [found[i].verdict for i in range(7)]
    expected = ["correct", "timeout", "error", "correct", "error", "error", "correct"]
    assert verdicts == expected
    assert list(found)[:3] == [0, 3, 6]


def test_a_pair_that_fails_once_only_is_no_failure() -> None:
    """Somebody kills the child from outside while it compares: the second try is undisturbed."""
    with Pool(PoolConfig("fake", {}, deadline=30.0)) as pool:
        results = pool.run(equal("a", "sleep", "b"))
        first = dict([next(results)])
        killer = subprocess.Popen(["sh", "-c", f"sleep 0.3; kill -9 {first[0].detail}"])
        found = first | dict(results)
        killer.wait()
    assert [found[i].verdict for i in range(3)] == ["correct"] * 3
    assert found[1].detail != first[0].detail


def test_a_worker_process_that_is_killed_is_replaced() -> None:
    with Pool(PoolConfig("fake", {}, workers=2)) as pool:
        results = pool.run(equal(*map(str, range(200))))
        found = dict([next(results)])
        pool.workers[0].process.kill()
        found |= dict(results)
    assert sorted(found) == list(range(200))
    assert {result.verdict for result in found.values()} == {"correct"}


def test_a_pool_that_is_left_leaves_nobody_behind() -> None:
    with Pool(FAST) as pool:
        (first,) = dict(pool.run(equal("a"))).values()
        process = pool.workers[0].process.pid
        assert alive(int(first.detail))
    assert not alive(process)
    wait_for_end(int(first.detail))


PARENT = """
import sys
from passk.verifiers.grading.worker_pool import Pool, PoolConfig
with Pool(PoolConfig("fake", {}, deadline=600.0)) as pool:
    for _, result in pool.run([('"a"', "a"), ('"b"', "hang")]):
        print(result.detail, pool.workers[0].process.pid, flush=True)
"""


@pytest.fixture
def busy_parent() -> Iterator[tuple[subprocess.Popen[str], list[int]]]:
    """A process whose worker hangs, with the numbers of the worker's processes."""
    with subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE, text=True) as run:
        assert run.stdout is not None
        yield run, [int(number) for number in run.stdout.readline().split()]
        run.kill()


@pytest.mark.skipif(sys.platform != "linux", reason="asks Linux to kill orphans")
def test_killing_the_parent_ends_workers_that_hang(
    busy_parent: tuple[subprocess.Popen[str], list[int]],
) -> None:
    parent, workers = busy_parent
    assert all(alive(pid) for pid in workers)
    os.kill(parent.pid, signal.SIGKILL)
    for pid in workers:
        wait_for_end(pid)


def wait_for_end(pid: int) -> None:
    """Wait for a process to end; the kernel takes a moment."""
    deadline = time.monotonic() + 30
    while alive(pid):
        assert time.monotonic() < deadline, "left behind"
        time.sleep(0.02)


def test_a_verifier_that_cannot_be_loaded_is_said_once() -> None:
    with pytest.raises(VerifierError, match="no option 'nonsense'"):
        run(equal("a"), PoolConfig("fake", {"nonsense": 1}))


def test_a_file_in_the_working_folder_does_not_get_in_the_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "json.py").write_text("raise SystemExit")
    monkeypatch.chdir(tmp_path)
    assert run(equal("a"))[0].verdict == "correct"


def test_long_and_odd_text_reaches_the_worker_whole() -> None:
    answers = ["x" * 200_000, "\ud800", "a\nb", "\x00", "\u202e"]
    found = run([('"y"', answer) for answer in answers], PoolConfig("fake", {}))
    assert [found[i].answer_class for i in range(5)] == answers


def test_math_verify_decides_in_the_worker_what_no_rule_can() -> None:
    gold, same, other = r'"\\sum_{k=1}^{n} k"', r"\frac{n(n+1)}{2}", r"\frac{n(n+2)}{2}"
    assert MathVerifier().quick_compare(gold, same) is None
    found = run([(gold, same), (gold, other)], PoolConfig("math", {}))
    assert [found[i].verdict for i in range(2)] == ["correct", "wrong"]
    assert found[0].detail == "symbolic"


def test_no_text_is_evaluated_as_code() -> None:
    from sympy.parsing.sympy_parser import parse_expr

    from passk.verifiers.math.math_verify import math_verify_equal

    assert math_verify_equal("2x", "x+x")
    for text in ("__import__('os').getpid()", "x+1", "Integer(5)", "x.is_real"):
        with pytest.raises(ValueError, match="never evaluated"):
            parse_expr(text)
