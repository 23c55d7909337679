"""Further estimators: exact against brute force, and corrections that correct."""

from __future__ import annotations

from collections import Counter
from itertools import combinations
from math import ceil, comb

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from passk.stats import (
    change_p_values,
    cover_at,
    g_pass_at_k,
    holm,
    majority_at_k,
    mean_interval,
    mg_pass_at_k,
    paired_units,
    pass_at_k,
    pass_hat_k,
    sign_flip_p_values,
)

counts = st.integers(1, 8).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, n)))


def draws(n: int, c: int, k: int) -> list[int]:
    """Return the number of correct ones in every choice of k responses."""
    return [sum(chosen) for chosen in combinations([1] * c + [0] * (n - c), k)]


@given(counts, st.sampled_from([0.25, 0.5, 0.75, 1.0]))
def test_reliability_metrics_are_averages_over_all_choices(
    count: tuple[int, int], tau: float
) -> None:
    n, c = count
    for k in range(1, n + 1):
        hits = draws(n, c, k)
        expected = np.mean([hit >= max(1, ceil(tau * k)) for hit in hits])
        assert g_pass_at_k(n, [c], [k], tau)[0, 0] == pytest.approx(expected, abs=1e-12)
        assert pass_hat_k(n, [c], [k])[0, 0] == pytest.approx(np.mean([h == k for h in hits]))
        steps = range(ceil(k / 2) + 1, k + 1)
        area = 2 / k * sum(np.mean([hit >= i for hit in hits]) for i in steps)
        if k > 1:
            assert mg_pass_at_k(n, [c], [k])[0, 0] == pytest.approx(area, abs=1e-12)


def test_reliability_is_undefined_above_n_and_bounded_by_pass_at_k() -> None:
    assert np.isnan(g_pass_at_k(4, [2], [5], 0.5))[0, 0]
    assert np.isnan(pass_hat_k(4, [4], [5]))[0, 0]
    assert np.isnan(mg_pass_at_k(4, [4], [1]))[0, 0]
    c, ks = np.arange(65), [1, 2, 8, 64]
    above = pass_at_k(64, c, ks)
    for tau in (0.25, 0.5, 1.0):
        below = g_pass_at_k(64, c, ks, tau)
        assert (below <= above + 1e-12).all()
        above = below


def test_cover_counts_problems_that_reach_the_share() -> None:
    found = cover_at(8, [0, 2, 4, 8], (0.25, 0.5, 1.0)).mean(axis=0)
    assert found.tolist() == [0.75, 0.5, 0.25]


def majority(answers: str, k: int, right: str) -> float:
    """Return maj@k over every choice of k answers ("-" is none), ties shared."""
    wins = []
    for chosen in combinations(answers, k):
        votes = Counter(answer for answer in chosen if answer != "-")
        most = max(votes.values(), default=0)
        winners = [answer for answer, times in votes.items() if times == most]
        wins.append((right in winners) / len(winners) if winners else 0)
    return float(np.mean(wins))


@pytest.mark.parametrize("answers", ["aab", "abb", "aabbc", "a----", "abc-d", "bbb", "aaaa"])
def test_majority_votes_agree_with_every_choice_of_k(answers: str) -> None:
    times = Counter(answers.replace("-", ""))
    classes = (
        np.array(list(times.values())),
        np.array([n if name == "a" else 0 for name, n in times.items()]),
    )
    ks = range(1, len(answers) + 2)
    found = majority_at_k([classes], len(answers), ks, seed=0, draws=4000)[0]
    for k, value in zip(ks, found, strict=True):
        if k > len(answers):
            assert np.isnan(value)
        else:
            assert value == pytest.approx(majority(answers, k, "a"), abs=0.03)


@settings(max_examples=50)
@given(counts, counts)
def test_the_change_test_is_fishers_with_the_smaller_tail_doubled(
    base: tuple[int, int], tuned: tuple[int, int]
) -> None:
    (n, c), (m, d) = base, tuned
    chances = [comb(c + d, x) * comb(n + m - c - d, m - x) for x in range(m + 1)]
    total = comb(n + m, m)
    tails = sum(chances[: d + 1]) / total, sum(chances[d:]) / total
    found = change_p_values((n, [c]), (m, [d]))[0]
    assert found == pytest.approx(min(1, 2 * min(tails)), abs=1e-10)


def test_corrections_for_many_tests() -> None:
    p = [0.01, 0.04, 0.03, 0.5]
    assert holm(p).tolist() == pytest.approx([0.04, 0.09, 0.09, 0.5])
    assert holm([0.2]).tolist() == [0.2]


def test_the_sign_flip_test_is_level_without_a_difference_and_sharp_with_one() -> None:
    rng = np.random.default_rng(3)
    rates = rng.beta(1, 1, 40)
    p = []
    for seed in range(300):
        pair = ((16, rng.binomial(16, rates)), (16, rng.binomial(16, rates)))
        units = paired_units(*pair, ks=[4])
        p.append(sign_flip_p_values(units, replicates=400, seed=seed)[0])
    assert 0.02 < np.mean(np.array(p) <= 0.05) < 0.09
    units = paired_units((16, [12] * 40), (16, [4] * 40), ks=[1])
    assert sign_flip_p_values(units, replicates=999)[0] == pytest.approx(0.001)


def test_the_mean_interval_is_the_bootstrap_of_whole_problems() -> None:
    values = np.random.default_rng(0).normal(1, 2, (400, 1))
    mean, low, high = mean_interval(values)
    assert mean[0] == pytest.approx(values.mean())
    assert high[0] - low[0] == pytest.approx(2 * 1.96 * values.std() / 20, rel=0.05)
    assert np.isnan(mean_interval(np.array([[1.0], [np.nan]]))[0]).all()
