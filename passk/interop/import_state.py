"""What an import has taken so far: rows made of responses, and the counts of its manifest."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from passk.core.errors import DataError
from passk.core.schemas import Sample, Verdict
from passk.interop.base import Response
from passk.interop.problem_matching import Matcher
from passk.interop.roundtrip_fields import own_sample, own_verdict


@dataclass
class Taken:
    """What has been taken so far."""

    matcher: Matcher
    n: Counter[str] = field(default_factory=Counter)
    highest: dict[str, int] = field(default_factory=dict)
    seen: dict[str, set[int]] = field(default_factory=dict)
    verdicts: Counter[str] = field(default_factory=Counter)
    ended: Counter[str] = field(default_factory=Counter)
    replaced: int = 0

    def sample(self, response: Response, problem_id: str) -> Sample:
        """Return a response as a row, counted from 0 within its problem."""
        text = response.text
        if not isinstance(text, str):
            raise DataError(f"the response is {text!r:.40}, not text", where=response.where)
        if response.own is not None:
            made = own_sample(problem_id, text, response.own, response.where)
            self._note_index(problem_id, made.sample, response.where)
        else:
            nan = float("nan")
            index, ended = self.n[problem_id], response.finish_reason
            made = Sample(problem_id, index, 0, text, [], 0, ended, nan, nan)
        self.n[problem_id] += 1
        self.ended[made.finish_reason] += 1
        self.replaced += not made.text.isascii() and _has_surrogate(made.text)
        return made

    def _note_index(self, problem_id: str, index: int, where: str) -> None:
        """Refuse an index that has been there before."""
        seen = self.seen.setdefault(problem_id, set())
        if index in seen or not isinstance(index, int) or index < 0:
            raise DataError(
                f"response {index} of problem '{problem_id}' occurs a second time", where=where
            )
        seen.add(index)
        self.highest[problem_id] = max(index, self.highest.get(problem_id, 0))

    def verdict(self, response: Response, sample: Sample) -> Verdict | None:
        """Return what the source said of a response, if anything."""
        if response.own is not None:
            found = own_verdict(sample, response.own, response.where)
        elif response.verdict is None:
            return None
        else:
            known = (response.verdict, response.answer, None, float("nan"), response.detail)
            found = Verdict(sample.problem_id, sample.sample, *known)
        if found is not None:
            self.verdicts[found.verdict] += 1
        return found

    def facts(self, problems: int) -> dict[str, Any]:
        """Return the counts for the manifest."""
        per_n = Counter(self.n.values())
        return {
            "problems": problems,
            "responses": self.n.total(),
            "n": {str(n): per_n[n] for n in sorted(per_n, reverse=True)},
            "verdicts": self.verdicts.total(),
            "foreign": dict(self.verdicts),
            "finish_reasons": dict(self.ended),
            "lone_surrogates_replaced": self.replaced,
        }


def _has_surrogate(text: str) -> bool:
    """Tell whether a text holds a lone surrogate, which UTF-8 and so Parquet cannot."""
    return any("\ud800" <= character <= "\udfff" for character in text)
