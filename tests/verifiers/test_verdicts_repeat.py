"""The same file gets the same verdicts, whatever runs beside or before a program."""

from __future__ import annotations

import gzip
import json
import os
import random
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from passk.stages.verify import grade_rows

pytest.importorskip("pyseccomp")

TESTS = [{"input": [x], "output": x + 1} for x in (1, 5, 7)]

DOUBTFUL = {
    "order of a set of texts": """
def f(x): return x + 1 if next(iter({"a", "b", "c"})) == "a" else x
""",
    "hashes of texts": """
def f(x): return x + 1 if hash("pass@k") % 2 else x
""",
    "what an earlier test has left": """
seen = []
def f(x):
    seen.append(x)
    return x + 1 if seen[0] == 1 else x
""",
    "random numbers": """
import random
def f(x): return x + (random.random() < 0.5) + (random.choice("ab") == "a")
""",
    "random numbers of an own seed": """
import random
generator = random.Random(7)
def f(x): return x + generator.randint(0, 1)
""",
    "who comes first": """
import threading
def f(x):
    found = []
    threads = [threading.Thread(target=found.append, args=(n,)) for n in range(4)]
    for thread in threads: thread.start()
    for thread in threads: thread.join()
    return x + 1 if sorted(found) == [0, 1, 2, 3] else x
""",
    "an event loop": """
import asyncio
async def later(x):
    await asyncio.sleep(0.001)
    return x + 1
def f(x): return asyncio.run(later(x))
""",
    "sleep": """
import time
def f(x): time.sleep(0.015); return x + 1
""",
    "a tenth of the time": """
import time
end = time.process_time() + 0.1
while time.process_time() < end: pass
def f(x): return x + 1
""",
    "too much time": """
import time
def f(x): time.sleep(60)
""",
    "half of the memory": """
def f(x): return x + 1 if bytearray(300 << 20) else x
""",
    "too much memory": """
def f(x): return x + 1 if bytearray(2 << 30) else x
""",
    "deep recursion": """
def f(x, depth=0): return x + 1 if depth == 900 else f(x, depth + 1)
""",
    "too deep recursion": """
def f(x): return f(x)
""",
    "names of files": """
import os, tempfile
def f(x):
    for name in "cab": open(name, "w").close()
    return x + 1 if sorted(os.listdir(".")) == ["a", "b", "c"] else x
""",
    "what is left by others": """
import os
def f(x):
    found = os.listdir(".")
    open("left", "w").close()
    return x + 1 if x > 1 or not found else x
""",
}
"""Programs that could be right now and wrong then."""


def rows_of(programs: list[str]) -> list[dict[str, Any]]:
    gold = {"entry_point": "f", "tests": TESTS}
    return [{"gold": gold, "response": f"```python\n{program}\n```"} for program in programs]


def check(rows: list[dict[str, Any]], runs: Sequence[int], **options: Any) -> Counter[str]:
    """Grade rows with so many workers in each run, each time in another order."""
    found: list[set[tuple[object, object]]] = [set() for _ in rows]
    for run, workers in enumerate(runs):
        order = random.Random(run).sample(range(len(rows)), len(rows))
        graded = grade_rows([rows[i] for i in order], "code", options, workers=workers)
        for i, row in zip(order, graded, strict=True):
            found[i].add((row["verdict"], row["answer_class"]))
    assert not {rows[i]["response"]: one for i, one in enumerate(found) if len(one) > 1}
    return Counter(str(verdict) for one in found for verdict, _ in one)


def test_verdicts_repeat_whatever_the_worker() -> None:
    verdicts = check(rows_of(list(DOUBTFUL.values())), [1, 2, 4], per_test=1, total=1, memory=1024)
    assert set(verdicts) == {"correct", "wrong", "timeout"}


@pytest.mark.skipif(not os.environ.get("PASSK_TEST_LARGE"), reason="takes 10 minutes")
def test_verdicts_repeat_over_twenty_runs(shared_data: Path) -> None:
    source = shared_data / "benchmarks/humanevalplus/HumanEvalPlus.jsonl.gz"
    with gzip.open(source, "rt", encoding="utf-8") as file:
        golds = {gold["task_id"]: gold for gold in map(json.loads, file)}
    cases = (shared_data / "grading_cases/code.jsonl").read_text().splitlines()
    responses = [(one["problem_id"], one["response"]) for one in map(json.loads, cases)]
    for name, gold in golds.items():
        bodies = gold["canonical_solution"], "    return None\n"
        responses += [(name, f"```python\n{gold['prompt']}{body}\n```") for body in bodies]
    rows = [{"gold": golds[name], "response": response} for name, response in responses]
    runs = [1, 2, 4] * 20
    verdicts = check(rows, runs, reference_factor=4, minimum=1, total=60)
    verdicts += check(rows_of(list(DOUBTFUL.values())), runs, per_test=1, total=1)
    assert verdicts["error"] == 0
