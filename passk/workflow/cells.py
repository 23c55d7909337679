"""Cells, shards and scoring tasks: a spec expanded into the units that work is done in.

A cell is one model x benchmark x sampler. `fingerprint_inputs` is everything that decides the text
of its samples and nothing else; the cell's id ends in their digest. Pure: names in, values out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass

from passk.benchmarks.source import Identity
from passk.core import versions
from passk.core.artifacts import digest
from passk.core.errors import SpecError
from passk.spec.models import (
    Benchmark,
    BenchmarkUse,
    Experiment,
    Model,
    PerplexityRun,
    PromptTemplate,
    Sampler,
)
from passk.spec.passthrough import text_settings
from passk.stages.imported import Imported
from passk.workflow.imports import Imports, imported_use
from passk.workflow.stored_names import Namer, new_name

REFERENCE = "reference:"
"""Prefix, in a perplexity entry, of responses that no model of the spec drew."""


@dataclass(frozen=True, slots=True)
class Weights:
    """Weights as found: what identifies them, and what an engine is to load.

    Attributes:
        fingerprint_inputs: identifying fields (`weights`, `revision`), part of a cell's id.
        load: hub id or path for the engine.
        convert: (package, revision, folder) where they must be converted first.
        missing: why they cannot be used as things stand, if they cannot.
        trained: folder of a checkpoint that is trained first.
        start: what that is as large as: the weights, not trained here, that training starts from.
    """

    fingerprint_inputs: Mapping[str, object]
    load: str
    convert: tuple[str, str, str] | None = None
    missing: str | None = None
    trained: str | None = None
    start: Weights | None = None

    @property
    def markers(self) -> tuple[str, ...]:
        """The file that is written last where weights are converted or trained first."""
        folder = self.convert[2] if self.convert else self.trained
        return (f"{folder}/manifest.json",) if folder else ()


@dataclass(frozen=True, slots=True)
class Cell:
    """One model x benchmark x sampler."""

    id: str
    fingerprint_inputs: Mapping[str, object]
    model: Model
    weights: Weights
    use: BenchmarkUse
    benchmark: Benchmark
    identity: Identity
    sampler: Sampler
    prompt: PromptTemplate
    verdicts: str
    imported: Imported | None = None

    @property
    def problems(self) -> str:
        """The folder name of the cell's problems."""
        return f"{self.use.name}-{self.identity.questions}"

    @property
    def counts_alone(self) -> bool:
        """Whether imported counts are all there is: no responses, no verdicts."""
        return self.imported is not None and self.imported.kind == "counts"

    def shards(self, n: int | None = None) -> list[str]:
        """Return the names of the shards that hold the first n responses (default: all)."""
        if self.counts_alone:
            return []
        count, size = n or self.use.n, self.use.shard
        return [shard_name(first, first + size) for first in range(0, count, size)]

    def responses_in(self, shard: str) -> int:
        """Return how many responses a shard holds; 0 where the number of problems is unknown."""
        return len(shard_range(shard)) * (self.identity.problems or 0)


@dataclass(frozen=True, slots=True)
class Scoring:
    """The responses of one cell, or of a reference, scored under one model.

    Attributes:
        target: folder name of the cell or reference below `cells/`.
        scorer: folder name of the scores below the target.
        cell: the cell, or None for a reference.
        reference: the reference's name, or None for a cell.
        file: the reference's JSONL file; None for a cell and for the gold answers.
        shards: names of the shards to score.
        fingerprint_inputs: everything that decides the scores besides the responses.
    """

    target: str
    scorer: str
    fingerprint_inputs: Mapping[str, object]
    model: Model
    weights: Weights
    per_problem: int
    prompt: PromptTemplate
    use: BenchmarkUse
    benchmark: Benchmark
    identity: Identity
    shards: tuple[str, ...]
    cell: Cell | None = None
    reference: str | None = None
    file: str | None = None

    def responses_in(self, shard: str) -> int:
        """Return how many responses of a shard are scored; 0 as for `Cell.responses_in`."""
        samples = shard_range(shard) if self.cell else range(1)
        each = min(samples.stop, self.per_problem) - samples.start
        return each * (self.identity.problems or 0)


def shard_name(first: int, last: int) -> str:
    """Return the name of the shard that holds sample indices first to last - 1."""
    return f"{first:06d}-{last:06d}"


def shard_range(name: str) -> range:
    """Return the sample indices of a shard.

    >>> shard_range("000016-000032")
    range(16, 32)
    """
    first, _, last = name.partition("-")
    return range(int(first), int(last))


