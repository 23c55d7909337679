"""What every foreign format is read into, and written from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from passk.core.schemas import FinishReason, Problem, Sample, Verdict, VerdictName


@dataclass(frozen=True, slots=True)
class Key:
    """How a source names the problem of a response; what it does not have is left out.

    Attributes:
        id: the problem's own id.
        questions: texts of which one is the question.
        prompt: a text that holds the question.
        position: place of the problem in the benchmark, from 0.
    """

    id: str | None = None
    questions: tuple[str, ...] = ()
    prompt: str | None = None
    position: int | None = None


@dataclass(frozen=True, slots=True)
class Response:
    """One response as a source gives it.

    Attributes:
        where: `file:line` for messages.
        key: how the source names its problem.
        text: the response.
        finish_reason: why it ended, as far as the source says.
        verdict: what the source found of it, if anything.
        answer: the answer that the source extracted, if any.
        detail: the source's own words on its verdict.
        own: the columns that passk itself had written beside it.
    """

    where: str
    key: Key
    text: str
    finish_reason: FinishReason = "unknown"
    verdict: VerdictName | None = None
    answer: str | None = None
    detail: str = ""
    own: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Options:
    """What reading a format may need besides the files.

    Attributes:
        columns: our name -> the source's, for plain tables.
        model: name of the model, where a table holds several.
        filter: name of the filter whose rows are taken (lm-evaluation-harness).
        completion: whether the benchmark takes completions of its prompts, not whole programs.
        problems: the benchmark's problems by id.
    """

    columns: Mapping[str, str] = field(default_factory=dict)
    model: str = ""
    filter: str | None = None
    completion: bool = False
    problems: Mapping[str, Problem] = field(default_factory=dict)


Graded = tuple[Sample, Verdict | None]
"""A response with our verdict on it, where it has been graded."""


@dataclass(frozen=True, slots=True)
class Group:
    """One problem with all responses to it, in order.

    Attributes:
        position: place of the problem in the benchmark.
        problem: the problem, with its gold answer.
        rows: responses with verdicts.
    """

    position: int
    problem: Problem
    rows: Sequence[Graded]


class Format(Protocol):
    """A foreign format; a module of `passk.interop.formats` holds one."""

    def read(self, files: Sequence[Path], options: Options) -> Iterator[Response]:
        """Yield the responses of files in order, one problem or line in memory at a time.

        Raises:
            DataError: a file is not of the format; the message names file and line.
        """
        ...

    def write(self, groups: Iterable[Group], folder: Path) -> list[Path]:
        """Write a cell into a folder and return the files; what the format cannot say is beside.

        Raises:
            OutputError: a file cannot be written.
        """
        ...
