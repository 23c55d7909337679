"""CoT-pass@k corrected for a judge's errors, on studies with known truth: error, coverage, width.

    python perf/judged_curve.py --studies 200

A row per quality of judge and k, of studies of 300 problems and n = 64: `truth`, the true
CoT-pass@k of all such problems; `judged`, what the judge says of it, mean over studies; `covers`,
the share of studies whose interval over problems of the uncorrected curve covers the truth;
`corrected`, the corrected curve's mean; its share that covers (meant: 95 %) and the mean width of
its interval. 200 responses are labelled, half of them of rarely solved problems.
"""

from __future__ import annotations

import argparse

import numpy as np

from passk.stats import estimate_curve, pass_at_k
from passk.stats.judged import JudgedCounts, LabelTable, corrected_curve

PROBLEMS, N, KS, LABELS = 300, 64, (1, 8, 64), 200

JUDGES = {"good": (0.95, 0.90), "fair": (0.85, 0.75), "poor": (0.70, 0.60)}
"""Sensitivity and specificity."""


def draw(rng: np.random.Generator, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Return correct and sound responses: the less often a problem is solved, the less soundly."""
    never = rng.random(size) < 0.15
    accuracy = np.where(never, 0.0, rng.beta(0.5, 1.2, size))
    rate = rng.beta(0.3 + 6 * accuracy, 0.6)
    rate[rng.random(size) < 0.1] = 0.0  # guessed, however often
    correct = rng.binomial(N, accuracy)
    return correct, rng.binomial(correct, rate)


def study(
    rng: np.random.Generator, quality: tuple[float, float]
) -> tuple[JudgedCounts, LabelTable]:
    """Return the judgements and labels of one study."""
    sensitivity, specificity = quality
    correct, sound = draw(rng, PROBLEMS)
    hits = rng.binomial(sound, sensitivity)
    alarms = rng.binomial(correct - sound, 1 - specificity)
    cells = np.stack([hits, sound - hits, alarms, correct - sound - alarms])
    rare = correct <= 0.05 * N
    labelled = np.concatenate(
        [
            rng.multivariate_hypergeometric(part, min(LABELS // 2, part.sum()))[:, None]
            for part in (cells[:, rare].sum(axis=1), cells[:, ~rare].sum(axis=1))
        ],
        axis=1,
    ).sum(axis=1)
    return JudgedCounts(N, correct, correct, hits + alarms), LabelTable(*map(int, labelled))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--studies", type=int, default=200)
    studies = parser.parse_args().studies
    _, sound = draw(np.random.default_rng(1), 400_000)
    truth = pass_at_k(N, sound, KS).mean(axis=0)
    print("judge     k  truth  judged  covers  corrected  covers  width")
    for number, (name, quality) in enumerate(JUDGES.items()):
        rng = np.random.default_rng(number)
        found = []
        for _ in range(studies):
            counts, labels = study(rng, quality)
            plain = estimate_curve(N, counts.sound, KS)
            value, low, high = corrected_curve(counts, labels, KS)
            inside = (plain.low <= truth) & (truth <= plain.high)
            covered = (low <= truth) & (truth <= high)
            found.append([plain.value, inside, value, covered, high - low])
        means = np.mean(found, axis=0)
        for place, k in enumerate(KS):
            judged, inside, value, covered, width = means[:, place]
            print(
                f"{name:6} {k:4} {truth[place]:6.3f} {judged:7.3f} {inside:7.3f} {value:10.3f}"
                f" {covered:7.3f} {width:6.3f}"
            )


if __name__ == "__main__":
    main()
