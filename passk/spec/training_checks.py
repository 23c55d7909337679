"""What a JSON Schema cannot see in how models are trained."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from passk.core.errors import did_you_mean
from passk.spec.models import Benchmark, Experiment, Model, Train
from passk.spec.training_methods import (
    DRAWING,
    METHODS,
    REFERENCE,
    SELF,
    SOLUTIONS,
    Method,
    draws,
    settings,
)
from passk.spec.yaml_lines import KeyPath

NOT_TRAINED = ("weights", "imported", "revision", "adapters", "endpoint", "api_key_env")
"""What says where weights come from: a trained model's come from its training."""

FOREIGN_ENGINES = frozenset({"fake", "openai"})
"""Engines that hold no weights which could be trained here."""

Fault = tuple[KeyPath, str]


def training_faults(experiment: Experiment, data: Mapping[str, Any]) -> Iterator[Fault]:
    """Yield what is wrong with trainings: names, circles, and settings that a method lacks."""
    found: list[Fault] = []
    for model in experiment.models.values():
        if model.train is not None:
            written = data["models"][model.entry]
            found += _model_faults(experiment, model, model.train, written)
    yield from dict.fromkeys(found)  # a series has each of its faults once


def solution_faults(experiment: Experiment, catalogue: Mapping[str, Benchmark]) -> Iterator[Fault]:
    """Yield trainings on worked solutions of benchmarks that have none."""
    found = []
    for model in experiment.models.values():
        train = model.train
        if train is None or train.benchmark not in catalogue or teacher_of(train) != SOLUTIONS:
            continue
        if "solution" not in catalogue[train.benchmark].columns:
            message = (
                f"the benchmark '{train.benchmark}' has no worked solutions (`columns: {{solution: "
                "NAME}` in its file); name another teacher: `reference:NAME`, or a model"
            )
            found.append(((*_path(model), "teacher"), message))
    yield from dict.fromkeys(found)


def teacher_of(train: Train) -> str | None:
    """Return whose texts a training imitates, if any."""
    method = METHODS.get(train.method)
    return None if method is None or method.teacher is None else train.teacher or method.teacher


def teaching_model(train: Train) -> str | None:
    """Return the model of the spec that teaches, if one does."""
    teacher = teacher_of(train)
    if teacher is None or teacher in {SELF, SOLUTIONS} or teacher.startswith(REFERENCE):
        return None
    return teacher


def _path(model: Model) -> KeyPath:
    """Return the key path of a model's training."""
    return ("models", model.entry, "train")


def _model_faults(
    experiment: Experiment, model: Model, train: Train, written: Mapping[str, Any]
) -> Iterator[Fault]:
    """Yield what is wrong with one trained model."""
    path = _path(model)
    for key in NOT_TRAINED:
        if getattr(model, key):
            yield (*path[:-1], key), f"weights come from training: leave `{key}` or `train`"
    if model.engine in FOREIGN_ENGINES:
        yield (*path[:-1], "engine"), f"'{model.engine}' holds no weights that are trained here"
    if model.dtype == "float16":
        yield (*path[:-1], "dtype"), "training computes in float32 or bfloat16"
    if 0 in written["steps"]:
        yield (*path[:-1], "steps"), "step 0 is the model that training starts from"
    if "seeds" in written and "seed" in written["train"]:
        yield (*path, "seed"), "`seeds` say it: leave one of the two"
    yield from _start_faults(experiment, model, train)
    method = METHODS.get(train.method)
    if method is None:
        hint = did_you_mean(train.method, METHODS)
        yield (*path, "method"), f"unknown method '{train.method}'; {hint}"
        return
    yield from _teacher_faults(experiment, path, method, train)
    yield from _setting_faults(path, method, train)
    yield from _sharing_faults((*path[:-1], "execution"), model, method, train)


def _sharing_faults(path: KeyPath, model: Model, method: Method, train: Train) -> Iterator[Fault]:
    """Yield what keeps a step's problems from being shared out as `execution` says."""
    prompts, parts = settings(method, train.settings, teacher_of(train))["prompts_per_step"], 1
    for name in ("gradient_accumulation_steps", "num_processes"):
        parts *= model.execution.get(name, 1)
        if prompts % parts:
            told = f"does not divide the {prompts} problems of a step (`train.prompts_per_step`)"
            yield (*path, name), told
            return
    if method.teacher is not None and model.execution.get("num_processes", 1) > 1:
        yield (*path, "num_processes"), f"{method.name} trains in one process"


