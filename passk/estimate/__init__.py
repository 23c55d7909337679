"""The estimators: pure functions from counts to numbers with intervals (numpy alone)."""

from passk.estimate.bootstrap import (
    REPLICATES,
    SEED,
    Comparison,
    Curve,
    compare,
    crossover,
    estimate_curve,
)
from passk.estimate.coverage import (
    BINS,
    CATEGORIES,
    accuracy_bin,
    accuracy_histogram,
    coverage,
    coverage_counts,
    se_gap,
    se_gap_to_base,
)
from passk.estimate.curves import (
    LEVEL,
    guess_floor,
    mean_pass_at_k,
    miss_table,
    noise_interval,
    pass_at_k,
    sampling_variance,
    tries,
)

__all__ = [
    "BINS",
    "CATEGORIES",
    "LEVEL",
    "REPLICATES",
    "SEED",
    "Comparison",
    "Curve",
    "accuracy_bin",
    "accuracy_histogram",
    "compare",
    "coverage",
    "coverage_counts",
    "crossover",
    "estimate_curve",
    "guess_floor",
    "mean_pass_at_k",
    "miss_table",
    "noise_interval",
    "pass_at_k",
    "sampling_variance",
    "se_gap",
    "se_gap_to_base",
    "tries",
]
