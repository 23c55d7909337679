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
    Qualified,
    Scalar,
    Text,
    Unparsed,
)
from passk.verifiers.math.expr_tree import Tree
from passk.verifiers.math.formulas import has, variables_of
from passk.verifiers.math.lexer import LOG, ParseError
from passk.verifiers.math.normalize import (
    CONNECTIVE,
    as_text,
    inside_brackets,
    normalize,
    split_top_level,
    squeeze,
)
from passk.verifiers.math.parser import parse
from passk.verifiers.math.units import SIGNS, SINGLE, canonical_unit

SEPARATOR = re.compile(r",|;|\\quad(?![a-zA-Z])|\\text ?\{ ?[,;]? ?(?:and|or)? ?\}| (?:and|or) ")
CUP = re.compile(r"\\cup(?![a-zA-Z])")
EQUALS = re.compile(r"(?<![<>!:])=|\\approx(?![a-zA-Z])|\\equiv(?![a-zA-Z])|\\coloneqq")
ELEMENT = re.compile(r"\\in(?![a-zA-Z])")
ORDER = re.compile(r"\\(?:le|ge)(?![a-zA-Z])|[<>]=?")
DOTS = re.compile(r"\\[lcvd]?dots|\.\.\.")

NAME = re.compile(
    r"(?:\\text ?\{[^{}]*\}|\\(?:vec|overrightarrow|hat|bar|overline|mathbf) ?\{[^{}]*\}"
    r"|\\?[a-zA-Z]+)(?:_(?:\{[^{}]*(?:\{[^{}]*\})?[^{}]*\}|[a-zA-Z0-9]))?"
    r"'?(?:\^\{?-1\}?)?(?:\([a-zA-Z0-9_, ]*\))?(?: \\?[a-zA-Z]+(?:_\{?[a-zA-Z0-9]+\}?)?)*"
    r"|\([a-zA-Z](?:_\{?[a-zA-Z0-9]+\}?)?(?:,[a-zA-Z](?:_\{?[a-zA-Z0-9]+\}?)?)*\)"
)
"""What can be given a value: x, x_1, a_{max}, f(x), \\angle A B C, (x,y), or words."""

DECIMAL = re.compile(r"-?([0-9]*)\.([0-9]+)")
PERCENT = re.compile(r"(?: ?\\?%| ?\\text ?\{ ?(?:percent|\\?%) ?\}| percent)$")
DEGREES = re.compile(r"(?:\^\\circ ?|\\text ?\{ ?degrees? ?\}| degrees?)$")
TRIGONOMETRIC = re.compile(r"sin|cos|tan|cot|sec|csc")
UNIT = re.compile(
    r"(?<=[0-9a-zA-Z})!])(?: ?(?:\\cdot|/|\\times)? ?"
    r"\\text ?\{(?:[^{}]|\{[^{}]*\}){0,99}\}(?:\^\{?-?[0-9]\}?)?)+$"
)
BARE_UNIT = re.compile(
    r"(?<=[0-9})]) ?(?:(?:square |cubic |sq\.? ?|cu\.? ?)?"
    r"(?:cm|mm|km|kg|mg|ml|mph|kmh|ft|in|units?)"
    r"(?:(?:/|\^-1 ?)(?:h|hr|s|min|hour|second|minute))?"
    r"|[\u4e00-\u9fff]{1,4}"
    r"|(?<= )(?:[a-zA-Z]{1,6}(?:\^\{?[23]\}?)?/[a-zA-Z]{2,6})"
    r"|(?<= )(?!(?:arc|sin|cos|tan|cot|sec|csc|log|exp|sqrt|mod)\b)[a-zA-Z]{3,}(?: [a-zA-Z]+)*)"
    r"(?:\^\{?[23]\}?)?$"
)
BASE = re.compile(r"([0-9]{1,600})_(?:\{([0-9]{1,3})\}|([0-9]{1,2}))")
MATRIX = re.compile(r"\\begin\{([pbvBV]?matrix|array)\}(.*)\\end\{\1\}", re.DOTALL)
ROW = re.compile(r"\\\\")
COLUMN = re.compile("&")
SINGLE_UNIT = re.compile(
    rf"(?<=[0-9]) ([{''.join(sorted(SINGLE))}](?:\^\{{?-?[23]\}}?)?"
    rf"(?:/[{''.join(sorted(SINGLE))}](?:\^\{{?[23]\}}?)?)?)$"
)
"""What can be a unit or a variable: `15 m`, `15 m/s`."""

