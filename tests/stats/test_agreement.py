"""Cohen's kappa, by its definition and on a published table."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from passk.stats import cohen_kappa

LABELS = st.sampled_from(["valid", "flawed", "unsure"])


@given(st.lists(st.tuples(LABELS, LABELS), max_size=40))
def test_kappa_is_symmetric_and_one_when_equal(pairs: list[tuple[str, str]]) -> None:
    first, second = [a for a, _ in pairs], [b for _, b in pairs]
    found = cohen_kappa(first, second)
    assert found == pytest.approx(cohen_kappa(second, first), nan_ok=True)
    assert math.isnan(found) or found <= 1
    same = cohen_kappa(first, first)
    assert math.isnan(same) if len(set(first)) < 2 else same == pytest.approx(1)


def test_kappa_of_a_published_example() -> None:
    pairs = [("y", "y")] * 20 + [("y", "n")] * 5 + [("n", "y")] * 10 + [("n", "n")] * 15
    assert cohen_kappa(*zip(*pairs, strict=True)) == pytest.approx(0.4)


def test_kappa_of_verdicts() -> None:
    ours = np.array([True, True, False, False, True, True, False, True])
    theirs = np.array([True, False, False, False, True, True, True, True])
    assert cohen_kappa(ours, theirs) == pytest.approx((0.75 - 0.53125) / (1 - 0.53125))
    assert math.isnan(cohen_kappa(np.ones(3, bool), np.ones(3, bool)))
