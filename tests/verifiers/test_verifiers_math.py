from __future__ import annotations

import json
import math
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from passk.verifiers.math.verifier import MathVerifier

EQUAL = [
    # spelling
    (r"\left( 3, \frac{\pi}{2} \right)", r"(3,\dfrac\pi2)"),
    (r"10,\!080", "10080"),
    (r"11,\! 111,\! 111,\! 100", "11111111100"),
    (r"\$32,\!348", "32,348"),
    ("10{,}000", "10000"),
    (r"-\frac12", "-0.5"),
    (r"\frac 59", r"\frac{5}{9}"),
    ("90^\\circ", "90"),
    (r"106^\circ", r"180^\circ - 74^{\circ}"),
    ("5", r"10 \sin 30^\circ"),
    (r"\frac{270}7\text{ degrees}", r"\frac{270}{7}"),
    (r"864 \mbox{ inches}^2", "864"),
    (r"5.4 \text{ cents}", "5.4"),
    ("7", r"\text{7 apples}"),
    ("5", r"\mathbf{5}"),
    ("x^2", "x\u00b2"),
    ("12", "\u0661\u0662"),
    (r"\frac{1}{2}", "\u00bd"),
    ("-3", "\u22123"),
    ("5", "\u202e5\u200b"),
    # exact rationals
    ("025", "25"),
    ("27.0", "27"),
    (r"1\frac{4}{5}", "9/5"),
    (r"137 \frac{1}{2}", "137.5"),
    (".35625", r"\frac{57}{160}"),
    (r"\frac{1}{6}", r"0.1\overline{6}"),
    ("5.47e5", r"5.47 \times 10^5"),
    ("-1./3", r"-\frac{1}{3}"),
    (r"\frac{100!}{2^{50}}", r"\frac{100! \cdot 2}{2^{51}}"),
    (r"2021 \cdot 505 \cdot 337", "343943885"),
    (r"1/3", "0.333333"),
    # numbers
    (r"3\sqrt{13}", r"\sqrt{117}"),
    (r"\frac{\sqrt{21}}{5}", r"\sqrt{\frac{21}{25}}"),
    (r"\sqrt[3]{\frac{5}{12}}", r"(\frac{5}{12})^{\frac{1}{3}}"),
    ("6 - 5i", "-5i+6"),
    (r"\sqrt{2}", "1.41421356"),
    (r"\log_{10} 250", r"\frac{\ln 250}{\ln 10}"),
    (r"\sqrt{2+\sqrt{3}}", r"\frac{\sqrt6+\sqrt2}{2}"),
    # formulas
    ("2k+2", "2(k+1)"),
    (r"\frac{3 m}{2}-1", "1.5m - 1"),
    (r"\binom{2n}{n}", r"\frac{(2n)!}{n!n!}"),
    (r"\lfloor n/2 \rfloor", r"\lceil (n-1)/2 \rceil"),
    (r"\frac{q_{0}}{\sqrt{2 L C}}", r"\frac{ q_{0} }{ \sqrt{2 C L}  }"),
    (r"\sqrt{2} \cos (2 t-\pi / 4)", r"\cos 2t + \sin 2t"),
    (r"A \frac{R_{\odot}^{2}}{k_{\mathrm{B}}}", r"\frac{A R_\odot^2}{k_B}"),
    ("v^2_0", "v_{0}^2"),
    # names and equations
    ("x=5", "5"),
    ("5", "x = 5"),
    ("5", "2+3=5"),
    (r"m_{\max }=n^{2}-n-1", "n^2-n-1"),
    ("f(x)=2x", "f(x) = x + x"),
    ("x^2+y^2=1", "1-x^2-y^2=0"),
    ("y = 2x + 3", "2x - y + 3 = 0"),
    (r"\angle ABC = 30^\circ", "30"),
    # lists, sets, tuples, intervals, matrices
    ("1,-2", "-2, 1"),
    ("3, 5, 7", r"3, 5 \text{ and } 7"),
    (r"1 \pm \sqrt{19}", r"1-\sqrt{19}, 1+\sqrt{19}"),
    (r"\{1\pm\sqrt{5},-2\}", r"\{-2, 1+\sqrt5, 1-\sqrt5\}"),
    (r"\{1,2\}", "2, 1"),
    ("(3,4)", "3,4"),
    ("(2,1),(3,1)", "(3,1),(2,1)"),
    (r"x \in [-2,7]", r"-2 \le x \le 7"),
    (r"(-\infty,2)\cup(3,\infty)", r"x<2 \text{ or } x>3"),
    (r"\mathbb{R}", r"(-\infty,\infty)"),
    (
        r"\begin{pmatrix} -1/3 \\ 5/3 \end{pmatrix}",
        r"\begin{bmatrix} -\frac13 \\ \frac{5}{3} \end{bmatrix}",
    ),
    # words and bases
    (r"\text{Evelyn}", "evelyn."),
    (r"\text{(C)}", "C"),
    (r"\text{even}", "even"),
    (r"\text{4:30 p.m.}", "4:30 p.m."),
    (r"\text{June 3}", "June 3"),
    ("12", r"\underline{12}"),
    (r"\frac12", r"\textcolor{red}{\frac{1}{2}}"),
    (r"\begin{pmatrix} 1 \\ 2 \end{pmatrix}", "(1,2)"),
    (r"\begin{pmatrix} 1 & 2 \end{pmatrix}", "(1,2)"),
    ("52_8", "52_{8}"),
    ("52_8", "52"),
]

