r"""The normal form of an answer as text: one spelling for what LaTeX can spell in many ways.

Every step is linear in the length of the text. Nothing here knows what an answer means.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

from passk.verifiers.number import number_in_words

UNICODE = {
    "\u2212\u2013\u2012\ufe63": "-",
    "\u00d7": "\\times ",
    "\u00b7\u22c5": "\\cdot ",
    "\u00f7\u2215\u2044": "/",
    "\u03c0": "\\pi ",
    "\u221e": "\\infty ",
    "\u221a": "\\sqrt ",
    "\u221b": "\\sqrt[3] ",
    "\u2229": "\\cap ",
    "\u2205": "\\emptyset ",
    "\u27e8": "\\langle ",
    "\u27e9": "\\rangle ",
    "\u2026": "...",
    "\u00b0": "^\\circ ",
    "\u2264": "\\le ",
    "\u2265": "\\ge ",
    "\u2260": "\\ne ",
    "\u2248": "\\approx ",
    "\u2208": "\\in ",
    "\u222a": "\\cup ",
    "\u00b1": "\\pm ",
    "\u211d": "\\mathbb{R}",
    "\u2216": "\\setminus ",
    "\u2126": "\\Omega ",
    "\u066b": ".",
    "\u066c": "",
}
GREEK = (
    "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi omicron pi rho "
    "sigma sigma tau upsilon phi chi psi omega"
)
CAPITAL_GREEK = "gamma delta theta lambda xi pi sigma upsilon phi psi omega"
SYMBOLS = str.maketrans(
    {char: tex for chars, tex in UNICODE.items() for char in chars}
    | {chr(0x3B1 + place): f"\\{name} " for place, name in enumerate(GREEK.split())}
    | {
        chr(0x391 + place): f"\\{name.capitalize()} "
        for place, name in enumerate(GREEK.split())
        if name in CAPITAL_GREEK.split()
    }
)
"""Signs that models write for LaTeX commands."""

RAISED = re.compile("[\u00b2\u00b3\u00b9\u2070-\u207e]+")
LOWERED = re.compile("[\u2080-\u208e]+")
VULGAR = re.compile("[\u00bc-\u00be\u2150-\u215e]")
DIGIT = re.compile(r"[^\D0-9]")

GROUPING_COMMA = re.compile(r"(?<=[0-9])(?:\{,\}|,\\!|\\!,?)\s?(?=[0-9]{3}(?![0-9]))")
"""A comma without space that groups digits. `,\\,` and `,\\ ` part the items of a list."""

GROUPING_BLANK = re.compile(
    r"(?<![0-9.,^_])(?<![0-9.,] )[1-9][0-9]{0,2}(?:(?:\\[,:; ]|~| )[0-9]{3})+"
    r"(?![0-9/]| [0-9]|\\frac| ?/)"
)
"""Digits in groups of three that blanks part: `9 500`, `1\\,234\\,567`."""

ESCAPED_TWICE = re.compile(
    r"(?<!\\)\\\\(?:[dt]?frac|sqrt|text|left|right|cdot|times|pi|infty|boxed|cup|leq?|geq?|pm|circ|"
    r"begin|end|sin|cos|tan|log|ln|theta|mathrm|mathbb|overline)(?![a-zA-Z])"
)
"""A command with two backslashes, as JSON leaves it where it is escaped once too often."""

ROOT_OF_NUMBER = re.compile(r"(?<![a-zA-Z\\])\\?sqrt(\[3\])? ?([0-9]+(?:\.[0-9]+)?)(?![0-9])")
DOTTED = re.compile(
    r"(\.[0-9]{0,99})\\dot ?\{?([0-9])\}?(?:([0-9]{0,99})\\dot ?\{?([0-9])\}?)?(?![0-9])"
)
REPEATING = re.compile(
    r"(?<![0-9.])([0-9]{0,99}\.[0-9]{0,20}?)(([0-9]{1,10}?)\3{1,20})(?:\.\.\.|\\[lcd]?dots)$"
)
CONNECTIVE = re.compile(r"\\text ?\{[^{}]*\}|\\[a-zA-Z]+|(?<![a-zA-Z])(and|or)(?![a-zA-Z])")
TEN_POWER = re.compile(r"(?<=[0-9]) ?[xX] ?(?=10 ?(?:\^|\*\*))")
CURRENCY_SIGN = "\u00a4"
"""Stands for an escaped dollar sign."""

SPACING = re.compile(
    r"(\\\\|\\[{}])"
    r"|\\(?:left|right|m?middle)(?:\.|(?![a-zA-Z]))|\\[bB]ig{1,2}[lrm]?(?![a-zA-Z])"
    r"|\\(?:displaystyle|textstyle|limits|thinspace|hfill|break|newline)(?![a-zA-Z])"
    r"|\\[!,;:> \n()\[\]]|\\$|[$~\u200b]"
)
"""What only says how a formula looks; the first group is kept."""

RENAMED = {
    re.compile(
        r"\\(?:hat|widehat|vec)\s?(?:\{\s?(?:\\mathbf\s?\{)?\\?([ijk])(?:math)?\s?\}?\s?\}"
        r"|\\?([ijk])(?:math)?(?![a-zA-Z]))"
    ): r" \1\2 ",
    re.compile(r"\\[dtc]frac(?![a-zA-Z])"): r"\\frac",
    re.compile(r"\\[dt]binom(?![a-zA-Z])"): r"\\binom",
    re.compile(r"\{([^{}\\]{1,99})\\over(?![a-zA-Z])([^{}\\]{1,99})\}"): r"\\frac{\1}{\2}",
    re.compile(r"\\colon(?![a-zA-Z])"): ":",
    re.compile(r"\\\\\[ ?-?[0-9.]+ ?(?:pt|em|ex|mm|cm) ?\]"): r"\\\\",
    re.compile(r"\\(?:mathbf|mathit|boldsymbol|bm)\s?\{\s?([a-zA-Z])\s?\}"): r" \1 ",
    re.compile(r"\\(?:mathrm|textrm|text|operatorname)\s?\{([ei])\}"): r" \1 ",
    re.compile(r"\\(?:text(?:bf|it|rm|sf|normal)|math(?:rm|bf|it|sf)|mbox|operatorname\*?)\b"): (
        r"\\text"
    ),
    re.compile(r"\\text ?\{ ?cis ?\}"): r"\\cis ",
    re.compile(r"\\(?:leq(?:slant)?|leqq)(?![a-zA-Z])"): r"\\le",
    re.compile(r"\\(?:geq(?:slant)?|geqq)(?![a-zA-Z])"): r"\\ge",
    re.compile(r"\\(?:long)?rightarrow(?![a-zA-Z])"): r"\\to",
    re.compile(r"\\lt(?![a-zA-Z])"): "<",
    re.compile(r"\\gt(?![a-zA-Z])"): ">",
    re.compile(r"\\neq(?![a-zA-Z])"): r"\\ne",
    re.compile(r"\\(?:[lr]?vert|mid)(?![a-zA-Z])"): "|",
    re.compile(r"\\lbrace(?![a-zA-Z])"): r"\\{",
    re.compile(r"\\rbrace(?![a-zA-Z])"): r"\\}",
    re.compile(r"\\var(epsilon|phi|theta|rho)(?![a-zA-Z])"): r"\\\1",
    re.compile(r"\^\s?\{?\s?\\circ(?![a-zA-Z])\s?\}?|\\(?:text)?degree(?![a-zA-Z])"): r"^\\circ ",
    re.compile(r"\*\*"): "^",
    re.compile(r"\\q?quad(?![a-zA-Z])"): r" \\quad ",
    re.compile(r"\\(max|min) ?\\\{([^{}\\]*)\\\}"): r"\\\1(\2)",
    re.compile(r"\\langle(?![a-zA-Z])"): "(",
    re.compile(r"\\rangle(?![a-zA-Z])"): ")",
    re.compile(r"\\(?:dots|ldots|cdots|dotsc)(?![a-zA-Z])"): r"\\dots",
    re.compile(r"\\(?:underline|(?:text)?color\s?\{[a-zA-Z0-9!]*\})\s?(?=\{)"): "",
}
"""Commands with another spelling, after which one spelling is left."""

BLANK = re.compile(r"\s+")
AROUND_SIGN = re.compile(r" ?([^a-zA-Z0-9\\ ]) ?")
TRAILING_BREAK = re.compile(r"(?:\\\\|\\newline)+\s*$")
MIN_REPEATED = 3
"""Fewest digits before dots that make a repeating decimal: 0.333..."""

THOUSANDS = re.compile(r"(?<![0-9.,])[1-9][0-9]{0,2}(?:,[0-9]{3})+(?![0-9]|,[0-9])")
PIECE = re.compile(r"\\begin\b|\\end\b|\\[a-zA-Z]+|\\.|[(){}\[\]]|.", re.DOTALL)


def normalize(text: str) -> str:
    r"""Return the normal form of an answer.

    >>> print(normalize(r"$\left( 3,\, \dfrac{\pi}{2} \right)$."))
    (3,\frac{\pi}{2})
    >>> print(normalize(r"10,\!080"), normalize(r"\$32,348"))
    10080 ¤32348
    """
    plain = text if text.isascii() else _unicode_to_latex(text)
    if not plain.isprintable():
        plain = "".join(char for char in plain if char.isprintable() or char.isspace())
    plain = plain.replace("\\$", CURRENCY_SIGN)
    if "\\\\" in plain and ESCAPED_TWICE.search(plain):
        plain = plain.replace("\\\\", "\\")
    plain = GROUPING_COMMA.sub("", BLANK.sub(" ", plain).strip())
    plain = GROUPING_BLANK.sub(lambda match: re.sub(r"[^0-9]", "", match.group()), plain)
    plain = _without_thousands(_spell_numbers(TRAILING_BREAK.sub("", plain)))
    if "\\" in plain or "$" in plain or "*" in plain or "~" in plain:
        plain = SPACING.sub(lambda match: match.group(1) or " ", plain)
        for pattern, spelling in RENAMED.items():
            plain = pattern.sub(spelling, plain)
    if "(" in plain or "{" in plain:
        plain = COMMON_DIVISOR.sub(lambda match: f"\\{match[1].lower()}", plain)
    plain = NUMBER_TWICE.sub(_number_once, ORDINAL.sub("", plain))
    if "_" in plain:
        plain = BASE_IN_WORDS.sub(_base_in_digits, plain)
    plain = CONNECTIVE.sub(as_text, plain) if "and" in plain or "or" in plain else plain
    plain = AROUND_SIGN.sub(r"\1", BLANK.sub(" ", plain)).strip().rstrip(".,;: ")
    return plain.removeprefix("{,}")


COMMON_DIVISOR = re.compile(
    r"(?:\\text ?\{ ?|(?<![a-zA-Z\\]))(gcd|lcm) ?\}?(?= ?(?:\(|\\\{))", re.IGNORECASE
)
"""A greatest common divisor or least common multiple that is no command yet."""

THOUSANDS_BY_DOTS = re.compile(r"(?<![0-9.,])[1-9][0-9]{0,2}(?:\.[0-9]{3}){2,9}(?![0-9.,])")
"""`1.000.000`, which is no decimal; `1.000` is one."""

_ENDING = r"(?:st|nd|rd|th)"
ORDINAL = re.compile(
    rf"(?<=[0-9])(?:\^? ?\\text ?\{{ ?{_ENDING} ?\}}|\^ ?\{{ ?\\text ?\{{ ?{_ENDING} ?\}} ?\}}"
    rf"|\^ ?\{{ ?{_ENDING} ?\}}|{_ENDING}(?![a-zA-Z]))"
)
"""What makes 5 the 5th."""

NUMBER_TWICE = re.compile(r"([0-9]{1,9}) ?\(([a-z -]{3,60})\)$")
"""`8 (eight)`."""

BASE_IN_WORDS = re.compile(r"_ ?\{ ?\\text ?\{ ?([a-z]{2,8}) ?\} ?\}")
RATIO_IN_WORDS = re.compile(r"([0-9]{1,9}) ?(?:\\text ?\{ ?to ?\}| to ) ?([0-9]{1,9})")


def _spell_numbers(text: str) -> str:
    r"""Return the text with `\sqrt{12}` for `sqrt12`, and one spelling of repeating decimals."""
    if "." in text:
        text = THOUSANDS_BY_DOTS.sub(lambda match: match.group().replace(".", ""), text)
    if "sqrt" in text:
        text = ROOT_OF_NUMBER.sub(r"\\sqrt\1{\2}", text)
    ratio = RATIO_IN_WORDS.fullmatch(text)
    if ratio:
        return f"{ratio[1]}:{ratio[2]}"
    if "\\dot" in text:
        text = DOTTED.sub(r"\1\\overline{\2\3\4}", text)
    if text.endswith(("...", "dots")):
        found = REPEATING.search(text)
        if found and len(found[2]) >= MIN_REPEATED:
            text = f"{text[: found.start()]}{found[1]}\\overline{{{found[3]}}}"
    text = text.replace("...", "\\dots ")
    return TEN_POWER.sub(r"\\times ", text) if "10" in text else text


def _base_in_digits(found: re.Match[str]) -> str:
    r"""Return `_{\text{five}}` as `_{5}`."""
    number = number_in_words(found[1])
    return found.group() if number is None else f"_{{{number}}}"


def _number_once(found: re.Match[str]) -> str:
    """Return `8 (eight)` as 8, and `8 (nine)` as it is."""
    return found[1] if str(number_in_words(found[2])) == found[1] else found.group()


def as_text(found: re.Match[str]) -> str:
    """Return a bare "and" or "or" as LaTeX text, and anything else as it is."""
    return f"\\text{{ {found[1]} }}" if found[1] else found.group()


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
    if "," not in text or text.startswith("{") or re.search(r"[(\[]|\\\{", text):
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
