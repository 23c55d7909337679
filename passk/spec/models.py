"""Specs as frozen values: experiments, and the catalogues of benchmarks and prompts."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from passk.spec.sampling import Sampling

if TYPE_CHECKING:  # planning needs no numpy
    from passk.stats import Method


@dataclass(frozen=True, slots=True)
class Train:
    """How a model is trained; `start` is the spec's `from`, `settings` the other keys."""

    start: str
    method: str
    benchmark: str
    problems: int | None = None
    only: tuple[str, ...] | None = None
    prompt: str | None = None
    teacher: str | None = None
    settings: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    def use(self) -> BenchmarkUse:
        """Return how the benchmark is used; nothing of its problems is measured by it."""
        return BenchmarkUse(self.benchmark, 1, 1, (1,), problems=self.problems, only=self.only)


@dataclass(frozen=True, slots=True)
class Model:
    """One model (a checkpoint series is expanded into one Model per step); see docs/spec.md.

    `entry` is the key that it stands under in the spec, `{step}` and `{seed}` included.
    """

    name: str
    weights: str = ""
    engine: str = ""
    entry: str = ""
    train: Train | None = None
    imported: str | None = None
    endpoint: str | None = None
    api_key_env: str | None = None
    api: str | None = None
    chat_template_kwargs: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    extra_body: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    engine_kwargs: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    revision: str | None = None
    dtype: str = "auto"
    adapters: tuple[str, ...] = ()
    prompt: str | None = None
    role: str = "base"
    algorithm: str | None = None
    base: str | None = None
    step: int | None = None
    seed: int | None = None
    samplers: tuple[str, ...] | None = None
    benchmarks: tuple[str, ...] | None = None
    label: str | None = None
    color: str | None = None
    execution: Mapping[str, Any] = dataclasses.field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class BenchmarkUse:
    """How an experiment uses a benchmark of the catalogue."""

    name: str
    n: int
    shard: int
    k: tuple[int, ...]
    problems: int | None = None
    only: tuple[str, ...] | None = None
    expected_tokens: int | None = None
    prompt: str | None = None
    samplers: tuple[str, ...] | None = None
    label: str | None = None


@dataclass(frozen=True, slots=True)
class EntropyMatch:
    """How a sampler's temperature is found: where tokens have as much entropy as the base's."""

    sampler: str
    problems: int = 16
    responses: int = 4
    tolerance: float = 0.02
    low: float = 0.1
    high: float = 2.0


@dataclass(frozen=True, slots=True)
class Sampler:
    """A way of drawing responses; with `match_entropy`, its temperature is found, not stated."""

    name: str
    sampling: Sampling
    match_entropy: EntropyMatch | None = None
    base: str | None = None
    label: str | None = None
    color: str | None = None

    @property
    def temperature(self) -> float | None:
        """The temperature; None if it is matched by entropy."""
        return None if self.match_entropy else self.sampling.temperature

    def settings(self, stop: tuple[str, ...] = ()) -> dict[str, Any]:
        """Return the settings as JSON, with a prompt's stop strings; temperature as above."""
        stated = dataclasses.replace(self.sampling, stop=stop).document()
        return {**stated, "temperature": self.temperature}


@dataclass(frozen=True, slots=True)
class PerplexityRun:
    """Whose responses are scored under which model."""

    scorer: str
    responses_of: tuple[str, ...]
    per_problem: int = 16
    benchmarks: tuple[str, ...] | None = None
    samplers: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Review:
    """Which responses people read, and which problems can be guessed."""

    accuracy: tuple[float, ...] = (0.0, 0.05)
    responses: int | None = None
    models: tuple[str, ...] | None = None
    guessing: str | None = None
    guess_accuracy: tuple[float, ...] = (0.0, 0.05)


@dataclass(frozen=True, slots=True)
class Confirm:
    """Which problems of a comparison are drawn again with fresh seeds, and how often."""

    n: int
    lost: bool = True
    gained: bool = True
    rare: float = 0.0
    rounds: int = 4


