r"""The tokens of scalar expressions: numbers, names, commands and signs, with their limits."""

from __future__ import annotations

import re
from fractions import Fraction

MAX_LENGTH = 600
"""Longest expression, in characters, that is read."""

MAX_DEPTH = 40
"""Deepest nesting that is read."""

MAX_DIGITS = 600
"""Longest number, in digits, and largest decimal exponent that is read."""

_WORDS = (
    "arcsin arccos arctan arcsinh arccosh arctanh asin acos atan sinh cosh tanh coth "
    "sin cos tan cot sec csc cis ln log exp sqrt pi"
)
WORDS = tuple(_WORDS.split())
"""Words that mean the same with and without a backslash."""

FUNCTIONS = {name: name for name in WORDS if name not in ("sqrt", "pi", "log")}
FUNCTIONS |= {"asin": "arcsin", "acos": "arccos", "atan": "arctan", "lg": "log10"}

TOKEN = re.compile(
    r"(?P<repeating>[0-9]{0,99}\.[0-9]{0,99}\\(?:overline|bar) ?\{[0-9]{1,99}\})"
    r"|(?P<num>(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)"
    r"|\\text ?\{(?P<text>[^{}]*)\}"
    r"|(?P<command>\\[a-zA-Z]+)"
    rf"|(?:np\.|math\.)?(?P<word>{'|'.join(sorted(WORDS, key=len, reverse=True))})(?![a-zA-Z])"
    r"|(?P<letter>[a-zA-Z])"
    r"|(?P<sign>\\[{}]|[-+*/^_!(){}\[\]|',])"
    r"|(?P<space> +)"
)

_GREEK = (
    "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi rho sigma tau "
    "upsilon phi chi psi omega Gamma Delta Theta Lambda Xi Pi Sigma Upsilon Phi Psi Omega hbar "
    "ell infty odot oplus"
)
GREEK = frozenset(_GREEK.split())
"""Commands that are names."""

ACCENTS = {
    "dot",
    "ddot",
    "hat",
    "bar",
    "overline",
    "vec",
    "tilde",
    "underline",
    "widehat",
    "mathbb",
}
SIGNS = {"cdot": "*", "times": "*", "div": "/", "ast": "*", "pm": "pm", "mp": "mp"}
BRACKETS = {"(": ")", "[": "]", "{": "}", "\\{": "\\}"}
ROUNDED = {"lfloor": ("floor", "rfloor"), "lceil": ("ceil", "rceil")}


LOG = "the base of log"
"""Stands in a tree for the logarithm of a base that the text leaves open."""


class ParseError(ValueError):
    """The text is none of this grammar, or could be read in two ways."""


Token = tuple[str, str]
END: Token = ("end", "")


def tokenize(text: str) -> list[Token]:
    """Return (kind, text) of each token; spaces are tokens only where they part two numbers."""
    tokens: list[Token] = []
    at = 0
    while at < len(text):
        found = TOKEN.match(text, at)
        if not found or found.lastgroup is None:
            raise ParseError(f"unknown sign {text[at]!r}")
        at = found.end()
        if found.lastgroup != "space":
            tokens.append((found.lastgroup, found.group(found.lastgroup)))
        elif tokens and tokens[-1][0] == "num" and text[at : at + 1].isdigit():
            tokens.append(("gap", " "))
    return tokens


def number(text: str) -> Fraction:
    """Return the value of a decimal literal, refusing those whose value would be huge."""
    exponent = text.lower().partition("e")[2]
    if len(text) > MAX_DIGITS or (exponent and abs(int(exponent[:8])) > MAX_DIGITS):
        raise ParseError("a number that is too long")
    return Fraction(text.rstrip(".")) if exponent == "" else Fraction(text.replace(".e", "e"))


def repeating(text: str) -> Fraction:
    r"""Return the value of a repeating decimal.

    >>> repeating(r"0.1\overline{6}")
    Fraction(1, 6)
    """
    plain, period = text.rstrip("}").split("{")
    fixed = plain[: plain.index("\\")]
    places = len(fixed.partition(".")[2])
    repeated = Fraction(int(period), (10 ** len(period) - 1) * 10**places)
    return Fraction(f"0{fixed}0") + repeated


class Stream:
    """Tokens that are taken one by one."""

    def __init__(self, tokens: list[Token]) -> None:
        """Start before the first token."""
        self.tokens = tokens[::-1]
        self.last = END

    def peek(self) -> Token:
        """Return the next token without taking it."""
        return self.tokens[-1] if self.tokens else END

    def take(self) -> Token:
        """Take the next token."""
        self.last = self.tokens.pop() if self.tokens else END
        return self.last

    def accept(self, *texts: str) -> str | None:
        """Take the next token if it is a sign among `texts`."""
        kind, text = self.peek()
        if kind in ("sign", "command") and text in texts:
            return self.take()[1]
        return None

    def expect(self, text: str) -> None:
        """Take a sign that has to stand here."""
        if not self.accept(text):
            raise ParseError(f"{text!r} is missing")
