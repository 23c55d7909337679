"""Trees of expressions, and the rules by which some of them are put together.

A tree is a nested tuple: `("num", Fraction)`, `("var", name)`, `("call", function, argument, ...)`
or an operation with its operands: `add sub mul div pow neg pm mp root abs floor ceil fact gcd lcm`,
and `group` (brackets around a quotient).
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

from passk.verifiers.math.lexer import ParseError

Tree = tuple[Any, ...]


def part_of_name(tree: Tree) -> str:
    """Return a tree as part of a name (of a derivative, a vector); only names and products can."""
    if tree[0] == "var":
        return str(tree[1])
    if tree[0] == "call" and len(tree) == 2:  # noqa: PLR2004
        return str(tree[1])
    if tree[0] == "mul":
        return part_of_name(tree[1]) + part_of_name(tree[2])
    if tree[0] == "call" and str(tree[1]).startswith("apply "):
        return f"{tree[1]}({tree[2]})"
    raise ParseError("no name")


def quotient_of(above: Tree, below: Tree) -> Tree:
    """Return a quotient; `dx/dt` is no quotient of products with a common d."""
    if _first(above) == _first(below) and _first(above) in (("var", "d"), ("var", "partial")):
        raise ParseError("a derivative")
    return ("group", ("div", above, below))


def _first(tree: Tree) -> Tree:
    """Return the leftmost factor."""
    while tree[0] in ("mul", "pow", "group", "div"):
        tree = tree[1]
    return tree


def numerator(tree: Tree) -> Tree:
    """Return the numerator of a formula that is brought over one denominator."""
    return _over_one_denominator(tree)[0]


def _over_one_denominator(tree: Tree) -> tuple[Tree, Tree]:
    """Return the numerator and the denominator of a formula."""
    one: Tree = ("num", Fraction(1))
    if tree[0] in ("group", "neg"):
        above, below = _over_one_denominator(tree[1])
        return (("neg", above) if tree[0] == "neg" else above), below
    if tree[0] in ("add", "sub", "mul", "div"):
        (a, b), (c, d) = _over_one_denominator(tree[1]), _over_one_denominator(tree[2])
        if tree[0] == "mul":
            return ("mul", a, c), ("mul", b, d)
        if tree[0] == "div":
            return ("mul", a, d), ("mul", b, c)
        if b == d:
            return (tree[0], a, c), b
        return (tree[0], ("mul", a, d), ("mul", c, b)), ("mul", b, d)
    return tree, one


def mixed_number(whole: Tree, part: Tree, *, must: bool) -> Tree:
    """Return a mixed number such as 1 4/5 as a sum."""
    inner = part[1] if part[0] == "group" else part
    if inner[0] == "div" and inner[1][0] == inner[2][0] == "num":
        above, below = inner[1][1], inner[2][1]
        if whole[1].denominator == 1 and 0 <= above < below:
            return ("add", whole, part)
    if must or (inner[0] == "div" and inner[1][0] == inner[2][0] == "num"):
        raise ParseError("neither a mixed number nor a product")
    return ("mul", whole, part)


def has(tree: Tree, kinds: tuple[str, ...]) -> bool:
    """Return whether a node of one of these kinds is in the tree."""
    return tree[0] in kinds or any(has(b, kinds) for b in tree[1:] if isinstance(b, tuple))


def has_call(tree: Tree, name: str) -> bool:
    """Return whether a constant or function is in the tree."""
    return tree[:2] == ("call", name) or any(
        has_call(b, name) for b in tree[1:] if isinstance(b, tuple)
    )


def variables_of(tree: Tree) -> frozenset[str]:
    """Return the variables of a tree."""
    if tree[0] == "var":
        return frozenset({tree[1]})
    branches = [variables_of(branch) for branch in tree[1:] if isinstance(branch, tuple)]
    return frozenset().union(*branches)


def rename_variables(tree: Tree, names: Mapping[str, str]) -> Tree:
    """Return a tree with some variables renamed."""
    if tree[0] == "var":
        return ("var", names.get(tree[1], tree[1]))
    return tuple(rename_variables(b, names) if isinstance(b, tuple) else b for b in tree)
