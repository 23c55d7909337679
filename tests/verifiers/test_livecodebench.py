"""LiveCodeBench: rows as they are published, with private tests that are never unpickled."""

from __future__ import annotations

import base64
import json
import os
import pickle
import re
import zlib
from pathlib import Path
from typing import Any

import pytest
from livecodebench_problems import OURS, PROBLEMS

from passk.core.errors import VerifierError
from passk.spec.loading import load_benchmark
from passk.stages.verify import PoolConfig, grade, grade_file
from passk.verifiers.code import livecodebench
from passk.verifiers.code.problems import FunctionTests, StdinTests, problem_of
from passk.verifiers.code.verifier import CodeVerifier
from passk.verifiers.sandbox import choose_isolation

SPECS = Path(__file__).parents[2] / "specs/benchmarks"

PREAMBLE = "from typing import *\nfrom collections import *\nfrom math import *\n"


def packed(tests: list[dict[str, str]], protocol: int = 4) -> str:
    """Tests as the lite version of the benchmark packs them."""
    return base64.b64encode(zlib.compress(pickle.dumps(json.dumps(tests), protocol))).decode()


def row(
    public: list[dict[str, str]], private: str, *, name: str = "", starter: str = ""
) -> dict[str, Any]:
    """A row with all the keys of `livecodebench/code_generation_lite`."""
    return {
        "question_title": "Hand-made",
        "question_content": "Do it.",
        "platform": "leetcode" if name else "atcoder",
        "question_id": "abc000_a",
        "contest_id": "abc000",
        "contest_date": "2025-01-04T00:00:00",
        "starter_code": starter,
        "difficulty": "easy",
        "public_test_cases": json.dumps(public),
        "private_test_cases": private,
        "metadata": json.dumps({"func_name": name} if name else {}),
    }


def functional(given: str, output: str) -> dict[str, str]:
    return {"input": given, "output": output, "testtype": "functional"}


def stdin(given: str, output: str) -> dict[str, str]:
    return {"input": given, "output": output, "testtype": "stdin"}


PAIRS = row(
    [functional('[1, 2, 3]\n"ab"', "[[1, 2, 3], 2]")],
    packed([functional('[]\n""', "[[], 0]"), functional('[5]\n"x\\ny"', "[[5], 3]")]),
    name="pairUp",
    starter="class Solution:\n    def pairUp(self, nums: List[int], s: str) -> Any:\n        ",
)
HALVES = row(
    [stdin("2\n4\n5\n", "2\n2.5\n")],
    packed([stdin("1\n7\n", "3.5\n"), stdin("3\n1\n2\n3\n", "0.5\n1\n1.5")]),
)

SOLUTION = (
    "class Solution:\n    def pairUp(self, nums: List[int], s: str):\n        return (nums, len(s))"
)
SCRIPT = (
    "def main():\n    n = int(input())\n    for _ in range(n):\n        print(int(input()) / 2)\n"
    "if __name__ == '__main__':\n    main()"
)
PUBLIC_ONLY = "print('2\\n2.5')"


@pytest.fixture
def _isolated() -> None:
    try:
        choose_isolation.choose()
    except VerifierError as error:
        pytest.skip(error.what)


def block(program: str) -> str:
    return f"I think so.\n```python\n{program}\n```\n"


@pytest.mark.usefixtures("_isolated")
@pytest.mark.parametrize(
    ("problem", "program", "verdict", "detail"),
    [
        (PAIRS, SOLUTION, "correct", "passed 3 tests"),
        (PAIRS, "def pairUp(nums, s): return [nums, len(s)]", "correct", "passed 3 tests"),
        (PAIRS, SOLUTION.replace("len(s)", "2"), "wrong", "test 1 (functional): returned another"),
        (PAIRS, "class Solution:\n    pass", "wrong", "raised AttributeError before any test"),
        (HALVES, SCRIPT, "correct", "passed 3 tests"),
        (HALVES, "import sys\n" + SCRIPT + "\nsys.exit()", "correct", "passed 3 tests"),
        (HALVES, PUBLIC_ONLY, "wrong", "test 1 (stdin): printed something else"),
        (HALVES, SCRIPT.replace("/ 2", "// 2"), "wrong", "test 0 (stdin): printed something else"),
        (HALVES, "input(); input(); input(); input()", "wrong", "raised EOFError"),
    ],
)
def test_public_and_private_tests_of_a_published_row_count(
    problem: dict[str, Any], program: str, verdict: str, detail: str
) -> None:
    setup = PoolConfig("code", {"preamble": PREAMBLE, "per_test": 5.0})
    (found,) = grade([(json.dumps(problem), block(program))], setup)
    assert (found.verdict, detail in found.detail) == (verdict, True), found


