"""Over 250 answers that are hostile, broken or odd: none hangs, runs, or is graded wrongly.

The gold answer is 5 throughout. Repetition is written as a product to keep the table readable.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from passk.stages.verify import Grade, grade
from passk.verifiers.grading.worker_pool import PoolConfig
from passk.verifiers.math.verifier import MathVerifier

TOWER = r"\dfrac{5^{\left(5^{\left(5^{\left(5^5\right)}\right)} - 4\right)} - 5}{16}"
"""Math-Verify's issue 65: hangs in spite of its time-out."""

RIGHT = [
    "\\operatorname{lcm}(1,5)",
    "5\\mod 7",
    "\\gcd(10,15)",
    "\\max(5,3)",
    "5\udfff",
    "\u202e5",
    "\u06f5",
    "\uff15",
    "\uff15",
    "\ufeff5",
    "\u0665",
    "\U0001d7d3",
    "\\boxed{5}",
    "\\boxed{\\boxed{5}}",
    "$5$",
    "$$5$$",
    "\\(5\\)",
    "\\[5\\]",
    "\\text{5}",
    "\\mathrm{5}",
    "5.",
    "5,",
    "(5)",
    "[5]",
    "{5}",
    "\\{5\\}",
    "+5",
    "--5",
    "\\begin{pmatrix}5\\end{pmatrix}",
    "x=" * 500 + "5",
    "\n" * 3000 + "5",
    "\t5",
    "5\r\n",
    "\\lceil 5-10^{-300} \\rceil",
    "5\\text{ cm}",
    "5 cm",
    "\\$5",
    "5 dollars",
    "5=5",
    "\\approx 5",
    "\\approx5.0",
    "5.0",
    "5.00000",
    "05",
    "5e0",
    "0.5e1",
    "50e-1",
    "500/100",
    "\\frac{10}{2}",
    "\\sqrt{25}",
    "\\sqrt[3]{125}",
    "2+3",
    "2 \\times 2.5",
    "5^1",
    "5^{1}",
    "5\\cdot 1",
    "\\ln e^5",
    "\\log_{2}32",
    "10\\sin 30^\\circ",
    "|{-5}|",
    "\\binom{5}{1}",
    "\\frac{15}{3}",
    "x=5",
    "y=5",
]
"""Answers that are 5."""

