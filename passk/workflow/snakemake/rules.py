"""What the rules of the workflow ask: wildcards in, paths and parameters out.

A rule's `input:` and `params:` name methods of `Rules`, so that no .smk file holds logic.
"""

from __future__ import annotations

import gc
import logging
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from passk.analysis.study import REVIEWED, TABLES
from passk.core import versions
from passk.core.artifacts import canonical_json, digest
from passk.core.errors import PasskError, SpecError
from passk.spec.models import Model
from passk.spec.yaml_lines import read_yaml
from passk.workflow.cells import Scoring, base_of
from passk.workflow.paths import Layout
from passk.workflow.plan import Plan, build_plan
from passk.workflow.resources.jobs import Jobs
from passk.workflow.snakemake.batches import (
    SamplingBatch,
    ScoringBatch,
    sampling_batches,
    scoring_batches,
)
from passk.workflow.snakemake.startup import start_run
from passk.workflow.snakemake.training_rules import TrainingRules
from passk.workflow.task_files import cell_task, plan_document, score_task_document

DEFAULT_THREADS = {"fake": 1}
"""Engine -> cores of a job where its spec names none; any other engine takes what there is."""

ALL_CORES = 1024
"""Snakemake scales a rule's threads down to the cores that it was given."""


class Rules:
    """Lookups for the rules of one experiment; every method takes Snakemake's wildcards."""

    def __init__(self, plan: Plan, workflow: Any = None) -> None:
        """Keep the plan, the paths that rules use as patterns, and Snakemake's workflow."""
        self.plan = plan
        self._workflow = workflow
        self.paths: Layout = plan.layout
        self.jobs = Jobs(plan)
        self.training = TrainingRules(plan)
        self.spec = str(plan.experiment.file)
        self.name = plan.experiment.name
        self._planned_at = time.time()

    def start_run(self, workflow: Any) -> None:
        """Hold what the run will write, and refuse what cannot end well; for `onstart:`.

        Raises:
            PasskError: another run is at work on the same files, jobs of a run that was killed
                are still in the queue, or a job fits into no partition.
        """
        outputs = [str(file) for job in workflow.dag.needrun_jobs() for file in job.output]
        with one_message():
            self._locks = start_run(self.jobs, workflow, outputs, self._planned_at)

    @property
    def report(self) -> str:
        """The file that the whole workflow is for."""
        return self.paths.experiment(self.name, "report.html")

    @property
    def plan_file(self) -> str:
        """The plan as the analysis reads it."""
        return self.paths.experiment(self.name, "plan.json")

    @property
    def curves(self) -> str:
        """The table of pass@k; the other tables stand beside it."""
        return self.paths.experiment(self.name, "tables/pass_at_k.csv")

    @property
    def other_tables(self) -> list[str]:
        """Every table but that one, as CSV and Parquet."""
        files = [f"tables/{name}.{ending}" for name in TABLES for ending in ("csv", "parquet")]
        paths = [self.paths.experiment(self.name, file) for file in files]
        return [path for path in paths if path != self.curves]

    @property
    def figures(self) -> str:
        """The folder of the figures."""
        return self.paths.experiment(self.name, "figures")

    @property
    def reviewed(self) -> list[str]:
        """The tables made of labels and of the guessing prompt, as CSV and Parquet."""
        files = [f"reviewed/{name}.{ending}" for name in REVIEWED for ending in ("csv", "parquet")]
        return [self.paths.experiment(self.name, file) for file in files]

    def labels(self, _wildcards: Any) -> list[str]:
        """Return the label files that there are, one per reviewer."""
        folder = Path(self.paths.experiment(self.name, "labels"))
        return [str(path) for path in sorted(folder.glob("*.jsonl"))]

    def wanted_reviewed(self, wildcards: Any) -> list[str]:
        """Return those tables where the spec asks for them or somebody has labelled; else none."""
        asked = self.plan.experiment.review is not None or self.labels(wildcards)
        return self.reviewed if asked else []

    @property
    def targets(self) -> list[str]:
        """The targets of the whole workflow."""
        return [self.report]

    def benchmark_file(self, wildcards: Any) -> str:
        """Return the YAML file of a set of problems."""
        return str(self.plan.problems[wildcards.problems][0].file)

    def questions_digest(self, wildcards: Any) -> str:
        """Return the digest that a set of questions must have."""
        benchmark, _ = self.plan.problems[wildcards.problems]
        return str(wildcards.problems).removeprefix(f"{benchmark.name}-")

    def problem_limit(self, wildcards: Any) -> int:
        """Return how many of a benchmark's problems are taken; 0 is all."""
        return self.plan.problems[wildcards.problems][1].problems or 0

    def problem_ids(self, wildcards: Any) -> str:
        """Return the ids of the problems that are taken, as JSON; an empty list is all."""
        return canonical_json(list(self.plan.problems[wildcards.problems][1].only or ()))

    def cell_digest(self, wildcards: Any) -> str:
        """Return what Snakemake compares to see whether cell.json must be written anew."""
        return digest(cell_task(self.plan.cell(wildcards.cell)))

    def score_digest(self, wildcards: Any) -> str:
        """Return what Snakemake compares to see whether score.json must be written anew."""
        return digest(score_task_document(self.plan.scoring(wildcards.cell, wildcards.scorer)))

    def experiment_digest(self, _wildcards: Any) -> str:
        """Return what Snakemake compares to see whether plan.json must be written anew."""
        return digest(plan_document(self.plan))

    def questions(self, wildcards: Any) -> str:
        """Return the problems, without gold answers, of a cell."""
        return self.paths.questions(self.plan.cell(wildcards.cell).problems)

    def problems(self, wildcards: Any) -> str:
        """Return the problems, with gold answers, of a cell."""
        return self.plan.problems_of(self.plan.cell(wildcards.cell))

    @property
    def weights(self) -> list[str] | Callable[[Any], list[str]]:
        """What is made before a cell is sampled: converted weights, its temperature.

        Snakemake calls a function once per job; nothing is nothing for all.
        """
        any_made = any(self.plan.before_sampling(cell) for cell in self.plan.cells.values())
        return self._weights_of_cell if any_made else []

    def _weights_of_cell(self, wildcards: Any) -> list[str]:
        """Return what is made before a cell is sampled."""
        return self.plan.before_sampling(self.plan.cell(wildcards.cell))

    def base_cell(self, wildcards: Any) -> str:
        """Return the cell.json of the base whose entropy a cell is matched to."""
        base = base_of(self.plan.cell(wildcards.cell), self.plan.cells.values())
        return self.paths.cell(base.id if base else "none")

    def matching_weights(self, wildcards: Any) -> list[str]:
        """Return the markers of weights that are converted before a temperature is matched."""
        cell = self.plan.cell(wildcards.cell)
        base = base_of(cell, self.plan.cells.values())
        found = [mark for one in (cell, base) if one for mark in one.weights.markers]
        return list(dict.fromkeys(found))

    def analysed(self, _wildcards: Any) -> list[str]:
        """Return what tables read besides counts and scores: clusters, matched temperatures."""
        cells = self.plan.cells.values()
        found = [
            path for c in cells for path in (self.plan.clusters_of(c), self.plan.temperature_of(c))
        ]
        return list(dict.fromkeys(path for path in found if path is not None))

    @property
    def sampling_batches(self) -> list[SamplingBatch]:
        """The jobs that draw several missing shards of a cell."""
        return list(sampling_batches(self.plan))

    @property
    def scoring_batches(self) -> list[ScoringBatch]:
        """The jobs that make several missing files of a scorer."""
        return list(scoring_batches(self.plan))

    def samples_of_batch(self, _wildcards: Any, output: Sequence[str]) -> str:
        """Return the indices that a run of shards draws, as their names say."""
        return " ".join(Path(path).stem for path in output)

    def batch_threads(self, run: SamplingBatch | ScoringBatch) -> Callable[[Any], int]:
        """Return what Snakemake asks for the cores of a job that makes several files."""

        def threads(_wildcards: Any) -> int:
            return self._threads(run.model)

        return threads

    def _threads(self, model: Model) -> int:
        """Return the cores of a job that runs a model.

        Jobs of one machine share its cores out by its GPUs. A cluster's job has as many where it
        is submitted as where it runs, whatever GPUs either machine shows.
        """
        share = None if self._on_cluster() else self.jobs.threads(model)
        default = share or DEFAULT_THREADS.get(model.engine, ALL_CORES)
        return int(model.execution.get("threads", default))

    def _on_cluster(self) -> bool:
        """Tell whether jobs run elsewhere, or this is one of these jobs."""
        flow = self._workflow
        executor = getattr(flow, "executor_plugin", None)
        away = executor is not None and executor.common_settings.non_local_exec
        return bool(away or getattr(flow, "remote_exec", False))

    def train_threads(self, wildcards: Any) -> int:
        """Return the cores of a training job."""
        return self._threads(self.plan.training(wildcards.training).model)

    def sample_threads(self, wildcards: Any) -> int:
        """Return the cores of a sampling job."""
        return self._threads(self.plan.cell(wildcards.cell).model)

    @property
    def imported_cells(self) -> str:
        """Return a pattern of the ids of imported cells; it matches nothing where there is none."""
        ids = [re.escape(cell.id) for cell in self.plan.cells.values() if cell.imported]
        return "|".join(ids) or "(?!)"

    def import_manifest(self, wildcards: Any) -> str:
        """Return the manifest of what a cell is adopted from."""
        imported = self.plan.cell(wildcards.imported).imported
        return str(imported.folder / "manifest.json") if imported else ""

    def imported_questions(self, wildcards: Any) -> str:
        """Return the problems, without gold answers, of an imported cell."""
        return self.paths.questions(self.plan.cell(wildcards.imported).problems)

    def imported_problems(self, wildcards: Any) -> str:
        """Return the problems, with gold answers, of an imported cell."""
        return self.plan.problems_of(self.plan.cell(wildcards.imported))

    def foreign(self, _wildcards: Any) -> list[str]:
        """Return the files of verdicts that imported responses came with."""
        found = [cell.imported.foreign for cell in self.plan.cells.values() if cell.imported]
        return [str(path) for path in found if path is not None]

    def verifier(self, wildcards: Any) -> str:
        """Return the verifier of a cell's benchmark."""
        return self.plan.cell(wildcards.cell).benchmark.verifier

    def verifier_options(self, wildcards: Any) -> str:
        """Return the verifier's options as JSON."""
        return canonical_json(dict(self.plan.cell(wildcards.cell).benchmark.options))

    @property
    def count_version(self) -> int:
        """The version of counting, which no path holds."""
        return versions.COUNT

    def counted_samples(self, wildcards: Any) -> list[str]:
        """Return the sample files that hold a cell's first n responses."""
        cell = self.plan.cell(wildcards.cell)
        return [self.paths.samples(cell.id, shard) for shard in cell.shards(int(wildcards.n))]

    def counted_verdicts(self, wildcards: Any) -> list[str]:
        """Return the verdict files that hold a cell's first n responses."""
        cell, key = self.plan.cell(wildcards.cell), wildcards.verdicts
        return [self.paths.verdicts(cell.id, key, shard) for shard in cell.shards(int(wildcards.n))]

    def reference_problems(self, wildcards: Any) -> str:
        """Return the problems, with gold answers, of a reference."""
        return self.plan.problems_of(self._reference(wildcards))

    def reference_template(self, wildcards: Any) -> str:
        """Return how gold answers read as responses."""
        return self._reference(wildcards).benchmark.gold_response

    def reference_file(self, wildcards: Any) -> str:
        """Return the file of a reference's responses; empty for the gold answers."""
        return self._reference(wildcards).file or ""

    def _reference(self, wildcards: Any) -> Scoring:
        """Return a scoring task of a reference."""
        scorings = self.plan.scorings.values()
        return next(scoring for scoring in scorings if scoring.target == wildcards.reference)

    def scorer_weights(self, wildcards: Any) -> list[str]:
        """Return the marker of weights that are converted before they score."""
        return list(self.plan.scoring(wildcards.cell, wildcards.scorer).weights.markers)

    def score_questions(self, wildcards: Any) -> str:
        """Return the problems, without gold answers, that scored responses belong to."""
        scoring = self.plan.scoring(wildcards.cell, wildcards.scorer)
        return self.paths.questions(f"{scoring.use.name}-{scoring.identity.questions}")

    def score_threads(self, wildcards: Any) -> int:
        """Return the cores of a scoring job."""
        return self._threads(self.plan.scoring(wildcards.cell, wildcards.scorer).model)

    def package_weights(self, wildcards: Any) -> Sequence[str]:
        """Return the package and revision that a folder of weights is converted from."""
        found = self.plan.weights.values()
        folder = self.paths.weights(wildcards.package)
        conversions = [weights.convert for weights in found if weights.convert is not None]
        return next(convert[:2] for convert in conversions if convert[2] == folder)

    def counts(self, _wildcards: Any) -> list[str]:
        """Return the counts of every cell."""
        return [self.plan.counts_of(cell) for cell in self.plan.cells.values()]

    def scores(self, _wildcards: Any) -> list[str]:
        """Return the scores of every scoring task."""
        scorings = self.plan.scorings.values()
        return [path for scoring in scorings for path in self.plan.scores_of(scoring)]


