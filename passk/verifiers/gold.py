"""Gold answers as a problem stores them: the JSON of a string, a number, or a list of those."""

from __future__ import annotations

import json


def gold_answers(gold: str) -> list[str]:
    """Return the gold answers as text, from the JSON of `Problem.gold`.

    >>> gold_answers('["1", 2]'), gold_answers("27.0")
    (['1', '2'], ['27.0'])

    Raises:
        ValueError: `gold` is not JSON, or holds no answer, or something else than answers.
    """
    # Numbers stay as they are written: 0.10 must not become 0.1 nor 1e400 infinity.
    value = json.loads(gold, parse_float=str, parse_int=str, parse_constant=str)
    answers = value if isinstance(value, list) else [value]
    if not answers or not all(isinstance(answer, str) for answer in answers):
        raise ValueError(f"a gold answer is a string, a number or a list of those, not {gold:.60}")
    if not all(answer.strip() for answer in answers):
        raise ValueError("a gold answer is empty")
    return answers
