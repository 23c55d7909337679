"""Controls of the instrument: what a comparison must not find, and what it must.

`test_controls.py` runs them on tiny models, `perf/controls.py` on SmolLM2.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

from passk.cli import main
from passk.core.schemas import Verdict, read_table
from passk.stats import REPLICATES, compare
from passk.workflow import build_plan
from passk.workflow.cells import Cell
from passk.workflow.plan import Plan

REPEATS = 100
HELD = 93
"""Of 100 repeats with intervals of 95 %; where they are right, fewer come about once in eight."""

TAUGHT = 10
"""Problems whose answers a model is given."""


@dataclass(frozen=True, slots=True)
class ControlStudy:
    """A spec whose every stage runs in this process, one command after the other."""

    folder: Path
    spec: dict[str, Any]

    def plan(self) -> Plan:
        """Write the spec and return its plan."""
        file = self.folder / "study.yaml"
        file.write_text(yaml.safe_dump({**self.spec, "outputs": str(self.folder / "outputs")}))
        return build_plan(file)

    def counted(self, cell: Cell) -> pd.DataFrame:
        """Draw, verify and count a cell that is not counted yet; return its counts."""
        plan = self.plan()
        if Path(plan.counts_of(cell)).is_file():
            return pd.read_parquet(plan.counts_of(cell))
        task, questions = plan.layout.cell(cell.id), plan.layout.questions(cell.problems)
        run("resolve", plan.experiment.file, "--cell", cell.id, "-o", task)
        run("problems", cell.benchmark.file, "--questions-only", "-o", questions)
        run("problems", cell.benchmark.file, "-o", golds := plan.problems_of(cell))
        samples, verdicts = plan.samples_of(cell), plan.verdicts_of(cell)
        grading = ("--verifier", cell.benchmark.verifier)
        grading += ("--options", json.dumps(dict(cell.benchmark.options)))
        for shard, drawn, found in zip(cell.shards(), samples, verdicts, strict=True):
            asked = ("--problems", questions, "--samples", shard)
            run("sample", "--cell", task, *asked, "-o", drawn)
            run("verify", *grading, "--problems", golds, "--samples", drawn, "-o", found)
        files = ("--problems", golds, "--samples", *samples, "--verdicts", *verdicts)
        counts = plan.counts_of(cell)
        run("count", "--n", cell.use.n, *files, *grading, "-o", counts)
        return pd.read_parquet(counts)

    def correct(self, cell: Cell) -> np.ndarray:
        """Return which responses of a counted cell are right, [problems, responses]."""
        tables = [
            read_table(Path(path), Verdict, ["problem_id", "sample", "verdict"]).to_pandas()
            for path in self.plan().verdicts_of(cell)
        ]
        rows = pd.concat(tables).sort_values(["problem_id", "sample"])
        right: np.ndarray = (rows["verdict"] == "correct").to_numpy()
        return right.reshape(-1, cell.use.n)

    def train(self) -> None:
        """Train every model of the spec that is trained."""
        plan = self.plan()
        for training in plan.trainings.values():
            task, problems = plan.layout.training(training.id), plan.problems_of(training)
            run("resolve", plan.experiment.file, "--training", training.id, "-o", task)
            run("problems", training.benchmark.file, "-o", problems)
            manifest = plan.checkpoints_of(training)[-1]
            step = training.steps[-1]
            run("train", "--task", task, "--problems", problems, "--step", step, "-o", manifest)

    def tables(self) -> Path:
        """Make the tables of the whole study; return their folder."""
        plan = self.plan()
        file = plan.layout.experiment(plan.experiment.name, "plan.json")
        tables = plan.layout.experiment(plan.experiment.name, "tables")
        run("resolve", plan.experiment.file, "--experiment", "-o", file)
        run("aggregate", "--plan", file, "-o", tables)
        return Path(tables)


def run(*arguments: object) -> None:
    """Run a passk command in this process."""
    assert main([str(argument) for argument in arguments]) == 0, arguments


def against_itself(
    correct: np.ndarray, block: int, ks: Sequence[int], replicates: int = REPLICATES
) -> np.ndarray:
    """Compare a model with itself: tell whether zero is inside the paired interval.

    A repeat compares two blocks of responses to the same problems; no response is in two blocks.
    The comparison is the one that tables and report are made with.

    Args:
        correct: which responses are right, [problems, responses].
        block: responses per problem in a block.
        ks: numbers of tries.
        replicates: of the bootstrap.

    Returns:
        [repeats, ks], 100 repeats at most.
    """
    repeats = min(REPEATS, correct.shape[1] // (2 * block))
    counts = correct[:, : 2 * repeats * block].reshape(len(correct), repeats, 2, block).sum(-1)
    held = []
    for one, other in counts.transpose(1, 2, 0):
        found = compare((block, one), (block, other), ks, replicates=replicates)
        held.append((found.low <= 0) & (found.high >= 0))
    return np.array(held)


def named(tables: Path, category: str) -> pd.DataFrame:
    """Return the problems that the table of coverage names in a category, with their q."""
    table = pd.read_parquet(tables / "coverage.parquet")
    return table[table["category"] == category].set_index("problem_id")
