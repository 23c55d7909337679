"""What a planned study will be able to show, before any of its responses exist."""

from __future__ import annotations

import math
from collections.abc import Iterator

from passk.workflow.cells import base_of
from passk.workflow.plan import Plan
from passk.workflow.status.report_types import Detectable


def detectable_differences(plan: Plan) -> Iterator[Detectable]:
    """Yield, per benchmark with a comparison, what is shown with power 0.8 at the largest k.

    Success rates are assumed (`passk.stats.rate_mixtures.assume_mixture`), not measured.
    """
    from passk.stats.power import detectable_difference, simulate_problems
    from passk.stats.rate_mixtures import assume_mixture

    cells = plan.cells.values()
    sizes = {
        (cell.use.name, cell.identity.problems, min(cell.use.n, base.use.n))
        for cell in cells
        if (base := base_of(cell, cells)) is not None
    }
    shown: dict[tuple[int, int, int], tuple[float, float]] = {}
    for benchmark, problems, n in sorted(sizes, key=str):
        k = max((k for k in plan.experiment.k if k <= n), default=0)
        if not problems or problems < 2 or not k:  # noqa: PLR2004 - one problem shows nothing
            continue
        if (problems, n, k) not in shown:
            drawn = simulate_problems(assume_mixture(), n, [k])
            shown[problems, n, k] = (
                detectable_difference(drawn, k, problems, sign=-1),
                detectable_difference(drawn, k, problems, sign=1),
            )
        loss, gain = (None if math.isnan(size) else size for size in shown[problems, n, k])
        yield {
            "benchmark": benchmark, "problems": problems, "n": n, "k": k,
            "detectable_loss": loss, "detectable_gain": gain,
        }  # fmt: skip


def detectable_line(found: Detectable) -> str:
    """Return in words what a benchmark can show."""
    sides = [
        f"a {word} of {abs(100 * size):.1f} points"
        for word, size in (("loss", found["detectable_loss"]), ("gain", found["detectable_gain"]))
        if size is not None
    ]
    what = " or ".join(sides) or "no difference"
    return (
        f"{found['benchmark']}: {found['problems']} problems x {found['n']} responses show {what} "
        f"at k = {found['k']} with power 0.8 (success rates are assumed; `passk design` takes a "
        "pilot's)"
    )
