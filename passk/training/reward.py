"""The reward: 1 for a response that passk's own verifier finds correct, 0 for any other.

A response that the grader itself failed on (its verdict is `timeout` or `error`) has no reward:
it is NaN, counts in no mean, and moves nothing.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from typing import Any, Self

from passk.core.registry import VERIFIERS, load
from passk.verifiers.base import ComparisonPool, CustomPool, Verifier
from passk.verifiers.grading.dedup import Grade, PairIndex
from passk.verifiers.grading.worker_pool import FAILURES, Pool, PoolConfig


class Grader:
    """A verifier that stays ready between steps; use as a context manager.

    Args:
        verifier: its name.
        options: its options.
        workers: processes that compare at the same time.

    Raises:
        VerifierError: the verifier or one of its options is not known.
    """

    def __init__(self, verifier: str, options: Mapping[str, Any], workers: int = 1) -> None:
        """Load the verifier; workers start with the first answer that needs one."""
        self._setup = PoolConfig(verifier, options, workers)
        self._verifier: Verifier = load("verifier", verifier, VERIFIERS)(**options)
        self._stack = ExitStack()
        self._runs: ComparisonPool | None = None

    def __enter__(self) -> Self:
        """Return the grader."""
        return self

    def __exit__(self, *_: object) -> None:
        """End the workers."""
        self._stack.close()
        self._runs = None

    def grade(self, responses: Sequence[tuple[str, str]]) -> Sequence[Grade]:
        """Return the verdict of each (gold JSON, response) pair, in their order."""
        pair_index = PairIndex(self._verifier)
        for gold, response in responses:
            pair_index.add(gold, response)
        if pairs := pair_index.undecided_pairs():
            for index, result in self._pool().run(pairs):
                pair_index.record_result(pairs.indices[index], result)
        return pair_index.graded()

    def rewards(self, responses: Sequence[tuple[str, str]]) -> list[float]:
        """Return the reward of each (gold JSON, response) pair; NaN where grading failed."""
        return [reward(graded) for graded in self.grade(responses)]

    def _pool(self) -> ComparisonPool:
        """Return what compares, started when it is first needed."""
        if self._runs is None:
            one = self._verifier
            pool = one.pool(self._setup) if isinstance(one, CustomPool) else Pool(self._setup)
            self._runs = self._stack.enter_context(pool)
        return self._runs


def reward(graded: Grade) -> float:
    """Return what a verdict is worth."""
    return math.nan if graded.verdict in FAILURES else float(graded.verdict == "correct")
