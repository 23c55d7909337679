"""What the commands of the stages do: each calls one stage, and prints what that returned."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from passk.core.errors import PasskError
from passk.core.progress import Progress


def run_resolve(options: argparse.Namespace) -> None:
    """Write a task file of the workflow."""
    from passk.core.artifacts import write_json
    from passk.workflow import build_plan, task_files

    plan = build_plan(options.spec)
    if options.training:
        document = task_files.training_document(plan.training(options.training))
    elif options.cell:
        document = task_files.cell_document(plan.cell(options.cell))
    elif options.score:
        document = task_files.score_document(plan.scoring(*options.score))
    else:
        document = task_files.experiment_document(plan)
    write_json(options.output, document)


def run_problems(options: argparse.Namespace) -> None:
    """Run `passk problems`."""
    from passk.stages.problems import write_problems

    write_problems(
        options.benchmark,
        options.output,
        limit=options.limit or None,
        only=options.only or None,
        questions_only=options.questions_only,
        expect=options.expect,
    )


def run_reference(options: argparse.Namespace) -> None:
    """Run `passk reference`."""
    from passk.stages.problems import write_references

    responses = Path(options.responses) if options.responses else None
    write_references(
        options.problems, options.output, template=options.template, responses=responses
    )


def run_weights(options: argparse.Namespace) -> None:
    """Run `passk weights`."""
    from passk.engines.packaged_weights import convert_package

    convert_package(options.package, options.revision, options.output)


def run_train(options: argparse.Namespace) -> None:
    """Run `passk train`."""
    from passk.core.gpus import claim_gpus
    from passk.stages.train import train

    name = f"train {options.output.parent.parent.name} {options.output.parent.name}"
    with claim_gpus(options.gpus), Progress(name, "steps") as progress:
        train(
            options.task,
            options.problems,
            options.step,
            options.output,
            threads=options.threads,
            progress=progress,
        )


def _short(output: Path) -> str:
    """Return an output's name for progress: cell and shard where it stands in the store."""
    parts = output.parts
    if "cells" not in parts[:-1]:
        return str(output)
    return f"{parts[parts.index('cells') + 1]} {output.stem}"


def _parallel(**lists: list[Any]) -> list[dict[str, Any]]:
    """Return options that were given as often as each other, one by one."""
    sizes = {f"--{name}": len(values) for name, values in lists.items()}
    if len(set(sizes.values())) > 1:
        counts = ", ".join(f"{count} of {name}" for name, count in sizes.items())
        raise PasskError(f"options that belong together differ in number: {counts}")
    rows = zip(*lists.values(), strict=True)
    return [dict(zip(lists, values, strict=True)) for values in rows]


def run_sample(options: argparse.Namespace) -> None:
    """Run `passk sample`."""
    from passk.core.gpus import claim_gpus
    from passk.stages.sample import sample

    shards = _parallel(output=options.output, samples=options.samples)
    name = f"sample {_short(options.output[0])}"
    with claim_gpus(options.gpus), Progress(name, "responses") as progress:
        sample(
            options.cell,
            options.problems,
            [(one["output"], one["samples"]) for one in shards],
            threads=options.threads,
            wait=options.wait,
            progress=progress,
        )


def run_adopt(options: argparse.Namespace) -> None:
    """Run `passk adopt`."""
    from passk.stages.adopt import adopt

    adopt(options.cell, options.problems, options.output, options.samples)


def run_entropy(options: argparse.Namespace) -> None:
    """Run `passk entropy`."""
    from passk.core.gpus import claim_gpus
    from passk.stages.entropy import match

    name = f"entropy {_short(options.output)}"
    with claim_gpus(options.gpus), Progress(name, "responses") as progress:
        match(
            options.cell,
            options.base,
            options.problems,
            options.output,
            threads=options.threads,
            progress=progress,
        )


def run_verify(options: argparse.Namespace) -> None:
    """Run `passk verify`."""
    from passk.stages.verify import verify

    with Progress(f"verify {_short(options.output)}", "answers") as progress:
        verify(
            options.problems,
            options.samples,
            options.output,
            options.verifier,
            options.options,
            workers=options.workers,
            progress=progress,
        )


def run_perplexity(options: argparse.Namespace) -> None:
    """Run `passk perplexity`."""
    from passk.core.gpus import claim_gpus
    from passk.stages.score import Scored, perplexity

    names = ("task", "problems", "samples", "output")
    files = _parallel(**{name: getattr(options, name) for name in names})
    name = f"perplexity {_short(options.output[0])}"
    with claim_gpus(options.gpus), Progress(name, "responses") as progress:
        perplexity(
            [Scored(**one) for one in files],
            threads=options.threads,
            wait=options.wait,
            progress=progress,
        )


def run_count(options: argparse.Namespace) -> None:
    """Run `passk count`."""
    from passk.core import versions
    from passk.core.registry import VERIFIERS, load
    from passk.stages.count import count
    from passk.stages.imported import is_adopted

    verifier = load("verifier", options.verifier, VERIFIERS)(**options.options)
    count(
        options.problems,
        options.samples,
        options.verdicts,
        options.output,
        options.n,
        canonical=verifier.canonical,
        partial=all(is_adopted(path) for path in options.samples),
        manifest={"stage": "count", "n": options.n, "version": versions.COUNT},
    )


def run_aggregate(options: argparse.Namespace) -> None:
    """Run `passk aggregate`."""
    from passk.analysis.tables import aggregate

    aggregate(options.plan, options.output)


def run_figures(options: argparse.Namespace) -> None:
    """Run `passk figures`."""
    from passk.report.figures import draw

    draw(options.tables, options.plan, options.output)


def run_report(options: argparse.Namespace) -> None:
    """Run `passk report`."""
    from passk.report.build import report

    report(options.plan, options.tables, options.figures, options.output, options.reviewed)


def run_reviewed(options: argparse.Namespace) -> None:
    """Run `passk reviewed`."""
    from passk.review.tables import review_tables

    review_tables(options.plan, options.labels, options.output)


def run_grade(options: argparse.Namespace) -> None:
    """Grade responses of one's own."""
    from passk.stages.verify import grade_file

    golds, verifier_options = None, options.options
    if options.benchmark:
        golds, verifier_options = _golds_of(options)
    with Progress(f"grade {options.input}", "responses") as progress:
        verdicts = grade_file(
            options.input,
            options.output,
            options.verifier,
            verifier_options,
            golds=golds,
            workers=options.workers,
            progress=progress,
        )
    print(", ".join(f"{count} {name}" for name, count in verdicts.items()))


def _golds_of(options: argparse.Namespace) -> tuple[dict[str, str], dict[str, Any]]:
    """Return a benchmark's gold answers, and its options of the verifier under those given."""
    from passk.benchmarks.source import load_problems
    from passk.spec.loading import catalogue_file, load_benchmark

    name = str(options.benchmark)
    here = Path(name) if name.endswith(".yaml") else catalogue_file("benchmarks", name, Path("x"))
    benchmark = load_benchmark(here)
    own = dict(benchmark.options) if benchmark.verifier == options.verifier else {}
    return {
        row.id: row.gold for row in load_problems(benchmark, text_only=True)
    }, own | options.options


def run_estimate(options: argparse.Namespace) -> None:
    """Run `passk estimate`."""
    from passk.stages.estimate import estimate_file

    estimate_file(options.counts, options.output, options.k)
