"""Grade mutated and respelled gold answers: none of the first may pass, none of the second fail.

    python perf/verify_mutations.py [--mutants 10000] [--respellings 2000] [--seed 0]

Gold answers are those of the benchmarks in the shared data ($PASSK_DATA or ../shared/data) and a
list of forms below. A mutant differs from its gold answer by one character (a digit, a sign, an
operator, a bracket) or by one part of several (left out, repeated, exchanged). A mutant that passk
accepts is evaluated by an independent check: SymPy's values of what Math-Verify's LaTeX parser
reads, at random points. Printed: mutants that were accepted, and of these how many the check
finds different, equal (2^{10} and 2^{5+5}) or cannot read; and respellings that were refused.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from passk.verifiers.grading.grade import grade
from passk.verifiers.grading.worker_pool import PoolConfig

DATA = Path(os.environ.get("PASSK_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))

SOURCES = (
    ("math500/test.jsonl", "answer"),
    ("olympiadbench/test.jsonl", "final_answer"),
    ("aime24/test.jsonl", "answer"),
    ("amc23/test.jsonl", "answer"),
)

FORMS = r"""
x^2-6x+13=0
9x^2-12x+29=0
2x+3y-7=0
y=-3x+4
x=-\frac{3}{4}\text{ or }x=\frac{5}{6}
x=3\quad y=-2
d=\sqrt{41}, M=(2,-5)
\left(\frac{7}{3}t+\frac{1}{2},-\frac{2}{5}t+4,t\right)
(3t-1,2t,t)\text{ for all real numbers }t
\begin{pmatrix}1&-2\\3&4\end{pmatrix}
\begin{pmatrix}5\\-7\end{pmatrix}
\begin{cases}x+1&x>0\\-x&x\le 0\end{cases}
4\text{ red}, 7\text{ blue}
3\text{ cm}
12\text{ m/s}
8\text{ hours}
60^\circ
35\%
(2,5]
(-\infty,-3)\cup[4,\infty)
-2<x\le 7
|x|<6
x\ne 4
\{1,3,5\}
9.8\,m\,s^{-2}
3\,\Omega
5:3
\frac{\pi}{4}+k\pi
\gcd(a,b)+2
x\equiv 3\pmod{7}
x_1=3, x_2=-2
6\pi\approx 18.85
2\mathbf{i}-3\mathbf{j}
(1,250)
1250
\sqrt{12}
2\sqrt{3}+\sqrt[3]{5}
\frac{3\pi}{4}
\log_{2}(9)
\sin(2x)+\cos(3x)
e^{2x}-5
\ln|x|+C
\binom{9}{4}
5!
2^{100}
0.375
0.\overline{27}
1\frac{2}{3}
3+4i
3\mathbf{i}-4\mathbf{j}
\sum_{k=1}^{6}k^2
\prod_{k=1}^{5}(k+1)
\frac{x+2}{x^2-3}
x(x-1)(x+4)
f(x)=3x^2-2
a_n=4n-3
\lfloor 7.3\rfloor
2:3
7:45\text{ p.m.}
\gcd(84,36)
\max(3,8)
\frac{1}{2004!}
1-\frac{1}{e}
6.02\times 10^{23}
2516_8
3\mathbf{i}-2\mathbf{j}+\mathbf{k}
\frac{1}{3}(2\mathbf{i}-\mathbf{j})
(1+2t,3-t)
\text{June 20}
\text{January 5, 2024}
\text{seventy-two}
2:3:5
2041_{\text{five}}
3\operatorname{cis} 60^\circ
15\text{ minutes}
\frac{\pi}{4}
""".strip().splitlines()

Change = Callable[[str, random.Random], str]


def _at_random(pattern: str, text: str, rng: random.Random, new: Callable[[str], str]) -> str:
    """Change one match of a pattern, chosen at random."""
    found = list(re.finditer(pattern, text))
    if not found:
        return text
    match = rng.choice(found)
    return text[: match.start()] + new(match.group()) + text[match.end() :]


def digit(text: str, rng: random.Random) -> str:
    """Change one digit."""
    return _at_random("[0-9]", text, rng, lambda d: rng.choice([c for c in "123456789" if c != d]))


def more_digits(text: str, rng: random.Random) -> str:
    """Repeat or drop one digit."""
    return _at_random("[0-9]", text, rng, lambda d: rng.choice((d + d, "", d + "0")))


def sign(text: str, rng: random.Random) -> str:
    """Exchange plus and minus, or add a minus in front."""
    if not re.search(r"[+-]", text) or rng.random() < 0.2:
        return _at_random(r"^|(?<=[(,=])(?=[0-9x\\])", text, rng, lambda _: "-")
    return _at_random(r"[+-]", text, rng, lambda s: "-" if s == "+" else "+")


def operator(text: str, rng: random.Random) -> str:
    """Exchange one operator, relation or function."""
    swaps = {
        "\\frac": "\\binom",
        "\\sqrt": "",
        "\\pi": "",
        "\\sin": "\\cos",
        "\\cos": "\\sin",
        "\\cup": "\\cap",
        "\\le": "\\ge",
        "<": ">",
        ">": "<",
        "^": "_",
        "!": "",
        "\\cdot": "+",
        "\\times": "+",
        "i": "j",
        "x": "y",
        "\\infty": "0",
        "\\overline": "",
        "\\ln": "\\log",
        "\\sum": "\\prod",
        "\\max": "\\min",
        "\\circ": "2",
        "\\%": "",
    }
    names = "|".join(
        re.escape(name) + ("(?![a-zA-Z])" if name[0] == "\\" else "") for name in swaps
    )
    return _at_random(names, text, rng, swaps.__getitem__)


def bracket(text: str, rng: random.Random) -> str:
    """Exchange a round and a square bracket of an interval, or drop a pair of brackets."""
    swap = {"(": "[", ")": "]", "[": "(", "]": ")"}
    return _at_random(r"[()\[\]]", text, rng, swap.__getitem__)


def part(text: str, rng: random.Random) -> str:
    """Leave out, repeat or exchange parts of a list."""
    pieces = re.split(r"(,|;|&|\\\\|\\quad|\\text\{ (?:or|and) \}|\\cup)", text)
    parts = pieces[::2]
    if len(parts) < 2:
        return text
    at = rng.randrange(len(parts) - 1)
    if rng.random() < 0.5:
        pieces[2 * at], pieces[2 * at + 2] = pieces[2 * at + 2], pieces[2 * at]
        return "".join(pieces)
    del pieces[2 * at + 1 : 2 * at + 3]
    return "".join(pieces)


def unit(text: str, rng: random.Random) -> str:
    """Change the unit."""
    swaps = {"cm": "km", "hours": "minutes", "red": "blue", "m/s": "km/h", "\\circ": "2"}
    return _at_random("|".join(map(re.escape, swaps)), text, rng, swaps.__getitem__)


MUTATIONS = (digit, digit, more_digits, sign, sign, operator, bracket, part, unit)


def gold_answers() -> list[str]:
    """Return the distinct gold answers, those of the list of forms three times as often."""
    found = dict.fromkeys(FORMS)
    for name, key in SOURCES:
        path = DATA / "benchmarks" / name
        for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else ():
            value = json.loads(line)[key]
            found.update(dict.fromkeys(map(str, value if isinstance(value, list) else [value])))
    return [*FORMS, *FORMS, *found]


def _frac_as_slash(text: str) -> str:
    """Write a lone `\\frac{a}{b}` as `a/b`."""
    return re.sub(r"^\\d?frac\{([0-9]+)\}\{([0-9]+)\}$", r"\1/\2", text)


def _spaces(text: str) -> str:
    """Put a thin space around operators and behind commas outside of text."""
    return (
        re.sub(r"(?<=[0-9a-z)}])([+=])(?=[0-9a-z(\\])", r"\\, \1 \\,", text)
        if "text" not in text
        else text
    )


RESPELLINGS: dict[str, Callable[[str], str]] = {
    "dfrac": lambda t: t.replace("\\frac", "\\dfrac"),
    "tfrac": lambda t: t.replace("\\frac", "\\tfrac"),
    "slash": _frac_as_slash,
    "dollars": lambda t: f"${t}$" if "$" not in t else t,
    "left_right": lambda t: (
        t if "\\left" in t else re.sub(r"\)", r"\\right)", re.sub(r"\(", r"\\left(", t))
    ),
    "no_left_right": lambda t: t.replace("\\left", "").replace("\\right", ""),
    "period": lambda t: t + ".",
    "thin_spaces": _spaces,
    "blanks": lambda t: f"  {t} ",
    "displaystyle": lambda t: f"\\displaystyle {t}",
    "mathrm": lambda t: t.replace("\\text{", "\\mathrm{") if " " not in t else t,
    "minus": lambda t: t.replace("-", "\u2212") if "\\text" not in t else t,
    "times": lambda t: t.replace("\\cdot", "\\times"),
    "unicode_root": lambda t: re.sub(r"\\sqrt\{([0-9]+)\}", "\u221a\\1", t),
    "unicode_pi": lambda t: t.replace("\\pi", "\u03c0") if not re.search(r"\\pi[a-z]", t) else t,
    "unicode_infinity": lambda t: t.replace("\\infty", "\u221e"),
    "unicode_signs": lambda t: (
        t.replace("\\le ", "\u2264 ").replace("\\ne ", "\u2260 ").replace("\\cup", "\u222a")
    ),
    "leq": lambda t: re.sub(r"\\le(?![a-z])", r"\\leq", t),
    "degree": lambda t: t.replace("^\\circ", "^{\\circ}"),
    "degree_sign": lambda t: re.sub(r"\^\{?\\circ\}?", "\u00b0", t),
    "thousands": lambda t: f"{int(t):,}" if re.fullmatch(r"[1-9][0-9]{3,14}", t) else t,
    "thousands_thin": lambda t: (
        f"{int(t):,}".replace(",", "\\,") if re.fullmatch(r"[1-9][0-9]{3,14}", t) else t
    ),
    "thousands_blank": lambda t: (
        f"{int(t):,}".replace(",", "\u202f") if re.fullmatch(r"[1-9][0-9]{3,14}", t) else t
    ),
    "decimal_zero": lambda t: t + ".0" if re.fullmatch(r"-?[0-9]{1,6}", t) else t,
    "named": lambda t: f"x = {t}" if re.fullmatch(r"-?[0-9]{1,6}", t) else t,
    "boxed_twice": lambda t: f"\\boxed{{{t}}}",
    "escaped_twice": lambda t: (
        t.replace("\\", "\\\\")
        if "\\\\" not in t and re.search(r"\\(?:frac|sqrt|left|pi|text)", t)
        else t
    ),
    "unit": lambda t: t + "\\text{ units}" if re.fullmatch(r"-?[0-9]{1,6}", t) else t,
    "percent_word": lambda t: t.replace("\\%", " percent"),
    "pmatrix": lambda t: t.replace("pmatrix", "bmatrix"),
    "trailing_break": lambda t: t + "\\\\",
    "turned": lambda t: (
        ", ".join(reversed(t.split(",")))
        if re.fullmatch(r"[0-9a-z+ -]+(?:,[0-9a-z+ -]+)+", t)
        and "=" not in t
        and not re.fullmatch(r"[0-9]{1,3}(?:,[0-9]{3})+", t)
        else t
    ),
}


def draw(
    golds: list[str], count: int, rng: random.Random, *, respell: bool
) -> list[tuple[str, str, str]]:
    """Return (gold, other, kind) of `count` distinct changes."""
    found: dict[tuple[str, str], str] = {}
    tries = 0
    while len(found) < count and tries < count * 50:
        tries += 1
        gold = rng.choice(golds)
        if respell:
            kind, other = (name := rng.choice(list(RESPELLINGS))), RESPELLINGS[name](gold)
        else:
            change = rng.choice(MUTATIONS)
            kind, other = change.__name__, change(gold, rng)
        if other.strip() and other != gold:
            found.setdefault((gold, other), kind)
    return [(gold, other, kind) for (gold, other), kind in found.items()]


def _items(text: str) -> Counter[str]:
    """Return the items of a bare list."""
    return Counter(item.strip(" $") for item in text.split(","))


def independent(gold: str, other: str, rng: random.Random) -> str:
    """Return `same`, `different` or `unread`, by SymPy's values at random points."""
    if not re.search(r"[(\[]|\\{|\\begin", gold) and _items(gold) == _items(other):
        return "same"  # a bare list in another order
    import sympy
    from math_verify import LatexExtractionConfig, parse

    config = [LatexExtractionConfig(boxed_match_priority=0)]
    sides = [parse(f"\\boxed{{{text}}}", config, parsing_timeout=None) for text in (gold, other)]
    if not all(side and isinstance(side[0], sympy.Basic) for side in sides):
        return "unread"
    a, b = sides[0][0], sides[1][0]
    if a == b:
        return "same"
    try:
        names = sorted(a.free_symbols | b.free_symbols, key=str)
        for _ in range(5):
            at = {name: sympy.Float(rng.uniform(1, 3), 30) for name in names}
            x, y = a.subs(at).evalf(30), b.subs(at).evalf(30)
            if abs(x - y) > abs(x) * 1e-12:
                return "different"
    except (TypeError, AttributeError, ValueError):
        return "unread"
    return "same"


