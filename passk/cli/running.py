"""Commands about a run: how far it is, its jobs, what it needs first, and where it left what."""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

from passk.errors import PasskError


def run_status(options: argparse.Namespace) -> None:
    """Say how far a run is, once or again and again."""
    from passk.plan import build_plan
    from passk.status import WATCH_SECONDS, status, to_text

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
    from passk import slurm
    from passk.plan import build_plan
    from passk.plan.begin import targets

    names = targets(build_plan(options.spec))
    jobs = slurm.queued(names)
    slurm.cancel(jobs, names)
    print(f"{len(jobs)} jobs cancelled; the same snakemake command goes on from their journals")


def run_fetch(options: argparse.Namespace) -> None:
    """Bring here what a spec needs from the network."""
    from passk.fetch import fetch
    from passk.plan import build_plan

    for item in fetch(build_plan(options.spec), dry_run=options.dry_run):
        print(item, flush=True)


def run_where(options: argparse.Namespace) -> None:
    """Name the report of a spec, or fail where it has not been made."""
    from passk.plan.layout import Layout
    from passk.spec_files import load_experiment

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
    from passk.errors import did_you_mean
    from passk.plan import build_plan

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
