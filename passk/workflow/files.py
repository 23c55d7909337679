"""Every file of a study, what it is made from, and which files must be made now.

A file is current if it exists: its path holds a digest of what decides its content. `passk plan`
and Snakemake both follow `Build`, so they always agree. Times, Snakemake's metadata and costs play
no part.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from passk.analysis.study import REVIEWED, TABLES
from passk.core import versions
from passk.core.artifacts import digest, file_digest
from passk.core.errors import SpecError
from passk.workflow.cells import Cell, Scoring, base_of
from passk.workflow.confirmations import Confirmation
from passk.workflow.judgings import Judging
from passk.workflow.plan import Plan
from passk.workflow.task_files import plan_document
from passk.workflow.trainings import Training

Inputs = Mapping[str, tuple[str, ...]]
"""Name of an input of a rule -> its files."""


@dataclass(frozen=True, slots=True)
class Made:
    """Files that one rule makes together.

    Attributes:
        rule: the rule's name.
        outputs: its files; the first names them all.
        inputs: name of an input of the rule -> its files.
        content: the inputs among them that, if made anew, make these files stale. The paths of
            all other inputs fix their content.
        optional: inputs that are used only if they exist: archived samples cost no new ones.
        implied: inputs that another of its inputs always waits for, where they must be made.
    """

    rule: str
    outputs: tuple[str, ...]
    inputs: Inputs = field(default_factory=dict)
    content: frozenset[str] = frozenset()
    optional: frozenset[str] = frozenset()
    implied: frozenset[str] = frozenset()

    def needed(self) -> Iterator[str]:
        """Yield the files that must exist before these can be made."""
        for name, files in self.inputs.items():
            if name not in self.optional:
                yield from files


class Build:
    """The files of a plan, and those that must be made now.

    Attributes:
        plan: the plan.
        study: the files of the study's own folder.
    """

    def __init__(self, plan: Plan) -> None:
        """Look at nothing yet."""
        self.plan = plan
        self.study = StudyFiles(plan)

    @cached_property
    def files(self) -> dict[str, Made]:
        """Every file of the plan -> what makes it."""
        return {path: made for made in self._all() for path in made.outputs}

    @cached_property
    def pending(self) -> dict[str, Made]:
        """First output -> what must be made now; nothing if the study is finished.

        These are the missing targets, the missing files that they need, and the files whose
        content depends on one of these.
        """
        targets = self.study.targets()
        if all(map(_exists, targets)):
            return {}
        found: dict[str, Made] = {}
        self._add(found, (path for path in targets if not _exists(path)))
        while stale := self._stale(found):
            self._add(found, stale)
        return found

    def dependents(self, paths: Iterable[str]) -> list[str]:
        """Return the files whose content depends on that of some files, step by step."""
        found = {self.files[path].outputs[0]: self.files[path] for path in paths}
        given = set(found)
        while stale := self._stale(found):
            found.update((path, self.files[path]) for path in stale)
        return [path for name, made in found.items() if name not in given for path in made.outputs]

    def is_pending(self, path: str) -> bool:
        """Return whether a file must be made now."""
        made = self.files.get(path) if self.pending else None
        return made is not None and made.outputs[0] in self.pending

    def made(self, path: str) -> Made:
        """Return what makes a file.

        Raises:
            SpecError: no rule of this spec makes the file; the spec may have been edited since.
        """
        if path not in self.files:
            raise SpecError(
                f"this spec does not make {path}",
                where=str(self.plan.experiment.file),
                fix="if the spec was edited during a run, start the run again",
            )
        return self.files[path]

    def inputs(self, path: str, name: str) -> list[str]:
        """Return the files of one input of what makes a file that Snakemake must know of."""
        made = self.made(path)
        files = made.inputs[name]
        if name in made.implied:
            files = tuple(file for file in files if file in self._inputs_of_stale)
        if name in made.optional:
            return [file for file in files if _exists(file) or self.is_pending(file)]
        return list(files)

    @cached_property
    def _inputs_of_stale(self) -> set[str]:
        """The inputs of what exists and must be made anew.

        Snakemake makes no missing input of a file that exists, unless something else asks for it.
        """
        stale = (made for made in self.pending.values() if any(map(_exists, made.outputs)))
        return {path for made in stale for files in made.inputs.values() for path in files}

    def _add(self, found: dict[str, Made], paths: Iterable[str]) -> None:
        """Add what makes files, and what makes the missing files that this needs."""
        left = list(paths)
        while left:
            made = self.files.get(left.pop())
            if made is not None and made.outputs[0] not in found:
                found[made.outputs[0]] = made
                left.extend(path for path in made.needed() if not _exists(path))

    def _stale(self, found: Mapping[str, Made]) -> list[str]:
        """Return existing files whose content depends on one that must be made."""
        remade = {path for made in found.values() for path in made.outputs}
        return [
            made.outputs[0]
            for made in self._dependent
            if made.outputs[0] not in found
            and any(path in remade for name in made.content for path in made.inputs[name])
            and any(map(_exists, made.outputs))
        ]

    @cached_property
    def _dependent(self) -> list[Made]:
        """What depends on the content of other files."""
        unique = {made.outputs[0]: made for made in self.files.values() if made.content}
        return list(unique.values())

    def _all(self) -> Iterator[Made]:
        """Yield everything that a rule makes."""
        plan = self.plan
        for weights in plan.weights.values():
            if weights.convert:
                yield Made("convert_weights", weights.markers)
        for training in plan.trainings.values():
            yield from self._training(training)
            yield from self._problems(training)
        for cell in plan.cells.values():
            yield from self._problems(cell)
            yield from self._cell(cell)
        for confirmation in plan.confirmations.values():
            yield from self._confirmation(confirmation)
        for judging in plan.judgings.values():
            yield from self._judging(judging)
        for scoring in plan.scorings.values():
            yield from self._scoring(scoring)
        yield from self.study.all()

    def _problems(self, part: Cell | Training) -> Iterator[Made]:
        """Yield the problem files of a cell or training."""
        yield Made("load_questions", (self.plan.layout.questions(part.problems),))
        yield Made("load_problems", (self.plan.problems_of(part),))
        if isinstance(part, Cell) and (clusters := self.plan.clusters_of(part)):
            yield Made("load_clusters", (clusters,))

    def _training(self, training: Training) -> Iterator[Made]:
        """Yield the files of a training."""
        plan, layout = self.plan, self.plan.layout
        task = layout.training(training.id)
        yield Made("resolve_training", (task,))
        for step in training.checkpoints():
            before = training.before(step)
            inputs: Inputs = {
                "task": (task,),
                "problems": (plan.problems_of(training),),
                "weights": training.markers,
                "previous": (layout.trained(training.id, before),) if before else (),
            }
            outputs = (layout.trained(training.id, step), layout.training_steps(training.id, step))
            yield Made("train_model", outputs, inputs)

    def _cell(self, cell: Cell) -> Iterator[Made]:
        """Yield the files of a cell."""
        plan, layout = self.plan, self.plan.layout
        task, questions = (layout.cell(cell.id),), (layout.questions(cell.problems),)
        problems, samples = (plan.problems_of(cell),), tuple(plan.samples_of(cell))
        yield Made("resolve_cell", task)
        if matched := plan.temperature_of(cell):
            base = base_of(cell, plan.cells.values())
            weights = [mark for one in (cell, base) if one for mark in one.weights.markers]
            matching: Inputs = {
                "cell": task,
                "base": (layout.cell(base.id),) if base else (),
                "questions": questions,
                "weights": tuple(dict.fromkeys(weights)),
            }
            yield Made("match_entropy", (matched,), matching)
        if cell.imported is not None:
            folder = (str(cell.imported.folder / "manifest.json"),)
            drawn: Inputs = {"cell": task, "questions": questions, "folder": folder}
            rule = "adopt_responses"
        else:
            weights = plan.before_sampling(cell)
            drawn = {
                "cell": task,
                "questions": questions,
                "weights": tuple(weights),
                "selection": (),
            }
            rule = "draw_samples"
        if cell.counts_alone:
            counted = {"cell": task, "problems": problems, "folder": drawn["folder"]}
            yield Made("adopt_counts", (plan.counts_of(cell),), counted)
            return
        for path in samples:
            yield Made(rule, (path,), drawn)
        yield from self._verdicts(cell)
        verdicts = tuple(plan.verdicts_of(cell))
        inputs: Inputs = {"problems": problems, "samples": samples, "verdicts": verdicts}
        content = frozenset({"samples", "verdicts"})
        yield Made("count_verdicts", (plan.counts_of(cell),), inputs, content)

    def _verdicts(self, cell: Cell) -> Iterator[Made]:
        """Yield the verdicts on a cell's shards."""
        plan = self.plan
        for path, verdict in zip(plan.samples_of(cell), plan.verdicts_of(cell), strict=True):
            graded = {"problems": (plan.problems_of(cell),), "samples": (path,)}
            yield Made("verify_responses", (verdict,), graded, frozenset({"samples"}))

    def _confirmation(self, one: Confirmation) -> Iterator[Made]:
        """Yield the files of a confirmation: a selection, then draws and decisions by turns.

        Neither new counts nor new decisions make existing draws stale: their paths fix what they
        are, unless lost responses are drawn again and differ, and then draws are worth more.
        """
        plan, layout = self.plan, self.plan.layout
        own, base = (tuple(plan.verdicts_of(cell)) for cell in (one.fresh, one.fresh_base))
        decisions = plan.decisions_of(one)
        for number, path in enumerate(decisions):
            inputs: Inputs = {
                "counts": (plan.counts_of(one.cell),),
                "base_counts": (plan.counts_of(one.base),),
                "verdicts": own[:number],
                "base_verdicts": base[:number],
            }
            content = frozenset({"verdicts", "base_verdicts"})
            yield Made("decide_problems", (path,), inputs, content)
        for cell in (one.fresh, one.fresh_base):
            yield Made("resolve_cell", (layout.cell(cell.id),))
            for path, selection in zip(plan.samples_of(cell), decisions[:-1], strict=True):
                drawn: Inputs = {
                    "cell": (layout.cell(cell.id),),
                    "questions": (layout.questions(cell.problems),),
                    "weights": tuple(plan.before_sampling(cell)),
                    "selection": (selection,),
                }
                yield Made("draw_samples", (path,), drawn)
            yield from self._verdicts(cell)

    def _judging(self, one: Judging) -> Iterator[Made]:
        """Yield the files of a judging: what is asked, the replies, and what they say."""
        plan, layout = self.plan, self.plan.layout
        cell, replies = one.cell, one.replies
        chains, task = (layout.chains(one.id),), (layout.cell(replies.id),)
        read: Inputs = {
            "problems": (plan.problems_of(cell),),
            "counts": (plan.counts_of(cell),),
            "samples": tuple(plan.samples_of(cell)),
            "verdicts": tuple(plan.verdicts_of(cell)),
        }
        yield Made("select_chains", chains, read, frozenset({"samples", "verdicts"}))
        yield Made("resolve_cell", task)
        asked: Inputs = {
            "cell": task,
            "questions": chains,
            "weights": tuple(plan.before_sampling(replies)),
            "selection": (),
        }
        (votes,) = plan.samples_of(replies)
        yield Made("draw_samples", (votes,), asked, frozenset({"questions"}))
        cast: Inputs = {"chains": chains, "votes": (votes,)}
        yield Made("count_votes", (layout.judgements(one.id),), cast, frozenset(cast))

    def _scoring(self, scoring: Scoring) -> Iterator[Made]:
        """Yield the files of a scoring task."""
        plan, layout = self.plan, self.plan.layout
        task = layout.score_task(scoring.target, scoring.scorer)
        yield Made("resolve_score", (task,))
        if scoring.cell is None:
            written = {"problems": (plan.problems_of(scoring),)}
            yield Made("write_references", (layout.samples(scoring.target, "all"),), written)
        for shard, path in zip(scoring.shards, plan.scores_of(scoring), strict=True):
            questions = layout.questions(f"{scoring.use.name}-{scoring.identity.questions}")
            inputs: Inputs = {
                "task": (task,),
                "questions": (questions,),
                "weights": scoring.weights.markers,
                "samples": (layout.samples(scoring.target, shard),),
            }
            yield Made("score_responses", (path,), inputs, frozenset({"samples"}))


