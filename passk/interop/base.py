"""What every format is read into and written from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from passk.core.row_files import Row
from passk.core.schemas import FinishReason, Problem, Sample, Verdict, VerdictName

if TYPE_CHECKING:
    from passk.interop.column_mapping import Condition

FINISH_REASONS: Mapping[str, FinishReason] = {
    "stop": "stop",
    "eos": "stop",
    "length": "length",
    "max_tokens": "length",
    "model_length": "length",
}
"""Finish reasons of other tools -> ours; any other is `unknown`."""


@dataclass(frozen=True, slots=True)
class ProblemKey:
    """How a source identifies the problem of a response; unknown parts stay empty.

    Attributes:
        id: the problem's id.
        question: the question.
        texts: texts of which one may be the question: all fields of a document, say.
        prompt: a text that contains the question.
        position: index of the problem in the benchmark, from 0.
    """

    id: str | None = None
    question: str | None = None
    texts: tuple[str, ...] = ()
    prompt: str | None = None
    position: int | None = None


@dataclass(frozen=True, slots=True)
class Response:
    """One response as a source stores it.

    Attributes:
        row: where it stands.
        key: how the source identifies its problem.
        text: the response; None where the source stores a null.
        finish_reason: why generation ended, if known.
        verdict: the source's own verdict, if any.
        answer: the answer that the source extracted, if any.
        detail: the source's explanation of its verdict.
        roundtrip: the columns that passk stored beside an exported response.
    """

    row: Row
    key: ProblemKey
    text: str | None
    finish_reason: FinishReason = "unknown"
    verdict: VerdictName | None = None
    answer: str | None = None
    detail: str = ""
    roundtrip: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """Options of reading a format.

    Attributes:
        columns: our name -> the source's path, for plain tables.
        model: the model's name, where a table has a column of models.
        filter: name (or number, from 1) of the filter to read (lm-evaluation-harness).
        correct_if: condition on a row that makes its response correct.
        completion: whether the benchmark asks for completions of its prompts.
        code: whether the benchmark's responses are programs.
        problems: the benchmark's problems by id.
        notes: what the reader found, filled while it reads: name -> value.
    """

    columns: Mapping[str, str] = field(default_factory=dict)
    model: str = ""
    filter: str | None = None
    correct_if: Condition | None = None
    completion: bool = False
    code: bool = False
    problems: Mapping[str, Problem] = field(default_factory=dict)
    notes: dict[str, str] = field(default_factory=dict)


def verdict_of(value: object) -> VerdictName | None:
    """Return the verdict of a score: True and 1 are correct, False and 0 wrong, others none."""
    if isinstance(value, bool | int | float) and value in (0, 1):
        return "correct" if value else "wrong"
    return None


Graded = tuple[Sample, Verdict | None]
"""A response with our verdict, if it is graded."""


@dataclass(frozen=True, slots=True)
class Group:
    """One problem with all its responses, in order.

    Attributes:
        position: index of the problem in the benchmark.
        problem: the problem, with its gold answer.
        rows: responses with verdicts.
    """

    position: int
    problem: Problem
    rows: Sequence[Graded]


class Reader(Protocol):
    """Reads a format; a module of `passk.interop.formats` has one.

    Attributes:
        endings: endings of its files, without compression: how folders are searched.
    """

    endings: ClassVar[tuple[str, ...]]

    def read(self, files: Sequence[Path], options: ReadOptions) -> Iterator[Response]:
        """Yield the responses of files in order, with one problem or line in memory at a time.

        Raises:
            DataError: a file is not of the format; the message names file and line.
        """
        ...


class Writer(Protocol):
    """Writes a format.

    Attributes:
        code: whether the format holds programs, which other benchmarks do not have.
    """

    code: ClassVar[bool]

    def write(self, groups: Iterable[Group], folder: Path) -> list[Path]:
        """Write a cell into a folder and return the files.

        Raises:
            OutputError: a file cannot be written.
        """
        ...
