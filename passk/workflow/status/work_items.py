"""The work that a plan consists of, and where each part of it leaves its traces."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from passk.core.journal import finished_rows, journal_path
from passk.workflow import Plan
from passk.workflow.cells import Cell, Scoring
from passk.workflow.snakemake.batches import rule_name
from passk.workflow.status.logs import JobName, is_held
from passk.workflow.trainings import Training

EXPERIMENT_JOBS = (
    ("plan.json", "resolve", "resolve_experiment"),
    ("tables/pass_at_k.csv", "aggregate", "aggregate_tables"),
    ("figures", "figures", "draw_figures"),
    ("report.html", "report", "write_report"),
)
"""What is made once for an experiment: the output, the folder of the log, the rule."""


@dataclass(frozen=True, slots=True)
class WorkItem:
    """Shards of one kind of work on one cell, and where each leaves its traces.

    Checkpoints are the shards of a training, and steps its responses.

    Attributes:
        name: of the cell or scoring task.
        stage: folder of the logs.
        outputs: shard -> the file that it becomes.
        responses: shard -> responses in it.
        jobs: shard -> the jobs that may make it: the shard's own, and that of its block.
        finished: output -> how much of a missing one is there already.
        held: output -> whether a process is making it.
    """

    name: str
    outputs: Mapping[str, Path]
    responses: Mapping[str, int]
    jobs: Mapping[str, tuple[JobName, ...]]
    finished: Callable[[Path], int] = finished_rows
    held: Callable[[Path], bool] = lambda output: is_held(journal_path(output))


def sampling(plan: Plan, cell: Cell) -> WorkItem:
    """Return the work of drawing a cell's responses."""
    shards, size = cell.shards(), plan.experiment.jobs.shards

    def jobs(index: int, shard: str) -> tuple[JobName, JobName]:
        run = f"rule_{rule_name('draw_samples', cell.id, index // size)}"
        own = f"rule_draw_samples_wildcards_{cell.id}_{shard}"
        return JobName(f"sample/{cell.id}.{shard}", own), JobName(
            f"sample/{cell.id}.batch{index // size}", run
        )

    return WorkItem(
        cell.id,
        {shard: Path(plan.layout.samples(cell.id, shard)) for shard in shards},
        {shard: cell.responses_in(shard) for shard in shards},
        {shard: jobs(index, shard) for index, shard in enumerate(shards)},
    )


def cpu_jobs(plan: Plan) -> Iterator[tuple[Path, JobName]]:
    """Yield what jobs on CPUs make, and what each is called: they are not counted, but may fail."""
    for cell in plan.all_cells.values():
        for shard, path in zip(cell.shards(), plan.verdicts_of(cell), strict=True):
            parts = (cell.id, cell.verdicts, shard)
            comment = f"rule_verify_responses_wildcards_{'_'.join(parts)}"
            yield Path(path), JobName(f"verify/{'.'.join(parts)}", comment)
    for one in plan.confirmations.values():
        for rounds, path in enumerate(plan.decisions_of(one)):
            comment = f"rule_decide_problems_wildcards_{one.id}_{rounds}"
            yield Path(path), JobName(f"confirm/{one.id}.{rounds}", comment)
    for judging in plan.judgings:
        for path, log, rule in (
            (plan.layout.chains(judging), "chains", "select_chains"),
            (plan.layout.judgements(judging), "votes", "count_votes"),
        ):
            comment = f"rule_{rule}_wildcards_{judging}"
            yield Path(path), JobName(f"judge/{judging}.{log}", comment)
    for cell in plan.cells.values():
        counts = Path(plan.counts_of(cell))
        comment = f"rule_count_verdicts_wildcards_{cell.id}_{cell.verdicts}_{cell.use.n}"
        yield counts, JobName(f"count/{cell.id}.{counts.stem}", comment)
    name = plan.experiment.name
    for output, stage, rule in EXPERIMENT_JOBS:
        made = Path(plan.layout.experiment(name, output))
        yield made, JobName(f"{stage}/{name}", f"rule_{rule}")


def scoring_items(plan: Plan) -> Iterator[WorkItem]:
    """Yield the work of scoring, task by task; blocks are numbered over all of a scorer's files."""
    size, seen = plan.experiment.jobs.scores, dict[str, int]()
    for task in plan.scorings.values():
        scorer = task.model.name
        numbers = {shard: (seen.get(scorer, 0) + i) // size for i, shard in enumerate(task.shards)}
        seen[scorer] = seen.get(scorer, 0) + len(task.shards)
        yield _scoring(plan, task, numbers)


def _scoring(plan: Plan, task: Scoring, numbers: Mapping[str, int]) -> WorkItem:
    """Return the work of scoring a cell's responses; `numbers` are those of each shard's block."""
    scorer = task.model.name
    key = f"{task.target}_{task.scorer}"
    return WorkItem(
        f"perplexity of {task.target} under {task.scorer}",
        {s: Path(plan.layout.scores(task.target, task.scorer, s)) for s in task.shards},
        {shard: task.responses_in(shard) for shard in task.shards},
        {
            shard: (
                JobName(
                    f"perplexity/{task.target}.{task.scorer}.{shard}",
                    f"rule_score_responses_wildcards_{key}_{shard}",
                ),
                JobName(
                    f"perplexity/{scorer}.batch{number}",
                    f"rule_{rule_name('score_responses', scorer, number)}",
                ),
            )
            for shard, number in numbers.items()
        },
    )


def training(plan: Plan, task: Training) -> WorkItem:
    """Return the work of a training, checkpoint by checkpoint."""
    folder = Path(plan.layout.training(task.id)).parent
    names = task.checkpoints()
    first = {name: int(task.before(name) or 0) for name in names}

    def finished(output: Path) -> int:
        """Return the steps after the checkpoint before that a killed job can go on from."""
        name = output.parent.name.removeprefix("step-")
        steps = (_step_of(path) for path in folder.glob("state/step-*"))
        return max((step - first[name] for step in steps if step <= int(name)), default=0)

    def held(output: Path) -> bool:
        """Tell whether the next checkpoint is being made: a training makes one at a time."""
        after = first[output.parent.name.removeprefix("step-")]
        before = Path(plan.layout.trained(task.id, f"{after:06d}"))
        return (not after or before.is_file()) and is_held(folder / "state/lock")

    return WorkItem(
        f"training {task.id}",
        {name: Path(plan.layout.trained(task.id, name)) for name in names},
        {name: int(name) - first[name] for name in names},
        {
            name: (
                JobName(f"train/{task.id}.{name}", f"rule_train_model_wildcards_{task.id}_{name}"),
            )
            for name in names
        },
        lambda output: max(0, finished(output)),
        held,
    )


def _step_of(path: Path) -> int:
    """Return the step of a state's folder; -1 where that is no number."""
    name = path.name.removeprefix("step-")
    return int(name) if name.isdigit() else -1
