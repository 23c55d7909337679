r"""Reading an answer: from text in any notation to what it says.

`parse_answer` never fails: text that it does not understand is `Unparsed`, equal only to itself.
"""

from __future__ import annotations

import functools
import re
from fractions import Fraction

from passk.verifiers.math.answers import (
    Answer,
    Assignment,
    Collection,
    Equation,
    Scalar,
    Text,
    Unparsed,
)
from passk.verifiers.math.expr_tree import Tree
from passk.verifiers.math.formulas import has, variables_of
from passk.verifiers.math.lexer import ParseError
from passk.verifiers.math.normalize import inside_brackets, normalize, split_top_level, squeeze
from passk.verifiers.math.parser import parse

SEPARATOR = re.compile(r",|;|\\text ?\{ ?,? ?(?:and|or) ?\}| (?:and|or) ")
CUP = re.compile(r"\\cup(?![a-zA-Z])")
EQUALS = re.compile(r"(?<![<>!:])=|\\approx(?![a-zA-Z])|\\equiv(?![a-zA-Z])|\\coloneqq")
ELEMENT = re.compile(r"\\in(?![a-zA-Z])")
ORDER = re.compile(r"\\(?:le|ge)(?![a-zA-Z])|[<>]=?")
DOTS = re.compile(r"\\[lcvd]?dots|\.\.\.")

NAME = re.compile(
    r"(?:\\text ?\{[^{}]*\}|\\?[a-zA-Z]+)(?:_(?:\{[^{}]*(?:\{[^{}]*\})?[^{}]*\}|[a-zA-Z0-9]))?"
    r"'?(?:\([a-zA-Z0-9_, ]*\))?(?: \\?[a-zA-Z]+(?:_\{?[a-zA-Z0-9]+\}?)?)*"
    r"|\([a-zA-Z](?:_\{?[a-zA-Z0-9]+\}?)?(?:,[a-zA-Z](?:_\{?[a-zA-Z0-9]+\}?)?)*\)"
)
"""What can be given a value: x, x_1, a_{max}, f(x), \\angle A B C, (x,y), or words."""

DECIMAL = re.compile(r"-?([0-9]*)\.([0-9]+)")
PERCENT = re.compile(r"(?: ?\\?%| ?\\text ?\{ ?(?:percent|\\?%) ?\}| percent)$")
DEGREES = re.compile(r"(?:\^\\circ ?|\\text ?\{ ?degrees? ?\}| degrees?)$")
TRIGONOMETRIC = re.compile(r"sin|cos|tan|cot|sec|csc")
UNIT = re.compile(
    r"(?<=[0-9a-zA-Z})!])(?: ?(?:\\cdot|/|\\times)? ?\\text ?\{[^{}]*\}(?:\^\{?-?[0-9]\}?)?)+$"
)
BARE_UNIT = re.compile(
    r"(?<=[0-9})]) ?(?:(?:square |cubic |sq\.? ?|cu\.? ?)?"
    r"(?:cm|mm|km|kg|mg|ml|mph|kmh|ft|in|units?)"
    r"|(?<= )(?!(?:arc|sin|cos|tan|cot|sec|csc|log|exp|sqrt|mod)\b)[a-zA-Z]{3,}(?: [a-zA-Z]+)*)"
    r"(?:\^\{?[23]\}?)?$"
)
BASE = re.compile(r"([0-9]{1,600})_(?:\{([0-9]{1,3})\}|([0-9]{1,2}))")
MATRIX = re.compile(r"\\begin\{([pbvBV]?matrix|array)\}(.*)\\end\{\1\}", re.DOTALL)
ROW = re.compile(r"\\\\")
COLUMN = re.compile("&")
TIME = re.compile(r"[0-9]+(?::[0-9]+)+(?: ?\\text ?\{[^{}]*\}|[ .a-zA-Z]*)")
WORD = re.compile(r"[a-zA-Z][a-zA-Z' .-]*")


@functools.lru_cache(maxsize=1 << 14)
def parse_answer(text: str) -> Answer:
    """Return what an answer in any notation says."""
    return _parse(normalize(text))


def _parse(text: str) -> Answer:
    """Read an answer in normal form, from the loosest structure to the tightest."""
    boxed = (
        inside_brackets(text.removeprefix("\\boxed"), "{", "}")
        if text.startswith("\\boxed")
        else None
    )
    if boxed is not None:
        return _parse(boxed)
    if not text or DOTS.search(text):
        return Unparsed(text)
    items = [item for item in split_top_level(text, SEPARATOR) if item]
    if len(items) > 1:
        return _several("", "", items)
    return _parse_item(items[0]) if items else Unparsed(text)


