"""A hint at contamination: words of a benchmark's questions that occur verbatim in other text.

As in appendix C of Brown et al. 2020 (GPT-3, arXiv 2005.14165), text is lower case without
punctuation, and what counts is 13 words in a row. A question of 8 to 12 words counts as one; a
shorter one says nothing. An overlap is a hint, not a proof: common phrases and statements that are
quoted elsewhere overlap, too, and a paraphrase does not.
"""

from __future__ import annotations

import codecs
import itertools
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from passk.benchmarks.files import DATA_ENDINGS
from passk.core.row_files import file_ending, open_file, read_rows
from passk.core.schemas import Problem

WORDS = 13
"""Words in a row that count."""

MIN_WORDS = 8
"""Words of the shortest question that counts."""

CHUNK = 1 << 20
"""Characters of a text file that are read at once."""

WORD = re.compile(r"[^\W_]+")

Gram = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Overlap:
    """How much of one question occurs in other text.

    Attributes:
        problem_id: the problem.
        grams: runs of words that its question consists of.
        found: how many of them were found.
        file: where the first was found.
        example: the first that was found.
    """

    problem_id: str
    grams: int
    found: int
    file: str
    example: str

    @property
    def share(self) -> float:
        """The share of the question's runs that were found."""
        return self.found / self.grams


def split_words(text: str) -> list[str]:
    """Return the words of a text, lower case, without punctuation.

    >>> split_words("Janet's ducks lay 16 eggs.")
    ['janet', 's', 'ducks', 'lay', '16', 'eggs']
    """
    return WORD.findall(text.lower())


def ngrams(text: str) -> list[Gram]:
    """Return the distinct runs of words that a question is looked for by."""
    words = split_words(text)
    size = min(WORDS, len(words))
    if size < MIN_WORDS:
        return []
    runs = (tuple(words[start : start + size]) for start in range(len(words) - size + 1))
    return list(dict.fromkeys(runs))


def find_overlaps(
    problems: Sequence[Problem], files: Iterable[Path]
) -> tuple[list[Overlap], list[str]]:
    """Return the overlaps of questions with files, most of a question first.

    Memory is bounded by the benchmark, not by the files, which are read as a stream.

    Returns:
        Overlaps, and the ids of problems whose questions are too short to say anything.

    Raises:
        DataError: a file cannot be read.
    """
    grams = {problem.id: ngrams(problem.question) for problem in problems}
    wanted = frozenset(gram for runs in grams.values() for gram in runs)
    found: dict[Gram, str] = {}
    for file in files:
        for gram in _search(wanted, file):
            found.setdefault(gram, str(file))
    overlaps = [
        Overlap(name, len(runs), len(hits), found[hits[0]], " ".join(hits[0]))
        for name, runs in grams.items()
        if (hits := [gram for gram in runs if gram in found])
    ]
    overlaps.sort(key=lambda overlap: -overlap.share)
    return overlaps, [name for name, runs in grams.items() if not runs]


def _search(wanted: frozenset[Gram], file: Path) -> Iterator[Gram]:
    """Yield the n-grams that occur in a file."""
    sizes = sorted({len(gram) for gram in wanted})
    ends = {gram[-2:] for gram in wanted}  # spares building most runs
    for document in _documents(file):
        words: list[str] = []
        for more in document:
            words = words[1 - WORDS :] + more if words else more
            for last, pair in enumerate(itertools.pairwise(words), start=2):
                if pair in ends:
                    for size in sizes:
                        gram = tuple(words[max(0, last - size) : last])
                        if gram in wanted:
                            yield gram


def _documents(file: Path) -> Iterator[Iterable[list[str]]]:
    """Yield the words of each document, in parts: a row of a data file, or a whole text file."""
    if file_ending(file) not in DATA_ENDINGS:
        yield _stream(file)
        return
    for row in read_rows(file):
        yield [[word for text in _texts(row.values) for word in split_words(text)]]


def _texts(value: Any) -> Iterator[str]:
    """Yield every text inside a row."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _texts(item)


def _stream(file: Path) -> Iterator[list[str]]:
    """Yield the words of a text file, one chunk at a time in memory."""
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    rest = ""
    with open_file(file) as stream:
        while chunk := stream.read(CHUNK):
            text = rest + decoder.decode(chunk)
            cut = max(text.rfind(" "), text.rfind("\n")) + 1 or len(text)
            yield split_words(text[:cut])
            rest = text[cut:]
    yield split_words(rest)