def prompt_inputs(prompt: PromptTemplate) -> dict[str, object]:
    """Return what of a prompt decides the text of samples; fields at rest are left out."""
    names = ["format", "system", "user", "prefix", "stop"]
    if prompt.shots:
        names += ["shots", "answer", "separator"]
    values = {f"prompt {name}": getattr(prompt, name) for name in names}
    return {key: list(v) if isinstance(v, tuple) else v for key, v in values.items()}


def model_inputs(model: Model, weights: Weights, prompt: PromptTemplate) -> dict[str, object]:
    """Return what of a model decides its responses and scores after a prompt."""
    return {
        **weights.fingerprint_inputs,
        "dtype": model.dtype,
        "engine": model.engine,
        **template_inputs(model, prompt),
        **text_settings(model),
    }


def template_inputs(model: Model, prompt: PromptTemplate) -> dict[str, object]:
    """Return the variables of a model's chat template, if a prompt goes through it."""
    if prompt.format != "chat" or not model.chat_template_kwargs:
        return {}
    return {"chat_template_kwargs": dict(model.chat_template_kwargs)}


def expand_cells(
    experiment: Experiment,
    identities: Mapping[str, Identity],
    weights: Mapping[str, Weights],
    verdicts: Mapping[tuple[str, str], str],
    imports: Imports | None = None,
    name: Namer = new_name,
) -> dict[str, Cell]:
    """Return every cell of an experiment by id, in the order of the spec.

    Args:
        experiment: the spec.
        identities: of each benchmark.
        weights: of each model.
        verdicts: per benchmark and prompt, the folder name of the verdicts on its responses.
        imports: what was drawn elsewhere, by model and benchmark.
        name: names folders.
    """
    cells = {}
    for model, use, sampler in _triples(experiment):
        prompt, identity = experiment.prompt_of(model, use), identities[use.name]
        imported, content = (imports or {}).get((model.name, use.name), (None, ""))
        inputs: dict[str, object]
        if imported is not None:
            use = imported_use(use, imported)  # noqa: PLW2901 - this cell's own n
            inputs = {"imported": content, "questions": identity.questions}
        else:
            inputs = {
                **model_inputs(model, weights[model.name], prompt),
                **_drawing_inputs(experiment, prompt, identity, sampler),
                **_matching_inputs(experiment, model, use, identity, sampler, weights),
            }
        cell = Cell(
            id=name("cells", f"{model.name}.{use.name}.{sampler.name}", digest(inputs)),
            fingerprint_inputs=inputs,
            model=model,
            weights=weights[model.name],
            use=use,
            benchmark=experiment.catalogue[use.name].for_prompt(prompt),
            identity=identity,
            sampler=sampler,
            prompt=prompt,
            verdicts=verdicts[use.name, prompt.name],
            imported=imported,
        )
        cells[cell.id] = cell
    return cells


def _drawing_inputs(
    experiment: Experiment, prompt: PromptTemplate, identity: Identity, sampler: Sampler
) -> dict[str, object]:
    """Return what decides how a cell's responses are drawn, besides the model."""
    return {
        **prompt_inputs(prompt),
        "questions": identity.questions,
        **({"worked examples": identity.shots} if prompt.shots else {}),
        **{name: value for name, value in sampler.settings().items() if value is not None},
        "seed": experiment.seed,
        "sampling version": versions.SAMPLE,
    }


def _matching_inputs(
    experiment: Experiment,
    model: Model,
    use: BenchmarkUse,
    identity: Identity,
    sampler: Sampler,
    weights: Mapping[str, Weights],
) -> dict[str, object]:
    """Return how a temperature is matched, in its stead: known before any response is drawn."""
    match = sampler.match_entropy
    if match is None or model.base is None:
        return {}
    base = experiment.models[model.base]
    prompt, sampler = experiment.prompt_of(base, use), experiment.samplers[match.sampler]
    drawn = {
        **model_inputs(base, weights[base.name], prompt),
        **_drawing_inputs(experiment, prompt, identity, sampler),
    }
    how = {name: value for name, value in asdict(match).items() if name != "sampler"}
    return {
        "temperature": {"entropy of": digest(drawn), **how},
        "matching version": versions.ENTROPY,
    }


def _triples(experiment: Experiment) -> Iterator[tuple[Model, BenchmarkUse, Sampler]]:
    """Yield the combinations that the spec asks for."""
    for model in experiment.models.values():
        for use in experiment.benchmarks.values():
            for sampler in experiment.samplers.values():
                if (
                    _selected(model.benchmarks, use.name)
                    and _selected(model.samplers, sampler.name)
                    and _selected(use.samplers, sampler.name)
                    and not (sampler.match_entropy and model.base is None)
                ):
                    yield model, use, sampler


def _selected(names: Iterable[str] | None, name: str) -> bool:
    """Tell whether a list of names, where there is one, holds a name."""
    return names is None or name in names


