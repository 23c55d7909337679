"""What the commands of a study do: each asks for its plan, and prints or serves what it finds."""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

from passk.core.errors import PasskError


def run_status(options: argparse.Namespace) -> None:
    """Say how far a run is, once or again and again."""
    from passk.workflow import build_plan
    from passk.workflow.status.progress import WATCH_SECONDS, status, to_text

    plan = build_plan(options.spec)
    while True:
        found = status(plan)
        text = json.dumps(found, ensure_ascii=False) if options.json else to_text(found)
        print(text, flush=True)
        if not options.watch or found["done"]:
            return
        time.sleep(WATCH_SECONDS)


def run_cancel(options: argparse.Namespace) -> None:
    """Cancel a spec's jobs in Slurm's queue."""
    from passk.workflow import build_plan
    from passk.workflow.slurm import queue
    from passk.workflow.snakemake.startup import targets

    names = targets(build_plan(options.spec))
    jobs = queue.queued(names)
    queue.cancel(jobs, names)
    print(f"{len(jobs)} jobs cancelled; the same snakemake command goes on from their journals")


def run_fetch(options: argparse.Namespace) -> None:
    """Bring here what a spec needs from the network."""
    from passk.workflow import build_plan
    from passk.workflow.fetch import fetch

    for item in fetch(build_plan(options.spec), dry_run=options.dry_run):
        print(item, flush=True)


def run_where(options: argparse.Namespace) -> None:
    """Name the report of a spec, or fail where it has not been made."""
    from passk.spec.loading import load_experiment
    from passk.workflow.paths import Layout

    if options.model:
        print(_weights_of(options.spec, options.model))
        return
    experiment = load_experiment(options.spec)
    report = Path(Layout(experiment.outputs).experiment(experiment.name, "report.html"))
    if not report.is_file():
        raise PasskError(
            "not made yet",
            where=str(report),
            fix=f"snakemake --cores all --configfile {options.spec}",
        )
    print(f"\nreport: open {report.resolve()}")


def _weights_of(spec: Path, name: str) -> str:
    """Return where a model's weights stand, or fail where they have not been made."""
    from passk.core.errors import did_you_mean
    from passk.workflow import build_plan

    weights = build_plan(spec).weights
    if name not in weights:
        hint = did_you_mean(name, weights)
        raise PasskError(f"no model '{name}' in this spec; {hint}", where=str(spec))
    found = weights[name]
    missing = [marker for marker in found.markers if not Path(marker).is_file()]
    if missing:
        raise PasskError(
            f"the weights of '{name}' are not made yet",
            where=missing[0],
            fix=f"snakemake --cores all --configfile {spec}",
        )
    return found.load


def run_validate(options: argparse.Namespace) -> None:
    """Check a spec, or a benchmark's file, with everything that it names."""
    from passk.cli.benchmark_commands import show_benchmark
    from passk.stages.validate_benchmark import is_benchmark
    from passk.workflow import build_plan

    if is_benchmark(options.spec):
        show_benchmark(options)
        return
    plan = build_plan(options.spec)
    for warning in plan.warnings():
        print(f"warning: {warning}")
    models, cells = len(plan.experiment.models), len(plan.cells)
    trainings = f", {len(plan.trainings)} trainings" if plan.trainings else ""
    print(f"{options.spec}: valid; {models} models{trainings}, {cells} cells")


def run_plan(options: argparse.Namespace) -> None:
    """Say what a run would do and what it would cost."""
    from passk.workflow import build_plan
    from passk.workflow.resources.jobs import Jobs
    from passk.workflow.slurm.partitions import read_partitions
    from passk.workflow.status.plan_report import preview, to_text

    plan = build_plan(options.spec)
    if options.partitions:
        Jobs(plan).limit(read_partitions(options.partitions))
    found = preview(plan)
    print(json.dumps(found, indent=1, ensure_ascii=False) if options.json else to_text(found))


def run_review(options: argparse.Namespace) -> None:
    """Serve the reading room until it is interrupted."""
    import getpass

    from passk.analysis.study import study_of
    from passk.review.queue import build_queue
    from passk.review.room import Room, open_labels
    from passk.review.server import Server
    from passk.workflow import build_plan
    from passk.workflow.task_files import experiment_document

    plan = build_plan(options.spec)
    study = study_of(experiment_document(plan), str(options.spec))
    missing = [cell for cell in study.cells if not cell.counts.is_file()]
    if missing:
        raise PasskError(
            "not all responses are drawn and graded yet",
            where=str(missing[0].counts),
            fix=f"snakemake --cores all --configfile {options.spec}",
        )
    items = build_queue(study)
    folder = Path(plan.layout.experiment(study.name, "labels"))
    with open_labels(folder, options.reviewer or getpass.getuser()) as labels:
        server = Server(Room(study.title or study.name, items, labels), options.port)
        print(f"{len(items)} responses to read; labels are kept in {labels.path}")
        print(f"open {server.url}", flush=True)
        with server:
            server.serve_forever()


def run_clean(options: argparse.Namespace) -> None:
    """List, or remove, what no spec refers to."""
    from passk.workflow.status.orphans import find_orphans, remove

    orphans = find_orphans(options.specs)
    for path, size in orphans:
        print(f"{size / 1e6:10.1f} MB  {path}")
    print(f"{len(orphans)} orphans, {sum(size for _, size in orphans) / 1e6:.1f} MB")
    if options.delete:
        remove([path for path, _ in orphans])
        print("removed")


def run_schema(_options: argparse.Namespace) -> None:
    """Run `passk schema`."""
    from passk.spec.reference_docs import reference_page

    print(reference_page(), end="")
