"""Whether answers with conditions say the same: for all integers k, or modulo a number."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction

from passk.verifiers.math.answers import (
    Answer,
    Assignment,
    Collection,
    Qualified,
    Scalar,
    free_names,
    rename,
)
from passk.verifiers.math.compare_scalars import INTEGER_NAMES
from passk.verifiers.math.evaluate import evaluate
from passk.verifiers.math.expr_tree import variables_of
from passk.verifiers.math.numbers import UndefinedValueError

Compare = Callable[[Answer, Answer], bool | None]
"""Compares a gold answer and an answer without their conditions."""

MODULUS = re.compile(r"mod([1-9][0-9]*)")

GENERAL = re.compile(r"^mathbb[ZR]|arbitrary|constant")
"""A condition that says of what kind a name is, and no more."""


def compare_qualified(gold: Answer, answer: Answer, same: Compare) -> bool | None:
    """Compare answers with conditions: both have to agree, a general one may be left out."""
    conditions = [side.condition for side in (gold, answer) if isinstance(side, Qualified)]
    if len(set(conditions)) > 1 or not (len(conditions) > 1 or GENERAL.search(conditions[0])):
        return None
    bare = [side.answer if isinstance(side, Qualified) else side for side in (gold, answer)]
    if modulus := MODULUS.fullmatch(conditions[0]):
        bare = [_reduced(side, int(modulus[1])) for side in bare]
    names = [_parameters(side, other) for side, other in ((gold, answer), (answer, gold))]
    if len(names[0]) == len(names[1]) == 1 and names[0][0] not in free_names(bare[1]):
        bare[1] = rename(bare[1], {names[1][0]: names[0][0]})
    return same(bare[0], bare[1])


def _parameters(side: Answer, other: Answer) -> tuple[str, ...]:
    """Return the names that stand for any number; where only the other side says so, guess it."""
    if isinstance(side, Qualified):
        return side.names
    own = free_names(side) & INTEGER_NAMES
    integers = isinstance(other, Qualified) and other.condition == "mathbbZ"
    return tuple(own) if integers and len(own) == 1 else ()


def _reduced(answer: Answer, modulus: int) -> Answer:
    """Return an answer whose integers are replaced by their remainders."""
    if isinstance(answer, Collection):
        return replace(answer, items=tuple(_reduced(item, modulus) for item in answer.items))
    if isinstance(answer, Assignment):
        return Assignment(answer.name, _reduced(answer.answer, modulus))
    if not isinstance(answer, Scalar) or variables_of(answer.tree):
        return answer
    try:
        value = evaluate(answer.tree, {})
    except UndefinedValueError:
        return answer
    whole = isinstance(value, Fraction) and value.denominator == 1
    return replace(answer, tree=("num", value % modulus)) if whole else answer
