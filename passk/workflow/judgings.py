"""Judgings: the cells whose responses a judge reads, and the cell of its replies.

A judge's replies are drawn like any responses: a judging has a cell of its own, whose problems are
responses to judge and whose samples are votes. Which responses these are follows from the counts.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from passk.core import versions
from passk.core.artifacts import digest, read_manifest
from passk.spec.models import BenchmarkUse, Experiment, Judge
from passk.stages.reuse import draw_key
from passk.workflow.cells import Cell, Weights, model_inputs, prompt_inputs
from passk.workflow.paths import Layout
from passk.workflow.stored_names import Namer


@dataclass(frozen=True, slots=True)
class Judging:
    """A judge and a cell whose responses it reads.

    Attributes:
        id: folder name below `judgings/`; it ends in a digest of what decides the judgements.
        judge: the spec's.
        cell: the cell whose responses are judged.
        replies: the cell of the judge's replies; its problems are responses of `cell`.
        selected: responses that are judged; None before `cell` is counted.
    """

    id: str
    judge: Judge
    cell: Cell
    replies: Cell
    selected: int | None


def expand_judgings(
    experiment: Experiment,
    cells: Mapping[str, Cell],
    weights: Mapping[str, Weights],
    layout: Layout,
    name: Namer,
) -> Iterator[Judging]:
    """Yield every judge with every cell that it reads; counts alone give it nothing to read."""
    for judge in experiment.judges.values():
        model, prompt = experiment.models[judge.model], experiment.prompts[judge.prompt]
        drawn = {
            **model_inputs(model, weights[model.name], prompt),
            **prompt_inputs(prompt),
            **{k: value for k, value in judge.sampler.settings().items() if value is not None},
            "seed": experiment.seed,
            "sampling version": versions.SAMPLE,
        }
        for cell in cells.values():
            if not judge.reads(cell.model.name) or cell.counts_alone:
                continue
            read = [digest(cell.fingerprint_inputs), cell.verdicts, cell.use.n]
            chosen = [judge.of, judge.accuracy, judge.max_characters]
            chosen += [versions.COUNT, versions.JUDGE]
            of, selection = draw_key(cell.fingerprint_inputs), digest([read, chosen])
            inputs = {**drawn, "draws": f"judge of {of}", "selection": selection}
            readable = f"{judge.name}.{cell.model.name}.{cell.use.name}.{cell.sampler.name}"
            own = name("judgings", readable, digest([inputs, judge.votes]))
            found = read_manifest(Path(layout.chains(own)))
            selected = found.get("selected") if found else None
            most = cell.identity.problems and cell.identity.problems * cell.use.n
            replies = dataclasses.replace(
                cell,
                id=name("cells", f"{model.name}.{readable}", digest(inputs)),
                fingerprint_inputs=inputs,
                model=model,
                weights=weights[model.name],
                benchmark=dataclasses.replace(cell.benchmark, expected_tokens=None),
                use=BenchmarkUse(judge.name, judge.votes, judge.votes, (1,)),
                identity=dataclasses.replace(
                    cell.identity, problems=most if selected is None else selected, clusters=""
                ),
                sampler=judge.sampler,
                prompt=prompt,
                imported=None,
            )
            yield Judging(own, judge, cell, replies, selected)
