"""The table of what happened at each step of each training."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from passk.analysis.study import Study, Training
from passk.core.schemas import TrainingStep, read_table, schema

NAMES = ("model", "benchmark", "training", "label", "method", "role", "series", "seed")

STEPS = [name for name in schema(TrainingStep).names if not name.endswith("_seconds")]
"""What the table holds of a step: seconds, which differ between runs, stay in the step files."""


def training_table(study: Study) -> pd.DataFrame:
    """Return a row per training and optimiser step, in the order of the spec.

    Raises:
        DataError: a file that the plan names is missing or cannot be used.
    """
    parts = list(_parts(study))
    if parts:
        return pd.concat(parts, ignore_index=True)
    return pd.DataFrame(columns=[*NAMES, *STEPS])


def _parts(study: Study) -> Iterator[pd.DataFrame]:
    """Yield the steps of each training.

    A checkpoint that was requested later, below another, repeats the steps of both.
    """
    for training in study.trainings:
        files = [read_table(path, TrainingStep, STEPS).to_pandas() for path in training.steps]
        if files:
            steps = pd.concat(files).drop_duplicates("step").sort_values("step")
            yield _named(training, steps.reset_index(drop=True))


def _named(training: Training, steps: pd.DataFrame) -> pd.DataFrame:
    """Return steps with the columns that say whose they are in front."""
    names = {name: getattr(training, name) for name in NAMES}
    return pd.concat([pd.DataFrame([names] * len(steps), index=steps.index), steps], axis=1)
