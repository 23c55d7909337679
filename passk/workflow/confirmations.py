"""Confirmations: the comparisons whose lost and gained problems are drawn again.

A confirmation has two cells of its own, with fresh seeds, whose shards are its rounds: each shard
holds responses to the problems that are still open. All of its files have fixed names, and only
their content depends on the first counts; so the workflow is known before anything is drawn.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from passk.core import versions
from passk.core.artifacts import digest, read_manifest
from passk.spec.models import Confirm
from passk.workflow.cells import Cell, base_of
from passk.workflow.paths import Layout
from passk.workflow.stored_names import Namer


@dataclass(frozen=True, slots=True)
class Confirmation:
    """A cell and its base, and the cells of their fresh draws.

    Attributes:
        id: folder name below `confirmations/`; it ends in a digest of what selects the problems.
        settings: the spec's.
        cell: the cell that is compared.
        base: the cell that it is compared with.
        fresh: fresh draws of `cell`'s model.
        fresh_base: fresh draws of `base`'s.
        selected: problems that are drawn again; None before the first counts.
    """

    id: str
    settings: Confirm
    cell: Cell
    base: Cell
    fresh: Cell
    fresh_base: Cell
    selected: int | None


def expand_confirmations(
    settings: Confirm | None, cells: Mapping[str, Cell], layout: Layout, name: Namer
) -> Iterator[Confirmation]:
    """Yield the confirmation of each comparison whose responses are drawn here."""
    if settings is None:
        return
    for cell in cells.values():
        base = base_of(cell, cells.values())
        if base is None or why_not(cell) or why_not(base):
            continue
        decided = {
            "of": [_counted(cell), _counted(base)],
            **asdict(settings),
            "versions": [versions.COUNT, versions.CONFIRM],
        }
        key = digest(decided)
        own = name("confirmations", _readable(cell), key)
        found = read_manifest(Path(layout.decisions(own, "0")))
        selected = found.get("selected") if found else None
        fresh, fresh_base = (_fresh(one, settings, key, selected, name) for one in (cell, base))
        yield Confirmation(own, settings, cell, base, fresh, fresh_base, selected)


def why_not(cell: Cell) -> str:
    """Return why a cell cannot be drawn again; empty where it can."""
    if cell.imported is not None:
        return "its responses are imported"
    return "its temperature is matched by entropy" if cell.sampler.match_entropy else ""


def _counted(cell: Cell) -> list[object]:
    """Return what decides a cell's counts."""
    return [digest(cell.fingerprint_inputs), cell.verdicts, cell.use.n]


def _readable(cell: Cell) -> str:
    """Return a cell's name without its digest."""
    return f"{cell.model.name}.{cell.use.name}.{cell.sampler.name}"


def _fresh(
    cell: Cell, settings: Confirm, selection: str, selected: int | None, name: Namer
) -> Cell:
    """Return the cell of a cell's fresh draws, a shard per round.

    Its responses do not depend on the selection: what another confirmation drew is used again.
    Before the first counts its size is the most that it can be.
    """
    inputs = {**cell.fingerprint_inputs, "draws": "confirmation", "selection": selection}
    problems = cell.identity.problems if selected is None else selected
    return dataclasses.replace(
        cell,
        id=name("cells", f"{_readable(cell)}.confirm", digest(inputs)),
        fingerprint_inputs=inputs,
        use=dataclasses.replace(cell.use, n=settings.n, shard=settings.n // settings.rounds),
        identity=dataclasses.replace(cell.identity, problems=problems),
    )
