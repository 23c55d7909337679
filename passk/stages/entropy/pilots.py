"""Pilot responses at one temperature after the other, kept in a journal."""

from __future__ import annotations

import dataclasses
import hashlib
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from passk.core.artifacts import environment
from passk.core.documents import from_document
from passk.core.errors import EngineError
from passk.core.journal import Journal
from passk.core.schemas import Problem, Sample
from passk.engines.base import Engine, Request
from passk.engines.loader import Progress, load_engine, source_of, template_of
from passk.engines.prompts import render
from passk.spec.sampling import Sampling
from passk.stages.sampling_task import SamplingTask

MOST_TRIALS = 16
"""Temperatures that are tried at the most."""

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Pilot:
    """Responses drawn at one temperature.

    Attributes:
        temperature: at which they were drawn.
        entropies: sum of token entropies per problem, in nats; shape (P,).
        tokens: number of tokens per problem, shape (P,).
    """

    temperature: float
    entropies: Floats
    tokens: Floats

    @property
    def entropy(self) -> float:
        """Mean entropy of a token, in nats."""
        return float(self.entropies.sum() / self.tokens.sum())


class Pilots:
    """Draws pilots of a cell and its base, one trial after the other, and keeps them.

    Trial t has the sample indices t * responses onward in one journal, so that a killed search
    goes on where it was: which temperature a trial has follows from the trials before it. Seeds
    are the same at every temperature.
    """

    def __init__(
        self,
        documents: Mapping[str, SamplingTask],
        problems: Sequence[Problem],
        journal: Journal[Sample],
        threads: int | None,
        progress: Progress | None,
    ) -> None:
        """Keep what is drawn from; nothing is loaded yet."""
        self._documents, self._problems = documents, problems
        self._journal, self._threads, self._progress = journal, threads, progress
        self._responses = int(documents["tuned"]["match"]["responses"])
        self._engine: tuple[str, Engine] | None = None
        self.facts: dict[str, object] = {}

    def draw(self, who: str, trial: int, temperature: float) -> Pilot:
        """Return the pilot of one trial, drawn as far as the journal does not hold it."""
        document = self._documents[who]
        settings = {**document["sampling"], "temperature": temperature}
        sampling = from_document(Sampling, settings, document["cell"])
        wanted = range(trial * self._responses, (trial + 1) * self._responses)
        requests = list(self._requests(document, wanted))
        if requests:
            for row in self._loaded(who).sample(requests, sampling):
                _check(row, document)
                self._journal.append(row)
                if self._progress is not None:
                    done = len(self._journal.rows)
                    self._progress(done, max(done, MOST_TRIALS // 2 * self._size))
        rows = [[self._journal.rows[p.id, index] for index in wanted] for p in self._problems]
        sums = [sum(row.mean_entropy * row.n_tokens for row in group) for group in rows]
        counts = [sum(row.n_tokens for row in group) for group in rows]
        return Pilot(temperature, np.array(sums, float), np.array(counts, float))

    @property
    def _size(self) -> int:
        """Responses of one pilot."""
        return len(self._problems) * self._responses

    def _requests(self, document: SamplingTask, wanted: range) -> Iterator[Request]:
        """Yield what is still to be drawn."""
        template = template_of(document)
        for problem in self._problems:
            left = tuple(i for i in wanted if (problem.id, i) not in self._journal.rows)
            if left:
                seeds = tuple(_seed(problem.id, index % self._responses) for index in left)
                yield Request(problem.id, render(template, problem), left, seeds)

    def _loaded(self, who: str) -> Engine:
        """Return the engine of the base or of the tuned model; one is held at a time."""
        if self._engine is None or self._engine[0] != who:
            self._engine = None
            document = self._documents[who]
            source = source_of(document, self._threads)
            execution = {**source.execution, "entropy": True}
            source = dataclasses.replace(source, execution=execution)
            self._engine = who, load_engine(document["engine"], source)
            self.facts[who] = {
                "engine": document["engine"],
                "device": self._engine[1].device,
                "dtype": self._engine[1].dtype,
                "environment": environment(self._engine[1].packages),
            }
        return self._engine[1]


def _seed(problem_id: str, index: int) -> int:
    """Return the seed of a pilot response: the same at every temperature and for both models."""
    start = hashlib.sha256(f"entropy\0{problem_id}".encode()).digest()
    return (int.from_bytes(start[:8], "big") + index) % 2**63


def _check(row: Sample, document: SamplingTask) -> None:
    """Refuse an engine that does not tell entropies."""
    if math.isnan(row.mean_entropy):
        raise EngineError(
            f"the engine {document['engine']} tells no entropy of its tokens",
            where=str(document["cell"]),
            fix="draw with `engine: transformers` or `vllm`, or give the sampler a `temperature`",
        )