WRONG = [
    TOWER,
    "{@Neillier 1276915 \u043d\u0438\u043a \u589e\u9ad8\u4eba\u6743 {1,1-3-10\u9f13\u52b1);5}",
    "\\sqrt{" * 30 + "2" + "}" * 30,
    "\\sqrt{" * 300 + "25" + "}" * 300,
    "\\frac{1}{" * 60 + "2" + "}" * 60,
    "(" * 2000 + "5" + ")" * 2000,
    "|" * 500 + "5" + "|" * 500,
    "\\begin{pmatrix}" + "5&" * 500 + "5\\end{pmatrix}",
    "\\begin{matrix}" * 200 + "5",
    "a_{" * 300 + "a" + "}" * 300,
    "x" + "'" * 900,
    ",".join(str(number) for number in range(900)),
    "\\text{" * 300 + "5" + "}" * 300,
    "\\left(" * 500 + "5" + "\\right)" * 500,
    "0." + "0" * 500 + "5",
    "4." + "9" * 597,
    "1/3" + "/3" * 200,
    "5" + "\\cdot 10^{0}" * 30 + "+1",
    "\\lim_{n\\to\\infty} 5^{n}",
    "\\frac{5!!!!}{5!!!}",
    "\\begin{cases}5 & x>0\\\\ 6 & x<0\\end{cases}",
    "exec('5')",
    "().__class__.__bases__[0].__subclasses__()",
    "{{5*5}}",
    "${7*7}",
    "%n%n%n%s",
    "; touch passk_was_here",
    "`touch passk_was_here`",
    "$(touch passk_was_here)",
    "\\input{/etc/passwd}",
    "\\write18{touch passk_was_here}",
    "\\def\\x{\\x\\x}\\x",
    "\\newcommand{\\a}{\\a}\\a",
    "<script>5</script>",
    "../../etc/passwd",
    "\x1b[31m6",
    "\x7f\x80\x9f",
    "\ud83d\ude00",
    "\U0001f600 6",
    "6\u0301" * 100,
    "\u0627\u0644\u062c\u0648\u0627\u0628 \u0666",
    "-\u0665",
    "5\u06665",
    "NaN",
    "inf",
    "-inf",
    "None",
    "True",
    "undefined",
    "0x5p1",
    "0b101101",
    "5_5",
    "5j",
    "1e309",
    "-1e309",
    "\\dfrac{5^{\\left(5^{\\left(5^{\\left(5^5\\right)}\\right)} - 4\\right)} - 5}{16}",
    "10^{10^{10}}",
    "10^(10^10)",
    "10**(10**10)",
    "9^{9^{9^{9}}}",
    "2^{2^{2^{2^{2^{2}}}}}",
    "(10^{10^{10}})!",
    "1000000000!",
    "((((5!)!)!)!)!",
    "99999!!!",
    "1" * 5000,
    "1" * 599,
    "9" * 3999,
    "1e999999999",
    "1e600",
    "1.0e-999999999",
    "\\frac{1}{10^{10^{10^{10}}}}",
    "\\sqrt{" * 30 + "2}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}",
    "(" * 39 + "1)))))))))))))))))))))))))))))))))))))))",
    "-" * 3000 + "1",
    "+-" * 1500 + "1",
    "{" * 3999,
    "}" * 3999,
    "1+" * 290 + "1",
    "x+" * 290 + "x",
    "(x+1)^{300}",
    "(x+y)^{1000}",
    "x^{x^{x^{x^x}}}",
    "\\binom{10^{10}}{10^9}",
    "\\binom{3000}{1500}",
    "\\binom{3000}{1500}^{300}",
    "\\lim_{n\\to\\infty} (1+1/n)^n",
    "\\sin(10^{1000})",
    "\\tan(\\pi/2)",
    "0^0",
    "0^{-1}",
    "1/0",
    "\\frac{0}{0}",
    "\\infty-\\infty",
    "\\log_{1} 5",
    "\\log 0",
    "i^i",
    "(-1)^{1/3}",
    "__import__('os').system('touch /tmp/passk_was_here')",
    "\\text{__import__('os').system('touch /tmp/passk_was_here')}",
    "eval(1)",
    "lambda: 1",
    "os.system",
    "\x00",
    "\x001\x00",
    "\ud800",
    "\u2460",
    "\xbd",
    "\u0661\u0662",
    "5!",
    "a_" * 500 + "a",
    "a^" * 100 + "a",
    "'" * 1000,
    "\\frac" * 500,
    "\\sqrt" * 500 + "5",
    "^" * 1000,
    "_" * 1000,
    "&" * 1000,
    "\\" * 2000,
    "1," * 999 + "1",
    "\\pm " * 200 + "5",
    "1\\pm 2" * 50,
    "\\cup" * 300,
    "(1,2)\\cup" * 200 + "(3,4)",
    "=" * 500,
    "<" * 500,
    "1<" * 400 + "2",
    "\\le" * 500,
    " and " * 500,
    "5 and " * 400 + "5",
    "\\\\frac{1}{2}",
    "a" * 3999,
    "ab" * 1900,
    "\\alpha" * 600,
    "sin" * 500,
    "\\sin " * 500 + "x",
    "\\ln" * 600 + "5",
    "5^\\circ" * 200,
    "%" * 1000,
    "5%%%%",
    "$" * 2000,
    "1-1/e",
    "e^{e^{e^{e^{e}}}}",
    "e^{-e^{e^{e^{e}}}}",
    "\\pi^{\\pi^{\\pi^{\\pi}}}",
    "2^{0.5}" * 100,
    "2^{1/97}",
    "\\sqrt[97]{2}",
    "\\sqrt[0]{2}",
    "\\sqrt[-1]{2}",
    "\\lfloor 10^{50}/3 \\rfloor",
    "\\lfloor \\sqrt{2}\\cdot 10^{80} \\rfloor",
    "\\lfloor" * 400,
    "|x|^{|x|^{|x|}}",
    "f(f(f(f(5))))",
    "f(0)",
    "x_{1}_{2}",
    "\\dot{\\dot{x}}",
    "\\overline{5}",
    "0.\\overline{3}",
    "5\\ldots",
    "1,2,\\ldots,5",
    "\\cdots",
    "...",
    "A",
    "\\text{(A)}",
    "\\text{None of the above}",
    "\\emptyset",
    "\\varnothing",
    "\\mathbb{R}",
    "\\mathbb{R}\\setminus\\{5\\}",
    "x\\in\\mathbb{Z}",
    "\\exists x",
    "\\neg 5",
    "5\\pmod{7}",
    "\\operatorname{lcm}(2,5)",
    "USD 5",
    "5:00",
    "5:5",
    "5;5",
    "5|5",
    "5\\mid 5",
    "5\\neq 5",
    "5=6",
    "5<6",
    "\\therefore 5",
    "\\Rightarrow 5",
    "5\\Rightarrow",
    "5\\checkmark",
    "5 (approximately)",
    "4.999999999",
    "4.9999999999999999999999",
    "5+10^{-40}",
    "5+10^{-200}",
    "5.000001",
    "5i",
    "-5",
    "5x",
    "x=5,y=5",
    "5 or 6",
    "5\\text{ or }6",
    "(5,)",
    "5,5",
]
"""Answers that are not 5, or that no rule should take for 5."""


