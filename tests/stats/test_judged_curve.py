"""CoT-pass@k: agreement of a judge with labels, and the curve corrected for its errors."""

from __future__ import annotations

import numpy as np
import pytest

from passk.stats import cohen_kappa, mean_pass_at_k
from passk.stats.judged import JudgedCounts, LabelTable, agreement_interval, corrected_curve

N, KS = 32, (1, 4, 32)


def test_agreement_is_that_of_the_labelled_responses() -> None:
    labels = LabelTable(40, 10, 5, 45)
    value, low, high = agreement_interval(labels)
    people = ["valid"] * 50 + ["flawed"] * 50
    judge = ["valid"] * 40 + ["flawed"] * 10 + ["valid"] * 5 + ["flawed"] * 45
    assert value.tolist() == pytest.approx([0.8, 0.9, cohen_kappa(people, judge)])
    # Jeffreys' interval of 40 of 50: Brown, Cai and DasGupta 2001
    assert [low[0], high[0]] == pytest.approx([0.674, 0.893], abs=0.01)
    assert ((low < value) & (value < high)).all()


def study(rng: np.random.Generator, sensitivity: float, specificity: float) -> JudgedCounts:
    """Judgements on 200 problems."""
    correct = rng.binomial(N, rng.beta(0.5, 1.2, 200))
    sound = rng.binomial(correct, rng.beta(1.0, 0.6, 200))
    said = rng.binomial(sound, sensitivity) + rng.binomial(correct - sound, 1 - specificity)
    return JudgedCounts(N, correct, correct, said)


def test_a_judge_that_never_errs_is_hardly_corrected() -> None:
    counts = study(np.random.default_rng(1), 1.0, 1.0)
    value, low, high = corrected_curve(counts, LabelTable(5000, 0, 0, 5000), KS, draws=20)
    assert value == pytest.approx(mean_pass_at_k(N, counts.sound, KS), abs=0.02)
    assert ((low <= value) & (value <= high)).all()


@pytest.mark.parametrize("quality", [(0.95, 0.9), (0.85, 0.75), (0.7, 0.6)])
def test_the_corrected_curve_covers_the_truth(quality: tuple[float, float]) -> None:
    """Where the judge's own curve is off; perf/judged_curve.py measures how often."""
    rng = np.random.default_rng(7)
    big = rng.binomial(N, rng.beta(0.5, 1.2, 200_000))
    truth = mean_pass_at_k(N, rng.binomial(big, rng.beta(1.0, 0.6, 200_000)), KS)
    counts = study(rng, *quality)
    right, wrong = (round(100 * share) for share in quality)
    labels = LabelTable(right, 100 - right, 100 - wrong, wrong)
    value, low, high = corrected_curve(counts, labels, KS, draws=100)
    assert ((low <= truth) & (truth <= high)).all()
    judged = mean_pass_at_k(N, counts.sound, KS)
    assert abs(value - truth).max() < max(0.05, abs(judged - truth).max())


def test_a_judge_that_says_nothing_leaves_everything_open() -> None:
    counts = study(np.random.default_rng(2), 0.5, 0.5)
    _, low, high = corrected_curve(counts, LabelTable(50, 50, 50, 50), KS, draws=40)
    assert low[-1] < 0.05
    assert high[-1] > 0.8


def test_responses_that_were_not_judged_count_as_sound() -> None:
    correct = np.array([3, 0, N, 5])
    none = np.zeros(4, dtype=np.int64)
    counts = JudgedCounts(N, correct, none, none)
    value, _, _ = corrected_curve(counts, LabelTable(9, 1, 1, 9), KS, draws=10)
    assert value == pytest.approx(mean_pass_at_k(N, correct, KS))
