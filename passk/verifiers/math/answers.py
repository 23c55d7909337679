"""What an answer says: a formula, words, an equation, or several of those in brackets."""

from __future__ import annotations

from dataclasses import dataclass

from passk.verifiers.math.expr_tree import Tree


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
    """An answer with a condition on its names: `(2t, t)` for all real `t`."""

    answer: Answer
    condition: str


@dataclass(frozen=True, slots=True)
class Text:
    """An answer in words, in lower case without spaces and full stops."""

    text: str


@dataclass(frozen=True, slots=True)
class Unparsed:
    """Text that is none of the above."""

    text: str


Answer = Scalar | Collection | Assignment | Equation | Qualified | Text | Unparsed


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
    if isinstance(answer, Qualified):
        return f"{describe(answer.answer)} with condition {answer.condition!r}"
    return f"{'words' if isinstance(answer, Text) else 'not read:'} {answer.text!r}"


KINDS = {"": "list", "{": "set", "(": "tuple or interval", "[": "interval", "|": "matrix"}
KINDS |= {"u": "union", "c": "cases", "ne": "all but"}


def describe_tree(tree: Tree) -> str:
    """Return an expression tree in prefix notation."""
    if tree[0] in ("num", "var"):
        return str(tree[1])
    parts = [describe_tree(part) if isinstance(part, tuple) else str(part) for part in tree[1:]]
    return f"{tree[0]}({', '.join(parts)})"
