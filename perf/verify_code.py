"""Speed of the `code` verifier against `evalplus.evaluate`, on the same programs and cores.

HumanEval+ canonical solutions, 20 copies of each: all right, and with one wrong program in two.
Copies are graded as they are (identical programs run once) and, with `--distinct`, each with a
comment of its own, which leaves isolation and test order as what differs; `floor` is what those
programs take by themselves, without any sandbox. Both find their expected outputs at hand. Last
comes the cost of a trivial program, which is all overhead, and of starting what isolates.

    python -m venv /tmp/evalplus && /tmp/evalplus/bin/pip install evalplus==0.3.1
    PASSK_DATA=../shared/data python perf/verify_code.py \
        --evalplus /tmp/evalplus/bin/python [--copies 20] [--rounds 3] [--distinct] [--workers 2]

`--programs` compares verdicts instead: a sample of the distinct programs of JSON lines with
`task_id` and `solution` is graded by both, and each difference is printed.

    PASSK_DATA=../shared/data python perf/verify_code.py \
        --evalplus /tmp/evalplus/bin/python --programs *.jsonl [--sample 1000]

`evalplus` needs an environment of its own: it brings an API client of every vendor. A round of it
takes some 8 minutes; `--only right --rounds 1 --append FILE` adds one to a file of results, and
the medians that are printed are of all of its results.
"""

from __future__ import annotations

import argparse
import copy
import gzip
import json
import os
import random
import statistics
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from passk.stages.verify import PoolConfig, grade
from passk.verifiers.code.verifier import CodeVerifier
from passk.verifiers.sandbox import commands
from passk.verifiers.sandbox.isolation import Isolation
from passk.verifiers.sandbox.process import SandboxProcess

SOURCES = {
    "humaneval": "humanevalplus/HumanEvalPlus.jsonl.gz",
    "mbpp": "mbppplus/MbppPlus.jsonl.gz",
}

TRIVIAL = {"entry_point": "f", "tests": [{"input": [1], "output": 2}]}

Row = dict[str, Any]
Pair = tuple[Row, str]


