"""The estimators: pure functions from counts to numbers with intervals (numpy alone)."""

from passk.stats.agreement import cohen_kappa
from passk.stats.bootstrap import Curve, estimate_curve, mean_interval
from passk.stats.comparison import Comparison, compare, crossover
from passk.stats.coverage import (
    BINS,
    CATEGORIES,
    accuracy_bin,
    accuracy_histogram,
    coverage_categories,
    coverage_counts,
    se_gap,
    se_gap_to_base,
)
from passk.stats.curves import (
    LEVEL,
    Floats,
    fail_table,
    guess_pass_at_k,
    k_grid,
    mean_pass_at_k,
    noise_interval,
    pass_at_k,
    sampling_variance,
)
from passk.stats.extrapolation import MAX_EXTRAPOLATION, Extrapolation, extrapolate
from passk.stats.intervals import (
    METHODS,
    MIN_PROBLEMS,
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
from passk.stats.resampling import (
    ResamplingUnits,
    add_unseen_changes,
    curve_units,
    mean_units,
    paired_units,
)
from passk.stats.significance import (
    change_p_values,
    false_discovery,
    holm,
    sign_flip_p_values,
)

__all__ = [
    "BINS",
    "CATEGORIES",
    "LEVEL",
    "MAX_EXTRAPOLATION",
    "METHODS",
    "MIN_PROBLEMS",
    "REPLICATES",
    "SEED",
    "THRESHOLDS",
    "Comparison",
    "Curve",
    "Extrapolation",
    "Floats",
    "Method",
    "ResamplingUnits",
    "accuracy_bin",
    "accuracy_histogram",
    "add_unseen_changes",
    "change_p_values",
    "cohen_kappa",
    "compare",
    "cover_at",
    "coverage_categories",
    "coverage_counts",
    "crossover",
    "curve_units",
    "estimate_curve",
    "extrapolate",
    "fail_table",
    "false_discovery",
    "flag",
    "g_pass_at_k",
    "guess_pass_at_k",
    "holm",
    "k_grid",
    "majority_at_k",
    "mean_interval",
    "mean_pass_at_k",
    "mean_units",
    "mg_pass_at_k",
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
]