NO_LABEL = re.compile(
    r"\b(?:or|than|not|no|more|less|least|most|if|when|where|times|plus|minus|mod|from|between|to|"
    r"except|only|both|either|neither|hundred|thousand|million|billion|trillion|dozen|half|squared|"
    r"cubed|percent|over|divided|factorial)\b"
)
SCALES = {"hundred": 2, "thousand": 3, "million": 6, "billion": 9, "trillion": 12}
SCALE = re.compile(rf" ?(?:\\text ?\{{ ?)?({'|'.join(SCALES)})(?: ?\}})?(?=$| )", re.IGNORECASE)
CHOICE_LABEL = re.compile(
    r"(?:\\text ?\{ ?\(?([A-J])\)?[.:]? ?\}|\(([A-J])\))[ :.]?(?=[0-9\\])(?!\\text)"
)
QUALIFIER = re.compile(
    r"(?:,? ?\\text ?\{ ?,? ?|, ?| |(?<=[)\]}]))(?=(?:for|where|with|when|such that)\b)(.+)$"
)
MEMBERSHIP = re.compile(r"([a-zA-Z]) ?\\in ?\\mathbb ?\{([ZNRQC])\}(?:\^?\{?[+*]\}?)?")
PREFIX = re.compile(
    r"(?:\\text ?\{ ?)?(?:the )?(?:final )?(?:solutions?|answers?)(?: set)?(?: is| are)?"
    r" ?:? ?\}?:? ?(?=[\\\[({0-9a-z])",
    re.IGNORECASE,
)
ISO_INTERVAL = re.compile(r"([\[\]])([^\[\](),]+),([^\[\](),]+)([\[\]])")
SET_BUILDER = re.compile(r"\\\{([a-zA-Z])(?:\\in ?\\mathbb ?\{R\})? ?(?::|\|)(.+)\\\}")
ABSOLUTE = re.compile(r"\|([a-zA-Z])\| ?(<=?|>=?|\\le|\\ge) ?([^<>=]+)")
NOT_EQUAL = re.compile(r"\\ne(?![a-zA-Z])")
CASES = re.compile(r"\\begin\{cases\}(.*)\\end\{cases\}", re.DOTALL)
CONDITION_WORDS = re.compile(r"\\text ?\{ ?(?:if|for|when|where)? ?\}|^(?:if|for|when) |[,;]$")
ANY_MATRIX = re.compile(r"\\begin\{([pbB]?matrix|array)\}(.*?)\\end\{\1\}(\^\{?T\}?)?", re.DOTALL)
OPERATOR = re.compile(r"\\(?:lim|int|sum|prod|det|Pr|angle|gcd|binom|max|min)|P ?\(|\\begin")
MAX_LABEL_WORDS = 4
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
    text = PREFIX.sub("", text, count=1) if PREFIX.match(text) else text
    label = CHOICE_LABEL.match(text)
    if label:
        return Assignment(f"choice {label[1] or label[2]}", _parse(text[label.end() :]))
    if not text or DOTS.search(text):
        return Unparsed(text)
    if text.startswith("]") or text.endswith("["):
        text = ISO_INTERVAL.sub(_iso_interval, text)
    text = _without_frame(text)
    qualified = _qualified(text)
    if qualified is not None:
        return qualified
    items = [item for item in split_top_level(text, SEPARATOR) if item]
    if len(items) > 1:
        return _several("", "", items)
    return _parse_item(items[0]) if items else Unparsed(text)


def _without_frame(text: str) -> str:
    """Return an array without the brackets around it, and a set in bare braces with them."""
    for left, right in ("[]", "()"):
        inside = inside_brackets(text, left, right)
        if inside and inside.startswith("\\begin{array}") and inside.endswith("\\end{array}"):
            return inside
    inside = inside_brackets(text, "{", "}")
    return f"\\{{{inside}\\}}" if inside and "," in inside else text


