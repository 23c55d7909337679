"""Responses as blocks: a cell's problems in groups, so that one click loads a small part."""

from __future__ import annotations

import json
import logging
import typing
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from passk.analysis.study import Cell, Study
from passk.core.schemas import VERDICTS, FinishReason, Problem, Sample, Verdict, read_table
from passk.report.html.blocks import Block

log = logging.getLogger(__name__)

GROUP_CHARACTERS = 2_000_000
"""Approximate characters of text per block of responses."""

MAX_RESPONSES = 200_000
"""Maximum responses on the page; above, only the first ones of each problem."""

ROW_CHARACTERS = 100

FINISH_REASONS: tuple[FinishReason, ...] = typing.get_args(FinishReason)


def shown_per_problem(study: Study) -> int | None:
    """Return the number of responses shown per problem and cell; None is all."""
    problems = {cell.id: _size(cell) for cell in study.cells if cell.samples}
    total = sum(count * study.cell(name).n for name, count in problems.items())
    if total <= MAX_RESPONSES:
        return None
    return max(1, MAX_RESPONSES // max(sum(problems.values()), 1))


def _size(cell: Cell) -> int:
    """Return how many problems a cell has."""
    paths = _present([cell.problems] if cell.problems else [])
    return sum(read_table(path, Problem, ["id"]).num_rows for path in paths)


def _present(paths: Sequence[Path]) -> list[Path]:
    """Return the files that exist: a report can be built after responses were archived."""
    for path in paths:
        if not path.exists():
            log.warning("%s does not exist; the page leaves its responses out", path)
    return [path for path in paths if path.exists()]


def questions(study: Study) -> Iterator[tuple[str, list[list[Any]]]]:
    """Yield, per benchmark, [id, question, gold answer as text, images] of each problem."""
    files = {cell.benchmark: cell.problems for cell in study.cells if cell.problems is not None}
    for benchmark, path in files.items():
        rows = []
        for present in _present([path]):
            rows = read_table(present, Problem, ["id", "question", "gold", "images"]).to_pylist()
        yield (
            benchmark,
            [[r["id"], r["question"], _gold(r["gold"]), len(r["images"])] for r in rows],
        )


def _gold(text: str) -> str:
    """Return a gold answer as text."""
    try:
        value = json.loads(text)
    except ValueError:
        return text
    if isinstance(value, list):
        return " or ".join(str(item) for item in value)
    return value if isinstance(value, str) else text


def groups(cell: Cell, problems: pd.DataFrame) -> dict[str, int]:
    """Return problem -> number of its block; `problems` is the table of that name."""
    own = problems[problems["cell"] == cell.id]
    size = own["n"] * (_text_bytes(cell) / max(own["n"].sum(), 1) + ROW_CHARACTERS)
    number = (size.cumsum() // GROUP_CHARACTERS).astype(int)
    return dict(zip(own["problem_id"], number, strict=True))


def _text_bytes(cell: Cell) -> int:
    """Return the total length of a cell's texts from Parquet metadata, without reading them."""
    import pyarrow.parquet as pq

    found = 0
    for path in cell.samples:
        if path.exists():
            meta = pq.read_metadata(path)
            for column, name in enumerate(meta.schema.names):
                if name in {"text", "reasoning"}:
                    groups = map(meta.row_group, range(meta.num_row_groups))
                    found += sum(group.column(column).total_uncompressed_size for group in groups)
    return found


def response_blocks(
    study: Study, problems: pd.DataFrame, limit: int | None
) -> Iterator[tuple[str, str]]:
    """Yield name and text of every block of responses, cell by cell.

    A line is [problem, sample, verdict, answer, class, detail, finish, tokens, text, reasoning];
    verdict and finish are indices into `VERDICTS` and `FINISH_REASONS`, -1 where unknown.
    """
    for index, cell in enumerate(study.cells):
        number = groups(cell, problems)
        blocks: dict[int, Block] = {}
        for row in _rows(cell, cell.n if limit is None else min(limit, cell.n)):
            group = number.get(row[0], 0)
            if group not in blocks:
                blocks[group] = Block(f"responses-{index}-{group}")
            blocks[group].add(row)
        yield from ((block.name, block.text()) for block in blocks.values())


def _rows(cell: Cell, limit: int) -> Iterator[list[Any]]:
    """Yield one row per response of a cell, a file at a time."""
    verdicts = _verdicts(cell)
    for path in _present(cell.samples):
        columns = ["problem_id", "sample", "text", "n_tokens", "finish_reason", "reasoning"]
        table = read_table(path, Sample, columns)
        for batch in table.to_batches(max_chunksize=2000):
            for row in batch.to_pylist():
                if row["sample"] < limit:
                    verdict = verdicts.get((row["problem_id"], row["sample"]), (-1, "", "", ""))
                    finish = FINISH_REASONS.index(row["finish_reason"])
                    end = [finish, row["n_tokens"], row["text"], row["reasoning"] or ""]
                    yield [row["problem_id"], row["sample"], *verdict, *end]


def _verdicts(cell: Cell) -> dict[tuple[str, int], tuple[int, str, str, str]]:
    """Return (problem, sample) -> index of the verdict, answer, class, detail."""
    found = {}
    for path in _present(cell.verdicts):
        columns = ["problem_id", "sample", "verdict", "answer", "answer_class", "detail"]
        table = read_table(path, Verdict, columns)
        for row in table.to_pylist():
            index = VERDICTS.index(row["verdict"])
            texts = (row["answer"] or "", row["answer_class"] or "", row["detail"])
            found[row["problem_id"], row["sample"]] = (index, *texts)
    return found
