r"""The last step of the cascade: Math-Verify, inside a worker process that can be killed.

Only its LaTeX grammar is used. Its plain-expression extraction calls `sympy.parse_expr`, which
evaluates text as code, and the LaTeX grammar calls the same for the numbers in a formula. SymPy's
evaluation is therefore replaced by one that knows numbers, names and quotients, and nothing else.
Lists, relations, sets and text never get here: Math-Verify compares parts of them. What it calls
equal is checked once more, because it compares to 15 digits of absolute precision (its issue 14).
"""

from __future__ import annotations

import ast
import functools
import re
from typing import Any

from passk.verifiers.math.evaluate import hash_to_point
from passk.verifiers.math.normalize import split_top_level

AGREEMENT = 1e-12
"""Largest relative difference of two values that Math-Verify may call equal."""

MAX_CODE_LENGTH = 1000
"""Longest code, in characters, that is looked at."""

POINTS = 3
"""Points at which formulas with variables are compared once more."""

PARTS = re.compile(r"[,;&]|\\quad|\\text")
RELATION = re.compile(
    r"[=<>]|\\(?:le|ge|ne|in|approx|equiv|to|cup|cap|subset|mid)(?![a-zA-Z])|\\begin\{(?!vmatrix)"
)
MATHEMATICAL = re.compile(r"\\[a-zA-Z]+|[-+*/^!|(]|[0-9]")
DIVISOR = re.compile(r"gcd|lcm")
"""SymPy takes variables for polynomials, of which the greatest common divisor is 1."""

SUBSCRIPT = re.compile(r"_\{[^{}]{0,99}\}|_\w")
COMMAND = re.compile(r"\\(?:begin|end)\{vmatrix\}|\\[a-zA-Z]+")
WORDS = re.compile(r"(?!(?:sin|cos|tan|cot|sec|csc|log|exp|max|min|det|mod)\b)[a-zA-Z]{4,}")
"""What makes a text more than one expression."""

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


def can_compare(text: str) -> bool:
    """Return whether a text is one expression that Math-Verify can be trusted to read as a whole.

    It looks at parts of lists, of relations and of text around formulas, so that none of these is
    left to it.
    """
    bare = SUBSCRIPT.sub("", text)
    if DIVISOR.search(text):
        return False
    if len(split_top_level(text, PARTS)) > 1 or RELATION.search(bare):
        return False
    if not MATHEMATICAL.search(text):
        return False
    return not WORDS.search(COMMAND.sub(" ", text))


def math_verify_equal(gold: str, answer: str) -> bool:
    """Return whether Math-Verify finds two expressions equal; it may hang, crash or eat memory.

    Its yes is checked by their values, with 30 digits, at points of our own.
    """
    if _differ_in_case(gold, answer):
        return False
    expected, given = parse(gold), parse(answer)
    if not _math_verify().verify(expected, given, timeout_seconds=None, raise_on_error=True):
        return False
    return bool(expected and given) and _same_values(expected[0], given[0])


def _differ_in_case(gold: str, answer: str) -> bool:
    """Return whether the same letters stand in another case: Math-Verify lowers most of them."""
    letters = [{found for found in LETTER.findall(text) if found} for text in (gold, answer)]
    lowered = [{letter.lower() for letter in side} for side in letters]
    return letters[0] != letters[1] and lowered[0] == lowered[1]


def _same_values(a: Any, b: Any) -> bool:
    """Return whether two SymPy expressions have the same values at all points."""
    import sympy

    if not (isinstance(a, sympy.Expr) and isinstance(b, sympy.Expr)):
        return False
    if a == b:
        return True
    names = sorted(a.free_symbols | b.free_symbols, key=str)
    for point in range(POINTS):
        at = {name: sympy.Rational(*_point(f"{name}|{point}")) for name in names}
        x, y = (side.subs(at).doit().evalf(30) for side in (a, b))
        if not (x.is_number and y.is_number):
            return False
        if not abs(x - y) <= AGREEMENT * max(abs(x), abs(y)):
            return False
        if not names:
            return True
    return True


def _point(text: str) -> tuple[int, int]:
    """Return a fraction in [1, 3) that depends on the text alone."""
    return hash_to_point(text).as_integer_ratio()
