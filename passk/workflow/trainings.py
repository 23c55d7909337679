"""Trainings: how the models of a spec that are trained here come to their weights.

A training's `fingerprint_inputs` are everything that decides its weights at any step. Which steps
are kept is not among them, so a longer training shares the checkpoints of a shorter one. To every
later stage a checkpoint is weights like any others.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from passk.benchmarks.source import Identity, identify
from passk.core import versions
from passk.core.artifacts import digest
from passk.core.errors import SpecError
from passk.spec.models import Benchmark, BenchmarkUse, Experiment, Model, PromptTemplate, Train
from passk.spec.series import series_name, training_name
from passk.spec.training_checks import teacher_of, teaching_model
from passk.spec.training_methods import METHODS, REFERENCE, SOLUTIONS, settings
from passk.workflow.cells import Weights, model_inputs, prompt_inputs, template_inputs
from passk.workflow.paths import Layout
from passk.workflow.stored_names import Namer, new_name
from passk.workflow.weights import find_weights, reference_digest, verdict_inputs


@dataclass(frozen=True, slots=True)
class Teacher:
    """Whose texts a training imitates.

    Attributes:
        kind: self, solutions, reference or model.
        file: the JSONL file of a reference.
        model: the model that writes the texts.
        weights: of that model.
    """

    kind: str
    file: str | None = None
    model: Model | None = None
    weights: Weights | None = None


@dataclass(frozen=True, slots=True)
class Training:
    """One training: a start model, a method, a seed, and the checkpoints that are kept.

    Attributes:
        id: folder name below `trainings/`; ends in the digest of `fingerprint_inputs`.
        fingerprint_inputs: everything that decides the weights at any step.
        model: the model that is trained, at its first kept step.
        start: the model that training starts from.
        weights: of the start model.
        dtype: number format that is trained in: the model's own, or else its start's.
        method: name of the method.
        settings: every setting that the method reads.
        teacher: whose texts are imitated, if any.
        use: which problems of the benchmark are trained on.
        benchmark: whose problems they are.
        identity: of these problems.
        prompt: what they are asked with.
        steps: the kept checkpoints, ascending.
    """

    id: str
    fingerprint_inputs: Mapping[str, object]
    model: Model
    start: Model
    weights: Weights
    dtype: str
    method: str
    settings: Mapping[str, Any]
    teacher: Teacher | None
    use: BenchmarkUse
    benchmark: Benchmark
    identity: Identity
    prompt: PromptTemplate
    steps: tuple[int, ...]

    @property
    def problems(self) -> str:
        """The folder name of the training's problems."""
        return f"{self.use.name}-{self.identity.questions}"

    @property
    def name(self) -> str:
        """What the training is called: its models' name without the step."""
        return training_name(self.model)

    @property
    def series(self) -> str:
        """What the training and its repeats with other seeds are called."""
        return series_name(self.model)

    @property
    def markers(self) -> tuple[str, ...]:
        """The files that say that the weights it needs are there."""
        taught = self.teacher.weights if self.teacher else None
        return tuple(dict.fromkeys((*self.weights.markers, *(taught.markers if taught else ()))))

    @property
    def seed(self) -> int:
        """The seed of its data order and its responses."""
        return int(self.settings["seed"])

    def checkpoints(self) -> list[str]:
        """Return the names of the kept checkpoints, in order."""
        return [step_name(step) for step in self.steps]

    def before(self, step: str) -> str | None:
        """Return the name of the kept checkpoint before one, if there is any."""
        earlier = [name for name in self.checkpoints() if name < step]
        return earlier[-1] if earlier else None


def step_name(step: int) -> str:
    """Return the name of a checkpoint; names are in order as text."""
    return f"{step:06d}"


def expand_trainings(
    experiment: Experiment, layout: Layout, name: Namer = new_name
) -> tuple[dict[str, Weights], dict[str, Training]]:
    """Return the weights of every model by its name, and every training by its id.

    Raises:
        PasskError: weights, problems or a reference cannot be used as they stand.
    """
    finder = _Finder(experiment, layout, name)
    weights = {name: finder.weights_of(name) for name in experiment.models}
    trainings: dict[str, Training] = {}
    for one in finder.trainings.values():
        same = trainings.get(one.id, one)
        steps = tuple(sorted({*same.steps, *one.steps}))
        trainings[one.id] = dataclasses.replace(same, steps=steps)
    return weights, trainings


