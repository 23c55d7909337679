r"""The last step of the cascade: Math-Verify, inside a worker process that can be killed.

Only its LaTeX grammar is used. Its plain-expression extraction calls `sympy.parse_expr`, which
evaluates text as code, and the LaTeX grammar calls the same for the numbers in a formula. SymPy's
evaluation is therefore replaced by one that knows numbers, names and quotients, and nothing else.
What Math-Verify calls equal is checked once more, because it compares to 15 digits of absolute
precision (its issue 14).
"""

from __future__ import annotations

import ast
import functools
import re
from typing import Any

AGREEMENT = 1e-6
"""Largest relative difference of two constants that Math-Verify may call equal."""

MAX_CODE_LENGTH = 1000
"""Longest code, in characters, that is looked at."""

LETTER = re.compile(r"\\[a-zA-Z]+(?: ?\{[a-zA-Z ]*\})?|([a-zA-Z])")


def evaluate_plain(code: str, *_: object) -> Any:
    """Stand in for SymPy's `eval_expr`, which gives its code to `eval`.

    Raises:
        ValueError: the code is anything else than numbers, names, and quotients of numbers.
    """
    tree = ast.parse(code.strip(), mode="eval").body if len(code) < MAX_CODE_LENGTH else None
    return _plain(tree)


def _plain(node: ast.AST | None) -> Any:
    """Return the SymPy object of a syntax tree of the few known forms."""
    import sympy

    match node:
        case ast.Call(ast.Name("Integer" | "Float" | "Symbol" as kind), [ast.Constant(value)], []):
            return getattr(sympy, kind)(value)
        case ast.Name("E" | "I" | "pi" | "oo" as constant):
            return getattr(sympy, constant)
        case ast.UnaryOp(ast.USub(), operand):
            return -_plain(operand)
        case ast.BinOp(left, ast.Div(), right):
            return _plain(left) / _plain(right)
    raise ValueError("text is never evaluated as code")


@functools.cache
def _math_verify() -> Any:
    """Import Math-Verify, and take away SymPy's way to evaluate text."""
    import math_verify
    from sympy.parsing import sympy_parser

    sympy_parser.eval_expr = evaluate_plain
    return math_verify


@functools.lru_cache(maxsize=256)
def parse(answer: str) -> list[Any]:
    """Return what Math-Verify makes of one answer: SymPy objects, or its text."""
    library = _math_verify()
    found: list[Any] = library.parse(
        "\\boxed{" + answer + "}",
        extraction_config=[library.LatexExtractionConfig(boxed_match_priority=0)],
        parsing_timeout=None,
    )
    return found


def math_verify_equal(gold: str, answer: str) -> bool:
    """Return whether Math-Verify finds two answers equal; it may hang, crash or eat memory."""
    if _differ_in_case(gold, answer) or _compares_parts_only(gold, answer):
        return False
    expected, given = parse(gold), parse(answer)
    if not _math_verify().verify(expected, given, timeout_seconds=None, raise_on_error=True):
        return False
    return not any(
        _differs_numerically(a, b) for a, b in zip(expected[:1], given[:1], strict=False)
    )


def _differ_in_case(gold: str, answer: str) -> bool:
    """Return whether the same letters stand in another case: Math-Verify lowers most of them."""
    letters = [_letters(gold), _letters(answer)]
    lowered = [{letter.lower() for letter in side} for side in letters]
    return letters[0] != letters[1] and lowered[0] == lowered[1]


def _compares_parts_only(gold: str, answer: str) -> bool:
    """Return whether Math-Verify would look at a part alone: of equations, of `2(1,2)`.

    It compares one side of an equation with one side, and takes a list for what stands around it.
    """
    if "=" in gold and "=" in answer and _letters(gold) != _letters(answer):
        return True
    return gold != answer and "," in gold and "," in answer and (gold in answer or answer in gold)


def _letters(text: str) -> set[str]:
    """Return the single letters of a text."""
    return {found for found in LETTER.findall(text) if found}


def _differs_numerically(a: Any, b: Any) -> bool:
    """Return whether two constants are numbers that differ, however small both are."""
    try:
        if a.free_symbols or b.free_symbols:
            return False
        x, y = a.evalf(30), b.evalf(30)
        return bool(abs(x - y) > AGREEMENT * max(abs(x), abs(y)))
    except (AttributeError, TypeError, ValueError, ArithmeticError):
        return False
