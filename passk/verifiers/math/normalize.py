r"""The normal form of an answer as text: one spelling for what LaTeX can spell in many ways.

Every step is linear in the length of the text. Nothing here knows what an answer means.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

UNICODE = {
    "\u2212\u2013\u2012\ufe63": "-",
    "\u00d7": "\\times ",
    "\u00b7\u22c5": "\\cdot ",
    "\u00f7\u2215\u2044": "/",
    "\u03c0": "\\pi ",
    "\u221e": "\\infty ",
    "\u221a": "\\sqrt ",
    "\u00b0": "^\\circ ",
    "\u2264": "\\le ",
    "\u2265": "\\ge ",
    "\u2260": "\\ne ",
    "\u2248": "\\approx ",
    "\u2208": "\\in ",
    "\u222a": "\\cup ",
    "\u00b1": "\\pm ",
    "\u066b": ".",
    "\u066c": "",
}
SYMBOLS = str.maketrans({char: tex for chars, tex in UNICODE.items() for char in chars})
"""Signs that models write for LaTeX commands."""

RAISED = re.compile("[\u00b2\u00b3\u00b9\u2070-\u207e]+")
LOWERED = re.compile("[\u2080-\u208e]+")
VULGAR = re.compile("[\u00bc-\u00be\u2150-\u215e]")
DIGIT = re.compile(r"[^\D0-9]")

THIN = re.compile(r"(?<=[0-9])(?:,?\\[,!:; ]|\{,\}|,\\!)\s?(?=[0-9]{3}(?![0-9]))")
"""The thin space, or comma without space, that groups digits."""

SPACING = re.compile(
    r"(\\\\|\\[{}])"
    r"|\\(?:left|right|m?middle)(?:\.|(?![a-zA-Z]))|\\[bB]ig{1,2}[lrm]?(?![a-zA-Z])"
    r"|\\(?:displaystyle|textstyle|limits|quad|qquad|thinspace|hfill|break|newline)(?![a-zA-Z])"
    r"|\\[!,;:> \n()\[\]]|\\$|[$~\u200b]"
)
"""What only says how a formula looks; the first group is kept."""

RENAMED = {
    re.compile(r"\\[dtc]frac(?![a-zA-Z])"): r"\\frac",
    re.compile(r"\\[dt]binom(?![a-zA-Z])"): r"\\binom",
    re.compile(r"\\(?:mathbf|mathit|boldsymbol|bm)\s?\{([a-zA-Z])\}"): r" \1 ",
    re.compile(r"\\(?:mathrm|textrm|text|operatorname)\s?\{([ei])\}"): r" \1 ",
    re.compile(r"\\(?:text(?:bf|it|rm|sf|normalize)|math(?:rm|bf|it|sf)|mbox|operatorname\*?)\b"): (
        r"\\text"
    ),
    re.compile(r"\\(?:leq(?:slant)?|leqq)(?![a-zA-Z])"): r"\\le",
    re.compile(r"\\(?:geq(?:slant)?|geqq)(?![a-zA-Z])"): r"\\ge",
    re.compile(r"\\lt(?![a-zA-Z])"): "<",
    re.compile(r"\\gt(?![a-zA-Z])"): ">",
    re.compile(r"\\neq(?![a-zA-Z])"): r"\\ne",
    re.compile(r"\\(?:[lr]?vert|mid)(?![a-zA-Z])"): "|",
    re.compile(r"\\lbrace(?![a-zA-Z])"): r"\\{",
    re.compile(r"\\rbrace(?![a-zA-Z])"): r"\\}",
    re.compile(r"\\var(epsilon|phi|theta|rho)(?![a-zA-Z])"): r"\\\1",
    re.compile(r"\^\s?\{?\s?\\circ(?![a-zA-Z])\s?\}?|\\degree(?![a-zA-Z])"): r"^\\circ ",
    re.compile(r"\*\*"): "^",
    re.compile(r"\\(?:underline|(?:text)?color\s?\{[a-zA-Z0-9!]*\})\s?(?=\{)"): "",
}
"""Commands with another spelling, after which one spelling is left."""

BLANK = re.compile(r"\s+")
AROUND_SIGN = re.compile(r" ?([^a-zA-Z0-9\\ ]) ?")
THOUSANDS = re.compile(r"(?<![0-9.,])[1-9][0-9]{0,2}(?:,[0-9]{3})+(?![0-9]|,[0-9])")
PIECE = re.compile(r"\\begin\b|\\end\b|\\[a-zA-Z]+|\\.|[(){}\[\]]|.", re.DOTALL)


def normalize(text: str) -> str:
    r"""Return the normal form of an answer.

    >>> print(normalize(r"$\left( 3,\, \dfrac{\pi}{2} \right)$."))
    (3,\frac{\pi}{2})
    >>> print(normalize(r"10,\!080"), normalize(r"\$32,348"))
    10080 32348
    """
    plain = text if text.isascii() else _unicode_to_latex(text)
    if not plain.isprintable():
        plain = "".join(char for char in plain if char.isprintable() or char.isspace())
    plain = THIN.sub("", plain.replace("\\$", ""))
    if "\\" in plain or "$" in plain or "*" in plain or "~" in plain:
        plain = SPACING.sub(lambda match: match.group(1) or " ", plain)
        for pattern, spelling in RENAMED.items():
            plain = pattern.sub(spelling, plain)
    plain = AROUND_SIGN.sub(r"\1", BLANK.sub(" ", plain)).strip().rstrip(".,;: ")
    return _without_thousands(plain.removeprefix("{,}"))


def _unicode_to_latex(text: str) -> str:
    """Return text with the signs of Unicode written as LaTeX, and digits of any script as 0-9."""
    text = RAISED.sub(lambda found: f"^{{{_compatible(found.group())}}}", text)
    text = LOWERED.sub(lambda found: f"_{{{_compatible(found.group())}}}", text)
    text = VULGAR.sub(lambda found: _fraction(_compatible(found.group())), text)
    plain = unicodedata.normalize("NFKC", text.translate(SYMBOLS))
    return DIGIT.sub(lambda found: str(unicodedata.decimal(found.group())), plain)


def _compatible(text: str) -> str:
    """Return signs that only differ in how they are set in their plain form."""
    return unicodedata.normalize("NFKC", text).translate(SYMBOLS)


def _fraction(text: str) -> str:
    r"""Return `1/2` as `\frac{1}{2}`, which a number in front of it makes a mixed number."""
    above, _, below = text.partition("/")
    return f"\\frac{{{above}}}{{{below}}}"


def _without_thousands(text: str) -> str:
    """Return the text without the commas that group digits, unless brackets make them a list."""
    if "," not in text or any(bracket in text for bracket in "([{"):
        return text
    return THOUSANDS.sub(lambda match: match.group().replace(",", ""), text)


def squeeze(text: str) -> str:
    """Return the letters, digits and signs of a text in lower case, without what sets it."""
    return re.sub(r"[\s.{}\\]|\\text", "", text.replace("\\text", "")).lower()


def split_top_level(text: str, separator: re.Pattern[str]) -> list[str]:
    r"""Split at the separators that stand outside all brackets.

    >>> split_top_level("(1,2),{3,4}", re.compile(","))
    ['(1,2)', '{3,4}']
    """
    parts, begin, depth = [], 0, 0
    for at, piece in _pieces(text):
        depth = max(0, depth + _step(piece))
        if depth == 0 and at >= begin:
            found = separator.match(text, at)
            if found and found.end() > at:
                parts.append(text[begin:at].strip())
                begin = found.end()
    return [*parts, text[begin:].strip()]


def _pieces(text: str) -> Iterator[tuple[int, str]]:
    """Yield the commands and characters of a text with their places."""
    for match in PIECE.finditer(text):
        yield match.start(), match.group()


def _step(piece: str) -> int:
    """Return by how much a piece deepens the nesting of brackets."""
    if piece in ("(", "[", "{", "\\{", "\\begin", "\\lfloor", "\\lceil"):
        return 1
    return -1 if piece in (")", "]", "}", "\\}", "\\end", "\\rfloor", "\\rceil") else 0


def inside_brackets(text: str, left: str, right: str) -> str | None:
    r"""Return the inside of a text that one pair of brackets encloses as a whole.

    >>> inside_brackets("(1,2)", "(", ")"), inside_brackets("(1)(2)", "(", ")")
    ('1,2', None)
    """
    if not (text.startswith(left) and text.endswith(right) and len(text) >= len(left + right)):
        return None
    depth = 0
    for at, piece in _pieces(text):
        depth += _step(piece)
        if depth == 0:
            whole = at + len(piece) == len(text)
            return text[len(left) : -len(right)].strip() if whole else None
    return None
