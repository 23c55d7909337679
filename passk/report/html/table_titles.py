"""Title of each table on the page, the meaning of its rows, and its values as JSON."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd

from passk.analysis.table_schemas import table_schemas

ABOUT: Mapping[str, str] = {
    "summary": "Summary: Per curve: pass@1, pass@k_max, gaps, crossover, coverage, truncation.",
    "pass_at_k": "pass@k: One row per curve and k, with both intervals and the guess floor.",
    "deltas": "Differences to the base: Tuned minus base at each k, paired over problems.",
    "coverage": "Problems lost and gained: Per comparison and problem, with p-value and q-value.",
    "confirmed": "Problems drawn again: Lost and gained problems, decided by fresh draws alone.",
    "judged": "Judged reasoning: What a judge says of responses, per curve.",
    "cot_pass_at_k": "CoT-pass@k: Correct and judged sound, at each k, with bounds.",
    "judge_agreement": "Judges against labels: Sensitivity, specificity and Cohen's kappa.",
    "cot_corrected": "CoT-pass@k, corrected: For a judge's errors, as labels show them.",
    "problems": "Problems: One row per curve and problem: verdicts counted.",
    "histogram": "Accuracy histogram: Problems per accuracy bin of each curve.",
    "flows": "From bin to bin: Problems that move from one accuracy bin of the base to another.",
    "perplexity": "Perplexity: Perplexities of responses under a scorer, per problem.",
    "perplexity_contrasts": "Perplexity against the base: That of tuned responses over the base's.",
    "estimates": "All estimates: One row per metric, with its interval and how it was computed.",
    "means": "Means over benchmarks: Every benchmark has equal weight.",
    "tests": "Tests: Paired sign-flip tests, Holm-corrected over benchmarks.",
    "series": "Series over seeds: Per series and checkpoint: means, ranges and both intervals.",
    "series_curves": "Curves over seeds: Mean over seeds and its difference to the base, by k.",
    "method_contrasts": "Methods compared: Differences between two methods at the last checkpoint.",
    "support": "Support: Problems that tuning keeps, discovers and loses, at each k.",
    "diversity": "Diversity: Different answers per problem, and the entropy of answers and tokens.",
    "budget": "Budgets: Success against tokens, or seconds, per problem in place of tries.",
    "costs": "Costs: What a response costs, and what it takes to solve half of the problems.",
    "difficulty": "Difficulty: Curves by how hard a problem was in the base's other responses.",
    "ranks": "Ranks: Chance that each model is the best, and the interval of its rank.",
    "design": "Design: What this study can show with power 0.8, and what more problems would.",
    "design_power": "Power: Chance to show the difference seen, by responses per problem.",
    "training": "Training: One row per training and step: reward, loss, cost.",
    "agreement": "Agreement with imported verdicts: Our verdicts compared with the imported ones.",
    "disagreements": "Disagreements: Responses whose verdict differs from the imported one.",
    "reviewed_models": "Valid solutions per model: One row per curve: reviewed problems by label.",
    "reviewed_curves": "Curves by review labels: By label, with and without guessable problems.",
    "reviewed_problems": "Reviewed problems: Responses by label, per problem.",
    "reviewed_agreement": "Agreement of reviewers: Cohen's kappa of each pair of reviewers.",
    "guessable": "Guessable problems: Those that the prompt without reasoning solves, how often.",
}
"""Table -> its title and what a row means; other tables are shown under their own name."""


HEADERS: Mapping[str, str] = {
    "problem_id": "problem",
    "pass_at_k": "pass@k",
    "cot_pass_at_k": "CoT-pass@k",
    "bound_low": "if undecided are unsound",
    "bound_high": "if undecided are sound",
    "unjudged_share": "share not judged",
    "pass_at_1": "pass@1",
    "pass_at_k_max": "pass@k_max",
    "k_max": "largest k (k_max)",
    "ci_low": "interval over problems, low",
    "ci_high": "interval over problems, high",
    "noise_low": "sampling noise, low",
    "noise_high": "sampling noise, high",
    "band_low": "band over all k, low",
    "band_high": "band over all k, high",
    "delta": "difference to base",
    "se_gap": "Own gap pass@k_max \N{MINUS SIGN} pass@1",
    "se_gap_to_base": "Gap base pass@k_max \N{MINUS SIGN} own pass@1",
    "crossover_k": "base overtakes at k",
    "both": "solved by both",
    "base_only": "solved by base alone",
    "tuned_only": "solved by tuned alone",
    "neither": "solved by neither",
    "lost_significant": "lost significantly",
    "gained_significant": "gained significantly",
    "truncated_share": "share truncated",
    "no_answer_share": "share without answer",
    "base_n": "base's responses",
    "base_correct": "base's correct",
    "common_n": "n of both",
    "p_familywise": "p, familywise",
    "guess_n": "guesses",
    "guess_correct": "guesses correct",
    "kappa": "Cohen's \N{GREEK SMALL LETTER KAPPA}",
}
"""Column -> its header on the page; others are their name with spaces."""


def meanings(name: str) -> dict[str, str]:
    """Return column -> what it holds, for the tables that have a schema."""
    known = table_schemas().get(name)
    return {column.name: column.meaning for column in known.columns} if known else {}


def about(name: str) -> tuple[str, str]:
    """Return title and explanation of a table."""
    title, _, meaning = ABOUT.get(name, name.replace("_", " ").capitalize()).partition(": ")
    return title, meaning


def plain(value: Any) -> Any:
    """Return one value as JSON: undefined is None, infinity is a text."""
    if value is None or value is pd.NA:
        return None
    if isinstance(value, np.bool_ | bool):
        return bool(value)
    if isinstance(value, np.integer):
        return int(value)
    if isinstance(value, float | np.floating):
        return _number(float(value))
    if isinstance(value, np.ndarray | list | tuple):
        return ", ".join(str(item) for item in value)
    return value if isinstance(value, int) else str(value)


def _number(value: float) -> Any:
    """Return a float with 9 significant digits, None for nan, a text for infinity."""
    if np.isnan(value):
        return None
    if np.isinf(value):
        return "none" if value > 0 else "-inf"
    return int(value) if value.is_integer() and abs(value) < 1e15 else float(f"{value:.9g}")  # noqa: PLR2004 - exact in a double


def columns_of(table: pd.DataFrame) -> Iterator[list[Any]]:
    """Yield one list per column: its name, then its values."""
    for name in table.columns:
        yield [str(name), *(plain(value) for value in table[name].tolist())]
