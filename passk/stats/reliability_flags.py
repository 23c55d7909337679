"""Flags of unreliable intervals, by rule; shown beside every estimate that has an interval."""

from __future__ import annotations

from passk.stats.intervals import MIN_PROBLEMS

MANY_PROBLEMS = 100
"""From here on the sampling-noise interval holds up to k = n/2; below it, up to k = n/4."""

FEW = "few problems"
NO_NOISE = "k > n/2"
NEAR = "n < 4k"
BEYOND = "beyond n"


def flag(interval: str, k: float, n: int, problems: int) -> str:
    """Return why the interval of an estimate is unreliable; "" if it is reliable.

    Args:
        interval: problems, noise, paired, band or extrapolated.
        k: k; nan where the estimate has none.
        n: responses per problem.
        problems: problems, or clusters of them, that the interval rests on.

    Sampling noise cannot be estimated above k = n/2, and for few problems the closed
    form covers 0.74 to 0.88 instead of 0.95 at k = n/2: n of 4k or more is the advice. Below 20
    problems no interval is reliable.
    """
    if interval == "extrapolated":
        return BEYOND
    if interval == "noise":
        if 2 * k > n:
            return NO_NOISE
        if 4 * k > n and problems < MANY_PROBLEMS:
            return NEAR
    return FEW if interval and problems < MIN_PROBLEMS else ""
