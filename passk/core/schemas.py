"""The frozen rows that stages hand to each other, and their Parquet files (zstd).

A file is written under another name and renamed when whole; a reader says which file,
row or column is at fault. Units and shapes are stated with each field.
"""

from __future__ import annotations

import dataclasses
import functools
import json
import math
import types
import typing
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from passk.core.artifacts import atomic, canonical_json
from passk.core.errors import DataError
from passk.core.integrity import EMBEDDED, damaged, seal, stored_path, verify

if TYPE_CHECKING:
    import pyarrow as pa

FinishReason = Literal["stop", "length", "unknown", "refused", "failed"]
"""`stop`: end of sequence or a stop string; `length`: cut at max_tokens (truncated); `unknown`: of
imported responses whose source does not say; `refused`: a server refused it for its content;
`failed`: it could not be sampled. Of the last two, `error` says why."""

UNSAMPLED = ("refused", "failed")
"""Finish reasons of responses that could not be sampled."""

VerdictName = Literal["correct", "wrong", "no_answer", "timeout", "error"]
"""What grading found; a grader's own failure is `timeout` or `error`, never `wrong`."""

VERDICTS: tuple[VerdictName, ...] = typing.get_args(VerdictName)


@dataclass(frozen=True, slots=True)
class Problem:
    """One problem of a benchmark.

    Attributes:
        id: unique within the benchmark.
        question: what the model has to answer, before any prompt template.
        gold: the gold answer as JSON (a string, or a list where several answers are right).
        images: paths of images that belong to the question, in order.
        meta: anything else as a JSON object; `group` (problems whose answers look alike, for
            the guess floor), `shots` (worked examples as [question, answer]), `cluster` and, where
            golds are, `solution` (the worked solution) are read.
        question_digest: digest of what a model can see of this problem.
        gold_digest: digest of what a verifier can see of it.
    """

    id: str
    question: str
    gold: str
    images: list[str]
    meta: str
    question_digest: str
    gold_digest: str


@dataclass(frozen=True, slots=True)
class Sample:
    """One response to one problem.

    Attributes:
        problem_id: the problem.
        sample: index of the response, 0-based, unique within cell and problem.
        seed: the seed that this response alone was drawn with.
        text: the response without its stop string or end-of-sequence token.
        token_ids: the response's tokens, with the ending one where one was drawn; empty where
            the response did not come from a tokenizer of ours.
        n_tokens: number of response tokens (of `token_ids` where there are any); 0 if unknown.
        finish_reason: why it ended.
        sum_logprob: sum of log P(token) over `token_ids` in nats, under the model's own
            distribution at temperature 1 with no filter.
        mean_entropy: mean over tokens, in nats, of the entropy of softmax(logits / temperature)
            before top_p and top_k; 0 for greedy decoding.
        prompt_digest: digest of the token ids of the prompt that was answered; empty where no
            tokenizer of ours made them.
        reasoning: what a server gave as the model's reasoning, apart from the text; its tokens are
            counted in `n_tokens`, and it is not graded.
        error: why the response could not be sampled.
    """

    problem_id: str
    sample: int
    seed: int
    text: str
    token_ids: list[int]
    n_tokens: int
    finish_reason: FinishReason
    sum_logprob: float
    mean_entropy: float
    prompt_digest: str = ""
    reasoning: str | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """What grading found of one response.

    Attributes:
        problem_id: the problem.
        sample: index of the response.
        verdict: one of `VERDICTS`.
        answer: the answer that was extracted from the response, if any.
        answer_class: a name shared by equal answers to one problem (the canonical form), if any.
        seconds: wall-clock time that grading this distinct answer took.
        detail: in words, how the verdict came about (the rule that decided, or the failure).
    """

    problem_id: str
    sample: int
    verdict: VerdictName
    answer: str | None
    answer_class: str | None
    seconds: float
    detail: str


@dataclass(frozen=True, slots=True)
class Score:
    """How likely a scorer finds one response.

    Attributes:
        problem_id: the problem.
        sample: index of the response.
        n_tokens: response tokens as the scorer counts them.
        sum_logprob: sum of log P(token) over them, in nats.
        perplexity: exp(-sum_logprob / n_tokens).
        response: digest of question, text and tokens, by which a score is used again.
    """

    problem_id: str
    sample: int
    n_tokens: int
    sum_logprob: float
    perplexity: float
    response: str = ""


