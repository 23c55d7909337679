"""Figures of what tuning did: efficiency gaps, algorithms, training steps, perplexities."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from passk.figures.algorithms import ROLES, algorithms_figure
from passk.figures.bars import perplexity_classes_figure, perplexity_figure
from passk.figures.drawing import Drawing, View
from passk.figures.overview import efficiency_figure, perplexity_steps_figure, steps_figure
from passk.findings import interval, percent, signed
from passk.results import Cell

SEVERAL = 2
"""Tuned models from which on they are set side by side, and cells from which on gaps are."""


def efficiency(view: View) -> Iterator[Drawing]:
    """Yield every cell's way from pass@1 to pass@k_max."""
    if len(view.cells) < SEVERAL:
        return
    rows = view.frames["summary"].set_index("cell").to_dict("index")
    says = "; ".join(
        f"{cell.label or cell.id} {signed(rows[cell.id]['se_gap'])} points"
        + (f" (to its base {signed(rows[cell.id]['se_gap_to_base'])})" if cell.base else "")
        for cell in view.cells
    )
    how = "Dashed: what a base reaches at k_max. The gap to the base is from a filled mark to it."
    figure = efficiency_figure(view.cells, view.frames["summary"], view.colors, view.title)
    title = f"Sampling-efficiency gap on {view.title}"
    yield Drawing(f"{view.part}-efficiency", title, f"Own gap: {says}. {how}", figure)


def algorithms(view: View) -> Iterator[Drawing]:
    """Yield tuned models side by side: pass@1, pass@k and the gap to the base."""
    table = view.frames["algorithms"]
    table = table[table["benchmark"] == view.benchmark]
    tuned = table.dropna(subset="se_gap_to_base")
    if len(tuned) < SEVERAL:
        return
    best = tuned.sort_values("se_gap_to_base", kind="stable").iloc[0]
    k = int(best["k"])
    low, high = best["se_gap_to_base_low"], best["se_gap_to_base_high"]
    caption = (
        f"The smallest gap to the base (its pass@{k} minus a model's pass@1) is that of "
        f"{best['label']}: {signed(best['se_gap_to_base'])} points {interval(low, high)}. Left: "
        f"pass@1 (filled) and pass@{k} (hollow). Right: the gap to the base; lower is better. Thin "
        f"lines: 95 % intervals over problems, paired for the gap. "
        f"Groups: {', '.join(role for role in ROLES if role in set(table['role']))}."
    )
    figure = algorithms_figure(table, view.colors, view.title)
    yield Drawing(
        f"{view.part}-algorithms", f"Models side by side on {view.title}", caption, figure
    )


def series_of(view: View) -> dict[tuple[str, str], list[Cell]]:
    """Return the checkpoint series of a benchmark: (algorithm, sampler) -> cells."""
    series: dict[tuple[str, str], list[Cell]] = {}
    for cell in view.cells:
        if cell.step is not None:
            series.setdefault((cell.algorithm or "training", cell.sampler), []).append(cell)
    return {name: cells for name, cells in series.items() if len(cells) > 1}


def steps(view: View) -> Iterator[Drawing]:
    """Yield pass@1 and pass@k_max against the step of each series of checkpoints."""
    for number, ((name, sampler), group) in enumerate(series_of(view).items()):
        table = view.frames["summary"]
        table = table[table["cell"].isin([cell.id for cell in group])].sort_values("step")
        first, last = table.iloc[0], table.iloc[-1]
        caption = (
            f"From step {first['step']:g} to {last['step']:g} pass@1 goes from "
            f"{percent(first['pass_at_1'])} to {percent(last['pass_at_1'])}, "
            f"pass@{last['k_max']} from {percent(first['pass_at_k_max'])} to "
            f"{percent(last['pass_at_k_max'])}. Shaded: 95 % interval over problems."
        )
        title = f"{name} by training step on {view.title} ({sampler})"
        figure = steps_figure(table, view.colors[group[0].label or group[0].id], view.title)
        yield Drawing(f"{view.part}-steps-{number + 1}", title, caption, figure)


def _scored(view: View) -> pd.DataFrame:
    """Return the perplexities on a benchmark."""
    table = view.frames["perplexity"]
    return table[table["benchmark"] == view.benchmark]


def perplexity(view: View) -> Iterator[Drawing]:
    """Yield the perplexity boxes, if the benchmark has scores."""
    table = _scored(view)
    table = table[table["subset"] == "all"]
    if table.empty:
        return
    middles = table.groupby("scoring", sort=False).agg(
        {"median": "median", "responses_of": "first", "scorer_label": "first"}
    )
    says = "; ".join(
        f"responses of {row['responses_of']} under {row['scorer_label']}: {row['median']:.2f}"
        for row in middles.to_dict("records")
    )
    caption = (
        f"Median perplexity over problems: {says}. A dot is a problem (median over its responses); "
        "box: middle half; whiskers: 5 % to 95 %; lower is likelier."
    )
    figure = perplexity_figure(table, view.colors, view.title)
    yield Drawing(f"{view.part}-perplexity", f"Perplexity on {view.title}", caption, figure)


def perplexity_classes(view: View) -> Iterator[Drawing]:
    """Yield the same boxes by class: correct and wrong responses, and who solves the problem."""
    table = _scored(view)
    split = table[table["subset"] != "all"]
    if split.empty:
        return
    caption = (
        "The same perplexities by class. Of responses: correct or wrong (an answer that is not "
        "given is wrong). Of problems, by who solves them with all its responses: both, the base "
        "alone, the tuned model alone. Small numbers: problems."
    )
    title = f"Perplexity by class on {view.title}"
    figure = perplexity_classes_figure(split, view.colors, view.title)
    yield Drawing(f"{view.part}-perplexity-classes", title, caption, figure)


def perplexity_steps(view: View) -> Iterator[Drawing]:
    """Yield, per series of checkpoints and scorer, each problem's perplexity against the step."""
    table = _scored(view)
    table = table[table["subset"] == "all"]
    number = 0
    for (name, sampler), group in series_of(view).items():
        of_series = table[table["cell"].isin([cell.id for cell in group])]
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
            color = view.colors[group[0].label or group[0].id]
            figure = perplexity_steps_figure(part, color, view.title)
            yield Drawing(f"{view.part}-perplexity-steps-{number}", title, caption, figure)
