"""Programs against tests: gold formats, comparison rules, faults, and the real benchmarks."""

from __future__ import annotations

import array
import ast
import gzip
import json
import math
import os
import random
import subprocess
import sys
import time
import warnings
from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from passk.core.artifacts import read_manifest
from passk.core.errors import VerifierError
from passk.core.schemas import Problem, Sample, Verdict, read_rows, write_rows
from passk.stages.verify import PoolConfig, grade, grade_file, verify
from passk.verifiers.code import evalplus, livecodebench
from passk.verifiers.code.expected_outputs import ExpectedOutputs, ReferenceOutputs
from passk.verifiers.code.extract_code import extract_code
from passk.verifiers.code.function_attempt import FunctionAttempt
from passk.verifiers.code.output_lines import LineReader
from passk.verifiers.code.problems import FunctionTests, problem_of
from passk.verifiers.code.time_limits import TimeLimits
from passk.verifiers.code.verifier import CodeVerifier
from passk.verifiers.grading.worker_pool import Result
from passk.verifiers.sandbox import choose_isolation
from passk.verifiers.sandbox.decode import UnreadableError, decode, make_set
from passk.verifiers.sandbox.inside.clean_folder import remove_contents
from passk.verifiers.sandbox.inside.encode import LONG, encode
from passk.verifiers.sandbox.isolation import Isolation

LARGE = bool(os.environ.get("PASSK_TEST_LARGE"))

FUNCTION = json.dumps(
    {"entry_point": "f", "tests": [{"input": [1], "output": 2}, {"input": "5", "output": "6"}]}
)
SCRIPT = json.dumps(
    {"tests": [{"input": "1 2\n", "output": "3\n"}, {"input": "5 5", "output": "10"}]}
)


@pytest.fixture(scope="module", autouse=True)
def _isolated() -> None:
    try:
        choose_isolation.choose()
    except VerifierError as error:
        pytest.skip(error.what)


def block(program: str) -> str:
    return f"Here it is:\n```python\n{program}\n```\nIt works."


def evalplus_gold(task: str, solution: str, tests: list[Any], **more: Any) -> str:
    row = {"task_id": task, "prompt": "def f(x):\n", "entry_point": "f", "atol": 0}
    row |= {"canonical_solution": solution, "base_input": tests, "plus_input": []}
    return json.dumps(row | more)


def verdicts(gold: str, *programs: str, deadline: float = 5.0, **options: Any) -> list[Result]:
    options = CodeVerifier.timeout_options(deadline) | options
    with CodeVerifier(**options).pool(PoolConfig("code", options, workers=2)) as pool:
        found = dict(pool.run([(gold, program) for program in programs]))
    return [found[index] for index in range(len(programs))]


@pytest.mark.parametrize(
    ("program", "verdict", "detail"),
    [
        ("def f(x): return x + 1", "correct", "passed 2 tests"),
        ("def f(x): return x + 1.0", "correct", "passed 2 tests"),
        ("class Solution:\n    def f(self, x): return x + 1", "correct", "passed 2 tests"),
        ("def f(x): return 2", "wrong", "test 1 (functional): returned another value"),
        ("def f(x): return 1 // (x - 5)", "wrong", "returned another value"),
        ("def f(x): return x + 1 if x < 5 else 1 // 0", "wrong", "raised ZeroDivisionError"),
        ("def f(x): return iter([x])", "wrong", "which cannot be compared"),
        ("def g(x): return x + 1", "wrong", "the program raised NameError before any test"),
        ("def f(x:", "wrong", "the program raised SyntaxError before any test"),
        (
            "def f(x):\n    while x: pass",
            "timeout",
            "test 0 (functional): over the time limit of 1 s",
        ),
        ("import os\ndef f(x): os._exit(0)", "wrong", "the program exited with 0"),
        ("def f(x): return f(x)", "wrong", "raised RecursionError"),
    ],
)
def test_a_verdict_names_test_and_kind(program: str, verdict: str, detail: str) -> None:
    (found,) = verdicts(FUNCTION, program, deadline=1.0)
    assert found.verdict == verdict
    assert detail in found.detail


@pytest.mark.parametrize(
    ("program", "verdict", "detail"),
    [
        ("a, b = map(int, input().split())\nprint(a + b)", "correct", "passed 2 tests"),
        ("print(sum(map(float, open(0).read().split())))", "correct", "passed 2 tests"),
        ("import sys\nprint(sum(map(int, sys.stdin)))", "wrong", "raised ValueError"),
        ("print(sum(map(int, input().split())))\nexit()", "correct", "passed 2 tests"),
        ("if __name__ == '__main__': print(sum(map(int, input().split())))", "correct", "2 tests"),
        ("print(3)", "wrong", "test 1 (stdin): printed something else"),
        ("print(3); print(3)", "wrong", "test 0 (stdin): printed something else"),
        ("import os\nprint(3, flush=True)\nos._exit(3)", "wrong", "exited with 3"),
        ("import time\ntime.sleep(60)", "timeout", "test 0 (stdin): over the time limit of 1 s"),
        ("while True: print('3')", "wrong", "sent too much"),
    ],
)
def test_a_script_is_judged_by_its_output(program: str, verdict: str, detail: str) -> None:
    (found,) = verdicts(SCRIPT, program, deadline=1.0)
    assert found.verdict == verdict
    assert detail in found.detail


@pytest.mark.parametrize(
    ("output", "expected", "same"),
    [
        ("1 2\n", "1 2", True),
        ("  1 2  \n\n", "1 2\n", True),
        ("1.0 2", "1 2.00", True),
        ("1 2 3", "1 2", False),
        ("50000000000000001", "50000000000000000", False),
        ("YES", "Yes", False),
        ("1\n\n2", "1\n2", False),
        ("1\n2\n3", "1\n2", False),
        ("1", "1\n2", False),
        ("", "", True),
    ],
)
def test_output_is_compared_as_livecodebench_does(
    output: str, expected: str, *, same: bool
) -> None:
    assert livecodebench.same_output(output, expected) == same