def main() -> None:
    options = parsed()
    print("isolation:", CodeVerifier().manifest()["sandbox"])
    if options.programs:
        for dataset in SOURCES:
            agree(dataset, options)
        return
    rows = list(problems("humaneval").values())[: options.problems]
    with tempfile.TemporaryDirectory() as name:
        results = options.append or Path(name, "results.jsonl")
        for case in ("right", "wrong"):
            if options.only in (case, None):
                wrong = case == "wrong"
                programs = list(
                    copies(rows, options.copies, wrong=wrong, distinct=options.distinct)
                )
                compare(case, programs, results, Path(name), options)
        summarize(results)
        if options.only in ("trivial", None):
            overhead(options.rounds)
            starts()


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--evalplus", help="the Python that has evalplus installed")
    parser.add_argument("--copies", type=int, default=20)
    parser.add_argument("--problems", type=int, default=164)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--distinct", action="store_true")
    parser.add_argument("--only", choices=["right", "wrong", "trivial"])
    parser.add_argument(
        "--programs", type=Path, nargs="+", help="JSON lines to compare verdicts on"
    )
    parser.add_argument("--sample", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--append", type=Path, help="JSON lines of results to add to")
    return parser.parse_args()


def problems(dataset: str) -> dict[str, Row]:
    """Read HumanEval+ or MBPP+."""
    path = Path(os.environ.get("PASSK_DATA", "../shared/data"), "benchmarks", SOURCES[dataset])
    with gzip.open(path, "rt", encoding="utf-8") as file:
        return {row["task_id"]: row for row in map(json.loads, file)}


def agree(dataset: str, options: argparse.Namespace) -> None:
    """Grade a sample of given programs by both, and print where they differ."""
    known = problems(dataset)
    lines = [json.loads(line) for file in options.programs for line in file.open(encoding="utf-8")]
    distinct = sorted(
        {(row["task_id"], row["solution"]) for row in lines if row["task_id"] in known}
    )
    random.Random(options.seed).shuffle(distinct)
    programs = [(known[task], text) for task, text in distinct[: options.sample]]
    if not programs:
        return
    with tempfile.TemporaryDirectory() as name:
        setup = PoolConfig("code", {}, workers=options.workers)
        found = grade(responses_of(programs), setup, store=Path(name))
        _, theirs = by_evalplus(programs, Path(name, "evalplus"), options, dataset)
    differ = 0
    for (row, text), ours in zip(programs, found, strict=True):
        passed = theirs[row["task_id"], text]
        if (ours.verdict == "correct") != passed:
            differ += 1
            print(
                row["task_id"],
                "passes" if passed else "fails",
                "in evalplus:",
                ours,
                text,
                sep="\n",
            )
    correct = sum(ours.verdict == "correct" for ours in found)
    print(
        f"{dataset}: {len(programs)} of {len(distinct)} programs, {correct} correct, "
        f"{differ} verdicts differ: {1 - differ / len(programs):.4f} agree",
        flush=True,
    )


def copies(rows: list[Row], number: int, *, wrong: bool, distinct: bool) -> Iterator[Pair]:
    """Yield each canonical solution so many times, every other one with a fault."""
    for row in rows:
        for turn in range(number):
            program = row["prompt"] + row["canonical_solution"]
            if wrong and turn % 2:
                program += fault(row)
            yield row, program + (f"\n# copy {turn}\n" if distinct else "")


def fault(row: Row) -> str:
    """Return code that makes the last test of HumanEval fail, and no other of those."""
    name, last = row["entry_point"], row["base_input"][-1]
    return (
        f"\n_right = {name}\n"
        f"def {name}(*args):\n    return None if list(args) == {last!r} else _right(*args)\n"
    )


def compare(
    case: str, programs: list[Pair], results: Path, folder: Path, options: argparse.Namespace
) -> None:
    """Time both on the same programs, in turn, and write down what came out."""
    work = f"{case}, {'distinct' if options.distinct else 'identical'}, {len(programs)} programs"
    by_passk(programs, folder, options.workers)  # the expected outputs are at hand from now on
    for turn in range(options.rounds):
        seconds, found = by_passk(programs, folder, options.workers)
        took = {"passk": seconds}
        if options.evalplus:
            took["evalplus"], passed = by_evalplus(programs, folder / f"{case}-{turn}", options)
            found["evalplus: correct"] = sum(passed[row["task_id"], text] for row, text in programs)
        if options.distinct:
            took["floor"] = by_themselves(programs, options.workers)
        with results.open("a") as file:
            file.write(json.dumps({"work": work, "seconds": took, "verdicts": found}) + "\n")


def summarize(results: Path) -> None:
    """Print the medians of all results of a file, per kind of work."""
    rows = (
        [json.loads(line) for line in results.read_text().splitlines()] if results.exists() else []
    )
    for work in dict.fromkeys(row["work"] for row in rows):
        turns = [row for row in rows if row["work"] == work]
        print(f"{work}, {len(turns)} rounds", turns[-1]["verdicts"])
        ours = statistics.median(row["seconds"]["passk"] for row in turns)
        for who in turns[-1]["seconds"]:
            seconds = sorted(row["seconds"][who] for row in turns if who in row["seconds"])
            median = statistics.median(seconds)
            spread = f"{seconds[0]:.1f}..{seconds[-1]:.1f}"
            print(f"  {who:9} {median:7.1f} s ({spread}), {median / ours:5.1f} times passk")


def by_passk(programs: list[Pair], folder: Path, workers: int) -> tuple[float, Counter[str]]:
    responses = responses_of(programs)
    began = time.perf_counter()
    found = grade(responses, PoolConfig("code", {}, workers=workers), store=folder / "expected")
    return time.perf_counter() - began, Counter(row.verdict for row in found)


def responses_of(programs: list[Pair]) -> list[tuple[str, str]]:
    """Return problems and programs as passk grades them."""
    golds = {row["task_id"]: row for row, _ in programs}
    texts = {task: json.dumps(row) for task, row in golds.items()}
    return [(texts[row["task_id"]], f"```python\n{program}\n```") for row, program in programs]


def by_themselves(programs: list[Pair], workers: int) -> float:
    """Return the seconds that the programs' calls take alone, shared evenly by the workers."""
    seconds = 0.0
    for row, text in programs:
        names: dict[str, Any] = {}
        exec(text, names)
        inputs = [copy.deepcopy(one) for one in row["base_input"] + row["plus_input"]]
        began = time.perf_counter()
        for arguments in inputs:
            names[row["entry_point"]](*arguments)
        seconds += time.perf_counter() - began
    return seconds / workers


def by_evalplus(
    programs: list[Pair], folder: Path, options: argparse.Namespace, dataset: str = "humaneval"
) -> tuple[float, dict[tuple[str, str], bool]]:
    """Return the seconds of `evalplus.evaluate`, start-up left out, and which programs pass."""
    folder.mkdir(exist_ok=True)
    tasks = {row["task_id"]: row for row, _ in programs}
    (folder / "problems.jsonl").write_text("\n".join(json.dumps(row) for row in tasks.values()))
    lines = [json.dumps({"task_id": row["task_id"], "solution": text}) for row, text in programs]
    (folder / "samples.jsonl").write_text("\n".join(lines))
    script = (
        "import sys, time\n"
        "import evalplus.evaluate as e\n"
        "if sys.argv[3] == 'humaneval':\n"
        "    e.get_groundtruth(e.get_human_eval_plus(), e.get_human_eval_plus_hash(), [])\n"
        "else:\n"
        "    tasks = e.MBPP_OUTPUT_NOT_NONE_TASKS\n"
        "    e.get_groundtruth(e.get_mbpp_plus(), e.get_mbpp_plus_hash(), tasks)\n"
        "began = time.perf_counter()\n"
        f"e.evaluate(sys.argv[3], sys.argv[1], parallel={options.workers}, i_just_wanna_run=True)\n"
        "open(sys.argv[2], 'w').write(str(time.perf_counter() - began))\n"
        "import os; os._exit(0)\n"
    )
    override = {f"{dataset.upper()}_OVERRIDE_PATH": str(folder / "problems.jsonl")}
    for stale in folder.glob("*_eval_results.json"):
        stale.unlink()
    subprocess.run(
        [options.evalplus, "-c", script, folder / "samples.jsonl", folder / "seconds", dataset],
        env=os.environ | override,
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd=folder,
    )
    results = json.loads((folder / "samples_eval_results.json").read_text())["eval"]
    passed = {
        (task, one["solution"]): one["base_status"] == one["plus_status"] == "pass"
        for task, rows in results.items()
        for one in rows
    }
    return float((folder / "seconds").read_text()), passed


def overhead(rounds: int, number: int = 400) -> None:
    """Print what a program costs that does nothing, on one worker with full isolation."""
    gold = json.dumps(TRIVIAL)
    programs = [(gold, f"def f(x): return x + 1  # {n}") for n in range(number)]
    with CodeVerifier().pool(PoolConfig("code", {})) as pool:
        list(pool.run(programs[:20]))
        walls, runs = [], []
        for _ in range(rounds):
            began = time.perf_counter()
            found = [result for _, result in pool.run(programs)]
            walls.append((time.perf_counter() - began) / number)
            runs.append(statistics.median(result.seconds for result in found))
    print(
        f"trivial program: {statistics.median(walls) * 1e3:.2f} ms each, of which in the sandbox "
        f"{statistics.median(runs) * 1e3:.2f} ms; a fork alone {fork() * 1e3:.2f} ms"
    )


def fork(number: int = 200) -> float:
    """Return the seconds of a bare fork of this process, for scale."""
    began = time.perf_counter()
    for _ in range(number):
        child = os.fork()
        if child == 0:
            os._exit(0)
        os.waitpid(child, 0)
    return (time.perf_counter() - began) / number


def starts(number: int = 9) -> None:
    """Print what it costs to start what isolates, once per worker or once per program."""
    bwrap = commands.find_bubblewrap() or ""
    python = [commands.interpreter_path(), "-I", "-S", "-c", "pass"]
    shown = {
        "python alone": python,
        "unshare + python": ["unshare", "-Urnmpif", "--mount-proc", *python],
        "bwrap + python": [bwrap, *commands.NAMESPACES, "--ro-bind", "/", "/", *python],
    }
    for name, command in shown.items():
        print(f"start of {name}: {timed(number, command) * 1e3:.0f} ms")
    for isolation in (Isolation("namespaces", bwrap), Isolation("landlock", "setpriv")):
        walls = []
        for _ in range(number):
            began = time.perf_counter()
            SandboxProcess(isolation).close()
            walls.append(time.perf_counter() - began)
        print(
            f"start of a fork server in {isolation.level}: {statistics.median(walls) * 1e3:.0f} ms"
        )


def timed(number: int, command: list[str]) -> float:
    """Return the median seconds of a command."""
    walls = []
    for _ in range(number):
        began = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True)
        walls.append(time.perf_counter() - began)
    return statistics.median(walls)


if __name__ == "__main__":
    main()
