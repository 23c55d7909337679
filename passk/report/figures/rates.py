"""Figures of success rates: curves, differences, problems lost and gained, accuracies."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pandas as pd

from passk.analysis.seed_series import Series, groups
from passk.analysis.study import Study
from passk.report.figures.bars import coverage_figure, histogram_figure
from passk.report.figures.curves import curves_figure, deltas_figure
from passk.report.figures.drawing import Drawing, Frames, View
from passk.report.figures.overview import flows_figure, grid_figure
from passk.report.figures.seeds import curve_of
from passk.report.findings import Finding, interval, percent, signed


def curves(view: View) -> Iterator[Drawing]:
    """Yield the pass@k curves, extrapolated where the study asks for it."""
    beyond = view.frames["extrapolation"]
    beyond = beyond[beyond["benchmark"] == view.benchmark]
    says = "; ".join(_way(view, group) for group in view.groups)
    how = (
        f"Shaded: 95 % interval over problems (bootstrap of whole problems).{_seeds(view)} Dashed "
        "curve: a base. Dotted: guess floor, what the answers to other problems would reach. "
        "Hollow marks: k > n/2, where sampling noise cannot be told."
    )
    figure = curves_figure(view, beyond.dropna(subset="value"))
    caption = f"{says}. {how}{_beyond(view, beyond)}"
    yield Drawing(f"{view.part}-pass-at-k", f"pass@k on {view.title}", caption, figure)


def _way(view: View, group: Series) -> str:
    """Say where a curve begins and ends."""
    curve = curve_of(view, group)
    first, last = curve.iloc[0], curve.iloc[-1]
    return (
        f"{group.label} goes from {percent(first['pass_at_k'])} at k = {int(first['k'])} to "
        f"{percent(last['pass_at_k'])} at k = {int(last['k'])}"
    )


def _seeds(view: View) -> str:
    """Say how several seeds are drawn, where there are any."""
    if all(len(group.cells) == 1 for group in view.groups):
        return ""
    return " Of a series of several seeds: mean and range over seeds, at its last checkpoint."


def _beyond(view: View, beyond: pd.DataFrame) -> str:
    """Say what was extrapolated, and of which curves it could not be."""
    if beyond.empty:
        return ""
    labels = {cell.id: cell.label or cell.id for cell in view.cells}
    refused = [labels[str(cell)] for cell in beyond.loc[~beyond["fits"], "cell"].unique()]
    some = f" The model does not fit {', '.join(refused)}: nothing is drawn." if refused else ""
    return (
        " Right of the line: not data but a fitted model (zero-inflated beta-binomial), with its "
        f"95 % interval.{some}"
    )


def delta(view: View) -> Iterator[Drawing]:
    """Yield the paired differences to the base."""
    if not view.pairs:
        return
    says = " ".join(f"{finding.headline}. {finding.sentences[1]}" for finding in _shown(view))
    how = (
        "Dark shade: paired 95 % interval at each k. Light shade: 95 % band for all k at once. "
        "Diamond and bar: where the base overtakes, with its 95 % interval."
    )
    known = {base.id for base in view.cells}
    groups = [group for group in view.groups if group.cells[0].base in known]
    if any(len(group.cells) > 1 for group in groups):
        how = (
            "Thick: mean over seeds, with its paired 95 % interval over problems at each k. Thin: "
            "a seed."
        )
    title = f"Difference to the base on {view.title}"
    yield Drawing(f"{view.part}-delta", title, f"{says} {how}".strip(), deltas_figure(view, groups))


def coverage(view: View) -> Iterator[Drawing]:
    """Yield the problems that were lost and gained."""
    if not view.pairs:
        return
    figure = coverage_figure(view)
    title = f"Problems lost and gained on {view.title}"
    caption = " ".join(finding.sentences[-1] for finding in _shown(view))
    if any(len(group.cells) > 1 for group in view.groups):
        caption += " Several bars of one name: its seeds, in order; numbers are their means."
    yield Drawing(f"{view.part}-coverage", title, caption, figure)


def _shown(view: View) -> list[Finding]:
    """Return the findings of the comparisons that are drawn one by one."""
    alone = {group.cells[0].id for group in view.groups if len(group.cells) == 1}
    return [finding for finding in view.found if finding.cell in alone]


def accuracy(view: View) -> Iterator[Drawing]:
    """Yield the histogram of the problems' accuracies."""
    histogram = view.frames["histogram"]
    table = histogram.set_index(["cell", "bin"])["problems"]
    last = int(histogram["bin"].max())
    says = "; ".join(
        f"{cell.label or cell.id}: {table[cell.id, 0]} never solved, "
        f"{table[cell.id, last]} always solved"
        for cell in view.single
    )
    figure = histogram_figure(view.single, histogram, view.colors, view.title)
    caption = (
        f"{says}. Problems by the share of their responses that are correct; hatched: a base."
        f"{view.note()}"
    )
    yield Drawing(
        f"{view.part}-accuracy", f"Accuracy of each problem on {view.title}", caption, figure
    )


def flows(view: View) -> Iterator[Drawing]:
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
        yield Drawing(f"{view.part}-flow-{number + 1}", title, caption, figure)


def grid(study: Study, frames: Frames, colors: Mapping[str, str]) -> Drawing:
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
    return Drawing("00-all-pass-at-k", "pass@k on every benchmark", says, figure)