def test_test_cases_may_be_published_json_text() -> None:
    tests = json.dumps([{"input": "[1, 2]\n3", "output": "[1, 2, 3]", "testtype": "functional"}])
    gold = json.dumps({"entry_point": "f", "tests": tests})
    (found,) = verdicts(gold, "def f(xs, x): return (*xs, x)")
    assert found.verdict == "correct"


@pytest.mark.parametrize(
    ("response", "program"),
    [
        ("```python\nx = 1\n```", "x = 1"),
        ("```python\nx = 1\n```\nor\n```py\nx = 2\n```\nRun:\n```bash\nls\n```", "x = 2"),
        ("```python\nx = 1\n```\nOutput:\n```\n1\n```", "x = 1"),
        ("```\nx = 1\n```", "x = 1"),
        ("```python\nx = 1", "x = 1"),
        ("```python\nx = 1\n```\n```python\nx = ", "x = 1"),
        ("~~~python\nx = '''\n```\n'''\n~~~", "x = '''\n```\n'''"),
        ("  ```Python title=a\n  x = 1\n  ```", "x = 1"),
        ("```javascript\nlet x = 1\n```", None),
        ("x = 1", None),
        ("```python\n```", None),
        ("", None),
    ],
)
def test_the_last_block_of_python_is_the_program(response: str, program: str | None) -> None:
    assert extract_code(response) == program


ADD = "def add(x, y):\n    return x + y"
METHOD = "class Solution:\n    def add(self, x, y): return x + y"


DOCUMENTED = (
    f'{ADD[:14]}\n    """Add.\n\n    ```python\n    add(1, 2)\n    ```\n    """\n    return x'
)
MARGIN = f'{ADD[:14]}\n    """Add:\nnumbers at the margin.\n    """\n    return x + y'


@pytest.mark.parametrize(
    ("response", "program"),
    [
        (f"```python\n{ADD}\n```\nExample:\n```python\nprint(add(2, 3))\n```", ADD),
        (f"```python\n{ADD}\n```\nTests:\n```python\ndef test_add(): assert add(2, 3)\n```", ADD),
        (f"```\n{ADD}\n```\nOutput:\n```\n5\n```", ADD),
        (ADD, ADD),
        (f"Sure, here it is.\n\n{ADD}\n\nThis adds both numbers.", ADD),
        (f"<think>\nso ```python\ndef add(x, y): 0\n no\n</think>\n```python\n{ADD}\n```", ADD),
        (f"<think>\n```python\n{ADD}\n```\n</think>\nSee above.", ADD),
        (f"```python\ndef add(x, y): return 0\n```\nBetter:\n```\n{ADD}\n```", ADD),
        (f"```python\ndef add(x, y):\n    ...\nThen:\n```python\n{ADD}\n```", ADD),
        (f"Here: ```python\n{ADD}\n```", ADD),
        (f"```python\n{ADD}```", ADD),
        (f"```python\n{ADD}", ADD),
        (f"```python\n{METHOD}\n```\n```python\nSolution().add(1, 2)\n```", METHOD),
        ("```python\nadd = max\n```\n```python\nassert add(1, 2) == 3\n```", "add = max"),
        (f"{ADD}\n```\nThis adds them.", ADD),
        (f"{ADD}\n```\nUsage:\n```python\nprint(add(1, 2))\n```", ADD),
        (f"{ADD}<|im_end|>\n<|im_start|>user\nAnd def add(x): return 0?", ADD),
        (f"```python\n{ADD}\n```\nError was:\n```\n  in add\n    def add(x):\n```", ADD),
        (f"```python\n{ADD}\n```\nIts signature:\n```python\ndef add(x, y): ...\n```", ADD),
        (f"```python\n{ADD}\n```\nAs a method:\n```\nclass A:\n def add(self): 0\n```", ADD),
        (f"```python\n{ADD}\n```\nAgain:\n```python\ndef add(x, y):\n    return x +", ADD),
        (f"1. So:\n   ```python\n   {ADD.replace(chr(10), chr(10) + '   ')}\n   ```", ADD),
        (f"```{{.python}}\n{ADD}\n```", ADD),
        (f"```add.py\n{ADD}\n```", ADD),
        (f"```code\n{ADD}\n```\n```ruby\ndef add(x, y)\n  x\nend\n```", ADD),
        (f"```\npython\n{ADD}\n```", ADD),
        (f"```python\nTAG = '</think>'\n{ADD}\n```", f"TAG = '</think>'\n{ADD}"),
        (f"```python\n{DOCUMENTED}\n```\nDone.", DOCUMENTED),
        (f"Explanation (short): we add.\n{DOCUMENTED}\nSee above.", DOCUMENTED),
        (f"I add them (as numbers).\n\n{MARGIN}\n\nfrom both (see above)", MARGIN),
        (f"```python\n{ADD}\n```\n```python\ndef add(x) return x\n```", "def add(x) return x"),
        ("```python\nadd = 1\n```\n```py\nfrom math import add\n```", "from math import add"),
        (f"```python\n{ADD}\n```\nResult:\n```text\nadd = 5\n```", ADD),
        (f"```python\n{ADD}\n```\nResult:\n```\nadd = 5\n```", ADD),
        (f"```python\n{ADD}\n```\nTest:\n```python\nfrom mine import add\nadd(1, 2)\n```", ADD),
        ("I add both numbers.", None),
        ("import math would help, but I cannot.", None),
    ],
)  # fmt: skip
def test_the_entry_point_decides_which_block_is_the_solution(
    response: str, program: str | None
) -> None:
    assert extract_code(response, "add") == program