def accepted(pairs: list[tuple[str, str, str]]) -> list[bool]:
    """Return for each pair whether the shipped verifier accepts it."""
    rows = [(json.dumps(gold), f"\\boxed{{{other}}}") for gold, other, _ in pairs]
    return [found.verdict == "correct" for found in grade(rows, PoolConfig("math", {}, workers=2))]


def main() -> None:
    """Draw, grade and count."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--mutants", type=int, default=10_000)
    parser.add_argument("--respellings", type=int, default=2_000)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    golds, rng = gold_answers(), random.Random(args.seed)
    mutants = draw(golds, args.mutants, rng, respell=False)
    passed = [pair for pair, yes in zip(mutants, accepted(mutants), strict=True) if yes]
    judged = [(independent(gold, other, rng), gold, other, kind) for gold, other, kind in passed]
    counts = Counter(judgement for judgement, *_ in judged)
    print(f"{len(mutants)} mutants, {len(passed)} accepted: {dict(counts)}")
    for judgement, gold, other, kind in sorted(judged):
        if judgement != "same":
            print(f"  {judgement:10} {kind:12} {gold}   <->   {other}")
    respelled = draw(golds, args.respellings, rng, respell=True)
    refused = [p for p, yes in zip(respelled, accepted(respelled), strict=True) if not yes]
    print(f"{len(respelled)} respellings, {len(refused)} refused")
    for gold, other, kind in sorted(refused, key=lambda pair: pair[2]):
        print(f"  {kind:16} {gold}   <->   {other}")


if __name__ == "__main__":
    main()
