"""Models whose results were made elsewhere: the folders that stand in place of weights."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from passk.core.errors import DataError, SpecError
from passk.spec.models import BenchmarkUse, Experiment, Model
from passk.stages.imported import Imported, read_imported
from passk.workflow.fingerprint import local_digest
from passk.workflow.paths import Layout

Imports = Mapping[tuple[str, str], tuple[Imported, str]]
"""(model, benchmark) -> what was imported, and the digest of its rows."""

REPEATED_SHARE = 0.4
"""Share of imported responses that repeat another one, above which plan and report warn."""


def find_imports(experiment: Experiment, layout: Layout) -> dict[tuple[str, str], Any]:
    """Return what the imported models of a spec have for each of its benchmarks.

    Raises:
        SpecError: a folder is missing, is of another benchmark, or has fewer responses than asked.
    """
    cache = Path(layout.store) / "fingerprints.json"
    found = {}
    for model in experiment.models.values():
        if model.imported is None:
            continue
        for name in model.benchmarks or experiment.benchmarks:
            where = f"{experiment.file}: models.{model.name}.imported"
            imported = _find(model, experiment.benchmarks[name], where)
            content = local_digest(str(imported.content), cache)
            if content is None:
                raise SpecError("no such file: import again", where=str(imported.content))
            found[model.name, name] = (imported, content)
    return found


def _find(model: Model, use: BenchmarkUse, where: str) -> Imported:
    """Return what a model has for one benchmark, or raise where it is not what is asked."""
    folder = Path(str(model.imported).replace("{benchmark}", use.name)).expanduser()
    try:
        imported = read_imported(folder)
    except DataError as error:
        raise SpecError(f"{error.where}: {error.what}", where=where, fix=error.fix) from error
    if imported.benchmark != use.name:
        raise SpecError(
            f"{folder} answers '{imported.benchmark}', not '{use.name}'",
            where=where,
            fix=f"say `benchmarks: [{imported.benchmark}]` of this model, or import others",
        )
    if use.n > imported.most:
        raise SpecError(
            f"n = {use.n} is asked of '{use.name}', but {folder} has {imported.most} "
            f"{'response' if imported.most == 1 else 'responses'} per problem at the most",
            where=where,
            fix=f"set `n: {imported.most}` (and a `shard` that divides it) for '{use.name}'",
        )
    return imported


def imported_use(use: BenchmarkUse, imported: Imported) -> BenchmarkUse:
    """Return how a benchmark is used: counts alone are of as many responses as there were."""
    return dataclasses.replace(use, n=imported.most) if imported.kind == "counts" else use


def import_warnings(name: str, n: int, imported: Imported) -> list[str]:
    """Return what a reader should know of the problems that have fewer responses than asked."""
    found = []
    if fewer := imported.fewer_than(n):
        found.append(
            f"'{name}': {fewer} of {imported.problems} problems have fewer than n = {n} imported "
            f"responses, {min(imported.n)} at the least; pass@k is undefined above that"
        )
    if imported.missing:
        found.append(
            f"'{name}': {imported.missing} of {imported.problems} problems have no imported "
            "response and are left out"
        )
    if imported.unknown_ends:
        found.append(
            f"'{name}': of {imported.unknown_ends} imported responses the source does not say "
            "whether they were cut; they do not count as truncated"
        )
    if imported.repeated > REPEATED_SHARE * sum(n * count for n, count in imported.n.items()):
        found.append(
            f"'{name}': {imported.repeated} imported responses repeat another one to the same "
            "problem: n counts them as separate (greedy decoding, or one run twice?)"
        )
    if imported.kind == "counts":
        found.append(
            f"'{name}': counts alone were imported: nothing is known of truncation, of missing "
            "answers, of tokens and of guessing"
        )
    return found