@pytest.mark.parametrize(
    ("response", "entry_point", "program"),
    [
        ("```python\nimport math\n```\nThen:\n```python\ndef f(x): return math.floor(x)\n```", "f",
         "import math\ndef f(x): return math.floor(x)"),
        ("```python\ndef f(x): return g(x)\n```\nwith\n```\ndef g(x): return 1\n```", "f",
         "def g(x):\n    return 1\ndef f(x): return g(x)"),
        ("```python\ndef f(x): return g(x)\n```\nBetter:\n```\ndef f(x): return 1\n```", "f",
         "def f(x): return 1"),
        ("n = int(input())\n\nNow the answer:\n\nprint(n, input())", "",
         "n = int(input())\nprint(n, input())"),
        ("```python\ndef main(): print(input())\n```\nCall it:\n```python\nmain()\n```", "",
         "def main(): print(input())\nmain()"),
        ("```python\nprint(input())\n```\nTests:\n```python\nassert main() == 1\n```", "",
         "print(input())"),
    ],
)  # fmt: skip
def test_a_program_in_several_blocks_is_put_together(
    response: str, entry_point: str, program: str
) -> None:
    assert extract_code(response, entry_point) == program


@pytest.mark.parametrize(
    ("response", "program"),
    [
        ("for line in open(0):\n    print(line)", "for line in open(0):\n    print(line)"),
        (
            "So: \n\na, b = input().split()\nprint(a)\n\nIt reads.",
            "a, b = input().split()\nprint(a)",
        ),
        ("```python\nprint(input())\n```\nUsage:\n```python\nprint('4')\n```", "print(input())"),
        ("```\nprint(input())\n```\nInput:\n```\n3 4\n```", "print(input())"),
        ("import sys\nprint(sys.stdin.read())", "import sys\nprint(sys.stdin.read())"),
        ("```python\nprint(4)\n```\nOutput:\n```\n4\n```", "print(4)"),
    ],
)
def test_without_an_entry_point_the_solution_reads_input(response: str, program: str) -> None:
    assert extract_code(response) == program


@pytest.mark.parametrize(
    "response",
    [
        "```\n" * 100_000 + "```python\n" + "`" * 100_000,
        "```" + "a" * 200_000 + "`",
        "```python\n" + " \n" * 100_000,
        "x = " * 100_000,
        "def add(" + "(" * 200_000,
        ("def " + "a" * 50 + "\n") * 20_000,
        "~~~" + " " * 200_000 + "`",
        "<think>" * 50_000 + "</think>" * 50_000,
        "import add " * 20_000,
        "```\ndef add(x): pass\n```\n" * 10_000,
        "def add(x): (\n" * 20_000,
        "add(\n\n" * 20_000,
        "```\ndef add(x): return " + "(" * 90 + "x" * 100_000,
    ],
)
def test_extraction_is_linear_in_the_response(response: str) -> None:
    began = time.process_time()
    extract_code(response, "add")
    assert time.process_time() - began < 2  # seconds; a quadratic pass takes far longer


def test_code_after_the_solution_does_not_decide() -> None:
    tail = "assert f(1) == 5"
    assert verdicts(FUNCTION, f"def f(x): return x + 1\n{tail}")[0].verdict == "correct"
    assert verdicts(FUNCTION, f"{tail}\ndef f(x): return x + 1")[0].verdict == "wrong"


def test_imports_of_the_prompt_precede_the_program() -> None:
    gold = evalplus_gold(
        "HumanEval/0",
        "    return [x]\n",
        [[1]],
        prompt='from typing import List\n\n\ndef f(x: int) -> List[int]:\n    """from a list"""\n',
    )
    future = "from __future__ import annotations\n"
    program = "def f(x: int) -> List[int]: return [x]"
    assert [r.verdict for r in verdicts(gold, program, future + program)] == ["correct"] * 2


# Time -------------------------------------------------------------------------------------------


def test_limits_are_those_of_the_official_harness() -> None:
    assert TimeLimits().limits(2, [0.1, 2.0]) == ([8.0, 1.0, 8.0], 9.0)
    assert TimeLimits().limits(100, [1.0] * 100)[1] == 60.0
    assert TimeLimits().limits(3, None) == ([6.0, 6.0], 24.0)
    assert TimeLimits().limits(99, None)[1] == 600.0
    assert TimeLimits(per_test=2, reference_factor=0).limits(2, [9.0, 9.0]) == ([2, 2], 6)
    assert TimeLimits(total=1.5).limits(2, None) == ([1.5, 6.0], 1.5)
    for option in ("per_test", "total", "minimum", "reference_factor"):
        with pytest.raises(VerifierError, match=option):
            CodeVerifier(**{option: -1})


def test_waiting_does_not_count_until_nothing_else_is_done() -> None:
    quick, slow = "import time\ndef f(x): time.sleep({}); return x + 1", "time"
    found = verdicts(FUNCTION, quick.format(0.5), quick.format(20), deadline=0.8)
    assert [result.verdict for result in found] == ["correct", "timeout"], slow


def test_all_that_times_out_is_tried_again_at_the_same_time() -> None:
    programs = [f"import time\ndef f(x): time.sleep(99)  # {n}" for n in range(8)]
    options = CodeVerifier.timeout_options(2.0)
    with CodeVerifier(**options).pool(PoolConfig("code", options, workers=8)) as pool:
        dict(pool.run([(FUNCTION, f"def f(x): return {n}") for n in range(8)]))
        began = time.monotonic()
        found = dict(pool.run([(FUNCTION, program) for program in programs]))
        seconds = time.monotonic() - began
    assert {result.verdict for result in found.values()} == {"timeout"}
    assert seconds < 2.5 * 2.0