def _iso_interval(found: re.Match[str]) -> str:
    """Return `]2,5]` as `(2,5]`."""
    left, right = "(" if found[1] == "]" else "[", ")" if found[4] == "[" else "]"
    return f"{left}{found[2]},{found[3]}{right}"


def _qualified(text: str) -> Answer | None:
    r"""Read `A \text{ for all real } t` or `A, n \in \mathbb{Z}` as A with its condition."""
    items = split_top_level(text, SEPARATOR)
    members = [MEMBERSHIP.fullmatch(item) for item in items]
    if len(items) > 1 and any(members) and not members[0]:
        rest = [item for item, member in zip(items, members, strict=True) if not member]
        names = sorted(f"{member[2]}" for member in members if member)
        return Qualified(_parse(", ".join(rest)), f"mathbb{''.join(names)}")
    found = QUALIFIER.search(text)
    if not found or not found.start() or "\\begin" in text or text.startswith("\\text"):
        return None
    condition = squeeze(found[1])
    for kind, letter in (("integer", "Z"), ("real", "R")):
        if kind in condition and "positive" not in condition and "except" not in condition:
            condition = f"mathbb{letter}"
    return Qualified(_parse(text[: found.start()]), condition)


def _parse_item(text: str) -> Answer:
    """Read an answer that is no bare list."""
    readers = (
        _cases,
        _matrix,
        _union,
        _set_builder,
        _element,
        _not_equal,
        _absolute,
        _interval_of,
        _equation,
        _words,
        _brackets,
        _matrix_sum,
        _scalar,
    )
    for reader in readers:
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


def _set_builder(text: str) -> Answer | None:
    r"""Read `\{x : 0 \le x \le 1\}` as the set that its condition describes."""
    found = SET_BUILDER.fullmatch(text)
    if not found:
        return None
    condition = _parse(found[2].removesuffix("\\"))
    return condition if isinstance(condition, Assignment | Collection) else Unparsed(text)


def _not_equal(text: str) -> Answer | None:
    r"""Read `x \ne 0`."""
    parts = split_top_level(text, NOT_EQUAL)
    if len(parts) != 2 or not all(parts):  # noqa: PLR2004
        return None
    if NAME.fullmatch(parts[0]):
        return Assignment(parts[0].replace(" ", ""), Collection("ne", "ne", (_parse(parts[1]),)))
    return _relation_between(parts[0], parts[1], "ne") or Unparsed(text)


def _absolute(text: str) -> Answer | None:
    """Read `|x| < 3` as an interval, and `|x| > 3` as a union of two."""
    found = ABSOLUTE.fullmatch(text)
    bound = _scalar(found[3]) if found else None
    if not found or not isinstance(bound, Scalar):
        return None
    closed, infinite = found[2] not in ("<", ">"), ("var", "infty")
    low = Scalar(("neg", bound.tree))
    if found[2] in ("<", "<=", "\\le"):
        inside = Collection("[" if closed else "(", "]" if closed else ")", (low, bound))
        return Assignment(found[1], inside)
    left = Collection("(", "]" if closed else ")", (Scalar(("neg", infinite)), low))
    right = Collection("[" if closed else "(", ")", (bound, Scalar(infinite)))
    return Assignment(found[1], Collection("u", "u", (left, right)))


def _relation_between(left: str, right: str, relation: str) -> Answer | None:
    """Return a relation between two formulas, a greater-than turned into a less-than."""
    first, second = _side(left), _side(right)
    if first is None or second is None:
        return None
    sides = first, second
    low, high = sides if not relation.startswith((">", "\\ge")) else sides[::-1]
    kind = "ne" if relation == "ne" else "le" if "=" in relation or "\\" in relation else "lt"
    return Equation(low, high, kind)


