"""Difficulty without regression to the mean, and success within budgets."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from passk.stats import pass_at_k
from passk.stats.budget import compare_within, first_k, pass_within
from passk.stats.strata import stratify


def test_a_stratum_is_the_mean_over_all_halves() -> None:
    n, correct = 8, 2
    weights, values = np.zeros(4), np.zeros(4)
    for half in combinations(range(n), n // 2):
        hits = sum(i < correct for i in half)
        place = int(np.searchsorted([0, 0.25, 0.75], hits / 4))
        weights[place] += 1 / 70
        values[place] += pass_at_k(4, correct - hits, [2])[0, 0] / 70
    found = stratify((n, np.array([4])), (n, np.array([correct])), [2])
    assert list(found) == ["never", "hard", "medium"]
    for place, one in enumerate(found.values()):
        assert one.problems == pytest.approx(weights[place])
        assert one.base[0][0] == pytest.approx(values[place] / weights[place])
        assert one.tuned[0][0] == pytest.approx(pass_at_k(n, 4, [2])[0, 0])
        assert one.delta[0][0] == pytest.approx(one.tuned[0][0] - one.base[0][0])


def test_identical_models_do_not_differ_in_any_stratum() -> None:
    rng = np.random.default_rng(0)
    halves, naive = [], []
    for _ in range(60):
        rates = rng.beta(0.5, 2, 80)
        base, tuned = rng.binomial(16, rates), rng.binomial(16, rates)
        found = stratify((16, tuned), (16, base), [1])
        halves.append(found["never"].delta[0][0])
        naive.append((tuned[base == 0] / 16).mean())  # the base never solves these: 0
        assert found["never"].delta[1][0] <= found["never"].delta[2][0]
    assert np.mean(naive) > 0.01
    assert abs(np.mean(halves)) < 0.005


def test_clusters_widen_a_stratum() -> None:
    rng = np.random.default_rng(1)
    base, tuned = (np.repeat(rng.binomial(16, 0.3, 12), 5) for _ in range(2))
    alone, together = (
        stratify((16, tuned), (16, base), [1], clusters=clusters)["medium"].delta
        for clusters in (None, np.repeat(range(12), 5))
    )
    assert together[0] == pytest.approx(alone[0])
    assert together[2] - together[1] > 1.3 * (alone[2] - alone[1])


def test_a_budget_pays_for_as_many_tries_as_it_costs() -> None:
    n, c = np.full(3, 8), np.array([0, 2, 8])
    values = pass_within((n, c), 10.0, np.array([5.0, 10.0, 25.0, 80.0, 81.0]))
    assert np.isnan(values[:, [0, 4]]).all()  # less than a response; more than n of them
    assert values[:, 1] == pytest.approx(c / 8)
    two, three = pass_at_k(n, c, [2, 3]).T
    assert values[:, 2] == pytest.approx((two + three) / 2)
    assert values[:, 3].tolist() == [0, 1, 1]


def test_the_same_model_at_double_length_has_half_the_tries() -> None:
    n, c = np.full(40, 16), np.arange(40) % 9
    found = compare_within((n, c), (n, c), (20.0, 10.0), np.array([40.0, 80.0]))
    two, four, eight = pass_at_k(n, c, [2, 4, 8]).mean(axis=0)
    assert found.tuned == pytest.approx([two, four])
    assert found.base == pytest.approx([four, eight])
    assert (found.low < found.delta).all()
    assert (found.delta < 0).all()
    assert (found.delta < found.high).all()


def test_half_is_reached_between_two_k_or_not_at_all() -> None:
    assert first_k([1, 2], np.array([0.6, 0.7]), 0.5) == 1
    assert first_k([1, 2], np.array([0.1, 0.2]), 0.5) == np.inf
