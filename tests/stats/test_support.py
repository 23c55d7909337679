"""Support and diversity: hand-made counts, and truths that estimators meet."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from passk.stats.bootstrap import student_interval
from passk.stats.diversity import answer_entropy, differing_pairs, distinct_answers
from passk.stats.support import support


def test_rates_at_n_are_those_of_the_four_kinds_of_problems() -> None:
    base = np.array([4] * 6 + [4] * 2 + [0] * 3 + [0] * 4)
    tuned = np.array([4] * 6 + [0] * 2 + [4] * 3 + [0] * 4)
    found = support((4, tuned), (4, base), [4])
    assert (found.preserved, found.discovered, found.lost) == (6, 3, 2)
    values = {name: found.rates[name][0][0] for name in found.rates}
    sds = 2 * (6 / 8) * (3 / 9) / (6 / 8 + 3 / 9)
    assert values == pytest.approx({"srr": 6 / 8, "ndr": 3 / 9, "sds": sds, "nscr": 1 / 11})
    for value, low, high in found.rates.values():
        assert low[0] < value[0] < high[0]


def test_nothing_lost_is_not_certainly_nothing() -> None:
    solved = np.full(30, 8)
    found = support((8, solved), (8, solved), [1, 8])
    value, low, high = found.rates["srr"]
    assert (value == 1).all()
    assert low == pytest.approx(30 / (30 + 2.08**2), abs=1e-3)  # Wilson's bound, Student's t
    assert (high == 1).all()
    assert found.rates["ndr"][0].tolist() == [0, 0]


def test_no_solved_problem_has_no_rate() -> None:
    nothing = np.zeros(5, dtype=int)
    assert np.isnan(support((4, nothing), (4, nothing), [4]).rates["nscr"]).all()


def test_expected_numbers_at_k_are_those_of_all_draws() -> None:
    n, k, c_base, c_tuned = 5, 2, 2, 1
    draws = list(combinations(range(n), k))
    solved = [[any(i < c for i in draw) for draw in draws] for c in (c_base, c_tuned)]
    both = np.mean([b and t for b in solved[0] for t in solved[1]])
    found = support((n, np.array([c_tuned])), (n, np.array([c_base])), [k])
    assert found.preserved[0] == pytest.approx(both)


def test_clusters_count_once() -> None:
    base, tuned = np.repeat([8, 8, 8, 0], 6), np.repeat([8, 8, 0, 8], 6)
    alone = support((8, tuned), (8, base), [8]).rates["srr"]
    together = support((8, tuned), (8, base), [8], clusters=np.repeat(range(4), 6)).rates["srr"]
    assert together[0] == alone[0]
    assert together[1] < alone[1] - 0.1


def test_distinct_answers_and_pairs_are_means_over_all_draws() -> None:
    answers = list("aaabbc")
    times = np.array([3, 2, 1])
    for m in (1, 2, 4, 6):
        expected = np.mean([len(set(draw)) for draw in combinations(answers, m)])
        assert distinct_answers(times, m) == pytest.approx(expected)
    expected = np.mean([a != b for a, b in combinations(answers, 2)])
    assert differing_pairs(times) == pytest.approx(expected)
    assert np.isnan(differing_pairs(np.array([1])))


def test_entropy_of_few_answers_is_not_too_small() -> None:
    rng = np.random.default_rng(0)
    shares = np.full(40, 1 / 40)
    found, plain = [], []
    for _ in range(200):
        times = rng.multinomial(40, shares)
        times = times[times > 0]
        found.append(answer_entropy(times))
        plain.append(-(times / 40 * np.log(times / 40)).sum())
    assert np.mean(plain) < np.log(40) - 0.4
    assert np.mean(found) == pytest.approx(np.log(40), abs=0.05)
    assert answer_entropy(np.array([7])) == 0
    assert np.isfinite(answer_entropy(np.array([1])))


def test_students_interval_of_clusters_is_that_of_their_means() -> None:
    values = np.random.default_rng(0).normal(size=(12, 1))
    repeated = np.repeat(values, 3, axis=0)
    plain, clustered = (
        student_interval(values),
        student_interval(repeated, np.repeat(range(12), 3)),
    )
    assert np.allclose(plain, clustered)
    assert student_interval(repeated)[1] > plain[1]
    assert np.isinf(student_interval(values[:1])[1])
