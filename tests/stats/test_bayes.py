"""Bayesian intervals hold the truth, narrow with data, and ranks are chances."""

from __future__ import annotations

import numpy as np
import pytest

from passk.stats import estimate_curve, mean_pass_at_k
from passk.stats.bayes import beta_binomial_interval, rank_chances


def test_the_posterior_is_near_the_estimate_and_narrows() -> None:
    rng = np.random.default_rng(0)
    widths = []
    for problems in (10, 200):
        rates = np.where(rng.random(problems) < 0.3, 0, rng.beta(0.6, 1.4, problems))
        c = rng.binomial(64, rates)
        mean, low, high = beta_binomial_interval(64, c, [1, 8, 64])
        assert (low < mean).all()
        assert (mean < high).all()
        widths.append(high - low)
    assert mean == pytest.approx(mean_pass_at_k(64, c, [1, 8, 64]), abs=0.03)
    assert (widths[1] < widths[0] / 2).all()


def test_intervals_hold_with_few_problems() -> None:
    rng = np.random.default_rng(1)
    held = np.zeros(2)
    for _ in range(100):
        rates = np.where(rng.random(15) < 0.4, 0, rng.beta(0.6, 1.0, 15))
        _, low, high = beta_binomial_interval(32, rng.binomial(32, rates), [1, 32])
        truth = [0.6 * 0.375, 0.6 * 0.88995]  # pass@32 of beta(0.6, 1): 1 - B(.6, 33) / B(.6, 1)
        held += (low <= truth) & (truth <= high)
    assert (held >= 88).all()


def test_all_wrong_and_all_right_are_not_certain() -> None:
    nothing = beta_binomial_interval(8, np.zeros(10, dtype=int), [1, 8])
    assert (nothing[1] < 0.01).all()
    assert 0.02 < nothing[2][1] < 0.5
    everything = beta_binomial_interval(8, np.full(10, 8), [1, 8])
    assert 0.6 < everything[1][0] < 0.999


def test_a_curve_may_have_bayesian_intervals_without_clusters() -> None:
    c = [0, 1, 4, 8, 3, 0]
    found = estimate_curve(8, c, [1, 8], method="bayes", replicates=50)
    assert [found.low.tolist(), found.high.tolist()] == [
        end.tolist() for end in beta_binomial_interval(8, c, [1, 8])[1:]
    ]
    clusters = ["a", "a", "b", "b", "c", "c"]
    plain, bayes = (
        estimate_curve(8, c, [1, 8], method=method, clusters=clusters, replicates=50)
        for method in ("percentile", "bayes")
    )
    assert plain.low.tolist() == bayes.low.tolist()


def test_ranks_are_chances_over_paired_problems() -> None:
    rng = np.random.default_rng(0)
    hard = rng.random((60, 1))
    table = np.hstack([hard, np.minimum(hard + 0.05, 1), 0 * hard, 0 * hard])
    chances, means = rank_chances([table])
    assert chances.sum(axis=0) == pytest.approx(np.ones(4))
    assert chances.sum(axis=1) == pytest.approx(np.ones(4))
    assert chances[1, 0] > 0.99  # always a little better on the same problems
    assert chances[2].tolist() == [0, 0, 0.5, 0.5]  # ties share
    assert means == pytest.approx(table.mean(axis=0))
    over = rank_chances([table, table[:, [1, 0, 2, 3]]])[0]
    assert 0.3 < over[0, 0] < 0.7
