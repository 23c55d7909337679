"""Responses as blocks: a cell's problems in groups, so that one click loads a small part."""

from __future__ import annotations

import json
import logging
import typing
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from passk.analysis.study import Cell, Study
from passk.core.schemas import VERDICTS, FinishReason, Problem, Sample, Verdict, read_table
from passk.report.html.blocks import Block
from passk.report.redaction import Redactor

log = logging.getLogger(__name__)

GROUP_CHARACTERS = 2_000_000
"""Approximate characters of text per block of responses."""

MAX_RESPONSES = 200_000
"""Maximum responses on the page; above, `select_responses` chooses."""

CORRECT = VERDICTS.index("correct")

ROW_CHARACTERS = 100

DETAIL = 5
"""Index of a verdict's detail in a line of a block."""

FINISH_REASONS: tuple[FinishReason, ...] = typing.get_args(FinishReason)


Selection = Mapping[tuple[str, str], tuple[int, int]]
"""Cell and problem -> how many correct and how many other responses are on the page."""


def select_responses(study: Study, problems: pd.DataFrame) -> Selection | None:
    """Return how many responses to each problem the page shows; None is all.

    Half of `MAX_RESPONSES` is shared equally, so that every problem of every cell has responses.
    The rest goes to the correct responses of rarely solved problems, the rarest first, and what is
    then left to further responses that are not correct.

    Args:
        study: the study.
        problems: its table of that name.
    """
    sampled = [cell.id for cell in study.cells if cell.samples]
    own = problems[problems["cell"].isin(sampled)]
    n, right = (own[name].to_numpy(dtype=np.int64) for name in ("n", "correct"))
    if n.sum() <= MAX_RESPONSES:
        return None
    share = max(1, MAX_RESPONSES // 2 // len(own))
    correct = np.minimum(right, (share + 1) // 2)
    other = np.minimum(n - right, share - correct)
    order = np.argsort(right, kind="stable")
    cost = np.cumsum((right - correct)[order])
    left = MAX_RESPONSES - int(correct.sum() + other.sum())
    whole = order[cost <= left]
    correct[whole] = right[whole]
    left = MAX_RESPONSES - int(correct.sum() + other.sum())
    other = np.minimum(n - right, other + max(0, left) // len(own))
    keys = zip(own["cell"], own["problem_id"], strict=True)
    return dict(zip(keys, zip(correct.tolist(), other.tolist(), strict=True), strict=True))


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
    study: Study,
    problems: pd.DataFrame,
    selected: Selection | None,
    redactor: Redactor | None = None,
) -> Iterator[tuple[str, str]]:
    """Yield name and text of every block of responses, cell by cell.

    A line is [problem, sample, verdict, answer, class, detail, finish, tokens, text, reasoning];
    verdict and finish are indices into `VERDICTS` and `FINISH_REASONS`, -1 where unknown.
    """
    for index, cell in enumerate(study.cells):
        number = groups(cell, problems)
        blocks: dict[int, Block] = {}
        for row in _rows(cell) if selected is None else _selected_rows(cell, selected):
            group = number.get(row[0], 0)
            if redactor is not None:
                row[DETAIL] = redactor.text(row[DETAIL])
            if group not in blocks:
                blocks[group] = Block(f"responses-{index}-{group}")
            blocks[group].add(row)
        yield from ((block.name, block.text()) for block in blocks.values())


def _selected_rows(cell: Cell, selected: Selection) -> Iterator[list[Any]]:
    """Yield a cell's rows that the page shows: the first of each kind."""
    seen = Counter[tuple[str, bool]]()
    for row in _rows(cell):
        problem, correct = row[0], row[2] == CORRECT
        limit = selected.get((cell.id, problem), (0, 0))[0 if correct else 1]
        if seen[problem, correct] < limit:
            seen[problem, correct] += 1
            yield row


def _rows(cell: Cell) -> Iterator[list[Any]]:
    """Yield one row per response of a cell, a file at a time."""
    verdicts = _verdicts(cell)
    for path in _present(cell.samples):
        columns = ["problem_id", "sample", "text", "n_tokens", "finish_reason", "reasoning"]
        table = read_table(path, Sample, columns)
        for batch in table.to_batches(max_chunksize=2000):
            for row in batch.to_pylist():
                if row["sample"] < cell.n:
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
