"""The evaluation of Qwen2.5-Math, as SimpleRL and limit-of-RLVR use it: a line per problem.

`code` holds the responses, `pred` the answers, `score` the verdicts, and `finish_reason` (in
limit-of-RLVR and SimpleRL) why each ended. Problems are told by their `question`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from passk.core.schemas import FinishReason
from passk.interop.base import Group, Key, Options, Response
from passk.interop.files import field_of, json_lines, same_length
from passk.interop.roundtrip_fields import (
    KEY,
    answers,
    is_correct,
    own_fields,
    own_list,
    write_lines,
)

FINISHED: dict[Any, FinishReason] = {"stop": "stop", "length": "length"}


class QwenMath:
    """Reads and writes the outputs of that evaluation."""

    def read(self, files: Sequence[Path], options: Options) -> Iterator[Response]:  # noqa: ARG002
        """Yield the responses of each line."""
        for path in files:
            for row, where in json_lines(path):
                yield from _responses(row, where)

    def write(self, groups: Iterable[Group], folder: Path) -> list[Path]:
        """Write one line per problem."""
        return [write_lines(folder / "outputs.jsonl", map(_line, groups))]


def _responses(row: dict[str, Any], where: str) -> Iterator[Response]:
    """Yield the responses of one line."""
    lists = ["code", *(name for name in ("pred", "score", "finish_reason") if name in row)]
    for name in lists:
        field_of(row, name, where, list)
    count = same_length(row, lists, where)
    # A place is not taken from `idx`: it is that of a whole data set, of which few may be used.
    key = Key(questions=(field_of(row, "question", where, str),))
    own = own_list(row, count, where)
    ended = row.get("finish_reason") or [None] * count
    for index in range(count):
        score = row["score"][index] if "score" in row else None
        pred = row["pred"][index] if "pred" in row else None
        yield Response(
            where,
            key,
            row["code"][index],
            finish_reason=FINISHED.get(str(ended[index]), "unknown"),
            verdict=None if score is None else "correct" if score else "wrong",
            answer=None if pred in (None, "") else str(pred),
            own=own[index],
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
        KEY: [own_fields(row, row[0].text) for row in group.rows],
    }
