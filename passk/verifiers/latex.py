r"""The normal form of an answer as text: one spelling for what LaTeX can spell in many ways.

Every step is linear in the length of the text. Nothing here knows what an answer means.
"""

from __future__ import annotations

import re
import unicodedata

SYMBOLS = str.maketrans(
    {
        "\u2212": "-",
        "\u2013": "-",
        "\u00d7": "\\times ",
        "\u00b7": "\\cdot ",
        "\u22c5": "\\cdot ",
        "\u00f7": "/",
        "\u03c0": "\\pi ",
        "\u221e": "\\infty ",
        "\u221a": "\\sqrt ",
        "\u00b0": "^\\circ ",
        "\u2264": "\\le ",
        "\u2265": "\\ge ",
        "\u2260": "\\ne ",
        "\u2208": "\\in ",
        "\u222a": "\\cup ",
        "\u00b1": "\\pm ",
        "\u00b2": "^{2}",
        "\u00b3": "^{3}",
    }
)
"""Unicode signs that models write for LaTeX commands."""

DROPPED = re.compile(
    r"\\(?:left|right|[bB]ig{1,2}[lrm]?|displaystyle|textstyle|limits|quad|qquad"
    r"|thinspace|mathstrut|phantom\{[^{}]*\})(?![a-zA-Z])"
    r"|\\(?=\s)|\\[!,;:> ]|\\[()\[\]]|\$|~|\{,\}"
)
BLANK = re.compile(r"\s+")
FRACTION = re.compile(r"\\[dtc]frac(?![a-zA-Z])")
TEXT = re.compile(r"\\(?:textbf|textit|textrm|textnormal|mathrm|mathbf|mathit|mbox|operatorname)\b")
THOUSANDS = re.compile(r"(?<![0-9.,(\[{])[0-9]{1,3}(?:,[0-9]{3})+(?![0-9]|,[0-9])")


def normal(text: str) -> str:
    r"""Return the normal form of an answer.

    >>> normal(r"$\\left( 3,\\, \\dfrac{\\pi}{2} \\right)$")
    '(3,\\\\frac{\\\\pi}{2})'
    >>> normal(r"10,\\!080."), normal(r"\\$32,348")
    ('10080', '32348')
    """
    plain = unicodedata.normalize("NFKC", text.translate(SYMBOLS))
    plain = "".join(c for c in plain if c.isprintable() or c.isspace())
    plain = FRACTION.sub(r"\\frac", plain.replace("\\$", ""))
    plain = TEXT.sub(r"\\text", plain).replace("{,}", ",").replace(",\\!", ",")
    plain = BLANK.sub(" ", DROPPED.sub(" ", plain)).strip().rstrip(".").strip()
    plain = re.sub(r" ?([^a-zA-Z0-9\\]) ?", r"\1", plain)
    return THOUSANDS.sub(lambda match: match.group().replace(",", ""), plain)
