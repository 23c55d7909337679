"""The estimators: exact values, properties, and intervals that hold in a small simulation."""

from __future__ import annotations

import csv
import json
import os
from itertools import combinations
from math import comb, inf
from pathlib import Path

import numpy as np
import pytest
from conftest import REPO
from hypothesis import given, settings
from hypothesis import strategies as st

from passk.stats import (
    BINS,
    accuracy_bin,
    accuracy_histogram,
    compare,
    coverage_categories,
    coverage_counts,
    crossover,
    estimate_curve,
    fail_table,
    guess_pass_at_k,
    k_grid,
    mean_pass_at_k,
    noise_interval,
    pass_at_k,
    sampling_variance,
    se_gap,
    se_gap_to_base,
)

DATA = Path(os.environ.get("PASSK_DATA", REPO.parent / "shared" / "data"))
MATH500 = DATA / "outputs" / "math500_base_vs_simplerl_counts_n128"
needs_data = pytest.mark.skipif(not MATH500.exists(), reason="no shared data")

counts = st.integers(1, 9).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, n)))
many_counts = st.integers(1, 40).flatmap(
    lambda n: st.tuples(st.just(n), st.lists(st.integers(0, n), min_size=2, max_size=30))
)


@given(counts)
def test_pass_at_k_is_the_average_over_all_choices_of_k_responses(count: tuple[int, int]) -> None:
    n, c = count
    correct = [True] * c + [False] * (n - c)
    for k in range(1, n + 1):
        choices = list(combinations(correct, k))
        expected = sum(map(any, choices)) / len(choices)
        assert pass_at_k(n, [c], [k])[0, 0] == pytest.approx(expected, abs=1e-14)