def test_every_test_has_the_whole_of_its_limit() -> None:
    gold = evalplus_gold("HumanEval/0", "    return x + 1\n", [[n] for n in range(8)])
    program = (
        "import time\ndef f(x):\n    due = time.process_time() + 0.15\n"
        "    while time.process_time() < due: pass\n    return x + 1"
    )
    assert verdicts(gold, program, reference_factor=4, minimum=0.6)[0].verdict == "correct"


def test_a_test_over_its_own_limit_ends_the_program_before_the_sum_is_over() -> None:
    gold = evalplus_gold("HumanEval/0", "    return x + 1\n", [[n] for n in range(50)])
    began = time.monotonic()
    (found,) = verdicts(
        gold,
        "def f(x):\n while x == 7: pass\n return x + 1",
        reference_factor=4,
        minimum=0.3,
        per_test=5,
    )
    assert found.verdict == "timeout"
    assert "test 7 (base): over the time limit of 0.3 s" in found.detail
    assert time.monotonic() - began < 10


# What the judge is given ------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["f", "similar_elements", "find_zero", "sum_div", "check_str"])
@pytest.mark.parametrize("expected", [1.5, [1.5, 2.5], (1, 2), {1, 2}, "a", None, [[1.5]]])
def test_judging_any_value_is_bounded(name: str, expected: object) -> None:
    huge: list[Any] = [
        range(2 * 10**7),
        [range(10**9), 1.0],
        [[range(10**9)]],
        (range(10**9),),
        ["a" * 60_000, 1.0],
        [[1.0]] * 2,
        [10**4000, 1.0],
        [Decimal("1e999999999"), 1.0],
        Decimal("1e999999999999"),
        Fraction(1, 10**4000),
        {1: range(10**9)},
        [[[]]],
    ]
    task = "HumanEval/32" if name == "find_zero" else "Mbpp/2"
    for atol in (0, 1e-4):
        judge = evalplus.judge(evalplus.Rules(task, name, atol, 1), [[[1, 2]]], [expected])
        began = time.process_time()
        for value in huge:
            judge(0, value, expected, exact)
        assert time.process_time() - began < 1


def test_values_that_are_slow_to_read_are_refused() -> None:
    colliding = [n * (2**61 - 1) for n in range(40_000)]
    with pytest.raises(UnreadableError, match="collide"):
        make_set(colliding)
    for text in ("[" * 20_000 + "1" + "]" * 20_000, "[" + "'a'," * 200_000 + "]"):
        began = time.process_time()
        with pytest.raises(UnreadableError):
            decode(text, 1 << 22)
        assert time.process_time() - began < 1
    assert decode("(" + "1.5, " * 300_000 + ")", 1 << 22) == (1.5,) * 300_000


@pytest.mark.parametrize("parts", [["{}", "=2\n"], ["{}=2\n"], ["=1\n{}=2\n=3\n"]])
def test_nothing_may_follow_the_end_of_a_run(parts: list[str]) -> None:
    reader = LineReader()
    reader.read(reader.token)
    assert reader.finished
    reader = LineReader()
    for part in parts:
        reader.read(part.replace("{}", reader.token.decode()).encode())
    assert not reader.finished


def test_lines_are_no_more_than_they_say() -> None:
    gold = evalplus_gold("HumanEval/0", "    return x\n", [[1], [2]])
    problem = problem_of(gold)
    assert isinstance(problem, FunctionTests)
    expected = ExpectedOutputs(problem, ReferenceOutputs(["=1.0", "?object"], [0.1, 0.1]))
    assert expected.passes(0, "=1.0")
    assert not expected.passes(1, "?object")
    assert expected.fault(0, "=1.0000000001") is None
    assert expected.fault(0, "~1.0000000001") is not None
    attempt = FunctionAttempt(b"", ExpectedOutputs(problem_of(FUNCTION), None), [1.0], 1.0)
    attempt.request()
    assert attempt.receive(b"=2\n=6\n=7\n")
    assert attempt.fault == "more results than tests"


def test_long_output_costs_no_more_than_its_length() -> None:
    reader, began = LineReader(), time.process_time()
    for _ in range(512):
        reader.read(b"x" * (1 << 16))
    livecodebench.same_output("1 " * 4_000_000, "1 " * 1000)
    livecodebench.same_output("1\n" * 4_000_000, "1\n" * 1000)
    assert time.process_time() - began < 2


def test_options_are_declared() -> None:
    assert CodeVerifier(completion=True).extract("    return x + 1") == "    return x + 1"


@pytest.mark.parametrize(
    "response",
    [
        "def add(a, b):\n    return a + b\n```\nIt adds:\n```python\nprint(add(1, 2))\n```\n",
        "def add(a, b):\n    return a + b\n```\nThis function adds.",
        "def add(a, b):\n    return a + b\n",
        "```python\ndef add(a, b):\n    return a + b\n```\nasked by another prompt",
    ],
)
def test_a_program_that_the_prompt_began_is_read_from_where_the_response_goes_on(
    response: str,
) -> None:
    verifier = CodeVerifier(begun="Below is a Python script:\n```python\n")
    gold = json.dumps({"entry_point": "add", "prompt": "", "test": "def check(f): pass"})
    program = verifier.extract_for(gold, response)
    assert (program or "").strip() == "def add(a, b):\n    return a + b"
    assert CodeVerifier().extract("    return x + 1") is None
    for options in ({"completion": "yes"}, {"tests": "plus"}, {"memory": 0}, {"fast": True}):
        with pytest.raises(VerifierError, match="code"):
            CodeVerifier(**options)


def test_a_completion_goes_on_from_the_prompt() -> None:
    gold = evalplus_gold("HumanEval/0", "    return x + 1\n", [[1], [2]])
    right, wrong = verdicts(gold, "    return 1 + x\n", "    return x\n", completion=True)
    assert (right.verdict, wrong.verdict) == ("correct", "wrong")
    assert wrong.detail == "test 0 (base): returned another value"