UNEQUAL = [
    # Math-Verify's issue 14
    (r"\frac{1}{2004!}", r"\frac{1}{2006!}"),
    (r"\frac{1}{2^{99}}", r"\frac{1}{2^{98}}"),
    (r"1 - \frac{1}{\mathrm{e}}", r"1 + \frac{1}{\mathrm{e}}"),
    (r"\frac{2^{2005}+1}{3 \cdot 2^{2006}}", r"\frac{1}{3 \cdot 2^{2006}}"),
    ("n=2, 3, 4", "n=1, 2, 3"),
    ("D = (0, 1)", "D = (0, 1.5)"),
    (r"19, 46, \text{ and } 82", "21, 36, and 82"),
    (r"\pm 2021", "2021"),
    ("12:00", "1:00"),
    (r"1, 2, \ldots, n", r"1, 3, 5, \ldots, 2n-1"),
    (r"1:2:3:\ldots", r"1:4:9:\ldots"),
    (r"F_n = \sum_{k=0}^{n-1} F_k F_{n-k-1}", r"F_n = \sum_{k=0}^{n-2} F_k F_{n-k-2}"),
    # and others that it confuses
    ("52_8", "52_3"),
    ("A", "a"),
    ("3G", "3g"),
    (r"\{1,2\}", "(1,2)"),
    ("50\\%", "0.5"),
    ("10^{-10}", "2 \\cdot 10^{-10}"),
    ("0.0000001", "0.0000002"),
    # values
    ("420", "419.999844"),
    ("10000", "9999.857142857143"),
    ("1/3", "0.3333"),
    ("1", "0.999999999"),
    ("5", "5.000001"),
    ("5", "5+10^{-200}"),
    ("0", r"\sqrt{2}-\sqrt{2}+10^{-200}"),
    ("52_8", "42"),
    ("42", "52_8"),
    ("-8", "8"),
    ("6 - 5i", "6 + 5i"),
    # formulas
    ("|x|", "x"),
    (r"\sqrt{x^2}", "x"),
    ("I(0)", "0"),
    (r"\frac{dx}{dt}", r"\frac{x}{t}"),
    (r"2^{n}", "2n"),
    (r"\lambda_{\text {red}} / \sqrt{2}", r"\lambda_{\text {red}} / \sqrt{3}"),
    ("x=1", "y=1"),
    ("x^2+y^2=1", "x^2-y^2=1"),
    ("x^2+y^2=1", "x^2+y^2=2"),
    (r"\frac{37}{4} m", "9.25"),
    ("2n+1", "2m+1"),
    # lists, tuples, intervals
    ("(1,2)", "(2,1)"),
    ("(3,4]", "[3,4)"),
    ("-2,-2", "-2"),
    ("1,2", "1,2,3"),
    ("(1,234)", "1234"),
    (r"\begin{pmatrix}1&0\\0&1\end{pmatrix}", r"\begin{pmatrix}1&0\\0&-1\end{pmatrix}"),
    (r"\text{east}", "west"),
    (r"\begin{pmatrix} 1 \\ 2 \end{pmatrix}", r"\begin{pmatrix} 1 & 2 \end{pmatrix}"),
    (r"m \frac{d v}{d t}+b v=f", r"w \frac{d v}{d t}+b v=f"),
    (r"(\frac{1}{4}, \frac{1}{27})", r"2(\frac{1}{4}, \frac{1}{27})"),
    (r"(-\frac{1}{2}, \frac{7}{2})", r"(-\frac{1}{2}, \frac{7}{2})+1"),
    ("12", r"12 \text{ hours and } 30 \text{ minutes}"),
    ("12", r"\text{12 hours and 30 minutes}"),
    ("10", r"\text{10 or 11}"),
    ("10", r"10 > 9"),
    (r"\text{June 3}", "June 13"),
    (r"\text{even}", r"\text{odd}"),
]


