"""Figures of training effects: efficiency gaps, algorithms, training steps, perplexities."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from passk.analysis.seed_series import Series
from passk.report.figures.algorithms import ROLES, algorithms_figure
from passk.report.figures.bars import perplexity_classes_figure, perplexity_figure
from passk.report.figures.base import BenchmarkView, CaptionedFigure
from passk.report.figures.overview import efficiency_figure, perplexity_steps_figure, steps_figure
from passk.report.figures.seeds import end_rows
from passk.report.findings import interval, percent, signed

SEVERAL = 2
"""Minimum number of models, or of steps, to compare in a figure."""


def efficiency(view: BenchmarkView) -> Iterator[CaptionedFigure]:
    """Yield every group's pass@1 and pass@k, and the gap between them."""
    rows = end_rows(view)
    if len(rows) < SEVERAL:
        return
    summary = "; ".join(
        f"{row['label']} {signed(row['se_gap'])} points"
        + (f" (to its base {signed(row['se_gap_to_base'])})" if row["base"] else "")
        for row in rows.to_dict("records")
    )
    k = int(rows["k"].iloc[0])
    how = (
        f"Dashed: pass@{k} of a base. The gap to the base is the distance from a filled mark to it."
        f"{_over_seeds(rows)}"
    )
    figure = efficiency_figure(rows, view.colors, view.title)
    title = f"Sampling-efficiency gap on {view.title}"
    yield CaptionedFigure(f"{view.prefix}-efficiency", title, f"Own gap: {summary}. {how}", figure)


def _over_seeds(rows: pd.DataFrame) -> str:
    """Return a note that values are means over seeds, if they are."""
    return " For several seeds: their mean." if (rows["seeds"] > 1).any() else ""


def algorithms(view: BenchmarkView) -> Iterator[CaptionedFigure]:
    """Yield the comparison of tuned models: pass@1, pass@k and the gap to the base."""
    table = end_rows(view)
    tuned = table.dropna(subset="se_gap_to_base")
    if len(tuned) < SEVERAL:
        return
    best = tuned.sort_values("se_gap_to_base", kind="stable").iloc[0]
    k = int(best["k"])
    low, high = best["se_gap_to_base_low"], best["se_gap_to_base_high"]
    seeds = (table["seeds"] > 1).any()
    also = "; for several seeds: mean and 95 % interval over problems and seeds" if seeds else ""
    kind = "over problems and seeds " if best["seeds"] > 1 else ""
    caption = (
        f"The smallest gap to the base (its pass@{k} minus a model's pass@1) is that of "
        f"{best['label']}: {signed(best['se_gap_to_base'])} points {kind}{interval(low, high)}. "
        f"Left: pass@1 (filled) and pass@{k} (hollow). Right: the gap to the base; lower is "
        f"better. Thin lines: 95 % intervals over problems, paired for the gap{also}. "
        f"Groups: {', '.join(role for role in ROLES if role in set(table['role']))}."
    )
    figure = algorithms_figure(table, view.colors, view.title)
    yield CaptionedFigure(
        f"{view.prefix}-algorithms", f"Comparison of models on {view.title}", caption, figure
    )


def steps(view: BenchmarkView) -> Iterator[CaptionedFigure]:
    """Yield pass@1 and pass@k_max against the step of each series of checkpoints."""
    several = (series for series in view.series if len(series.steps) > 1)
    for number, series in enumerate(several):
        cells = {cell.id: cell.seed for cell in series.cells if cell.step in series.steps}
        table = view.frames["summary"]
        table = table[table["cell"].isin(cells)].sort_values("step")
        table = table.assign(seed=table["cell"].map(cells))
        means = table.groupby("step")[["pass_at_1", "pass_at_k_max"]].mean()
        first, last = means.iloc[0], means.iloc[-1]
        seeds = series.seeds > 1
        how = "Thick: mean over seeds; thin: a seed." if seeds else (
            "Shaded: 95 % interval over problems."
        )  # fmt: skip
        caption = (
            f"From step {means.index[0]:g} to {means.index[-1]:g} pass@1 goes from "
            f"{percent(first['pass_at_1'])} to {percent(last['pass_at_1'])}, "
            f"pass@{table['k_max'].iloc[0]} from {percent(first['pass_at_k_max'])} to "
            f"{percent(last['pass_at_k_max'])}. {how}"
        )
        title = f"{_name_of(series)} by training step on {view.title} ({series.cells[0].sampler})"
        figure = steps_figure(table, view.colors[series.label], f"{series.label}, {view.title}")
        yield CaptionedFigure(f"{view.prefix}-steps-{number + 1}", title, caption, figure)