def base_of(cell: Cell, cells: Iterable[Cell]) -> Cell | None:
    """Return the cell that a cell is compared with: its model's base, or its sampler's.

    Where a cell's temperature is matched, its base is drawn with the sampler that it is matched to.
    Where a model's base is not drawn with the cell's sampler, it is with that sampler's base.
    """
    model, sampler = cell.model.base or cell.model.name, cell.sampler.name
    if cell.sampler.match_entropy is not None:
        sampler = cell.sampler.match_entropy.sampler
    if cell.model.base is None:
        if cell.sampler.base is None:
            return None
        sampler = cell.sampler.base
    names = {(c.model.name, c.use.name, c.sampler.name): c for c in cells}
    same = names.get((model, cell.use.name, sampler))
    return same or names.get((model, cell.use.name, cell.sampler.base or sampler))


def expand_scorings(
    experiment: Experiment,
    cells: Mapping[str, Cell],
    weights: Mapping[str, Weights],
    references: Mapping[str, str],
    name: Namer = new_name,
) -> Iterator[Scoring]:
    """Yield every scoring task of an experiment; `references` are digests of reference files."""
    for run in experiment.perplexity:
        model = experiment.models[run.scorer]
        for cell in cells.values():
            if (
                cell.model.name in run.responses_of
                and _selected(run.benchmarks, cell.use.name)
                and _selected(run.samplers, cell.sampler.name)
            ):
                yield _score_cell(run, model, weights[model.name], cell, name)
        for reference in (n for n in run.responses_of if n.startswith(REFERENCE)):
            found = references.get(reference.removeprefix(REFERENCE))
            for use, identity in _identities(cells, run).items():
                yield _score_reference(
                    experiment, run, reference, found, use, identity, weights, name
                )


def _scorer_inputs(
    run: PerplexityRun, model: Model, weights: Weights, prompt: PromptTemplate
) -> dict[str, object]:
    """Return what decides scores besides the responses."""
    return {
        **model_inputs(model, weights, prompt),
        **prompt_inputs(prompt),
        "per_problem": run.per_problem,
        "scoring version": versions.SCORE,
    }


def _score_cell(
    run: PerplexityRun, model: Model, weights: Weights, cell: Cell, namer: Namer
) -> Scoring:
    """Return the task of scoring a cell's first responses, after the prompt they answer.

    Raises:
        SpecError: only counts were imported of it.
    """
    if cell.counts_alone:
        raise SpecError(
            f"'{cell.model.name}' is imported as counts alone: there are no responses to score",
            where="perplexity.responses_of",
            fix="leave it out there, or import its responses",
        )
    inputs = _scorer_inputs(run, model, weights, cell.prompt)
    return Scoring(
        target=cell.id,
        scorer=namer(f"cells/{cell.id}/scores", model.name, digest(inputs)),
        fingerprint_inputs=inputs,
        model=model,
        weights=weights,
        per_problem=run.per_problem,
        prompt=cell.prompt,
        use=cell.use,
        benchmark=cell.benchmark,
        identity=cell.identity,
        shards=tuple(s for s in cell.shards() if shard_range(s).start < run.per_problem),
        cell=cell,
    )


def _identities(cells: Mapping[str, Cell], run: PerplexityRun) -> dict[str, Identity]:
    """Return the benchmarks of a perplexity entry by name."""
    return {
        cell.use.name: cell.identity
        for cell in cells.values()
        if _selected(run.benchmarks, cell.use.name)
    }


def _score_reference(
    experiment: Experiment,
    run: PerplexityRun,
    name: str,
    content: str | None,
    use_name: str,
    identity: Identity,
    weights: Mapping[str, Weights],
    namer: Namer,
) -> Scoring:
    """Return the task of scoring a reference's responses to one benchmark."""
    model, use = experiment.models[run.scorer], experiment.benchmarks[use_name]
    reference, benchmark = name.removeprefix(REFERENCE), experiment.catalogue[use_name]
    prompt = experiment.prompt_of(model, use)
    inputs = _scorer_inputs(run, model, weights[model.name], prompt)
    decided = [identity.questions, identity.golds, content or benchmark.gold_response]
    target = namer("cells", f"reference.{use.name}.{reference}", digest(decided))
    return Scoring(
        target=target,
        scorer=namer(f"cells/{target}/scores", model.name, digest(inputs)),
        fingerprint_inputs=inputs,
        model=model,
        weights=weights[model.name],
        per_problem=run.per_problem,
        prompt=prompt,
        use=use,
        benchmark=benchmark,
        identity=identity,
        shards=("all",),
        reference=reference,
        file=experiment.references.get(reference),
    )