def verdict(gold: object, answer: str, **options: Any) -> str:
    """The verdict of the whole cascade, with its last step in this process."""
    verifier = MathVerifier(**options)
    text = json.dumps(gold)
    return (verifier.quick_compare(text, answer) or verifier.compare(text, answer)).verdict


@pytest.mark.parametrize(("gold", "answer"), EQUAL)
def test_equal_answers_are_correct_either_way_round(gold: str, answer: str) -> None:
    assert verdict(gold, answer) == "correct"
    if not gold.endswith("_8"):
        assert verdict(answer, gold) == "correct"


@pytest.mark.parametrize(("gold", "answer"), UNEQUAL)
def test_unequal_answers_are_wrong_either_way_round(gold: str, answer: str) -> None:
    assert verdict(gold, answer) == "wrong"
    assert verdict(answer, gold) == "wrong"


@pytest.mark.parametrize(("gold", "answer"), EQUAL)
def test_a_correct_answer_has_the_class_of_the_gold_answer(gold: str, answer: str) -> None:
    verifier = MathVerifier()
    outcome = verifier.quick_compare(json.dumps(gold), answer)
    assert outcome is not None
    assert outcome.answer_class == verifier.canonical(gold)


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("0.5", r"\frac{2}{4}"),
        (r"\sqrt{8}", r"2\sqrt2"),
        (r"\cos\frac{\pi}{3}", "1/2"),
        ("2(n+1)", "2n+2"),
        ("x=7", "7"),
        ("3,1", "1, 3"),
        (r"\{2,1\}", r"\{1,1,2\}"),
        (r"5 \text{ cm}", "5"),
        (r"\text{Yes.}", r"\text{yes}"),
    ],
)
def test_wrong_answers_that_are_equal_share_a_class(a: str, b: str) -> None:
    outcomes = [MathVerifier().quick_compare('"17"', answer) for answer in (a, b)]
    assert [o.verdict for o in outcomes if o] == ["wrong", "wrong"]
    assert len({o.answer_class for o in outcomes if o}) == 1