@pytest.mark.parametrize("n", [7, 128, 1024])
def test_the_product_form_agrees_with_whole_number_arithmetic(n: int) -> None:
    ks = sorted({1, 2, n // 3, n // 2, n - 1, n})
    exact = [[comb(n - c, k) / comb(n, k) for c in range(n + 1)] for k in ks]
    assert np.abs(fail_table(n, ks) - exact).max() < 1e-13


@given(many_counts)
def test_pass_at_k_rises_with_k_and_with_c_and_stays_a_rate(study: tuple[int, list[int]]) -> None:
    n, _ = study
    rates = pass_at_k(n, range(n + 1), range(1, n + 1))
    assert (np.diff(rates, axis=1) >= -1e-12).all()
    assert (np.diff(rates, axis=0) >= -1e-12).all()
    assert rates.min() == 0
    assert rates.max() == 1


def test_more_tries_than_responses_are_undefined_even_where_all_are_correct() -> None:
    assert np.isnan(pass_at_k(4, [0, 2, 4], [5, 8])).all()
    assert np.isnan(mean_pass_at_k([4, 8], [4, 8], [5]))[0]
    curve = estimate_curve([4, 8], [4, 8], [4, 5, 8], replicates=50)
    assert np.isnan(curve.value).tolist() == [False, True, True]
    assert np.isnan(curve.low).tolist() == [False, True, True]


def test_problems_with_different_n_are_each_estimated_with_their_own() -> None:
    mean = mean_pass_at_k([2, 4], [1, 1], [1, 2])
    assert mean == pytest.approx([(1 / 2 + 1 / 4) / 2, (1 + 1 / 2) / 2])


@pytest.mark.parametrize(("n", "c"), [(4, [5]), (4, [-1])])
def test_impossible_counts_are_refused(n: int, c: list[int]) -> None:
    with pytest.raises(ValueError, match="0 <= c <= n"):
        mean_pass_at_k(n, c, [1])


@given(many_counts)
def test_the_mean_over_the_histogram_is_the_mean_over_problems(
    study: tuple[int, list[int]],
) -> None:
    n, c = study
    ks = range(1, n + 1)
    assert mean_pass_at_k(n, c, ks) == pytest.approx(pass_at_k(n, c, ks).mean(axis=0), abs=1e-12)


@settings(deadline=None, max_examples=40)
@given(many_counts)
def test_intervals_contain_the_estimate_and_stay_rates(study: tuple[int, list[int]]) -> None:
    n, c = study
    curve = estimate_curve(n, c, range(1, n + 1), replicates=400)
    noise_low, noise_high = noise_interval(n, c, range(1, n + 1))
    known = ~np.isnan(noise_low)
    for low, high in ((curve.low, curve.high), (noise_low[known], noise_high[known])):
        value = curve.value[: len(low)]
        assert (low <= value + 1e-9).all()
        assert (value <= high + 1e-9).all()
        assert low.min(initial=0) >= 0
        assert high.max(initial=0) <= 1


def test_the_same_seed_gives_the_same_interval_and_another_seed_nearly() -> None:
    c = np.arange(65)
    one, again, other = (estimate_curve(64, c, [1, 8], seed=seed) for seed in (1, 1, 2))
    assert (one.low == again.low).all()
    assert (one.low != other.low).any()
    assert one.low == pytest.approx(other.low, abs=0.01)


def test_unanimous_problems_get_no_less_than_the_exact_binomial_bound() -> None:
    solved = estimate_curve(4, [4] * 10, [1])
    unsolved = estimate_curve(4, [0] * 10, [1])
    assert 0.6 < solved.low[0] < 0.025 ** (1 / 10)
    assert solved.high[0] == 1
    assert 1 - 0.025 ** (1 / 10) < unsolved.high[0] < 0.4
    assert unsolved.low[0] == 0


def test_clusters_that_repeat_one_problem_widen_the_interval() -> None:
    c = np.repeat([0, 2, 4, 6, 8], 20)
    alone = estimate_curve(8, c, [1])
    together = estimate_curve(8, c, [1], clusters=c)
    assert together.high[0] - together.low[0] > 3 * (alone.high[0] - alone.low[0])
    single = estimate_curve(8, c, [1], clusters=np.arange(100))
    assert single.low[0] == pytest.approx(alone.low[0], abs=0.02)


def test_sampling_noise_is_undefined_above_half_of_n() -> None:
    variance = sampling_variance(8, [1, 4], [1, 4, 5, 8])
    assert np.isnan(variance).tolist() == [False, False, True, True]


def test_the_noise_interval_covers_the_rates_that_the_responses_were_drawn_from() -> None:
    rng = np.random.default_rng(5)
    rates = rng.beta(0.5, 1.5, 60)
    ks = [1, 4, 16]
    truth = [(1 - (1 - rates) ** k).mean() for k in ks]
    intervals = [noise_interval(64, rng.binomial(64, rates), ks) for _ in range(400)]
    covered = np.mean([(low <= truth) & (truth <= high) for low, high in intervals], axis=0)
    assert ((covered > 0.91) & (covered < 0.98)).all()


def test_the_problem_interval_covers_the_population_of_problems() -> None:
    rng = np.random.default_rng(6)
    population = rng.beta(0.5, 1.5, 100_000)
    ks = [1, 4, 16, 32]
    truth = np.array([(1 - (1 - population) ** k).mean() for k in ks])
    covered = []
    for _ in range(300):
        c = rng.binomial(32, rng.choice(population, 80))
        curve = estimate_curve(32, c, ks, replicates=600)
        covered.append((curve.low <= truth) & (truth <= curve.high))
    rate = np.mean(covered, axis=0)
    assert ((rate > 0.9) & (rate < 0.985)).all()


@pytest.mark.parametrize(
    ("deltas", "expected"),
    [
        ([0.2, 0.1, -0.1, -0.2], 4),
        ([-0.1, -0.1, -0.1, -0.1], 1),
        ([0.2, 0.1, 0.1, 0.1], inf),
        ([0.2, -0.1, 0.1, 0.1], inf),
        ([0.2, -0.1, 0.1, -0.1], 8),
        ([0.2, 0.0, -0.1, 0.0], 4),
        ([0.0, 0.0, 0.0, 0.0], inf),
        ([1e-12, 1e-12, -1e-12, -1e-12], inf),
        ([-0.1, 0.1, 0.1, -0.1], 8),
    ],
)
def test_the_crossover_is_where_the_base_overtakes_for_good(
    deltas: list[float], expected: float
) -> None:
    assert crossover([1, 2, 4, 8], np.array([deltas]))[0] == expected


def test_a_model_compared_with_itself_shows_nothing() -> None:
    same = (16, [0, 3, 9, 16])
    found = compare(same, same, [1, 4, 16], replicates=500)
    assert found.delta.tolist() == [0, 0, 0]
    assert found.crossover == (inf, 1, inf)
    assert (found.low <= 0).all()
    assert (found.high >= 0).all()


def test_a_loss_that_few_problems_could_have_shown_is_allowed_for() -> None:
    base, tuned = [16] * 20, [15] * 20
    few = compare((16, tuned), (16, base), [16])
    many = compare((16, tuned * 50), (16, base * 50), [16])
    assert few.low[0] < -0.04
    assert many.low[0] > -0.01


def test_the_band_is_wider_than_the_interval_and_both_hold_the_difference() -> None:
    rng = np.random.default_rng(1)
    rates = rng.beta(0.6, 1, 50)
    found = compare(
        (32, rng.binomial(32, rates**2)),
        (32, rng.binomial(32, rates)),
        range(1, 33),
        replicates=2000,
    )
    assert (found.band_low <= found.low + 0.01).all()
    assert (found.low <= found.delta).all()
    assert (found.delta <= found.high).all()
    assert (found.high <= found.band_high + 0.01).all()


def test_a_paired_difference_is_surer_than_two_separate_curves() -> None:
    rng = np.random.default_rng(2)
    rates = rng.beta(0.4, 0.4, 100)
    tuned, base = rng.binomial(64, rates), rng.binomial(64, rates)
    paired = compare((64, tuned), (64, base), [1])
    apart = [estimate_curve(64, c, [1]) for c in (tuned, base)]
    unpaired = np.hypot(*(curve.high[0] - curve.low[0] for curve in apart))
    assert paired.high[0] - paired.low[0] < unpaired / 3


def test_a_comparison_at_different_n_is_undefined_above_the_smaller() -> None:
    found = compare((8, [1, 5, 8]), (4, [0, 2, 4]), [1, 4, 8], replicates=100)
    assert np.isnan(found.delta).tolist() == [False, False, True]
    assert np.isnan(found.band_low).tolist() == [False, False, True]


@pytest.mark.parametrize(
    ("c", "label"),
    [(0, "0"), (1, "(0, 0.1]"), (10, "(0, 0.1]"), (11, "(0.1, 0.2]"), (30, "(0.2, 0.3]"),
     (90, "(0.8, 0.9]"), (91, "(0.9, 1)"), (99, "(0.9, 1)"), (100, "1")],
)  # fmt: skip
def test_a_bin_holds_its_upper_end(c: int, label: str) -> None:
    assert BINS[accuracy_bin(100, [c])[0]] == label


def test_the_histogram_counts_every_problem_once() -> None:
    assert accuracy_histogram(10, range(11)).tolist() == [1] * 10 + [0, 1]


def test_coverage_tells_the_four_cases_apart() -> None:
    found = coverage_categories((4, [3, 1, 0, 0]), (4, [1, 0, 2, 0]))
    assert found.tolist() == ["both", "base_only", "tuned_only", "neither"]
    assert set(coverage_counts((4, [3, 1, 0, 0]), (4, [1, 0, 2, 0])).values()) == {(1.0, 0.0)}


def test_the_two_gaps_are_not_the_same_thing() -> None:
    assert se_gap(0.3, 0.8) == pytest.approx(0.5)
    assert se_gap_to_base(0.4, 0.8) == pytest.approx(0.4)


def test_the_guess_floor_averages_over_problems_that_have_neighbours() -> None:
    floor = guess_pass_at_k([10, 0, 10], [5, 0, 0], [1, 11])
    assert floor[0] == pytest.approx(0.25)
    assert np.isnan(floor[1])


@pytest.mark.parametrize("n", [1, 2, 255, 256, 257, 1000, 5000])
def test_the_grid_of_tries_is_complete_below_256_and_ends_at_n(n: int) -> None:
    grid = k_grid(n)
    assert grid[0] == 1
    assert grid[-1] == n
    assert (np.diff(grid) > 0).all()
    assert grid[: min(n, 256)].tolist() == list(range(1, min(n, 256) + 1))


def math500() -> tuple[np.ndarray, np.ndarray, dict]:
    with (MATH500 / "counts.csv").open() as file:
        rows = list(csv.DictReader(file))
    base, tuned = (
        np.array([int(row[name]) for row in rows]) for name in ("base_correct", "simplerl_correct")
    )
    return base, tuned, json.loads((MATH500 / "published.json").read_text())


@needs_data
def test_published_math500_comparison_is_reproduced() -> None:
    base, tuned, published = math500()
    found = compare((128, tuned), (128, base), [1, 8, 16, 128])
    low, high = published["paired_bootstrap_95_ci_rl_minus_base_at_128"]
    assert found.delta[-1] == pytest.approx(-0.032, abs=1e-12)
    assert found.low[-1] == pytest.approx(low, abs=0.006)
    assert found.high[-1] == pytest.approx(high, abs=0.003)
    point, first, last = found.crossover
    assert 8 < point <= 16
    assert first <= point <= last
    named = {"rl_only": "tuned_only"}
    expected = {named.get(key, key): value for key, value in published["categories"].items()}
    assert {
        name: size for name, (size, _) in coverage_counts((128, base), (128, tuned)).items()
    } == expected