def test_a_preamble_stands_before_the_program() -> None:
    program = "def f(x): return math.floor(x) + 1"
    assert verdicts(FUNCTION, program)[0].verdict == "wrong"
    assert verdicts(FUNCTION, program, preamble="import math\n")[0].verdict == "correct"


def test_base_tests_alone_may_be_asked_for() -> None:
    gold = evalplus_gold("HumanEval/0", "    return x + 1\n", [[1]], plus_input=[[7]])
    program = "def f(x): return 2"
    assert verdicts(gold, program)[0].detail == "test 1 (plus): returned another value"
    assert verdicts(gold, program, tests="base")[0].verdict == "correct"


@pytest.mark.parametrize(
    "gold",
    [
        "5",
        "[]",
        "{}",
        '{"tests": []}',
        '{"tests": [{"input": "1"}]}',
        '{"tests": [{"input": [1], "output": 2}]}',
        '{"entry_point": "f", "tests": [{"input": {"x": 1}, "output": 2}]}',
        '{"canonical_solution": "", "task_id": "HumanEval/0"}',
        '{"tests": [{"input": "1", "output": "1", "testtype": "functional"}]}',
    ],
)
def test_a_gold_that_is_of_no_form_is_refused(gold: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        CodeVerifier().check_gold(gold)


def test_a_reference_that_fails_is_an_error_not_a_wrong_answer() -> None:
    gold = evalplus_gold("HumanEval/0", "    return 1 // x\n", [[0]])
    (found,) = verdicts(gold, "def f(x): return 1")
    assert found.verdict == "error"
    assert "raised in test 0: !ZeroDivisionError" in found.detail


# Comparison rules -------------------------------------------------------------------------------


exact = True


@pytest.mark.parametrize(
    ("task", "name", "expected", "value", "same"),
    [
        ("HumanEval/0", "f", 1.0, 1.0 + 5e-7, True),
        ("HumanEval/0", "f", 1.0, 1.0 + 5e-6, False),
        ("HumanEval/0", "f", 1.0, 1, True),
        ("HumanEval/0", "f", 1, 1.0 + 5e-7, False),
        ("HumanEval/0", "f", [1.0, 2.0], [1.0, 2.0 + 5e-7], True),
        ("HumanEval/0", "f", [1.0, 2.0], (1.0, 2.0 + 5e-7), False),
        ("HumanEval/0", "f", [1.0, 2.0], [1.0], False),
        ("HumanEval/0", "f", [1.0, 1.0], [1.0], False),
        ("HumanEval/0", "f", (1, 2), [1, 2], False),
        ("HumanEval/0", "f", "a", "a ", False),
        ("HumanEval/0", "f", [], [], True),
        ("Mbpp/2", "similar_elements", (4, 5), (5, 4, 4), True),
        ("Mbpp/2", "similar_elements", (4, 5), range(10**12), False),
        ("Mbpp/737", "check_str", None, False, True),
        ("Mbpp/737", "check_str", "match", True, True),
        ("Mbpp/737", "check_str", "match", None, False),
        ("Mbpp/164", "are_equivalent", True, "anything", True),
        ("Mbpp/295", "sum_div", 7, 0, True),
        ("Mbpp/295", "sum_div", 7, 8, False),
    ],
)
def test_values_are_compared_as_evalplus_does(
    task: str, name: str, expected: object, value: object, *, same: bool
) -> None:
    judge = evalplus.judge(evalplus.Rules(task, name, 0, 1), [[1]], [expected])
    assert judge(0, value, expected, exact) == same


def test_a_tolerance_once_taken_stays_within_base_or_plus() -> None:
    expected = [1, 0.5, 1000000000, 1000000000]
    judge = evalplus.judge(evalplus.Rules("HumanEval/0", "f", 0, 3), [[0]] * 4, expected)
    near = 1000000001
    assert not judge(0, near, near + 1, exact)
    assert judge(2, near, expected[2], exact)
    assert not judge(3, near, expected[3], exact)


def test_tasks_with_oracles_of_their_own() -> None:
    zero = evalplus.judge(evalplus.Rules("HumanEval/32", "find_zero", 1e-4, 1), [[[1, 2]]], [-0.5])
    assert zero(0, -0.50001, -0.5, exact)
    assert not zero(0, -0.6, -0.5, exact)
    pyramid = evalplus.judge(evalplus.Rules("Mbpp/581", "surface_Area", 0, 1), [[3, 4]], [33])
    assert pyramid(0, 35, 33, exact)
    digits = evalplus.judge(evalplus.Rules("Mbpp/558", "digit_distance_nums", 0, 1), [[1, 32]], [9])
    assert digits(0, 4, 9, exact)
    assert not digits(0, 5, 9, exact)


@pytest.mark.parametrize(
    ("task", "given_input", "expected"),
    [
        ("HumanEval/0", [[1, 2], 3], [[1, 2], 3]),
        ("Mbpp/2", [[1, 2], [3]], [(1, 2), (3,)]),
        ("Mbpp/63", [[[1, 2], [3, 4]]], [[(1, 2), (3, 4)]]),
        ("Mbpp/75", [[[1, 2]], 3], [[(1, 2)], 3]),
        ("Mbpp/106", [[1], [2]], [[1], (2,)]),
        ("Mbpp/115", [[[1], []]], [[{1}, {}]]),
        ("Mbpp/124", ["0", "1j"], [0.0, 1j]),
        ("Mbpp/252", ["1+2j"], [1 + 2j]),
        ("Mbpp/259", [[[1, 2]], [[3]]], [((1, 2),), ((3,),)]),
        ("Mbpp/278", [[1, [2, 3]]], [(1, (2, 3))]),
        ("Mbpp/307", [[1, []], 1, 50], [(1, []), 1, 50]),
        ("Mbpp/580", [[1, [2, [3]]]], ((1, (2, (3,))),)),
        ("Mbpp/722", [{"a": [1, 2]}, 1], [{"a": (1, 2)}, 1]),
    ],
)
def test_inputs_become_what_they_were_before_json(
    task: str, given_input: list[Any], expected: object
) -> None:
    assert evalplus.inputs(task, [given_input]) == [expected]


# Values as data ---------------------------------------------------------------------------------

plain = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.complex_numbers(allow_nan=False)
    | st.text()
    | st.binary()
    | st.decimals(allow_nan=False)
    | st.fractions(),
    lambda inner: (
        st.lists(inner)
        | st.lists(inner).map(tuple)
        | st.dictionaries(st.integers() | st.text(), inner)
        | st.sets(st.integers() | st.text())
        | st.frozensets(st.integers())
    ),
    max_leaves=12,
)


