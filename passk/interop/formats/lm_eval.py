"""lm-evaluation-harness: `samples_TASK_DATE.jsonl` as `--log_samples` writes it.

One line per document and filter. `resps` holds a list per request, with a response per repeat.
The metrics of a line are of the whole document, and so a verdict only where it has one response.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from passk.core.schemas import VerdictName
from passk.interop.base import Group, Key, Options, Response
from passk.interop.files import Row, field_of, json_lines
from passk.interop.roundtrip_fields import (
    KEY,
    answers,
    is_correct,
    own_fields,
    own_list,
    write_lines,
)

METRICS = ("exact_match", "acc", "pass@1", "pass_at_1", "math_verify", "prompt_level_strict_acc")
"""Metrics that are 1 for a correct response and 0 for another, in order of preference."""


class LmEval:
    """Reads and writes the samples of lm-evaluation-harness."""

    def read(self, files: Sequence[Path], options: Options) -> Iterator[Response]:
        """Yield the responses of one filter, that of the first line where none is named."""
        wanted = options.filter
        for path in files:
            for row, where in json_lines(path):
                name = str(row.get("filter", "none"))
                wanted = name if wanted is None else wanted
                if name == wanted:
                    yield from _responses((row, where))

    def write(self, groups: Iterable[Group], folder: Path) -> list[Path]:
        """Write one line per problem."""
        return [write_lines(folder / "samples_passk.jsonl", map(_line, groups))]


def _responses(found: Row) -> Iterator[Response]:
    """Yield the responses of one line."""
    row, where = found
    doc = field_of(row, "doc", where, (dict, str))
    texts = [text for request in field_of(row, "resps", where, list) for text in _flat(request)]
    key = Key(
        id=_id(doc),
        questions=tuple(_texts(doc)),
        prompt="\n".join(_texts(row.get("arguments", {}))),
        position=int(field_of(row, "doc_id", where, int)),
    )
    own = own_list(row, len(texts), where)
    verdict = _verdict(row) if len(texts) == 1 else None
    filtered = list(_flat(row.get("filtered_resps", [])))
    answer = filtered[0] if len(texts) == 1 and len(filtered) == 1 else None
    for text, mine in zip(texts, own, strict=True):
        yield Response(where, key, text, verdict=verdict, answer=answer, own=mine)


def _id(doc: Any) -> str | None:
    """Return the id that a document may have."""
    names = ("task_id", "unique_id", "question_id", "id")
    found = [doc[name] for name in names if isinstance(doc, Mapping) and name in doc]
    return str(found[0]) if found else None


def _flat(value: Any) -> Iterator[str]:
    """Yield the texts of nested lists."""
    if isinstance(value, list):
        for item in value:
            yield from _flat(item)
    else:
        yield value if isinstance(value, str) else json.dumps(value)


def _texts(value: Any) -> Iterator[str]:
    """Yield the texts of nested values."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping | list):
        for item in value.values() if isinstance(value, Mapping) else value:
            yield from _texts(item)


def _verdict(row: Mapping[str, Any]) -> VerdictName | None:
    """Return what the metric of a line says of its only response."""
    for name in METRICS:
        value = row.get(name)
        if isinstance(value, bool | int | float) and value in (0, 1):
            return "correct" if value else "wrong"
    return None


def _line(group: Group) -> dict[str, Any]:
    """Return one problem as a line."""
    problem, texts = group.problem, [sample.text for sample, _ in group.rows]
    doc = {"id": problem.id, "question": problem.question, "answer": json.loads(problem.gold)}
    target = str(doc["answer"])
    return {
        "doc_id": group.position,
        "doc": doc,
        "target": target,
        "arguments": {"gen_args_0": {"arg_0": problem.question, "arg_1": {}}},
        "resps": [texts],
        "filtered_resps": [answers(group.rows)],
        "filter": "none",
        "metrics": ["exact_match"],
        "doc_hash": _sha256(json.dumps(doc, indent=2, ensure_ascii=False)),
        "prompt_hash": _sha256(problem.question),
        "target_hash": _sha256(target),
        "exact_match": sum(map(is_correct, group.rows)) / len(group.rows),
        KEY: [own_fields(row, row[0].text) for row in group.rows],
    }


def _sha256(text: str) -> str:
    """Return the hash that the harness puts beside a document."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
