"""The options of the commands that people give for a study: mostly, they take its spec."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from passk.cli import benchmark_commands, interop_commands, stage_commands, study_commands
from passk.cli.arguments import add_command, add_json, add_output, add_path, add_spec, positive
from passk.core.registry import FORMATS

KINDS = (*FORMATS, "counts")
"""What results can be imported from and exported to."""


def add_validate(commands: Any) -> None:
    """Add `passk validate`."""
    command = add_command(
        commands,
        "validate",
        study_commands.run_validate,
        "check a spec, or one benchmark's file: its problems, first prompt and gold answer",
        "passk validate specs/benchmarks/gsm8k.yaml --source test.jsonl",
    )
    add_spec(command)
    command.add_argument(
        "--source", type=Path, metavar="FILE", help="read a benchmark from this file instead"
    )
    command.add_argument("--text-only", action="store_true", help="leave a benchmark's images out")


def add_benchmarks(commands: Any) -> None:
    """Add `passk benchmarks` and `passk overlap`."""
    command = add_command(
        commands,
        "benchmarks",
        benchmark_commands.run_benchmarks,
        "list the benchmarks: problems, verifier, licence, and whether they are at hand",
        "passk benchmarks --json",
    )
    add_json(command)
    command.add_argument(
        "--fetch", nargs="+", default=[], metavar="NAME", help="bring some here, for offline jobs"
    )
    command = add_command(
        commands,
        "overlap",
        benchmark_commands.run_overlap,
        "a hint at contamination: questions of a benchmark that stand verbatim in text",
        "passk overlap math500 corpus/*.jsonl.gz",
    )
    command.add_argument("benchmark", help="a benchmark's name or file")
    command.add_argument(
        "files", type=Path, nargs="+", help="text, JSONL, JSON, CSV or Parquet (.gz as well)"
    )
    add_json(command)


def add_plan(commands: Any) -> None:
    """Add `passk plan`."""
    command = add_command(
        commands,
        "plan",
        study_commands.run_plan,
        "say what is missing or stale, why, and what it would cost",
        "passk plan specs/quickstart.yaml --json",
    )
    add_spec(command)
    command.add_argument(
        "--partitions",
        type=Path,
        metavar="FILE",
        help="refuse jobs that fit into none, such as profiles/slurm/partitions.yaml",
    )
    add_json(command)


def add_where(commands: Any) -> None:
    """Add `passk where`."""
    command = add_command(
        commands,
        "where",
        study_commands.run_where,
        "name the report to open, or the folder of a trained model",
        "passk where specs/quickstart.yaml",
    )
    add_spec(command)
    command.add_argument(
        "--model", metavar="NAME", help="the folder of this model's weights instead"
    )


def add_status(commands: Any) -> None:
    """Add `passk status`."""
    command = add_command(
        commands,
        "status",
        study_commands.run_status,
        "say how far a run is: done, running, failed and waiting per cell, rate, time left",
        "passk status specs/quickstart.yaml --watch",
    )
    add_spec(command)
    add_json(command)
    command.add_argument("--watch", action="store_true", help="again every few seconds")


def add_cancel(commands: Any) -> None:
    """Add `passk cancel`."""
    command = add_command(
        commands,
        "cancel",
        study_commands.run_cancel,
        "cancel a spec's jobs that are in Slurm's queue, such as those of a run that was killed",
        "passk cancel specs/quickstart.yaml",
    )
    add_spec(command)


def add_fetch(commands: Any) -> None:
    """Add `passk fetch`."""
    command = add_command(
        commands,
        "fetch",
        study_commands.run_fetch,
        "bring weights, tokenizers and benchmarks here, before nodes without a network need them",
        "passk fetch specs/paper-math.yaml --dry-run",
    )
    add_spec(command)
    command.add_argument("--dry-run", action="store_true", help="only say what and how much")


def add_clean(commands: Any) -> None:
    """Add `passk clean`."""
    command = add_command(
        commands,
        "clean",
        study_commands.run_clean,
        "list what stands in the outputs and no spec refers to",
        "passk clean --orphans specs/*.yaml",
    )
    command.add_argument("specs", type=Path, nargs="+", help="every spec that is in use")
    command.add_argument("--orphans", action="store_true", required=True)
    command.add_argument("--delete", action="store_true", help="remove it, too")


def add_schema(commands: Any) -> None:
    """Add `passk schema`."""
    add_command(
        commands,
        "schema",
        study_commands.run_schema,
        "print the reference of all spec keys",
        "passk schema > docs/spec.md",
    )


def add_exchange(commands: Any) -> None:
    """Add the commands that bring results of other tools and take ours to them."""
    command = add_command(
        commands,
        "import",
        interop_commands.run_import,
        "read results of another tool into a folder that a spec can name (`imported: DIR`)",
        "passk import qwen-math s*.jsonl --benchmark math500 --model simplerl -o imports/simplerl",
    )
    command.add_argument("format", choices=KINDS, metavar="FORMAT", help=", ".join(KINDS))
    command.add_argument("files", type=Path, nargs="+", metavar="FILE", help="its files; .gz too")
    command.add_argument("--benchmark", required=True, help="whose problems: name, or YAML file")
    command.add_argument("--model", required=True, help="name of the model, for the record")
    command.add_argument(
        "--map", action="append", default=[], metavar="OURS=THEIRS", help="a column of a table"
    )
    command.add_argument("--filter", metavar="NAME", help="lm-eval: the filter to take")
    command.add_argument(
        "--allow-missing", action="store_true", help="take an import of some problems alone"
    )
    add_output(command, "folder to write")
    command = add_command(
        commands,
        "export",
        interop_commands.run_export,
        "write cells in the format of another tool, or as a dataset folder (hf)",
        "passk export specs/quickstart.yaml --format hf -o dataset",
    )
    add_spec(command)
    command.add_argument(
        "--format", required=True, choices=KINDS, metavar="FORMAT", help=", ".join(KINDS)
    )
    command.add_argument(
        "--cell", action="append", default=[], metavar="ID", help="this cell (default: all)"
    )
    add_output(command, "folder to write")


def add_review(commands: Any) -> None:
    """Add the commands of the reading room."""
    command = add_command(
        commands,
        "review",
        study_commands.run_review,
        "read responses and label them, in a local page",
        "passk review specs/quickstart.yaml --reviewer ada",
    )
    add_spec(command)
    command.add_argument("--reviewer", metavar="NAME", help="whose labels (default: your login)")
    command.add_argument("--port", type=positive, default=0, help="default: a free one")
    command = add_command(
        commands,
        "reviewed",
        stage_commands.run_reviewed,
        "make the tables of labels: validated curves, problems with a valid solution, agreement",
        "passk reviewed --plan plan.json --labels labels/ada.jsonl -o reviewed",
    )
    add_path(command, "--plan", "plan.json")
    command.add_argument("--labels", type=Path, nargs="*", default=[], metavar="FILE")
    add_output(command, "folder of tables")
