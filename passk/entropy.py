"""Entropy matching: the temperature at which a tuned model is as undecided as its base.

RL sharpens: at equal temperature the tuned model's tokens have less entropy, and so its responses
less variety. Yue et al. 2025 (arXiv 2504.13837, section 4.5) therefore raise its temperature until
its output entropy equals the base's, and look whether the base still covers more problems. Entropy
here is the mean over tokens, not over responses: sum of all tokens' entropies (of the distribution
at the sampling temperature, before top_p and the like, in nats) over the number of all tokens.
"""

from __future__ import annotations

import dataclasses
import hashlib
import logging
import math
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from passk.engines.base import Engine, Request, Sampling
from passk.errors import DataError, EngineError
from passk.estimate import LEVEL, SEED
from passk.journal import Journal
from passk.prompts import render
from passk.recipes import digest, environment, write_json
from passk.records import Problem, Sample, read_rows
from passk.registry import ENGINES, load
from passk.tasks import Progress, read_task, source_of, template_of

log = logging.getLogger(__name__)

MOST_TRIALS = 16
"""Temperatures that are tried at the most."""

STEP = 1.5
"""Factor by which the temperature moves until the base's entropy is passed."""

NARROW = 0.002
"""Relative width of the bracket at which a search ends: pilots cannot tell closer ones apart."""

REPLICATES = 2000

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
        documents: Mapping[str, Mapping[str, Any]],
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
        self.facts: dict[str, Any] = {}

    def draw(self, who: str, trial: int, temperature: float) -> Pilot:
        """Return the pilot of one trial, drawn as far as the journal does not hold it."""
        document = self._documents[who]
        sampling = {**document["sampling"], "temperature": temperature}
        wanted = range(trial * self._responses, (trial + 1) * self._responses)
        requests = list(self._requests(document, wanted))
        if requests:
            for row in self._loaded(who).sample(requests, _sampling(sampling)):
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

    def _requests(self, document: Mapping[str, Any], wanted: range) -> Iterator[Request]:
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
            engine: type[Engine] = load("engine", document["engine"], ENGINES)
            self._engine = who, engine.load(dataclasses.replace(source, execution=execution))
            self.facts[who] = {
                "engine": document["engine"],
                "device": self._engine[1].device,
                "environment": environment(self._engine[1].packages),
            }
        return self._engine[1]


def match(
    cell: Path,
    base: Path,
    problems: Path,
    output: Path,
    *,
    threads: int | None = None,
    progress: Progress | None = None,
) -> None:
    """Find the temperature of a cell at which its token entropy is its base's, and write it.

    Args:
        cell: cell.json of the tuned model, whose `match` says how closely and with how much.
        base: cell.json of the base, with the sampler that it has.
        problems: file of Problem rows; the first ones are asked.
        output: JSON file to write: temperature, its interval over problems, both entropies in
            nats, and every trial.
        threads: CPU threads, where the cells' execution names none.
        progress: called as responses are finished.

    Raises:
        DataError: a task file is not of the form it should have, or the base's entropy lies
            outside what the bounds allow.
        EngineError: an engine cannot be loaded, failed, or gives no entropies.
        OutputError: the output cannot be written, or another process is writing it.
    """
    began = time.perf_counter()
    tuned, basis = read_task(cell, "cell", "sampling", "match"), read_task(base, "sampling")
    asked = read_rows(problems, Problem)[: int(tuned["match"]["problems"])]
    key = digest([tuned["fields"], basis["fields"], tuned["match"]])
    with Journal(output, key, Sample) as journal:
        pilots = Pilots({"tuned": tuned, "base": basis}, asked, journal, threads, progress)
        target = pilots.draw("base", 0, float(basis["sampling"]["temperature"]))
        trials = _search(pilots, tuned, target)
        found = min(trials, key=lambda pilot: abs(pilot.entropy - target.entropy))
        write_json(
            output,
            {
                "stage": "entropy",
                "cell": tuned["cell"],
                "temperature": found.temperature,
                "interval": list(_interval(trials, target)),
                "entropy": found.entropy,
                "target": target.entropy,
                "base_temperature": target.temperature,
                "trials": [{"temperature": t.temperature, "entropy": t.entropy} for t in trials],
                "problems": len(asked),
                "match": tuned["match"],
                "fields": tuned["fields"],
                "responses": len(journal.rows),
                "tokens": sum(row.n_tokens for row in journal.rows.values()),
                "seconds": round(time.perf_counter() - began, 3),
                **pilots.facts,
            },
        )
        journal.discard()
    log.info(
        "%s: T = %.4g, %.4g nats a token (base %.4g nats at T = %.4g)",
        tuned["cell"], found.temperature, found.entropy, target.entropy, target.temperature,
    )  # fmt: skip


