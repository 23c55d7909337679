"""A spec as a plan: which files are wanted, and what each is made from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from passk.benchmarks.source import Identity, identify, unpinned
from passk.core.artifacts import digest
from passk.core.errors import PasskError, SpecError, did_you_mean
from passk.spec.loading import load_experiment
from passk.spec.models import Benchmark, BenchmarkUse, Experiment
from passk.workflow.cells import (
    Cell,
    Scoring,
    Weights,
    base_of,
    expand_cells,
    expand_scorings,
    prompt_inputs,
)
from passk.workflow.confirmations import Confirmation, expand_confirmations, why_not
from passk.workflow.contamination import contamination
from passk.workflow.imports import find_imports, import_warnings
from passk.workflow.judgings import Judging, expand_judgings
from passk.workflow.paths import Layout
from passk.workflow.store_format import check_format
from passk.workflow.stored_names import stored_names
from passk.workflow.trainings import Training, expand_trainings
from passk.workflow.weights import importable_packages, reference_digest, verdict_inputs


@dataclass(frozen=True)
class Plan:
    """An experiment expanded: its cells and scoring tasks by id, and the paths of all files.

    `trainings`, `confirmations` and `judgings` are by id, `weights` by the name of their model.
    """

    experiment: Experiment
    layout: Layout
    cells: Mapping[str, Cell]
    scorings: Mapping[tuple[str, str], Scoring]
    trainings: Mapping[str, Training] = field(default_factory=dict)
    weights: Mapping[str, Weights] = field(default_factory=dict)
    confirmations: Mapping[str, Confirmation] = field(default_factory=dict)
    judgings: Mapping[str, Judging] = field(default_factory=dict)

    @cached_property
    def all_cells(self) -> dict[str, Cell]:
        """The study's cells, those of fresh draws and those of judges' replies, by id."""
        fresh = [c for one in self.confirmations.values() for c in (one.fresh, one.fresh_base)]
        fresh += [one.replies for one in self.judgings.values()]
        return {**self.cells, **{cell.id: cell for cell in fresh}}

    @cached_property
    def sized_cells(self) -> dict[str, Cell]:
        """`all_cells` without draws for problems, or responses, that are not selected yet."""
        selected = (one for one in self.confirmations.values() if one.selected is not None)
        fresh = {cell.id for one in selected for cell in (one.fresh, one.fresh_base)}
        fresh |= {one.replies.id for one in self.judgings.values() if one.selected is not None}
        return {k: v for k, v in self.all_cells.items() if k in self.cells or k in fresh}

    @cached_property
    def problems(self) -> dict[str, tuple[Benchmark, BenchmarkUse]]:
        """Folder name of each set of problems -> its benchmark, and how it is used."""
        parts: list[Cell | Training] = [*self.trainings.values(), *self.cells.values()]
        return {part.problems: (part.benchmark, part.use) for part in parts}

    def cell(self, cell: str) -> Cell:
        """Return a cell by its id.

        Raises:
            PasskError: the spec has no such cell; it may have been edited since.
        """
        if cell not in self.all_cells:
            raise PasskError(
                f"no cell '{cell}' in this spec; {did_you_mean(cell, self.all_cells)}",
                where=str(self.experiment.file),
                fix="if the spec was edited while a run was going on, start the run again",
            )
        return self.all_cells[cell]

    def training(self, training: str) -> Training:
        """Return a training by its id; errors as for `cell`."""
        if training not in self.trainings:
            raise PasskError(
                f"no training '{training}' in this spec; {did_you_mean(training, self.trainings)}",
                where=str(self.experiment.file),
                fix="if the spec was edited while a run was going on, start the run again",
            )
        return self.trainings[training]

    def training_of(self, weights: Weights) -> Training | None:
        """Return the training that weights are a checkpoint of, if they are trained here."""
        return self.trainings[Path(weights.trained).parent.name] if weights.trained else None

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
        temperature = self.temperature_of(cell)
        return [*cell.weights.markers, *([temperature] if temperature else [])]

    def steps_of(self, training: Training) -> list[str]:
        """Return the files of what was measured at each step of a training, in order."""
        return [self.layout.training_steps(training.id, step) for step in training.checkpoints()]

    def checkpoints_of(self, training: Training) -> list[str]:
        """Return the file of each kept checkpoint of a training that is written last, in order."""
        return [self.layout.trained(training.id, step) for step in training.checkpoints()]

    def samples_of(self, cell: Cell) -> list[str]:
        """Return the sample files of a cell."""
        return [self.layout.samples(cell.id, shard) for shard in cell.shards()]

    def verdicts_of(self, cell: Cell) -> list[str]:
        """Return the verdict files of a cell."""
        return [self.layout.verdicts(cell.id, cell.verdicts, shard) for shard in cell.shards()]

    def decisions_of(self, confirmation: Confirmation) -> list[str]:
        """Return the files of decisions: the selection, then one after each round."""
        rounds = range(confirmation.settings.rounds + 1)
        return [self.layout.decisions(confirmation.id, str(number)) for number in rounds]

    def scores_of(self, scoring: Scoring) -> list[str]:
        """Return the files of a scoring task."""
        return [
            self.layout.scores(scoring.target, scoring.scorer, shard) for shard in scoring.shards
        ]

    def problems_of(self, item: Cell | Scoring | Training) -> str:
        """Return the problems file, with gold answers, of a cell, scoring task or training."""
        folder = f"{item.use.name}-{item.identity.questions}"
        return self.layout.problems(folder, item.identity.answers)

    def _ineffective_settings(self) -> Iterator[str]:
        """Yield settings that do not do what they seem to."""
        greedy = {
            (cell.sampler.name, cell.use.name, cell.use.n)
            for cell in self.cells.values()
            if cell.imported is None and cell.sampler.temperature == 0 and cell.use.n > 1
        }
        for sampler, benchmark, n in sorted(greedy):
            yield (
                f"samplers.{sampler}: temperature 0 gives one response {n} times per problem of "
                f"'{benchmark}'; take n = 1, or a temperature above 0"
            )
        parts: list[Cell | Training] = [*self.cells.values(), *self.trainings.values()]
        yield from dict.fromkeys(
            warning for part in parts if (warning := _fewer_problems(part.use, part.identity))
        )

    @cached_property
    def _contamination(self) -> tuple[str, ...]:
        """What is trained on and measured, too; problems are read for it."""
        return tuple(contamination(self.cells.values(), self.trainings.values()))

    def warnings(self) -> list[str]:
        """Return what a user should know before anything runs."""
        models = {cell.model.name: cell for cell in self.cells.values()}
        found = [
            f"model '{name}': {cell.weights.missing}"
            for name, cell in models.items()
            if cell.weights.missing
        ]
        found.extend(self._contamination)
        found.extend(self._ineffective_settings())
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
            if self.experiment.confirm and base is not None:
                found.extend(
                    f"confirm: '{cell.id}' is left out: '{one.id}' is not drawn again, since {why}"
                    for one in (cell, base)
                    if (why := why_not(one))
                )
        return found


def _fewer_problems(use: BenchmarkUse, identity: Identity) -> str | None:
    """Return a warning if a benchmark has fewer problems than the spec asks for."""
    if use.problems is None or identity.problems is None or identity.problems >= use.problems:
        return None
    there = identity.problems
    return f"benchmarks.{use.name}.problems: {use.problems} are asked for, and there are {there}"


def other_prompt(one: Cell, other: Cell) -> bool:
    """Tell whether two cells' prompts differ in anything that a model reads."""
    return prompt_inputs(one.prompt) != prompt_inputs(other.prompt)


