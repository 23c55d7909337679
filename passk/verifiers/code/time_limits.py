"""How long a program may run, by default as long as in its benchmark's own harness.

| problem | limit of a test | limit of a program |
|---|---|---|
| with a reference solution (EvalPlus) | max(`minimum`, `reference_factor` x reference) | 60 s |
| with expected outputs (LiveCodeBench) | `per_test` | the sum over its tests |

Limits are in seconds of processor time (see `docs/sandbox.md`, "Time").
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

EVALPLUS_TOTAL = 60.0
"""Most seconds of a program in evalplus 0.3.1, whatever the sum of its tests."""


@dataclass(frozen=True, slots=True)
class TimeLimits:
    """Options that limit the time of programs.

    Attributes:
        per_test: seconds of one test, where the problem has no reference solution.
        total: most seconds of all tests of a program; None for the default of the problem's kind.
        reference_factor: how many times longer than the reference solution a test may take; 0
            makes `per_test` the limit of these problems too.
        minimum: seconds that a test may always take, however fast the reference solution is.
    """

    per_test: float = 6.0
    total: float | None = None
    reference_factor: float = 4.0
    minimum: float = 1.0

    def limits(self, n_tests: int, reference: Sequence[float] | None) -> tuple[list[float], float]:
        """Return the limits of loading and of each test, and that of the whole run.

        Args:
            n_tests: number of tests.
            reference: seconds of the reference solution per test, if there is one.
        """
        if reference is None or not self.reference_factor:
            tests, most = [self.per_test], math.inf
            total = self.per_test * (n_tests + 1)
        else:
            tests = [max(self.minimum, self.reference_factor * seconds) for seconds in reference]
            total, most = sum(tests), EVALPLUS_TOTAL
        total = min(total, self.total or most)
        return [min(total, max(self.per_test, *tests, 0.0)), *tests], total
