"""EvalScope: `predictions/MODEL/*.jsonl`, or `reviews/MODEL/*.jsonl` with verdicts.

In 1.x a prediction has `model_output` and `messages`; a review has `sample_score` and `messages`
(the response last), or in 1.0 `input`, with the response in its score. Repeats are lines with other
`index`. In 0.x both have the dataset's row as `raw_input` and the responses as `choices`, each with
a `review` once it is judged.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from passk.core.errors import DataError
from passk.core.row_files import Row, json_lines
from passk.core.schemas import VerdictName
from passk.interop.base import FINISH_REASONS, ProblemKey, ReadOptions, Response, verdict_of
from passk.interop.files import text_of


class EvalScope:
    """Reads the predictions and reviews of EvalScope."""

    endings: ClassVar = (".jsonl",)

    def read(self, files: Sequence[Path], options: ReadOptions) -> Iterator[Response]:  # noqa: ARG002
        """Yield the response of each line."""
        for path in files:
            for row in json_lines(path):
                yield from _choices(row) if "raw_input" in row.values else [_response(row)]


def _choices(row: Row) -> Iterator[Response]:
    """Yield the responses of a line of 0.x."""
    fields = row.get("raw_input", dict).values()
    key = ProblemKey(prompt="\n".join(text for text in fields if isinstance(text, str)))
    for choice in row.get("choices", list) or [{}]:
        if not isinstance(choice, Mapping):
            raise DataError("key 'choices' is not a list of choices", where=row.location)
        review = choice.get("review") or {}
        answer = review.get("pred")
        yield Response(
            row,
            key,
            text_of(choice.get("message")),
            finish_reason=FINISH_REASONS.get(str(choice.get("finish_reason")), "unknown"),
            verdict=verdict_of(review.get("result")),
            answer=answer if isinstance(answer, str) else None,
        )


def _response(row: Row) -> Response:
    """Return a line as a response."""
    messages = row.values.get("messages") or []
    if not all(isinstance(message, Mapping) for message in messages):
        raise DataError("key 'messages' is not a list of messages", where=row.location)
    asked = [text_of(m.get("content")) or "" for m in messages if m.get("role") == "user"]
    replies = [text_of(m.get("content")) for m in messages if m.get("role") == "assistant"]
    if "model_output" in row.values:
        choices = row.get("model_output", dict).get("choices") or [{}]
        text = text_of((choices[0].get("message") or {}).get("content"))
        ended = str(choices[0].get("stop_reason"))
    else:
        score = row.get("sample_score", dict).get("score") or {}
        text, ended = replies[-1] if replies else score.get("prediction"), ""
    verdict, answer, detail = _score(row.values.get("sample_score") or {})
    return Response(
        row,
        ProblemKey(prompt="\n".join(asked) or str(row.values.get("input", ""))),
        text,
        finish_reason=FINISH_REASONS.get(ended, "unknown"),
        verdict=verdict,
        answer=answer,
        detail=detail,
    )


def _score(found: Mapping[str, Any]) -> tuple[VerdictName | None, str | None, str]:
    """Return verdict, answer and explanation of a review's score."""
    score = found.get("score") or {}
    values = score.get("value") or {}
    name = score.get("main_score_name") or next(iter(values), None)
    answer = score.get("extracted_prediction")
    known = answer if isinstance(answer, str) else None
    return verdict_of(values.get(name)), known, str(score.get("explanation") or "")
