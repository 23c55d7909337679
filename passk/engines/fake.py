"""A public fake: responses with a declared success rate per problem, no model.

The whole DAG runs with it in seconds. It needs no weights, and then answers any digit; those that
declare something are a JSONL file, one row per problem:
{"problem_id": "sum2-000", "rate": 0.3, "correct": " 95", "wrong": [" 94", " 85"], "seconds": 0}.
"""

from __future__ import annotations

import dataclasses
import json
import math
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from passk.core.errors import EngineError
from passk.core.schemas import Sample, Score
from passk.engines.base import ModelSource, Prompt, Request, Sampling, ScoreRequest
from passk.engines.tokens import prompt_digest

SECONDS = "PASSK_FAKE_SECONDS"
"""Environment variable: seconds per response in place of the declared ones. What is drawn depends
on the declaration, and so a slow run and a quick one draw the same."""


@dataclass(frozen=True, slots=True)
class FakeProblem:
    """What the fake knows of one problem: each text it may say, with its probability."""

    texts: tuple[str, ...]
    weights: tuple[float, ...]
    seconds: float

    def at(self, temperature: float) -> tuple[float, ...]:
        """Return the probabilities at a temperature: p^(1/T), normalised; 0 is the likeliest."""
        if temperature == 0:
            best = self.weights.index(max(self.weights))
            return tuple(float(index == best) for index in range(len(self.weights)))
        powers = [weight ** (1 / temperature) for weight in self.weights]
        return tuple(power / sum(powers) for power in powers)


ANY_DIGIT = FakeProblem(tuple(f" {digit}" for digit in range(10)), (0.1,) * 10, 0.0)
"""Every problem, where no weights declare any."""


class FakeEngine:
    """Draws from the declared texts; one token is one byte of text."""

    packages: tuple[str, ...] = ()
    device = "none"
    dtype = ""
    vocabulary = "bytes"

    def __init__(self, problems: Mapping[str, FakeProblem], where: str) -> None:
        """Keep the declared problems; `where` names their file in messages."""
        self._problems, self._where = problems, where

    @classmethod
    def load(cls, model: ModelSource) -> FakeEngine:
        """Read the declared problems.

        Raises:
            EngineError: the file is missing or a line of it is not of the form above.
        """
        if not model.weights:
            return cls({}, "")
        try:
            lines = Path(model.weights).read_text(encoding="utf-8").splitlines()
        except OSError as error:
            raise EngineError(
                f"weights cannot be read: {error.strerror}", where=model.weights
            ) from error
        problems = {}
        for number, line in enumerate(lines, start=1):
            try:
                row = json.loads(line)
                problems[row["problem_id"]] = _fake_problem(row)
            except (ValueError, KeyError, TypeError, ZeroDivisionError) as error:
                raise EngineError(
                    f"not a fake problem: {error!r}", where=f"{model.weights}:{number}"
                ) from error
        return cls(problems, model.weights)

    def sample(self, requests: Sequence[Request], sampling: Sampling) -> Iterator[Sample]:
        """Yield one response per sample index, each from its own seed."""
        for request in requests:
            problem = self._problem(request.problem_id)
            chances = problem.at(sampling.temperature)
            digest = prompt_digest(_shown(request.prompt).encode("utf-8", "replace"))
            for sample, seed in zip(request.samples, request.seeds, strict=True):
                text = Random(seed).choices(problem.texts, chances)[0]  # noqa: S311 - a draw, not a secret
                time.sleep(float(os.environ.get(SECONDS, problem.seconds)))
                row = _response(request.problem_id, sample, seed, text, problem, sampling)
                yield dataclasses.replace(row, prompt_digest=digest)

    def score(self, requests: Sequence[ScoreRequest]) -> Iterator[Score]:
        """Yield the declared log-probability of each text, a millionth for one not declared."""
        for request in requests:
            problem = self._problem(request.problem_id)
            logprob = math.log(
                dict(zip(problem.texts, problem.weights, strict=True)).get(request.text) or 1e-6
            )
            n_tokens = max(1, len(request.text.encode("utf-8", "replace")))
            perplexity = math.exp(-logprob / n_tokens)
            yield Score(request.problem_id, request.sample, n_tokens, logprob, perplexity)

    def _problem(self, problem_id: str) -> FakeProblem:
        """Return what is declared of a problem; without weights, any digit is as likely."""
        if not self._where:
            return ANY_DIGIT
        try:
            return self._problems[problem_id]
        except KeyError as error:
            raise EngineError(f"no line for problem '{problem_id}'", where=self._where) from error


def _shown(prompt: Prompt) -> str:
    """Return a prompt as one text."""
    if prompt.text is not None:
        return prompt.text + prompt.prefix
    return "".join(f"<{role}>{content}" for role, content in prompt.messages) + prompt.prefix


def _fake_problem(row: Mapping[str, Any]) -> FakeProblem:
    """Return one row of the weights file as probabilities of texts."""
    rate, wrong = float(row["rate"]), list(row["wrong"])
    weights = (rate, *((1 - rate) / len(wrong) for _ in wrong))
    return FakeProblem((row["correct"], *wrong), weights, float(row.get("seconds", 0)))


def _response(
    problem_id: str, sample: int, seed: int, text: str, problem: FakeProblem, sampling: Sampling
) -> Sample:
    """Return a response cut at max_tokens bytes."""
    tokens = list(text.encode("utf-8"))
    kept = tokens[: sampling.max_tokens]
    chances = dict(zip(problem.texts, problem.weights, strict=True))
    entropy = -sum(p * math.log(p) for p in problem.at(sampling.temperature) if p > 0)
    return Sample(
        problem_id=problem_id,
        sample=sample,
        seed=seed,
        text=bytes(kept).decode("utf-8", "ignore"),
        token_ids=kept,
        n_tokens=len(kept),
        finish_reason="stop" if kept == tokens else "length",
        sum_logprob=math.log(chances[text]),
        mean_entropy=entropy / max(1, len(kept)),
    )
