"""Counting: the verdicts of one cell become one narrow row per problem.

Only narrow columns are read, one file at a time, and held as a byte or two per response, so
that ten million responses need some hundred megabytes.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from passk.core.artifacts import read_manifest
from passk.core.errors import DataError
from passk.core.schemas import (
    VERDICTS,
    Count,
    Problem,
    Sample,
    Verdict,
    read_table,
    schema,
    write_table,
)
from passk.stats.guess_floor import gold_classes, guess_columns, tally_classes
from passk.stats.repeats import count_repeats
from passk.stats.sample_repeats import COLUMNS, fingerprints

Array = npt.NDArray[Any]
CODES = {name: np.uint8(code) for code, name in enumerate(VERDICTS)}
UNSEEN = 255


def count(
    problems: Path,
    samples: Sequence[Path],
    verdicts: Sequence[Path],
    output: Path,
    n: int,
    *,
    canonical: Callable[[str], str] | None = None,
    partial: bool = False,
    manifest: Mapping[str, object] | None = None,
) -> None:
    """Write one `Count` row per problem, in the order of the problems file.

    Args:
        problems: file of Problem rows.
        samples: files of Sample rows that together hold samples 0..n-1 of every problem once.
        verdicts: files of Verdict rows, likewise.
        output: file of Count rows to write.
        n: responses to count per problem; samples with an index of n or more are left out.
        canonical: the verifier's canonical form of an answer, applied to the gold answers for
            the guess floor; without it only the classes of correct verdicts are known.
        partial: problems may have fewer than n responses (imported ones), and are counted with
            as many as they have; those that have none are left out.
        manifest: manifest to write beside the output.

    Raises:
        DataError: a response is missing, occurs twice or belongs to no problem, or a file cannot
            be read; the message names the problem and the file.
    """
    questions = read_table(problems, Problem, ["id", "gold", "meta"])
    ids = _unique_ids(problems, questions)
    truncated, tokens, entropy = _read_lengths(samples, ids, n)
    verdict, classes = _read_verdicts(verdicts, ids, n)
    _check_whole(samples, truncated, ids, partial=partial)
    _check_whole(verdicts, verdict, ids, partial=partial)
    there = verdict != UNSEEN
    if (there != (truncated != UNSEEN)).any():
        raise DataError("samples and verdicts are not of the same responses", where=_named(samples))
    groups = np.array(
        [_group(problems, text) for text in questions["meta"].to_pylist()], dtype=object
    )
    gold = gold_classes(questions["gold"].to_pylist(), canonical)
    table = pa.table(
        {
            "problem_id": questions["id"],
            "group": groups,
            "n": there.sum(axis=1),
            **_verdict_columns(verdict, truncated == 1),
            "tokens": tokens,
            **_repeat_columns(samples, ids, n),
            "entropy": entropy,
            **guess_columns(groups, gold, classes),
        }
    )
    table = table.filter(pa.array(there.any(axis=1)))
    write_table(output, table.select(schema(Count).names).cast(schema(Count)), manifest)


def _unique_ids(path: Path, questions: pa.Table) -> pd.Index[str]:
    """Return the problems' ids as an index, or name one that occurs twice."""
    ids: pd.Index[str] = pd.Index(questions["id"].to_pandas())
    if ids.has_duplicates:
        raise DataError(f"problem '{ids[ids.duplicated()][0]}' occurs twice", where=str(path))
    return ids


def _read_lengths(paths: Sequence[Path], ids: pd.Index[str], n: int) -> tuple[Array, Array, Array]:
    """Read all sample files: truncation, tokens and their entropy in nats per problem.

    Truncation is 1, 0 or UNSEEN, of problem x sample.
    """
    truncated = np.full((len(ids), n), UNSEEN, dtype=np.uint8)
    tokens, entropy = np.zeros(len(ids), dtype=np.int64), np.zeros(len(ids))
    for path in paths:
        columns = ["problem_id", "sample", "finish_reason", "n_tokens", "mean_entropy"]
        table, row, column = _locate(path, Sample, columns, ids, n)
        _check_new(path, truncated, ids, row, column)
        truncated[row, column] = pc.equal(table["finish_reason"], "length").to_numpy()
        lengths = table["n_tokens"].to_numpy()
        np.add.at(tokens, row, lengths)
        np.add.at(entropy, row, np.where(lengths, lengths * table["mean_entropy"].to_numpy(), 0.0))
    return truncated, tokens, entropy


def _repeat_columns(paths: Sequence[Path], ids: pd.Index[str], n: int) -> dict[str, Array]:
    """Return repeats per problem and how many are expected, over all files of a cell."""
    keys = np.zeros((len(ids), n), dtype=np.uint64)
    surprisal = np.full((len(ids), n), np.nan, dtype=np.float32)
    for path in paths:
        columns = ["problem_id", "sample", *COLUMNS]
        table, row, column = _locate(path, Sample, columns, ids, n)
        sampling = (read_manifest(path) or {}).get("sampling") or {}
        keys[row, column], surprisal[row, column] = fingerprints(table, sampling)
    there = ~np.isnan(surprisal)
    found = [
        count_repeats(keys[row, seen], surprisal[row, seen].astype(float))
        for row, seen in enumerate(there)
    ]
    return {
        "repeats": np.array([count for count, _ in found]),
        "expected_repeats": np.array([expected for _, expected in found]),
    }


