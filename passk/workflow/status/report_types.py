"""What `passk plan --json` and `passk status --json` print, as types."""

from __future__ import annotations

from typing import NotRequired, TypedDict

from passk.workflow.snakemake.locks import Note


class Left(TypedDict):
    """What a part of a study still costs."""

    responses_reused: int
    responses_left: int
    tokens_left: int
    hours_left: float
    gpu_hours_left: float
    bytes_left: int
    basis: NotRequired[str]
    steps_left: NotRequired[int]


class CellReport(Left):
    """One cell in a plan."""

    id: str
    state: str
    why: list[str]
    problems: int | None
    n: int
    shards: int
    shards_missing: int
    shards_archived: int
    shards_ungraded: int
    responses: int
    responses_journaled: int
    imported: str | None


class ScoreReport(Left):
    """One scoring task in a plan."""

    target: str
    scorer: str
    state: str
    shards: int
    shards_missing: int
    responses_journaled: int


class FreshReport(CellReport):
    """Fresh draws of a confirmation, or a judge's replies, in a plan.

    Attributes:
        at_most: whether their numbers are upper bounds: nothing is selected yet.
    """

    at_most: bool


class TrainingReport(Left):
    """One training in a plan."""

    id: str
    method: str
    state: str
    why: list[str]
    steps: list[int]
    steps_missing: list[int]


class AnalysisReport(TypedDict):
    """Tables, figures and report in a plan."""

    state: str
    why: list[str]
    report: str


class Detectable(TypedDict):
    """Differences that a benchmark's comparisons will show with power 0.8; None where none is."""

    benchmark: str
    problems: int
    n: int
    k: int
    detectable_loss: float | None
    detectable_gain: float | None


class PlanReport(TypedDict):
    """A whole plan."""

    name: str
    spec: str
    outputs: str
    trainings: list[TrainingReport]
    cells: list[CellReport]
    scores: list[ScoreReport]
    confirmations: list[FreshReport]
    judgings: list[FreshReport]
    analysis: AnalysisReport
    detectable: list[Detectable]
    files_to_make: dict[str, int]
    total: Left
    obstacles: list[str]
    warnings: list[str]


class Failure(TypedDict):
    """Why the last try of a shard failed, with the end of its log."""

    shard: str
    log: str
    message: str
    when: float
    tail: list[str]


class Interim(TypedDict):
    """Results of the responses of a cell that are graded so far; shares are in [0, 1]."""

    problems: int
    responses: int
    pass_at_1: float
    ci_low: float
    ci_high: float
    truncated_share: float
    no_answer_share: float


class Progress(TypedDict):
    """How far a training, cell or scoring task is, or all together."""

    name: NotRequired[str]
    shards: dict[str, int]
    responses: NotRequired[int]
    responses_done: NotRequired[int]
    steps: NotRequired[int]
    steps_done: NotRequired[int]
    graded: NotRequired[int]
    counted: NotRequired[bool]
    interim: NotRequired[Interim | None]
    reward: NotRequired[float | None]
    per_second: float
    seconds_left: float | None
    failures: NotRequired[list[Failure]]


class Status(TypedDict):
    """A whole status."""

    name: str
    runs: list[Note]
    scheduler: str
    trainings: list[Progress]
    cells: list[Progress]
    scores: list[Progress]
    total: Progress
    failures: list[Failure]
    report: str | None
    done: bool
