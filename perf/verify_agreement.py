"""Verdicts of passk and of Math-Verify on real responses, beside adjudicated ones.

    python perf/verify_agreement.py

Reads the shared data ($PASSK_DATA or ../shared/data). A verdict is adjudicated where a reader of
the response overrules the stored one (`OVERRULED`); elsewhere the stored one counts. passk grades
by the rules that the shipped benchmarks declare; Math-Verify is called as its manual says.
Printed: the table of docs/verification.md, then every verdict that is not the adjudicated one.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from math_verify import parse, verify

from passk.stages.verify import grade
from passk.verifiers.grading.worker_pool import PoolConfig

DATA = Path(os.environ.get("PASSK_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))
RULES = ["boxed", "answer_is", "answer", "hashes", "tag", "last_sentence"]
"""What GSM8K and MATH500 declare as shipped."""

OVERRULED = {
    "gsm8k/76": True,  # "The answer is 5 bags."
    "gsm8k/328": False,  # 0.02 for 2: 100 times too small
    "gsm8k/908": True,  # "the answer is 30 - 16 = 14."
    "gsm8k/951": False,  # 3 for 300
    "minerva_math/25": False,  # "The final answer is 1." for 1,-2
    "minerva_math/37": True,  # the last statement is 72
    "minerva_math/53": True,  # "so ... = -\\frac{\\pi}{6}."
    "minerva_math/107": True,  # the last statement is 9
    "minerva_math/146": True,  # "=\\frac{\\sqrt{3}}{3}."
    "minerva_math/243": True,  # "3 units"
    "minerva_math/384": True,  # "= 15x - 80."
    "math/72/7": True,  # 10000 for 10{,}000
}
"""Row -> what a reader says, where the stored verdict is wrong."""


@dataclass(frozen=True)
class Row:
    """One response with its gold answer and its adjudicated verdict."""

    name: str
    gold: str
    response: str
    right: bool


def rho() -> Iterator[Row]:
    """Rho-Math-1B on GSM8K and MATH, few-shot."""
    path = DATA / "outputs/rho_1b_math_gsm8k/responses.jsonl"
    for row in map(json.loads, path.read_text().splitlines()):
        yield Row(row["problem_id"], row["gold"], row["response"], row["stored"])


def qwen() -> Iterator[Row]:
    """Qwen2.5-Math on 100 problems of MATH, 8 responses each."""
    path = DATA / "outputs/qwen2.5-math_math_cot_100/math_cot_100.jsonl"
    for number, row in enumerate(map(json.loads, path.read_text().splitlines())):
        for index, (text, score) in enumerate(zip(row["code"], row["score"], strict=True)):
            yield Row(f"math/{number}/{index}", row["gt"], text, score)


def openai() -> Iterator[Row]:
    """Four OpenAI models on GSM8K; the last line is `A: 18`."""
    path = DATA / "outputs/gsm8k_openai_model_solutions/example_model_solutions.jsonl"
    for number, row in enumerate(map(json.loads, path.read_text().splitlines())):
        gold = row["ground_truth"].rpartition("A:")[2].strip()
        for model in row.keys() - {"question", "ground_truth"}:
            yield Row(f"{model}/{number}", gold, row[model]["solution"], row[model]["is_correct"])


def cases(*, right: bool) -> Iterator[Row]:
    """Small cases by kinds of faults that users of graders report."""
    path = DATA / "grading_cases/math.jsonl"
    for row in map(json.loads, path.read_text().splitlines()):
        if row["label"] == right:
            yield Row(row["problem_id"], row["gold"], row["response"], right)


def by_math_verify(row: Row) -> bool:
    """Grade as Math-Verify's manual says."""
    return verify(parse(f"${row.gold}$"), parse(row.response))


def main() -> None:
    few_shot = list(rho())
    sets = {
        "GSM8K, Rho-Math-1B, few-shot": [r for r in few_shot if r.name.startswith("gsm8k")],
        "MATH, Rho-Math-1B, few-shot": [r for r in few_shot if r.name.startswith("minerva")],
        "100 MATH problems x 8, Qwen2.5-Math": list(qwen()),
        "GSM8K, four OpenAI models": list(openai()),
        "grading cases: wrong answers": list(cases(right=False)),
        "grading cases: right answers": list(cases(right=True)),
    }
    print(
        "| responses, as shipped | rows | passk: errors | agrees | Math-Verify: errors | agrees |"
    )
    print("|---|---|---|---|---|---|")
    listed = []
    for name, rows in sets.items():
        setup = PoolConfig("math", {"extract": RULES})
        ours = grade([(json.dumps(row.gold), row.response) for row in rows], setup)
        cells = [name, f"{len(rows):,}"]
        truth = [OVERRULED.get(row.name, row.right) for row in rows]
        sides = {
            "passk": [graded.verdict == "correct" for graded in ours],
            "Math-Verify": [by_math_verify(row) for row in rows],
        }
        for side, verdicts in sides.items():
            wrong = [r for r, t, v in zip(rows, truth, verdicts, strict=True) if t != v]
            cells += [str(len(wrong)), f"{1 - len(wrong) / len(rows):.4f}"]
            listed += [(side, row.name, row.gold, row.response[-90:]) for row in wrong]
        print(f"| {' | '.join(cells)} |", flush=True)
    for line in listed:
        print(*map(repr, line))


if __name__ == "__main__":
    main()
