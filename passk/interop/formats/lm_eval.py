"""lm-evaluation-harness: `samples_TASK_DATE.jsonl`, as `--log_samples` writes it.

One line per document and filter; `resps` has a list per request with a response per repeat. Up to
0.4.6 lines do not name their filter. The metrics of a line are those of the whole document, so
they are a verdict only if it has one response.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from passk.core.artifacts import write_json
from passk.core.errors import DataError
from passk.core.row_files import Row, json_lines
from passk.core.schemas import VerdictName
from passk.interop.base import Group, ProblemKey, ReadOptions, Response, verdict_of
from passk.interop.code_responses import fence_program
from passk.interop.roundtrip_fields import (
    KEY,
    answers,
    is_correct,
    roundtrip_fields,
    roundtrip_list,
    write_lines,
)
from passk.verifiers.code.extract_code import extract_code

METRICS = ("exact_match", "acc", "pass@1", "pass_at_1", "math_verify", "prompt_level_strict_acc")
"""Metrics that are 1 for a correct response and 0 for another, in order of preference."""

DATE = "2000-01-01T00-00-00.000000"
"""Date in the names of exported files: the same export gives the same names."""


class LmEval:
    """Reads and writes the logs of lm-evaluation-harness."""

    endings: ClassVar = (".jsonl",)
    code: ClassVar = False

    def read(self, files: Sequence[Path], options: ReadOptions) -> Iterator[Response]:
        """Yield the responses of one filter: the named one, or that of the first line."""
        selected = options.filter
        for path in files:
            filters = _Filters()
            for row in json_lines(path):
                name = filters.name_of(row)
                if selected is None:
                    selected = name
                    options.notes["filter"] = name
                if name == selected:
                    yield from _responses(row, options)
            others = sorted(filters.names - {str(selected)})
            if selected not in filters.names and filters.names:
                raise DataError(
                    f"no filter '{selected}'; present: {', '.join(others)}",
                    where=str(path),
                    fix="--filter NAME",
                )
            if others:
                options.notes["filter"] = f"{selected} (also present: {', '.join(others)})"

    def write(self, groups: Iterable[Group], folder: Path) -> list[Path]:
        """Write one line per problem and the results, in files named as the harness names them."""
        correct: list[float | None] = []
        model = folder.name.partition(".")[0]
        task = folder.name.partition(".")[2].partition(".")[0] or "passk"

        def lines() -> Iterator[dict[str, Any]]:
            for group in groups:
                line = _line(group)
                correct.append(line.get("exact_match"))
                yield line

        samples = write_lines(folder / f"samples_{task}_{DATE}.jsonl", lines())
        results = folder / f"results_{DATE}.json"
        write_json(results, _results(model, task, correct))
        return [samples, results]


class _Filters:
    """The filters of one file: named by its lines or, before 0.4.7, numbered by their order."""

    def __init__(self) -> None:
        """Start without any."""
        self.names: set[str] = set()
        self._seen: dict[tuple[Any, str], bytes] = {}
        self._lines: dict[Any, int] = {}

    def name_of(self, row: Row) -> str:
        """Return the filter of a line.

        Raises:
            DataError: a document occurs twice with different responses, or under one filter.
        """
        document = row.get("doc_id", int)
        responses = row.get("resps", list)
        digest = hashlib.blake2b(json.dumps(responses).encode(), digest_size=8).digest()
        stated = row.values.get("filter")
        if stated is None:
            self._lines[document] = self._lines.get(document, 0) + 1
            name = str(self._lines[document])
            if self._seen.setdefault((document, ""), digest) != digest:
                raise DataError(
                    f"document {document} occurs twice with different responses",
                    where=row.location,
                    fix="import each run's file separately",
                )
        else:
            name = str(stated)
            if (document, name) in self._seen:
                raise DataError(
                    f"document {document} occurs twice under filter '{name}'",
                    where=row.location,
                    fix="import each run's file once",
                )
            self._seen[document, name] = digest
        self.names.add(name)
        return name


def _responses(row: Row, options: ReadOptions) -> Iterator[Response]:
    """Yield the responses of one line."""
    doc = row.get("doc", (dict, str))
    texts = [text for request in row.get("resps", list) for text in _flatten(request)]
    prompt = "\n".join(_texts(row.values.get("arguments", {})))
    key = ProblemKey(
        id=_id(doc, options),
        texts=tuple(_texts(doc)),
        prompt=prompt,
        position=row.get("doc_id", int),
    )
    stored = roundtrip_list(row, len(texts))
    single = len(texts) == 1
    filtered = list(_flatten(row.values.get("filtered_resps", [])))
    for text, fields in zip(texts, stored, strict=True):
        program = options.code and not options.completion and fields is None
        yield Response(
            row,
            key,
            _program(text, doc, prompt) if program else text,
            verdict=_verdict(row.values) if single else None,
            answer=filtered[0] if single and len(filtered) == 1 and not options.code else None,
            roundtrip=fields,
        )


def _program(text: str, doc: Any, prompt: str) -> str:
    """Return the response to a code task as a fenced program, joined to its prompt.

    As the harness does: where its prompt opens a fence, the program ends with that fence; a
    document with a `prompt` (HumanEval) asks for a continuation of it.
    """
    start = doc.get("prompt", "") if isinstance(doc, Mapping) else ""
    if prompt.count("```") % 2:
        text = text.partition("```")[0]
    elif extract_code(text) is not None:
        return text
    return fence_program(str(start) + text)


def _id(doc: Any, options: ReadOptions) -> str | None:
    """Return the id that a document may have, as the benchmark writes it."""
    names = ("task_id", "unique_id", "question_id", "id")
    found = [str(doc[name]) for name in names if isinstance(doc, Mapping) and name in doc]
    if not found:
        return None
    mbpp = f"Mbpp/{found[0]}"
    return mbpp if mbpp in options.problems else found[0]


def _flatten(value: Any) -> Iterator[str]:
    """Yield the texts of nested lists."""
    if isinstance(value, list):
        for item in value:
            yield from _flatten(item)
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
    return next(filter(None, (verdict_of(row.get(name)) for name in METRICS)), None)


def _line(group: Group) -> dict[str, Any]:
    """Return one problem as a line."""
    problem, texts = group.problem, [sample.text for sample, _ in group.rows]
    doc = {"id": problem.id, "question": problem.question, "answer": json.loads(problem.gold)}
    target = str(doc["answer"])
    graded = all(verdict for _, verdict in group.rows)
    score = {"exact_match": sum(map(is_correct, group.rows)) / len(group.rows)} if graded else {}
    return {
        "doc_id": group.position,
        "doc": doc,
        "target": target,
        "arguments": {"gen_args_0": {"arg_0": problem.question, "arg_1": {}}},
        "resps": [texts],
        "filtered_resps": [answers(group.rows)],
        "filter": "none",
        "metrics": list(score),
        "doc_hash": _sha256(json.dumps(doc, indent=2, ensure_ascii=False)),
        "prompt_hash": _sha256(problem.question),
        "target_hash": _sha256(target),
        **score,
        KEY: [roundtrip_fields(row, row[0].text) for row in group.rows],
    }


def _results(model: str, task: str, correct: Sequence[float | None]) -> dict[str, Any]:
    """Return the results file: the mean over problems, and which task it is of."""
    known = [value for value in correct if value is not None]
    mean = sum(known) / len(known) if known and len(known) == len(correct) else None
    return {
        "results": {task: {"alias": task, "exact_match,none": mean}},
        "n-samples": {task: {"original": len(correct), "effective": len(correct)}},
        "configs": {task: {"task": task, "output_type": "generate_until"}},
        "versions": {task: "passk"},
        "n-shot": {task: None},
        "higher_is_better": {task: {"exact_match": True}},
        "config": {"model": model, "model_args": ""},
        "model_name": model,
        "model_name_sanitized": model,
    }


def _sha256(text: str) -> str:
    """Return the hash that the harness stores beside a document."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
