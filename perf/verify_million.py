"""`passk grade` from the shell on a million rows: time, rate and memory.

    PASSK_DATA=../shared/data python perf/verify_million.py math [--rows 1000000]
    PASSK_DATA=../shared/data python perf/verify_million.py code [--programs 20]

`math`: 100 MATH problems x 8 real responses (Qwen2.5-Math), over and over. `code`: HumanEval+, of
each problem so many programs, every other one wrong, each with a comment of its own, over and over;
`--trivial` makes all programs distinct and none a solution, which ends each at its first test.
Printed: what `passk` says on its way, seconds, rows per second, and the largest resident size of
any of its processes.
"""

from __future__ import annotations

import argparse
import gzip
import itertools
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

DATA = Path(os.environ.get("PASSK_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("kind", choices=["math", "code"])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--programs", type=int, default=20)
    parser.add_argument("--trivial", action="store_true")
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    if options.kind == "math":
        lines, more = itertools.cycle(list(math_lines())), ["--verifier", "math"]
    else:
        more = ["--verifier", "code", "--benchmark", "humanevalplus"]
        lines = trivial_lines() if options.trivial else itertools.cycle(list(code_lines(options)))
    with tempfile.TemporaryDirectory() as name:
        source, output = Path(name, "in.jsonl"), Path(name, "out.jsonl")
        with source.open("w") as file:
            file.writelines(itertools.islice(lines, options.rows))
        print(f"{options.rows} rows, {source.stat().st_size / 1e9:.2f} GB", flush=True)
        began = time.perf_counter()
        command = ["grade", str(source), "-o", str(output), *more]
        subprocess.run(
            [sys.executable, "-m", "passk", *command, "--workers", str(options.workers)], check=True
        )
        seconds = time.perf_counter() - began
    memory = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    print(f"{seconds:.0f} s, {options.rows / seconds:.0f} rows/s, {memory:.0f} MB")


def math_lines() -> Iterator[str]:
    path = DATA / "outputs" / "qwen2.5-math_math_cot_100" / "math_cot_100.jsonl"
    for row in map(json.loads, path.read_text().splitlines()):
        for text in row["code"]:
            line = {"problem_id": row["idx"], "gold": row["gt"], "response": text}
            yield json.dumps(line) + "\n"


def problems() -> list[dict[str, str]]:
    source = DATA / "benchmarks/humanevalplus/HumanEvalPlus.jsonl.gz"
    with gzip.open(source, "rt", encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def code_lines(options: argparse.Namespace) -> Iterator[str]:
    for turn in range(options.programs):
        for row in problems():
            program = row["prompt"] + row["canonical_solution"]
            if turn % 2:
                program += f"\ndef {row['entry_point']}(*args):\n    return None\n"
            yield code_line(row["task_id"], f"{program}\n# {turn}")


def trivial_lines() -> Iterator[str]:
    rows = problems()
    for turn in itertools.count():
        row = rows[turn % len(rows)]
        padding = "    # as long as most programs are\n" * 10
        text = f"def {row['entry_point']}(*args):\n{padding}    return {turn}"
        yield code_line(row["task_id"], text)


def code_line(task: str, program: str) -> str:
    return json.dumps({"problem_id": task, "response": f"```python\n{program}\n```"}) + "\n"


if __name__ == "__main__":
    main()
