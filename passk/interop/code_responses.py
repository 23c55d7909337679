"""Programs as code benchmarks store them, and the responses that passk grades."""

from __future__ import annotations

from passk.core.schemas import Problem, Sample
from passk.interop.base import ReadOptions
from passk.verifiers.code.extract_code import extract_code
from passk.verifiers.code.problems import entry_point_of


def fence_program(program: str) -> str:
    """Return a whole program as a response: one fenced block."""
    ticks = "```"
    while ticks in program:
        ticks += "`"
    return f"{ticks}python\n{program}\n{ticks}"


def fence_completion(completion: str, problem_id: str | None, options: ReadOptions) -> str:
    """Return a completion as a response: as it is, or as a fenced program after its prompt."""
    if options.completion:
        return completion
    problem = options.problems.get(problem_id or "")
    return fence_program((problem.question if problem else "") + completion)


def find_program(sample: Sample, problem: Problem) -> str | None:
    """Return the program of a response, as the verifier finds it, or None."""
    return extract_code(sample.text, entry_point_of(problem.gold))


def program_of(sample: Sample, problem: Problem) -> str:
    """Return the program of a response, or else its text."""
    found = find_program(sample, problem)
    return sample.text if found is None else found
