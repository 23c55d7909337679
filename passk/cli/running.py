"""Commands about a run that is going on: how far it is, its jobs, and what it needs first."""

from __future__ import annotations

import argparse
import json
import time


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