def _parse_item(text: str) -> Answer:
    """Read an answer that is no bare list."""
    for reader in (_union, _element, _interval_of, _equation, _words, _brackets, _matrix, _scalar):
        answer = reader(text)
        if answer is not None:
            return answer
    return Unparsed(text)


def _several(left: str, right: str, texts: list[str]) -> Collection:
    """Return a group; an item with plus-minus counts as two, and bare intervals form a union."""
    items: list[Answer] = []
    for text in texts:
        answer = _parse_item(text)
        spread = isinstance(answer, Collection) and answer.left == "" and len(answer.items) > 1
        items.extend(answer.items if spread else [answer])  # type: ignore[union-attr]
    return Collection(left, right, tuple(items))


def _union(text: str) -> Answer | None:
    r"""Read `A \cup B`."""
    parts = split_top_level(text, CUP)
    return Collection("u", "u", tuple(_parse(part) for part in parts)) if len(parts) > 1 else None


def _element(text: str) -> Answer | None:
    r"""Read `x \in A`."""
    parts = split_top_level(text, ELEMENT)
    if len(parts) == 2 and NAME.fullmatch(parts[0]):  # noqa: PLR2004
        return Assignment(parts[0], _parse(parts[1]))
    return None


def _interval_of(text: str) -> Answer | None:
    r"""Read `x > 2` or `-1 \le x < 3` as the interval that it describes."""
    signs = [found.group() for found in ORDER.finditer(text)]
    if not signs:
        return None
    parts = split_top_level(text, ORDER)
    rising = {sign.startswith(("<", "\\le")) for sign in signs}
    if (
        len(signs) != len(parts) - 1
        or len(parts) not in (2, 3)
        or len(rising) > 1
        or not all(parts)
    ):
        return Unparsed(text)
    if rising == {False}:
        parts.reverse()
        signs.reverse()
    return _bounded(parts, ["=" in sign or "\\" in sign for sign in signs]) or Unparsed(text)


def _bounded(parts: list[str], closed: list[bool]) -> Answer | None:
    """Return the interval of rising parts of which one is a name; `closed` is of each sign."""
    infinite = ("var", "infty")
    if len(parts) == 3 and NAME.fullmatch(parts[1]):  # noqa: PLR2004
        name, low, high = parts[1], _scalar(parts[0]), _scalar(parts[2])
    elif len(parts) == 2 and NAME.fullmatch(parts[0]):  # noqa: PLR2004
        name, low, high = parts[0], Scalar(("neg", infinite)), _scalar(parts[1])
        closed = [False, *closed]
    elif len(parts) == 2 and NAME.fullmatch(parts[1]):  # noqa: PLR2004
        name, low, high = parts[1], _scalar(parts[0]), Scalar(infinite)
        closed = [*closed, False]
    else:
        return None
    if low is None or high is None:
        return None
    left, right = "[" if closed[0] else "(", "]" if closed[1] else ")"
    return Assignment(name, Collection(left, right, (low, high)))


def _equation(text: str) -> Answer | None:
    """Read `name = answer`, a chain of equalities, or an equation between two formulas."""
    parts = split_top_level(text, EQUALS)
    if len(parts) == 1:
        return None
    if not all(parts):
        return _parse(parts[-1]) if len(parts) == 2 and parts[-1] else Unparsed(text)  # noqa: PLR2004
    left, right = _side(parts[0]), _side(parts[-1])
    whole = Equation(left, right) if left and right and len(parts) == 2 else None  # noqa: PLR2004
    if NAME.fullmatch(parts[0]):
        return Assignment(parts[0].replace(" ", ""), _parse(parts[-1]), whole)
    if left and not variables_of(left):
        return _parse(parts[-1])
    return whole or Unparsed(text)


def _tree(text: str) -> Tree | None:
    """Return the tree of a formula, if it is one."""
    try:
        return parse(text)
    except ParseError:
        return None


def _side(text: str) -> Tree | None:
    """Return the tree of one side of an equation, if it stands for one value."""
    tree = _tree(text)
    return None if tree is None or has(tree, ("pm", "mp")) else tree


