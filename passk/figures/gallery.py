"""Which figures a study has, and what each of them says."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import pandas as pd
from matplotlib.figure import Figure

from passk import palette
from passk.figures.bars import coverage_figure, histogram_figure, perplexity_figure
from passk.figures.curves import curves_figure, deltas_figure
from passk.figures.overview import efficiency_figure, flows_figure, grid_figure, steps_figure
from passk.findings import Finding, findings, interval, percent, signed
from passk.results import Cell, Study

Frames = Mapping[str, pd.DataFrame]


@dataclass(frozen=True)
class Drawing:
    """One figure with its words.

    Attributes:
        name: stem of its files.
        title: what it shows.
        caption: its finding in words, and how to read it.
        figure: the drawing.
    """

    name: str
    title: str
    caption: str
    figure: Figure

    def words(self) -> dict[str, str]:
        """Return what the index says of it."""
        return {"name": self.name, "title": self.title, "caption": self.caption}


def slug(text: str) -> str:
    """Return a name of a benchmark as a part of a file's name.

    >>> slug("AIME 24/old")
    'aime-24-old'
    """
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-") or "benchmark"


def drawings(study: Study, frames: Frames) -> Iterator[Drawing]:
    """Yield every figure of the study, benchmark by benchmark."""
    colors = palette.assign((cell.label or cell.id, cell.color) for cell in study.cells)
    found = findings(frames["summary"], frames["deltas"])
    if len(study.benchmarks()) > 1:
        yield _grid(study, frames, colors)
    for number, benchmark in enumerate(study.benchmarks()):
        part = f"{number + 1:02d}-{slug(benchmark)}"
        cells = [cell for cell in study.cells if cell.benchmark == benchmark]
        pairs = [pair for pair in study.pairs() if pair[0].benchmark == benchmark]
        here = [finding for finding in found if finding.benchmark == benchmark]
        yield _curves(part, study, benchmark, frames, colors)
        if pairs:
            yield from _comparisons(part, pairs, here, frames, colors)
        yield _histogram(part, cells, frames, colors)
        yield from _flows(part, pairs, frames, colors)
        if len(cells) > 1:
            yield _efficiency(part, cells, frames, colors)
        yield from _steps(part, cells, frames, colors)
        yield from _perplexity(part, benchmark, frames, colors)


def _curves(
    part: str, study: Study, benchmark: str, frames: Frames, colors: Mapping[str, str]
) -> Drawing:
    """Return the pass@k curves of one benchmark."""
    rows = frames["summary"][frames["summary"]["benchmark"] == benchmark].to_dict("records")
    says = "; ".join(
        f"{row['label']} goes from {percent(row['pass_at_1'])} at k = 1 to "
        f"{percent(row['pass_at_k_max'])} at k = {row['k_max']}"
        for row in rows
    )
    how = (
        "Shaded: 95 % interval over problems (bootstrap of whole problems). Dashed curve: a base. "
        "Dotted: guess floor, what the answers to other problems would reach. Hollow marks: "
        "k > n/2, where sampling noise cannot be told."
    )
    figure = curves_figure(study, benchmark, frames["pass_at_k"], colors)
    return Drawing(f"{part}-pass-at-k", f"pass@k on {benchmark}", f"{says}. {how}", figure)


def _comparisons(
    part: str,
    pairs: list[tuple[Cell, Cell]],
    found: list[Finding],
    frames: Frames,
    colors: Mapping[str, str],
) -> Iterator[Drawing]:
    """Yield the delta curves and the coverage bars of one benchmark."""
    benchmark = pairs[0][0].benchmark
    says = " ".join(f"{finding.headline}. {finding.sentences[1]}" for finding in found)
    how = (
        "Dark shade: paired 95 % interval at each k. Light shade: 95 % band for all k at once. "
        "Diamond and bar: where the base overtakes, with its 95 % interval."
    )
    deltas = deltas_figure(pairs, frames["deltas"], frames["summary"], colors)
    title = f"Difference to the base on {benchmark}"
    yield Drawing(f"{part}-delta", title, f"{says} {how}", deltas)
    covered = coverage_figure(pairs, frames["summary"], colors)
    title = f"Problems lost and gained on {benchmark}"
    caption = " ".join(finding.sentences[-1] for finding in found)
    yield Drawing(f"{part}-coverage", title, caption, covered)


def _histogram(part: str, cells: list[Cell], frames: Frames, colors: Mapping[str, str]) -> Drawing:
    """Return the accuracy histogram of one benchmark."""
    table = frames["histogram"].set_index(["cell", "bin"])["problems"]
    last = int(frames["histogram"]["bin"].max())
    says = "; ".join(
        f"{cell.label or cell.id}: {table[cell.id, 0]} never solved, "
        f"{table[cell.id, last]} always solved"
        for cell in cells
    )
    figure = histogram_figure(cells, frames["histogram"], colors)
    title = f"Accuracy of each problem on {cells[0].benchmark}"
    caption = f"{says}. Problems by the share of their responses that are correct; hatched: a base."
    return Drawing(f"{part}-accuracy", title, caption, figure)


def _grid(study: Study, frames: Frames, colors: Mapping[str, str]) -> Drawing:
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


def _flows(
    part: str, pairs: list[tuple[Cell, Cell]], frames: Frames, colors: Mapping[str, str]
) -> Iterator[Drawing]:
    """Yield, per comparison, how problems move between accuracy bins."""
    for number, (cell, base) in enumerate(pairs):
        table = frames["flows"][frames["flows"]["cell"] == cell.id]
        up = int(table.loc[table["bin"] > table["base_bin"], "problems"].sum())
        down = int(table.loc[table["bin"] < table["base_bin"], "problems"].sum())
        tuned, basis = cell.label or cell.id, base.label or base.id
        caption = (
            f"From {basis} to {tuned}, {up} problems move to a higher accuracy bin, {down} to a "
            f"lower one, {int(table['problems'].sum()) - up - down} stay. Numbers are problems."
        )
        title = f"Accuracy before and after on {cell.benchmark}: {tuned}"
        figure = flows_figure(table, tuned, basis, colors[tuned])
        yield Drawing(f"{part}-flow-{number + 1}", title, caption, figure)


def _efficiency(part: str, cells: list[Cell], frames: Frames, colors: Mapping[str, str]) -> Drawing:
    """Return every cell's way from pass@1 to pass@k_max."""
    rows = frames["summary"].set_index("cell").to_dict("index")
    says = "; ".join(
        f"{cell.label or cell.id} {signed(rows[cell.id]['se_gap'])} points"
        + (f" (to its base {signed(rows[cell.id]['se_gap_to_base'])})" if cell.base else "")
        for cell in cells
    )
    how = "Dashed: what a base reaches at k_max. The gap to the base is from a filled mark to it."
    figure = efficiency_figure(cells, frames["summary"], colors)
    title = f"Sampling-efficiency gap on {cells[0].benchmark}"
    return Drawing(f"{part}-efficiency", title, f"Own gap: {says}. {how}", figure)


