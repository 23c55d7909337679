"""Whether two answers are equal: yes, no, or not decided by these rules (None)."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Sequence
from dataclasses import replace

from passk.verifiers.math.answers import (
    Answer,
    Approximation,
    Assignment,
    Collection,
    Equation,
    Qualified,
    Scalar,
    Text,
    Unparsed,
    free_names,
    rename,
)
from passk.verifiers.math.compare_conditions import compare_qualified
from passk.verifiers.math.compare_relations import compare_equations
from passk.verifiers.math.compare_scalars import CompareOptions, compare_scalars
from passk.verifiers.math.compare_words import compare_unparsed, compare_words
from passk.verifiers.math.expr_tree import variables_of
from passk.verifiers.math.formulas import value_name
from passk.verifiers.math.real_sets import real_set, same_real_set

SIMPLE_NAME = re.compile(r"choice [A-J]|\\?[a-zA-Z]+(?:_.+)?'?(?:\([^()]*\))?")
"""A name of one symbol: x, x_1, f(x); or a choice's letter."""

FUNCTION_OF = re.compile(r"([a-zA-Z])\(([a-zA-Z])\)")
"""A function with its argument: f(x)."""

NO_SOLUTION = {Text("nosolution"), Collection("{", "}", ())}

INDEX = re.compile(r"_(?:[0-9]|\{[0-9]+\})$")

PARAMETER_NAMES = frozenset({"s", "t", "lambda", "mu"})
"""Names that parametrised solutions give to any real number."""

MAX_ITEMS = 100
"""Most items of an unordered group that are matched with each other."""


def equal(  # noqa: PLR0911 - a kind of answer after the other
    gold: Answer, answer: Answer, rules: CompareOptions
) -> bool | None:
    """Return whether an answer says what the gold answer does, or None where it is not clear."""
    if gold == answer:
        return None if isinstance(gold, Unparsed) and not gold.text else True
    if isinstance(gold, Approximation) or isinstance(answer, Approximation):
        return _compare_approximations(gold, answer, rules)
    if isinstance(gold, Qualified) or isinstance(answer, Qualified):
        return compare_qualified(gold, answer, functools.partial(equal, rules=rules))
    if isinstance(gold, Unparsed) or isinstance(answer, Unparsed):
        return compare_unparsed(gold, answer)
    if isinstance(gold, Equation) or isinstance(answer, Equation):
        return _compare_equation_with(gold, answer, rules)
    if isinstance(gold, Assignment) or isinstance(answer, Assignment):
        return _compare_assignments(gold, answer, rules)
    if {gold, answer} == NO_SOLUTION:
        return True
    if isinstance(gold, Collection) or isinstance(answer, Collection):
        return _compare_collections(_as_group(gold), _as_group(answer), rules)
    if isinstance(gold, Scalar) and isinstance(answer, Scalar):
        return compare_scalars(gold, answer, rules)
    return compare_words(gold, answer, rules)


def _compare_approximations(gold: Answer, answer: Answer, rules: CompareOptions) -> bool | None:
    """Compare where one says an exact value and its decimal: either may be meant."""
    golds, answers = (
        [side.answer, side.rounded] if isinstance(side, Approximation) else [side]
        for side in (gold, answer)
    )
    found = [equal(a, b, rules) for a in golds for b in answers]
    return True if True in found else None if None in found else False


def _compare_assignments(gold: Answer, answer: Answer, rules: CompareOptions) -> bool | None:
    """Compare where one or both say what their answer is the value of."""
    if isinstance(gold, Assignment) and isinstance(answer, Assignment):
        if _same_name(gold.name, answer.name):
            found = equal(gold.answer, answer.answer, rules)
            return found or compare_equations(gold.relation, answer.relation) or found
        if compare_equations(gold.relation, answer.relation):
            return True
        renamed = _same_function(gold, answer)
        if renamed is not None:
            return equal(gold, renamed, rules)
        simple = SIMPLE_NAME.fullmatch(gold.name) and SIMPLE_NAME.fullmatch(answer.name)
        return False if simple else equal(gold.answer, answer.answer, rules)
    named, other = (gold, answer) if isinstance(gold, Assignment) else (answer, gold)
    assert isinstance(named, Assignment)  # noqa: S101
    if named.name.startswith("choice ") and other == Scalar(("var", named.name[-1])):
        return True
    return equal(named.answer, answer, rules) if named is gold else equal(gold, named.answer, rules)


