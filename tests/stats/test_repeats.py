"""The alarm for responses that repeat: it sounds for a broken sampler and for nothing else."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from passk.core.schemas import Sample, to_table
from passk.stats.repeats import count_repeats, exceeds_chance, response_keys, surprisals
from passk.stats.sample_repeats import count_repeats_by_problem, fingerprints, has_repeat_alarm

PLAIN = {"temperature": 1.0, "top_p": 1.0, "top_k": 0, "min_p": 0.0}


def drawn(
    chances: list[float], n: int, seed: int, *, tokens: int = 4, problem: str = "p"
) -> list[Sample]:
    """n responses of a sampler that is what it says: response i has the chance chances[i]."""
    picks = np.random.default_rng(seed).choice(len(chances), n, p=chances)
    return [
        Sample(
            problem_id=problem,
            sample=index,
            seed=index,
            text=str(pick),
            token_ids=[int(pick)] * tokens,
            n_tokens=tokens,
            finish_reason="stop",
            sum_logprob=math.log(chances[pick]),
            mean_entropy=-sum(p * math.log(p) for p in chances if p) / tokens,
        )
        for index, pick in enumerate(picks)
    ]


def alarm(rows: list[Sample], fields: dict[str, float]) -> bool:
    """Whether the rows of a file set the alarm off."""
    table = to_table(Sample, rows)
    counted = count_repeats_by_problem(
        [row.problem_id for row in rows], *fingerprints(table, fields)
    )
    return has_repeat_alarm(counted.values())


CHANCES = st.lists(st.floats(0.001, 1.0), min_size=1, max_size=30).map(
    lambda weights: [weight / sum(weights) for weight in weights]
)


@settings(max_examples=100, deadline=None)
@given(chances=CHANCES, n=st.integers(1, 200), seed=st.integers(0, 10**6))
def test_correct_draws_of_any_distribution_raise_no_alarm(
    chances: list[float], n: int, seed: int
) -> None:
    assert not alarm(drawn(chances, n, seed), PLAIN)


@given(chances=CHANCES, seed=st.integers(0, 10**6))
@settings(max_examples=25, deadline=None)
def test_expected_repeats_are_those_of_the_draws(chances: list[float], seed: int) -> None:
    totals = np.zeros(2)
    for replicate in range(40):
        rows = drawn(chances, 32, seed + replicate)
        keys, surprisal = fingerprints(to_table(Sample, rows), PLAIN)
        totals += count_repeats(keys, surprisal)
    assert abs(totals[0] - totals[1]) < 6 * math.sqrt(32 * 40 / 4)


def test_equal_responses_of_one_request_set_it_off() -> None:
    """Vllm 10852: the n responses of a request are one response; few tokens are enough."""
    rows = drawn([0.05] * 20, 64, 0)
    assert alarm([rows[0]] * 64, PLAIN)
    assert alarm([rows[0]] * 64, PLAIN | {"top_p": 0.95})
    long = [replace(row, mean_entropy=0.3) for row in drawn([1e-3] * 1000, 16, 0, tokens=400)]
    sharp = PLAIN | {"temperature": 0.6, "top_p": 0.95, "top_k": 20}
    assert alarm([long[0]] * 16, sharp)
    assert not alarm(long, sharp)


def test_one_bad_problem_among_many_is_enough() -> None:
    good = [row for i in range(50) for row in drawn([0.5, 0.5], 64, i, problem=f"p{i}")]
    bad = drawn([0.05] * 20, 64, 0, problem="bad")
    assert not alarm([*good, *bad], PLAIN)
    assert alarm([*good, *([bad[0]] * 64)], PLAIN)


def test_a_seed_used_twice_sets_it_off() -> None:
    for chances, tokens in (([1e-3] * 1000, 100), ([0.01] * 100, 4)):
        once = [
            row for i in range(10) for row in drawn(chances, 64, i, tokens=tokens, problem=str(i))
        ]
        assert not alarm(once, PLAIN)
        assert alarm(once + once, PLAIN)


def test_a_model_that_is_certain_repeats_itself_in_peace() -> None:
    assert not alarm(drawn([1.0], 256, 0), PLAIN)
    assert not alarm(drawn([0.97, 0.03], 1024, 0, tokens=1000), PLAIN)
    greedy = PLAIN | {"temperature": 0.0}
    assert not alarm([drawn([0.05] * 20, 8, 0)[0]] * 64, greedy)


def test_unknown_log_probabilities_and_samplers_say_nothing() -> None:
    nan = float("nan")
    one = Sample("p", 0, 0, "so", [], 1, "stop", nan, nan)
    assert not alarm([one] * 64, PLAIN)
    assert not alarm([drawn([0.05] * 20, 1, 0)[0]] * 64, {})


def test_a_nucleus_makes_the_surprisal_smaller_and_never_negative() -> None:
    lengths = np.array([10, 10])
    logprob = np.array([-5.0, -0.1])
    found = surprisals(logprob, np.zeros(2), lengths, temperature=1, top_p=0.9)
    assert found == pytest.approx([5 + 10 * math.log(0.9), 0])


def test_keys_are_equal_for_equal_responses_alone() -> None:
    parts = [[1, 2], [2, 1], [1], [1, 0], [0], [], [1, 2], [2**31 - 1, 7]]
    lengths = np.array([len(part) for part in parts])
    keys = response_keys(np.array([t for part in parts for t in part]), lengths)
    assert keys[0] == keys[6]
    assert keys[5] == 0
    assert len(set(keys.tolist())) == len(parts) - 1


def test_responses_without_tokens_are_compared_by_their_text() -> None:
    rows = [Sample("p", i, i, text, [], 3, "stop", -9.0, 1.0) for i, text in enumerate("abcab")]
    keys, _ = fingerprints(to_table(Sample, rows), PLAIN)
    assert len(set(keys.tolist())) == 3


def test_a_response_cannot_be_expected_to_repeat_others_more_than_once() -> None:
    keys = np.array([1, 2, 1, 1], dtype=np.uint64)
    assert count_repeats(keys, np.zeros(4)) == (2, 3.0)


def test_the_bound_holds_at_its_ends() -> None:
    assert not exceeds_chance(0, 0.0)
    assert not exceeds_chance(5, 5.0)
    assert exceeds_chance(1, 1e-9)
    assert not exceeds_chance(1, 1e-5)
    assert exceeds_chance(30, 1.0)
