r"""Reading an answer: from text in any notation to what it says.

`parse_answer` never fails: text that it does not understand is `Unparsed`, equal only to itself.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable

from passk.verifiers.math.answers import Answer, Assignment, Collection, Qualified, Unparsed
from passk.verifiers.math.normalize import inside_brackets, normalize, split_top_level, squeeze
from passk.verifiers.math.read_matrices import read_cases, read_matrix, read_matrix_sum
from passk.verifiers.math.read_relations import (
    read_absolute,
    read_approximation,
    read_element,
    read_equation,
    read_inequality,
    read_not_equal,
    read_set_builder,
)
from passk.verifiers.math.read_scalars import read_scalar
from passk.verifiers.math.read_vectors import read_unit_vectors
from passk.verifiers.math.read_words import read_phrase, read_words

SEPARATOR = re.compile(r",|;|\\quad(?![a-zA-Z])|\\text ?\{ ?[,;]? ?(?:and|or)? ?\}| (?:and|or) ")
CUP = re.compile(r"\\cup(?![a-zA-Z])")
DOTS = re.compile(r"\\[lcvd]?dots|\.\.\.")
CHOICE_LABEL = re.compile(
    r"(?:\\text ?\{ ?\(?([A-J])\)?[.:]? ?\}|\(?([A-J])\))[ :.]?(?=[0-9\\])(?!\\text)"
)
QUALIFIER = re.compile(
    r"(?:,? ?\\text ?\{ ?,? ?|, ?| |(?<=[)\]}]))(?=(?:for|where|with|when|such that)\b)(.+)$"
)
MEMBERSHIP = re.compile(r"([a-zA-Z]) ?\\in ?\\mathbb ?\{([ZNRQC])\}(?:\^?\{?[+*]\}?)?")
PARAMETER = re.compile(r"(?<![\\a-zA-Z])([a-zA-Z])(?![a-zA-Z])")
MODULO = re.compile(r" ?\(?\\[pb]?mod ?\{? ?([0-9]{1,9}|[a-z]) ?\}?\)?$")
ALL_REALS = re.compile(r"(?:allreal(?:s|numbers?|values?(?:of)?)?|therealnumbers)[a-z]?")
REALS_WITHOUT = re.compile(r"\\mathbb ?\{R\} ?(?:\\setminus|\\backslash|-) ?\\\{(.+)\\\}")
PREFIX = re.compile(
    r"(?:\\text ?\{ ?)?(?:the )?(?:final )?(?:solutions?|answers?)(?: set)?(?: is| are)?"
    r" ?:? ?\}?:? ?(?=[\\\[({0-9a-z])",
    re.IGNORECASE,
)
ISO_INTERVAL = re.compile(r"([\[\]])([^\[\](),]+),([^\[\](),]+)([\[\]])")


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
    whole = read_phrase(text) or _qualified(text)
    if whole is not None:
        return whole
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
    if len(items) == 2 and members[0] and members[0][2] == "R":  # noqa: PLR2004
        about = re.match(rf"{members[0][1]} ?(?:\\[lg]e|\\ne|[<>])", items[1])
        return _parse(items[1]) if about else None
    if len(items) > 1 and any(members) and not members[0]:
        rest = [item for item, member in zip(items, members, strict=True) if not member]
        sets = sorted((member[2], member[1]) for member in members if member)
        condition = "mathbb" + "".join(letter for letter, _ in sets)
        return Qualified(_parse(", ".join(rest)), condition, tuple(name for _, name in sets))
    modulo = MODULO.search(text)
    if modulo and modulo.start():
        return Qualified(_parse(text[: modulo.start()]), f"mod{squeeze(modulo[1])}")
    found = QUALIFIER.search(text)
    if not found or not found.start() or "\\begin" in text or text.startswith("\\text"):
        return None
    condition = squeeze(found[1])
    for kind, letter in (("integer", "Z"), ("real", "R")):
        if kind in condition and "positive" not in condition and "except" not in condition:
            named = PARAMETER.search(found[1])
            names = (named[1],) if named else ()
            return Qualified(_parse(text[: found.start()]), f"mathbb{letter}", names)
    return Qualified(_parse(text[: found.start()]), condition)


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


def _brackets(text: str) -> Answer | None:
    """Read a set, a tuple or an interval."""
    inside = inside_brackets(text, "\\{", "\\}")
    if inside is not None:
        return _several("{", "}", [item for item in split_top_level(inside, SEPARATOR) if item])
    if text in ("\\emptyset", "\\varnothing"):
        return Collection("{", "}", ())
    if text == "\\mathbb{R}" or ALL_REALS.fullmatch(squeeze(text)):
        return _parse("(-\\infty,\\infty)")
    without = REALS_WITHOUT.fullmatch(text)
    if without:
        return Collection(
            "ne", "ne", _several("", "", split_top_level(without[1], SEPARATOR)).items
        )
    for left in "([":
        for right in ")]":
            inside = inside_brackets(text, left, right)
            items = [item for item in split_top_level(inside or "", SEPARATOR) if item]
            if len(items) > 1:
                return _several(left, right, items)
    return None


def _parse_item(text: str) -> Answer:
    """Read an answer that is no bare list."""
    for reader in READERS:
        answer = reader(text)
        if answer is not None:
            return answer
    return Unparsed(text)


READERS: tuple[Callable[[str], Answer | None], ...] = (
    lambda text: read_cases(text, _parse),
    lambda text: read_matrix(text, _several),
    _union,
    lambda text: read_set_builder(text, _parse),
    lambda text: read_element(text, _parse),
    lambda text: read_not_equal(text, _parse),
    read_absolute,
    read_inequality,
    lambda text: read_approximation(text, _parse),
    lambda text: read_equation(text, _parse),
    _brackets,
    lambda text: read_words(text, _parse),
    read_matrix_sum,
    read_unit_vectors,
    read_scalar,
)
"""Tried in this order; the first that understands the text decides."""
