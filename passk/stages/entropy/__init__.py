"""Entropy matching: the temperature at which a tuned model is as undecided as its base.

RL sharpens: at equal temperature the tuned model's tokens have less entropy, and so its responses
less variety. Yue et al. 2025 (arXiv 2504.13837, section 4.5) therefore raise its temperature until
its output entropy equals the base's, and look whether the base still covers more problems. Entropy
here is the mean over tokens, not over responses: sum of all tokens' entropies (of the distribution
at the sampling temperature, before top_p and the like, in nats) over the number of all tokens.
"""

from __future__ import annotations

import logging
import time
from pathlib import Path
from typing import cast

from passk.core.artifacts import digest
from passk.core.integrity import write_task_file
from passk.core.journal import Journal
from passk.core.schemas import Problem, Sample, read_rows
from passk.engines.loader import Progress, read_task
from passk.stages.entropy.pilots import Pilots
from passk.stages.entropy.search import interval, search
from passk.stages.sampling_task import SamplingTask

__all__ = ["match"]

log = logging.getLogger(__name__)


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
    tuned = cast("SamplingTask", read_task(cell, "cell", "sampling", "match"))
    basis = cast("SamplingTask", read_task(base, "cell", "sampling"))
    asked = read_rows(problems, Problem)[: int(tuned["match"]["problems"])]
    key = digest([tuned["fingerprint_inputs"], basis["fingerprint_inputs"], tuned["match"]])
    with Journal(output, key, Sample) as journal:
        pilots = Pilots({"tuned": tuned, "base": basis}, asked, journal, threads, progress)
        target = pilots.draw("base", 0, float(basis["sampling"]["temperature"]))
        trials = search(pilots, tuned, target)
        found = min(trials, key=lambda pilot: abs(pilot.entropy - target.entropy))
        write_task_file(
            output,
            {
                "stage": "entropy",
                "cell": tuned["cell"],
                "temperature": found.temperature,
                "interval": list(interval(trials, target)),
                "entropy": found.entropy,
                "target": target.entropy,
                "base_temperature": target.temperature,
                "trials": [{"temperature": t.temperature, "entropy": t.entropy} for t in trials],
                "problems": len(asked),
                "match": tuned["match"],
                "fingerprint_inputs": tuned["fingerprint_inputs"],
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