def _cases(text: str) -> Answer | None:
    r"""Read a `cases` environment: values with their conditions, or a system of equations."""
    found = CASES.fullmatch(text)
    if not found:
        return None
    rows = [split_top_level(row, COLUMN) for row in split_top_level(found[1], ROW) if row]
    if any(len(row) > 2 for row in rows):  # noqa: PLR2004
        return Unparsed(text)
    items: list[Answer] = []
    for row in rows:
        parts = [CONDITION_WORDS.sub("", part).strip(" ,") for part in row]
        parsed = tuple(_parse(part) for part in parts)
        items.append(parsed[0] if len(parsed) == 1 else Collection("(", ")", parsed))
    kind = "{" if all(len(row) == 1 for row in rows) else "c"
    return Collection(kind, "}" if kind == "{" else "c", tuple(items))


def _interval_of(text: str) -> Answer | None:
    r"""Read `x > 2` or `-1 \le x < 3` as the interval that it describes."""
    signs = [found.group() for found in ORDER.finditer(text)]
    if not signs:
        return None
    parts = split_top_level(text, ORDER)
    if len(parts) == 1:
        return None
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
    bounded = _bounded(parts, ["=" in sign or "\\" in sign for sign in signs])
    if bounded is None and len(parts) == 2:  # noqa: PLR2004
        bounded = _relation_between(parts[0], parts[1], signs[0])
    return bounded or Unparsed(text)


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
    if left and not variables_of(left) - {LOG}:
        return _parse(parts[-1])
    if left is None and (OPERATOR.search(parts[0]) or len(parts) > 2):  # noqa: PLR2004
        return Assignment(squeeze(parts[0]), _parse(parts[-1]))
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
    if inside is not None and re.search(r",| and | or ", inside) and WORD_LIST.fullmatch(inside):
        return _parse(CONNECTIVE.sub(as_text, inside))
    if inside is not None or _is_wordy(text) or text.lower() in NOTHING:
        return _text(text)
    return None


def _text(text: str) -> Answer:
    """Return words without an article, in one spelling; "infinity" is the number."""
    plain = squeeze(ARTICLE.sub(r"\1", text))
    if plain in ("infinity", "+infinity", "positiveinfinity"):
        return Scalar(("var", "infty"))
    if plain in ("-infinity", "negativeinfinity"):
        return Scalar(("neg", ("var", "infty")))
    return Text("doesnotexist" if plain in NOTHING else plain)


ARTICLE = re.compile(r"^((?:\\text ?\{ ?)?)(?:an?|the) ", re.IGNORECASE)
WORD_LIST = re.compile(r"[a-zA-Z0-9 ,'-]+")
NOTHING = ("dne", "doesn'texist", "doesnotexist", "limitdoesnotexist", "nolimit")


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
            items = [item for item in split_top_level(inside or "", SEPARATOR) if item]
            if len(items) > 1:
                return _several(left, right, items)
    return None


def _matrix(text: str) -> Answer | None:
    """Read a matrix as a group of rows."""
    found = MATRIX.fullmatch(text)
    if not found or text.count("\\begin") > 1:
        return None
    body = (
        re.sub(r"^\{[lcr|]*\}", "", found.group(2)) if found.group(1) == "array" else found.group(2)
    )
    rows = [row for row in split_top_level(body, ROW) if row]
    return Collection(
        "|", "|", tuple(_several("|", "|", split_top_level(row, COLUMN)) for row in rows)
    )


def _matrix_sum(text: str) -> Answer | None:
    r"""Read scaled, added and transposed matrices, cell by cell."""
    found = list(ANY_MATRIX.finditer(text))
    if not found or found[-1].end() != len(text):
        return None
    total: list[list[Tree]] | None = None
    end = 0
    for match in found:
        factor = _factor(text[end : match.start()], first=end == 0)
        cells = _cells(match)
        end = match.end()
        if factor is None or cells is None:
            return None
        cells = [[("mul", factor, cell) for cell in row] for row in cells]
        if total is not None:
            if [len(row) for row in total] != [len(row) for row in cells]:
                return None
            cells = [
                [("add", a, b) for a, b in zip(above, below, strict=True)]
                for above, below in zip(total, cells, strict=True)
            ]
        total = cells
    rows = [Collection("|", "|", tuple(Scalar(cell) for cell in row)) for row in total or []]
    return Collection("|", "|", tuple(rows))


