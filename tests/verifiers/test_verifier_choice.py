"""Choices and short answers: what real benchmarks ask, what models write, what is not guessed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from passk.core.errors import VerifierError
from passk.stages.verify import PoolConfig, grade
from passk.verifiers.choice.short_answers import choice_of, single_number
from passk.verifiers.choice.verifier import ChoiceVerifier, read_gold

DEGREES = ["135°", "140°", "145°", "150°"]
YES_NO = ["Yes", "No"]
LETTERS = ["A", "B", "C", "D", "E"]
SWAPPED = ["b", "a"]


def verdict(gold: object, response: str) -> str:
    verifier = ChoiceVerifier()
    answer = verifier.extract(response)
    if answer is None:
        return "no_answer"
    outcome = verifier.quick_compare(json.dumps(gold), answer)
    assert outcome is not None
    return outcome.verdict


@pytest.mark.parametrize(
    ("choices", "answer", "response", "expected"),
    [
        (DEGREES, "145°", "The answer is (C).", "correct"),
        (DEGREES, "145°", "\\boxed{C}", "correct"),
        (DEGREES, "145°", "\\boxed{145^\\circ}", "correct"),
        (DEGREES, "145°", "Answer: C. 145°", "correct"),
        (DEGREES, "145°", "So the correct option is C.", "correct"),
        (DEGREES, "145°", "Answer: **c**", "correct"),
        (
            DEGREES,
            "145°",
            "First (A) fails, then (B), so (C) it is, by symmetry of\nthe figure.",
            "correct",
        ),
        (DEGREES, "145°", "The answer is 140°.", "wrong"),
        (DEGREES, "145°", "The answer is 145.5°.", "no_answer"),
        (DEGREES, "145°", "The answer is A, B", "no_answer"),
        (DEGREES, "145°", "The answer is F.", "no_answer"),
        (DEGREES, "145°", "I cannot see\nthe image.", "no_answer"),
        (YES_NO, "Yes", "yes", "correct"),
        (YES_NO, "Yes", "Answer: No.", "wrong"),
        (LETTERS, "D", "\\boxed{\\text{D}}", "correct"),
        (LETTERS, "D", "\\boxed{d}", "correct"),
        (SWAPPED, "b", "The answer is b", "correct"),
        (SWAPPED, "b", "The answer is B", "wrong"),
        (["3", "5", "6"], "6", "The answer is 6", "correct"),
        (["$y=b x+c$", "$y=c x+b$"], "B", "The answer is $y=c x+b$.", "correct"),
        (["a dog", "A big dog"], "A big dog", "Answer: A big dog", "correct"),
        (["larger than", "equal to"], "larger than", "The answer is Larger than.", "correct"),
    ],
)
def test_a_choice_is_named_by_letter_or_text(
    choices: list[str], answer: str, response: str, expected: str
) -> None:
    assert verdict({"answer": answer, "choices": choices}, response) == expected


@pytest.mark.parametrize(
    ("gold", "response", "expected"),
    [
        ({"answer": "1000", "type": "integer"}, "The answer is 1,000 g.", "correct"),
        ({"answer": "2", "type": "integer"}, "Answer: two", "correct"),
        ({"answer": "5", "type": "integer"}, "\\boxed{5.0}", "correct"),
        ({"answer": "5", "type": "integer"}, "\\boxed{5.4}", "wrong"),
        ({"answer": "5", "type": "integer"}, "\\boxed{2 + 3 = 5}", "correct"),
        ({"answer": "5", "type": "integer"}, "Answer: 5 or 6", "no_answer"),
        ({"answer": "5", "type": "integer"}, "Answer: many", "no_answer"),
        ({"answer": "1.2", "type": "float", "precision": 1.0}, "The answer is 1.23 cm.", "correct"),
        ({"answer": "1.2", "type": "float", "precision": 1.0}, "\\boxed{1.25}", "wrong"),
        ({"answer": "0.21", "type": "float", "precision": "2"}, "\\boxed{21/100}", "correct"),
        ({"answer": "[2014, 2016]", "type": "list"}, "Answer: [2014,2016]", "correct"),
        ({"answer": "[2014, 2016]", "type": "list"}, "Answer: 2016, 2014", "wrong"),
        ({"answer": "Insects", "type": "text"}, "Answer: insects.", "correct"),
        ({"answer": "Insects", "type": "text"}, "Answer: hawks", "wrong"),
        ({"answer": "36", "choices": []}, "\\boxed{36}", "correct"),
        ("36", "The answer is 36.", "correct"),
        ("\\frac{1}{2}", "\\boxed{0.5}", "correct"),
    ],
)
def test_a_short_answer_is_read_by_its_type(gold: object, response: str, expected: str) -> None:
    assert verdict(gold, response) == expected


def choices(texts: list[str], answer: str) -> dict[str, object]:
    return {"answer": answer, "choices": texts}


def typed(answer: str, kind: str, precision: int = 0) -> dict[str, object]:
    return {"answer": answer, "type": kind, "precision": precision}


PHRASINGS: list[tuple[object, str, str]] = [
    # as SmolLM2 wrote them
    (choices(LETTERS, "A"), "A is the correct answer.", "correct"),
    (choices(LETTERS, "A"), "A\nA\n\nThe letter G must be written on the padlock.", "correct"),
    (choices(LETTERS, "C"), "C\nThe piece of paper is a cube.", "correct"),
    (choices(LETTERS, "B"), "A)\n\nTo determine which of\nthem is satisfied, we look", "wrong"),
    (choices(["KNAO", "KNGO", "KNR"], "KNAO"), "A) KNGO", "no_answer"),
    (choices(["7", "8", "9"], "8"), "The correct answer is A) 8.", "no_answer"),
    (choices(DEGREES, "145°"), "The angle has\nno name.", "no_answer"),
    # as others do
    (
        choices(DEGREES, "145°"),
        "The inscribed angle is half of the arc.\n\nTherefore, the correct answer is (C) 145°.",
        "correct",
    ),
    (choices(DEGREES, "145°"), "**Answer: C**", "correct"),
    (choices(DEGREES, "145°"), "Answer: C) 145°", "correct"),
    (choices(DEGREES, "145°"), "The answer is C.", "correct"),
    (choices(DEGREES, "145°"), "The answer is **C**.", "correct"),
    (choices(DEGREES, "145°"), "The correct option is **C**.", "correct"),
    (choices(DEGREES, "145°"), "The correct option letter is C.", "correct"),
    (
        choices(DEGREES, "145°"),
        "Thus, the measure of angle ABC is 145 degrees.\n\nFinal Answer: 145°",
        "correct",
    ),
    (choices(DEGREES, "145°"), "Final Answer: 145", "correct"),
    (choices(DEGREES, "145°"), "\\boxed{145}", "correct"),
    (choices(DEGREES, "145°"), "\\boxed{145^{\\circ}}", "correct"),
    (choices(DEGREES, "145°"), "\\boxed{145 \\text{ degrees}}", "correct"),
    (choices(DEGREES, "145°"), "\\boxed{\\text{C}}", "correct"),
    (choices(DEGREES, "145°"), "\\boxed{\\text{(C) }145^\\circ}", "correct"),
    (choices(DEGREES, "145°"), "\\boxed{\\textbf{(C)}}", "correct"),
    (choices(DEGREES, "145°"), "\\boxed{C: 145°}", "correct"),
    (choices(DEGREES, "145°"), "The answer is option C, 145°.", "correct"),
    (choices(DEGREES, "145°"), "The answer is C (145°).", "correct"),
    (choices(DEGREES, "145°"), "So we choose option (C).\nIt follows from the theorem.", "correct"),
    (choices(DEGREES, "145°"), "Hence choice C is correct.", "correct"),
    (choices(DEGREES, "145°"), "The answer is: \n\nC", "correct"),
    (choices(DEGREES, "145°"), "c", "correct"),
    (choices(DEGREES, "145°"), "(c)", "correct"),
    (choices(DEGREES, "145°"), "C", "correct"),
    (choices(DEGREES, "145°"), "C. 145°", "correct"),
    (choices(DEGREES, "145°"), "Answer: B. 140°", "wrong"),
    (choices(DEGREES, "145°"), "I think the answer is either B or C.", "no_answer"),
    (choices(DEGREES, "145°"), "Answer: none of the above", "no_answer"),
    (
        choices(DEGREES, "145°"),
        "The image is missing, so I cannot determine the angle. Send it\nand I will help.",
        "no_answer",
    ),
    (choices(DEGREES, "145°"), "The answer is C. 140°", "correct"),
    (choices(LETTERS, "D"), "The answer is D", "correct"),
    (choices(LETTERS, "D"), "Based on the pattern, the missing picture is (D).\nGood.", "correct"),
    (choices(LETTERS, "D"), "\\boxed{E}", "wrong"),
    (choices(LETTERS, "D"), "Answer: Picture D", "correct"),
    (choices(LETTERS, "D"), "The correct answer is picture D.", "correct"),
    (choices(LETTERS, "A"), "The answer is a difficult one\nto find.", "no_answer"),
    (choices(LETTERS, "A"), "Answer: A", "correct"),
    (choices(YES_NO, "Yes"), "Yes.", "correct"),
    (choices(YES_NO, "Yes"), "Yes, lavender is the largest.", "correct"),
    (choices(YES_NO, "No"), "No, it is not.", "correct"),
    (choices(YES_NO, "No"), "The answer is no.", "correct"),
    (choices(YES_NO, "Yes"), "Answer: (B) No", "wrong"),
    (choices(YES_NO, "Yes"), "\\boxed{\\text{Yes}}", "correct"),
    (choices(["$540$", "$570$", "$600$", "$630$"], "B"), "\\boxed{570}", "correct"),
    (choices(["$540$", "$570$", "$600$", "$630$"], "B"), "The answer is $570$.", "correct"),
    (choices(["$540$", "$570$", "$600$", "$630$"], "B"), "The answer is 600.", "wrong"),
    (choices(["$540$", "$570$", "$600$", "$630$"], "B"), "\\boxed{B}", "correct"),
    (choices(["$540$", "$570$", "$600$", "$630$"], "B"), "\\boxed{\\$570}", "correct"),
    (
        choices(["larger than", "smaller than", "equal to"], "smaller than"),
        "Answer: smaller than",
        "correct",
    ),
    (
        choices(["larger than", "smaller than", "equal to"], "smaller than"),
        "The answer is (B) smaller than.",
        "correct",
    ),
    (
        choices(["larger than", "smaller than", "equal to"], "smaller than"),
        'The answer is "smaller than".',
        "correct",
    ),
    (choices(["lavender", "light blue", "dark green"], "light blue"), "Light Blue", "correct"),
    (
        choices(["lavender", "light blue", "dark green"], "light blue"),
        "The answer is blue.",
        "no_answer",
    ),
    (typed("6", "integer"), "There are 6 bricks missing.\n\nAnswer: 6", "correct"),
    (typed("6", "integer"), "The answer is 6 bricks.", "correct"),
    (typed("6", "integer"), "Answer: six", "correct"),
    (typed("6", "integer"), "Six", "correct"),
    (typed("6", "integer"), "6", "correct"),
    (typed("6", "integer"), "\\boxed{6}", "correct"),
    (typed("6", "integer"), "$\\boxed{6 \\text{ bricks}}$", "correct"),
    (typed("6", "integer"), "The answer is $6$.", "correct"),
    (typed("6", "integer"), "**Final Answer**\n\n\\boxed{6}", "correct"),
    (typed("6", "integer"), "Final answer: 6.", "correct"),
    (typed("6", "integer"), "The answer is 6.0", "correct"),
    (typed("6", "integer"), "The answer is 16.", "wrong"),
    (typed("6", "integer"), "The answer is -6.", "wrong"),
    (typed("6", "integer"), "The answer is between 5 and 7.", "no_answer"),
    (typed("1240", "integer"), "The answer is $1,240.", "correct"),
    (typed("1240", "integer"), "\\boxed{1{,}240}", "correct"),
    (typed("2000", "integer"), "The answer is 2000 years (approximately).", "correct"),
    (typed("15", "integer"), "The answer is fifteen.", "correct"),
    (typed("6", "integer"), "The answer is 3 + 3 = 6.", "correct"),
    (typed("6", "integer"), "The answer is x = 6", "correct"),
    (typed("75", "integer"), "The answer is 75%.", "correct"),
    (typed("6", "integer"), "The sum is 6", "correct"),
    (typed("1.2", "float", 1), "d = 1.2 \\times 10^{-2} m, so the answer is 1.2 cm", "correct"),
    (typed("1.2", "float", 1), "The answer is 1.2.", "correct"),
    (typed("1.2", "float", 1), "\\boxed{1.2 \\text{ cm}}", "correct"),
    (typed("1.2", "float", 1), "\\boxed{1.2 \\times 10^{-2}}", "wrong"),
    (typed("1.2", "float", 1), "The answer is approximately 1.15 cm.", "correct"),
    (typed("0.21", "float", 2), "The answer is 0.21", "correct"),
    (typed("0.21", "float", 2), "The answer is 0.2", "wrong"),
    (typed("0.21", "float", 2), "\\boxed{\\frac{21}{100}}", "correct"),
    (typed("-0.5", "float", 1), "The answer is \u22120.5.", "correct"),
    (typed("0.5", "float", 1), "The answer is .5", "correct"),
    (typed("5.0", "float", 1), "The answer is 5", "correct"),
    (typed("[2014, 2016]", "list"), "The answer is [2014, 2016].", "correct"),
    (typed("[2014, 2016]", "list"), "Answer: 2014 and 2016", "correct"),
    (typed("[2014, 2016]", "list"), "\\boxed{[2014,2016]}", "correct"),
    (typed("[2014, 2016]", "list"), "Answer: [2014]", "wrong"),
    ("36", "\\boxed{36}", "correct"),
    ("36", "The area is 36", "correct"),
    ("36", "\\boxed{36\\text{ cm}^2}", "correct"),
    ("36", "36", "correct"),
    ("\\frac{1}{2}", "The answer is $\\frac{1}{2}$.", "correct"),
    ("3\\sqrt{2}", "\\boxed{\\sqrt{18}}", "correct"),
    ("4:1", "\\boxed{4:1}", "correct"),
]
"""Free-form responses as models phrase them, with the verdict that a person would give."""


@pytest.mark.parametrize(("gold", "response", "expected"), PHRASINGS)
def test_what_models_write_is_read_as_a_person_would(
    gold: object, response: str, expected: str
) -> None:
    assert len(PHRASINGS) >= 60
    assert verdict(gold, response) == expected


def test_what_could_not_be_read_is_counted_as_such() -> None:
    gold = json.dumps({"answer": "145°", "choices": DEGREES})
    found = grade([(gold, "(C)"), (gold, "unclear"), (gold, "(A)")], PoolConfig("choice", {}))
    assert [row.verdict for row in found] == ["correct", "no_answer", "wrong"]
    assert [row.answer_class for row in found] == ["C", None, "A"]


def test_right_answers_have_the_class_of_the_gold() -> None:
    verifier = ChoiceVerifier()
    gold = json.dumps({"answer": "145°", "choices": DEGREES})
    outcome = verifier.quick_compare(gold, "145°")
    assert outcome is not None
    assert verifier.canonical(gold) == outcome.answer_class == "C"
    number = json.dumps({"answer": "1000", "type": "integer"})
    outcome = verifier.quick_compare(number, "1,000")
    assert outcome is not None
    assert verifier.canonical(number) == outcome.answer_class


@pytest.mark.parametrize(
    "gold",
    [
        '{"choices": ["a"]}',
        '{"answer": 5, "type": "number"}',
        '{"answer": "x", "choices": ["a", "b"]}',
        '{"answer": "x", "choices": "ab"}',
        "{}",
        "[",
    ],
)
def test_a_gold_that_is_of_no_form_is_refused(gold: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        ChoiceVerifier().check_gold(gold)


@pytest.mark.parametrize("options", [{"extract": "boxed"}, {"extract": ["box"]}, {"judge": "gpt"}])
def test_options_that_are_unknown_are_refused(options: dict[str, object]) -> None:
    with pytest.raises(VerifierError, match="choice"):
        ChoiceVerifier(**options)


@given(st.text(max_size=300))
def test_no_text_is_too_odd(text: str) -> None:
    verifier = ChoiceVerifier()
    answer = verifier.extract(text)
    for gold in (
        {"answer": "145°", "choices": DEGREES},
        {"answer": "5", "type": "integer"},
        {"answer": "5", "type": "float", "precision": 2},
        {"answer": "a, b", "type": "list"},
        {"answer": "a", "type": "text"},
    ):
        if answer is not None:
            outcome = verifier.quick_compare(json.dumps(gold), answer)
            assert outcome is not None


@given(st.integers(-(10**12), 10**12), st.sampled_from(["{}", "about {} g", "$x = {}$", "{}."]))
def test_the_one_number_is_found(value: int, form: str) -> None:
    assert single_number(form.format(value)) == value


@given(st.lists(st.text("abc xyz", min_size=2, max_size=6), min_size=2, max_size=5), st.data())
def test_every_choice_is_found_by_its_letter(choices: list[str], data: st.DataObject) -> None:
    index = data.draw(st.integers(0, len(choices) - 1))
    assert choice_of(f"({'ABCDE'[index]})", choices) == index


@pytest.mark.parametrize("benchmark", ["mathvista", "mathvision"])
def test_gold_answers_of_the_real_benchmarks_are_right(benchmark: str, shared_data: Path) -> None:
    for gold, answer in real_golds(benchmark, shared_data / "benchmarks"):
        read_gold(gold)
        for form in ("{}", "The answer is {}.", "\\boxed{{{}}}", "**Answer:** {}"):
            assert verdict(json.loads(gold), form.format(answer)) == "correct", (gold, form)


def real_golds(benchmark: str, folder: Path) -> list[tuple[str, str]]:
    if benchmark == "mathvista":
        rows = json.loads((folder / "mathvista_text_only" / "testmini.json").read_text()).values()
        names = {"answer": "answer", "choices": "choices", "type": "answer_type"}
        names["precision"] = "precision"
    else:
        lines = (folder / "mathvision" / "testmini.jsonl").read_text().splitlines()
        rows = [json.loads(line) for line in lines]
        names = {"answer": "answer", "choices": "options"}
    return [
        (json.dumps({key: row[name] for key, name in names.items()}), row["answer"]) for row in rows
    ]
