"""Arithmetic problems of graded difficulty from a seed: the benchmark that passk ships.

Written for passk, so that a study runs on any laptop with a small model: 2-digit sums, 2x1-digit
products, products of 1 to 2 digits, least common multiples and two-step word problems. One row:
{"id": "sum2-000", "question": "37 + 58 =", "gold": "95", "group": "sum2", "shots": [...],
"solution": "37 + 50 + 8 = 87 + 8 = 95"}. `solution` comes from an exact solver and can be
trained on; `split` selects training or held-out problems.
"""

from __future__ import annotations

import hashlib
import itertools
import math
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, Literal

from passk.core.errors import SpecError, did_you_mean

Split = Literal["train", "test"]
"""Half of all items of a level: for training, or held out."""

SPLITS: tuple[Split, ...] = ("train", "test")


@dataclass(frozen=True, slots=True)
class Item:
    """One problem with the steps of an exact solver.

    Attributes:
        question: what the model sees.
        answer: its exact answer.
        working: the solver's steps.
    """

    question: str
    answer: int
    working: str

    @property
    def solution(self) -> str:
        """The worked solution: one line, the answer last."""
        return f"{self.working} = {self.answer}"


THINGS = ("apples", "pens", "coins", "cards", "shells", "stamps")
NAMES = ("Ada", "Ben", "Mia", "Leo", "Zoe", "Max")


def _sum2(random: Random) -> Item:
    a, b = random.randrange(10, 100), random.randrange(10, 100)
    tens, ones = b - b % 10, b % 10
    return Item(f"{a} + {b} =", a + b, f"{a} + {tens} + {ones} = {a + tens} + {ones}")


def _product21(random: Random) -> Item:
    a, b = random.randrange(11, 100), random.randrange(2, 10)
    return Item(f"{a} * {b} =", a * b, _by_tens(a, b))


def _product(random: Random) -> Item:
    a, b = random.randrange(2, 100), random.randrange(2, 100)
    return Item(f"{a} * {b} =", a * b, _by_tens(a, b))


def _by_tens(a: int, b: int) -> str:
    """Return the steps of a product: tens and ones of `a`, each times `b`."""
    tens, ones = a - a % 10, a % 10
    return f"{tens} * {b} + {ones} * {b} = {tens * b} + {ones * b}"


def _lcm(random: Random) -> Item:
    a, b = random.randrange(2, 13), random.randrange(2, 13)
    common = math.gcd(a, b)
    return Item(f"lcm({a}, {b}) =", math.lcm(a, b), f"{a} * {b} / {common} = {a * b} / {common}")


def _word2(random: Random) -> Item:
    name, thing = random.choice(NAMES), random.choice(THINGS)
    start, less, more = random.randrange(20, 60), random.randrange(3, 15), random.randrange(3, 30)
    story = f"{name} has {start} {thing}, gives away {less} and then finds {more}."
    return Item(
        f"{story} The number of {thing} that {name} has now is",
        start - less + more,
        f"{start} - {less} + {more} = {start - less} + {more}",
    )


LEVELS: dict[str, Callable[[Random], Item]] = {
    "sum2": _sum2,
    "product21": _product21,
    "product": _product,
    "lcm": _lcm,
    "word2": _word2,
}
"""Level -> function that draws one item, in the designed order of difficulty."""

WORKED_EXAMPLES = 4


def generate(
    *,
    seed: int = 0,
    per_level: int = 20,
    levels: Sequence[str] = tuple(LEVELS),
    split: Split | None = None,
) -> list[dict[str, Any]]:
    """Return `per_level` distinct problems of each level, with worked examples of its own.

    Args:
        seed: seed of the random items.
        per_level: problems of each level.
        levels: names of `LEVELS`.
        split: draw from one half of all items. The halves are disjoint for every `per_level`: a
            digest of an item's words and numbers decides its half, so `37 + 58` and `58 + 37`
            are in the same half (and only one of them is drawn). Worked examples are the same in
            both, and are problems of neither.

    Raises:
        SpecError: a level or split is unknown, or a level has too few distinct items.
    """
    for level in levels:
        if level not in LEVELS:
            raise SpecError(f"unknown level '{level}'; {did_you_mean(level, LEVELS)}")
    if split is not None and split not in SPLITS:
        raise SpecError(f"unknown split '{split}'; {did_you_mean(split, SPLITS)}")
    return [row for level in levels for row in _rows(level, seed, per_level, split)]


def _rows(level: str, seed: int, count: int, split: Split | None) -> Iterator[dict[str, Any]]:
    """Yield the rows of one level; the first items drawn become its worked examples."""
    items = _distinct(level, Random(f"{level}/{seed}"), WORKED_EXAMPLES + count, split)  # noqa: S311 - problems, not secrets
    shots = [[item.question, str(item.answer)] for item in items[:WORKED_EXAMPLES]]
    for index, item in enumerate(items[WORKED_EXAMPLES:]):
        yield {
            "id": f"{level}-{f'{split}-' if split else ''}{index:03d}",
            "question": item.question,
            "gold": str(item.answer),
            "group": level,
            "shots": shots,
            "solution": item.solution,
        }


def _distinct(level: str, random: Random, count: int, split: Split | None) -> list[Item]:
    """Return `count` different items, or raise if there are fewer.

    The first ones, the worked examples, may be of either half.
    """
    items: dict[str, Item] = {}
    for item in itertools.islice(iter(lambda: LEVELS[level](random), None), 100 * count):
        if len(items) == count:
            return list(items.values())
        key = item.question if split is None else _key(item.question)
        if split is None or len(items) < WORKED_EXAMPLES or half_of(item.question) == split:
            items.setdefault(key, item)
    raise SpecError(f"level '{level}' has fewer than {count} distinct items; lower per_level")


def _key(question: str) -> str:
    """Return a key that is equal for questions with the same words in another order."""
    return " ".join(sorted(re.findall(r"\w+|[+*]", question)))


def half_of(question: str) -> Split:
    """Return which half of all items a question belongs to.

    >>> half_of("37 + 58 =") == half_of("58 + 37 =")
    True
    """
    return SPLITS[hashlib.sha256(_key(question).encode()).digest()[0] % 2]
