"""`passk estimate COUNTS.csv -o CURVES.csv`: pass@k curves from counts of one's own."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from passk.core.artifacts import atomic
from passk.core.errors import DataError, did_you_mean
from passk.stats import Curve, estimate_curve

COLUMNS = ("model", "problem_id", "n", "c")
OUTPUT_COLUMNS = (
    "model",
    "k",
    "pass_at_k",
    "ci_low",
    "ci_high",
    "noise_low",
    "noise_high",
    "problems",
)
_WHOLE = re.compile(r"-?[0-9]{1,18}")


class Tally(NamedTuple):
    """Responses to one problem, and how many of them are correct."""

    n: int
    c: int


def estimate_file(counts_csv: Path, output_csv: Path, ks: Sequence[int] | None = None) -> int:
    """Write one row per model and k with pass@k, its two intervals and the number of problems.

    Args:
        counts_csv: a CSV file with the columns `model, problem_id, n, c` (others are ignored).
        output_csv: where the curves go; undefined values (k > n) are left empty.
        ks: the numbers of tries; without them 1..n, n being the model's smallest.

    Returns:
        The number of rows written.

    Raises:
        DataError: a column is missing, a cell is no count, a problem occurs twice, or there is
            no row; the message names file, line and column. Nothing is written then.
    """
    if ks is not None and (not ks or min(ks) < 1):
        raise DataError("k must be at least one whole number from 1 up", where="--k")
    models = read_count_file(counts_csv)
    rows = [row for model, tallies in models.items() for row in _curve_rows(model, tallies, ks)]
    with atomic(output_csv) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(OUTPUT_COLUMNS)
        writer.writerows(rows)
    return len(rows)


def read_count_file(path: Path) -> dict[str, dict[str, Tally]]:
    """Return model -> problem -> tally of a counts file; errors as for `estimate_file`."""
    models: dict[str, dict[str, Tally]] = {}
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            for where, row in _rows(path, file):
                problems = models.setdefault(row["model"], {})
                if row["problem_id"] in problems:
                    name = f"problem '{row['problem_id']}' of model '{row['model']}'"
                    raise DataError(f"{name} occurs a second time", where=where)
                problems[row["problem_id"]] = _tally(where, row)
    except FileNotFoundError as error:
        raise DataError("no such file", where=str(path)) from error
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"not readable as CSV: {error}", where=str(path)) from error
    if not models:
        raise DataError("has no rows", where=str(path), fix=f"columns: {', '.join(COLUMNS)}")
    return models


def _rows(path: Path, file: Iterable[str]) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield each row as column -> text with the place it stands at."""
    reader = csv.reader(file, strict=True)
    header = [name.strip() for name in next(reader, [])]
    if not header:
        raise DataError("is empty", where=str(path), fix=f"columns: {', '.join(COLUMNS)}")
    missing = [name for name in COLUMNS if name not in header]
    if missing:
        fix = did_you_mean(missing[0], header)
        raise DataError(f"missing column '{missing[0]}'", where=f"{path}:1", fix=fix)
    for row in filter(None, reader):
        where = f"{path}:{reader.line_num}"
        if len(row) != len(header):
            raise DataError(f"{len(row)} cells where the header has {len(header)}", where=where)
        yield where, dict(zip(header, row, strict=True))


def _tally(where: str, row: dict[str, str]) -> Tally:
    """Return n and c of a row, or say which of them cannot be."""
    n, c = (_whole(where, name, row[name].strip()) for name in ("n", "c"))
    if n < 1:
        raise DataError(f"n is {n}; a problem needs one response or more", where=f"{where} n")
    if c < 0:
        raise DataError(f"c is {c}; a count cannot be negative", where=f"{where} c")
    if c > n:
        raise DataError(f"c is {c}, more than n = {n}", where=f"{where} c")
    return Tally(n, c)


def _whole(where: str, column: str, text: str) -> int:
    """Return a cell as an integer."""
    if not _WHOLE.fullmatch(text):
        raise DataError(f"{column} is '{text}', not a whole number", where=f"{where} {column}")
    return int(text)


def _curve_rows(
    model: str, tallies: dict[str, Tally], ks: Sequence[int] | None
) -> Iterator[list[object]]:
    """Yield the output rows of one model."""
    n, c = np.array(list(tallies.values()), dtype=np.int64).T
    curve = estimate_curve(n, c, ks if ks is not None else range(1, int(n.min()) + 1))
    for index, k in enumerate(curve.k):
        numbers = [_cell(column[index]) for column in _value_columns(curve)]
        yield [model, int(k), *numbers, curve.problems]


def _value_columns(curve: Curve) -> tuple[np.ndarray, ...]:
    """Return the columns of `curve` in the order of OUTPUT_COLUMNS."""
    return curve.value, curve.low, curve.high, curve.noise_low, curve.noise_high


def _cell(value: float) -> object:
    """Return a number as it is written; what is undefined is left empty."""
    return "" if np.isnan(value) else float(value)
