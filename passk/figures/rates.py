"""Figures of success rates: curves, differences, problems lost and gained, accuracies."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pandas as pd

from passk.figures.bars import coverage_figure, histogram_figure
from passk.figures.curves import curves_figure, deltas_figure
from passk.figures.drawing import Drawing, Frames, View
from passk.figures.overview import flows_figure, grid_figure
from passk.findings import interval, percent, signed
from passk.results import Study


def curves(view: View) -> Iterator[Drawing]:
    """Yield the pass@k curves, extrapolated where the study asks for it."""
    summary, beyond = view.frames["summary"], view.frames["extrapolation"]
    beyond = beyond[beyond["benchmark"] == view.benchmark]
    says = "; ".join(
        f"{row['label']} goes from {percent(row['pass_at_1'])} at k = 1 to "
        f"{percent(row['pass_at_k_max'])} at k = {row['k_max']}"
        for row in summary[summary["benchmark"] == view.benchmark].to_dict("records")
    )
    how = (
        "Shaded: 95 % interval over problems (bootstrap of whole problems). Dashed curve: a base. "
        "Dotted: guess floor, what the answers to other problems would reach. Hollow marks: "
        "k > n/2, where sampling noise cannot be told."
    )
    figure = curves_figure(view, beyond.dropna(subset="value"))
    caption = f"{says}. {how}{_beyond(view, beyond)}"
    yield Drawing(f"{view.part}-pass-at-k", f"pass@k on {view.title}", caption, figure)


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
    says = " ".join(f"{finding.headline}. {finding.sentences[1]}" for finding in view.found)
    how = (
        "Dark shade: paired 95 % interval at each k. Light shade: 95 % band for all k at once. "
        "Diamond and bar: where the base overtakes, with its 95 % interval."
    )
    tables = view.frames["deltas"], view.frames["summary"]
    figure = deltas_figure(view.pairs, *tables, view.colors, view.title)
    title = f"Difference to the base on {view.title}"
    yield Drawing(f"{view.part}-delta", title, f"{says} {how}", figure)


def coverage(view: View) -> Iterator[Drawing]:
    """Yield the problems that were lost and gained."""
    if not view.pairs:
        return
    figure = coverage_figure(view.pairs, view.frames["summary"], view.colors, view.title)
    title = f"Problems lost and gained on {view.title}"
    caption = " ".join(finding.sentences[-1] for finding in view.found)
    yield Drawing(f"{view.part}-coverage", title, caption, figure)


def accuracy(view: View) -> Iterator[Drawing]:
    """Yield the histogram of the problems' accuracies."""
    histogram = view.frames["histogram"]
    table = histogram.set_index(["cell", "bin"])["problems"]
    last = int(histogram["bin"].max())
    says = "; ".join(
        f"{cell.label or cell.id}: {table[cell.id, 0]} never solved, "
        f"{table[cell.id, last]} always solved"
        for cell in view.cells
    )
    figure = histogram_figure(view.cells, histogram, view.colors, view.title)
    caption = f"{says}. Problems by the share of their responses that are correct; hatched: a base."
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
        )
        title = f"Accuracy before and after on {view.title}: {tuned}"
        figure = flows_figure(table, tuned, basis, view.colors[tuned], view.title)
        yield Drawing(f"{view.part}-flow-{number + 1}", title, caption, figure)


def grid(study: Study, frames: Frames, colors: Mapping[str, str]) -> Drawing:
    """Return the curves of all benchmarks in one figure."""
    means = frames["means"]
    rows = means[(means["metric"] == "delta pass@k")].to_dict("records")
    says = " ".join(
        f"Mean over {row['benchmarks']} benchmarks at k = {row['k']}: {row['model']} "
        f"({row['sampler']}) minus {row['base_model']} ({row['base_sampler']}) "
        f"{signed(row['value'])} points {interval(row['ci_low'], row['ci_high'])}."
        for row in rows
        if row["k"] in (min(study.k), max(r["k"] for r in rows))
    )
    figure = grid_figure(study, frames["pass_at_k"], colors)
    return Drawing("00-all-pass-at-k", "pass@k on every benchmark", says, figure)