@pytest.mark.parametrize(
    ("options", "gold", "answer", "expected"),
    [
        ({"percent": "sign"}, "25", "25\\%", "correct"),
        ({"percent": "sign"}, "25\\%", "25", "correct"),
        ({"percent": "sign"}, "25\\%", "0.25", "wrong"),
        ({"percent": "lenient"}, "0.25", "25\\%", "correct"),
        ({"percent": "lenient"}, "25", "0.25", "correct"),
        ({"percent": "lenient"}, "25", "250", "wrong"),
        ({"units": "keep"}, r"0.64 \text{N}", "0.64", "wrong"),
        ({"units": "keep"}, r"0.64 \text{N}", r"\frac{16}{25} \mathrm{~N}", "correct"),
        ({"units": "keep"}, r"5 \text{ cm}", r"5 \text{ m}", "wrong"),
        ({"units": "drop"}, r"5 \text{ cm}", "5", "correct"),
        ({"units": "keep"}, "1.6", r"1.6 \text{ cm}", "correct"),
        ({"tolerance": {"relative": 0.01}}, "1.6", "1.61", "correct"),
        ({"tolerance": {"relative": 0.01}}, "1.6", "1.62", "wrong"),
        ({"tolerance": {"absolute": 1e-4}}, r"\cos ^{10}(\frac{\pi}{10})", "0.6054", "correct"),
        ({"tolerance": {"absolute": 0.001}}, "0.003, 5.233", "5.234, 0.002", "correct"),
        ({"tolerance": {"relative": 0.01}}, "(1,2)", "(1.001,2.001)", "correct"),
        ({"several": "any"}, ["1", "2"], "2", "correct"),
        ({"several": "any"}, ["1", "2"], "1,2", "wrong"),
        ({"several": "all"}, ["1", "2"], "2,1", "correct"),
        ({"several": "all"}, ["1", "2"], "2", "wrong"),
        ({"several": "all"}, ["3"], "3", "correct"),
        ({"lists": "ordered"}, "16,3,1", "1,3,16", "wrong"),
        ({"lists": "ordered"}, "16,3,1", "16,3,1.0", "correct"),
        ({"brackets": "strict"}, "(1,2)", "1,2", "wrong"),
        ({"brackets": "strict"}, r"\{1,2\}", r"\{2,1\}", "correct"),
    ],
)
def test_options_say_how_strict_to_be(
    options: dict[str, Any], gold: object, answer: str, expected: str
) -> None:
    assert verdict(gold, answer, **options) == expected


@pytest.mark.parametrize("gold", ["She has <<9*2=18>>18 eggs.\n#### 18", r"so $\boxed{18}$.", 18])
def test_a_gold_answer_may_be_a_whole_solution(gold: object) -> None:
    assert verdict(gold, "18") == "correct"
    assert verdict(gold, "19") == "wrong"


@given(st.fractions(), st.integers(1, 50))
def test_a_rational_is_equal_in_every_spelling(value: Fraction, factor: int) -> None:
    above, below = value.numerator, value.denominator
    for spelling in (
        f"{above}/{below}",
        rf"\frac{{{above * factor}}}{{{below * factor}}}",
        rf"-\dfrac{{{-above}}}{{{below}}}",
        rf"\left({above}\right) \div {below}",
    ):
        assert verdict(str(value), spelling) == "correct"


@given(st.fractions(), st.fractions())
def test_rationals_are_equal_only_where_they_are(a: Fraction, b: Fraction) -> None:
    assert (verdict(str(a), str(b)) == "correct") == (a == b)


@given(st.integers(2, 400), st.integers(2, 400))
def test_surds_are_equal_only_where_they_are(a: int, b: int) -> None:
    expected = "correct" if math.isclose(a * a * b, b * b * b, rel_tol=0) else "wrong"
    assert verdict(rf"{a}\sqrt{{{b}}}", rf"{b}\sqrt{{{b}}}") == expected


@given(st.lists(st.integers(-99, 99), min_size=1, max_size=6), st.randoms())
def test_the_order_of_a_list_does_not_matter(items: list[int], random: Any) -> None:
    shuffled = random.sample(items, len(items))
    assert verdict(", ".join(map(str, items)), ",".join(map(str, shuffled))) == "correct"
    assert verdict(", ".join(map(str, items)), ", ".join(map(str, [*items, 100]))) == "wrong"


@given(st.text().filter(str.strip))
def test_any_text_is_equal_to_itself_or_empty(text: str) -> None:
    verifier = MathVerifier()
    outcome = verifier.quick_compare(json.dumps(text), text)
    assert outcome is not None
    assert isinstance(verifier.canonical(text), str)
