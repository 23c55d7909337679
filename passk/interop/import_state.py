"""State of an import: rows made from responses, and the counts for its manifest."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from passk.core.errors import DataError
from passk.core.schemas import Sample, Verdict
from passk.interop.base import ProblemKey, Response
from passk.interop.duplicates import DuplicateCheck
from passk.interop.problem_matching import Matcher
from passk.interop.roundtrip_fields import restore_sample, restore_verdict

NAN = float("nan")


@dataclass
class ImportState:
    """What has been read so far.

    Attributes:
        matcher: finds the problems.
        null_as_failed: count a null as an empty, hence failed, response.
        n: problem -> responses.
        correct: problem -> responses that the source calls correct.
        highest: problem -> highest sample index, of responses that passk exported.
        verdicts: the source's verdict -> responses.
        finish_reasons: finish reason -> responses.
        replaced: responses with lone surrogates.
        nulls: responses that were null.
    """

    matcher: Matcher
    null_as_failed: bool = False
    n: Counter[str] = field(default_factory=Counter)
    correct: Counter[str] = field(default_factory=Counter)
    highest: dict[str, int] = field(default_factory=dict)
    verdicts: Counter[str] = field(default_factory=Counter)
    finish_reasons: Counter[str] = field(default_factory=Counter)
    replaced: int = 0
    nulls: int = 0
    duplicates: DuplicateCheck = field(default_factory=DuplicateCheck)
    _indices: dict[str, set[int]] = field(default_factory=dict)

    def make_sample(self, response: Response, problem_id: str) -> Sample:
        """Return a response as a row, numbered from 0 within its problem."""
        text = self._text(response)
        if response.roundtrip is not None:
            made = restore_sample(problem_id, text, response.roundtrip, response.row.location)
            self._note_index(problem_id, made.sample, response.row.location)
        else:
            index, ended = self.n[problem_id], response.finish_reason
            made = Sample(problem_id, index, 0, text, [], 0, ended, NAN, NAN)
            # A program of its own file belongs to the run of its folder.
            file = response.row.file
            run = file if file.suffix != ".py" else file.parent.parent
            self.duplicates.add(run, problem_id, text)
        self.n[problem_id] += 1
        self.finish_reasons[made.finish_reason] += 1
        self.replaced += not made.text.isascii() and _has_surrogate(made.text)
        return made

    def add_counts(self, key: ProblemKey, n: int, correct: int, location: str) -> None:
        """Record counts of a problem in place of its responses, or raise if it has some already."""
        problem_id = self.matcher.find(key, location)
        if problem_id in self.n:
            raise DataError(f"problem '{problem_id}' occurs a second time", where=location)
        if problem_id is not None:
            self.n[problem_id], self.correct[problem_id] = n, correct
            self.verdicts += Counter(correct=correct, wrong=n - correct)

    def _text(self, response: Response) -> str:
        """Return the text of a response, or raise if it is none."""
        if response.text is None and self.null_as_failed:
            self.nulls += 1
            return ""
        if not isinstance(response.text, str):
            raise DataError(
                f"the response is {response.text!r:.40}, not text",
                where=response.row.location,
                fix="--null-as-failed counts nulls as failed responses"
                if response.text is None
                else "map another column to `text`",
            )
        return response.text

    def _note_index(self, problem_id: str, index: int, location: str) -> None:
        """Raise if an index is not new."""
        seen = self._indices.setdefault(problem_id, set())
        if index in seen or not isinstance(index, int) or index < 0:
            raise DataError(
                f"response {index} of problem '{problem_id}' occurs a second time", where=location
            )
        seen.add(index)
        self.highest[problem_id] = max(index, self.highest.get(problem_id, 0))

    def make_verdict(self, response: Response, sample: Sample) -> Verdict | None:
        """Return the source's verdict on a response, if any."""
        if response.roundtrip is not None:
            found = restore_verdict(sample, response.roundtrip, response.row.location)
        elif response.text is None:
            found = Verdict(sample.problem_id, sample.sample, "no_answer", None, None, NAN, "null")
        elif response.verdict is None:
            return None
        else:
            known = (response.verdict, response.answer, None, NAN, response.detail)
            found = Verdict(sample.problem_id, sample.sample, *known)
        if found is not None:
            self.verdicts[found.verdict] += 1
            self.correct[sample.problem_id] += found.verdict == "correct"
        return found

    def summary(self, problems: int) -> Mapping[str, Any]:
        """Return the counts for the manifest."""
        per_n = Counter(self.n.values())
        return {
            "problems": problems,
            "responses": self.n.total(),
            "n": {str(n): per_n[n] for n in sorted(per_n, reverse=True)},
            "verdicts": self.verdicts.total(),
            "foreign": dict(self.verdicts),
            "finish_reasons": dict(self.finish_reasons),
            "matched_by": dict(self.matcher.matched_by),
            "skipped_responses": self.matcher.skipped.total(),
            "skipped_problems": sorted(self.matcher.skipped),
            "repeated_responses": self.duplicates.repeated,
            "null_responses": self.nulls,
            "lone_surrogates_replaced": self.replaced,
        }


def _has_surrogate(text: str) -> bool:
    """Return whether a text has a lone surrogate, which UTF-8 and so Parquet cannot store."""
    return any("\ud800" <= character <= "\udfff" for character in text)
