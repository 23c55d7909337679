"""Who finds a program that passes in real responses: `extract_code`, or the benchmarks' own tools.

evalplus: raw responses (`task_id`, `solution`) to HumanEval+ and MBPP+; a sample of the distinct
ones is read by passk and by `evalplus.sanitize`, and both programs are run against the tests.
LiveCodeBench: results (`output_list`, `code_list`, `graded_list`) of its own runner, whose tests
are not at hand: counted is whether passk reads the same program.

    python -m venv /tmp/evalplus && /tmp/evalplus/bin/pip install evalplus==0.3.1
    PASSK_DATA=../shared/data python perf/verify_extraction.py evalplus *.raw.jsonl \
        --evalplus /tmp/evalplus/bin/python [--sample 1500]
    python perf/verify_extraction.py livecodebench */Scenario.codegeneration_*_eval_all.json
"""

from __future__ import annotations

import argparse
import ast
import gzip
import json
import os
import random
import re
import subprocess
from collections import Counter
from pathlib import Path
from typing import Any

from passk.interop.code_responses import fence_program
from passk.stages.verify import PoolConfig, grade
from passk.verifiers.code.extract_code import extract_code

SANITIZE = (
    "import json, sys; from evalplus.sanitize import sanitize; "
    "print(json.dumps([sanitize(*pair) for pair in json.load(sys.stdin)]))"
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("benchmark", choices=("evalplus", "livecodebench"))
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--evalplus", default="/tmp/evalplus/bin/python")
    parser.add_argument("--sample", type=int, default=1500)
    options = parser.parse_args()
    if options.benchmark == "evalplus":
        compare_with_evalplus(options.files, options.evalplus, options.sample)
    else:
        compare_with_livecodebench(options.files)


def compare_with_evalplus(files: list[Path], python: str, sample: int) -> None:
    problems = evalplus_problems()
    lines = [json.loads(line) for file in files for line in file.open(encoding="utf-8")]
    kept = [line for line in lines if line["task_id"] in problems]
    distinct = sorted({(line["task_id"], line["solution"]) for line in kept})
    random.Random(0).shuffle(distinct)
    rows = distinct[:sample]
    pairs = [(text, problems[task]["entry_point"]) for task, text in rows]
    run = subprocess.run(
        [python, "-c", SANITIZE],
        input=json.dumps(pairs),
        capture_output=True,
        text=True,
        check=True,
    )
    theirs = [fence_program(program) for program in json.loads(run.stdout)]
    golds = [json.dumps(problems[task]) for task, _ in rows]
    setup = PoolConfig("code", {}, workers=2)
    texts = [*(text for _, text in rows), *theirs]
    found = grade(zip(golds * 2, texts, strict=True), setup)
    passed = [row.verdict == "correct" for row in found]
    counts = Counter(zip(passed[: len(rows)], passed[len(rows) :], strict=True))
    print(f"{len(distinct)} distinct responses, {len(rows)} looked at (passk, evalplus): {counts}")


def evalplus_problems() -> dict[str, Any]:
    folder = Path(os.environ.get("PASSK_DATA", "../shared/data"), "benchmarks")
    rows = {}
    for name in ("humanevalplus/HumanEvalPlus.jsonl.gz", "mbppplus/MbppPlus.jsonl.gz"):
        with gzip.open(folder / name, "rt", encoding="utf-8") as file:
            rows |= {row["task_id"]: row for row in map(json.loads, file)}
    return rows


def compare_with_livecodebench(files: list[Path]) -> None:
    for file in files:
        counts: Counter[str] = Counter()
        for row in json.loads(file.read_text()):
            names = re.findall(r"def (\w+)\(", row["starter_code"] or "")
            rows = zip(row["output_list"], row["code_list"], row["graded_list"], strict=True)
            for text, theirs, graded in rows:
                ours = extract_code(text, names[-1] if names else "")
                same = shape(ours or "") == shape(theirs)
                counts[f"{'passes' if graded else 'fails'}, {'same' if same else 'another'}"] += 1
        print(file.parent.name, dict(counts))


def shape(program: str) -> str:
    """Return what two programs share that differ in blanks and comments alone."""
    try:
        return ast.dump(ast.parse(program))
    except (SyntaxError, ValueError):
        return program.strip()


if __name__ == "__main__":
    main()
