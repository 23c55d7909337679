"""Commands that run a study and follow it."""

from __future__ import annotations

import json
import shlex
from contextlib import suppress
from pathlib import Path

from passk.cli.command import Group, command, option
from passk.cli.options import AS_JSON, SPEC, whole_number
from passk.core.errors import PasskError
from passk.core.registry import ENGINES


@command(
    Group.STUDY,
    "write a study to start from: a spec, a benchmark of twelve questions, a prompt",
    "passk init study",
    option("folder", type=Path, help="a new folder"),
    option("--weights", metavar="MODEL", help="study this model: hub id, folder or package:NAME"),
    option("--engine", choices=sorted(ENGINES), default="transformers", help="that runs it"),
)
def init(*, folder: Path, weights: str | None, engine: str) -> None:
    """Write a study to start from."""
    from passk.cli.starter import write_starter

    spec = write_starter(folder, weights, engine)
    print(f"{folder}: a study of {weights or 'two simulated models'} on twelve questions\n")
    print(f"  passk try {spec}     # two responses per model, graded, in a minute")
    print(f"  passk run {spec}     # all of it, ending in a report")


@command(
    Group.STUDY,
    "sample and grade a few responses of every model, to check prompts and grading",
    "passk try study/spec.yaml --problems 2",
    SPEC,
    option("--problems", type=whole_number, default=2, metavar="N", help="per benchmark"),
    option("--samples", type=whole_number, default=2, metavar="N", help="responses per problem"),
    option("--threads", type=whole_number, metavar="N", help="CPU threads"),
)
def try_(*, spec: Path, problems: int, samples: int, threads: int | None) -> None:
    """Show a few responses of every model to every benchmark, graded."""
    import tempfile

    from passk.cli.trial_display import print_trial, summary_line
    from passk.workflow import build_plan
    from passk.workflow.try_study import try_study

    study, trials = build_plan(spec), []
    with tempfile.TemporaryDirectory(prefix="passk-try-") as folder:
        found = try_study(study, Path(folder), problems=problems, samples=samples, threads=threads)
        for trial in found:
            trials.append(trial)
            print_trial(trial)
    print(summary_line(trials))
    print(f"  passk run {spec}     # all of it")


@command(
    Group.STUDY,
    "run a study; further options go to Snakemake",
    "passk run specs/quickstart.yaml --cores 2",
    SPEC,
    option("--cores", metavar="N", help="CPU cores (default: all)"),
    option("--profile", metavar="P", help="profile folder, or `slurm`: the one passk ships"),
    option("-n", "--dry-run", action="store_true", help="only list what would run"),
    pass_on=True,
)
def run(
    *, spec: Path, cores: str | None, profile: str | None, dry_run: bool, pass_on: list[str]
) -> None:
    """Check a study, then run it by Snakemake."""
    from passk.workflow import build_plan
    from passk.workflow.preflight import check_run
    from passk.workflow.run import run_study, snakemake_arguments

    study = build_plan(spec)
    for warning in study.warnings():
        print(f"warning: {warning}")
    arguments = snakemake_arguments(spec, cores, profile, pass_on)
    if dry_run:
        _dry_run(arguments)
        return
    check_run(study, local=profile is None)
    from rich.console import Console

    from passk.cli.run_display import RunDisplay, show_end
    from passk.workflow.status.run_progress import RunProgress, missing_outputs

    console = Console(highlight=False)
    print(f"snakemake {shlex.join(arguments)}\n", flush=True)
    with RunDisplay(console, RunProgress(missing_outputs(study))) as display:
        done = run_study(study, arguments, display)
    report = Path(study.layout.experiment(study.experiment.name, "report.html"))
    show_end(console, done, report)


def _dry_run(arguments: list[str]) -> None:
    """List by Snakemake what would run, as numbers of jobs."""
    import subprocess
    import sys

    quiet = [] if "--quiet" in arguments else ["--quiet", "rules", "host", "reason"]
    command = [*arguments, "--dry-run", *quiet]
    print(f"snakemake {shlex.join(command)}\n", flush=True)
    module = "passk.workflow.snakemake.launch"
    done = subprocess.run([sys.executable, "-m", module, *command], check=False)
    if done.returncode:
        raise PasskError("the dry run failed, as said above")


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
    option("--expanded", action="store_true", help="print the spec written out in full, as YAML"),
    AS_JSON,
)
def plan(*, spec: Path, partitions: Path | None, expanded: bool, as_json: bool) -> None:
    """Report what a run would do and cost, or what the spec means in full."""
    if expanded:
        import yaml

        from passk.spec.loading import written_out

        class InFull(yaml.SafeDumper):
            """Writes a value again wherever it stands, in place of `*id001`."""

            def ignore_aliases(self, data: object) -> bool:  # noqa: ARG002 - of PyYAML
                return True

        full = yaml.dump(written_out(spec), Dumper=InFull, sort_keys=False, allow_unicode=True)
        print(full, end="")
        return
    from passk.workflow import build_plan
    from passk.workflow.resources.jobs import Jobs
    from passk.workflow.slurm.partitions import read_partitions
    from passk.workflow.status.plan_report import report_plan, to_text

    study = build_plan(spec)
    if partitions:
        Jobs(study).limit(read_partitions(partitions))
    found = report_plan(study, local=not partitions)
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
    from rich.console import Console

    from passk.cli.status_display import show_status
    from passk.cli.status_display import watch as show_changes
    from passk.workflow import build_plan
    from passk.workflow.status import progress

    study = build_plan(spec)
    console = Console(highlight=False)
    looks = progress.follow(study) if watch else iter([progress.status(study)])
    if watch and console.is_terminal and not as_json:
        show_changes(console, looks)
        return
    for found in looks:
        if as_json:
            print(json.dumps(found, ensure_ascii=False), flush=True)
        else:
            show_status(console, found)


@command(
    Group.STUDY,
    "open a local page that follows a run",
    "passk serve specs/quickstart.yaml --port 8765",
    SPEC,
    option("--port", type=whole_number, default=0, help="default: a free one"),
)
def serve(*, spec: Path, port: int) -> None:
    """Serve a page with the progress of a run until it is interrupted."""
    from passk.report.live import LivePages
    from passk.report.web.local_server import LocalServer
    from passk.workflow import build_plan
    from passk.workflow.status.interim import InterimResults
    from passk.workflow.status.progress import sorted_parts, state_of
    from passk.workflow.status.progress import status as look

    study, interim = build_plan(spec), InterimResults()

    def state() -> dict[str, object]:
        """Return the status with its work in the order in which it is shown."""
        found = look(study, interim)
        parts = [{**part, "state": state_of(part)} for part in sorted_parts(found)]
        return {**found, "title": study.experiment.title or found["name"], "parts": parts}

    with LocalServer(LivePages(state), port) as server:
        print(f"open {server.url}", flush=True)
        print("Ctrl-C closes the page; the run goes on", flush=True)
        with suppress(KeyboardInterrupt):
            server.serve_forever()


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
    from passk.spec.loading import is_benchmark
    from passk.spec.yaml_lines import read_yaml
    from passk.stages.validate_benchmark import check_study
    from passk.workflow import build_plan

    if is_benchmark(read_yaml(spec).data):
        show_benchmark(spec, source, text_only=text_only)
        return
    study = build_plan(spec)
    for warning in [*study.warnings(), *check_study(study.experiment)]:
        print(f"warning: {warning}")
    models, cells = len(study.experiment.models), len(study.cells)
    trainings = f", {len(study.trainings)} trainings" if study.trainings else ""
    print(f"{spec}: valid; {models} models{trainings}, {cells} cells")