@given(plain)
@settings(deadline=None)
def test_values_come_back_as_they_were(value: object) -> None:
    line = encode(value, whole=True)
    assert line.startswith("=")
    back = decode(line[1:], 1 << 22)
    assert back == value
    assert type(back) is type(value)


def test_relatives_of_plain_types_are_read_through_their_base() -> None:
    class Number(int):
        def __repr__(self) -> str:
            return "7"

    class Items(list[int]):
        def __iter__(self) -> Iterator[int]:
            return iter([7])

    assert encode(Number(3)) == "~3"
    assert encode(Items([3])) == "~[3]"
    assert decode(encode(Counter("aab"))[1:]) == {"a": 2, "b": 1}
    assert encode({}.values()).startswith("?")
    assert encode(lambda: 1) == "?function"
    assert encode([memoryview(b"x")]).startswith("?")
    assert encode(array.array("i", [1])).startswith("?")
    assert encode("f(x) <b>") == "='f(x) <b>'"
    assert decode(encode(10**5000)[1:]) == 10**5000


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os').system('true')",
        "set(open('/etc/passwd'))",
        "[x for x in (1, 2)]",
        "(lambda: 1)()",
        "a.b",
        "f'{1}'",
        "bytearray(10**12)",
        "bytearray(1000000000000)",
        "range(0, 1.5, 1)",
        "Fraction(1.5, 2)",
        "set(set=1)",
        "not 1",
        "1 if 1 else 2",
        "{**{}}",
        "[*[1]]",
        "(" * 50_000,
        "[" * 50_000,
        "-" * 60_000 + "1",
        "1+" * 30_000 + "1",
        "9" * 60_000,
        "1" * 100_000,
        "\x00",
        "",
    ],
)
def test_hostile_text_is_no_value(text: str) -> None:
    with pytest.raises(UnreadableError):
        decode(text)


@given(st.text("[](){},:'\"0123456789.einf+-j_ abc\\", max_size=80))
@settings(deadline=None)
def test_any_text_is_a_value_or_unreadable(text: str) -> None:
    try:
        value = decode(text)
    except UnreadableError:
        return
    assert isinstance(
        value,
        int | float | complex | str | bytes | list | tuple | set | dict | type(None) | type(...),
    )


# Long values ------------------------------------------------------------------------------------


def test_long_values_are_compared_by_digest_and_in_full_where_it_differs() -> None:
    gold = evalplus_gold(
        "HumanEval/0", "    return [i * 1.0 for i in range(x)]\n", [[100_000], [3]]
    )
    programs = [
        "def f(x): return [float(i) for i in range(x)]",
        "def f(x): return list(range(x))",
        "def f(x): return [i + 1e-9 for i in range(x)]",
        "def f(x): return [i + 1e-3 for i in range(x)]",
        "def f(x): return tuple(range(x))",
        "def f(x): return [float(i) for i in range(x)] if x > 3 else []",
    ]
    found = verdicts(gold, *programs)
    expected = ["correct", "correct", "correct", "wrong", "wrong", "wrong"]
    assert [result.verdict for result in found] == expected
    assert found[4].detail == "test 0 (base): returned another value"
    assert found[5].detail == "test 1 (base): returned another value"


def test_a_long_value_is_compared_with_one_that_the_problem_gives() -> None:
    tests = [{"input": [n], "output": list(range(n))} for n in (3, 30000)]
    gold = json.dumps({"entry_point": "f", "tests": tests})
    programs = ["list", "tuple", "[0] + list"]
    found = verdicts(gold, *[f"def f(x): return {one}(range(x))" for one in programs])
    assert [result.verdict for result in found] == ["correct", "correct", "wrong"]


def test_a_long_value_needs_little_of_the_parent() -> None:
    assert len(encode("a" * 10 * LONG)) < 100
    assert encode([1] * LONG) == encode([1] * LONG)
    assert encode([1] * LONG) != encode([1] * (LONG - 1) + [2])
    assert encode([0.5] * LONG).endswith(" floats")


# Order, repetition, faults ----------------------------------------------------------------------


def test_identical_programs_run_once(monkeypatch: pytest.MonkeyPatch) -> None:
    started = []
    begin = sandbox_begin()

    def counted(sandbox: Any, request: Any, *rest: Any) -> None:
        started.append(request.program)
        begin(sandbox, request, *rest)

    monkeypatch.setattr("passk.verifiers.sandbox.process.SandboxProcess.begin", counted)
    right, wrong = block("def f(x): return x + 1"), block("def f(x): return x")
    found = grade([(FUNCTION, right), (FUNCTION, wrong)] * 50, PoolConfig("code", {}, workers=2))
    assert [row.verdict for row in found] == ["correct", "wrong"] * 50
    assert len(started) == 2