class _Finder:
    """Weights and trainings of a spec, each found once, whatever starts from what."""

    def __init__(self, experiment: Experiment, layout: Layout, name: Namer) -> None:
        """Find nothing yet."""
        self._name = name
        self.experiment, self.layout = experiment, layout
        self.trainings: dict[tuple[str, int | None], Training] = {}
        self._weights: dict[str, Weights] = {}
        self._identities: dict[tuple[Any, ...], Identity] = {}

    def weights_of(self, name: str) -> Weights:
        """Return the weights of a model; no model starts from itself, the spec was checked."""
        if name not in self._weights:
            model = self.experiment.models[name]
            trained = model.train is not None
            self._weights[name] = (
                self._trained(model) if trained else find_weights(model, self.layout)
            )
        return self._weights[name]

    def _trained(self, model: Model) -> Weights:
        """Return a checkpoint as weights."""
        training = self._training_of(model)
        step = model.step or 0
        folder = self.layout.checkpoint(training.id, step_name(step))
        return Weights(
            {"trained": digest(training.fingerprint_inputs), "step": step},
            load=folder,
            trained=folder,
            start=training.weights.start or training.weights,
            missing=training.weights.missing,
        )

    def _training_of(self, model: Model) -> Training:
        """Return the training of a model, the same for all of its steps."""
        key = (model.entry, model.seed)
        if key not in self.trainings:
            assert model.train is not None  # noqa: S101 - for the type checker
            self.trainings[key] = self._make(model, model.train)
        return self.trainings[key]

    def _make(self, model: Model, train: Train) -> Training:
        """Return the training of a model."""
        start = self.experiment.models[train.start]
        method, use = METHODS[train.method], train.use()
        prompt = self.experiment.training_prompt(model, train)
        filled = settings(method, train.settings, teacher_of(train))
        identity = self._identity(use)
        _check_size(self.experiment, model, int(filled["prompts_per_step"]), identity)
        dtype = self._dtype(model, start)
        weights, teacher = self.weights_of(start.name), self._teacher(train)
        unsaid = {"engine"} if filled.get("engine") == "transformers" else set()
        inputs = {
            "method": method.name,
            **{f"start {name}": value for name, value in weights.fingerprint_inputs.items()},
            "dtype": dtype,
            **prompt_inputs(prompt),
            **template_inputs(model, prompt),
            "questions": identity.questions,
            **({"worked examples": identity.shots} if prompt.shots else {}),
            **verdict_inputs(self.experiment.catalogue[use.name].for_prompt(prompt), identity),
            **{name: _plain(value) for name, value in filled.items() if name not in unsaid},
            **self._teacher_inputs(teacher, identity, train, prompt),
            "training version": versions.TRAIN,
        }
        return Training(
            id=self._name("trainings", training_name(model), digest(inputs)),
            fingerprint_inputs=inputs,
            model=model,
            start=start,
            weights=weights,
            dtype=dtype,
            method=method.name,
            settings=filled,
            teacher=teacher,
            use=use,
            benchmark=self.experiment.catalogue[use.name].for_prompt(prompt),
            identity=identity,
            prompt=prompt,
            steps=self._steps(model),
        )

    def _dtype(self, model: Model, start: Model) -> str:
        """Return the number format that a model is trained in; its start may be trained itself."""
        if model.dtype != "auto":
            return model.dtype
        return start.dtype if start.train is None else self._training_of(start).dtype

    def _steps(self, model: Model) -> tuple[int, ...]:
        """Return the steps that are kept of a model's training, ascending."""
        models = self.experiment.models.values()
        steps = [m.step for m in models if (m.entry, m.seed) == (model.entry, model.seed)]
        return tuple(sorted(step for step in steps if step is not None))

    def _identity(self, use: BenchmarkUse) -> Identity:
        """Return the identity of the problems that are trained on."""
        key = (use.name, use.problems, use.only)
        if key not in self._identities:
            benchmark = self.experiment.catalogue[use.name]
            self._identities[key] = identify(benchmark, use.problems, use.only)
        return self._identities[key]

    def _teacher(self, train: Train) -> Teacher | None:
        """Return whose texts a training imitates."""
        name = teacher_of(train)
        taught = teaching_model(train)
        if taught is not None:
            model = self.experiment.models[taught]
            return Teacher("model", model=model, weights=self.weights_of(taught))
        if name is not None and name.startswith(REFERENCE):
            file = self.experiment.references[name.removeprefix(REFERENCE)]
            return Teacher("reference", file=file)
        return None if name is None else Teacher(name)

    def _teacher_inputs(
        self, teacher: Teacher | None, identity: Identity, train: Train, prompt: PromptTemplate
    ) -> dict[str, object]:
        """Return what decides the texts that are imitated."""
        if teacher is None:
            return {}
        found: dict[str, object] = {"teacher": teacher.kind}
        if teacher.kind == SOLUTIONS:
            found["solutions"] = identity.solutions
        elif teacher.file is not None:
            name = str(train.teacher).removeprefix(REFERENCE)
            found["responses"] = reference_digest(self.experiment, name, self.layout)
        elif teacher.model is not None and teacher.weights is not None:
            taught = model_inputs(teacher.model, teacher.weights, prompt)
            found |= {f"teacher {name}": value for name, value in taught.items()}
        return found


def _plain(value: object) -> Any:
    """Return a number as it is written whether the spec says 1 or 1.0."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _check_size(experiment: Experiment, model: Model, prompts: int, identity: Identity) -> None:
    """Raise where there are fewer problems than a step takes."""
    if identity.problems is not None and identity.problems < prompts:
        raise SpecError(
            f"a step takes {prompts} problems, and there are {identity.problems}",
            where=f"{experiment.file}: models.{model.entry}.train.prompts_per_step",
            fix=f"set `prompts_per_step: {identity.problems}` or less, or train on more problems",
        )
