"""What a training draws, and in which order: all from its key and the step, nothing else.

A training that is stopped and resumed therefore draws what an uninterrupted one draws.
"""

from __future__ import annotations

import hashlib

import numpy as np

SEEDS = 2**63
"""Seeds are below this."""


def seed_of(key: str, *parts: object) -> int:
    """Return a seed in [0, 2^63): a hash of the training's key and what is to be drawn."""
    text = "\0".join([key, *map(str, parts)])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") % SEEDS


def step_indices(key: str, step: int, prompts: int, problems: int) -> list[int]:
    """Return the indices of the problems that step `step` (from 0) trains on, all different.

    The problems are shuffled anew for every round through them; what is left of a round after its
    last whole step waits for the next.
    """
    rounds, at = divmod(step, problems // prompts)
    shuffled = np.random.default_rng(seed_of(key, "order", rounds)).permutation(problems)
    return [int(i) for i in shuffled[at * prompts : (at + 1) * prompts]]


def resample_indices(key: str, step: int, taken: list[int], problems: int) -> list[int]:
    """Return all other problems in the order in which step `step` may add them."""
    shuffled = np.random.default_rng(seed_of(key, "further", step)).permutation(problems)
    return [int(i) for i in shuffled if int(i) not in set(taken)]
