"""Inference where papers make claims: few events, seeds, unequal n, names of lost problems."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from passk.stats import (
    BINS,
    Floats,
    add_seed_spread,
    compare,
    contrast,
    coverage_chances,
    coverage_counts,
    estimate_curve,
    first_loss,
    flow_counts,
    k_grid,
    mean_interval,
    method_band,
    noise_interval,
    pass_at_k,
    regions,
    seed_margin,
    solved_by_one_p_values,
)
from passk.stats.arrays import Ints
from passk.stats.coverage import solve_chances
from passk.stats.intervals import sup_t_quantile
from passk.stats.resampling import add_unseen_changes, value_units
from passk.stats.score_intervals import difference_interval, rate_interval, wilson


@pytest.mark.parametrize(("events", "number"), [(0, 30), (1, 30), (7, 12), (40, 500)])
def test_the_score_interval_of_zeros_and_ones_is_wilsons(events: int, number: int) -> None:
    values = np.repeat([1.0, 0.0], [events, number - events])[:, None]
    theirs = stats.binomtest(events, number).proportion_ci(method="wilson")
    ours = rate_interval(value_units(values), stats.norm.ppf(0.975))
    assert ours[:, 0] == pytest.approx([theirs.low, theirs.high], abs=1e-9)
    low, high = wilson(np.array([events / number]), number, stats.norm.ppf(0.975))
    assert [low[0], high[0]] == pytest.approx([theirs.low, theirs.high], abs=1e-9)


def test_rare_large_losses_among_many_small_ones_stay_possible() -> None:
    values = np.full((500, 1), -0.002)
    whole = np.ones(1)
    low, high = difference_interval(value_units(values), whole, whole, 1.96)[:, 0]
    assert low < -3 / 500 - 0.002
    assert -0.002 < high < 0.01


def test_gains_and_losses_that_exclude_each_other_widen_the_interval() -> None:
    values = np.repeat([1.0, -1.0], 200)[:, None]
    whole = np.ones(1)
    low, high = difference_interval(value_units(values), whole, whole, 1.96)[:, 0]
    assert (low, high) == pytest.approx((-0.098, 0.098), abs=0.005)


def test_identical_models_of_thirty_problems_may_differ_by_eleven_points_either_way() -> None:
    c = np.r_[np.zeros(18, int), np.full(12, 1024)]
    found = compare((1024, c), (1024, c), [1, 1024], replicates=500)
    assert found.low == pytest.approx(-0.1135, abs=1e-3)
    assert found.high == pytest.approx(0.1135, abs=1e-3)


@settings(deadline=None, max_examples=40)
@given(
    st.integers(1, 40).flatmap(
        lambda n: st.tuples(
            st.just(n), st.lists(st.tuples(*[st.integers(0, n)] * 2), min_size=1, max_size=40)
        )
    )
)
def test_the_band_is_never_inside_the_interval_nor_either_without_the_estimate(
    study: tuple[int, list[tuple[int, int]]],
) -> None:
    n, counts = study
    tuned, base = np.array(counts).T
    found = compare((n, tuned), (n, base), k_grid(n), replicates=200)
    assert (found.band_low <= found.low + 1e-12).all()
    assert (found.high <= found.band_high + 1e-12).all()
    assert (found.low <= found.delta + 1e-12).all()
    assert (found.delta <= found.high + 1e-12).all()
    if len(counts) == 1:
        assert (found.low == -1).all()
        assert (found.high == 1).all()


@pytest.mark.parametrize("n", [1024, 32])
def test_a_loss_that_a_small_study_seldom_shows_is_covered(n: int) -> None:
    rng = np.random.default_rng(n)
    ks = np.array([1, 16, n // 2, n])
    base = np.where(rng.random(100_000) >= 0.6, rng.beta(0.6, 1.0, 100_000), 0.0)
    tuned = np.where(rng.random(100_000) < 0.125, 0.0, base**0.6)
    truth = np.array([((1 - base) ** k - (1 - tuned) ** k).mean() for k in ks])
    held = []
    for _ in range(300):
        at = rng.integers(100_000, size=30)
        counts = [[(n, rng.binomial(n, rates[at]))] for rates in (tuned, base)]
        low, high = contrast(*counts, ks)[1]
        held.append((low <= truth) & (truth <= high))
    assert (np.mean(held, axis=0) > 0.92).all()


def test_the_sup_t_quantile_is_that_of_independent_columns_and_of_one() -> None:
    rng = np.random.default_rng(3)
    one = value_units(rng.standard_normal((400, 1)))
    ten = value_units(rng.standard_normal((400, 10)))
    assert sup_t_quantile(one) == pytest.approx(1.96, abs=0.05)
    exact = stats.norm.ppf(0.5 + 0.95 ** (1 / 10) / 2)
    assert sup_t_quantile(ten) == pytest.approx(exact, abs=0.06)
    assert sup_t_quantile(value_units(np.zeros((5, 2)))) == pytest.approx(1.96, abs=0.01)


def test_a_fifth_of_a_lost_and_of_a_gained_problem_can_be_drawn() -> None:
    units = add_unseen_changes(value_units(np.zeros((30, 1))), np.array([0.5]), np.array([1.0]))
    assert units.times[-2:].tolist() == [0.2, 0.2]
    assert units.sums[-2:, 0].tolist() == [-0.5, 1.0]
    assert units.number == 30


def test_one_problem_says_nothing_of_others() -> None:
    curve = estimate_curve(4, [2], [1, 2])
    assert (curve.low.tolist(), curve.high.tolist()) == ([0, 0], [1, 1])
    _, low, high = mean_interval(np.array([[0.5]]))
    assert (low[0], high[0]) == (0, 1)


def test_noise_without_a_correct_response_follows_the_rule_of_three() -> None:
    low, high = noise_interval(50, [0, 0], [1, 10])
    bound = 1 - 0.025 ** (1 / 100)
    assert low.tolist() == [0, 0]
    assert high == pytest.approx([bound, 1 - (1 - bound) ** 10])
    assert noise_interval(50, [50, 50], [1])[:, 0] == pytest.approx([1 - bound, 1])


@pytest.mark.parametrize("problems", [500, 1319])
def test_hard_problems_that_did_not_change_are_rarely_named(problems: int) -> None:
    rng = np.random.default_rng(problems)
    n, studies, wrong = 128, 300, 0
    hard = np.arange(problems) < 0.3 * problems
    for _ in range(studies):
        rates = np.where(hard, rng.uniform(0.02, 0.03, problems), rng.uniform(0.2, 0.6, problems))
        base = rng.binomial(n, rates)
        tuned = rng.binomial(n, np.where(hard, rates, rates + 0.3))
        p = solved_by_one_p_values((n, base), (n, tuned))
        wrong += bool((p[hard] <= 0.05).any())
    assert wrong / studies <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / studies)


def test_familywise_p_values_are_sums_of_the_chances_of_being_named() -> None:
    base, tuned = (4, np.array([4, 0, 1, 2, 0])), (4, np.array([0, 3, 0, 2, 0]))
    chance = [1 / 70, 4 / 56, 1 / 2, 1 / 70]
    total = [2 * sum(x for x in chance if x <= own + 1e-12) for own in chance[:3]]
    expected = [*np.minimum(total, 1), 1.0, 1.0]
    assert solved_by_one_p_values(base, tuned) == pytest.approx(expected)
    unequal = solved_by_one_p_values((6, [2]), (3, [0]))
    assert unequal == pytest.approx([15 / 36 + 3 / 36])


def test_a_named_loss_is_found_among_many_problems_that_only_got_easier() -> None:
    base = np.r_[np.full(300, 40), np.full(150, 3), 20]
    tuned = np.r_[np.full(300, 90), np.full(150, 2), 0]
    p = solved_by_one_p_values((128, base), (128, tuned))
    assert p[-1] < 0.001
    assert (p[:-1] == 1).all()


@pytest.mark.parametrize(("n", "c", "at"), [(6, 2, 3), (5, 0, 2), (5, 5, 1), (4, 1, 4), (7, 3, 5)])
def test_thinned_solving_and_bins_count_all_choices(n: int, c: int, at: int) -> None:
    picks = [sum(i < c for i in pick) for pick in combinations(range(n), at)]
    expected = np.mean([hits > 0 for hits in picks])
    assert solve_chances([n], [c], [at])[0] == pytest.approx(expected, abs=1e-12)
    flows = flow_counts((n, np.array([c])), (at, np.array([0])))
    assert flows.sum() == pytest.approx(1)
    assert flows[BINS.index("0"), 0] == pytest.approx(np.mean([hits == 0 for hits in picks]))


def test_the_same_model_with_fewer_responses_loses_as_much_as_it_gains() -> None:
    rng = np.random.default_rng(8)
    rates = np.where(rng.random(500) < 0.4, rng.uniform(0, 0.05, 500), rng.random(500))
    many, few = (128, rng.binomial(128, rates)), (16, rng.binomial(16, rates))
    sizes = coverage_counts(many, few)
    lost, gained = sizes["base_only"], sizes["tuned_only"]
    assert lost[0] == pytest.approx(gained[0], abs=4 * np.hypot(lost[1], gained[1]))
    assert lost[1] > 0
    assert coverage_chances(many, few).sum(axis=1) == pytest.approx(np.ones(500))
    assert (solved_by_one_p_values(many, few) > 0.05).all()


def test_regions_and_the_first_loss_follow_the_band() -> None:
    low, high = np.array([0.1, -0.1, -0.2, -0.3]), np.array([0.2, 0.1, 0.1, -0.1])
    ks = [1, 2, 4, 8]
    assert regions(ks, low, high) == [("gain", 1, 1), ("undecided", 2, 4), ("loss", 8, 8)]
    assert first_loss(ks, low, high) == (2, 8)
    assert first_loss(ks, low, np.abs(high)) == (2, np.inf)
    assert first_loss(ks, np.abs(low), np.abs(high)) == (np.inf, np.inf)
    edge = np.zeros(4)
    assert regions(ks, edge, high + 1) == [("undecided", 1, 8)]
    assert first_loss(ks, edge, high + 1) == (np.inf, np.inf)


def seeds_of(rng: np.random.Generator, rates: Floats, spread: float, seeds: int) -> list[Ints]:
    """Counts of 64 of each seed, whose rates move together by `spread`."""
    moves = rng.normal(0, spread, seeds)
    return [rng.binomial(64, np.clip(rates + move, 0, 1)) for move in moves]


def test_an_interval_for_a_method_knows_that_seeds_differ() -> None:
    rng = np.random.default_rng(11)
    held = {"problems": 0, "method": 0}
    studies = 200
    for _ in range(studies):
        rates = rng.uniform(0.2, 0.6, 100)
        base = rng.binomial(64, rates)
        tuned = seeds_of(rng, rates + 0.1, 0.048, 3)
        _, *ends = contrast([(64, c) for c in tuned], [(64, base)], [1])
        for name, (low, high) in zip(held, ends, strict=True):
            held[name] += bool(low[0] <= 0.1 <= high[0])
    assert held["method"] / studies > 0.92
    assert held["problems"] / studies < 0.75


def test_a_single_seed_has_no_interval_for_its_method_and_that_of_its_comparison() -> None:
    rng = np.random.default_rng(3)
    base, tuned = (16, rng.integers(0, 10, 40)), (16, rng.integers(3, 16, 40))
    delta, over_problems, method = contrast([tuned], [base], [1, 8])
    alone = compare(tuned, base, [1, 8])
    assert np.isnan(method).all()
    assert over_problems == pytest.approx(np.stack([alone.low, alone.high]))
    assert delta == pytest.approx(alone.delta)
    three = contrast([tuned] * 3, [base], [1, 8])
    assert three[1] == pytest.approx(over_problems)
    assert three[2] == pytest.approx(over_problems)


def test_the_margin_of_seeds_is_welchs() -> None:
    a, b = np.array([0.3, 0.35, 0.4]), np.array([0.5, 0.52, 0.6, 0.61])
    theirs = stats.ttest_ind(a, b, equal_var=False)
    variance = a.var(ddof=1) / 3 + b.var(ddof=1) / 4
    floor = stats.t.ppf(0.975, int(theirs.df))
    assert seed_margin([a[:, None], b[:, None]])[0] == pytest.approx(
        floor * np.sqrt(variance), rel=5e-3
    )
    one = seed_margin([a[:, None], np.array([[0.5]])])[0]
    assert one == pytest.approx(stats.t.ppf(0.975, 2) * np.sqrt(a.var(ddof=1) / 3), rel=1e-6)
    ends = add_seed_spread(np.array([0.1]), np.array([[0.07], [0.14]]), [a[:, None]])
    assert ends[:, 0] == pytest.approx([0.1 - np.hypot(0.03, one), 0.1 + np.hypot(0.04, one)])


def test_pass_at_k_of_mixed_n_still_averages_over_problems_alone() -> None:
    values = pass_at_k([4, 8], [1, 2], [1, 4])
    _, low, high = mean_interval(values)
    assert (low < values.mean(axis=0)).all()
    assert (values.mean(axis=0) < high).all()


def test_a_problem_that_nobody_solves_is_never_named() -> None:
    p = solved_by_one_p_values((128, [20, 0, 0]), (128, [0, 0, 0]))
    assert p[0] < 0.001
    assert p[1:].tolist() == [1, 1]


def test_a_methods_band_covers_both_ends_of_the_curve() -> None:
    seeds = [(1000, np.full(3000, c)) for c in (480, 500, 520)]
    for ks, level in (([1], 0.975), ([1, 2], 0.9875)):
        low, high = method_band(seeds, [(1000, np.full(3000, 500))], ks, replicates=100)
        margin = stats.t.ppf(level, 2) * 0.02 / 3**0.5
        assert high[0] == pytest.approx(margin, rel=0.03)
        assert low[0] == pytest.approx(-margin, rel=0.03)


def test_the_band_of_seeds_that_agree_is_that_of_one_checkpoint() -> None:
    rng = np.random.default_rng(5)
    tuned, base = (16, rng.binomial(16, 0.5, 80)), (16, rng.binomial(16, rng.random(80)))
    band = method_band([tuned, tuned], [base], k_grid(16), replicates=2000)
    one = compare(tuned, base, k_grid(16), replicates=2000)
    assert band == pytest.approx(np.stack([one.band_low, one.band_high]), abs=0.01)
    assert ((band[1] - band[0]) > 1.05 * (one.high - one.low)).all()
