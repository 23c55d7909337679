"""Rows that another file of the store already has, so that they are not computed again.

The problems of a benchmark may change, shards may be cut otherwise, more responses may be scored:
the rows that the old files and the new ones share are copied. A response is recognised by its seed,
which is a hash of all that decides it; a score by its response. Damaged files are passed over.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from passk.core.artifacts import Manifest, canonical_json, digest, read_document, read_manifest
from passk.core.errors import DataError
from passk.core.schemas import UNSAMPLED, Problem, Sample, Score, read_table
from passk.spec.models import PromptTemplate

log = logging.getLogger(__name__)

OF_THE_SET = (
    *("questions", "worked examples", "temperature matched", "matching version"),
    "selection",
)
"""Fingerprint inputs of a cell that say which problems there are, not what decides one response."""


def draw_key(fingerprint_inputs: Mapping[str, object]) -> str:
    """Return the digest of what decides a response, besides its question and index."""
    return digest({k: v for k, v in fingerprint_inputs.items() if k not in OF_THE_SET})


def score_key(fingerprint_inputs: Mapping[str, object]) -> str:
    """Return the digest of what decides a score, besides the response."""
    return digest({k: v for k, v in fingerprint_inputs.items() if k != "per_problem"})


def question_keys(problems: Sequence[Problem], template: PromptTemplate) -> dict[str, str]:
    """Return problem id -> what a model is asked; a repeated question has a number of its own."""
    seen: Counter[str] = Counter()
    keys = {}
    for problem in problems:
        shots = (json.loads(problem.meta).get("shots") or [])[: template.shots]
        images = [Path(image).stem for image in problem.images]
        text = canonical_json([problem.question, images, shots])
        keys[problem.id] = f"{text}\0{seen[text]}" if seen[text] else text
        seen[text] += 1
    return keys


def response_seed(key: str, question: str, sample: int) -> int:
    """Return the seed of one response, in [0, 2^63): a hash of cell and question, plus the index.

    It depends on nothing else: neither on the other questions nor on the cut into shards.
    Consecutive samples have consecutive seeds: so vLLM seeds the n responses of a request.

    Args:
        key: `draw_key` of the cell.
        question: the problem's entry of `question_keys`.
        sample: index of the response.
    """
    start = hashlib.sha256(f"{key}\0{question}".encode("utf-8", "surrogatepass")).digest()
    return (int.from_bytes(start[:8], "big") + sample) % 2**63


def response_key(question: str, sample: Sample) -> str:
    """Return what identifies a response that is scored: its question, text, tokens and end."""
    content = canonical_json([question, sample.text, sample.token_ids, sample.finish_reason])
    return hashlib.sha256(content.encode("utf-8", "surrogatepass")).hexdigest()[:24]


def stored_samples(
    cell: Path, key: str, seeds: Mapping[int, tuple[str, int]], samples: range
) -> Iterator[tuple[Sample, Manifest]]:
    """Yield responses that other files hold, with their file's manifest.

    Args:
        cell: the cell's cell.json; its store is searched.
        key: `draw_key` of the cell.
        seeds: seeds of the responses that are needed -> their problem and index.
        samples: the range of these indices.
    """
    left = dict(seeds)
    for path in sample_files(cell, key, samples):
        if not left:
            return
        manifest = read_manifest(path) or {}
        for row in _rows(path, Sample, "seed", left):
            if row["finish_reason"] in UNSAMPLED:
                continue
            problem, index = left.pop(row["seed"])
            yield Sample(**{**row, "problem_id": problem, "sample": index}), manifest


def stored_seeds(cell: Path, key: str, seeds: Collection[int], samples: range) -> frozenset[int]:
    """Return which of some seeds `stored_samples` would find a response of."""
    left = frozenset(seeds)
    for path in sample_files(cell, key, samples):
        if not left:
            break
        with suppress(DataError):
            table = read_table(path, Sample, ["seed", "finish_reason"]).to_pydict()
            pairs = zip(table["seed"], table["finish_reason"], strict=True)
            left -= {seed for seed, ended in pairs if ended not in UNSAMPLED}
    return frozenset(seeds) - left


def sample_files(cell: Path, key: str, samples: range) -> Iterator[Path]:
    """Yield the store's files that may hold responses of a draw key with some indices."""
    for folder in _cells(cell, key):
        for path in sorted(folder.glob("samples/*.parquet")):
            if _overlaps(path, samples):
                yield path


def stored_scores(
    task: Path, fingerprint_inputs: Mapping[str, object], responses: Mapping[str, Sequence[Sample]]
) -> Iterator[tuple[Score, Manifest]]:
    """Yield scores that other files hold, with their file's manifest.

    Args:
        task: the score.json; its store is searched.
        fingerprint_inputs: its fingerprint inputs.
        responses: `response_key` -> the responses that are needed.
    """
    left = {k: list(v) for k, v in responses.items()}
    for path in _score_files(task, fingerprint_inputs):
        if not left:
            return
        manifest = read_manifest(path) or {}
        for row in _rows(path, Score, "response", left):
            for one in left.pop(row["response"], ()):
                found = {**row, "problem_id": one.problem_id, "sample": one.sample}
                yield Score(**found), manifest


def has_stored_scores(task: Path, fingerprint_inputs: Mapping[str, object]) -> bool:
    """Tell whether a store has any scores of the same scorer and prompt."""
    return next(_score_files(task, fingerprint_inputs), None) is not None


def _score_files(task: Path, fingerprint_inputs: Mapping[str, object]) -> Iterator[Path]:
    """Yield the files of a store that may hold scores of a task."""
    key = score_key(fingerprint_inputs)
    cells = task.parents[3] if len(task.parents) > 3 else task.parent  # noqa: PLR2004
    for path in sorted(cells.glob("*/scores/*/score.json")) if cells.name == "cells" else ():
        if _inputs_of(path, score_key) == key:
            yield from sorted(path.parent.glob("*.parquet"))


def _cells(cell: Path, key: str) -> Iterator[Path]:
    """Yield the folders of a store's cells with a draw key, the cell's own first."""
    yield cell.parent
    store = cell.parent.parent
    for path in sorted(store.glob("*/cell.json")) if store.name == "cells" else ():
        if path.parent != cell.parent and _inputs_of(path, draw_key) == key:
            yield path.parent


def _inputs_of(path: Path, key: Callable[[Mapping[str, object]], str]) -> str | None:
    """Return a key of a task file's fingerprint inputs, or None if it cannot be read."""
    try:
        inputs = read_document(path)["fingerprint_inputs"]
        matched = path.with_name("temperature.json")
        if path.name == "cell.json" and matched.is_file():
            inputs = {**inputs, "temperature": read_document(matched)["temperature"]}
        return key(inputs)
    except (DataError, KeyError, TypeError, AttributeError):
        return None


def _overlaps(path: Path, samples: range) -> bool:
    """Return whether a shard's name says that it holds any of some indices."""
    first, _, last = path.stem.partition("-")
    if not (first.isdigit() and last.isdigit()):
        return False
    return int(first) < samples.stop and samples.start < int(last)


def _rows(
    path: Path, row_type: type, column: str, needed: Mapping[Any, Any]
) -> Iterator[dict[str, Any]]:
    """Yield the rows of a file whose value in a column is needed, each value once."""
    try:
        table = read_table(path, row_type, empty=True)
    except DataError as error:
        log.warning("%s: not reused: %s", path, error.what)
        return
    seen = set()
    for number, value in enumerate(table.column(column).to_pylist()):
        if value in needed and value not in seen:
            seen.add(value)
            yield {name: table.column(name)[number].as_py() for name in table.column_names}
