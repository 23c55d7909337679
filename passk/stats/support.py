"""Support: which problems tuning keeps, finds and loses among those that k tries solve.

Wu et al. 2025 (arXiv 2507.14843) count preserved problems P (solved by base and tuned model),
discovered ones E (by the tuned model alone) and lost ones S (by the base alone):

- support retention rate SRR = P / (P + S): share of the base's problems that are kept;
- net discovery rate NDR = E / (P + E): share of the tuned model's problems that are new;
- support dynamic score SDS = 2 SRR NDR / (SRR + NDR), their harmonic mean;
- net support change rate NSCR = (E - S) / (P + E + S).

Here P, E and S are expected numbers at k tries: a problem counts as preserved with the product of
both pass@k, which is unbiased since the models' responses are independent. At k = n these are the
paper's own counts.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from passk.stats.arrays import Floats, Ints, KValues
from passk.stats.curves import LEVEL, pass_at_k
from passk.stats.intervals import expanded_z
from passk.stats.resampling import Counts
from passk.stats.score_intervals import square_and_add, wilson

RATES = ("srr", "ndr", "sds", "nscr")


@dataclass(frozen=True, slots=True)
class Support:
    """Support at k tries; every array has shape (K,).

    Attributes:
        k: values of k.
        preserved: expected number of problems that both solve.
        discovered: that the tuned model alone solves.
        lost: that the base alone solves.
        rates: name of `RATES` -> (value, low, high); nan where no problem counts.
    """

    k: Ints
    preserved: Floats
    discovered: Floats
    lost: Floats
    rates: dict[str, tuple[Floats, Floats, Floats]]


def support(
    tuned: Counts,
    base: Counts,
    ks: KValues,
    *,
    clusters: npt.ArrayLike | None = None,
    level: float = LEVEL,
) -> Support:
    """Return how tuning changed which problems are solved, at each of `ks`.

    Args:
        tuned: (n, c) of the tuned model, each of shape (P,).
        base: (n, c) of the base in the same order of problems.
        ks: values of k up to either n, shape (K,).
        clusters: names of clusters of problems that count as one draw, shape (P,).
        level: confidence level of the intervals over problems.

    Intervals are score intervals, since hardly any problem may be lost or discovered: Wilson's for
    SRR and NDR, with as many problems as the spread of the ratio tells; Newcombe's (1998) for NSCR;
    the margins of SRR and NDR carried over to SDS (Zou and Donner 2008, Statistics in Medicine 27:
    1693).
    """
    b, t = pass_at_k(*base, ks), pass_at_k(*tuned, ks)
    kept, found, lost = (
        _by_cluster(values, clusters) for values in (b * t, (1 - b) * t, b * (1 - t))
    )
    srr, ndr = _ratio(kept, kept + lost, level), _ratio(found, kept + found, level)
    rates = {
        "srr": srr,
        "ndr": ndr,
        "sds": _harmonic(srr, ndr),
        "nscr": _net(found, lost, kept + found + lost, level),
    }
    return Support(np.asarray(ks), kept.sum(axis=0), found.sum(axis=0), lost.sum(axis=0), rates)


def _by_cluster(values: Floats, clusters: npt.ArrayLike | None) -> Floats:
    """Return the sums over the problems of each cluster, shape (U, K)."""
    if clusters is None:
        return values
    names, index = np.unique(np.asarray(clusters), return_inverse=True)
    sums = np.zeros((len(names), values.shape[1]))
    np.add.at(sums, index, values)
    return sums


def _ratio(part: Floats, whole: Floats, level: float) -> tuple[Floats, Floats, Floats]:
    """Return sum(part) / sum(whole) over units (U, K) with Wilson's interval, shape (K,) each.

    The number of trials is the one at which a binomial share is as uncertain as the ratio (its
    linearised variance); where nothing varies, the effective number of units (Kish 1965). That also
    says how far Student's t reaches.
    """
    total = whole.sum(axis=0)
    known = total > 0
    safe = np.where(known, total, 1.0)
    value = part.sum(axis=0) / safe
    number = safe**2 / np.maximum((whole**2).sum(axis=0), 1e-12)
    spread = ((part - value * whole) ** 2).sum(axis=0) / safe**2
    chance = value * (1 - value)
    trials = np.where(spread > 1e-12, chance / np.where(spread > 1e-12, spread, 1.0), number)  # noqa: PLR2004 - nothing varies
    trials = np.clip(trials, np.minimum(1.0, number), None)
    reach = [expanded_z(level, max(2, round(units))) for units in number]
    ends = [wilson(*one) for one in zip(value, trials, reach, strict=True)]
    low, high = np.array(ends).T
    nothing = np.where(known, 0.0, np.nan)
    return value + nothing, np.minimum(low, value) + nothing, np.maximum(high, value) + nothing


def _harmonic(
    first: tuple[Floats, Floats, Floats], second: tuple[Floats, Floats, Floats]
) -> tuple[Floats, Floats, Floats]:
    """Return the harmonic mean of two rates, with the margins that either gives it combined."""

    def mean(a: Floats, b: Floats) -> Floats:
        both = a + b
        return np.where(both > 0, 2 * a * b / np.where(both > 0, both, 1.0), both)

    value = mean(first[0], second[0])
    low, high = (
        np.hypot(mean(first[end], second[0]) - value, mean(first[0], second[end]) - value)
        for end in (1, 2)
    )
    return value, np.maximum(value - low, 0.0), np.minimum(value + high, 1.0)


def _net(found: Floats, lost: Floats, whole: Floats, level: float) -> tuple[Floats, Floats, Floats]:
    """Return (sum(found) - sum(lost)) / sum(whole) over units (U, K), by square-and-add."""
    gain, loss = _ratio(found, whole, level), _ratio(lost, whole, level)
    rest = np.sqrt(np.maximum((1 - gain[0]) * (1 - loss[0]), 0.0))
    both = np.sqrt(gain[0] * loss[0])
    link = np.where(rest > both, both / np.where(rest > 0, rest, 1.0), np.where(both > 0, 1.0, 0.0))
    value = gain[0] - loss[0]
    low = square_and_add(gain[0] - gain[1], loss[2] - loss[0], link)
    high = square_and_add(gain[2] - gain[0], loss[0] - loss[1], link)
    return value, np.maximum(value - low, -1.0), np.minimum(value + high, 1.0)
