"""What an answer says: a formula, words, an equation, or several of those in brackets."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from passk.verifiers.math.expr_tree import Tree, rename_variables, variables_of


@dataclass(frozen=True, slots=True)
class Scalar:
    """A number or formula.

    Attributes:
        tree: the expression, without percent sign, degree sign and unit.
        percent: whether a percent sign stands behind it.
        unit: what stands behind it as its unit, or `_8` for digits in base 8, or "".
        places: decimal places where it is written as a decimal, else None.
        digits: significant digits where it is written as a decimal, else 0.
        with_unit: the number and unit where the last letter could be a unit: `15 m`.
    """

    tree: Tree
    percent: bool = False
    unit: str = ""
    places: int | None = None
    digits: int = 0
    with_unit: tuple[Tree, str] | None = None


@dataclass(frozen=True, slots=True)
class Collection:
    """Several answers in brackets, or in none.

    Attributes:
        left, right: the brackets: `(` `)` `[` `]`, `{` `}` for a set, `|` `|` for the rows of a
            matrix, `u` for a union, and empty for a bare list.
        items: what stands between them.
    """

    left: str
    right: str
    items: tuple[Answer, ...]


@dataclass(frozen=True, slots=True)
class Assignment:
    r"""An answer with the name that it was given: `x = 5`, `f(x) = 2x`, `x \in [0,1]`.

    Attributes:
        name: the name, as text.
        answer: what it is equal to, or lies in.
        relation: both sides, where both are formulas.
    """

    name: str
    answer: Answer
    relation: Equation | None = None


@dataclass(frozen=True, slots=True)
class Equation:
    """A relation between two formulas: an equation, `lt`, `le` (the left is smaller) or `ne`."""

    left: Tree
    right: Tree
    kind: str = "="


@dataclass(frozen=True, slots=True)
class Qualified:
    r"""An answer with a condition on its names: `(2t, t)` for all real `t`.

    Attributes:
        answer: the answer without its condition.
        condition: the condition, as text.
        names: the names that it says are any number of a kind: `k` of `k \in \mathbb{Z}`.
    """

    answer: Answer
    condition: str
    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Approximation:
    r"""An exact value with the decimal that it is rounded to: `6\pi \approx 18.85`."""

    answer: Answer
    rounded: Answer


@dataclass(frozen=True, slots=True)
class Text:
    """An answer in words, in lower case without spaces and full stops."""

    text: str


@dataclass(frozen=True, slots=True)
class Unparsed:
    """Text that is none of the above."""

    text: str


Answer = Scalar | Collection | Assignment | Equation | Qualified | Approximation | Text | Unparsed

Parse = Callable[[str], Answer]
"""`parse_answer` of a text in normal form."""


def trees_of(answer: Answer) -> list[Tree]:
    """Return the formulas that an answer holds."""
    if isinstance(answer, Scalar):
        return [answer.tree]
    if isinstance(answer, Equation):
        return [answer.left, answer.right]
    if isinstance(answer, Collection):
        return [tree for item in answer.items for tree in trees_of(item)]
    if isinstance(answer, Assignment | Qualified | Approximation):
        return trees_of(answer.answer)
    return []


def rename(answer: Answer, names: Mapping[str, str]) -> Answer:
    """Return an answer with some variables renamed."""
    if isinstance(answer, Scalar):
        return replace(answer, tree=rename_variables(answer.tree, names))
    if isinstance(answer, Collection):
        return replace(answer, items=tuple(rename(item, names) for item in answer.items))
    if isinstance(answer, Assignment):
        return Assignment(answer.name, rename(answer.answer, names))
    return answer


def free_names(answer: Answer) -> frozenset[str]:
    """Return the variables of all formulas in an answer."""
    return frozenset().union(*map(variables_of, trees_of(answer)))


def describe(answer: Answer) -> str:
    """Return in words what an answer was read as."""
    if isinstance(answer, Scalar):
        extra = " percent" if answer.percent else f", unit {answer.unit}" if answer.unit else ""
        return f"{describe_tree(answer.tree)}{extra}"
    if isinstance(answer, Collection):
        items = ", ".join(map(describe, answer.items))
        return f"{KINDS.get(answer.left, 'collection')} {answer.left}{items}{answer.right}"
    if isinstance(answer, Assignment):
        return f"{answer.name} := {describe(answer.answer)}"
    if isinstance(answer, Equation):
        sign = {"lt": "<", "le": "<="}.get(answer.kind, answer.kind)
        return f"relation {describe_tree(answer.left)} {sign} {describe_tree(answer.right)}"
    return _describe_other(answer)


def _describe_other(answer: Qualified | Approximation | Text | Unparsed) -> str:
    """Return in words what an answer of the rarer kinds was read as."""
    if isinstance(answer, Qualified):
        return f"{describe(answer.answer)} with condition {answer.condition!r}"
    if isinstance(answer, Approximation):
        return f"{describe(answer.answer)} or {describe(answer.rounded)}"
    return f"{'words' if isinstance(answer, Text) else 'not read:'} {answer.text!r}"


KINDS = {"": "list", "{": "set", "(": "tuple or interval", "[": "interval", "|": "matrix"}
KINDS |= {"u": "union", "c": "cases", "ne": "all but"}


def describe_tree(tree: Tree) -> str:
    """Return an expression tree in prefix notation."""
    if tree[0] in ("num", "var"):
        return str(tree[1])
    parts = [describe_tree(part) if isinstance(part, tuple) else str(part) for part in tree[1:]]
    return f"{tree[0]}({', '.join(parts)})"
