"""The JSON files that hand a plan to the stages, each made of the frozen classes that it describes.

They are training.json, cell.json, score.json and plan.json.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from passk.analysis import study
from passk.core import versions
from passk.core.documents import to_document
from passk.engines.base import ModelSource
from passk.spec.local_paths import as_written
from passk.spec.models import Experiment, Model
from passk.spec.passthrough import ENGINES as PASSED_THROUGH
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
        "model": to_document(_model_source(cell.model, cell.weights)),
        "prompt": to_document(cell.prompt),
        "sampling": cell.sampler.settings(cell.prompt.stop),
        **({"match": dataclasses.asdict(match)} if (match := cell.sampler.match_entropy) else {}),
    }


def score_task_document(scoring: Scoring) -> dict[str, object]:
    """Return what a perplexity job reads: what decides the scores, and how they are made."""
    return {
        "target": scoring.target,
        "scorer": scoring.model.name,
        "fingerprint_inputs": dict(scoring.fingerprint_inputs),
        "engine": scoring.model.engine,
        "model": to_document(_model_source(scoring.model, scoring.weights)),
        "prompt": to_document(scoring.prompt),
        "per_problem": scoring.per_problem,
    }


def training_task(training: Training) -> dict[str, object]:
    """Return what a training job reads: what decides the weights, and how it is run."""
    source = dataclasses.replace(
        _model_source(training.start, training.weights),
        dtype=training.dtype,
        execution=training.model.execution,
        chat_template_kwargs=training.model.chat_template_kwargs,
        engine_kwargs={},
    )
    return {
        "training": training.id,
        "fingerprint_inputs": dict(training.fingerprint_inputs),
        "method": training.method,
        "engine": training.model.engine,
        "model": to_document(source),
        "prompt": to_document(training.prompt),
        "verifier": training.benchmark.verifier,
        "options": dict(training.benchmark.options),
        "settings": dict(training.settings),
        "teacher": _teacher(training.teacher),
        "steps": list(training.steps),
    }


def _teacher(teacher: Teacher | None) -> dict[str, object] | None:
    """Return whose texts are imitated, and how they are had."""
    if teacher is None:
        return None
    found: dict[str, object] = {"kind": teacher.kind}
    if teacher.file is not None:
        found["file"] = teacher.file
    if teacher.model is not None and teacher.weights is not None:
        found["engine"] = teacher.model.engine
        found["model"] = to_document(_model_source(teacher.model, teacher.weights))
    return found


def _model_source(model: Model, weights: Weights) -> ModelSource:
    """Return a model as an engine loads it."""
    return ModelSource(
        weights=weights.load,
        revision=None if weights.markers else model.revision,
        dtype=model.dtype,
        adapters=model.adapters,
        execution=model.execution,
        endpoint=model.endpoint,
        api_key_env=model.api_key_env if model.endpoint else None,
        api=model.api,
        chat_template_kwargs=model.chat_template_kwargs,
        extra_body=model.extra_body,
        engine_kwargs=model.engine_kwargs,
    )


def plan_document(plan: Plan, folder: Path | None = None) -> dict[str, object]:
    """Return what aggregation, figures and report read, as JSON.

    Args:
        plan: the plan.
        folder: where the document will be, to which its paths are relative (default: the study's).
    """
    root = plan.layout.root
    folder = folder or Path(plan.layout.experiment(plan.experiment.name, "plan.json")).parent
    to_root = f"{os.path.relpath(root, folder)}/"

    def relative(path: Path) -> Path:
        text = str(path)
        if text.startswith(f"{root}/"):  # far faster than relpath, for thousands of shards
            return Path(to_root + text[len(root) + 1 :])
        return Path(os.path.relpath(path, folder))

    document: dict[str, object] = to_document(study.with_paths(plan_study(plan), relative))
    return document


def plan_study(plan: Plan) -> study.Study:
    """Return a plan as the analysis sees it; execution settings are left out."""
    experiment = plan.experiment
    return study.Study(
        name=experiment.name,
        title=experiment.title or experiment.name,
        k=experiment.k,
        versions={"aggregate": versions.AGGREGATE, "report": versions.REPORT},
        spec_path=experiment.file.name,
        cells=tuple(_study_cell(plan, cell) for cell in plan.cells.values()),
        scores=tuple(_study_scoring(plan, scoring) for scoring in plan.scorings.values()),
        trainings=tuple(_study_training(plan, one) for one in plan.trainings.values()),
        confirmations=tuple(
            study.Confirmation(
                cell=one.cell.id,
                base=one.base.id,
                n=one.settings.n,
                decisions=Path(plan.decisions_of(one)[-1]),
            )
            for one in plan.confirmations.values()
        ),
        judgings=tuple(
            study.Judging(
                judge=one.judge.name,
                cell=one.cell.id,
                votes=one.judge.votes,
                judgements=Path(plan.layout.judgements(one.id)),
            )
            for one in plan.judgings.values()
        ),
        warnings=tuple(plan.warnings()),
        spec=_spec_record(experiment),
        review=to_document(experiment.review, defaults=True) if experiment.review else {},
        interval=experiment.interval,
        extrapolate=experiment.extrapolate,
        figures=experiment.figures,
    )


def _study_training(plan: Plan, training: Training) -> study.Training:
    """Return one training as the analysis sees it."""
    return study.Training(
        training=training.id,
        model=training.name,
        benchmark=training.use.name,
        series=training.series,
        label=_training_label(training.model),
        method=training.method,
        role=training.model.role,
        seed=training.seed,
        steps=_paths(plan.steps_of(training)),
    )


def _training_label(model: Model) -> str:
    """Return what figures call a training: its label if that names no step, else its name."""
    entry = model.label if model.label and str(model.step) not in model.label else None
    return entry or training_name(model)


def _study_cell(plan: Plan, cell: Cell) -> study.Cell:
    """Return one cell as the analysis sees it."""
    model, base = cell.model, base_of(cell, plan.cells.values())
    training = plan.training_of(cell.weights)
    in_series = model.train is not None or model.seed is not None
    imported = cell.imported
    return study.Cell(
        id=cell.id,
        model=model.name,
        benchmark=cell.use.name,
        benchmark_title=cell.use.label or cell.benchmark.title,
        sampler=cell.sampler.name,
        label=_cell_label(plan, cell),
        color=model.color or cell.sampler.color,
        role=model.role,
        algorithm=model.algorithm,
        step=model.step,
        n=cell.use.n,
        base=base.id if base else None,
        problems=Path(plan.problems_of(cell)),
        counts=Path(plan.counts_of(cell)),
        samples=_paths(plan.samples_of(cell)),
        verdicts=_paths(plan.verdicts_of(cell)),
        clusters=_path(plan.clusters_of(cell)),
        temperature=None if imported else cell.sampler.temperature,
        matched=_path(plan.temperature_of(cell)),
        imported=imported.format if imported else None,
        foreign=imported.foreign if imported else None,
        series=series_name(model) if in_series else None,
        seed=training.seed if in_series and training else model.seed,
        training=training.id if in_series and training else None,
    )


def _cell_label(plan: Plan, cell: Cell) -> str:
    """Return what figures call a cell: its model, and its sampler if there are several."""
    several = len({other.sampler.name for other in plan.cells.values()}) > 1
    names = [cell.model.label or cell.model.name]
    if several:
        names.append(cell.sampler.label or cell.sampler.name)
    if several and len({other.model.name for other in plan.cells.values()}) == 1:
        names = names[1:]
    return ", ".join(names)


def _study_scoring(plan: Plan, scoring: Scoring) -> study.Scoring:
    """Return one scoring task as the analysis sees it."""
    cell = scoring.cell
    return study.Scoring(
        id=f"{scoring.target}/{scoring.scorer}",
        scorer=scoring.model.name,
        scorer_label=scoring.model.label or scoring.model.name,
        responses_of=_cell_label(plan, cell) if cell else f"{scoring.reference} answers",
        cell=cell.id if cell else None,
        reference=scoring.reference,
        benchmark=scoring.use.name,
        sampler=cell.sampler.name if cell else "",
        problems=Path(plan.problems_of(scoring)),
        verdicts=_paths(plan.verdicts_of(cell)[: len(scoring.shards)] if cell else ()),
        files=_paths(plan.scores_of(scoring)),
    )


def _path(name: str | None) -> Path | None:
    """Return a name as a path, if there is one."""
    return Path(name) if name else None


def _paths(names: Iterable[str]) -> tuple[Path, ...]:
    """Return names as paths."""
    return tuple(map(Path, names))


def _spec_record(experiment: Experiment) -> dict[str, object]:
    """Return the spec as JSON for the record, without what only changes cost."""
    kept = ["name", "k", "seed", "shard", "models", "benchmarks", "samplers", "perplexity"]
    kept += [key for key in ("review", "confirm", "judges") if getattr(experiment, key)]
    spec = {key: to_document(getattr(experiment, key), defaults=True) for key in kept}
    for name, model in spec["models"].items():
        spec["models"][name] = as_written(model, experiment.file)
        del spec["models"][name]["execution"], spec["models"][name]["entry"]
        for key in PASSED_THROUGH:  # a key at rest changes no record
            if not model.get(key):
                spec["models"][name].pop(key, None)
    for use in spec["benchmarks"].values():
        use.pop("expected_tokens", None)
    return spec
