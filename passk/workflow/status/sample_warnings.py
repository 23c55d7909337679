"""What the responses drawn so far should be warned of, from the manifests beside their files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from passk.core.artifacts import Manifest, read_manifest
from passk.workflow.cells import Cell, base_of
from passk.workflow.plan import Plan

TRUNCATION_LIMIT = 0.05
"""Share of drawn responses cut at max_tokens above which a plan warns."""


def sample_warnings(plan: Plan) -> Iterator[str]:
    """Yield what drawn responses say against going on: truncation, repeats, other prompts."""
    drawn = {cell.id: list(_manifests(plan, cell)) for cell in plan.cells.values()}
    for cell in plan.cells.values():
        yield from _cell_warnings(cell.id, drawn[cell.id])
        base = base_of(cell, plan.cells.values())
        own, others = _prompts(drawn[cell.id]), _prompts(drawn[base.id]) if base else set()
        if base is not None and own and others and own.isdisjoint(others):
            yield (
                f"'{cell.id}' and its base '{base.id}' were drawn after prompts of different "
                "tokens (another chat template or tokenizer): the prompt is compared too"
            )


def _manifests(plan: Plan, cell: Cell) -> Iterator[Manifest]:
    """Yield the manifests of a cell's shards that stand; old ones do not say how they went."""
    for path in plan.samples_of(cell):
        manifest = read_manifest(Path(path)) if Path(path).is_file() else None
        if manifest is not None and "truncated" in manifest:
            yield manifest


def _cell_warnings(name: str, manifests: list[Manifest]) -> Iterator[str]:
    """Yield what the shards of one cell are warned of."""
    responses = sum(manifest["responses"] for manifest in manifests)
    truncated = sum(manifest["truncated"] for manifest in manifests)
    if truncated > TRUNCATION_LIMIT * responses:
        share = 100 * truncated / responses
        yield f"'{name}': {share:.1f} % of {responses:,} drawn responses were cut at max_tokens"
    refused = sum(manifest.get("refused", 0) for manifest in manifests)
    failed = sum(manifest.get("failed", 0) for manifest in manifests)
    unknown = sum(manifest.get("unknown_tokens", 0) for manifest in manifests)
    if refused or failed:
        yield (
            f"'{name}': {refused + failed:,} of {responses:,} responses could not be sampled "
            f"({refused:,} refused for their content, {failed:,} failed): they count as not "
            "correct; `passk retry SPEC` samples them again"
        )
    if unknown:
        yield (
            f"'{name}': the tokens of {unknown:,} of {responses:,} responses are unknown (the "
            "server did not say), and missing from the number of tokens"
        )
    dtypes = {str(manifest["dtype"]) for manifest in manifests if manifest.get("dtype")}
    if len(dtypes) > 1 or any(" and " in dtype for dtype in dtypes):
        yield (
            f"'{name}': responses were drawn in {' and '.join(sorted(dtypes))}, whose rounding "
            "differs: name one as `dtype` of the model in place of auto"
        )
    alarms = [manifest for manifest in manifests if manifest.get("repeats_alarm")]
    if alarms:
        found = sum(manifest["repeats"] for manifest in alarms)
        expected = sum(manifest["expected_repeats"] for manifest in alarms)
        yield (
            f"'{name}': {found:,} responses repeat another to the same problem in {len(alarms)} "
            f"shards, where their log-probabilities allow about {expected:,.0f}: the sampler is "
            "at fault"
        )


def _prompts(manifests: list[Manifest]) -> set[str]:
    """Return the digests of the prompts' tokens that shards were drawn after."""
    return {str(manifest["prompts"]) for manifest in manifests if manifest.get("prompts")}
