"""Commands on responses, counts and results that were made elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from passk.cli.command import Group, command, option
from passk.cli.options import SPEC, VERIFIER, output, seconds, whole_number
from passk.core.registry import EXPORT_FORMATS, FORMATS, PUSH_TARGETS

IMPORTS = ("auto", *FORMATS, "counts")
"""Formats that can be imported; `auto` guesses."""

EXPORTS = (*EXPORT_FORMATS, "counts")
"""Formats that can be exported."""


@command(
    Group.DATA,
    "grade responses: JSONL with problem_id, gold, response",
    "passk grade --verifier math responses.jsonl -o graded.jsonl",
    option("responses", type=Path, help="JSONL file"),
    VERIFIER,
    option("--benchmark", metavar="NAME", help="take gold answers from this benchmark or file"),
    option(
        "--timeout",
        type=seconds,
        metavar="SECONDS",
        help="limit of one comparison, or of one test of a program (default: the benchmark's own)",
    ),
    option(
        "--explain",
        type=whole_number,
        metavar="LINE",
        help="print how the row on this line is graded, and write nothing",
    ),
    output("JSONL file: the same rows with verdict, answer and detail", required=False),
)
def grade(
    *,
    responses: Path,
    verifier: str,
    options: dict[str, object],
    workers: int,
    benchmark: str | None,
    timeout: float | None,
    explain: int | None,
    output: Path | None,
) -> None:
    """Grade a file of responses, or explain one verdict."""
    from passk.core.errors import PasskError
    from passk.core.progress import Progress
    from passk.stages.verify import explain_line, grade_file

    golds = None
    if benchmark:
        golds, own = _golds_of(benchmark, verifier)
        options = own | options
    if explain:
        for label, text in explain_line(responses, explain, verifier, options, golds):
            print(f"{label:22} {text}")
        return
    if output is None:
        raise PasskError("no output file is named", fix="-o FILE, or --explain LINE for one row")
    with Progress(f"grade {responses}", "responses") as progress:
        verdicts = grade_file(
            responses,
            output,
            verifier,
            options,
            golds=golds,
            workers=workers,
            timeout=timeout,
            progress=progress,
        )
    print(", ".join(f"{count} {name}" for name, count in verdicts.items()))


def _golds_of(name: str, verifier: str) -> tuple[dict[str, str], dict[str, object]]:
    """Return a benchmark's gold answers, and its options of the verifier."""
    from passk.benchmarks.source import load_problems
    from passk.spec.loading import find_benchmark

    benchmark = find_benchmark(name)
    own = dict(benchmark.options) if benchmark.verifier == verifier else {}
    return {row.id: row.gold for row in load_problems(benchmark, text_only=True)}, own


@command(
    Group.DATA,
    "read another tool's results into a folder; a spec names it as `imported: DIR`",
    "passk import auto s*.jsonl --benchmark math500 --model simplerl -o imports/simplerl",
    option("kind", choices=IMPORTS, metavar="FORMAT", help=", ".join(IMPORTS)),
    option(
        "files",
        type=Path,
        nargs="+",
        metavar="FILE",
        help="files, folders or patterns in quotes; also .gz and .zst",
    ),
    option("--benchmark", required=True, help="whose problems: name, or YAML file"),
    option("--model", required=True, help="the model's name, kept with the results"),
    option("--map", action="append", default=[], metavar="OURS=THEIRS", help="a table's column"),
    option("--filter", metavar="NAME", help="lm-eval: the filter to read, or its number from 1"),
    option(
        "--correct-if",
        metavar="'COLUMN > X'",
        help="table, verl, trl: condition that makes a response correct",
    ),
    option("--allow-missing", action="store_true", help="accept results of only some problems"),
    option("--only-known", action="store_true", help="skip problems the benchmark does not have"),
    option("--allow-duplicates", action="store_true", help="accept responses that occur twice"),
    option("--null-as-failed", action="store_true", help="count null responses as failed"),
    option("--grade", action="store_true", help="grade at once and compare with the source"),
    option(
        "--stored-verdicts",
        action="store_true",
        help="store counts of the source's verdicts; passk does not grade again",
    ),
    output("folder to write"),
)
def import_(
    *,
    kind: str,
    files: list[Path],
    benchmark: str,
    model: str,
    map: list[str],  # noqa: A002 - the option's name
    output: Path,
    **options: Any,
) -> None:
    """Import results of another tool."""
    from passk.interop.import_command import run_import

    for line in run_import(kind, files, benchmark, model, output, map, **options):
        print(line)


@command(
    Group.DATA,
    "write a study's responses in the format of another tool, or as a dataset (hf)",
    "passk export specs/quickstart.yaml --format hf -o dataset",
    SPEC,
    option(
        "--format",
        dest="kind",
        required=True,
        choices=EXPORTS,
        metavar="FORMAT",
        help=", ".join(EXPORTS),
    ),
    option("--cell", action="append", default=[], metavar="ID", help="this cell (default: all)"),
    output("folder to write"),
)
def export(*, spec: Path, kind: str, cell: list[str], output: Path) -> None:
    """Export cells for another tool."""
    from passk.interop.export_results import export_cells
    from passk.workflow import build_plan

    for path in export_cells(build_plan(spec), kind, output, cell):
        print(path)


@command(
    Group.DATA,
    "send a finished study's tables, figures and responses to a tracker or the hub",
    "passk push specs/quickstart.yaml --to hub --project me/quickstart",
    SPEC,
    option(
        "--to",
        required=True,
        choices=tuple(PUSH_TARGETS),
        metavar="TARGET",
        help=", ".join(PUSH_TARGETS),
    ),
    option("--project", metavar="NAME", help="project, experiment or repository"),
    option("--without-responses", action="store_true", help="send only tables and figures"),
    option("--dry-run", action="store_true", help="say what would be sent, and send nothing"),
)
def push(
    *, spec: Path, to: str, project: str | None, without_responses: bool, dry_run: bool
) -> None:
    """Push a study."""
    from passk.interop.push.core import push
    from passk.workflow import build_plan

    plan = build_plan(spec)
    for line in push(plan, to, project, responses=not without_responses, dry_run=dry_run):
        print(line)