@pytest.mark.usefixtures("_isolated")
def test_rows_are_graded_from_a_file(tmp_path: Path) -> None:
    rows = [
        {"problem_id": "a", "gold": PAIRS, "response": block(PREAMBLE + SOLUTION)},
        {"problem_id": "b", "gold": HALVES, "response": block(SCRIPT)},
        {"problem_id": "b", "gold": HALVES, "response": "No program."},
    ]
    source = tmp_path / "in.jsonl"
    source.write_text("".join(json.dumps(one) + "\n" for one in rows))
    assert grade_file(source, tmp_path / "out.jsonl", "code") == {"correct": 2, "no_answer": 1}


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_packed_tests_are_read_whichever_way_they_were_pickled(protocol: int) -> None:
    tests = [stdin("ü\n" * 300, "ß"), stdin("1", "2")]
    problem = problem_of(json.dumps(row([], packed(tests, protocol))))
    assert isinstance(problem, StdinTests)
    assert list(problem.inputs) == ["ü\n" * 300, "1"]


def test_private_tests_may_be_plain_json_or_absent() -> None:
    tests = [functional("1", "2")]
    for private in (json.dumps(tests), packed(tests), ""):
        problem = problem_of(json.dumps(row(tests, private, name="f")))
        assert isinstance(problem, FunctionTests)
        assert problem.entry_point == "f"
        assert len(problem.inputs) == (2 if private else 1)


class Command:
    """What runs a command where it is unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, ("touch passk_was_here",)


def pickled(data: bytes) -> str:
    return base64.b64encode(zlib.compress(data)).decode()


@pytest.mark.parametrize(
    "private",
    [
        pickled(pickle.dumps(Command())),
        pickled(pickle.dumps(["[]", Command()])),
        pickled(pickle.dumps(["a", "list"])),
        pickled(pickle.dumps(b"[]")),
        pickled(pickle.dumps(("[]", "[]"))),
        pickled(b"cos\nsystem\n(S'touch passk_was_here'\ntR."),
        pickled(b"no pickle"),
        pickled(b""),
        pickled(pickle.dumps("[]"))[:-8] + "AAAAAAA=",
        base64.b64encode(zlib.compress(pickle.dumps("[]"))[:-6]).decode(),
        base64.b64encode(b"not deflated").decode(),
        "not base 64 at all",
        packed([]).replace("e", "\u00e9", 1),
        pickled(pickle.dumps("{}")),
        pickled(pickle.dumps("[5]")),
        "[",
    ],
)
def test_what_is_not_packed_tests_is_refused_and_not_run(
    private: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=r"."):
        CodeVerifier().check_gold(json.dumps(row([], private)))
    assert not list(tmp_path.iterdir())


def test_packed_tests_that_unfold_without_end_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(livecodebench, "PRIVATE_BYTES", 1 << 16)
    bomb = packed([stdin("x" * (1 << 20), "y")])
    assert len(bomb) < 1 << 12
    with pytest.raises(ValueError, match="larger than"):
        livecodebench.unpacked(bomb)


@pytest.mark.usefixtures("_isolated")
def test_verdicts_are_those_of_the_benchmarks_own_grader() -> None:
    options = dict(load_benchmark(SPECS / "livecodebench.yaml").options)
    rows, labels = [], {}
    for name, (one, programs) in PROBLEMS.items():
        for number, (program, label) in enumerate(programs):
            rows.append((json.dumps(one), block(program)))
            labels[name, number] = label
    found = grade(rows, PoolConfig("code", options | {"per_test": 3}, workers=2))
    ours = {key: row.verdict == "correct" for key, row in zip(labels, found, strict=True)}
    assert {key for key in ours if ours[key] != labels[key]} == set(OURS)
    assert len(PROBLEMS) >= 20


@pytest.mark.parametrize("file", ["livecodebench.yaml", "livecodebench-2408.yaml"])
def test_benchmark_files_state_the_rules_of_the_grader(file: str) -> None:
    options = CodeVerifier(**load_benchmark(SPECS / file).options).options
    assert "from typing import *" in options.preamble
    assert "sys.setrecursionlimit(50000)" in options.preamble
    assert options.main_function
    assert options.time_limits.limits(3, None) == ([6, 6], 24)


def test_every_rule_in_the_docs_has_its_test() -> None:
    text = (SPECS.parents[1] / "docs/verification.md").read_text()
    rows = text.partition("| rule | theirs | ours | test |\n|---|---|---|---|\n")[2]
    named = [row.rsplit("|", 2)[1] for row in rows.partition("\n\n")[0].split("\n")]
    folder = Path(__file__).parent
    files = [*folder.glob("*.py"), folder.parent / "sandbox_escapes.py"]
    source = "\n".join(file.read_text() for file in files if file.name != Path(__file__).name)
    names = [re.findall(r"`(\w+)`", cell) for cell in named]
    assert len(names) >= 13
    assert all(names)
    assert [name for row in names for name in row if name not in source] == []