def _same_function(gold: Assignment, answer: Assignment) -> Assignment | None:
    """Return `f(t) = t^2` as `f(x) = x^2` where the gold answer calls its argument so."""
    names = [FUNCTION_OF.fullmatch(side.name) for side in (gold, answer)]
    if not names[0] or not names[1] or names[0][1] != names[1][1]:
        return None
    if names[0][2] in free_names(answer.answer):
        return None
    return Assignment(gold.name, rename(answer.answer, {names[1][2]: names[0][2]}))


def _same_name(gold: str, answer: str) -> bool:
    """Return whether two names are of one thing; `y` may stand for `f(x)`."""
    plain = [re.sub(r"\\(?:vec|mathbf|text)|[{} ]", "", name) for name in (gold, answer)]
    function = re.compile(r"[a-zA-Z]\([a-zA-Z]\)")
    return plain[0] == plain[1] or any(
        a == "y" and function.fullmatch(b) is not None for a, b in (plain, plain[::-1])
    )


def _compare_equation_with(gold: Answer, answer: Answer, rules: CompareOptions) -> bool | None:
    """Compare where one is an equation that gives no name a value.

    `a + b = 10` answers what `a + b` is; one that the gold answer states is no bare value.
    """
    sides = [_relation_of(side) for side in (gold, answer)]
    if sides[0] is not None and sides[1] is not None:
        return compare_equations(sides[0], sides[1])
    if isinstance(answer, Equation) and isinstance(gold, Scalar) and answer.kind == "=":
        several = len(variables_of(answer.left)) > 1
        if several and not variables_of(gold.tree) and not variables_of(answer.right):
            return equal(gold, Scalar(answer.right), rules)
    return False


def _relation_of(answer: Answer) -> Equation | None:
    """Return an answer as a relation between two formulas, if it is one."""
    return (
        answer.relation
        if isinstance(answer, Assignment)
        else (answer if isinstance(answer, Equation) else None)
    )


def _as_group(answer: Answer) -> Collection:
    """Return a lone answer as a list of one."""
    return answer if isinstance(answer, Collection) else Collection("", "", (answer,))


def _vector(answer: Collection) -> Collection:
    """Return a row or column vector as a tuple."""
    rows = [row for row in answer.items if isinstance(row, Collection)]
    if answer.left == "|" and len(rows) == len(answer.items):
        if len(rows) == 1:
            return Collection("(", ")", rows[0].items)
        if all(len(row.items) == 1 for row in rows):
            return Collection("(", ")", tuple(row.items[0] for row in rows))
    return answer


def _row(answer: Collection, *, beside: Collection) -> Collection:
    """Return `[1,0]` as a tuple where it cannot be an interval: the other side is a vector."""
    plain = answer.left + answer.right == "[]" and beside.left == "("
    return replace(answer, left="(", right=")") if plain else answer


def _compare_collections(
    gold: Collection, answer: Collection, rules: CompareOptions
) -> bool | None:
    """Compare groups: brackets first, then the items in order or as a set.

    A tuple may stand for a row or a column; a row is no column.
    """
    gold, answer = _without_indices(gold, answer), _without_indices(answer, gold, bare=True)
    answer = _same_parameter(gold, answer)
    if (gold.left, answer.left).count("|") == 1:
        gold, answer = _vector(gold), _vector(answer)
        gold, answer = _row(gold, beside=answer), _row(answer, beside=gold)
    union = {gold.left, answer.left} & {"u", "ne"}
    merged = (real_set(gold), real_set(answer)) if union else (None, None)
    if merged[0] is not None and merged[1] is not None:
        return same_real_set(merged[0], merged[1])
    if (gold.left, answer.left).count("|") == 1:
        gold, answer = _as_matrix(gold), _as_matrix(answer)
    if _names(gold) and _names(answer) and gold.left in "[({" and answer.left in "[({":
        return _match_names(gold, answer, rules)
    kinds = gold.left + gold.right, answer.left + answer.right
    if kinds[0] != kinds[1] and not _brackets_agree(*kinds, rules):
        return False
    items = _items(gold), _items(answer)
    if len(items[0]) != len(items[1]):
        return None if _has_unparsed(items[0] + items[1]) else False
    unordered = kinds == ("", "") and rules.lists == "unordered"
    if unordered and bool(_names(gold)) != bool(_names(answer)):
        unordered = False
    if "{}" in kinds or "uu" in kinds or "cc" in kinds or unordered:
        return _match_unordered(*items, rules)
    return _all_equal(equal(a, b, rules) for a, b in zip(*items, strict=True))