def sandbox_begin() -> Any:
    from passk.verifiers.sandbox.process import SandboxProcess

    return SandboxProcess.begin


def test_a_timeout_is_tried_again_before_it_counts(tmp_path: Path) -> None:
    # The unsafe isolation lets a program leave a mark: late the first time, quick the second.
    program = f"""
import os, time
def f(x):
    if not os.path.exists("{tmp_path}/mark"):
        open("{tmp_path}/mark", "w").close()
        time.sleep(60)
    return x + 1
"""
    from passk.verifiers.code.options import CodeOptions
    from passk.verifiers.code.program_pool import ProgramPool

    with ProgramPool(Isolation("unsafe"), CodeOptions(per_test=1.0)) as pool:
        ((_, found),) = pool.run([(FUNCTION, program)])
    assert found.verdict == "correct"


def test_random_programs_get_the_same_verdict_however_they_are_mixed() -> None:
    programs = [f"def f(x): return x + {n % 3}  # {n}" for n in range(60)]
    expected = ["correct" if n % 3 == 1 else "wrong" for n in range(60)]
    order = list(range(60))
    random.Random(0).shuffle(order)
    found = verdicts(FUNCTION, *[programs[n] for n in order])
    assert [result.verdict for result in found] == [expected[n] for n in order]


def test_the_stage_records_the_isolation_and_keeps_expected_outputs(tmp_path: Path) -> None:
    gold = evalplus_gold("HumanEval/0", "    return x + 1\n", [[1], [2]])
    problem = Problem("p", "q", gold, [], "{}", "a", "b")
    texts = [block("def f(x): return x + 1"), block("def f(x): return 2"), "nothing"]
    samples = [Sample("p", n, n, text, [], 0, "stop", 0.0, 0.0) for n, text in enumerate(texts)]
    write_rows(tmp_path / "problems.parquet", [problem])
    write_rows(tmp_path / "samples.parquet", samples)
    out = tmp_path / "verdicts.parquet"
    for _ in range(2):
        verify(tmp_path / "problems.parquet", tmp_path / "samples.parquet", out, "code")
        found = [row.verdict for row in read_rows(out, Verdict)]
        assert found == ["correct", "wrong", "no_answer"]
    manifest = read_manifest(out)
    assert manifest is not None
    assert manifest["sandbox"]["isolation"] in {"namespaces", "landlock"}
    (kept,) = (tmp_path / "expected").iterdir()
    assert json.loads(kept.read_text())["lines"] == ["=2", "=3"]
    kept.write_text("{")
    verify(tmp_path / "problems.parquet", tmp_path / "samples.parquet", out, "code")
    assert [row.verdict for row in read_rows(out, Verdict)] == ["correct", "wrong", "no_answer"]


def test_json_lines_are_graded_from_a_file(tmp_path: Path) -> None:
    rows = [
        {
            "problem_id": "p",
            "gold": json.loads(FUNCTION),
            "response": block("def f(x): return x + 1"),
        },
        {"problem_id": "p", "gold": json.loads(SCRIPT), "response": block("print(3)")},
    ]
    source = tmp_path / "in.jsonl"
    source.write_text("".join(json.dumps(row) + "\n" for row in rows))
    out = tmp_path / "out.jsonl"
    assert grade_file(source, out, "code", timeout=2.0) == {"correct": 1, "wrong": 1}
    levels = [json.loads(line)["isolation"] for line in out.read_text().splitlines()]
    assert levels == [choose_isolation.choose().level] * 2


def test_progress_names_the_reference_solutions(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    gold = evalplus_gold("HumanEval/0", "    return x + 1\n", [[1], [2]])
    assert verdicts(gold, "def f(x): return x + 1")[0].verdict == "correct"
    assert "reference solutions: 1/1 problems" in caplog.text


def test_killing_the_run_changes_no_verdict(tmp_path: Path) -> None:
    script = f"""
import sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
from test_verifier_code import FUNCTION, block
from passk.stages.verify import PoolConfig, grade
rows = [(FUNCTION, block(f"def f(x): return x + {{n % 2}} # {{n}}")) for n in range(20000)]
print("begun", flush=True)
grade(rows, PoolConfig("code", {{}}, workers=2))
"""
    command = [sys.executable, "-c", script]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=tmp_path, env=os.environ) as run:
        assert run.stdout is not None
        assert run.stdout.readline() == b"begun\n"
        time.sleep(1.0)
        run.kill()
    programs = [f"def f(x): return x + {n % 2} # {n}" for n in range(20)]
    assert [found.verdict for found in verdicts(FUNCTION, *programs)] == ["wrong", "correct"] * 10


# The real benchmarks ----------------------------------------------------------------------------

LARGE = bool(os.environ.get("PASSK_TEST_LARGE"))
"""Whether every problem is tried, and not every sixth."""

SEVERAL_RIGHT = frozenset({"find_zero", "are_equivalent", "sum_div", "surface_Area"})
"""Functions for which more than one output is right."""

BENCHMARKS = {
    "humanevalplus": ("humanevalplus/HumanEvalPlus.jsonl.gz", 164),
    "mbppplus": ("mbppplus/MbppPlus.jsonl.gz", 378),
}


def rows_of(benchmark: str, shared_data: Path) -> list[dict[str, Any]]:
    name, count = BENCHMARKS[benchmark]
    with gzip.open(shared_data / "benchmarks" / name, "rt", encoding="utf-8") as file:
        rows = [json.loads(line) for line in file]
    assert len(rows) == count
    return rows if LARGE else [row for n, row in enumerate(rows) if n % 6 == 0 or has_rule(row)]


def has_rule(row: dict[str, Any]) -> bool:
    """Whether outputs are compared by a rule of this task's own."""
    return row["entry_point"] in evalplus.AS_SETS | evalplus.NOT_NONE | SEVERAL_RIGHT


