"""CoT-pass@k: a response counts if its answer is correct and its reasoning is sound.

A judge says which reasoning is sound, and errs: it calls a share `sensitivity` of sound responses
sound, and a share `specificity` of unsound ones not sound. Labels of people estimate both.

Correction: given its problem, each correct response is sound with a rate that the problem has; the
rates of problems with about as many correct responses have a distribution, which is fitted to how
many are judged sound (expectation maximisation; Kiefer and Wolfowitz 1956). The rate of judgements
"sound" follows from the rate of sound responses as in Rogan and Gladen 1978 (American Journal of
Epidemiology 107: 71), and pass@k from the fitted distribution. Intervals by simulation: problems
are drawn anew, and sensitivity and specificity from their posterior under Jeffreys' prior.
Definition of CoT-pass@k: Wen et al. 2025 (arXiv 2506.14245).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from passk.stats.arrays import Floats, Ints, KValues
from passk.stats.curves import LEVEL, fail_table
from passk.stats.hypergeometric import log_choose
from passk.stats.intervals import SEED

RATES = np.linspace(0.0, 1.0, 21)
"""Rates of sound responses that a problem may have."""

STEPS = 60
"""Steps of expectation maximisation."""

DRAWS = 200
"""Simulated studies that an interval is made of."""

AGREEMENT_DRAWS = 4000
"""Draws that the intervals of sensitivity, specificity and kappa are made of."""

LEAST_INFORMATION = 0.05
"""Sensitivity + specificity - 1 below which judgements say nothing of soundness."""


@dataclass(frozen=True, slots=True)
class LabelTable:
    """Labelled responses that a judge has judged.

    Attributes:
        valid_sound: valid by label, sound by the judge.
        valid_other: valid by label, not sound by the judge.
        flawed_sound: flawed by label, sound by the judge.
        flawed_other: flawed by label, not sound by the judge.
    """

    valid_sound: int
    valid_other: int
    flawed_sound: int
    flawed_other: int

    def shares(self, draws: int = 0, seed: int = SEED) -> Floats:
        """Return the shares of the four, shape (4,), or draws of their posterior, (draws, 4)."""
        counts = np.array(
            [self.valid_sound, self.valid_other, self.flawed_sound, self.flawed_other]
        )
        if draws:
            return np.random.default_rng(seed).dirichlet(counts + 0.5, draws)
        with np.errstate(invalid="ignore"):
            shares: Floats = counts / counts.sum()
        return shares


def agreement(shares: Floats) -> Floats:
    """Return sensitivity, specificity and Cohen's kappa of shares (..., 4), shape (..., 3)."""
    both, missed, wrong, neither = np.moveaxis(np.asarray(shares, dtype=np.float64), -1, 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        chance = (both + missed) * (both + wrong) + (neither + missed) * (neither + wrong)
        kappa = (both + neither - chance) / (1 - chance)
        return np.stack([both / (both + missed), neither / (neither + wrong), kappa], axis=-1)


def agreement_interval(labels: LabelTable, level: float = LEVEL) -> tuple[Floats, Floats, Floats]:
    """Return sensitivity, specificity and kappa, and the ends of their intervals, (3,) each.

    Equal-tailed, under Jeffreys' prior for the four shares; nan where nothing tells.
    """
    drawn = agreement(labels.shares(AGREEMENT_DRAWS))
    low, high = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2], axis=0)
    return agreement(labels.shares()), low, high


@dataclass(frozen=True, slots=True)
class JudgedCounts:
    """Judgements on the responses to each problem; every array has shape (P,).

    Attributes:
        n: responses; one number for all problems.
        correct: correct responses.
        judged: correct responses that were judged. Where some of a problem's were, the others are
            taken to be sound as often; where none was, they count as sound.
        sound: those of them that are judged sound; unclear ones are not.
    """

    n: int
    correct: Ints
    judged: Ints
    sound: Ints


