"""Figures of success rates: curves, differences, problems lost and gained, accuracies."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pandas as pd

from passk.analysis.seed_series import Series, groups
from passk.analysis.study import Study
from passk.report.figures.bars import coverage_figure, histogram_figure
from passk.report.figures.base import BenchmarkView, CaptionedFigure, Frames
from passk.report.figures.curves import curves_figure, deltas_figure
from passk.report.figures.overview import flows_figure, grid_figure
from passk.report.figures.seeds import group_curve
from passk.report.findings import Finding, interval, percent, signed

MAX_DESCRIBED = 3
"""Curves up to which a caption has the numbers of each."""


def curves(view: BenchmarkView) -> Iterator[CaptionedFigure]:
    """Yield the pass@k curves, extrapolated where the study asks for it."""
    beyond = view.frames["extrapolation"]
    beyond = beyond[(beyond["benchmark"] == view.benchmark) & (beyond["metric"] == "pass@k")]
    summary = "; ".join(_describe_curves(view))
    how = (
        "Shaded: 95 % interval over problems (bootstrap of whole problems)."
        f"{_describe_seeds(view)} "
        "Dashed curve: a base. Dotted: guess floor, the pass@k of answers to other problems. "
        "Hollow marks: k > n/2, where sampling noise cannot be estimated."
    )
    figure = curves_figure(view, beyond.dropna(subset="value"))
    caption = f"{summary}. {how}{_describe_extrapolation(view, beyond)}"
    yield CaptionedFigure(f"{view.prefix}-pass-at-k", f"pass@k on {view.title}", caption, figure)


def _describe_curves(view: BenchmarkView) -> Iterator[str]:
    """Yield each curve in words; of many only the bases, and the range of the others."""
    bases = [group for group in view.groups if group.cells[0].base is None]
    few = len(view.groups) <= MAX_DESCRIBED
    named = view.groups if few else bases if len(bases) <= MAX_DESCRIBED else []
    for group in named:
        yield _describe_curve(view, group)
    others = [group_curve(view, group) for group in view.groups if group not in named]
    if others:
        ends = ((curve.iloc[place] for curve in others) for place in (0, -1))
        between = " and ".join(_describe_range(list(rows)) for rows in ends)
        yield f"{len(others)} {'others' if named else 'curves'} are between {between}"


def _describe_range(rows: Sequence[pd.Series[Any]]) -> str:
    """Return the range of pass@k at one end of several curves."""
    low, high = (percent(end(row["pass_at_k"] for row in rows)) for end in (min, max))
    ks = {int(row["k"]) for row in rows}
    return f"{low} and {high} at {f'k = {ks.pop()}' if len(ks) == 1 else 'the largest k'}"


def _describe_curve(view: BenchmarkView, group: Series) -> str:
    """Return the start and end of a curve in words."""
    curve = group_curve(view, group)
    first, last = curve.iloc[0], curve.iloc[-1]
    return (
        f"{group.label} goes from {percent(first['pass_at_k'])} at k = {int(first['k'])} to "
        f"{percent(last['pass_at_k'])} at k = {int(last['k'])}"
    )


def _describe_seeds(view: BenchmarkView) -> str:
    """Return how several seeds are drawn, if there are any."""
    if all(len(group.cells) == 1 for group in view.groups):
        return ""
    return " For several seeds: mean and interval over problems and seeds, at the last checkpoint."


def _describe_extrapolation(view: BenchmarkView, beyond: pd.DataFrame) -> str:
    """Return what is extrapolated, and which curves no mixture fits."""
    if beyond.empty:
        return ""
    labels = {cell.id: cell.label or cell.id for cell in view.cells}
    refused = [labels[str(cell)] for cell in beyond.loc[~beyond["fits"], "cell"].unique()]
    some = f" No mixture fits {', '.join(refused)}: nothing is drawn." if refused else ""
    return (
        " Right of the line, not data: the likeliest mixture of success rates, and the range of "
        f"all mixtures that the counts allow (95 %).{some}"
    )


def delta(view: BenchmarkView) -> Iterator[CaptionedFigure]:
    """Yield the paired differences to the base."""
    if not view.pairs:
        return
    summary = " ".join(f"{finding.headline}. {finding.sentences[1]}" for finding in _shown(view))
    how = (
        "Dark shade: paired 95 % interval at each k. Light shade: 95 % band for all k at once. "
        "Diamond and bar: where the base overtakes, with its 95 % interval."
    )
    known = {base.id for base in view.cells}
    groups = [group for group in view.groups if group.cells[0].base in known]
    if any(len(group.cells) > 1 for group in groups):
        how = (
            "Thick: mean over seeds, with its 95 % interval over problems and seeds at each k. "
            "Thin: a seed."
        )
    title = f"Difference to the base on {view.title}"
    yield CaptionedFigure(
        f"{view.prefix}-delta", title, f"{summary} {how}".strip(), deltas_figure(view, groups)
    )


def coverage(view: BenchmarkView) -> Iterator[CaptionedFigure]:
    """Yield problems lost and gained."""
    if not view.pairs:
        return
    figure = coverage_figure(view)
    title = f"Problems lost and gained on {view.title}"
    caption = " ".join(finding.sentences[-1] for finding in _shown(view))
    if any(len(group.cells) > 1 for group in view.groups):
        caption += " Several bars per name: one per seed, in order; numbers are means over seeds."
    yield CaptionedFigure(f"{view.prefix}-coverage", title, caption, figure)


def _shown(view: BenchmarkView) -> list[Finding]:
    """Return the findings of the comparisons that have one seed."""
    single = {group.cells[0].id for group in view.groups if len(group.cells) == 1}
    return [finding for finding in view.findings if finding.cell in single]


def accuracy(view: BenchmarkView) -> Iterator[CaptionedFigure]:
    """Yield the histogram of the problems' accuracies."""
    histogram = view.frames["histogram"]
    table = histogram.set_index(["cell", "bin"])["problems"]
    last = int(histogram["bin"].max())
    summary = "; ".join(
        f"{cell.label or cell.id}: {table[cell.id, 0]} never solved, "
        f"{table[cell.id, last]} always solved"
        for cell in view.single
    )
    figure = histogram_figure(view.single, histogram, view.colors, view.title)
    caption = (
        f"{summary}. Problems by the share of their responses that are correct; hatched: a base."
        f"{view.note()}"
    )
    yield CaptionedFigure(
        f"{view.prefix}-accuracy", f"Accuracy of each problem on {view.title}", caption, figure
    )


