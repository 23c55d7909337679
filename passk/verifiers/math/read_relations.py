"""Read equations, inequalities, memberships and conditions on one name."""

from __future__ import annotations

import re

from passk.verifiers.math.answers import (
    Answer,
    Approximation,
    Assignment,
    Collection,
    Equation,
    Parse,
    Scalar,
    Unparsed,
)
from passk.verifiers.math.compare_scalars import is_rounded
from passk.verifiers.math.expr_tree import variables_of
from passk.verifiers.math.lexer import LOG
from passk.verifiers.math.normalize import split_top_level, squeeze
from passk.verifiers.math.parser import try_parse_value
from passk.verifiers.math.read_scalars import read_scalar

NAME = re.compile(
    r"(?:\\text ?\{[^{}]*\}|\\(?:vec|overrightarrow|hat|bar|overline|mathbf) ?\{[^{}]*\}"
    r"|\\?[a-zA-Z]+)(?:_(?:\{[^{}]*(?:\{[^{}]*\})?[^{}]*\}|[a-zA-Z0-9]))?"
    r"'?(?:\^\{?-1\}?)?(?:\([a-zA-Z0-9_, ]*\))?(?: \\?[a-zA-Z]+(?:_\{?[a-zA-Z0-9]+\}?)?)*"
    r"|\(\\?[a-zA-Z]+(?:_\{?[a-zA-Z0-9]+\}?)?(?:,\\?[a-zA-Z]+(?:_\{?[a-zA-Z0-9]+\}?)?)*\)"
    r"|[a-zA-Z]{1,3}(?::[a-zA-Z]{1,3})+"
)
"""What can be given a value: x, x_1, a_{max}, f(x), \\angle A B C, (x,y), a:b, or words."""
EQUALS = re.compile(r"(?<![<>!:])=|\\approx(?![a-zA-Z])|\\equiv(?![a-zA-Z])|\\coloneqq")
APPROXIMATELY = re.compile(r"\\approx(?![a-zA-Z])|\\simeq(?![a-zA-Z])")
ELEMENT = re.compile(r"\\in(?![a-zA-Z])")
ORDER = re.compile(r"\\(?:le|ge)(?![a-zA-Z])|[<>]=?")
NOT_EQUAL = re.compile(r"\\ne(?![a-zA-Z])")
SET_BUILDER = re.compile(r"\\\{([a-zA-Z])(?: ?\\in ?\\mathbb ?\{R\})? ?(?::|\|)(.+)\\\}")
ABSOLUTE = re.compile(r"\|([a-zA-Z])(?:([+-])([^<>=|]+))?\| ?(<=?|>=?|\\le|\\ge) ?([^<>=|]+)")
DERIVATIVE = re.compile(r"\\frac ?\{d\^?[^{} ]{0,5} ?[a-zA-Z]?\}\{d ?[a-zA-Z](?:\^[^{}]{1,3})?\}")
OPERATOR = re.compile(
    r"\\(?:lim|int|sum|prod|det|Pr|angle|gcd|lcm|binom|max|min|[bp]?mod)|\bmod\b|P ?\(|\\begin"
)


def read_element(text: str, parse: Parse) -> Answer | None:
    r"""Read `x \in A`."""
    parts = split_top_level(text, ELEMENT)
    if len(parts) == 2 and NAME.fullmatch(parts[0]):  # noqa: PLR2004
        return Assignment(parts[0], parse(parts[1]))
    return None


def read_set_builder(text: str, parse: Parse) -> Answer | None:
    r"""Read `\{x : 0 \le x \le 1\}` as the set that its condition describes."""
    found = SET_BUILDER.fullmatch(text)
    if not found:
        return None
    condition = parse(found[2].removesuffix("\\"))
    return condition if isinstance(condition, Assignment | Collection) else Unparsed(text)


def read_not_equal(text: str, parse: Parse) -> Answer | None:
    r"""Read `x \ne 0`."""
    parts = split_top_level(text, NOT_EQUAL)
    if len(parts) != 2 or not all(parts):  # noqa: PLR2004
        return None
    if NAME.fullmatch(parts[0]):
        return Assignment(parts[0].replace(" ", ""), Collection("ne", "ne", (parse(parts[1]),)))
    return _relation_between(parts[0], parts[1], "ne") or Unparsed(text)


