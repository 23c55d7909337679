"""The evaluation of Qwen2.5-Math, which SimpleRL and limit-of-RLVR use: a line per problem.

`code` has the responses, `pred` the answers, `score` the verdicts, and `finish_reason` (in
limit-of-RLVR and SimpleRL) why each response ended. `question` identifies the problem.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar

from passk.core.row_files import Row, json_lines
from passk.interop.base import FINISH_REASONS, Group, ProblemKey, ReadOptions, Response, verdict_of
from passk.interop.roundtrip_fields import (
    KEY,
    answers,
    is_correct,
    roundtrip_fields,
    roundtrip_list,
    write_lines,
)


class QwenMath:
    """Reads and writes the outputs of that evaluation."""

    endings: ClassVar = (".jsonl",)
    code: ClassVar = False

    def read(self, files: Sequence[Path], options: ReadOptions) -> Iterator[Response]:  # noqa: ARG002
        """Yield the responses of each line."""
        for path in files:
            for row in json_lines(path):
                yield from _responses(row)

    def write(self, groups: Iterable[Group], folder: Path) -> list[Path]:
        """Write one line per problem."""
        return [write_lines(folder / "outputs.jsonl", map(_line, groups))]


def _responses(row: Row) -> Iterator[Response]:
    """Yield the responses of one line."""
    optional = [name for name in ("pred", "score", "finish_reason") if name in row.values]
    count = row.lists(["code", *optional])
    # `idx` is no position: it counts a whole data set, of which a benchmark may use a part.
    key = ProblemKey(question=row.get("question", str))
    stored = roundtrip_list(row, count)
    columns = {name: row.values[name] for name in optional}
    for index, text in enumerate(row.values["code"]):
        score, pred, ended = (
            columns[name][index] if name in columns else None
            for name in ("score", "pred", "finish_reason")
        )
        yield Response(
            row,
            key,
            text,
            finish_reason=FINISH_REASONS.get(str(ended), "unknown"),
            verdict=verdict_of(score),
            answer=None if pred in (None, "") else str(pred),
            roundtrip=stored[index],
        )


def _line(group: Group) -> dict[str, Any]:
    """Return one problem as a line."""
    gold = json.loads(group.problem.gold)
    return {
        "idx": group.position,
        "question": group.problem.question,
        "gt_cot": "",
        "gt": str(gold),
        "answer": gold,
        "code": [sample.text for sample, _ in group.rows],
        "pred": answers(group.rows),
        "report": [None] * len(group.rows),
        "finish_reason": [sample.finish_reason for sample, _ in group.rows],
        "score": [is_correct(row) for row in group.rows],
        KEY: [roundtrip_fields(row, row[0].text) for row in group.rows],
    }
