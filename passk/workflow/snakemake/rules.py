"""What the rules of the workflow ask: wildcards in, paths and parameters out.

A rule's `input:` and `params:` name methods of `Rules`, so that no .smk file holds logic.
"""

from __future__ import annotations

import gc
import logging
import re
import shlex
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from enum import Enum, auto
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from passk.core.artifacts import canonical_json
from passk.core.errors import OutputError, PasskError, SpecError
from passk.spec.models import Model
from passk.spec.yaml_lines import read_yaml
from passk.workflow.cells import Scoring
from passk.workflow.files import Build
from passk.workflow.paths import Layout
from passk.workflow.plan import Plan, build_plan
from passk.workflow.resources.jobs import Jobs
from passk.workflow.snakemake.batches import (
    Batch,
    apply_rule_options,
    sampling_batches,
    scoring_batches,
)
from passk.workflow.snakemake.parameters import known_parameters
from passk.workflow.snakemake.startup import prepare_files, start_run

if TYPE_CHECKING:
    from snakemake.io import Wildcards
    from snakemake.workflow import Workflow

Files = str | list[str]
"""One file, or several."""

DEFAULT_THREADS = {"fake": 1}
"""Engine -> cores of a job where its spec names none; any other engine takes what there is."""

ALL_CORES = 1024
"""Snakemake scales a rule's threads down to the cores that it was given."""


class Mode(Enum):
    """What a run of Snakemake is for."""

    MAKE_MISSING = auto()
    """The study: what is missing is made, and nothing else is looked at."""
    NAMED = auto()
    """Files or jobs that the command names, as the jobs of a cluster do."""
    FORCED = auto()
    """What an option forces, and all that is made of it."""