@dataclass(frozen=True, slots=True)
class Judge:
    """A model that reads the reasoning in other models' responses, which ones, and how often."""

    name: str
    model: str
    sampler: Sampler
    prompt: str = "judge"
    of: str = "correct"
    accuracy: tuple[float, ...] = (0.0, 1.0)
    votes: int = 3
    max_characters: int | None = None
    models: tuple[str, ...] | None = None

    def reads(self, model: str) -> bool:
        """Tell whether it judges a model's responses: by default all but its own."""
        return model in self.models if self.models is not None else model != self.model


@dataclass(frozen=True, slots=True)
class Benchmark:
    """A benchmark of the catalogue (specs/benchmarks/NAME.yaml)."""

    name: str
    file: Path
    title: str
    sources: tuple[Mapping[str, Any], ...]
    verifier: str
    adapter: str | None = None
    columns: Mapping[str, str] = dataclasses.field(default_factory=dict)
    where: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    digests: Mapping[str, str] = dataclasses.field(default_factory=dict)
    options: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    shots: tuple[tuple[str, str], ...] = ()
    count: int | None = None
    n: int | None = None
    k: tuple[int, ...] | None = None
    prompt: str | None = None
    gold_response: str = "{gold}"
    expected_tokens: int | None = None
    licence: str | None = None
    citation: str | None = None
    note: str | None = None

    def for_prompt(self, prompt: PromptTemplate) -> Benchmark:
        """Return the benchmark with what its verifier has to know of the prompt among its options.

        These are the marks of a run-on, and what the prompt writes of a program.
        """
        options: dict[str, Any] = {}
        if prompt.end_marks and self.verifier in ("math", "choice"):
            options["end_marks"] = list(prompt.end_marks)
        if prompt.prefix and self.verifier == "code":
            options["begun"] = prompt.prefix
        return dataclasses.replace(self, options={**options, **self.options}) if options else self


@dataclass(frozen=True, slots=True)
class PromptTemplate:
    """A prompt of the catalogue (specs/prompts/NAME.yaml)."""

    name: str
    format: str
    user: str
    system: str | None = None
    prefix: str = ""
    shots: int = 0
    answer: str = "{answer}"
    separator: str = "\n\n"
    stop: tuple[str, ...] = ()
    end_marks: tuple[str, ...] = ()
    description: str | None = None
    source: str | None = None


@dataclass(frozen=True, slots=True)
class Jobs:
    """How many files one job makes with weights that load once; it changes no file."""

    shards: int = 1
    scores: int = 64


@dataclass(frozen=True, slots=True)
class Experiment:
    """A whole spec, with the catalogue entries that it names."""

    file: Path
    name: str
    k: tuple[int, ...]
    models: Mapping[str, Model]
    benchmarks: Mapping[str, BenchmarkUse]
    samplers: Mapping[str, Sampler]
    title: str | None = None
    description: str | None = None
    seed: int = 0
    shard: int = 16
    outputs: str = "outputs"
    interval: Method = "percentile"
    extrapolate: tuple[int, ...] = ()
    figures: tuple[str, ...] = ()
    jobs: Jobs = Jobs()
    references: Mapping[str, str] = dataclasses.field(default_factory=dict)
    perplexity: tuple[PerplexityRun, ...] = ()
    review: Review | None = None
    confirm: Confirm | None = None
    judges: Mapping[str, Judge] = dataclasses.field(default_factory=dict)
    catalogue: Mapping[str, Benchmark] = dataclasses.field(default_factory=dict)
    prompts: Mapping[str, PromptTemplate] = dataclasses.field(default_factory=dict)

    def prompt_of(self, model: Model, use: BenchmarkUse) -> PromptTemplate:
        """Return the prompt of one cell: the benchmark entry's, the model's, the catalogue's."""
        name = use.prompt or model.prompt or self.catalogue[use.name].prompt
        return self.prompts[name or ""]

    def training_prompt(self, model: Model, train: Train) -> PromptTemplate:
        """Return the prompt of a training: its own, the model's, the benchmark's."""
        name = train.prompt or model.prompt or self.catalogue[train.benchmark].prompt
        return self.prompts[name or ""]
