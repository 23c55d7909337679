"""Responses as models write them, with the verdict that a careful reader gives."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from passk.core.errors import DataError
from passk.stages.verify import explain_line, grade_file
from passk.verifiers.choice.verifier import ChoiceVerifier
from passk.verifiers.extract import DEFAULT_RULES, find_answer
from passk.verifiers.grading.grade import grade
from passk.verifiers.grading.worker_pool import PoolConfig
from passk.verifiers.math.units import canonical_unit, units_agree
from passk.verifiers.math.verifier import MathVerifier

RIGHT = [
    (r"\ln(x^2)", r"2\ln x"),
    (r"\ln(ab)", r"\ln a+\ln b"),
    ("6", "six"),
    (r"\sqrt{1-x^2}", r"\sqrt{(1-x)(1+x)}"),
    # lists, systems and conditions
    (r"$x=-\frac{2}{7}$ or $x=\frac{4}{9}$", r"x=\frac{4}{9} or x=-\frac{2}{7}"),
    (r"x=4 \quad y=9", r"y=9, x=4"),
    (r"[x=\frac{3}{8}, y=\frac{5}{8}]", r"\{y=\frac{5}{8}, x=\frac{3}{8}\}"),
    (r"$(4t,t)$ for all real numbers $t$", r"(4t,t)"),
    (r"x=\frac{\pi}{5}+\pi n, n\in\mathbb{Z}", r"x=\frac{\pi}{5}+\pi n$, where $n$ is an integer"),
    (r"9 \text{ red}, 4 \text{ blue}", r"4 \text{ blue}, 9 \text{ red}"),
    # relations
    (r"x^2-8x+3=0", r"2x^2-16x+6=0"),
    (r"xy=6", r"y=\frac{6}{x}"),
    (r"3x+2<y", r"y>3x+2"),
    (r"\log(0.001)=-3", "-3"),
    ("11", "a+b=11"),
    (r"\lim_{x\to0}\frac{\sin 2x}{x}=2", "2"),
    (r"y=5x-1", "f(x)=5x-1"),
    # sets and intervals
    (r"(3,8]", "]3,8]"),
    (r"[0,4]", r"\{x : 0 \le x \le 4\}"),
    (r"(-7,7)", "|x|<7"),
    (r"|x|\ge 2", r"(-\infty,-2]\cup[2,\infty)"),
    (r"x\ne 6", r"(-\infty,6)\cup(6,\infty)"),
    (r"[2,9]", r"[2,5]\cup[4,9]"),
    (r"[2,9]", r"[2,5)\cup[5,9]"),
    (r"\begin{pmatrix}-1\\2\end{pmatrix}", r"-\begin{pmatrix}1\\-2\end{pmatrix}"),
    (r"\{1,4,6\}", "{6\uff0c4\uff0c1}"),
    # matrices and vectors
    (r"\begin{pmatrix}1&2\\3&4\end{pmatrix}", "[[1,2],[3,4]]"),
    (r"\begin{pmatrix}3\\-6\end{pmatrix}", r"3\begin{pmatrix}1\\-2\end{pmatrix}"),
    (
        r"\begin{pmatrix}2\\5\end{pmatrix}+s\begin{pmatrix}1\\7\end{pmatrix}",
        r"\begin{pmatrix}2+s\\5+7s\end{pmatrix}",
    ),
    (r"\langle 4,7\rangle", r"\vec v = (4,7)"),
    # numbers
    ("9500", "9 500"),
    ("7654321", "7\u202f654\u00a0321"),
    (r"(0,250)", r"(0,\, 250)"),
    (r"\frac{2}{3}", "0.666..."),
    (r"\frac{4}{9}", r"0.\dot4"),
    ("7000000", r"7\text{ million}"),
    (r"\sqrt{18}", "√18"),
    (r"\frac{3}{4}", r"\\frac{3}{4}"),
    (r"8.25\\", "8.25"),
    ("-2", "(-8)^{1/3}"),
    (r"4.1 x 10^7", r"4.1\times10^7"),
    # units, percent, money, words
    ("35", "35%"),
    ("50\\%", "50 percent"),
    ("24", "€24"),
    ("24", "24 m/s"),
    (r"24\text{ m}^2", "24 m^2"),
    (r"12\,\mathrm{m\,s^{-1}}", r"12\text{ meters per second}"),
    (r"\text{hyperbola}", r"\text{a hyperbola}"),
    (r"\infty", r"\text{infinity}"),
    ("DNE", r"\text{does not exist}"),
    ("C", "(C) 40"),
    ("40", "(C) 40"),
    ("7", "7个"),
    # real domain
    (r"\frac{2}{\sqrt{k}}", r"2\sqrt{1/k}"),
]

WRONG = [
    (r"\ln|x|", r"\ln x"),
    (r"\ln x", r"\ln|x|"),
    (r"\frac{1}{3}", "0.333339"),
    (r"\sqrt{1-x^2}", r"\sqrt{1-x^2}+x-|x|"),
    (r"x^2-6x+13=0", r"x^2-6x+23=0"),
    (r"4x^2-4x+17=0", r"4x^2+4x+17=0"),
    (r"\log(0.001)=-3", r"\log(0.001)=3"),
    (r"\det A=\begin{vmatrix}2&1\\0&3\end{vmatrix}=6", r"\det A=5"),
    (r"$x=-\frac{2}{7}$ or $x=\frac{4}{9}$", r"\frac{4}{9}"),
    (r"x=4 \quad y=9", r"x=5 \quad y=9"),
    ("x=4, y=9", "9, 4"),
    (r"d=\sqrt{58}, M=(3,-2)", r"d=58, M=(3,-2)"),
    (r"(\frac{5}{3}t+1,-\frac{2}{3}t,t)", r"(\frac{5}{3}t+1,\frac{2}{3}t,t)"),
    (r"$(4t,t)$ for all real numbers $t$", r"$(5t,t)$ for all real numbers $t$"),
    (r"\begin{pmatrix}1&-2\\3&4\end{pmatrix}", r"\begin{pmatrix}1&2\\3&4\end{pmatrix}"),
    (r"9 \text{ red}, 4 \text{ blue}", r"4 \text{ red}, 9 \text{ blue}"),
    ("1375", r"(1,\ 375)"),
    (r"\{1375\}", r"\{1,\,375\}"),
    ("1375", "1, 375"),
    (r"6\text{ hours}", r"6\text{ minutes}"),
    ("6 cm", r"6\text{ cm}^2"),
    (r"30^\circ", r"30\text{ radians}"),
    ("3", "√18"),
    ("0.35", "35%"),
    ("2500", "25%"),
    ("6", "6 million"),
    (r"\frac{1}{3}", "0.33333"),
    ("5", "x^2=5"),
    ("x+y=5", "5"),
    ("3x+2<y", "y<3x+2"),
    ("3x+2<y", "-3x-2<-y"),
    ("(2,5)", "[2,5]"),
    ("|x|<3", "|x|<4"),
    (r"x\ne 1", r"x\ne 2"),
    (r"\text{center }(1,2)\text{, radius }3", r"\text{center }(1,2)\text{, radius }4"),
    ("12", r"12\text{ hours and }30\text{ minutes}"),
    ("7", r"\text{no more than }7"),
    (r"\lfloor\sqrt{n-1}\rfloor", r"\lfloor\sqrt{n-2}\rfloor"),
    (r"\sqrt{x^2}", "x"),
    (r"\begin{cases}x&x>1\\-x&x\le1\end{cases}", r"\begin{cases}x&x>1\\x&x\le1\end{cases}"),
    (r"\int_0^1 x^2dx", r"\int_0^1 x^3dx"),
]


def verdict(gold: str, answer: str, **options: object) -> str:
    """Grade one answer in a box."""
    (found,) = grade([(json.dumps(gold), f"\\boxed{{{answer}}}")], PoolConfig("math", options))
    return found.verdict


@pytest.mark.parametrize(("gold", "answer"), RIGHT)
def test_the_same_answer_in_another_form_is_correct(gold: str, answer: str) -> None:
    assert verdict(gold, answer) == "correct"


@pytest.mark.parametrize(("gold", "answer"), WRONG)
def test_another_answer_is_wrong(gold: str, answer: str) -> None:
    assert verdict(gold, answer) != "correct"


def test_forms_of_answers_that_models_write() -> None:
    """693 cases were written before they were first run: 37 right and 1 wrong one failed then."""
    path = Path(__file__).with_name("answer_forms.jsonl")
    cases = [json.loads(line) for line in path.read_text().splitlines()]
    rows = [(json.dumps(case["gold"]), case["response"]) for case in cases]
    found = grade(rows, PoolConfig("math", {}))
    wrong = [
        (case["gold"], case["response"], one.verdict)
        for case, one in zip(cases, found, strict=True)
        if (one.verdict == "correct") != case["correct"]
    ]
    assert wrong == []


@pytest.mark.parametrize(
    ("gold", "answer", "positive"),
    [
        (r"\frac{1}{\sqrt{1-u^2/c^2}}", r"\frac{c}{\sqrt{c^2-u^2}}", True),
        ("a", "|a|", True),
        ("-a", "-|a|", False),
    ],
)
def test_positive_quantities_are_an_option(gold: str, answer: str, *, positive: bool) -> None:
    assert verdict(gold, answer) == "wrong"
    assert (verdict(gold, answer, assume="positive") == "correct") == positive


def test_a_gold_that_positive_quantities_do_not_apply_to_is_told() -> None:
    rows = [(json.dumps("-a"), r"\boxed{-|a|}"), (json.dumps("a"), r"\boxed{b}")]
    found = grade(rows, PoolConfig("math", {"assume": "positive"}))
    assert "`assume: positive` is not applied: the gold has a negative term" in found[0].detail
    assert "assume" not in found[1].detail
    assert "assume" not in grade(rows[:1], PoolConfig("math", {}))[0].detail


@pytest.mark.parametrize(
    ("response", "answer"),
    [
        (r"$\boxed6$", "6"),
        (r"\boxed 64 it is", "64"),
        ("\\boxed{6}\n\n\\boxed{}", "6"),
        (r"\boxed{x = 3, so the answer is 3}", "x = 3, so the answer is 3"),
        ("<answer>Adding both, the answer is 5 at last</answer>", "5 at last"),
        ("<answer>We add 2 and 3.\nThe answer is 5\n</answer>", "5"),
        (r"\boxed{6} \text{ or } \boxed{8}", "6, 8"),
        (r"so $x=\boxed{6}$ and $y=\boxed{8}$.", "6, 8"),
        ("<think>The answer is 5.</think>\n**Answer:** 7", "7"),
        ("<think>So \\boxed{7}.</think>", "7"),
        ("<think>x</think><answer> 5 </answer>", "5"),
        ("### Final Answer\n\n12", "12"),
        ("Answer: `$13$`", "13"),
        ("The answer is 13 because 6 + 7 = 13.", "13"),
        ("最终答案是 $\\frac{1}{2}$。", r"\frac{1}{2}"),
        ("The final answer is $\\$18.00$.", r"\$18.00"),
        ("The answer is $18. She sells eggs for $2 each.", "$18"),
        ("#### 7\n\nIs this answer is correct? Yes.", "7"),
        ("The answer is reasonable since 3*4=12. **Final Answer**: 12", "12"),
        ("The answer is 7, so \\boxed{8}. Wait: the answer is 9.", "9"),
        ("\\boxed{8}. The answer is what the question asks for in litres.", "8"),
        ("The answer is 5.\n\nQuestion: what next?\nThe answer is 6.", "5"),
        ("The answer is 5.<|im_end|>\nuser\nThe answer is 6.", "5"),
        ("#### 5\n\nThere are 3.\n#### 6", "5"),
        ("Problem: add them.\nThe answer is 5.", "5"),
        ("**Final Answer:** The total number of meters is **540**.", "540"),
        ("Answer: The total is not 8 apples.", "The total is not 8 apples"),
    ],
)
def test_the_last_final_answer_counts(response: str, answer: str) -> None:
    found = find_answer(response, DEFAULT_RULES)
    assert found is not None
    assert found.answer == answer


@pytest.mark.parametrize(
    ("response", "answer"),
    [
        ("So he saved 65 - 75 = -10. He saved $10.", "10"),
        ("Multiplying gives $5x=30$ and $x=6$.", "6"),
        ("The solutions are $x = -3$ and $x = 2$.", "x = -3, x = 2"),
        ("The roots are 3 and 5.", "3, 5"),
        ("In 2020, 5 people came.", "5"),
        ("Therefore the probability is 9/16.", "9/16"),
        (r"So \[ x = 5^2 = 25 \]", "25"),
        ("So the total is 42 dollars.\nUser: What about 13?\nAssistant: It is 13.", "42"),
        ("She paid 7 in all. She paid $2 for a pack of grape", None),
        ("It cannot be 5.", None),
    ],
)
def test_a_plain_last_sentence_counts_where_it_is_declared(
    response: str, answer: str | None
) -> None:
    assert MathVerifier(extract=["boxed", "last_sentence"]).extract(response) == answer
    assert MathVerifier().extract(response) is None


def test_a_prompt_can_declare_its_marks_of_a_run_on() -> None:
    text = "The answer is 5.\nNext puzzle\nThe answer is 6."
    assert MathVerifier(end_marks=["Next puzzle"]).extract(text) == "5"
    assert MathVerifier().extract(text) == "6"


@pytest.mark.parametrize(
    ("gold", "response"),
    [
        ('"4"', "two bars with values larger than 4"),
        ('"56"', "exactly 56 boxes, we need more information"),
        ('{"answer": "A", "choices": ["1", "2"]}', "I cannot tell whether option A is right."),
        ('{"answer": "3", "type": "integer"}', "It is not certain whether the degree is 3."),
    ],
)
def test_a_choice_is_never_a_guess(gold: str, response: str) -> None:
    (found,) = grade([(gold, response)], PoolConfig("choice", {}))
    assert found.verdict != "correct"


@pytest.mark.parametrize(
    ("gold", "response"),
    [
        ('{"answer": "3", "type": "integer"}', "We count them.\nTherefore, the degree is 3."),
        ('"3:2"', "3 : 2"),
    ],
)
def test_short_answers_in_a_sentence_are_found(gold: str, response: str) -> None:
    (found,) = grade([(gold, response)], PoolConfig("choice", {}))
    assert found.verdict == "correct"


def test_the_detail_says_that_a_run_on_was_cut() -> None:
    rows = [('"5"', "The answer is 5."), ('"5"', "The answer is 5.\nQ: more\nThe answer is 6.")]
    plain, cut = grade(rows, PoolConfig("math", {}))
    assert plain.verdict == cut.verdict == "correct"
    assert "cut off" in cut.detail
    assert "cut off" not in plain.detail


@pytest.mark.parametrize(
    ("one", "other", "agree"),
    [
        ("km/h", "kilometers per hour", True),
        ("sq cm", "cm^2", True),
        ("bags", "bags of rice", True),
        ("hours", "minutes", False),
        ("apples", "pears", False),
        ("square units", "cm^2", True),
        ("units", "cm^2", False),
    ],
)
def test_units_agree_in_any_spelling(one: str, other: str, *, agree: bool) -> None:
    assert units_agree(canonical_unit(one), canonical_unit(other)) == agree


def test_explain_says_rule_readings_and_step(tmp_path: Path) -> None:
    source = tmp_path / "rows.jsonl"
    row = {"problem_id": "a", "gold": "x^2+5=0", "response": "So \\boxed{x^2+6=0}."}
    source.write_text("\n" + json.dumps(row) + "\n")
    lines = dict(explain_line(source, 2, "math"))
    assert lines["by rule"] == "boxed"
    assert lines["gold read as"].startswith("relation")
    assert (lines["decided by"], lines["verdict"]) == ("structure", "wrong")
    with pytest.raises(DataError, match="no row on line 1"):
        explain_line(source, 1, "math")


@pytest.mark.parametrize("gold", ['""', "NaN", "1e400", "null"])
def test_a_gold_that_is_none_is_refused_by_line(tmp_path: Path, gold: str) -> None:
    source = tmp_path / "rows.jsonl"
    source.write_text(f'{{"problem_id": "a", "gold": {gold}, "response": "5"}}\n')
    with pytest.raises(DataError, match=r"rows\.jsonl:1: key 'gold'"):
        grade_file(source, tmp_path / "out.jsonl", "math")


def test_a_missing_response_is_no_answer_and_the_output_is_json(tmp_path: Path) -> None:
    source, output = tmp_path / "rows.jsonl", tmp_path / "out.jsonl"
    source.write_text(
        '{"problem_id": "a", "gold": "5", "response": null, "score": NaN}\n\n'
        '{"problem_id": "b", "gold": "5", "response": "The answer is 5."}\n'
    )
    seen: list[tuple[int, int]] = []
    grade_file(source, output, "math", progress=lambda done, total: seen.append((done, total)))

    def refuse(text: str) -> None:
        raise AssertionError(text)

    rows = [json.loads(line, parse_constant=refuse) for line in output.read_text().splitlines()]
    assert [row["verdict"] for row in rows] == ["no_answer", "correct"]
    assert seen[-1] == (2, 2)


def test_choice_explains_its_rule() -> None:
    found = ChoiceVerifier().find_answer("Therefore, the degree is 3.\nSo the degree is 3.")
    assert found is not None
    assert found.rule == "conclusion"