def read_absolute(text: str) -> Answer | None:
    """Read `|x-1| < 3` as an interval, and `|x-1| > 3` as a union of two."""
    found = ABSOLUTE.fullmatch(text)
    if not found:
        return None
    bound, shift = try_parse_value(found[5]), try_parse_value(found[3] or "0")
    if bound is None or shift is None or variables_of(shift):
        return None
    name, sign, order = found[1], found[2], found[4]
    middle = shift if sign == "-" else ("neg", shift)
    low, high = (
        Scalar(
            ("sub" if side < 0 else "add", middle, bound)
            if found[3]
            else ("neg", bound)
            if side < 0
            else bound
        )
        for side in (-1, 1)
    )
    closed, infinite = order not in ("<", ">"), ("var", "infty")
    if order in ("<", "<=", "\\le"):
        inside = Collection("[" if closed else "(", "]" if closed else ")", (low, high))
        return Assignment(name, inside)
    left = Collection("(", "]" if closed else ")", (Scalar(("neg", infinite)), low))
    right = Collection("[" if closed else "(", ")", (high, Scalar(infinite)))
    return Assignment(name, Collection("u", "u", (left, right)))


def read_inequality(text: str) -> Answer | None:
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
        name, low, high = parts[1], read_scalar(parts[0]), read_scalar(parts[2])
    elif len(parts) == 2 and NAME.fullmatch(parts[0]):  # noqa: PLR2004
        name, low, high = parts[0], Scalar(("neg", infinite)), read_scalar(parts[1])
        closed = [False, *closed]
    elif len(parts) == 2 and NAME.fullmatch(parts[1]):  # noqa: PLR2004
        name, low, high = parts[1], read_scalar(parts[0]), Scalar(infinite)
        closed = [*closed, False]
    else:
        return None
    if low is None or high is None:
        return None
    left, right = "[" if closed[0] else "(", "]" if closed[1] else ")"
    return Assignment(name, Collection(left, right, (low, high)))


def read_approximation(text: str, parse: Parse) -> Answer | None:
    r"""Read `x = 6\pi \approx 18.85`; if the decimal is not the value, it says neither."""
    parts = split_top_level(text, APPROXIMATELY)
    if len(parts) != 2 or not all(parts):  # noqa: PLR2004
        return None
    exact, rounded = parse(parts[0]), read_scalar(parts[1])
    value = exact.answer if isinstance(exact, Assignment) else exact
    if not isinstance(value, Scalar) or not isinstance(rounded, Scalar):
        return None
    consistent = None if variables_of(value.tree) else is_rounded(value, rounded)
    if consistent is None:
        return None
    return Approximation(exact, rounded) if consistent else Unparsed(text)


def read_equation(text: str, parse: Parse) -> Answer | None:
    """Read `name = answer`, a chain of equalities, or an equation between two formulas."""
    parts = split_top_level(text, EQUALS)
    if len(parts) == 1:
        return None
    if not all(parts):
        return parse(parts[-1]) if len(parts) == 2 and parts[-1] else Unparsed(text)  # noqa: PLR2004
    left, right = try_parse_value(parts[0]), try_parse_value(parts[-1])
    whole = Equation(left, right) if left and right and len(parts) == 2 else None  # noqa: PLR2004
    if NAME.fullmatch(parts[0]):
        return Assignment(parts[0].replace(" ", ""), parse(parts[-1]), whole)
    if left and not variables_of(left) - {LOG}:
        return parse(parts[-1])
    chain = len(parts) > 2  # noqa: PLR2004
    if left is None and (OPERATOR.search(parts[0]) or DERIVATIVE.fullmatch(parts[0]) or chain):
        return Assignment(squeeze(parts[0]), parse(parts[-1]))
    return whole or Unparsed(text)


def _relation_between(left: str, right: str, relation: str) -> Answer | None:
    """Return a relation between two formulas, a greater-than turned into a less-than."""
    first, second = try_parse_value(left), try_parse_value(right)
    if first is None or second is None:
        return None
    sides = first, second
    low, high = sides if not relation.startswith((">", "\\ge")) else sides[::-1]
    kind = "ne" if relation == "ne" else "le" if "=" in relation or "\\" in relation else "lt"
    return Equation(low, high, kind)
