"""Distinct (gold, answer) pairs, their results, and which of them each row has.

Memory holds some 700 bytes per distinct pair and eight per row: the answers, which may be a
million programs, wait in an unnamed temporary file.
"""

from __future__ import annotations

import functools
import hashlib
import os
import tempfile
import time
import weakref
from array import array
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import overload

from passk.core.schemas import VerdictName
from passk.verifiers.base import CustomExtraction, FindsAnswer, Verifier
from passk.verifiers.grading.worker_pool import Result

CACHED = 1 << 12
"""Answers that are kept at hand when rows are read back."""


@dataclass(frozen=True, slots=True)
class Grade:
    """What grading found of one response; the fields are those of `records.Verdict`."""

    verdict: VerdictName
    answer: str | None
    answer_class: str | None
    seconds: float
    detail: str


NO_ANSWER = Grade("no_answer", None, None, 0.0, "no answer found in the response")


class Texts:
    """Texts in a temporary file, by number."""

    def __init__(self) -> None:
        """Start with none."""
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 (closed with this object)
        weakref.finalize(self, self._file.close)
        self._ends = array("q", [0])

    def append(self, data: bytes) -> None:
        """Add a text."""
        self._file.write(data)
        self._ends.append(self._ends[-1] + len(data))

    def __getitem__(self, number: int) -> bytes:
        """Return a text."""
        self._file.flush()
        begin, end = self._ends[number], self._ends[number + 1]
        return os.pread(self._file.fileno(), end - begin, begin)


class PairIndex:
    """Takes rows, tells which pairs are to be compared, and gives the rows back with verdicts."""

    def __init__(self, verifier: Verifier) -> None:
        """Start with no rows."""
        self.verifier = verifier
        self.finder = verifier if isinstance(verifier, FindsAnswer) else None
        self.gold_finder = verifier if isinstance(verifier, CustomExtraction) else None
        self.golds: dict[str, int] = {}
        self.gold_texts: list[str] = []
        self.gold_of = array("l")
        self.indices: dict[tuple[int, bytes], int] = {}
        self.answers = Texts()
        self.found: list[Result | None] = []
        self.rows = array("q")
        self.notes = {"": 0}
        self.note_of = array("b")
        self.undecided = array("q")
        self.rows_waiting: Counter[int] = Counter()
        self.n_decided = 0
        self._content = hashlib.sha256()

    def add(self, gold: str, response: str) -> None:
        """Take a row; a pair that is seen for the first time is tried by the cheap rules."""
        answer, note = self._extract(gold, response)
        index = -1
        if answer is not None:
            index = self._index_of(gold, answer)
        self.rows.append(index)
        self.note_of.append(self.notes.setdefault(note, len(self.notes)))
        if index >= 0 and self.found[index] is None:
            self.rows_waiting[index] += 1
        else:
            self.n_decided += 1

    def _extract(self, gold: str, response: str) -> tuple[str | None, str]:
        """Return the answer of a response, and a note on text that was ignored."""
        if self.gold_finder is not None:
            return self.gold_finder.extract_for(gold, response), ""
        if self.finder is None:
            return self.verifier.extract(response), ""
        found = self.finder.find_answer(response)
        return (found.answer, found.note) if found else (None, "")

    def _index_of(self, gold: str, answer: str) -> int:
        """Return the number of a pair."""
        number = self.golds.setdefault(gold, len(self.golds))
        if number == len(self.gold_texts):
            self.gold_texts.append(gold)
            self._content.update(hashlib.sha256(_encoded(gold)).digest())
        data = _encoded(answer)
        name = (number, hashlib.sha256(data).digest())
        index = self.indices.setdefault(name, len(self.found))
        if index == len(self.found):
            self._content.update(number.to_bytes(8, "little") + name[1])
            self.gold_of.append(number)
            self.answers.append(data)
            self._add_pair(gold, answer)
        return index

    def _add_pair(self, gold: str, answer: str) -> None:
        """Take note of a new pair, and of its verdict where a cheap rule has one."""
        began = time.perf_counter()
        outcome = self.verifier.quick_compare(gold, answer)
        if outcome is None:
            self.undecided.append(len(self.found))
            self.found.append(None)
            return
        seconds = time.perf_counter() - began
        self.found.append(Result(outcome.verdict, outcome.detail, outcome.answer_class, seconds))

    def record_result(self, index: int, result: Result) -> None:
        """Take the pool's verdict; an answer that could not be compared keeps its cheap name."""
        name = result.answer_class or self.verifier.canonical(self.answer(index))
        self.found[index] = Result(result.verdict, result.detail, name, result.seconds)
        self.n_decided += self.rows_waiting.pop(index, 0)

    def answer(self, index: int) -> str:
        """Return the answer of a pair."""
        return self.answers[index].decode("utf-8", "surrogatepass")

    def content(self) -> str:
        """Return a digest of all pairs, in the order in which they came."""
        return self._content.hexdigest()

    def undecided_pairs(self) -> Pairs:
        """Return the pairs that have no verdict yet."""
        return Pairs(self, [index for index in self.undecided if self.found[index] is None])

    def graded(self) -> Grades:
        """Return the verdict of each row."""
        return Grades(self)


