"""The estimators: pure functions from counts to numbers with intervals (numpy alone)."""

from passk.stats.bootstrap import Curve, estimate_curve, mean_interval
from passk.stats.comparison import Comparison, compare, crossover
from passk.stats.coverage import (
    BINS,
    CATEGORIES,
    accuracy_bin,
    accuracy_histogram,
    coverage,
    coverage_counts,
    se_gap,
    se_gap_to_base,
)
from passk.stats.curves import (
    LEVEL,
    Floats,
    guess_floor,
    mean_pass_at_k,
    miss_table,
    noise_interval,
    pass_at_k,
    sampling_variance,
    tries,
)
from passk.stats.extrapolation import Extrapolation, extrapolate
from passk.stats.intervals import (
    FEW_PROBLEMS,
    METHODS,
    REPLICATES,
    SEED,
    Method,
    percentiles,
    problem_interval,
    t_quantile,
)
from passk.stats.majority import (
    majority_at_k,
)
from passk.stats.reliability import (
    THRESHOLDS,
    cover_at,
    g_pass_at_k,
    mg_pass_at_k,
    pass_hat_k,
)
from passk.stats.reliability_flags import flag
from passk.stats.resampling import Units, curve_units, mean_units, paired_units, with_unseen
from passk.stats.significance import (
    change_p_values,
    false_discovery,
    holm,
    sign_flip_p_values,
)

__all__ = [
    "BINS",
    "CATEGORIES",
    "FEW_PROBLEMS",
    "LEVEL",
    "METHODS",
    "REPLICATES",
    "SEED",
    "THRESHOLDS",
    "Comparison",
    "Curve",
    "Extrapolation",
    "Floats",
    "Method",
    "Units",
    "accuracy_bin",
    "accuracy_histogram",
    "change_p_values",
    "compare",
    "cover_at",
    "coverage",
    "coverage_counts",
    "crossover",
    "curve_units",
    "estimate_curve",
    "extrapolate",
    "false_discovery",
    "flag",
    "g_pass_at_k",
    "guess_floor",
    "holm",
    "majority_at_k",
    "mean_interval",
    "mean_pass_at_k",
    "mean_units",
    "mg_pass_at_k",
    "miss_table",
    "noise_interval",
    "paired_units",
    "pass_at_k",
    "pass_hat_k",
    "percentiles",
    "problem_interval",
    "sampling_variance",
    "se_gap",
    "se_gap_to_base",
    "sign_flip_p_values",
    "t_quantile",
    "tries",
    "with_unseen",
]
