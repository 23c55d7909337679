"""The kinds of figures: each is one function from a `BenchmarkView` to figures."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

from passk.analysis.seed_series import colors_of
from passk.analysis.study import Study
from passk.report.figures import costs, design, judged, learning, ranks, rates, support, training
from passk.report.figures.base import BenchmarkView, CaptionedFigure, Frames, slug
from passk.report.findings import findings

Draw = Callable[[BenchmarkView], Iterator[CaptionedFigure]]

KINDS: Mapping[str, tuple[Draw, str]] = {
    "curves": (rates.curves, "pass_at_k"),
    "delta": (rates.delta, "deltas"),
    "coverage": (rates.coverage, "coverage"),
    "accuracy": (rates.accuracy, "histogram"),
    "flows": (rates.flows, "flows"),
    "efficiency": (training.efficiency, "summary"),
    "algorithms": (training.algorithms, "algorithms"),
    "steps": (training.steps, "summary"),
    "judged": (judged.judged, "cot_pass_at_k"),
    "support": (support.support, "support"),
    "diversity": (support.diversity, "diversity"),
    "budget": (costs.budget, "budget"),
    "difficulty": (costs.difficulty, "difficulty"),
    "ranks": (ranks.ranks, "ranks"),
    "design": (design.design, "design_power"),
    "perplexity": (training.perplexity, "perplexity"),
    "perplexity-classes": (training.perplexity_classes, "perplexity"),
    "perplexity-steps": (training.perplexity_steps, "perplexity"),
}
"""Kind, as named in a spec -> function that draws it for one benchmark, and the table it shows."""

GRID, TRAINING = "grid", "training"


def draw_all(study: Study, frames: Frames) -> Iterator[CaptionedFigure]:
    """Yield the figures that the spec selects (default: all), benchmark by benchmark."""
    colors = colors_of(study)
    found = findings(frames["summary"], frames["deltas"], frames["confirmed"], frames["design"])
    selected = study.figures or (TRAINING, GRID, *KINDS)
    if TRAINING in selected:
        for figure in learning.draw_training(study, frames, colors):
            yield replace(figure, table="training")
    if GRID in selected and len(study.benchmarks()) > 1:
        yield replace(rates.grid(study, frames, colors), table="pass_at_k")
    for number, benchmark in enumerate(study.benchmarks()):
        shown = tuple(finding for finding in found if finding.benchmark == benchmark)
        prefix = f"{number + 1:02d}-{slug(benchmark)}"
        view = BenchmarkView(prefix, study, benchmark, frames, colors, shown)
        for kind, (draw, table) in KINDS.items():
            if kind in selected:
                yield from (replace(one, table=table, benchmark=benchmark) for one in draw(view))