def for_snakemake(
    files: Sequence[str | Path], config: Mapping[str, Any], workflow: Any = None
) -> Rules:
    """Return the lookups for the spec that Snakemake was given with --configfile.

    Raises:
        SystemExit: the spec cannot be used, or is not exactly one file; the message is printed.
    """
    with one_message():
        return _rules_of(files, config, workflow)


@contextmanager
def one_message() -> Iterator[None]:
    """End Snakemake with passk's one message, in place of its own with lines of a stack.

    Raises:
        SystemExit: in place of a PasskError.
    """
    try:
        yield
    except PasskError as error:
        logging.getLogger("passk").error("passk: error: %s", error)  # noqa: TRY400 - no stack
        raise SystemExit(error.exit_status) from None


def _rules_of(files: Sequence[str | Path], config: Mapping[str, Any], workflow: Any) -> Rules:
    """Return the lookups for one spec."""
    if len(files) != 1:
        raise SpecError(
            f"one spec at a time: got {', '.join(map(str, files)) or 'none'}",
            fix="snakemake --configfile specs/quickstart.yaml",
        )
    _collect_less()
    file = _relative(Path(files[0]))
    read_yaml(file)  # refuses what Snakemake reads without a word: a key twice, a tab
    if yaml.safe_load(file.read_text(encoding="utf-8")) != dict(config):
        raise SpecError(
            "the spec is read from its file alone; --config values would be lost",
            where=str(file),
            fix="edit the spec, or copy it under another name",
        )
    return Rules(build_plan(file), workflow)


def _collect_less() -> None:
    """Let Python look for garbage less often.

    Snakemake keeps all that it makes of jobs and files, and there is next to nothing to collect: at
    Python's settings a sixth of a dry run's time goes into looking (perf/scale_plan.py).
    """
    gc.set_threshold(100_000, 20, 100)


def _relative(file: Path) -> Path:
    """Return a path relative to the working directory where it is below it."""
    try:
        return file.resolve().relative_to(Path.cwd())
    except ValueError:
        return file