@dataclass(frozen=True, slots=True)
class Count:
    """What became of the first n responses of one cell to one problem.

    Attributes:
        problem_id: the problem.
        group: problems whose answers look alike (`meta.group` of the problem; may be empty).
        n: responses counted.
        correct, no_answer, timeout, error: responses with that verdict; the rest are wrong.
        truncated: responses with finish_reason `length`.
        truncated_correct: those of them that are correct all the same.
        tokens: response tokens in all.
        guess_n: answers that the same cell gave to other problems of the group.
        guess_correct: those of them that would have been right here (the guess floor).
        repeats: responses that repeat an earlier one, word for word.
        expected_repeats: how many the responses' own log-probabilities allow for.
        entropy: entropy of the response tokens in all, in nats; nan where it is not known.
    """

    problem_id: str
    group: str
    n: int
    correct: int
    no_answer: int
    timeout: int
    error: int
    truncated: int
    truncated_correct: int
    tokens: int
    guess_n: int
    guess_correct: int
    repeats: int = 0
    expected_repeats: float = 0.0
    entropy: float = math.nan


DecisionName = Literal["confirmed", "refuted", "open"]
"""What fresh draws say of one problem; see `passk.stats.confirmation`."""

DECISIONS: tuple[DecisionName, ...] = typing.get_args(DecisionName)

KindName = Literal["lost", "gained", "rare"]
"""Why a problem is drawn again."""

KINDS: tuple[KindName, ...] = typing.get_args(KindName)


@dataclass(frozen=True, slots=True)
class Decision:
    """One problem that is drawn again from a model and its base, and what that shows so far.

    Attributes:
        problem_id: the problem.
        kind: why it is drawn again.
        decision: what the fresh draws say.
        n, correct: responses of the model that it was selected by.
        base_n, base_correct: those of its base.
        fresh_n: fresh responses of either model.
        fresh_correct, base_fresh_correct: those of them that are correct.
        p: p-value of the fresh draws alone; null for rare problems, which are not tested.
        p_familywise: the same, corrected for all problems tested.
    """

    problem_id: str
    kind: KindName
    decision: DecisionName
    n: int
    correct: int
    base_n: int
    base_correct: int
    fresh_n: int
    fresh_correct: int
    base_fresh_correct: int
    p: float | None
    p_familywise: float | None


JudgementName = Literal["sound", "unsound", "unclear"]
"""What a judge says of the reasoning of a response; a reply without a vote is unclear."""

JUDGEMENTS: tuple[JudgementName, ...] = typing.get_args(JudgementName)


@dataclass(frozen=True, slots=True)
class Judgement:
    """What a judge says of the reasoning of one response.

    Attributes:
        problem_id: the problem.
        sample: index of the response.
        verdict: what grading found of its answer.
        judgement: what more than half of the votes say; unclear where they agree on nothing.
        sound, unsound, unclear: number of votes.
    """

    problem_id: str
    sample: int
    verdict: VerdictName
    judgement: JudgementName
    sound: int
    unsound: int
    unclear: int


@dataclass(frozen=True, slots=True)
class TrainingStep:
    """What one optimiser step of a training saw and did; what does not apply to a method is null.

    Attributes:
        step: its number, from 1.
        reward: mean reward of its responses (those that could be graded).
        reward_std: their standard deviation.
        zero_groups: share of problems whose responses all have the same reward (of DAPO, of all
            that were drawn; of ReMax, with the greedy response among them).
        kl: mean over tokens of the estimated divergence from the start model, in nats.
        entropy: mean over response tokens of the entropy that they were drawn with, in nats.
        clipped: share of tokens (RLOO: of responses) whose ratio was clipped.
        loss: the loss, mean over the passes of the step.
        response_tokens: mean length of a response.
        truncated: share of responses cut at max_tokens.
        generation_seconds, reward_seconds, update_seconds: wall-clock time of drawing, of grading,
            and of all the rest.
        learning_rate: the rate of the step.
    """

    step: int
    reward: float | None
    reward_std: float | None
    zero_groups: float | None
    kl: float | None
    entropy: float | None
    clipped: float | None
    loss: float
    response_tokens: float | None
    truncated: float | None
    generation_seconds: float
    reward_seconds: float
    update_seconds: float
    learning_rate: float


Row = TypeVar("Row", Problem, Sample, Verdict, Score, Count, Decision, Judgement, TrainingStep)


@functools.cache
def schema(row_type: type) -> pa.Schema:
    """Return the Parquet schema of a row type, made from its annotations."""
    import pyarrow as pa

    hints = typing.get_type_hints(row_type)
    return pa.schema(
        [_field(field.name, hints[field.name]) for field in dataclasses.fields(row_type)]
    )


