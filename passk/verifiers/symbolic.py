r"""The last step of the cascade: Math-Verify, inside a worker process that can be killed.

Only its LaTeX grammar is used. Its plain-expression extraction calls `sympy.parse_expr`, which
evaluates text as code, and is never reached.
"""

from __future__ import annotations

import functools
from typing import Any


@functools.lru_cache(maxsize=256)
def parse(answer: str) -> list[Any]:
    """Return what Math-Verify makes of one answer: SymPy objects, or its text."""
    from math_verify import LatexExtractionConfig, parse

    found: list[Any] = parse(
        "\\boxed{" + answer + "}",
        extraction_config=[LatexExtractionConfig(boxed_match_priority=0)],
        parsing_timeout=None,
    )
    return found


def symbolic_equal(gold: str, answer: str) -> bool:
    """Return whether Math-Verify finds two answers equal; it may hang, crash or eat memory."""
    from math_verify import verify

    return bool(verify(parse(gold), parse(answer), timeout_seconds=None))
