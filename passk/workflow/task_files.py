"""The plain JSON files that hand a plan to the stages.

They are training.json, cell.json, score.json and plan.json.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Mapping
from typing import Any

from passk.core import versions
from passk.spec.models import Experiment, Model
from passk.spec.series import series_name, training_name
from passk.workflow.cells import Cell, Scoring, Weights, base_of
from passk.workflow.plan import Plan
from passk.workflow.trainings import Teacher, Training


def cell_task(cell: Cell) -> dict[str, Any]:
    """Return what a sampling job reads: what decides the cell, and how it is run or adopted."""
    if cell.imported is not None:
        folder = str(cell.imported.folder)
        return {
            "cell": cell.id,
            "fingerprint_inputs": dict(cell.fingerprint_inputs),
            "imported": folder,
        }
    return {
        "cell": cell.id,
        "fingerprint_inputs": dict(cell.fingerprint_inputs),
        "engine": cell.model.engine,
        "model": _model_source(cell.model, cell.weights),
        "prompt": dataclasses.asdict(cell.prompt),
        "sampling": {
            "temperature": cell.sampler.temperature,
            "top_p": cell.sampler.top_p,
            "top_k": cell.sampler.top_k,
            "min_p": cell.sampler.min_p,
            "max_tokens": cell.sampler.max_tokens,
            "stop": list(cell.prompt.stop),
            **({"stop_token_ids": list(ids)} if (ids := cell.sampler.stop_token_ids) else {}),
        },
        **({"match": dataclasses.asdict(match)} if (match := cell.sampler.match_entropy) else {}),
    }


def score_task_document(scoring: Scoring) -> dict[str, Any]:
    """Return what a perplexity job reads: what decides the scores, and how they are made."""
    return {
        "target": scoring.target,
        "scorer": scoring.model.name,
        "fingerprint_inputs": dict(scoring.fingerprint_inputs),
        "engine": scoring.model.engine,
        "model": _model_source(scoring.model, scoring.weights),
        "prompt": dataclasses.asdict(scoring.prompt),
        "per_problem": scoring.per_problem,
    }


def training_task(training: Training) -> dict[str, Any]:
    """Return what a training job reads: what decides the weights, and how it is run."""
    start = _model_source(training.start, training.weights)
    return {
        "training": training.id,
        "fingerprint_inputs": dict(training.fingerprint_inputs),
        "method": training.method,
        "engine": training.model.engine,
        "model": {**start, "dtype": training.dtype, "execution": dict(training.model.execution)},
        "prompt": dataclasses.asdict(training.prompt),
        "verifier": training.benchmark.verifier,
        "options": dict(training.benchmark.options),
        "settings": dict(training.settings),
        "teacher": _teacher(training.teacher),
        "steps": list(training.steps),
    }


def _teacher(teacher: Teacher | None) -> dict[str, Any] | None:
    """Return whose texts are imitated, and how they are had."""
    if teacher is None:
        return None
    found: dict[str, Any] = {"kind": teacher.kind}
    if teacher.file is not None:
        found["file"] = teacher.file
    if teacher.model is not None and teacher.weights is not None:
        found["engine"] = teacher.model.engine
        found["model"] = _model_source(teacher.model, teacher.weights)
    return found


def _model_source(model: Model, weights: Weights) -> dict[str, Any]:
    """Return a model as an engine loads it."""
    served = (
        {"endpoint": model.endpoint, "api_key_env": model.api_key_env} if model.endpoint else {}
    )
    return {
        "weights": weights.load,
        "revision": None if weights.markers else model.revision,
        "dtype": model.dtype,
        "adapters": list(model.adapters),
        "execution": dict(model.execution),
        **served,
    }


def plan_document(plan: Plan) -> dict[str, Any]:
    """Return what aggregation, figures and report read; execution settings are left out."""
    experiment = plan.experiment
    return {
        "name": experiment.name,
        "title": experiment.title or experiment.name,
        "description": experiment.description or "",
        "k": list(experiment.k),
        "versions": {"aggregate": versions.AGGREGATE, "report": versions.REPORT},
        "spec_path": str(experiment.file),
        "cells": [_cell_entry(plan, cell) for cell in plan.cells.values()],
        "scores": [_score_entry(plan, scoring) for scoring in plan.scorings.values()],
        **_trainings(plan),
        "warnings": plan.warnings(),
        "spec": _plain_spec(experiment),
        **({"review": _plain(experiment.review)} if experiment.review else {}),
        "interval": experiment.interval,
        "extrapolate": list(experiment.extrapolate),
        "figures": list(experiment.figures),
    }


def _trainings(plan: Plan) -> dict[str, Any]:
    """Return the trainings as the analysis sees them; nothing where there are none."""
    found = [_training_entry(plan, training) for training in plan.trainings.values()]
    return {"trainings": found} if found else {}


def _training_entry(plan: Plan, training: Training) -> dict[str, Any]:
    """Return one training as the analysis sees it."""
    return {
        "training": training.id,
        "model": training.name,
        "series": training.series,
        "label": _training_label(training.model),
        "method": training.method,
        "role": training.model.role,
        "base": training.model.base,
        "start": training.start.name,
        "benchmark": training.use.name,
        "seed": training.settings["seed"],
        "steps": plan.steps_of(training),
    }


def _training_label(model: Model) -> str:
    """Return what figures call a training: its label where that names no step, else its name."""
    entry = model.label if model.label and str(model.step) not in model.label else None
    return entry or training_name(model)


def _series_entry(plan: Plan, cell: Cell) -> dict[str, Any]:
    """Return what a cell of a trained model, or of a repeat, belongs to."""
    model = cell.model
    if model.train is None and model.seed is None:
        return {}
    training = plan.training_of(cell.weights)
    seed = training.settings["seed"] if training else model.seed
    trained = {"training": training.id} if training else {}
    return {"series": series_name(model), "seed": seed, **trained}


def _cell_entry(plan: Plan, cell: Cell) -> dict[str, Any]:
    """Return one cell as the analysis sees it."""
    base = base_of(cell, plan.cells.values())
    several = len({other.sampler.name for other in plan.cells.values()}) > 1
    names = [cell.model.label or cell.model.name]
    if several:
        names.append(cell.sampler.label or cell.sampler.name)
    if several and len({other.model.name for other in plan.cells.values()}) == 1:
        names = names[1:]
    return {
        "id": cell.id,
        "model": cell.model.name,
        "benchmark": cell.use.name,
        "benchmark_title": cell.use.label or cell.benchmark.title,
        "sampler": cell.sampler.name,
        "label": ", ".join(names),
        "color": cell.model.color or cell.sampler.color,
        "role": cell.model.role,
        "algorithm": cell.model.algorithm,
        "step": cell.model.step,
        "n": cell.use.n,
        "k": list(cell.use.k),
        "base": base.id if base else None,
        "problems": plan.problems_of(cell),
        "counts": plan.counts_of(cell),
        "samples": plan.samples_of(cell),
        "verdicts": plan.verdicts_of(cell),
        "clusters": plan.clusters_of(cell),
        "temperature": cell.sampler.temperature,
        "matched": plan.temperature_of(cell),
        **_import_entry(cell),
        **_series_entry(plan, cell),
    }


def _import_entry(cell: Cell) -> dict[str, Any]:
    """Return where an imported cell came from, and where its foreign verdicts stand."""
    if cell.imported is None:
        return {}
    foreign = cell.imported.foreign
    return {"imported": cell.imported.format, "foreign": str(foreign) if foreign else None}


def _score_entry(plan: Plan, scoring: Scoring) -> dict[str, Any]:
    """Return one scoring task as the analysis sees it."""
    cell = scoring.cell
    label = f"{scoring.reference} answers" if cell is None else _cell_entry(plan, cell)["label"]
    return {
        "id": f"{scoring.target}/{scoring.scorer}",
        "scorer": scoring.model.name,
        "scorer_label": scoring.model.label or scoring.model.name,
        "responses_of": label,
        "cell": cell.id if cell else None,
        "reference": scoring.reference,
        "benchmark": scoring.use.name,
        "sampler": cell.sampler.name if cell else None,
        "problems": plan.problems_of(scoring),
        "verdicts": plan.verdicts_of(cell)[: len(scoring.shards)] if cell else [],
        "files": plan.scores_of(scoring),
    }


def _plain_spec(experiment: Experiment) -> dict[str, Any]:
    """Return the spec as plain JSON for the record."""
    kept = ["name", "k", "seed", "shard", "models", "benchmarks", "samplers", "perplexity"]
    if experiment.review is not None:
        kept.append("review")
    spec: dict[str, Any] = json.loads(
        json.dumps({key: _plain(getattr(experiment, key)) for key in kept})
    )
    for model in spec["models"].values():
        model.pop("execution")
        model.pop("entry")
    for use in spec["benchmarks"].values():
        use.pop("expected_tokens", None)
    return spec


def _plain(value: Any) -> Any:
    """Return nested frozen values as plain containers, silent fields left out."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        pairs = ((f.name, getattr(value, f.name)) for f in dataclasses.fields(value))
        return {name: _plain(item) for name, item in pairs if item is not None}
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, Iterable) and not isinstance(value, str):
        return [_plain(item) for item in value]
    return value
