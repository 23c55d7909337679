from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from passk.core.errors import VerifierError
from passk.verifiers.extract import DEFAULT_RULES, MAX_ANSWER_LENGTH, RULES, extract_answer
from passk.verifiers.math.verifier import MathVerifier
from passk.verifiers.number import NumberVerifier

MEGABYTE = 1 << 20


@pytest.mark.parametrize(
    ("response", "answer"),
    [
        (r"so \boxed{5}.", "5"),
        (r"first \boxed{4}, then \boxed{\frac{1}{2}}", r"\frac{1}{2}"),
        (r"\boxed{x = \boxed{7}}", "7"),
        (r"\boxed {8} and \fbox{9}", "8, 9"),
        (r"\boxed{3} but \boxed{4", "3"),
        (r"\boxed{\{1, 2\}}", r"\{1, 2\}"),
        (r"\boxed{a \} b}", r"a \} b"),
        (r"\boxed{4} put it in \boxed", "4"),
        (r"\boxed{ } The answer is 6.", "6"),
        ("The final answer is $\\frac{3}{4}$. I hope it is correct.", r"\frac{3}{4}"),
        ("The final answer is: 12.5 meters. Done.", "12.5 meters"),
        ("the answer is\n\\[ x^2 \\]\n", "x^2"),
        ("THE ANSWER IS 3\nno, the answer is 4", "4"),
        ("**Answer:** 42", "42"),
        ("Answer:\n\n 17\nbecause", "17"),
        ("She makes 9 * 2 = $18.\n#### 18", "18"),
        ("#### 1,234\n", "1,234"),
        ("The answer could be 5", None),
        ("", None),
        ("\\boxed{}", None),
        ("\ud800 \\boxed{\udfff5}", "\udfff5"),
    ],
)
def test_the_answer_is_where_the_rules_say(response: str, answer: str | None) -> None:
    assert extract_answer(response, DEFAULT_RULES) == answer


@pytest.mark.parametrize(
    ("response", "answer"),
    [
        ("It costs $1,234.50 in all.", "1,234.50"),
        ("from 3 to -4", "-4"),
        ("3-4", "4"),
        ("about 12.5%", "12.5%"),
        ("x2 is no number", None),
    ],
)
def test_the_last_number_is_taken_only_where_it_is_declared(
    response: str, answer: str | None
) -> None:
    assert MathVerifier(extract=["boxed", "last_number"]).extract(response) == answer
    assert MathVerifier().extract(response) is None


@pytest.mark.parametrize(
    "text",
    [
        "\\boxed{" * 150_000,
        "\\boxed{1" + "{" * MEGABYTE,
        "}" * MEGABYTE + "\\boxed{5}",
        "\\boxed{5}" * 100_000,
        "answer is " * 100_000,
        "Answer: \n" * 100_000,
        "answer" + " " * MEGABYTE + ": 5",
        "#" * MEGABYTE,
        "1," * (MEGABYTE // 2),
        "1" * MEGABYTE,
        "$" * MEGABYTE,
        "\x00" * MEGABYTE,
        "\u202e" * MEGABYTE,
        "\ud800" * MEGABYTE,
        "\\" * MEGABYTE,
    ],
)
def test_a_megabyte_of_anything_is_read(text: str) -> None:
    """Quadratic rules would take hours here."""
    answer = extract_answer(text, tuple(RULES))
    assert answer is None or len(answer) <= MAX_ANSWER_LENGTH
    NumberVerifier(which="last").extract(text)


@given(st.text())
def test_no_text_breaks_extraction(text: str) -> None:
    for rule in RULES:
        answer = extract_answer(text, [rule])
        assert answer is None or (answer.strip() == answer != "")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"extract": ["boxd"]}, "did you mean 'boxed'"),
        ({"extract": "boxed"}, "a list of rules"),
        ({"extract": []}, "a list of rules"),
        ({"percents": "strict"}, "did you mean 'percent'"),
        ({"percent": "lenent"}, "did you mean 'lenient'"),
        ({"tolerance": {"relativ": 0.1}}, "did you mean 'relative'"),
        ({"tolerance": 0.1}, "tolerance: {relative: 0.01}"),
        ({"tolerance": {"relative": -1}}, "not a number"),
        ({"tolerance": {"relative": "1%"}}, "not a number"),
    ],
)
def test_options_are_checked_before_any_grading(options: dict[str, object], message: str) -> None:
    with pytest.raises(VerifierError) as failure:
        MathVerifier(**options)
    assert message in str(failure.value)


@pytest.mark.parametrize(
    ("response", "first", "last"),
    [
        (" 57\n12 + 46 = 58", "57", "58"),
        ("-3 or 4", "-3", "4"),
        ("\u22123", "\u22123", "\u22123"),
        ("1,234.5", "1,234.5", "1,234.5"),
        ("3/4 of it", "3/4", "3/4"),
        ("5-3", "5", "3"),
        ("x2y", None, None),
        ("none", None, None),
        ("9.", "9", "9"),
        ("1,23", "1", "23"),
    ],
)
def test_a_number_is_the_first_or_the_last(
    response: str, first: str | None, last: str | None
) -> None:
    assert NumberVerifier().extract(response) == first
    assert NumberVerifier(which="last").extract(response) == last


@pytest.mark.parametrize(
    ("gold", "answer", "correct"),
    [
        ('"57"', "57", True),
        ("57", "57.0", True),
        ('"0.75"', "3/4", True),
        ('["1", 2]', "2", True),
        ('"57"', "58", False),
        ("1000000", "1,000,000", True),
        ('"0.1"', "0.10000000000000001", False),
        ('"-3"', "\u22123", True),
        ('"1"', "1/0", False),
        (f'"{"9" * 5000}"', "9" * 5000, True),
        (f'"{"9" * 5000}"', "9" * 4999 + "8", False),
    ],
)
def test_numbers_are_equal_as_rationals(gold: str, answer: str, *, correct: bool) -> None:
    assert (NumberVerifier().compare(gold, answer).verdict == "correct") == correct