def build_plan(file: Path) -> Plan:
    """Return the plan of a spec file.

    Raises:
        PasskError: the spec or a benchmark in it cannot be used, or the outputs folder has another
            format.
    """
    experiment = load_experiment(file)
    if "://" in experiment.outputs:
        raise SpecError(
            "outputs cannot be on object storage: journals and locks need a shared file system",
            where=f"{file}: outputs",
            fix="name a folder, and copy it to the bucket after the run",
        )
    layout = Layout(experiment.outputs)
    check_format(layout)
    store = Path(layout.store)
    weights, trainings = expand_trainings(experiment, layout, stored_names(store))
    identities = {
        use.name: identify(experiment.catalogue[use.name], use.problems, use.only)
        for use in experiment.benchmarks.values()
    }
    verdicts = {
        (name, prompt.name): f"{experiment.catalogue[name].verifier}-"
        + digest(
            verdict_inputs(experiment.catalogue[name].for_prompt(prompt), identity)
            | importable_packages(experiment.catalogue[name])
        )
        for name, identity in identities.items()
        for prompt in experiment.prompts.values()
    }
    imports = find_imports(experiment, layout)
    own_names = expand_cells(experiment, identities, weights, verdicts, imports).keys()
    name = stored_names(store, own_names)
    cells = expand_cells(experiment, identities, weights, verdicts, imports, name)
    references = {
        name: reference_digest(experiment, name, layout) for name in experiment.references
    }
    scorings = expand_scorings(experiment, cells, weights, references, name)
    confirmed = expand_confirmations(experiment.confirm, cells, layout, name)
    confirmations = {one.id: one for one in confirmed}
    by_folder = {(scoring.target, scoring.scorer): scoring for scoring in scorings}
    judged = expand_judgings(experiment, cells, weights, layout, name)
    judgings = {one.id: one for one in judged}
    return Plan(experiment, layout, cells, by_folder, trainings, weights, confirmations, judgings)
