"""From trials at temperatures to the temperature at which two entropies agree."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from passk.core.errors import DataError
from passk.stages.entropy.pilots import MOST_TRIALS, Pilot, Pilots
from passk.stages.sampling_task import SamplingTask
from passk.stats import LEVEL, SEED

STEP = 1.5
"""Factor by which the temperature moves until the base's entropy is passed."""

NARROW = 0.002
"""Relative width of the bracket at which a search ends: pilots cannot tell closer ones apart."""

REPLICATES = 2000


def search(pilots: Pilots, tuned: SamplingTask, target: Pilot) -> list[Pilot]:
    """Return the trials of a search: outward until the target is passed, then by bisection."""
    rules = tuned["match"]
    low, high, close = (float(rules[name]) for name in ("low", "high", "tolerance"))
    trials: list[Pilot] = []
    below, above = 0.0, math.inf
    temperature = min(max(target.temperature, low), high)
    while len(trials) < MOST_TRIALS:
        pilot = pilots.draw("tuned", len(trials) + 1, temperature)
        trials.append(pilot)
        if abs(pilot.entropy - target.entropy) <= close * target.entropy:
            return trials
        below, above = (
            (temperature, above) if pilot.entropy < target.entropy else (below, temperature)
        )
        if above <= low or below >= high:
            raise _out_of_bounds(tuned["cell"], pilot, target)
        if above < below * (1 + NARROW):
            return trials
        temperature = _next(below, above, low, high)
    return trials


def _next(below: float, above: float, low: float, high: float) -> float:
    """Return the temperature to try next, to four digits."""
    if math.isinf(above):
        wanted = min(below * STEP, high)
    elif below <= 0:
        wanted = max(above / STEP, low)
    else:
        wanted = math.sqrt(below * above)
    return round(wanted, 4)


def _out_of_bounds(cell: str, pilot: Pilot, target: Pilot) -> DataError:
    """Say that the base's entropy is not reached within the bounds."""
    few = pilot.entropy < target.entropy
    return DataError(
        f"at T = {pilot.temperature:g} a token has {pilot.entropy:.4g} nats, "
        f"{'less' if few else 'more'} than the base's {target.entropy:.4g}",
        where=cell,
        fix=f"{'raise `high`' if few else 'lower `low`'} under `match_entropy`",
    )


def interval(trials: Sequence[Pilot], target: Pilot) -> tuple[float, float]:
    """Return the interval over problems of the temperature at which the entropies cross.

    Problems are drawn again, the same ones for base and trials; between trials entropy is taken as
    linear. It cannot leave the temperatures that were tried.
    """
    ordered = sorted(trials, key=lambda pilot: pilot.temperature)
    temperatures = np.array([pilot.temperature for pilot in ordered])
    size = len(target.tokens)
    weights = np.random.default_rng(SEED).multinomial(size, [1 / size] * size, size=REPLICATES)
    wanted = (weights @ target.entropies) / (weights @ target.tokens)
    curves = np.stack([(weights @ p.entropies) / (weights @ p.tokens) for p in ordered], axis=1)
    rising = np.maximum.accumulate(curves, axis=1)
    crossed = [np.interp(w, row, temperatures) for w, row in zip(wanted, rising, strict=True)]
    low, high = np.quantile(crossed, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)