def _name_of(series: Series) -> str:
    """Return the name of a series in text: its algorithm if it has one."""
    return series.cells[0].algorithm or series.label or "training"


def _scored(view: BenchmarkView) -> pd.DataFrame:
    """Return the perplexities on a benchmark."""
    table = view.frames["perplexity"]
    return table[table["benchmark"] == view.benchmark]


def perplexity(view: BenchmarkView) -> Iterator[CaptionedFigure]:
    """Yield the perplexity boxes, if the benchmark has scores."""
    table = _scored(view)
    table = table[table["subset"] == "all"]
    if table.empty:
        return
    middles = table.groupby("scoring", sort=False).agg(
        {"median": "median", "responses_of": "first", "scorer_label": "first"}
    )
    summary = "; ".join(
        f"responses of {row['responses_of']} under {row['scorer_label']}: {row['median']:.2f}"
        for row in middles.to_dict("records")
    )
    caption = (
        f"Median perplexity over problems: {summary}. "
        "A dot is a problem (median over its responses); box: middle half; whiskers: 5 % to 95 %; "
        "lower is more likely."
    )
    figure = perplexity_figure(table, view.colors, view.title)
    yield CaptionedFigure(
        f"{view.prefix}-perplexity", f"Perplexity on {view.title}", caption, figure
    )


def perplexity_classes(view: BenchmarkView) -> Iterator[CaptionedFigure]:
    """Yield the same boxes by class: correct and wrong responses, and who solves the problem."""
    table = _scored(view)
    split = table[table["subset"] != "all"]
    if split.empty:
        return
    caption = (
        "The same perplexities by class. Responses: correct or wrong (a missing answer is wrong). "
        "Problems, by which model solves them with any response: both, the base alone, the tuned "
        "model alone. Small numbers: problems."
    )
    title = f"Perplexity by class on {view.title}"
    figure = perplexity_classes_figure(split, view.colors, view.title)
    yield CaptionedFigure(f"{view.prefix}-perplexity-classes", title, caption, figure)


def perplexity_steps(view: BenchmarkView) -> Iterator[CaptionedFigure]:
    """Yield, per series of checkpoints and scorer, each problem's perplexity against the step."""
    table = _scored(view)
    table = table[table["subset"] == "all"]
    number = 0
    for series in view.series:
        name, sampler = _name_of(series), series.cells[0].sampler
        of_series = table[table["cell"].isin([cell.id for cell in series.cells])]
        for scorer, part in of_series.groupby("scorer_label", sort=False):
            if part["step"].nunique() < SEVERAL:
                continue
            number += 1
            middle = part.groupby("step")["median"].median()
            caption = (
                f"Responses of {name} ({sampler}) under {scorer}: the median problem goes from "
                f"{middle.iloc[0]:.2f} at step {middle.index[0]:g} to {middle.iloc[-1]:.2f} at "
                f"step {middle.index[-1]:g}. Thin: a problem (median over its responses); thick: "
                "the median problem."
            )
            title = f"Perplexity by training step on {view.title}: {name} under {scorer}"
            figure = perplexity_steps_figure(part, view.colors[series.label], view.title)
            yield CaptionedFigure(
                f"{view.prefix}-perplexity-steps-{number}", title, caption, figure
            )
