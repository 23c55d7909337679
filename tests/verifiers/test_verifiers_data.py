"""Real golds and real responses; docs/verification.md explains every disagreement listed here."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from passk.stages.verify import Grade, grade
from passk.verifiers.grading.worker_pool import PoolConfig
from passk.verifiers.math.verifier import MathVerifier


def rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def boxed(gold: str) -> str:
    """The inside of the last box of a worked solution, or what follows its hashes."""
    return MathVerifier(extract=["boxed", "hashes"]).extract(gold) or gold


GOLDS: dict[str, tuple[int, Callable[[dict[str, Any]], Any]]] = {
    "gsm8k": (1319, lambda row: row["answer"]),
    "math500": (500, lambda row: row["answer"]),
    "aime24": (30, lambda row: row["answer"]),
    "amc23": (40, lambda row: row["answer"]),
    "minerva_math": (272, lambda row: row["solution"]),
    "olympiadbench": (675, lambda row: row["final_answer"]),
}


def golds_of(shared_data: Path, benchmark: str) -> list[tuple[Any, str]]:
    """Each gold as stored, and its answer alone."""
    stored = rows(shared_data / "benchmarks" / benchmark / "test.jsonl")
    golds = [GOLDS[benchmark][1](row) for row in stored]
    return [(g, boxed(g[0] if isinstance(g, list) else str(g))) for g in golds]


@pytest.mark.parametrize("benchmark", GOLDS)
def test_every_gold_answer_is_correct_against_itself(shared_data: Path, benchmark: str) -> None:
    golds = golds_of(shared_data, benchmark)
    assert len(golds) == GOLDS[benchmark][0]
    responses = [(json.dumps(gold), f"so \\boxed{{{answer}}}.") for gold, answer in golds]
    found = grade(responses, PoolConfig("math", {}))
    assert [g for g in found if g.verdict != "correct"] == []


@pytest.mark.parametrize("benchmark", GOLDS)
def test_gold_answers_are_equal_only_where_they_say_the_same(
    shared_data: Path, benchmark: str
) -> None:
    """Each gold against the next different ones: equal classes and equal verdicts agree."""
    verifier = MathVerifier()
    answers = sorted({answer for _, answer in golds_of(shared_data, benchmark)})
    for answer, other in itertools.pairwise(answers):
        outcome = verifier.quick_compare(json.dumps(answer), other)
        if outcome is not None and outcome.verdict == "correct":
            assert verifier.canonical(answer) == verifier.canonical(other)


def mutants(answer: str) -> list[str]:
    """Answers that differ from a gold answer by one digit, by a sign, or by something around it."""
    digits = [found.start() for found in re.finditer(r"[0-9]", answer)][:3]
    changed = [f"{answer[:i]}{(int(answer[i]) + 3) % 10}{answer[i + 1 :]}" for i in digits]
    around = [f"{answer}+1", f"2({answer})", f"-({answer})"]
    return [*changed, answer.replace("+", "-", 1), answer.replace("-", "+", 1), *around]


@pytest.mark.parametrize("benchmark", ["math500", "olympiadbench"])
def test_an_answer_that_differs_a_little_is_wrong(shared_data: Path, benchmark: str) -> None:
    pairs = [
        (answer, mutant)
        for _, answer in golds_of(shared_data, benchmark)
        for mutant in mutants(answer)
        if answer not in (mutant, "0") and mutant.count("{") == mutant.count("}")
    ]
    assert len(pairs) > 1000
    responses = [(json.dumps(gold), f"\\boxed{{{mutant}}}") for gold, mutant in pairs]
    found = grade(responses, PoolConfig("math", {}, workers=2, deadline=1.0))
    passed = {pair for pair, g in zip(pairs, found, strict=True) if g.verdict == "correct"}
    assert passed <= {("15\\mbox{ cm}^2", "15\\mbox{ cm}^5")}  # units are dropped by default


def disagreements(
    labelled: list[tuple[str, str, bool]], options: dict[str, Any]
) -> set[tuple[str, str | None, str, bool]]:
    """Distinct (gold, answer, our verdict, stored label) that do not agree."""
    found = grade(
        [(json.dumps(gold), text) for gold, text, _ in labelled], PoolConfig("math", options)
    )
    return {
        (gold, g.answer, g.verdict, label)
        for (gold, _, label), g in zip(labelled, found, strict=True)
        if (g.verdict == "correct") != label
    }


def test_agreement_with_the_stored_scores_of_math_responses(shared_data: Path) -> None:
    stored = rows(shared_data / "outputs" / "qwen2.5-math_math_cot_100" / "math_cot_100.jsonl")
    labelled = [
        (row["gt"], text, score)
        for row in stored
        for text, score in zip(row["code"], row["score"], strict=True)
    ]
    assert len(labelled) == 800
    assert disagreements(labelled, {}) == {("10{,}000", "10000", "correct", False)}


def test_agreement_with_the_stored_labels_of_gsm8k_solutions(shared_data: Path) -> None:
    folder = shared_data / "outputs" / "gsm8k_openai_model_solutions"
    models = ("6b_finetuning", "6b_verification", "175b_finetuning", "175b_verification")
    labelled = [
        (row["ground_truth"].rpartition("A:")[2], row[model]["solution"], row[model]["is_correct"])
        for row in rows(folder / "example_model_solutions.jsonl")
        for model in models
    ]
    assert len(labelled) == 4 * 1319
    assert disagreements(labelled, {"extract": ["last_number"]}) == set()


def test_agreement_with_the_scoring_examples_of_olympiadbench(shared_data: Path) -> None:
    path = shared_data / "outputs" / "olympiadbench_scoring_examples" / "scoring_examples.json"
    wrong = []
    for row in json.loads(path.read_text(encoding="utf-8")):
        for case in row["Ans"]:
            found = graded_example(row["GT"], case)
            if (found.verdict == "correct") != case["equal"]:
                wrong.append((row["GT"], case["answer"]))
    assert wrong == [("0.6", "60%")]


def graded_example(gold: str, case: dict[str, Any]) -> Grade:
    """Grade one example within the precision that it declares."""
    given = case.get("precision", 0)
    precision = max(float(p) for p in (given if isinstance(given, list) else [given]))
    options = {"tolerance": {"absolute": precision * (1 + 1e-9)}}
    (found,) = grade(
        [(json.dumps(gold), f"\\boxed{{{case['answer']}}}")], PoolConfig("math", options)
    )
    return found
