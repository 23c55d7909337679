"""A design promises the power that the report's own test has, for differences of either sign."""

from __future__ import annotations

import numpy as np
import pytest

from passk.stats import compare
from passk.stats.deciding import responses_to_decide
from passk.stats.power import (
    detectable_difference,
    problems_needed,
    responses_needed,
    simulate_problems,
)
from passk.stats.rate_mixtures import RateMixture, assume_mixture, fit_mixture, tilt

MIXTURE = assume_mixture()


@pytest.mark.parametrize(("problems", "n", "k", "sign"), [(100, 16, 16, -1), (40, 32, 1, 1)])
def test_promised_power_is_that_of_the_comparison(problems: int, n: int, k: int, sign: int) -> None:
    drawn = simulate_problems(MIXTURE, n, [1, k])
    difference = detectable_difference(drawn, k, problems, sign=sign)
    promised = drawn.power(k, difference, problems)
    assert promised == pytest.approx(0.8, abs=0.03)
    truth = tilt(MIXTURE, k, difference)
    assert truth is not None
    rng = np.random.default_rng(3)
    shown = []
    for _ in range(400):
        kind = rng.choice(len(truth.weights), problems, p=truth.weights)
        tuned, base = ((n, rng.binomial(n, side[kind])) for side in (truth.tuned, truth.base))
        found = compare(tuned, base, [k], replicates=2)
        shown.append(found.low[0] > 0 if sign > 0 else found.high[0] < 0)
    assert np.mean(shown) == pytest.approx(promised, abs=0.07)  # 3.5 standard errors


def test_a_tilt_gives_the_difference_and_keeps_what_it_can() -> None:
    for difference in (-0.2, -0.01, 0.05):
        found = tilt(MIXTURE, 8, difference)
        assert found is not None
        assert found.difference(8) == pytest.approx(difference, abs=1e-8)
        assert found.weights.sum() == pytest.approx(1)
    same = tilt(MIXTURE, 8, MIXTURE.difference(8))
    assert same is not None
    assert same.weights == pytest.approx(MIXTURE.weights)
    assert tilt(MIXTURE, 1, -1.0) is None


def test_what_is_needed_is_just_enough() -> None:
    drawn = simulate_problems(MIXTURE, 32, [8])
    needed = problems_needed(drawn, 8, -0.05)
    assert drawn.power(8, -0.05, int(needed)) >= 0.79
    assert drawn.power(8, -0.05, int(0.9 * needed)) < 0.8
    assert problems_needed(drawn, 8, 0.0) == np.inf
    assert responses_needed(MIXTURE, 8, -0.05, 20) == np.inf
    n = responses_needed(MIXTURE, 1, -0.05, int(needed))
    assert simulate_problems(MIXTURE, int(n), [1]).power(1, -0.05, int(needed)) >= 0.77


def test_one_problem_shows_nothing() -> None:
    drawn = simulate_problems(MIXTURE, 16, [1])
    assert drawn.power(1, 0.5, 1) == 0
    assert np.isnan(detectable_difference(drawn, 1, 1))


def test_a_fit_finds_the_rates_behind_the_noise() -> None:
    rng = np.random.default_rng(0)
    size, n = 400, 64
    base = np.where(rng.random(size) < 0.5, 0.3, 0.0)
    truth = RateMixture(base, base, np.full(size, 1 / size))
    counts = [(n, rng.binomial(n, side)) for side in (truth.tuned, truth.base)]
    found = fit_mixture(*counts)
    assert found.weights.sum() == pytest.approx(1)
    seen = np.mean(((counts[0][1] - counts[1][1]) / n) ** 2)
    spread = found.weights @ found.changes(1) ** 2
    assert spread < 0.4 * seen  # most of what the counts show is noise
    assert abs(found.difference(1)) < 0.02


def test_lost_problems_are_decided_by_as_many_responses_as_they_are_rare() -> None:
    n = np.full(60, 32)
    base = np.array([32] * 40 + [0] * 10 + [1, 1, 4, 4, 20] + [0] * 5)
    tuned = np.array([32] * 40 + [0] * 10 + [0] * 5 + [1, 1, 4, 4, 20])
    found = responses_to_decide((n, tuned), (n, base), repeats=40)
    assert found.problem.tolist() == list(range(50, 60))
    assert found.lost.tolist() == [True] * 5 + [False] * 5
    for part in (found.n_decides[:5], found.n_decides[5:]):
        assert min(part[:2]) > max(part[2:4])
        assert min(part[2:4]) > part[4] > 32
    assert (found.n_if_same[[0, 5]] > 32 + 20).all()