def corrected_curve(
    counts: JudgedCounts,
    labels: LabelTable,
    ks: KValues,
    *,
    level: float = LEVEL,
    draws: int = DRAWS,
    seed: int = SEED,
) -> tuple[Floats, Floats, Floats]:
    """Return CoT-pass@k corrected for a judge's errors, and its interval over problems, (K,) each.

    Errors are taken to be independent from
    response to response, and as frequent in labelled responses as in the others.

    Args:
        counts: judgements per problem.
        labels: what people say of judged responses.
        ks: values of k up to n, shape (K,).
        level: confidence level.
        draws: simulated studies.
        seed: their seed.
    """
    fit = _Fit(counts, ks)
    rng = np.random.default_rng(seed)
    size = len(counts.correct)
    value = fit.curve(np.ones(size), *agreement(labels.shares())[:2])
    drawn = agreement(labels.shares(draws, seed))
    curves = np.empty((draws, len(ks)))
    for number, (sensitivity, specificity, _) in enumerate(drawn):
        times = np.bincount(rng.integers(0, size, size), minlength=size).astype(np.float64)
        if sensitivity + specificity - 1 < LEAST_INFORMATION:
            curves[number] = fit.bound(times, sound=bool(number % 2))
        else:
            curves[number] = fit.curve(times, sensitivity, specificity)
    low, high = np.quantile(curves, [(1 - level) / 2, (1 + level) / 2], axis=0)
    return value, np.minimum(low, value), np.maximum(high, value)


class _Fit:
    """What the correction of one curve computes once."""

    def __init__(self, counts: JudgedCounts, ks: KValues) -> None:
        """Tabulate the chance of no sound response in k tries, per problem and rate."""
        self._counts = counts
        fail = fail_table(counts.n, ks)
        kinds, place = np.unique(counts.correct, return_inverse=True)
        by_kind = np.stack([_binomials(int(c)) @ fail[:, : c + 1].T for c in kinds])
        self._fail = by_kind[place]  # (P, rates, K)
        self._known = counts.judged == 0
        self._fail[self._known] = fail[:, counts.correct[self._known]].T[:, None, :]
        strata = np.ceil(np.log2(np.maximum(counts.correct, 1))).astype(np.int64)
        self._strata = np.eye(int(strata.max(initial=0)) + 1)[:, strata]  # (S, P)
        self._stratum = strata

    def curve(self, times: Floats, sensitivity: float, specificity: float) -> Floats:
        """Return the corrected curve where each problem occurs so many times, shape (K,)."""
        chances = self._likelihoods(sensitivity, specificity)
        chances[self._known] = 1.0
        strata = self._strata * np.where(self._known, 0.0, times)
        weights = np.full((len(strata), len(RATES)), 1 / len(RATES))
        share = np.ones_like(chances) / len(RATES)
        for _ in range(STEPS):
            share = weights[self._stratum] * chances
            share /= np.maximum(share.sum(axis=1, keepdims=True), 1e-300)
            weights = strata @ share + 1e-12  # a group of no problem keeps any rate
            weights /= weights.sum(axis=1, keepdims=True)
        failed = np.einsum("pr,prk->pk", share, self._fail)
        return self._mean(times, failed)

    def bound(self, times: Floats, *, sound: bool) -> Floats:
        """Return the curve where every judged response is sound, or none, shape (K,)."""
        return self._mean(times, self._fail[:, -1 if sound else 0])

    @staticmethod
    def _mean(times: Floats, failed: Floats) -> Floats:
        """Return pass@k of a mean over problems, shape (K,)."""
        mean: Floats = 1 - times @ failed / times.sum()
        return mean

    def _likelihoods(self, sensitivity: float, specificity: float) -> Floats:
        """Return the likelihood of each rate, the largest being 1, shape (P, rates)."""
        said = sensitivity * RATES + (1 - specificity) * (1 - RATES)
        said = np.clip(said, 1e-9, 1 - 1e-9)
        sound = self._counts.sound[:, None]
        logs = sound * np.log(said) + (self._counts.judged[:, None] - sound) * np.log1p(-said)
        chances: Floats = np.exp(logs - logs.max(axis=1, keepdims=True))
        return chances


def _binomials(count: int) -> Floats:
    """Return the chance of 0, ..., `count` sound responses at each rate, (rates, count + 1)."""
    some = np.arange(count + 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        yes = np.where(some > 0, some * np.log(RATES[:, None]), 0.0)
        no = np.where(count > some, (count - some) * np.log1p(-RATES[:, None]), 0.0)
    chances: Floats = np.exp(log_choose(np.full_like(some, count), some) + yes + no)
    return chances
