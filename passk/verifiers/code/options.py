"""Options of the `code` verifier."""

from __future__ import annotations

import math
from dataclasses import dataclass

from passk.core.errors import VerifierError
from passk.verifiers.code.time_limits import TimeLimits
from passk.verifiers.options import require_one_of


@dataclass(frozen=True, slots=True)
class CodeOptions:
    """Options of the `code` verifier.

    Attributes:
        completion: whether a response is a completion of the problem's prompt; else the program
            is extracted from it.
        preamble: text that precedes each program, such as imports.
        main_function: run a program on standard input as LiveCodeBench does: imports first, the
            rest as the body of a function.
        begun: what the prompt has already written of each response (`prefix` of a prompt file),
            such as the opening of a code block.
        tests: `all`, or `base` for those of the original benchmark alone (EvalPlus).
        per_test: time limit in seconds of one test, where the problem has no reference solution.
        total: time limit of all tests of a program; None for the default of the problem's kind.
        reference_factor: how many times longer than the reference solution a test may take.
        minimum: seconds that a test may always take, however fast the reference solution is.
        memory: MiB that a program may take; every reference solution of MBPP+ fits the default.
        unsafe_code_execution: run programs even where this machine allows no isolation at all.
    """

    completion: bool = False
    preamble: str = ""
    begun: str = ""
    main_function: bool = False
    tests: str = "all"
    per_test: float = 6.0
    total: float | None = None
    reference_factor: float = 4.0
    minimum: float = 1.0
    memory: int = 1536
    unsafe_code_execution: bool = False

    def __post_init__(self) -> None:
        """Refuse values of another type or range."""
        require_one_of("code", "tests", self.tests, ("all", "base"))
        for option in ("completion", "main_function", "unsafe_code_execution"):
            require_one_of("code", option, str(getattr(self, option)), ("True", "False"))
        if isinstance(self.memory, bool) or not isinstance(self.memory, int) or self.memory < 1:
            raise VerifierError(
                f"verifier 'code': option 'memory' is {self.memory!r}", fix="MiB, for example 1536"
            )
        for option in ("preamble", "begun"):
            if not isinstance(getattr(self, option), str):
                raise VerifierError(
                    f"verifier 'code': option '{option}' is {getattr(self, option)!r}",
                    fix="text is needed",
                )
        for option in ("per_test", "total", "reference_factor", "minimum"):
            self._check_seconds(option, getattr(self, option))

    def _check_seconds(self, option: str, value: object) -> None:
        """Refuse a time limit that is no positive number."""
        if option == "total" and value is None:
            return
        number = isinstance(value, int | float) and not isinstance(value, bool)
        least = 0.0 if option == "reference_factor" else 1e-3
        if not number or not least <= value < math.inf:  # type: ignore[operator]
            raise VerifierError(
                f"verifier 'code': option '{option}' is {value!r}",
                fix=f"a number of at least {least:g}, for example {option}: 6",
            )

    @property
    def time_limits(self) -> TimeLimits:
        """What limits the time of a program."""
        return TimeLimits(self.per_test, self.total, self.reference_factor, self.minimum)