def _search(pilots: Pilots, tuned: Mapping[str, Any], target: Pilot) -> list[Pilot]:
    """Return the trials of a search: outward until the target is passed, then by bisection."""
    rules = tuned["match"]
    low, high, close = (float(rules[name]) for name in ("low", "high", "tolerance"))
    trials: list[Pilot] = []
    below, above = 0.0, math.inf
    temperature = min(max(target.temperature, low), high)
    while len(trials) < MOST_TRIALS:
        pilot = pilots.draw("tuned", len(trials) + 1, temperature)
        trials.append(pilot)
        if abs(pilot.entropy - target.entropy) <= close * target.entropy:
            return trials
        below, above = (
            (temperature, above) if pilot.entropy < target.entropy else (below, temperature)
        )
        if above <= low or below >= high:
            raise _out_of_bounds(tuned["cell"], pilot, target)
        if above < below * (1 + NARROW):
            return trials
        temperature = _next(below, above, low, high)
    return trials


def _next(below: float, above: float, low: float, high: float) -> float:
    """Return the temperature to try next, to four digits."""
    if math.isinf(above):
        wanted = min(below * STEP, high)
    elif below <= 0:
        wanted = max(above / STEP, low)
    else:
        wanted = math.sqrt(below * above)
    return round(wanted, 4)


def _out_of_bounds(cell: str, pilot: Pilot, target: Pilot) -> DataError:
    """Say that the base's entropy is not reached within the bounds."""
    few = pilot.entropy < target.entropy
    return DataError(
        f"at T = {pilot.temperature:g} a token has {pilot.entropy:.4g} nats, "
        f"{'less' if few else 'more'} than the base's {target.entropy:.4g}",
        where=cell,
        fix=f"{'raise `high`' if few else 'lower `low`'} under `match_entropy`",
    )


def _interval(trials: Sequence[Pilot], target: Pilot) -> tuple[float, float]:
    """Return the interval over problems of the temperature at which the entropies cross.

    Problems are drawn again, the same ones for base and trials; between trials entropy is taken as
    linear. It cannot leave the temperatures that were tried.
    """
    ordered = sorted(trials, key=lambda pilot: pilot.temperature)
    temperatures = np.array([pilot.temperature for pilot in ordered])
    size = len(target.tokens)
    weights = np.random.default_rng(SEED).multinomial(size, [1 / size] * size, size=REPLICATES)
    wanted = (weights @ target.entropies) / (weights @ target.tokens)
    curves = np.stack([(weights @ p.entropies) / (weights @ p.tokens) for p in ordered], axis=1)
    rising = np.maximum.accumulate(curves, axis=1)
    crossed = [np.interp(w, row, temperatures) for w, row in zip(wanted, rising, strict=True)]
    low, high = np.quantile(crossed, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)


def _sampling(values: Mapping[str, Any]) -> Sampling:
    """Return the settings of a task file as an engine takes them."""
    settings: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in values.items()
    }
    return Sampling(**settings)


def _seed(problem_id: str, index: int) -> int:
    """Return the seed of a pilot response: the same at every temperature and for both models."""
    start = hashlib.sha256(f"entropy\0{problem_id}".encode()).digest()
    return (int.from_bytes(start[:8], "big") + index) % 2**63


def _check(row: Sample, document: Mapping[str, Any]) -> None:
    """Refuse an engine that does not tell entropies."""
    if math.isnan(row.mean_entropy):
        raise EngineError(
            f"the engine {document['engine']} tells no entropy of its tokens",
            where=str(document["cell"]),
            fix="draw with `engine: transformers` or `vllm`, or give the sampler a `temperature`",
        )