def _start_faults(experiment: Experiment, model: Model, train: Train) -> Iterator[Fault]:
    """Yield what keeps training from starting where it should."""
    path = (*_path(model), "from")
    start = experiment.models.get(train.start)
    if start is None:
        others = [one.name for one in experiment.models.values() if one.entry != model.entry]
        hint = did_you_mean(train.start, others)
        yield path, f"unknown name '{train.start}'; {hint}"
        return
    if start.imported is not None:
        yield path, f"'{start.name}' is imported: there are no weights to train"
    elif start.engine in FOREIGN_ENGINES:
        yield path, f"'{start.name}' has engine '{start.engine}': there are no weights to train"
    if start.adapters:
        yield path, f"'{start.name}' has adapters: merge them into its weights first"
    circle = _circle(experiment, model)
    if circle:
        yield path, f"goes round in a circle: {' -> '.join(circle)}"


def _circle(experiment: Experiment, model: Model) -> list[str]:
    """Return the way from a model over starts and teachers back to itself, if there is one."""

    def follow(name: str, trail: list[str]) -> list[str]:
        if name == model.name and trail:
            return [*trail, name]
        train = experiment.models[name].train if name in experiment.models else None
        if train is None or name in trail:
            return []
        after = filter(None, (train.start, teaching_model(train)))
        return next(filter(None, (follow(one, [*trail, name]) for one in after)), [])

    return follow(model.name, [])


def _teacher_faults(
    experiment: Experiment, path: KeyPath, method: Method, train: Train
) -> Iterator[Fault]:
    """Yield what is wrong with whose texts are imitated."""
    path, teacher = (*path, "teacher"), train.teacher
    if teacher is None:
        return
    if method.teacher is None:
        yield path, f"{method.name} learns from rewards and has no teacher"
    elif method.teacher == SELF:
        if teacher != SELF:
            yield path, f"{method.name} learns from own responses; `distillation` takes a teacher"
    elif teacher == SELF:
        yield path, "learning from own responses is `method: SFT`"
    elif teacher.startswith(REFERENCE):
        name = teacher.removeprefix(REFERENCE)
        if name not in experiment.references:
            yield path, f"unknown reference '{name}'; {did_you_mean(name, experiment.references)}"
    elif teacher != SOLUTIONS:
        yield from _teaching_model_faults(experiment, path, teacher)


def _teaching_model_faults(experiment: Experiment, path: KeyPath, name: str) -> Iterator[Fault]:
    """Yield what keeps a model from teaching."""
    if name not in experiment.models:
        known = {SOLUTIONS, *experiment.models, *(f"{REFERENCE}{n}" for n in experiment.references)}
        yield path, f"unknown teacher '{name}'; {did_you_mean(name, known)}"
    elif experiment.models[name].imported is not None:
        yield path, f"'{name}' is imported: it cannot be drawn from; `reference:NAME` takes texts"


def _setting_faults(path: KeyPath, method: Method, train: Train) -> Iterator[Fault]:
    """Yield settings that the method does not read, and numbers that cannot work."""
    teacher = teacher_of(train)
    for key in train.settings:
        if key not in method.defaults:
            reads = ", ".join(method.defaults)
            yield (*path, key), f"{method.name} does not read it; it reads: {reads}"
        elif key in DRAWING and not draws(method, teacher):
            yield (*path, key), f"no responses are drawn where the teacher is `{teacher}`"
    found = settings(method, train.settings, teacher)
    if found.get("num_generations", method.smallest_group) < method.smallest_group:
        least = method.smallest_group
        message = f"{method.name} compares a problem's responses: at least {least}"
        yield (*path, "num_generations"), message
    if found.get("overlong_buffer", 0) and found["overlong_buffer"] >= found["max_tokens"]:
        yield (*path, "overlong_buffer"), f"is not below max_tokens = {found['max_tokens']}"