def flows(view: BenchmarkView) -> Iterator[CaptionedFigure]:
    """Yield, per comparison, how problems move between accuracy bins."""
    for number, (cell, base) in enumerate(view.pairs):
        table = view.frames["flows"]
        table = table[table["cell"] == cell.id]
        up = int(table.loc[table["bin"] > table["base_bin"], "problems"].sum())
        down = int(table.loc[table["bin"] < table["base_bin"], "problems"].sum())
        tuned, basis = cell.label or cell.id, base.label or base.id
        caption = (
            f"From {basis} to {tuned}, {up} problems move to a higher accuracy bin, {down} to a "
            f"lower one, {int(table['problems'].sum()) - up - down} stay. Numbers are problems."
            f"{view.note()}"
        )
        title = f"Accuracy before and after on {view.title}: {tuned}"
        figure = flows_figure(table, tuned, basis, view.colors[tuned], view.title)
        yield CaptionedFigure(f"{view.prefix}-flow-{number + 1}", title, caption, figure)


def grid(study: Study, frames: Frames, colors: Mapping[str, str]) -> CaptionedFigure:
    """Return the curves of all benchmarks in one figure."""
    means = frames["means"]
    shown = {
        cell.model for name in study.benchmarks() for g in groups(study, name) for cell in g.cells
    }
    rows = means[(means["metric"] == "delta pass@k") & means["model"].isin(shown)].to_dict(
        "records"
    )
    says = " ".join(
        f"Mean over {row['benchmarks']} benchmarks at k = {row['k']}: {row['model']} "
        f"({row['sampler']}) minus {row['base_model']} ({row['base_sampler']}) "
        f"{signed(row['value'])} points {interval(row['ci_low'], row['ci_high'])}."
        for row in rows
        if row["k"] in (min(study.k), max(r["k"] for r in rows))
    )
    figure = grid_figure(study, frames, colors)
    return CaptionedFigure("00-all-pass-at-k", "pass@k on every benchmark", says, figure)
