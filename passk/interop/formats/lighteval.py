"""lighteval: `details_TASK_DATE.parquet`, a row per document.

Since 0.9 rows have `doc`, `model_response` and `metric`; before, `full_prompt`, `predictions` and
`metrics`. A row's metrics are a verdict only if it has one response.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from passk.core.errors import DataError
from passk.core.row_files import Row, parquet_rows
from passk.core.schemas import VerdictName
from passk.interop.base import ProblemKey, ReadOptions, Response, verdict_of
from passk.interop.files import text_of


class LightEval:
    """Reads the details of lighteval."""

    endings: ClassVar = (".parquet",)

    def read(self, files: Sequence[Path], options: ReadOptions) -> Iterator[Response]:
        """Yield the responses of each row."""
        for path in files:
            for row in parquet_rows(path):
                yield from _responses(row, options)


def _responses(row: Row, options: ReadOptions) -> Iterator[Response]:
    """Yield the responses of one row."""
    values = row.values
    if "model_response" in values:
        doc, model = row.get("doc", dict), row.get("model_response", dict)
        prompt, texts = text_of(doc.get("query")), model.get("text")
        metrics = values.get("metric")
    else:
        prompt, texts = text_of(row.get("full_prompt", str)), values.get("predictions")
        metrics = values.get("metrics")
    if isinstance(texts, str):
        texts = _literal(texts)
    if not isinstance(texts, list):
        raise DataError("has no list of generated texts", where=row.location)
    name, verdict = _verdict(metrics) if len(texts) == 1 else ("", None)
    if name:
        options.notes["metric"] = name
    for text in texts:
        yield Response(row, ProblemKey(prompt=prompt or ""), text, verdict=verdict)


def _literal(text: str) -> Any:
    """Return a list that an old version stored as its Python text."""
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return None


def _verdict(metrics: Mapping[str, object] | None) -> tuple[str, VerdictName | None]:
    """Return the first metric that is 0 or 1, and the verdict that it gives."""
    verdicts = {name: verdict_of(value) for name, value in (metrics or {}).items()}
    return next(((name, found) for name, found in verdicts.items() if found), ("", None))