class Pairs(Sequence[tuple[str, str]]):
    """(gold, answer) of some indices of a `PairIndex`, read when they are asked for."""

    def __init__(self, pair_index: PairIndex, indices: list[int]) -> None:
        """Keep the indices."""
        self.pair_index, self.indices = pair_index, indices

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self.indices)

    @overload
    def __getitem__(self, index: int) -> tuple[str, str]: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[tuple[str, str]]: ...
    def __getitem__(self, index: int | slice) -> tuple[str, str] | Sequence[tuple[str, str]]:
        """Return a pair, or some of them."""
        if isinstance(index, slice):
            return Pairs(self.pair_index, self.indices[index])
        index = self.indices[index]
        return self.pair_index.gold_texts[self.pair_index.gold_of[index]], self.pair_index.answer(
            index
        )


class Grades(Sequence[Grade]):
    """The verdict of each row of a `PairIndex`, put together when it is asked for."""

    def __init__(self, pair_index: PairIndex) -> None:
        """Keep the index; equal results that follow each other closely are one object."""
        self.pair_index = pair_index
        self._notes = list(pair_index.notes)
        self._at = functools.lru_cache(CACHED)(self._grade)

    def __len__(self) -> int:
        """Return how many rows there are."""
        return len(self.pair_index.rows)

    @overload
    def __getitem__(self, index: int) -> Grade: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Grade]: ...
    def __getitem__(self, index: int | slice) -> Grade | Sequence[Grade]:
        """Return the verdict of a row, or of some."""
        if isinstance(index, slice):
            return list(map(self._at, self.pair_index.rows[index], self.pair_index.note_of[index]))
        return self._at(self.pair_index.rows[index], self.pair_index.note_of[index])

    def __iter__(self) -> Iterator[Grade]:
        """Yield the verdict of each row."""
        return map(self._at, self.pair_index.rows, self.pair_index.note_of)

    def _grade(self, index: int, note: int) -> Grade:
        """Return the verdict of a pair, with the note of a row."""
        if index < 0:
            return NO_ANSWER
        found = self.pair_index.found[index]
        assert found is not None  # noqa: S101
        answer = self.pair_index.answer(index)
        detail = "; ".join(filter(None, (found.detail, self._notes[note])))
        return Grade(found.verdict, answer, found.answer_class, found.seconds, detail)

    def verdicts(self) -> Counter[VerdictName]:
        """Return how many rows there are of each verdict, without reading an answer."""
        found = self.pair_index.found
        results = (found[index] if index >= 0 else None for index in self.pair_index.rows)
        return Counter(NO_ANSWER.verdict if r is None else r.verdict for r in results)


def _encoded(text: str) -> bytes:
    """Return a text as bytes, lone surrogates included."""
    return text.encode("utf-8", "surrogatepass")
