"""Commands around a study: downloads, Slurm's queue, leftover files, the reference of spec keys."""

from __future__ import annotations

from pathlib import Path

from passk.cli.command import Group, command, option
from passk.cli.options import SPEC, output
from passk.core.errors import PasskError


@command(
    Group.HOUSEKEEPING,
    "download weights, tokenizers and benchmarks, for nodes without a network",
    "passk fetch specs/paper-math.yaml --dry-run",
    SPEC,
    option("--dry-run", action="store_true", help="only list what, and how much"),
    option(
        "--check",
        action="store_true",
        help="compare revisions, row counts and digests with what is pinned, source by source",
    ),
)
def fetch(*, spec: Path, dry_run: bool, check: bool) -> None:
    """Download what a spec needs from the network, or compare it with what the spec pins."""
    from passk.spec.loading import load_experiment
    from passk.workflow import build_plan
    from passk.workflow import fetch as downloads
    from passk.workflow.check_pins import check_pins

    if check:
        found = []
        for pin in check_pins(load_experiment(spec)):
            print(pin, flush=True)
            found.append(pin.state)
        if "differs" in found:
            raise PasskError(
                f"{found.count('differs')} of {len(found)} differ from what is pinned",
                where=str(spec),
                fix="keep a copy of the pinned content, or pin the new one: results will differ",
            )
        return

    for item in downloads.fetch(build_plan(spec), dry_run=dry_run):
        print(item, flush=True)


@command(
    Group.HOUSEKEEPING,
    "merge a checkpoint in shards (verl, FSDP, DeepSpeed) or a LoRA adapter into one model",
    "passk merge runs/global_step_100 --base Qwen/Qwen2.5-7B -o runs/step-100",
    option("folder", type=Path, help="the checkpoint's folder"),
    option("--base", metavar="MODEL", help="hub id or folder of the model that was trained"),
    output("folder to write"),
)
def merge(*, folder: Path, base: str | None, output: Path) -> None:
    """Merge a checkpoint in shards, or a LoRA adapter, into one model."""
    from passk.engines.merge_checkpoint import merge_checkpoint

    merge_checkpoint(folder, base, output)


@command(
    Group.HOUSEKEEPING,
    "cancel a study's jobs in Slurm's queue, such as those of a killed run",
    "passk cancel specs/quickstart.yaml",
    SPEC,
)
def cancel(*, spec: Path) -> None:
    """Cancel a study's jobs in Slurm's queue."""
    from passk.workflow import build_plan
    from passk.workflow.slurm import queue
    from passk.workflow.snakemake.startup import comment_names

    names = comment_names(build_plan(spec))
    jobs = queue.queued(names)
    queue.cancel(jobs, names)
    print(f"{len(jobs)} jobs cancelled; the command that started the run resumes them")


@command(
    Group.HOUSEKEEPING,
    "have responses that a server refused or failed sampled again by the next run",
    "passk retry specs/my-api-study.yaml",
    SPEC,
)
def retry(*, spec: Path) -> None:
    """Reopen the files with refused or failed responses."""
    from passk.workflow import build_plan
    from passk.workflow.retry import reopen

    found = reopen(build_plan(spec))
    for path, count in found.items():
        print(f"{count:8,}  {path}")
    print(f"{sum(found.values()):,} responses will be sampled again by: passk run {spec}")


@command(
    Group.HOUSEKEEPING,
    "read every file that a study rests on and verify its checksum",
    "passk check specs/quickstart.yaml",
    SPEC,
)
def check(*, spec: Path) -> None:
    """Verify a study's files; a damaged one is set aside, so that the next run makes it again."""
    from passk.workflow import build_plan
    from passk.workflow.check import check_study

    found = check_study(build_plan(spec))
    for message in found.damaged:
        print(message)
    print(f"{found.read} files read, {len(found.damaged)} damaged, {found.pending} to be made")
    if found.damaged or found.pending:
        raise PasskError(
            "the study is not complete",
            where=str(spec),
            fix=f"passk run {spec} makes what is missing",
        )


@command(
    Group.HOUSEKEEPING,
    "list the files in the outputs that no spec refers to",
    "passk clean --orphans specs/*.yaml",
    option("specs", type=Path, nargs="+", help="every spec that is in use"),
    option("--orphans", action="store_true", required=True),
    option("--delete", action="store_true", help="delete them, too"),
)
def clean(*, specs: list[Path], orphans: bool, delete: bool) -> None:
    """List, or delete, what no spec refers to."""
    from passk.workflow.status.orphans import find_orphans, remove

    found = find_orphans(specs) if orphans else []
    for path, size in found:
        print(f"{size / 1e6:10.1f} MB  {path}")
    print(f"{len(found)} orphans, {sum(size for _, size in found) / 1e6:.1f} MB")
    if delete:
        remove([path for path, _ in found])
        print("removed")


@command(Group.HOUSEKEEPING, "print the reference of all spec keys", "passk schema > docs/spec.md")
def schema() -> None:
    """Print the reference of the spec's keys."""
    from passk.spec.reference_docs import reference_page

    print(reference_page(), end="")


@command(
    Group.HOUSEKEEPING,
    "print the path of the workflow, for `snakemake -s`",
    "passk snakefile",
)
def snakefile() -> None:
    """Print the path of the Snakefile that passk ships."""
    from passk.workflow.snakemake import launch

    print(launch.snakefile())
