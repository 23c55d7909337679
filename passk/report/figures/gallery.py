"""Which figures a study has: each kind of figure is one function from a view to drawings."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from passk.analysis.seed_series import colors_of
from passk.analysis.study import Study
from passk.report.figures import learning, rates, training
from passk.report.figures.drawing import Drawing, Frames, View, slug
from passk.report.findings import findings

KINDS: Mapping[str, Callable[[View], Iterator[Drawing]]] = {
    "curves": rates.curves,
    "delta": rates.delta,
    "coverage": rates.coverage,
    "accuracy": rates.accuracy,
    "flows": rates.flows,
    "efficiency": training.efficiency,
    "algorithms": training.algorithms,
    "steps": training.steps,
    "perplexity": training.perplexity,
    "perplexity-classes": training.perplexity_classes,
    "perplexity-steps": training.perplexity_steps,
}
"""Kind, as a spec names it -> what draws it for one benchmark; two are of the whole study."""

GRID, TRAINING = "grid", "training"


def drawings(study: Study, frames: Frames) -> Iterator[Drawing]:
    """Yield the figures of the study that are wanted, benchmark by benchmark."""
    colors = colors_of(study)
    found = findings(frames["summary"], frames["deltas"])
    wanted = study.figures or (TRAINING, GRID, *KINDS)
    if TRAINING in wanted:
        yield from learning.drawings(study, frames, colors)
    if GRID in wanted and len(study.benchmarks()) > 1:
        yield rates.grid(study, frames, colors)
    for number, benchmark in enumerate(study.benchmarks()):
        here = tuple(finding for finding in found if finding.benchmark == benchmark)
        part = f"{number + 1:02d}-{slug(benchmark)}"
        view = View(part, study, benchmark, frames, colors, here)
        for kind, draw in KINDS.items():
            if kind in wanted:
                yield from draw(view)