def _read_verdicts(paths: Sequence[Path], ids: pd.Index[str], n: int) -> tuple[Array, pd.DataFrame]:
    """Read all verdict files: codes (problem x sample), and answers per problem and class.

    The frame has the columns `problem` (row of the problem), `answer` (hash of the answer's
    class), `correct` and `times`. Responses that could not be graded have no class.
    """
    codes = np.full((len(ids), n), UNSEEN, dtype=np.uint8)
    if not paths:
        _check_whole(paths, codes, ids, partial=False)
    parts = []
    for path in paths:
        columns = ["problem_id", "sample", "verdict", "answer_class"]
        table, row, column = _locate(path, Verdict, columns, ids, n)
        _check_new(path, codes, ids, row, column)
        codes[row, column] = _verdict_codes(path, table["verdict"].to_pandas())
        correct = codes[row, column] == CODES["correct"]
        parts.append(tally_classes(row, table["answer_class"], correct))
    keys = ["problem", "answer", "correct"]
    return codes, pd.concat(parts).groupby(keys)["times"].sum().reset_index()


def _verdict_codes(path: Path, names: pd.Series[str]) -> Array:
    """Return verdicts as `CODES`, or name one that is not known."""
    codes = names.map(CODES)
    if codes.isna().any():
        name = names[codes.isna()].iloc[0]
        fix = f"one of: {', '.join(VERDICTS)}"
        raise DataError(f"unknown verdict '{name}'", where=str(path), fix=fix)
    return codes.to_numpy(dtype=np.uint8)


def _locate(
    path: Path, row_type: type, columns: list[str], ids: pd.Index[str], n: int
) -> tuple[pa.Table, Array, Array]:
    """Read the rows below n of a file with the row and column that each of them belongs to."""
    table = read_table(path, row_type, columns)
    table = table.filter(pc.less(table["sample"], n))
    row = ids.get_indexer(table["problem_id"].to_pandas())
    if (row < 0).any():
        name = table["problem_id"][int(np.argmin(row))]
        raise DataError(f"problem '{name}' is not among the problems", where=str(path))
    column = table["sample"].to_numpy()
    if (column < 0).any():
        raise DataError(f"sample {column.min()} is negative", where=str(path))
    return table, row, column


def _check_new(path: Path, seen: Array, ids: pd.Index[str], row: Array, column: Array) -> None:
    """Refuse a response that this file or an earlier one has already given."""
    flat = row * seen.shape[1] + column
    again = pd.Series(flat).duplicated().to_numpy() | (seen[row, column] != UNSEEN)
    if again.any():
        at = int(np.argmax(again))
        raise DataError(
            f"sample {column[at]} of problem '{ids[row[at]]}' occurs a second time",
            where=str(path),
            fix="delete this file and run the workflow again: it will be remade",
        )


def _check_whole(paths: Sequence[Path], seen: Array, ids: pd.Index[str], *, partial: bool) -> None:
    """Refuse a cell in which a response is missing; a partial one may lack each problem's last."""
    missing = seen == UNSEEN
    if partial:
        missing[:, :-1] &= ~missing[:, 1:]
        missing[:, -1] = False
    if missing.any():
        row, column = np.unravel_index(int(np.argmax(missing)), seen.shape)
        raise DataError(
            f"sample {column} of problem '{ids[int(row)]}' is missing ({missing.sum()} in all)",
            where=_named(paths),
            fix="run the workflow again: what is missing will be made",
        )


def _named(paths: Sequence[Path]) -> str:
    """Name the files of a cell in one line."""
    if not paths:
        return "no files"
    return str(paths[0]) if len(paths) == 1 else f"{paths[0]} and {len(paths) - 1} more"


def _group(path: Path, meta: str) -> str:
    """Return `meta.group` of a problem, or "" where it has none."""
    try:
        fields = json.loads(meta) if meta else {}
    except ValueError as error:
        raise DataError(f"meta is not JSON: {error}", where=str(path)) from error
    return str(fields.get("group", "")) if isinstance(fields, dict) else ""


def _verdict_columns(verdict: Array, truncated: Array) -> dict[str, Array]:
    """Return the counts of verdicts and of truncated responses per problem."""
    counts = {
        name: (verdict == CODES[name]).sum(axis=1)
        for name in ("correct", "no_answer", "timeout", "error")
    }
    counts["truncated"] = truncated.sum(axis=1)
    counts["truncated_correct"] = (truncated & (verdict == CODES["correct"])).sum(axis=1)
    return counts
