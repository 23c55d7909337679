"""Commands that run a study and follow it."""

from __future__ import annotations

import json
import time
from pathlib import Path

from passk.cli.command import Group, command, option
from passk.cli.options import AS_JSON, SPEC


@command(
    Group.STUDY,
    "show what is missing or stale, why, and what it would cost",
    "passk plan specs/quickstart.yaml --json",
    SPEC,
    option(
        "--partitions",
        type=Path,
        metavar="FILE",
        help="refuse jobs that fit into none of these, such as profiles/slurm/partitions.yaml",
    ),
    AS_JSON,
)
def plan(*, spec: Path, partitions: Path | None, as_json: bool) -> None:
    """Report what a run would do and cost."""
    from passk.workflow import build_plan
    from passk.workflow.resources.jobs import Jobs
    from passk.workflow.slurm.partitions import read_partitions
    from passk.workflow.status.plan_report import report_plan, to_text

    study = build_plan(spec)
    if partitions:
        Jobs(study).limit(read_partitions(partitions))
    found = report_plan(study)
    print(json.dumps(found, indent=1, ensure_ascii=False) if as_json else to_text(found))


@command(
    Group.STUDY,
    "show progress: done, running, failed and waiting; rate and time left",
    "passk status specs/quickstart.yaml --watch",
    SPEC,
    AS_JSON,
    option("--watch", action="store_true", help="refresh every few seconds"),
)
def status(*, spec: Path, as_json: bool, watch: bool) -> None:
    """Report the progress of a run, once or until it is done."""
    from passk.workflow import build_plan
    from passk.workflow.status import progress

    study = build_plan(spec)
    while True:
        found = progress.status(study)
        text = json.dumps(found, ensure_ascii=False) if as_json else progress.to_text(found)
        print(text, flush=True)
        if not watch or found["done"]:
            return
        time.sleep(progress.WATCH_SECONDS)


@command(
    Group.STUDY,
    "check a spec, or a benchmark file: its problems, first prompt and gold answer",
    "passk validate specs/benchmarks/gsm8k.yaml --source test.jsonl",
    option("spec", type=Path, help="YAML file of a study or of a benchmark"),
    option("--source", type=Path, metavar="FILE", help="read the benchmark's problems from here"),
    option("--text-only", action="store_true", help="leave the benchmark's images out"),
)
def validate(*, spec: Path, source: Path | None, text_only: bool) -> None:
    """Check a spec, or a benchmark file, with everything that it names."""
    from passk.cli.benchmarks import show_benchmark
    from passk.stages.validate_benchmark import is_benchmark
    from passk.workflow import build_plan

    if is_benchmark(spec):
        show_benchmark(spec, source, text_only=text_only)
        return
    study = build_plan(spec)
    for warning in study.warnings():
        print(f"warning: {warning}")
    models, cells = len(study.experiment.models), len(study.cells)
    trainings = f", {len(study.trainings)} trainings" if study.trainings else ""
    print(f"{spec}: valid; {models} models{trainings}, {cells} cells")
