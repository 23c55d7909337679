"""Programs as code benchmarks store them, and the responses that passk grades."""

from __future__ import annotations

from passk.core.schemas import Sample
from passk.interop.base import Options
from passk.verifiers.code.extract_code import extract_code


def response_of(solution: str) -> str:
    """Return a whole program as the response that holds nothing else."""
    ticks = "```"
    while ticks in solution:
        ticks += "`"
    return f"{ticks}python\n{solution}\n{ticks}"


def completed(completion: str, problem_id: str | None, options: Options) -> str:
    """Return a completion as a response: as it is, or as a whole program in a fence."""
    if options.completion:
        return completion
    problem = options.problems.get(problem_id or "")
    return response_of((problem.question if problem else "") + completion)


def program_of(sample: Sample) -> str:
    """Return the program of a response: its last extract_code block, or else its text."""
    found = extract_code(sample.text)
    return sample.text if found is None else found