def _field(name: str, hint: Any) -> pa.Field:
    """Return the Arrow field of one annotation; `X | None` is nullable."""
    import pyarrow as pa

    nullable = isinstance(hint, types.UnionType)
    inner = next(a for a in typing.get_args(hint) if a is not type(None)) if nullable else hint
    plain = {str: pa.string(), int: pa.int64(), float: pa.float64()}
    if typing.get_origin(inner) is Literal:
        inner = str
    if typing.get_origin(inner) is list:
        (item,) = typing.get_args(inner)
        arrow = pa.list_(pa.int32() if item is int else plain[item])
    else:
        arrow = plain[inner]
    return pa.field(name, arrow, nullable=nullable)


def write_table(path: Path, table: pa.Table, manifest: Mapping[str, object] | None = None) -> None:
    """Write an Arrow table as zstd Parquet with checksums, whole or not at all, its manifest first.

    A file of the store always has a manifest.
    """
    import pyarrow.parquet as pq

    if manifest is None and stored_path(path):
        manifest = {}
    if manifest is not None:
        copy = {EMBEDDED: canonical_json(json.loads(json.dumps(manifest))).encode()}
        table = table.replace_schema_metadata({**(table.schema.metadata or {}), **copy})
    with atomic(path) as temporary:
        pq.write_table(table, temporary, compression="zstd", write_page_checksum=True)
        if manifest is not None:
            seal(path, manifest, temporary)


def write_rows(
    path: Path, rows: Sequence[Row], manifest: Mapping[str, object] | None = None
) -> None:
    """Write rows of one type (at least one) as Parquet, whole or not at all, their manifest first.

    Raises:
        DataError: there is no row to write.
        OutputError: the disk is full or the folder cannot be written.
    """
    if not rows:
        raise DataError("no rows to write", where=str(path))
    write_table(path, to_table(type(rows[0]), rows), manifest)


def to_table(row_type: type, rows: Iterable[object]) -> pa.Table:
    """Return rows as an Arrow table with the schema of `row_type`."""
    import pyarrow as pa

    kept = list(rows)
    names = [field.name for field in dataclasses.fields(row_type)]
    columns = {name: [_arrow_safe(getattr(row, name)) for row in kept] for name in names}
    return pa.table(columns, schema=schema(row_type))


def _arrow_safe(value: object) -> Any:
    """Return text without lone surrogates, which UTF-8 cannot hold; anything else as it is."""
    if isinstance(value, str) and not value.isascii():
        return value.encode("utf-8", "replace").decode("utf-8")
    return value


def read_table(
    path: Path, row_type: type, columns: Sequence[str] | None = None, *, empty: bool = False
) -> pa.Table:
    """Read a Parquet file (or some of its columns) and check it against a row type.

    Columns that older files lack, and whose default is None, are null.

    Raises:
        DataError: the file is missing, cut short or not Parquet, has no rows (unless it may be
            `empty`), or lacks a column or has one of another type; the message names file and
            column.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    wanted = list(columns) if columns is not None else schema(row_type).names
    verify(path)
    try:
        present = pq.read_schema(path).names
        absent = [name for name in wanted if name not in present]
        missing = [name for name in absent if name not in _nullable_since(row_type)]
        if missing:
            raise DataError(
                f"missing column {', '.join(map(repr, missing))}; present: {', '.join(present)}",
                where=str(path),
                fix=f"a file of {row_type.__name__} rows has: {', '.join(schema(row_type).names)}",
            )
        file = pq.ParquetFile(path, page_checksum_verification=True)
        table = file.read(columns=[name for name in wanted if name in present])
        for name in absent:
            field = schema(row_type).field(name)
            table = table.append_column(field, pa.nulls(table.num_rows, field.type))
        table = table.select(wanted).cast(
            pa.schema([schema(row_type).field(name) for name in wanted])
        )
    except FileNotFoundError as error:
        raise DataError("no such file", where=str(path)) from error
    except (pa.ArrowInvalid, pa.ArrowTypeError, ValueError, OSError) as error:
        reason = str(error).splitlines()[0]
        fault = f"not a readable file of {row_type.__name__} rows: {reason}"
        if stored_path(path):
            raise damaged(path, fault) from error
        raise DataError(fault, where=str(path), fix="restore it, or make it again") from error
    if table.num_rows == 0 and not empty:
        raise DataError("has no rows", where=str(path))
    return table


def _nullable_since(row_type: type) -> frozenset[str]:
    """Return the columns of a row type that were added to it, and are null in older files."""
    return frozenset(one.name for one in dataclasses.fields(row_type) if one.default is None)


def read_rows(path: Path, row_type: type[Row], *, empty: bool = False) -> list[Row]:
    """Read a Parquet file as rows; errors as for `read_table`."""
    table = read_table(path, row_type, empty=empty)
    return [row_type(**row) for row in table.to_pylist()]
