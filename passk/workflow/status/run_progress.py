"""How far a run is: responses drawn and scored and steps trained, their rate, and the time left."""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from passk.core.journal import finished_rows
from passk.workflow.files import Build
from passk.workflow.plan import Plan
from passk.workflow.resources.cost import rates, step_rate
from passk.workflow.run import Job
from passk.workflow.snakemake.batches import sampling_batches, scoring_batches
from passk.workflow.status.logs import progress_of

UNITS = {"train model": "steps", "draw samples": "responses", "score responses": "scores"}
"""Kind of job -> its outputs."""

LOOK_SECONDS = 5.0
"""Seconds between two looks at which files are there."""


@dataclass(frozen=True, slots=True)
class Missing:
    """A file that a run has to make, as its plan sees it.

    Attributes:
        kind: of the job that makes it.
        rows: steps, responses or scores in it.
        seconds: estimated time of one job.
        journaled: rows that a killed job has left.
        batch: the rule that makes it together with others, if there is one.
    """

    kind: str
    rows: int
    seconds: float
    journaled: int = 0
    batch: str = ""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run is.

    Attributes:
        share: of the estimated work that is done, in [0, 1].
        counts: unit -> (made, to make, made per second); only what the run has to make.
        seconds_left: estimate; None before there is any rate, and once only small jobs are left.
    """

    share: float
    counts: dict[str, tuple[int, int, float]]
    seconds_left: float | None


class RunProgress:
    """Follows a run by the files that it has to make and by the logs of its running jobs.

    Args:
        missing: file -> what it is.
        clock: seconds, from any start.
    """

    def __init__(
        self, missing: dict[Path, Missing], clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Count what there is to make."""
        self._clock, self._left, self._made = clock, dict(missing), list[Missing]()
        self._total, self._first = Counter[str](), Counter[str]()
        self._seconds: defaultdict[str, float] = defaultdict(float)
        for one in missing.values():
            self._total[one.kind] += one.rows
            self._first[one.kind] += one.journaled
            self._seconds[one.kind] += one.seconds
        self._began: float | None = None
        self._looked = clock()

    def __call__(self, running: Iterable[Job]) -> Progress:
        """Return how far the run is, while some jobs are at work."""
        now, jobs = self._clock(), [job for job in running if job.kind in self._total]
        if jobs and self._began is None:
            self._began = now
        elapsed = max(now - (now if self._began is None else self._began), 1e-9)
        self._look(now)
        rows = self._rows(jobs)
        counts, done, fresh = {}, 0.0, 0.0
        for kind, total in self._total.items():
            each = self._seconds[kind] / total if total else 0.0
            new = rows[kind] - self._first[kind]
            done, fresh = done + each * rows[kind], fresh + each * new
            counts[UNITS[kind]] = (rows[kind], total, new / elapsed)
        whole = sum(self._seconds.values())
        left = (whole - done) * elapsed / fresh if fresh and done < whole else None
        return Progress(done / whole if whole else 0.0, counts, left)

    def _look(self, now: float) -> None:
        """Note which files have been made, every few seconds."""
        if now - self._looked >= LOOK_SECONDS:
            self._looked = now
            for path in [path for path in self._left if path.exists()]:
                self._made.append(self._left.pop(path))

    def _rows(self, jobs: Sequence[Job]) -> Counter[str]:
        """Return kind -> rows that are made: in files, and by the logs of running jobs."""
        rows, rules = Counter[str](), {job.rule for job in jobs}
        for one in self._made:
            if one.batch not in rules:  # else the log counts it
                rows[one.kind] += one.rows
        for job in jobs:
            found = progress_of(job.log)
            rows[job.kind] += found.done if found else 0
        return Counter(
            {kind: min(max(rows[kind], self._first[kind]), n) for kind, n in self._total.items()}
        )


def missing_outputs(plan: Plan) -> dict[Path, Missing]:
    """Return the checkpoints, samples and scores that a run has to make."""
    build = Build(plan)
    made_by = (sampling_batches(plan, build.is_pending), scoring_batches(plan, build.is_pending))
    batches = {path: one.name for found in made_by for one in found for path in one.outputs}
    return {
        Path(path): Missing(kind, rows, rows * each, min(rows, finished_rows(Path(path))), batch)
        for kind, path, rows, each in _outputs(plan, build)
        if build.is_pending(path)
        for batch in (batches.get(path, ""),)
    }


def _outputs(plan: Plan, build: Build) -> Iterator[tuple[str, str, int, float]]:
    """Yield kind, path, rows and seconds per row of outputs where any of their part is missing."""
    for training in plan.trainings.values():
        each = step_rate(plan, training).seconds
        for step, path in zip(training.checkpoints(), plan.checkpoints_of(training), strict=True):
            yield "train model", path, int(step) - int(training.before(step) or 0), each
    for cell in plan.sized_cells.values():
        samples = [] if cell.imported else plan.samples_of(cell)
        if any(map(build.is_pending, samples)):
            each = rates(plan, cell).seconds
            for shard, path in zip(cell.shards(), samples, strict=True):
                yield "draw samples", path, cell.responses_in(shard), each
    for scoring in plan.scorings.values():
        scores = plan.scores_of(scoring)
        if any(map(build.is_pending, scores)):
            each = rates(plan, scoring).seconds
            for shard, path in zip(scoring.shards, scores, strict=True):
                yield "score responses", path, scoring.responses_in(shard), each