HEAVY = [
    "\\prod_{n=1}^{\\infty} n^{n^{n}}",
    "\\sum_{k=1}^{10^{100}} k",
    "\\int_0^{10^{9}} e^{x^2} dx",
    "\\prod_{k=1}^{10^{6}} k!",
    "\\sum_{k=1}^{5}" * 20 + "k",
    "\\int_0^1" * 20 + "x",
]
"""Answers on which Math-Verify may work for hours."""


def graded(answers: list[str], deadline: float = 5.0) -> list[Grade]:
    """Grade boxed answers against 5, with two workers and a short deadline."""
    responses = [(json.dumps("5"), "so \\boxed{" + answer + "}") for answer in answers]
    return grade(responses, PoolConfig("math", {}, workers=2, deadline=deadline))


def test_hostile_answers_are_never_correct_and_nothing_is_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert len(WRONG) + len(RIGHT) + len(HEAVY) >= 250
    found = graded(WRONG)
    assert [a for a, g in zip(WRONG, found, strict=True) if g.verdict == "correct"] == []
    assert [a for a, g in zip(WRONG, found, strict=True) if g.verdict == "timeout"] == []
    assert not list(tmp_path.iterdir())
    assert not Path("/tmp/passk_was_here").exists()


def test_heavy_answers_end_at_their_deadline() -> None:
    found = graded(HEAVY, deadline=0.5)
    assert {g.verdict for g in found} <= {"wrong", "timeout"}
    assert [g.verdict for g in found].count("timeout") >= 2


def test_odd_spellings_of_the_answer_are_correct() -> None:
    found = graded([answer for answer in RIGHT if answer.count("{") == answer.count("}")])
    assert {g.answer: g.verdict for g in found if g.verdict != "correct"} == {}


@pytest.mark.parametrize("answer", [*WRONG, *HEAVY, *RIGHT])
def test_what_runs_in_the_parent_never_raises(answer: str) -> None:
    verifier = MathVerifier(percent="lenient", tolerance={"relative": 1e-6})
    verifier.quick_compare(json.dumps("5"), answer)
    verifier.quick_compare(json.dumps(answer), "5")
    assert isinstance(verifier.canonical(answer), str)


def test_the_tower_that_hangs_math_verify_never_reaches_it() -> None:
    outcome = MathVerifier().quick_compare('"5"', TOWER)
    assert outcome is not None
    assert outcome.verdict == "wrong"


@pytest.mark.parametrize(
    "response",
    [
        "\\boxed{" * 5000 + "5" + "}" * 4999,
        "\\boxed{6}" * 5000 + "\\boxed{5}",
        "\x00" * 1000 + "\\boxed{5}\x00",
        "\ud800\udfff \\boxed{5} \ud800",
        "\u202b\u0627\u0644\u062c\u0648\u0627\u0628 \u0647\u0648 \\boxed{\u0665}\u202c",
        "x " * (1 << 19) + "\\boxed{5}",
        "\\boxed{5}" + " {" * 100_000,
        "}}}}\\boxed{5}{{{{",
    ],
)
def test_hostile_responses_with_the_right_answer_are_correct(response: str) -> None:
    (found,) = grade([("5", response)], PoolConfig("math", {}))
    assert found.verdict == "correct"
