"""Score intervals for means over few problems, where hardly any problem shows the event.

A bootstrap cannot draw what no problem of the study shows: with 0 losses among 30 problems its
interval for the loss has no width, while a true loss of 11 % is still plausible. A score interval
(Wilson 1927) knows. Values between 0 and 1 are treated as events of unequal weight: moments give
an effective number of events of one effective weight, with one event more than was seen on the
upper side (Fay and Feuer 1997, Statistics in Medicine 16: 791). With values 0 and 1 alone it is
Wilson's interval itself. Gains and losses are bounded apart and combined by square-and-add
(Newcombe 1998, Statistics in Medicine 17: 2635, method 10; Zou and Donner 2008).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from passk.stats.arrays import Floats
from passk.stats.resampling import ResamplingUnits


@dataclass(frozen=True, slots=True)
class Moments:
    """First and second moment over problems of values in [0, 1], each of shape (K,)."""

    mean: Floats
    square: Floats

    @property
    def typical_size(self) -> Floats:
        """The size-weighted mean value, E x^2 / E x; 1 where all values are 0, shape (K,)."""
        return np.where(self.mean > 0, self.square / np.where(self.mean > 0, self.mean, 1.0), 1.0)


def moments(units: ResamplingUnits) -> Moments:
    """Return the moments over problems, clusters weighted by their size."""
    return _moments(units, units.sums / units.sizes[:, None])


def _moments(units: ResamplingUnits, values: Floats) -> Moments:
    """Return the moments of values per unit, shape (U, K)."""
    share = units.times * units.sizes / (units.times @ units.sizes)
    return Moments(share @ values, share @ values**2)


def effective_number(units: ResamplingUnits) -> float:
    """Return the number of equally large units that would be as informative (Kish 1965)."""
    total: float = float(units.times @ units.sizes)
    return total**2 / float(units.times @ units.sizes**2)


def wilson(share: Floats, number: float | Floats, z: float) -> tuple[Floats, Floats]:
    """Return Wilson's interval of a share of `number` problems, elementwise."""
    if not np.isfinite(z):
        return np.zeros_like(share), np.ones_like(share)
    weight = z * z / number
    center = (share + weight / 2) / (1 + weight)
    inside = np.maximum(share * (1 - share), 0.0) / number + weight / (4 * number)
    margin = z * np.sqrt(inside) / (1 + weight)
    return np.maximum(center - margin, 0.0), np.minimum(center + margin, 1.0)


def upper_bound(seen: Moments, unseen: Floats, number: float | Floats, z: float) -> Floats:
    """Return the upper bound of a mean, allowing one event of size `unseen` more, shape (K,)."""
    total, square = seen.mean * number + unseen, seen.square * number + unseen**2
    weight = square / np.where(total > 0, total, 1.0)
    events = np.clip(total**2 / np.where(square > 0, square, 1.0) - 1, 0.0, number)
    bound: Floats = np.minimum(weight * wilson(events / number, number, z)[1], 1.0)
    return np.maximum(bound, seen.mean)


def lower_bound(seen: Moments, number: float | Floats, z: float) -> Floats:
    """Return the lower bound of a mean of values in [0, 1], shape (K,)."""
    weight = seen.typical_size
    events = np.clip(seen.mean * number / np.where(weight > 0, weight, 1.0), 0.0, number)
    bound: Floats = weight * wilson(events / number, number, z)[0]
    return np.minimum(bound, seen.mean)


def possible_size(seen: Moments, number: float) -> Floats:
    """Return how much a problem that no problem of the study resembles may count, shape (K,)."""
    size: Floats = (seen.square * number + 1) / (seen.mean * number + 1)
    return size


def rate_interval(units: ResamplingUnits, z: float) -> Floats:
    """Return the score interval of a mean of rates in [0, 1], shape (2, K)."""
    number = effective_number(units)
    right = moments(units)
    if not np.isfinite(z):
        return np.stack([0 * right.mean, 0 * right.mean + 1])
    wrong = Moments(1 - right.mean, 1 - 2 * right.mean + right.square)
    ends = [upper_bound(part, possible_size(part, number), number, z) for part in (wrong, right)]
    return np.stack([1 - ends[0], ends[1]])


def difference_interval(
    units: ResamplingUnits, loss_size: Floats, gain_size: Floats, z: float
) -> Floats:
    """Return the score interval of a mean of differences in [-1, 1], shape (2, K).

    Args:
        units: paired differences, tuned minus base.
        loss_size: how much a lost problem counts that no problem of the study resembles, (K,).
        gain_size: the same of a gained problem, shape (K,).
        z: standard errors that the interval reaches either way.
    """
    number = effective_number(units)
    values = units.sums / units.sizes[:, None]
    if not np.isfinite(z):
        known = np.where(np.isnan(values).any(axis=0), np.nan, 1.0)
        return np.stack([-known, known])
    gain = _moments(units, np.maximum(values, 0.0))
    loss = _moments(units, np.maximum(-values, 0.0))
    return difference_ends(gain, loss, loss_size, gain_size, number, z)


def difference_ends(
    gain: Moments,
    loss: Moments,
    loss_size: Floats,
    gain_size: Floats,
    number: float | Floats,
    z: float,
) -> Floats:
    """Return the score interval of gains minus losses from their moments, shape (2, ...).

    Elementwise over arrays of any shape. Arguments as for `difference_interval`; `number` is that
    of the problems, or of as many equally large clusters.
    """
    gain_up = upper_bound(gain, gain_size, number, z) - gain.mean
    loss_up = upper_bound(loss, loss_size, number, z) - loss.mean
    gain_down = gain.mean - lower_bound(gain, number, z)
    loss_down = loss.mean - lower_bound(loss, number, z)
    spread = np.maximum((gain.square - gain.mean**2) * (loss.square - loss.mean**2), 0.0)
    product = gain.mean * loss.mean
    link = np.where(spread > product**2, product / np.sqrt(np.where(spread > 0, spread, 1.0)), 1.0)
    link = np.where(product > 0, link, 0.0)
    delta = gain.mean - loss.mean
    return np.stack(
        [
            np.maximum(delta - square_and_add(gain_down, loss_up, link), -1.0),
            np.minimum(delta + square_and_add(gain_up, loss_down, link), 1.0),
        ]
    )


def square_and_add(first: Floats, second: Floats, link: Floats) -> Floats:
    """Return the margin of a difference whose parts have the correlation -link."""
    margin: Floats = np.sqrt(first**2 + second**2 + 2 * link * first * second)
    return margin