def _steps(
    part: str, cells: list[Cell], frames: Frames, colors: Mapping[str, str]
) -> Iterator[Drawing]:
    """Yield pass@1 and pass@k_max against the step of each series of checkpoints."""
    series: dict[tuple[str, str], list[Cell]] = {}
    for cell in cells:
        if cell.step is not None:
            series.setdefault((cell.algorithm or "training", cell.sampler), []).append(cell)
    for number, ((name, sampler), group) in enumerate(series.items()):
        if len(group) > 1:
            table = frames["summary"]
            table = table[table["cell"].isin([cell.id for cell in group])].sort_values("step")
            first, last = table.iloc[0], table.iloc[-1]
            caption = (
                f"From step {first['step']:g} to {last['step']:g} pass@1 goes from "
                f"{percent(first['pass_at_1'])} to {percent(last['pass_at_1'])}, "
                f"pass@{last['k_max']} from {percent(first['pass_at_k_max'])} to "
                f"{percent(last['pass_at_k_max'])}. Shaded: 95 % interval over problems."
            )
            title = f"{name} by training step on {group[0].benchmark} ({sampler})"
            figure = steps_figure(table, colors[group[0].label or group[0].id])
            yield Drawing(f"{part}-steps-{number + 1}", title, caption, figure)


def _perplexity(
    part: str, benchmark: str, frames: Frames, colors: Mapping[str, str]
) -> Iterator[Drawing]:
    """Yield the perplexity boxes of one benchmark, if it has scores."""
    table = frames["perplexity"]
    table = table[(table["benchmark"] == benchmark) & (table["subset"] == "all")]
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
    figure = perplexity_figure(table, colors)
    yield Drawing(f"{part}-perplexity", f"Perplexity on {benchmark}", caption, figure)