class Rules:
    """Lookups for the rules of one experiment; every method takes Snakemake's wildcards."""

    def __init__(self, plan: Plan, workflow: Workflow | None = None) -> None:
        """Keep the plan, the paths that rules use as patterns, and Snakemake's workflow."""
        self.plan = plan
        self._workflow = workflow
        self.paths: Layout = plan.layout
        self.jobs = Jobs(plan)
        self.build = Build(plan)
        self.study = self.build.study
        self.spec = str(plan.experiment.file)
        self.name = plan.experiment.name
        self._planned_at = time.time()

    def inputs(self, output: str) -> Callable[[Wildcards], dict[str, Files]]:
        """Return what Snakemake calls for the inputs of a rule, as `unpack` takes them.

        One function for all of them: each call costs Snakemake more time than it takes.

        Args:
            output: the rule's first output, with its wildcards.
        """

        @known_parameters
        def files(wildcards: Wildcards) -> dict[str, Files]:
            return self._inputs(output.format(**dict(wildcards.items())))

        return files

    def batch_inputs(self, batch: Batch) -> Callable[[Wildcards], dict[str, Files]]:
        """Return the same for a batch: the files of each input, output by output."""

        @known_parameters
        def files(_wildcards: Wildcards) -> dict[str, Files]:
            return self._inputs(*batch.outputs)

        return files

    def _inputs(self, *outputs: str) -> dict[str, Files]:
        """Return the inputs of a job, by name, as Snakemake is to see them.

        A job that need not run gets none, so that Snakemake never looks for reasons to run it. For
        one that must run, inputs that exist are `ancient`: their times do not matter.
        """
        from snakemake.io import ancient

        made = self.build.made(outputs[0])
        if self._mode is Mode.MAKE_MISSING and not self.build.is_pending(outputs[0]):
            return {name: [] for name in made.inputs}
        forced = self._mode is Mode.FORCED and made.content
        found: dict[str, Files] = {}
        for name in made.inputs:
            files = [path for output in outputs for path in self.build.inputs(output, name)]
            if not forced:
                files = [
                    path if self._is_main and self.build.is_pending(path) else ancient(path)
                    for path in files
                ]
            found[name] = files[0] if len(files) == 1 else files
        return found

    @cached_property
    def _mode(self) -> Mode:
        """How Snakemake is to be answered; it first asks when it begins to build its graph of jobs.

        Its settings are there by then and not yet used, so they are made to fit passk's rules here.
        """
        from snakemake.settings.types import RerunTrigger

        settings = getattr(self._workflow, "dag_settings", None)
        if self._workflow is None or settings is None:
            return Mode.MAKE_MISSING if self._is_main else Mode.NAMED
        # A missing file is the one reason to make it.
        settings.rerun_triggers = frozenset({RerunTrigger.SOFTWARE_ENV})
        apply_rule_options(self._workflow)
        if settings.forceall or settings.forcerun or settings.forcetargets:
            return Mode.FORCED
        named = settings.targets or settings.target_jobs or settings.force_incomplete
        return Mode.MAKE_MISSING if self._is_main and not named else Mode.NAMED

    @property
    def _is_main(self) -> bool:
        """Whether this is the run itself, not one of its jobs on a cluster."""
        return bool(getattr(self._workflow, "is_main_process", True))

    @property
    def targets(self) -> list[str]:
        """The files of a finished study."""
        return self.study.targets()

    def start_run(self, workflow: Workflow) -> None:
        """Lock what the run will write, and refuse what cannot end well; for `onstart:`.

        Raises:
            PasskError: another run writes the same files, jobs of a run that was killed are still
                in the queue, or a job fits into no partition.
        """
        outputs = [str(file) for job in workflow.dag.needrun_jobs() for file in job.output]
        with one_message():
            self._locks = start_run(self.jobs, workflow, outputs, self._planned_at)
            prepare_files(self.build)

    def check_targets(self) -> None:
        """Raise if a run ends without the files that it was for; for `onsuccess:`.

        Raises:
            OutputError: a file is missing.
        """
        settings = self._workflow.dag_settings if self._workflow else None
        if settings is None or settings.targets - {"all"} or settings.omit_from:
            return
        pending = self.build.pending.values()
        asked = [path for made in pending if made.rule in settings.until for path in made.outputs]
        wanted = asked if settings.until else self.targets
        missing = [path for path in wanted if not Path(path).exists()]
        if missing:
            raise OutputError(
                f"the run ended, but {len(missing)} of its files are missing",
                where=missing[0],
                fix="run the same command again",
            )

    @property
    def sampling_batches(self) -> list[Batch]:
        """The jobs that draw several shards of a cell."""
        return list(sampling_batches(self.plan, self._is_missing))

    @property
    def scoring_batches(self) -> list[Batch]:
        """The jobs that make several files of a scorer."""
        return list(scoring_batches(self.plan, self._is_missing))

    def _is_missing(self, path: str) -> bool:
        """Return whether a batch makes a file; a job of a cluster makes what is not there."""
        if self._is_main:
            return self.build.is_pending(path)
        return not Path(path).is_file()

    @known_parameters
    def benchmark_file(self, wildcards: Wildcards) -> str:
        """Return the YAML file of a set of problems."""
        return str(self.plan.problems[wildcards.problems][0].file)

    def questions_digest(self, wildcards: Wildcards) -> str:
        """Return the digest that a set of questions must have."""
        benchmark, _ = self.plan.problems[wildcards.problems]
        return str(wildcards.problems).removeprefix(f"{benchmark.name}-")

    def problem_limit(self, wildcards: Wildcards) -> int:
        """Return how many of a benchmark's problems are taken; 0 is all."""
        return self.plan.problems[wildcards.problems][1].problems or 0

    def problem_ids(self, wildcards: Wildcards) -> str:
        """Return the ids of the problems that are taken, as JSON; an empty list is all."""
        return canonical_json(list(self.plan.problems[wildcards.problems][1].only or ()))

    @known_parameters
    def samples_of_batch(self, _wildcards: Wildcards, output: Sequence[str]) -> str:
        """Return the indices that a run of shards draws, as their names say."""
        return " ".join(Path(path).stem for path in output)

    @cached_property
    def threads(self) -> int | Callable[[Wildcards], int]:
        """The cores of a job with an engine; a number where all ask for the same."""
        if self.jobs.local_gpus == 0:
            counts = {self._threads(part.model) for part in self.jobs.parts()}
            if len(counts) <= 1:
                return max(counts, default=1)
        return known_parameters(lambda wildcards: self._threads(self.jobs.part(wildcards).model))

    def batch_threads(self, batch: Batch) -> Callable[[Wildcards], int]:
        """Return what Snakemake calls for the cores of a batch."""
        return known_parameters(lambda _wildcards: self._threads(batch.model))

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

    @property
    def imported_cells(self) -> str:
        """Return a pattern of the ids of imported cells; it matches nothing where there is none."""
        ids = [re.escape(cell.id) for cell in self.plan.cells.values() if cell.imported]
        return "|".join(ids) or "(?!)"

    @known_parameters
    def grading(self, wildcards: Wildcards) -> str:
        """Return the options of a command that name a cell's verifier and its options."""
        benchmark = self.plan.cell(wildcards.cell).benchmark
        options = canonical_json(dict(benchmark.options))
        return f"--verifier {benchmark.verifier} --options {shlex.quote(options)}"

    def confirm_options(self, _wildcards: Wildcards) -> str:
        """Return which problems the spec selects to be drawn again, as options."""
        settings = self.plan.experiment.confirm
        assert settings is not None  # noqa: S101 - only then there is such a job
        kinds = [f"--{kind}" for kind in ("lost", "gained") if getattr(settings, kind)]
        return " ".join([*kinds, f"--rare {settings.rare}"])

    def judge_options(self, wildcards: Wildcards) -> str:
        """Return which responses a judge reads, as options."""
        one = self.plan.judgings[wildcards.judging]
        low, high = one.judge.accuracy
        options = f"--n {one.cell.use.n} --accuracy {low} {high}"
        if one.judge.max_characters:
            options += f" --max-characters {one.judge.max_characters}"
        return f"{options} --wrong" if one.judge.of == "all" else options

    def reference_template(self, wildcards: Wildcards) -> str:
        """Return how gold answers read as responses."""
        return self._reference(wildcards).benchmark.gold_response

    def reference_file(self, wildcards: Wildcards) -> str:
        """Return the file of a reference's responses; empty for the gold answers."""
        return self._reference(wildcards).file or ""

    def _reference(self, wildcards: Wildcards) -> Scoring:
        """Return a scoring task of a reference."""
        scorings = self.plan.scorings.values()
        return next(scoring for scoring in scorings if scoring.target == wildcards.reference)

    @known_parameters
    def package_weights(self, wildcards: Wildcards) -> Sequence[str]:
        """Return the package and revision that a folder of weights is converted from."""
        found = self.plan.weights.values()
        folder = self.paths.weights(wildcards.package)
        conversions = [weights.convert for weights in found if weights.convert is not None]
        return next(convert[:2] for convert in conversions if convert[2] == folder)


def for_snakemake(
    files: Sequence[str | Path], config: Mapping[str, object], workflow: Workflow | None = None
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


def _rules_of(
    files: Sequence[str | Path], config: Mapping[str, object], workflow: Workflow | None
) -> Rules:
    """Return the lookups for one spec."""
    if len(files) != 1:
        raise SpecError(
            f"one spec at a time: got {', '.join(map(str, files)) or 'none'}",
            fix="snakemake --configfile specs/quickstart.yaml",
        )
    storage = getattr(workflow, "storage_settings", None)
    if getattr(storage, "default_storage_provider", None):
        raise SpecError(
            "outputs cannot be on object storage: journals and locks need a shared file system",
            fix="leave --default-storage-provider out; copy `outputs` to the bucket after the run",
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
