"""Fresh draws decide single problems: p-values, decisions, and how often they are wrong."""

from __future__ import annotations

import numpy as np
import pytest

from passk.stats.confirmation import (
    FAMILYWISE_ERROR,
    decide,
    fresh_p_values,
    is_solved_again,
    select_kinds,
)


def test_p_halves_with_each_correct_response_up_to_the_other_models_first_round() -> None:
    solver = [[3, 0, 2, 4], [4, 0, 5, 0]]
    other = [[0, 0, 0, 1], [0, 1, 1, 0]]
    assert fresh_p_values(solver, other).tolist() == [2**-7, 1.0, 2**-2, 1.0]
    assert fresh_p_values(np.zeros((0, 2)), np.zeros((0, 2))).tolist() == [1.0, 1.0]


def test_p_bounds_fishers_exact_tail() -> None:
    """All c of 2n responses are one model's: C(n, c) / C(2n, c) is below 2^-c, and near it."""
    n, c = 1024, 9
    exact = np.prod([(n - i) / (2 * n - i) for i in range(c)])
    assert 0.9 < exact / fresh_p_values([c], [0])[0] <= 1


def test_decisions() -> None:
    decisions, p, adjusted = decide([[12, 12, 3, 5]], [[0, 1, 0, 0]])
    assert decisions.tolist() == ["confirmed", "refuted", "open", "open"]
    assert adjusted.tolist() == [4 * 2**-12, 1.0, 2 * 2**-3, 3 * 2**-5]
    assert p[3] < FAMILYWISE_ERROR < adjusted[3]  # alone it would be confirmed


def test_what_is_confirmed_stays_confirmed_in_later_rounds() -> None:
    rng = np.random.default_rng(5)
    solver, other = rng.poisson(3, (6, 40)), rng.poisson(0.1, (6, 40))
    before = np.zeros(40, dtype=bool)
    for rounds in range(1, 7):
        _, _, adjusted = decide(solver[:rounds], other[:rounds])
        assert (adjusted <= FAMILYWISE_ERROR)[before].all()
        before = adjusted <= FAMILYWISE_ERROR
    assert before.any()


@pytest.mark.parametrize("rounds", [1, 16])
def test_a_wrong_problem_is_confirmed_in_five_percent_of_studies_at_most(rounds: int) -> None:
    """Equal rates, so that every confirmation is wrong; a look after each of many rounds."""
    rng = np.random.default_rng(rounds)
    wrong = 0
    for _ in range(600):
        rates = rng.uniform(0.001, 0.9, 20)
        solver, other = rng.binomial(64 // rounds, rates, (2, rounds, 20))
        shown = [decide(solver[: r + 1], other[: r + 1])[0] for r in range(rounds)]
        wrong += any((decisions == "confirmed").any() for decisions in shown)
    assert wrong / 600 <= FAMILYWISE_ERROR


def test_kinds_of_problems() -> None:
    n, c = np.full(5, 100), np.array([0, 4, 2, 50, 0])
    base_c = np.array([3, 0, 60, 50, 0])
    both = ((n, c), (n, base_c))
    assert select_kinds(*both).tolist() == ["lost", "gained", "", "", ""]
    assert select_kinds(*both, lost=False, rare=0.03).tolist() == ["rare", "gained", "rare", "", ""]


def test_a_rare_problem_is_solved_again_by_each_model_that_solved_it_rarely() -> None:
    rare, fresh = [[True, True, False], [False, True, True]], [[1, 5, 0], [0, 0, 2]]
    assert is_solved_again(rare, fresh).tolist() == [True, False, True]
