r"""Gold formats of problems that are solved by programs, and the tests that they stand for.

`Problem.gold` is one JSON object in one of four forms, told apart by their keys.

EvalPlus, a row of HumanEval+ or MBPP+ as published; other keys are ignored:

    {"task_id": "HumanEval/0", "prompt": "def f(x):\n", "entry_point": "f",
     "canonical_solution": "    return x\n", "base_input": [[1], [2]], "plus_input": [[3]],
     "atol": 0}

Expected outputs come from running `prompt + canonical_solution` in the same sandbox.

Functional tests; a class `Solution` may hold the function (LiveCodeBench from LeetCode). `input`
is a list of arguments and `output` a value, or both are JSON text, one argument per line:

    {"entry_point": "f", "tests": [{"input": [1, [2]], "output": 3},
                                   {"input": "1\n[2]", "output": "3"}]}

Standard input and output (LiveCodeBench from AtCoder and Codeforces):

    {"tests": [{"input": "1 2\n", "output": "3\n"}]}

In the latter two `tests` may itself be JSON text, `testtype` says `functional` or `stdin` where it
is present, and `prompt` (starter code) is needed only where responses are completions. A row of
LiveCodeBench is taken as published, `public_test_cases`, packed `private_test_cases`, `metadata`:

    {"public_test_cases": "[{...}]", "private_test_cases": "eJx...",
     "metadata": "{\"func_name\": \"f\"}"}
"""

from __future__ import annotations

import ast
import functools
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from passk.verifiers.code import evalplus, livecodebench

Judge = Callable[[int, Any, Any, bool], bool]
"""Whether, in a test, a value equals the expected one; the last says that its type is exact."""


@dataclass(frozen=True, slots=True)
class FunctionTests:
    """Tests that call a function.

    Attributes:
        key: digest of everything below.
        prompt: what a completion is appended to.
        entry_point: name of the function.
        method: whether it may be a method of a class `Solution`.
        inputs: argument list of each test.
        kinds: name of each test's kind: `base`, `plus` or `functional`.
        reference: program whose outputs are expected, or None.
        expected: expected value of each test, where there is no reference.
        judge_of: returns what compares an output with the expected one, from all expected ones.
        imports: imports of the prompt, which precede every program.
    """

    key: str
    prompt: str
    entry_point: str
    method: bool
    inputs: Sequence[Any]
    kinds: Sequence[str]
    reference: str | None
    expected: Sequence[Any] | None
    judge_of: Callable[[Sequence[Any]], Judge]
    imports: bytes = b""


@dataclass(frozen=True, slots=True)
class StdinTests:
    """Tests that feed standard input to a program and read its standard output.

    Attributes:
        key: digest of everything below.
        prompt: what a completion is appended to.
        inputs: standard input of each test.
        outputs: standard output that is expected.
    """

    key: str
    prompt: str
    inputs: Sequence[str]
    outputs: Sequence[str]


@functools.lru_cache(maxsize=1024)
def problem_of(gold: str, tests: str = "all") -> FunctionTests | StdinTests:
    """Return the tests of a problem.

    Args:
        gold: the JSON of `Problem.gold`.
        tests: `all`, or `base` for those of the original benchmark alone (EvalPlus).

    Raises:
        ValueError: it is none of the forms; the message says what is missing.
    """
    row = json.loads(gold)
    if not isinstance(row, dict):
        raise ValueError(  # noqa: TRY004
            f"a problem with tests is a JSON object, not {gold:.60}"
        )
    key = hashlib.sha256(f"{tests}\n{gold}".encode("utf-8", "surrogatepass")).hexdigest()
    if "canonical_solution" in row:
        return _evalplus(row, key, tests)
    return _with_outputs(row, key)


def _evalplus(row: Mapping[str, Any], key: str, tests: str) -> FunctionTests:
    """Return the tests of a row of HumanEval+ or MBPP+."""
    wanted = ("task_id", "prompt", "entry_point", "base_input", "plus_input", "atol")
    missing = [name for name in wanted if name not in row]
    if missing and "test" in row:
        raise ValueError(
            "a row of the original HumanEval, whose tests are code: use HumanEval+ "
            "(options: {tests: base} runs the original tests alone)"
        )
    if missing:
        raise ValueError(f"an EvalPlus problem lacks {', '.join(map(repr, missing))}")
    base = evalplus.inputs(row["task_id"], row["base_input"])
    plus = evalplus.inputs(row["task_id"], row["plus_input"] or []) if tests == "all" else []
    rules = evalplus.Rules(row["task_id"], row["entry_point"], row["atol"], len(base))
    return FunctionTests(
        key=key,
        prompt=row["prompt"],
        entry_point=row["entry_point"],
        method=False,
        inputs=[*base, *plus],
        kinds=["base"] * len(base) + ["plus"] * len(plus),
        reference=row["prompt"] + row["canonical_solution"],
        expected=None,
        judge_of=lambda expected: evalplus.judge(rules, [*base, *plus], expected),
        imports=imports_of(row["prompt"] + row["canonical_solution"], row["prompt"]),
    )


def imports_of(program: str, prompt: str) -> bytes:
    """Return the imports at the top level of a program that its prompt holds."""
    try:
        tree = ast.parse(program)
    except (SyntaxError, ValueError):
        return b""
    lines = prompt.count("\n")
    nodes = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
    return "\n".join(ast.unparse(node) for node in nodes if node.lineno <= lines).encode()


@functools.lru_cache(maxsize=1024)
def entry_point_of(gold: str) -> str:
    """Return the name of the function that a problem asks for, or "" for a program on stdin."""
    row = json.loads(gold)
    if not isinstance(row, dict):
        return ""
    name = row.get("entry_point")
    if name is None and "public_test_cases" in row:
        name = livecodebench.function_name(row)
    return str(name or "")


def _with_outputs(row: Mapping[str, Any], key: str) -> FunctionTests | StdinTests:
    """Return tests whose outputs are given."""
    tests, entry_point = row.get("tests"), row.get("entry_point")
    if tests is None and "public_test_cases" in row:
        tests, entry_point = livecodebench.published(row)
    if isinstance(tests, str):
        tests = json.loads(tests)
    if not isinstance(tests, list) or not tests:
        raise ValueError("a problem has 'canonical_solution' and inputs, or a list of 'tests'")
    for number, test in enumerate(tests):
        if not isinstance(test, dict) or "input" not in test or "output" not in test:
            raise ValueError(f"test {number} lacks 'input' or 'output'")
    if not entry_point:
        return _scripts(row, tests, key)
    pairs = [livecodebench.functional(test["input"], test["output"]) for test in tests]
    return FunctionTests(
        key=key,
        prompt=row.get("prompt", ""),
        entry_point=entry_point,
        method=True,
        inputs=[arguments for arguments, _ in pairs],
        kinds=["functional"] * len(pairs),
        reference=None,
        expected=[output for _, output in pairs],
        judge_of=lambda _expected: livecodebench.same_value,
    )


def _scripts(row: Mapping[str, Any], tests: list[dict[str, Any]], key: str) -> StdinTests:
    """Return tests over standard input and output."""
    for number, test in enumerate(tests):
        if test.get("testtype") == "functional":
            raise ValueError(f"test {number} is functional, but there is no 'entry_point'")
        if not isinstance(test["input"], str) or not isinstance(test["output"], str):
            raise ValueError(  # noqa: TRY004
                f"test {number}: 'input' and 'output' are text"
            )
    inputs = [test["input"] for test in tests]
    return StdinTests(key, row.get("prompt", ""), inputs, [test["output"] for test in tests])