def _factor(text: str, *, first: bool) -> Tree | None:
    """Return what a matrix is multiplied by, from the text in front of it."""
    plain = re.sub(r"\\cdot|\*", "", text).strip()
    if not first and not plain.startswith(("+", "-")):
        return None
    if plain in ("", "+", "-"):
        return ("num", Fraction(-1 if plain == "-" else 1))
    return _side(plain.removeprefix("+"))


def _cells(match: re.Match[str]) -> list[list[Tree]] | None:
    """Return the cells of a matrix as trees, transposed where it says so."""
    body = re.sub(r"^\{[lcr|]*\}", "", match[2]) if match[1] == "array" else match[2]
    rows = [split_top_level(row, COLUMN) for row in split_top_level(body, ROW) if row]
    trees = [[tree for cell in row if (tree := _side(cell)) is not None] for row in rows]
    if [len(row) for row in rows] != [len(row) for row in trees] or len(set(map(len, rows))) != 1:
        return None
    return [list(column) for column in zip(*trees, strict=True)] if match[3] else trees


def _scalar(text: str) -> Answer | None:
    """Read a number or formula with its percent sign, degrees and unit."""
    based = BASE.fullmatch(text)
    if based:
        return Scalar(
            ("num", Fraction(based.group(1))), unit=f"_{based.group(2) or based.group(3)}"
        )
    bare_text = PERCENT.sub("", text)
    percent = bare_text != text
    bare_text, unit = _without_unit(bare_text)
    if not TRIGONOMETRIC.search(bare_text):
        plain = DEGREES.sub("", bare_text).replace("^\\circ", "").strip()
        if plain != bare_text:
            bare_text, unit = plain, unit or canonical_unit("degree")
    bare_text, power = _without_scale(bare_text)
    tree = _tree(bare_text)
    if tree is None:
        return None
    if power:
        tree = ("mul", tree, ("num", Fraction(10**power)))
    single = SINGLE_UNIT.search(bare_text)
    if single and not unit and (number := _tree(bare_text[: single.start()])) is not None:
        return Scalar(tree, percent, with_unit=(number, canonical_unit(single[1])))
    trees = [_signed(tree, 1), _signed(tree, -1)] if has(tree, ("pm", "mp")) else [tree]
    decimal = DECIMAL.fullmatch(bare_text)
    places = len(decimal.group(2)) if decimal else None
    digits = len((decimal.group(1) + decimal.group(2)).lstrip("0")) if decimal else 0
    scalars = tuple(Scalar(tree, percent, unit, places, digits) for tree in trees)
    return scalars[0] if len(scalars) == 1 else Collection("", "", scalars)


def _without_unit(text: str) -> tuple[str, str]:
    """Return a text without the unit behind it, and the unit."""
    sign = next((sign for sign in text if sign in SIGNS), None)
    if sign is not None:
        bare, _ = _without_unit(text.replace(sign, ""))
        return bare, canonical_unit(SIGNS[sign])
    found = UNIT.search(text) or BARE_UNIT.search(text)
    if not found or NO_LABEL.search(found.group()):
        return text, ""
    words = re.sub(r"\\text|[{}~.]", " ", found.group())
    if len(words.split()) > MAX_LABEL_WORDS:
        return text, ""
    return text[: found.start()].strip(), canonical_unit(found.group())


def _without_scale(text: str) -> tuple[str, int]:
    """Return a text without the "million" behind its number, and its power of ten."""
    found = SCALE.search(text)
    if not found or found.end() != len(text) or not found.start():
        return text, 0
    return text[: found.start()].strip(), SCALES[found[1].lower()]


def _signed(tree: Tree, sign: int) -> Tree:
    """Return the tree with plus-minus read as plus (or minus), and minus-plus as the other."""
    if tree[0] in ("pm", "mp"):
        plus = (tree[0] == "pm") == (sign > 0)
        return ("add" if plus else "sub", _signed(tree[1], sign), _signed(tree[2], sign))
    return tuple(_signed(b, sign) if isinstance(b, tuple) else b for b in tree)
