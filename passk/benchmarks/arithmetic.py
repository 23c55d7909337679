"""Arithmetic in graded steps of difficulty, from a seed: the benchmark that passk ships.

Written for passk, so that a study runs on any laptop with a small model: 2-digit sums, 2x1-digit
products, products of 1 to 2 digits, least common multiples and two-step word problems. One row:
{"id": "sum2-000", "question": "37 + 58 =", "gold": "95", "group": "sum2", "shots": [...]}.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from random import Random
from typing import Any

from passk.errors import SpecError, did_you_mean

Item = tuple[str, int]
"""A question and its answer."""

THINGS = ("apples", "pens", "coins", "cards", "shells", "stamps")
NAMES = ("Ada", "Ben", "Mia", "Leo", "Zoe", "Max")


def _sum2(random: Random) -> Item:
    a, b = random.randrange(10, 100), random.randrange(10, 100)
    return f"{a} + {b} =", a + b


def _product21(random: Random) -> Item:
    a, b = random.randrange(11, 100), random.randrange(2, 10)
    return f"{a} * {b} =", a * b


def _product(random: Random) -> Item:
    a, b = random.randrange(2, 100), random.randrange(2, 100)
    return f"{a} * {b} =", a * b


def _lcm(random: Random) -> Item:
    a, b = random.randrange(2, 13), random.randrange(2, 13)
    return f"lcm({a}, {b}) =", math.lcm(a, b)


def _word2(random: Random) -> Item:
    name, thing = random.choice(NAMES), random.choice(THINGS)
    start, less, more = random.randrange(20, 60), random.randrange(3, 15), random.randrange(3, 30)
    story = f"{name} has {start} {thing}, gives away {less} and then finds {more}."
    return f"{story} The number of {thing} that {name} has now is", start - less + more


LEVELS: dict[str, Callable[[Random], Item]] = {
    "sum2": _sum2,
    "product21": _product21,
    "product": _product,
    "lcm": _lcm,
    "word2": _word2,
}
"""Level -> what draws one item of it, in the order of difficulty as designed."""

WORKED_EXAMPLES = 4


def generate(
    *, seed: int = 0, per_level: int = 20, levels: Sequence[str] = tuple(LEVELS)
) -> list[dict[str, Any]]:
    """Return `per_level` distinct problems of each level, with worked examples of its own.

    Raises:
        SpecError: a level is unknown, or has fewer distinct items than asked for.
    """
    for level in levels:
        if level not in LEVELS:
            raise SpecError(f"unknown level '{level}'; {did_you_mean(level, LEVELS)}")
    return [row for level in levels for row in _rows(level, seed, per_level)]


def _rows(level: str, seed: int, count: int) -> Iterator[dict[str, Any]]:
    """Yield the rows of one level; the first items drawn become its worked examples."""
    items = _distinct(LEVELS[level], Random(f"{level}/{seed}"), WORKED_EXAMPLES + count, level)  # noqa: S311 - problems, not secrets
    shots = [[question, str(answer)] for question, answer in items[:WORKED_EXAMPLES]]
    for index, (question, answer) in enumerate(items[WORKED_EXAMPLES:]):
        yield {
            "id": f"{level}-{index:03d}",
            "question": question,
            "gold": str(answer),
            "group": level,
            "shots": shots,
        }


def _distinct(draw: Callable[[Random], Item], random: Random, count: int, level: str) -> list[Item]:
    """Return `count` items with different questions, or raise where there are not so many."""
    items: dict[str, int] = {}
    for _ in range(100 * count):
        if len(items) == count:
            return list(items.items())
        question, answer = draw(random)
        items.setdefault(question, answer)
    raise SpecError(f"level '{level}' has fewer than {count} distinct items; lower per_level")