@pytest.fixture(scope="module", params=list(BENCHMARKS))
def benchmark_rows(request: pytest.FixtureRequest, shared_data: Path) -> list[dict[str, Any]]:
    return rows_of(request.param, shared_data)


def one_constant_changed(program: str, name: str) -> str | None:
    """Return the program with the first small number in its function changed, if it has any."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # some canonical solutions hold invalid escapes
        tree = ast.parse(program)
    functions = [n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef) and n.name == name]
    for node in ast.walk(functions[-1]):
        if isinstance(node, ast.Constant) and type(node.value) in {int, float}:
            node.value += 1
            return ast.unparse(tree)
    return None


CONSTANTS = (
    *("None", "True", "0", "-1", "float('nan')", "float('inf')", "complex('nan')", "[]", "()"),
    *("[float('nan')]", "{}", "''", "b''", "set()", "frozenset()", "range(0)", "object()"),
    *(f"__import__('decimal').Decimal('{name}')" for name in ("NaN", "Infinity")),
)
"""Values that a careless comparison could take for any other."""


def test_canonical_solutions_pass_and_changed_ones_fail_where_tests_tell(
    benchmark_rows: list[dict[str, Any]], tmp_path: Path
) -> None:
    setup = PoolConfig("code", {}, workers=2)
    canonical, changed = [], []
    for row in benchmark_rows:
        gold, program = json.dumps(row), row["prompt"] + row["canonical_solution"]
        canonical.append((gold, program))
        mutant = one_constant_changed(program, row["entry_point"])
        if mutant is not None:
            changed.append((gold, mutant))
    with CodeVerifier().pool(setup, tmp_path) as pool:
        failed = {n: found for n, found in pool.run(canonical) if found.verdict != "correct"}
    assert not failed
    with CodeVerifier().pool(setup, tmp_path) as pool:
        found = dict(pool.run(changed))
        constants = [
            (gold, f"def {json.loads(gold)['entry_point']}(*_): return {value}")
            for number, (gold, _) in enumerate(canonical)
            for value in (CONSTANTS if LARGE else CONSTANTS[number % len(CONSTANTS) :][:1])
        ]
        assert {result.verdict for _, result in pool.run(constants)} == {"wrong"}
    passing = [changed[n] for n, result in found.items() if result.verdict == "correct"]
    assert len(passing) < len(changed) / 3
    for gold, program in passing:
        assert same_outputs(json.loads(gold), program)


def same_outputs(row: dict[str, Any], mutant: str) -> bool:
    """Return whether a changed program cannot be told from the canonical one, in this process."""
    if row["entry_point"] in SEVERAL_RIGHT:
        return True
    expected: dict[str, Any] = {}
    found: dict[str, Any] = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        exec(row["prompt"] + row["canonical_solution"], expected)
        exec(mutant, found)
    tests = row["base_input"] + list(row["plus_input"])
    for one, other in zip(*[evalplus.inputs(row["task_id"], tests) for _ in "ab"], strict=True):
        wanted, value = expected[row["entry_point"]](*one), found[row["entry_point"]](*other)
        if repr(wanted) == repr(value) or wanted == value:
            continue
        if row["entry_point"] in evalplus.AS_SETS and set(wanted) == set(value):
            continue
        if row["entry_point"] in evalplus.NOT_NONE and (wanted is None) == (value is None):
            continue
        if not (
            isinstance(wanted, float) and math.isclose(wanted, value, rel_tol=1e-6, abs_tol=1e-3)
        ):
            return False
    return True


@pytest.mark.parametrize(
    ("expression", "verdict"),
    [
        ("numpy.int64(x + 1)", "correct"),
        ("numpy.float64(x + 1)", "correct"),
        ("[numpy.int64(x + 1)][0]", "correct"),
        ("numpy.array([x + 1])", "wrong"),
        ("numpy.int64(x)", "wrong"),
    ],
)
def test_numbers_of_numpy_are_numbers(expression: str, verdict: str) -> None:
    (found,) = verdicts(FUNCTION, f"import numpy\ndef f(x): return {expression}", deadline=20.0)
    assert found.verdict == verdict


def test_exact_arithmetic_survives_the_way_back() -> None:
    gold = evalplus_gold(
        "HumanEval/0", "    from fractions import Fraction\n    return Fraction(x, 3)\n", [[1]]
    )
    programs = [
        "from fractions import Fraction\ndef f(x): return Fraction(2 * x, 6)",
        "from decimal import Decimal\ndef f(x): return Decimal(x) / 3",
    ]
    assert [found.verdict for found in verdicts(gold, *programs)] == ["correct", "wrong"]
    assert decode("Fraction(1, 3)") == Fraction(1, 3)
    assert decode("Decimal('1.50')") == Decimal("1.5")


def test_an_unreadable_reference_output_is_an_error() -> None:
    problem = problem_of(evalplus_gold("HumanEval/0", "    return x\n", [[1]]))
    assert isinstance(problem, FunctionTests)
    with pytest.raises(UnreadableError):
        ExpectedOutputs(problem, ReferenceOutputs(["=Ellipsis"], [0.0]))


def test_a_folder_is_emptied_however_odd_it_is(tmp_path: Path) -> None:
    outside, inside = tmp_path / "outside", tmp_path / "inside"
    (outside / "kept").mkdir(parents=True)
    inside.mkdir()
    (inside / "link").symlink_to(outside)
    deep = inside
    for _ in range(50):
        deep = deep / "d"
        deep.mkdir()
        (deep / "link").symlink_to(outside, target_is_directory=True)
    deep.chmod(0)
    os.mkfifo(inside / "pipe")
    remove_contents(str(inside))
    assert list(inside.iterdir()) == []
    assert (outside / "kept").is_dir()
