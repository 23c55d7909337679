"""Chances of drawing without replacement, from one table of log-factorials."""

from __future__ import annotations

import functools

import numpy as np

from passk.stats.arrays import Floats, Ints


@functools.lru_cache(maxsize=8)
def _log_factorials(largest: int) -> Floats:
    """Return log 0!, log 1!, ..., log largest!."""
    return np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, largest + 1)))])


def log_choose(n: Ints, k: Ints) -> Floats:
    """Return log C(n, k) elementwise; minus infinity where there is no way to choose."""
    top = int(np.max(n, initial=0))
    table = _log_factorials(1 << top.bit_length())
    possible = (k >= 0) & (k <= n)
    inside = np.where(possible, k, 0)
    value: Floats = table[n] - table[inside] - table[np.where(possible, n - inside, 0)]
    return np.where(possible, value, -np.inf)


def hit_chances(n: Ints, c: Ints, k: Ints, hits: Ints) -> Floats:
    """Return the chance of exactly `hits` correct among k of n responses, c of them correct.

    C(c, h) C(n - c, k - h) / C(n, k), elementwise over arrays of one (broadcast) shape.
    """
    n, c, k, hits = np.broadcast_arrays(n, c, k, hits)
    ways = log_choose(c, hits) + log_choose(n - c, k - hits)
    chance: Floats = np.exp(ways - log_choose(n, k))
    return chance


def at_least(n: int, k: int) -> Floats:
    """Return the chance of h or more correct among k of n, shape (n + 1, k + 1) over c and h."""
    c, hits = np.arange(n + 1)[:, None], np.arange(k + 1)[None, :]
    chances = hit_chances(np.array(n), c, np.array(k), hits)
    upward: Floats = np.minimum(np.cumsum(chances[:, ::-1], axis=1)[:, ::-1], 1.0)
    return upward
