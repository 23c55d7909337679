r"""Read sums of unit vectors, `3\mathbf{i} - 2\mathbf{j}`, as tuples of their components."""

from __future__ import annotations

import re
from fractions import Fraction

from passk.verifiers.math.answers import Collection, Scalar
from passk.verifiers.math.expr_tree import Tree
from passk.verifiers.math.parser import try_parse_value

UNIT_VECTORS: dict[Tree, str] = {("call", "i"): "i", ("var", "j"): "j", ("var", "k"): "k"}
LONE_NAME = re.compile(r"(?<![a-zA-Z\\_])[jk](?![a-zA-Z_])")

Components = dict[str, Tree]
"""Unit vector -> its coefficient."""


def read_unit_vectors(text: str) -> Collection | None:
    """Read a sum of multiples of two or three of i, j and k."""
    tree = try_parse_value(text) if LONE_NAME.search(text) else None
    found = _components(tree) if tree is not None else None
    if not found or len(found) == 1:
        return None
    zero: Tree = ("num", Fraction(0))
    names = "ijk" if "k" in found else "ij"
    return Collection("(", ")", tuple(Scalar(found.get(name, zero)) for name in names))


def _components(tree: Tree) -> Components | None:
    """Return the coefficients of a sum of multiples of unit vectors, or None."""
    if tree in UNIT_VECTORS:
        return {UNIT_VECTORS[tree]: ("num", Fraction(1))}
    kind, *branches = tree
    found = [_components(b) if isinstance(b, tuple) else None for b in branches]
    minus: Tree = ("num", Fraction(-1))
    if kind in ("group", "neg"):
        return _scaled(found[0], minus) if kind == "neg" else found[0]
    if kind in ("add", "sub") and found[0] and found[1] and not set(found[0]) & set(found[1]):
        right = _scaled(found[1], minus) if kind == "sub" else found[1]
        return found[0] | (right or {})
    if kind == "mul" and (found[0] is None) != (found[1] is None):
        return _scaled(found[0] or found[1], branches[1 if found[0] else 0])
    if kind == "div" and found[1] is None:
        return _scaled(found[0], ("div", ("num", Fraction(1)), branches[1]))
    return None


def _scaled(components: Components | None, factor: Tree) -> Components | None:
    """Return all coefficients multiplied by a factor."""
    return components and {name: ("mul", factor, value) for name, value in components.items()}