def _words(text: str) -> Answer | None:
    r"""Read words, with or without `\text{}`; a number or one letter in `\text{}` is no word."""
    inner = inside_brackets(text.removeprefix("\\text").lstrip(), "{", "}")
    inside = inner if inner is not None and text.startswith("\\text") else None
    plain = inside if inside is not None else text
    letter = re.fullmatch(r"\(?([A-Za-z])\)?", plain)
    if letter:
        return Scalar(("var", letter.group(1))) if inside is not None or plain != text else None
    if inside is not None and not re.search(r"[a-zA-Z]{2}", inside):
        return _parse_item(inside) if inside else None
    if inside is not None and re.match(r"-?[0-9.]+(?: |[a-z]|$)", inside) and ":" not in inside:
        return _scalar(inside)
    if inside is not None or _is_wordy(text):
        return Text(squeeze(text))
    return None


def _is_wordy(text: str) -> bool:
    """Return whether text without any LaTeX is words, a time or a ratio rather than a formula."""
    if TIME.fullmatch(text):
        return True
    return bool(WORD.fullmatch(text)) and bool(re.search(r"[a-zA-Z]{4}", text)) and _tree_free(text)


def _tree_free(text: str) -> bool:
    """Return whether no word of the text is a function's name, so that it is no formula."""
    return not re.search(r"sqrt|\bpi\b|sin|cos|tan|log|\bln\b|exp", text)


def _brackets(text: str) -> Answer | None:
    """Read a set, a tuple or an interval."""
    inside = inside_brackets(text, "\\{", "\\}")
    if inside is not None:
        return _several("{", "}", [item for item in split_top_level(inside, SEPARATOR) if item])
    if text in ("\\emptyset", "\\varnothing"):
        return Collection("{", "}", ())
    if text == "\\mathbb{R}":
        return _parse("(-\\infty,\\infty)")
    for left in "([":
        for right in ")]":
            inside = inside_brackets(text, left, right)
            items = split_top_level(inside, SEPARATOR) if inside else []
            if len(items) > 1:
                return _several(left, right, items)
    return None


def _matrix(text: str) -> Answer | None:
    """Read a matrix as a group of rows."""
    found = MATRIX.fullmatch(text)
    if not found:
        return None
    body = (
        re.sub(r"^\{[lcr|]*\}", "", found.group(2)) if found.group(1) == "array" else found.group(2)
    )
    rows = [row for row in split_top_level(body, ROW) if row]
    return Collection(
        "|", "|", tuple(_several("|", "|", split_top_level(row, COLUMN)) for row in rows)
    )


def _scalar(text: str) -> Answer | None:
    """Read a number or formula with its percent sign, degrees and unit."""
    based = BASE.fullmatch(text)
    if based:
        return Scalar(
            ("num", Fraction(based.group(1))), unit=f"_{based.group(2) or based.group(3)}"
        )
    bare_text = PERCENT.sub("", text)
    percent = bare_text != text
    if not TRIGONOMETRIC.search(bare_text):
        bare_text = DEGREES.sub("", bare_text).replace("^\\circ", "").strip()
    bare_text, unit = _without_unit(bare_text)
    tree = _tree(bare_text)
    if tree is None:
        return None
    trees = [_signed(tree, 1), _signed(tree, -1)] if has(tree, ("pm", "mp")) else [tree]
    decimal = DECIMAL.fullmatch(bare_text)
    places = len(decimal.group(2)) if decimal else None
    digits = len((decimal.group(1) + decimal.group(2)).lstrip("0")) if decimal else 0
    scalars = tuple(Scalar(tree, percent, unit, places, digits) for tree in trees)
    return scalars[0] if len(scalars) == 1 else Collection("", "", scalars)


def _without_unit(text: str) -> tuple[str, str]:
    """Return a text without the unit behind it, and the unit."""
    found = UNIT.search(text) or BARE_UNIT.search(text)
    if not found:
        return text, ""
    unit = re.sub(r"\\text|[\s{}~.]", "", found.group()).lower()
    return text[: found.start()].strip(), unit


def _signed(tree: Tree, sign: int) -> Tree:
    """Return the tree with plus-minus read as plus (or minus), and minus-plus as the other."""
    if tree[0] in ("pm", "mp"):
        plus = (tree[0] == "pm") == (sign > 0)
        return ("add" if plus else "sub", _signed(tree[1], sign), _signed(tree[2], sign))
    return tuple(_signed(b, sign) if isinstance(b, tuple) else b for b in tree)