def _same_parameter(gold: Collection, answer: Collection) -> Collection:
    """Return `(1+2s, 3-s)` as `(1+2t, 3-t)` where the gold answer calls the parameter so."""
    names = free_names(gold), free_names(answer)
    if names[0] == names[1] or not all(len(n) == 1 and n <= PARAMETER_NAMES for n in names):
        return answer
    if len(gold.items) < 2 or gold.left not in ("(", "|"):  # noqa: PLR2004
        return answer
    (name,), (stated,) = names
    return replace(answer, items=tuple(rename(item, {stated: name}) for item in answer.items))


def _names(group: Collection) -> list[str]:
    """Return the names of a collection in which every item has one of its own, else nothing."""
    names = [item.name for item in group.items if isinstance(item, Assignment)]
    return names if len(names) == len(group.items) > 1 == (len(names) == len(set(names))) else []


def _without_indices(group: Collection, other: Collection, *, bare: bool = False) -> Collection:
    """Return `x_1=3, x_2=-2` as `x=3, x=-2` where the other side calls all of them `x`.

    With `bare`, a side without any names does as well.
    """
    bases = {INDEX.sub("", name) for name in _names(group)}
    others = {item.name if isinstance(item, Assignment) else "" for item in other.items}
    if (
        len(bases) != 1
        or bases & set(_names(group))
        or not (others & bases or bare)
        or others - bases - {""}
    ):
        return group
    (base,) = bases
    return replace(
        group,
        items=tuple(Assignment(base, item.answer) for item in group.items),  # type: ignore[union-attr]
    )


def _match_names(gold: Collection, answer: Collection, rules: CompareOptions) -> bool | None:
    """Compare collections of named values, whatever their order."""
    stated = {item.name: item for item in answer.items if isinstance(item, Assignment)}
    pairs = [
        (item, stated[item.name])
        for item in gold.items
        if isinstance(item, Assignment) and item.name in stated
    ]
    if len(pairs) != len(gold.items) or len(stated) != len(gold.items):
        return False
    return _all_equal(equal(a, b, rules) for a, b in pairs)


def _as_matrix(group: Collection) -> Collection:
    """Return a list of lists, `[[1,2],[3,4]]`, as a matrix."""
    rows = [item for item in group.items if isinstance(item, Collection)]
    if group.left != "[" or len(rows) != len(group.items) or any(row.left != "[" for row in rows):
        return group
    return Collection("|", "|", tuple(Collection("|", "|", row.items) for row in rows))


def _brackets_agree(a: str, b: str, rules: CompareOptions) -> bool:
    """Return whether answers in these two kinds of brackets can be the same.

    A bare list is a set without its braces or a tuple without its parentheses, and bare
    intervals are a union; a set is no tuple, and an open interval no closed one.
    """
    return rules.brackets == "loose" and "" in (a, b) and {a, b} <= {"", "()", "{}", "uu"}


def _items(group: Collection) -> tuple[Answer, ...]:
    """Return what a group holds; a set holds each thing once."""
    if group.left != "{":
        return group.items
    return tuple({canonical(item): item for item in group.items}.values())


def _has_unparsed(items: Iterable[Answer]) -> bool:
    """Return whether an item was not understood."""
    return any(isinstance(item, Unparsed) for item in items)


def _all_equal(found: Iterable[bool | None]) -> bool | None:
    """Return the conjunction, of which one no decides."""
    results = list(found)
    if False in results:
        return False
    return None if None in results else True


def _match_unordered(
    gold: Sequence[Answer], answer: Sequence[Answer], rules: CompareOptions
) -> bool | None:
    """Match the items of two unordered groups one to one."""
    if len(gold) > MAX_ITEMS:
        return None
    left, unclear = list(answer), False
    for item in gold:
        found = [equal(item, other, rules) for other in left]
        if True in found:
            left.pop(found.index(True))
        elif None in found:
            unclear = True
        else:
            return False
    return None if unclear else True


def canonical(answer: Answer) -> str:
    """Return a name that equal answers share: exact values, or values at the points."""
    if isinstance(answer, Scalar):
        name = value_name(answer.tree)
        return (
            name
            + ("%" if answer.percent else "")
            + (answer.unit if answer.unit.startswith("_") else "")
        )
    if isinstance(answer, Assignment | Qualified | Approximation):
        return canonical(answer.answer)
    if isinstance(answer, Equation):
        return f"{value_name(answer.left)}={value_name(answer.right)}"
    if isinstance(answer, Collection):
        items = [canonical(item) for item in _items(answer)]
        ordered = items if answer.left in ("(", "[", "|") else sorted(items)
        return answer.left + ",".join(ordered) + answer.right
    return answer.text