class StudyFiles:
    """The files of a study's own folder, whose paths hold no digest.

    A manifest whose name does says what they were made for: `manifests/tables-1a2b3c4d.json`.
    """

    def __init__(self, plan: Plan) -> None:
        """Keep the plan."""
        self.plan = plan

    def _path(self, name: str) -> str:
        """Return the path of a file of the study's folder."""
        return self.plan.layout.experiment(self.plan.experiment.name, name)

    def manifest(self, what: str) -> str:
        """Return the manifest of `plan`, `tables`, `figures`, `reviewed` or `report`."""
        key = self._labelled_key if what in {"reviewed", "report"} else self._key
        return self._path(f"manifests/{what}-{key}.json")

    @cached_property
    def _key(self) -> str:
        """The digest of all that decides tables and figures."""
        foreign = [file_digest(Path(path)) for path in self.foreign]
        return digest([plan_document(self.plan), foreign, versions.COUNT])

    @cached_property
    def _labelled_key(self) -> str:
        """The digest of all that decides what is made from reviewers' labels, too."""
        labels = {Path(path).name: file_digest(Path(path)) for path in self.labels}
        return digest([self._key, labels])

    @property
    def plan_file(self) -> str:
        """The plan as the analysis reads it."""
        return self._path("plan.json")

    @property
    def curves(self) -> str:
        """The table of pass@k; the other tables are beside it."""
        return self._path("tables/pass_at_k.csv")

    @property
    def tables(self) -> tuple[str, ...]:
        """Every table, as CSV and Parquet; the table of pass@k first."""
        files = [f"tables/{name}.{ending}" for name in TABLES for ending in ("csv", "parquet")]
        paths = [self._path(file) for file in files]
        return (self.curves, *(path for path in paths if path != self.curves))

    @property
    def figures(self) -> str:
        """The folder of the figures."""
        return self._path("figures")

    @property
    def report(self) -> str:
        """The report."""
        return self._path("report.html")

    @property
    def reviewed(self) -> tuple[str, ...]:
        """The tables made of labels and of the guessing prompt, as CSV and Parquet."""
        files = [f"reviewed/{name}.{ending}" for name in REVIEWED for ending in ("csv", "parquet")]
        return tuple(self._path(file) for file in files)

    @property
    def labels(self) -> tuple[str, ...]:
        """The label files that exist, one per reviewer."""
        return tuple(sorted(map(str, Path(self._path("labels")).glob("*.jsonl"))))

    @property
    def is_reviewed(self) -> bool:
        """Whether the spec asks for review, or somebody has labelled responses."""
        return self.plan.experiment.review is not None or bool(self.labels)

    @property
    def foreign(self) -> tuple[str, ...]:
        """The files of verdicts that imported responses came with."""
        cells = self.plan.cells.values()
        found = [cell.imported.foreign for cell in cells if cell.imported]
        return tuple(str(path) for path in found if path is not None)

    def targets(self) -> list[str]:
        """Return every file that a finished study has."""
        reviewed = [self.manifest("reviewed"), *self.reviewed] if self.is_reviewed else []
        manifests = [self.manifest(what) for what in ("plan", "tables", "figures", "report")]
        return [self.report, self.plan_file, *self.tables, self.figures, *reviewed, *manifests]

    def all(self) -> Iterator[Made]:
        """Yield what makes the files of the study's folder."""
        plan, cells = self.plan, self.plan.cells.values()
        yield Made("resolve_experiment", (self.plan_file, self.manifest("plan")))
        clusters = [plan.clusters_of(cell) for cell in cells]
        matched = [plan.temperature_of(cell) for cell in cells]
        counts = tuple(plan.counts_of(cell) for cell in cells)
        verdicts = tuple(path for cell in cells for path in plan.verdicts_of(cell))
        scorings = plan.scorings.values()
        inputs = {
            "plan": (self.plan_file,),
            "counts": counts,
            "verdicts": verdicts,
            "scores": tuple(path for one in scorings for path in plan.scores_of(one)),
            "problems": tuple(dict.fromkeys(plan.problems_of(cell) for cell in cells)),
            "clusters": tuple(dict.fromkeys(path for path in clusters if path)),
            "temperatures": tuple(path for path in matched if path),
            "steps": tuple(p for one in plan.trainings.values() for p in plan.steps_of(one)),
            "foreign": self.foreign,
            "decisions": tuple(plan.decisions_of(one)[-1] for one in plan.confirmations.values()),
            "judgements": tuple(map(plan.layout.judgements, plan.judgings)),
        }
        made = frozenset(inputs) - {"problems", "clusters", "foreign"}
        # A verdict or response that must be made makes its cell's counts stale.
        counted = frozenset({"verdicts"})
        outputs = (*self.tables, self.manifest("tables"))
        yield Made("aggregate_tables", outputs, inputs, made, implied=counted)
        drawn = {"plan": (self.plan_file,), "tables": self.tables}
        yield Made(
            "draw_figures", (self.figures, self.manifest("figures")), drawn, frozenset(drawn)
        )
        if self.is_reviewed:
            labelled = {**inputs, "labels": self.labels}
            outputs = (*self.reviewed, self.manifest("reviewed"))
            yield Made("tabulate_labels", outputs, labelled, made, implied=counted)
        samples = tuple(path for cell in cells for path in plan.samples_of(cell))
        shown = {
            "plan": (self.plan_file,),
            "tables": self.tables,
            "figures": (self.figures,),
            "reviewed": self.reviewed if self.is_reviewed else (),
            "problems": inputs["problems"],
            "verdicts": verdicts,
            "samples": samples,
        }
        yield Made(
            "write_report",
            (self.report, self.manifest("report")),
            shown,
            content=frozenset({"plan", "tables", "figures", "reviewed"}),
            optional=frozenset({"samples"}),
            implied=frozenset({"verdicts", "samples"}),
        )


def _exists(path: str) -> bool:
    """Return whether there is something at a path, as Snakemake sees it."""
    return os.path.exists(path)  # noqa: PTH110 - ten calls a shard; a Path costs three times as much
