"""The kinds of figures: each is one function from a `BenchmarkView` to figures."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from passk.analysis.seed_series import colors_of
from passk.analysis.study import Study
from passk.report.figures import costs, design, judged, learning, ranks, rates, support, training
from passk.report.figures.base import BenchmarkView, CaptionedFigure, Frames, slug
from passk.report.findings import findings

KINDS: Mapping[str, Callable[[BenchmarkView], Iterator[CaptionedFigure]]] = {
    "curves": rates.curves,
    "delta": rates.delta,
    "coverage": rates.coverage,
    "accuracy": rates.accuracy,
    "flows": rates.flows,
    "efficiency": training.efficiency,
    "algorithms": training.algorithms,
    "steps": training.steps,
    "judged": judged.judged,
    "support": support.support,
    "diversity": support.diversity,
    "budget": costs.budget,
    "difficulty": costs.difficulty,
    "ranks": ranks.ranks,
    "design": design.design,
    "perplexity": training.perplexity,
    "perplexity-classes": training.perplexity_classes,
    "perplexity-steps": training.perplexity_steps,
}
"""Kind, as named in a spec -> function that draws it for one benchmark."""

GRID, TRAINING = "grid", "training"


def draw_all(study: Study, frames: Frames) -> Iterator[CaptionedFigure]:
    """Yield the figures that the spec selects (default: all), benchmark by benchmark."""
    colors = colors_of(study)
    found = findings(frames["summary"], frames["deltas"], frames["confirmed"], frames["design"])
    selected = study.figures or (TRAINING, GRID, *KINDS)
    if TRAINING in selected:
        yield from learning.draw_training(study, frames, colors)
    if GRID in selected and len(study.benchmarks()) > 1:
        yield rates.grid(study, frames, colors)
    for number, benchmark in enumerate(study.benchmarks()):
        shown = tuple(finding for finding in found if finding.benchmark == benchmark)
        prefix = f"{number + 1:02d}-{slug(benchmark)}"
        view = BenchmarkView(prefix, study, benchmark, frames, colors, shown)
        for kind, draw in KINDS.items():
            if kind in selected:
                yield from draw(view)
